package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/errand-dev/errand/internal/config"
	"github.com/errand-dev/errand/internal/engine"
)

func (a *app) devCommand() *cobra.Command {
	var o engine.TemporalOptions
	var inboxAt net.Listener
	c := &cobra.Command{
		Use:   "dev",
		Short: "Run everything in one process: Temporal with its Web UI, sessions, a worker, the inbox",
		Long: "Runs everything in one process until it is interrupted: a Temporal server with\n" +
			"its Web UI, the local session server, a worker, and the inbox. Commands with the\n" +
			"same data directory use them.",
		Example: example(`dev`, `dev --port 7240 --ui-port 8240`),
		Args:    exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			var err error
			if o.Port, err = freePort(c, "port"); err != nil {
				return err
			}
			if o.UIPort, err = freePort(c, "ui-port"); err != nil {
				return err
			}
			if inboxAt, err = listenAt(c, "inbox-port"); err != nil {
				return err
			}
			defer func() { _ = inboxAt.Close() }() // the inbox has closed it, if it was served
			return a.dev(c.Context(), o, inboxAt)
		},
	}
	// Where tools look for a Temporal server on this machine.
	c.Flags().IntVar(&o.Port, "port", 7233, "`PORT` of the Temporal server, 0 for any; another if the default is taken")
	c.Flags().IntVar(&o.UIPort, "ui-port", 8233, "`PORT` of its Web UI, 0 for any; another if the default is taken")
	c.Flags().Int("inbox-port", inboxPort, "`PORT` of the inbox, 0 for any; another if the default is taken")
	return c
}

// listenAt listens at the port that freePort finds.
func listenAt(c *cobra.Command, name string) (net.Listener, error) {
	port, err := freePort(c, name)
	if err != nil {
		return nil, err
	}
	return net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
}

// freePort is the port that a flag says, or 0, for any, when the flag was not
// given and its default is taken.
func freePort(c *cobra.Command, name string) (int, error) {
	port, err := c.Flags().GetInt(name)
	if err != nil {
		return 0, err
	}
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err == nil {
		return port, l.Close()
	}
	if !c.Flags().Changed(name) {
		return 0, nil
	}
	return 0, usagef("--%s %d cannot be used: %w", name, port, err)
}

func (a *app) dev(ctx context.Context, o engine.TemporalOptions, inboxAt net.Listener) (err error) {
	c, err := a.load()
	if err != nil {
		return err
	}
	if c.Temporal.Named {
		a.note("%s is configured, but dev runs a server of its own; other commands go to the one configured", c.Temporal)
		c.Temporal = config.Temporal{Namespace: c.Temporal.Namespace}
	}
	logger := a.logger(slog.LevelInfo)
	l, err := a.open(ctx, c, linkOptions{logger: logger, temporal: o})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	if t := l.engine.Temporal(); !l.ownsTemporal() {
		return usagef("process %d runs the Temporal server of %s already, at %s: end it, or choose another --data-dir", t.PID, c.DataDir, t.Address)
	}
	if _, err := l.connections.Provider(config.Local); err != nil {
		return err
	}
	warnOfMissingKeys(c, logger)
	served, err := a.serveInbox(l, inboxAt)
	if err != nil {
		return err
	}
	defer served.stop()
	if err := a.printServers(l, served.link); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		a.note("stopping; open tasks go on when errand runs again")
		return nil
	case err := <-served.failed:
		return err
	}
}

// warnOfMissingKeys names the connections that cannot be used.
func warnOfMissingKeys(c *config.Config, logger *slog.Logger) {
	for _, connection := range c.Connections {
		if _, err := connection.Secret(); err != nil {
			logger.Warn("tasks of this connection will fail", "connection", connection.Name, "error", err)
		}
	}
}

// servers are the addresses of what dev runs.
type servers struct {
	Temporal  string `json:"temporal"` // host:port
	Namespace string `json:"namespace"`
	WebUI     string `json:"web_ui"`
	Sessions  string `json:"sessions"`
	Shop      string `json:"shop"`
	Inbox     string `json:"inbox"` // the link that logs in
	DataDir   string `json:"data_dir"`
	PID       int    `json:"pid"`
}

func (a *app) printServers(l *link, inboxLink string) error {
	t := l.engine.Temporal()
	s := servers{
		Temporal: t.Address, Namespace: l.config.Temporal.Namespace, WebUI: "http://" + t.UIAddress,
		Inbox: inboxLink, DataDir: l.config.DataDir, PID: os.Getpid(),
	}
	if local := l.connections.sessions(); local.BaseURL != "" {
		s.Sessions, s.Shop = local.BaseURL, local.BaseURL+"/shop/"
	}
	if a.flags.output != outputText {
		return a.printJSON(s)
	}
	rows := [][]string{{"Inbox", s.Inbox}, {"Web UI", s.WebUI}}
	if s.Sessions != "" {
		rows = append(rows, []string{"Sessions", s.Sessions}, []string{"Demo shop", s.Shop + " (to agents http://shop.localhost/)"})
	}
	rows = append(rows, []string{"Data", s.DataDir})
	if err := table(a.out, []string{"Temporal", fmt.Sprintf("%s (namespace %s)", s.Temporal, s.Namespace)}, rows); err != nil {
		return err
	}
	_, err := fmt.Fprintf(a.out, "\nTry: %s\n", a.again("run", "--url", "http://shop.localhost/teapot", "Report the product's name and price"))
	return err
}
