package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"
	"github.com/spf13/cobra"

	"github.com/errand-dev/errand/internal/config"
	"github.com/errand-dev/errand/provider"
	"github.com/errand-dev/errand/sessionserver"
	"github.com/errand-dev/errand/sessionserver/faults"
)

func (a *app) sessionsCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "sessions",
		Short: "Agent sessions at the vendor, and the local session server",
	}
	asGroup(c)
	c.AddCommand(a.sessionsListCommand(), a.sessionsReapCommand(), a.sessionsServeCommand())
	return c
}

func (a *app) sessionsListCommand() *cobra.Command {
	var connection string
	c := &cobra.Command{
		Use:     "list",
		Short:   "List the sessions that the vendor knows, the latest first",
		Example: example(`sessions list`, `sessions list --connection local -o json`),
		Args:    exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			return a.listSessions(c.Context(), connection)
		},
	}
	c.Flags().StringVar(&connection, "connection", "", "`NAME` of the connection (default: that of new tasks)")
	return c
}

// listedSession is a session as lists show it.
type listedSession struct {
	ID         string         `json:"id"`
	Connection string         `json:"connection"`
	Agent      string         `json:"agent"`
	State      provider.State `json:"state"`
	ViewURL    string         `json:"view_url"`
	CreatedAt  time.Time      `json:"created_at"`
}

func (a *app) listSessions(ctx context.Context, name string) (err error) {
	c, err := a.load()
	if err != nil {
		return err
	}
	chosen, err := c.Choose(name)
	if err != nil {
		return usage(err)
	}
	connections := newConnections(c, a.logger(slog.LevelWarn))
	defer func() { err = errors.Join(err, connections.Close()) }()
	p, err := connections.Provider(chosen.Name)
	if err != nil {
		return usage(err)
	}
	list, err := p.Sessions(ctx)
	if err != nil {
		return fmt.Errorf("connection %s: %w", chosen.Name, err)
	}
	sessions := list.Sessions
	slices.SortStableFunc(sessions, func(x, y provider.Session) int { return y.CreatedAt.Compare(x.CreatedAt) })
	listed := make([]listedSession, len(sessions))
	for i, s := range sessions {
		listed[i] = listedSession{
			ID: s.ID, Connection: chosen.Name, Agent: s.Agent, State: s.State, ViewURL: s.ViewURL, CreatedAt: s.CreatedAt,
		}
	}
	return printList(a, listed, func(w io.Writer) error {
		if len(listed) == 0 {
			a.note("no sessions at connection %s", chosen.Name)
			return nil
		}
		rows := make([][]string, len(listed))
		for i, s := range listed {
			rows[i] = []string{s.ID, cell(s.Agent, 20), string(s.State), age(s.CreatedAt), s.ViewURL}
		}
		return table(w, []string{"ID", "AGENT", "STATE", "AGE", "VIEW"}, rows)
	})
}

func (a *app) sessionsServeCommand() *cobra.Command {
	var listen, key string
	var rehearsal rehearsal
	c := &cobra.Command{
		Use:   "serve",
		Short: "Run the local session server on its own",
		Long: "Serves agent sessions on its own until it is interrupted, for connections with\n" +
			"provider = \"agi\" and base_url = \"http://HOST:PORT\", and for those with everruns and\n" +
			"…/everruns or agen and …/agen. Beyond this machine it asks for a key.",
		Example: example(`sessions serve --listen 127.0.0.1:8321`, `sessions serve --listen 0.0.0.0:8321 --api-key env:SESSIONS_KEY`),
		Args:    exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			return a.serveSessions(c.Context(), listen, key, rehearsal)
		},
	}
	c.Flags().StringVar(&listen, "listen", "127.0.0.1:8321", "`HOST:PORT` to listen on")
	c.Flags().StringVar(&key, "api-key", "", "`env:NAME` or file:PATH of the keys that clients may send, one a line")
	c.Flags().StringVar(&rehearsal.faults, "faults", "", "`FILE` of faults to rehearse; GET /faults and the end of the command tell what fired")
	c.Flags().StringVar(&rehearsal.truth, "truth", "", "`FILE` to which the server adds what really happened, a JSON line for each fact")
	return c
}

// rehearsal names the files of a rehearsal. Both win over errand.toml.
type rehearsal struct {
	faults, truth string
}

// closeTimeout bounds how long the session server may take to finish its
// requests and to end its agents, which have some seconds for that.
const closeTimeout = 15 * time.Second

func (a *app) serveSessions(ctx context.Context, listen, keyRef string, files rehearsal) (err error) {
	c, err := a.load()
	if err != nil {
		return err
	}
	var keys []sessionserver.Key
	if keyRef != "" {
		text, err := readKey(keyRef, a.env)
		if err == nil {
			keys, err = sessionserver.ParseKeys(string(text))
		}
		if err != nil {
			return usagef("--api-key: %w", err)
		}
	}
	dir := filepath.Join(c.DataDir, "session-server")
	settings, err := sessionServerConfig(c, dir, keys, a.logger(slog.LevelInfo))
	if err != nil {
		return usage(err)
	}
	settings.Truth = cmp.Or(files.truth, settings.Truth)
	if files.faults != "" {
		if settings.Faults, err = faults.Load(files.faults); err != nil {
			return usagef("--faults: %w", err)
		}
	}
	if settings.Faults == nil {
		// With no rules, so that a request can still ask for its own fault.
		if settings.Faults, err = faults.New(faults.Config{}); err != nil {
			return err
		}
	}
	defer func() {
		if fired := strings.TrimSpace(settings.Faults.Report().String()); fired != "" {
			a.note("%s", fired)
		}
	}()
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return usagef("--listen %s: %w", listen, err)
	}
	defer func() { _ = listener.Close() }() // most often the server has done it
	if addr, ok := listener.Addr().(*net.TCPAddr); ok && len(keys) == 0 && !addr.IP.IsLoopback() {
		return usagef("--listen %s can be reached from other machines: ask for a key with --api-key env:NAME, or listen on 127.0.0.1", listen)
	}
	unlock, err := lockDir(dir)
	if err != nil {
		return err
	}
	defer unlock()
	server, err := sessionserver.New(settings)
	if err != nil {
		return err
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	a.note("serving sessions at http://%s (data in %s)", listener.Addr(), dir)
	select {
	case err = <-served:
	case <-ctx.Done():
		a.note("stopping; sessions go on when it runs again")
	}
	closeCtx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	return errors.Join(err, server.Close(closeCtx))
}

func readKey(text string, env config.Environment) (provider.Secret, error) {
	ref, err := config.ParseKeyRef(text, ".", env)
	if err != nil {
		return "", err
	}
	return ref.Read()
}

// lockDir makes the folder of a server and keeps other processes out of it.
func lockDir(dir string) (unlock func(), err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, usagef("data directory: %w", err)
	}
	lock := flock.New(filepath.Join(dir, "lock"), flock.SetPermissions(0o600))
	switch locked, err := lock.TryLock(); {
	case err != nil:
		return nil, usagef("data directory: %w", err)
	case !locked:
		return nil, usagef("another errand sessions serve uses %s: end it, or choose another --data-dir", dir)
	}
	return func() { _ = lock.Close() }, nil
}
