package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/errand-dev/errand/inbox"
)

// inboxPort is where the inbox is served unless something else is there.
const inboxPort = 8234

func (a *app) webCommand() *cobra.Command {
	var listen string
	c := &cobra.Command{
		Use:   "web",
		Short: "Serve the inbox: what waits for a person, as web pages",
		Long: "Serves the inbox until it is interrupted, and prints the link that logs in. Whoever\n" +
			"has the link may answer, pause and cancel: it is kept in the data directory and\n" +
			"stays the same. Delete the file inbox-token there for another one.",
		Example: example(`web`, `web --address localhost:7233 --listen 127.0.0.1:9000`),
		Args:    exactly(),
		RunE:    func(c *cobra.Command, _ []string) error { return a.web(c.Context(), listen) },
	}
	c.Flags().StringVar(&listen, "listen", net.JoinHostPort("127.0.0.1", strconv.Itoa(inboxPort)), "`HOST:PORT` to serve at, port 0 for any")
	return c
}

func (a *app) web(ctx context.Context, listen string) (err error) {
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return usagef("--listen %s cannot be used: %w: choose another HOST:PORT", listen, err)
	}
	defer func() { _ = listener.Close() }() // the server has closed it, if there was one
	c, err := a.load()
	if err != nil {
		return err
	}
	logger := a.logger(slog.LevelInfo)
	l, err := a.open(ctx, c, linkOptions{logger: logger})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	if l.embedded() && l.ownsTemporal() {
		a.tellServers(l)
	}
	served, err := a.serveInbox(l, listener)
	if err != nil {
		return err
	}
	defer served.stop()
	if !isLoopback(listener.Addr()) {
		a.note("%s can be reached from other machines: put a proxy with TLS in front of it, or the link and the answers travel in the clear", listener.Addr())
	}
	if a.flags.output == outputText {
		_, err = fmt.Fprintf(a.out, "Inbox  %s\n", served.link)
	} else {
		err = a.printJSON(map[string]string{"inbox": served.link})
	}
	if err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		a.note("stopping; what waits goes on waiting")
		return nil
	case err := <-served.failed:
		return err
	}
}

// servedInbox is an inbox that is being served.
type servedInbox struct {
	link   string // that logs in
	server *http.Server
	failed chan error
}

// serveInbox serves the inbox at a listener, which it takes over.
func (a *app) serveInbox(l *link, listener net.Listener) (*servedInbox, error) {
	token, err := inbox.LoadToken(filepath.Join(l.config.DataDir, "inbox-token"))
	if err != nil {
		return nil, fmt.Errorf("the inbox has no login link: %w", err)
	}
	name := ""
	if isLoopback(listener.Addr()) { // there are no other people
		name = a.userName()
	}
	s := &servedInbox{
		link: inbox.LoginURL("http://"+reachable(listener.Addr()), token),
		server: &http.Server{
			Handler: inbox.New(inbox.Options{
				Tasks: l.tasks, Batches: l.tasks, Messages: newAgentWords(l), Token: token, Name: name, Logger: l.logger,
			}),
			ReadHeaderTimeout: 10 * time.Second,
			ReadTimeout:       30 * time.Second,
			IdleTimeout:       2 * time.Minute,
			ErrorLog:          slog.NewLogLogger(l.logger.Handler(), slog.LevelDebug),
		},
		failed: make(chan error, 1),
	}
	go func() {
		if err := s.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			s.failed <- fmt.Errorf("the inbox has stopped: %w", err)
		}
	}()
	return s, nil
}

// stop ends the server, and what its browsers wait for with it.
func (s *servedInbox) stop() { _ = s.server.Close() }

func isLoopback(addr net.Addr) bool {
	tcp, ok := addr.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

// reachable is a HOST:PORT that a browser on this machine finds.
func reachable(addr net.Addr) string {
	if tcp, ok := addr.(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
		return net.JoinHostPort("127.0.0.1", strconv.Itoa(tcp.Port))
	}
	return addr.String()
}
