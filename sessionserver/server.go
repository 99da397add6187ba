package sessionserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"time"

	"github.com/errand-dev/errand/sessionserver/agent"
	"github.com/errand-dev/errand/sessionserver/agent/reader"
	"github.com/errand-dev/errand/sessionserver/agent/script"
	"github.com/errand-dev/errand/sessionserver/internal/agi"
	"github.com/errand-dev/errand/sessionserver/internal/auth"
	"github.com/errand-dev/errand/sessionserver/internal/sessions"
	"github.com/errand-dev/errand/sessionserver/shop"
)

// heartbeat is the time between two heartbeats of an event stream, from the
// vendor documentation.
const heartbeat = 30 * time.Second

// closeGrace is how long Close waits for requests before it cuts connections.
const closeGrace = time.Second

// Config says where a server keeps its state and whom it serves.
type Config struct {
	// Dir is the folder of all state, made when missing. It must belong to one
	// server at a time.
	Dir string
	// Keys are the API keys that are accepted. Without any no key is asked for,
	// and Serve takes a loopback listener only.
	Keys []string
	// Agents are the agents by the agent_name that a client gives; nil means
	// the built-in ones.
	Agents map[string]agent.Agent
	// Logger is slog.Default() if nil.
	Logger *slog.Logger
}

// Server is a session server.
type Server struct {
	engine  *sessions.Engine
	face    *agi.Face
	keys    auth.Keys
	reader  *reader.Agent
	self    *loopback
	handler http.Handler
	http    *http.Server
}

// New loads the state that a former process left in Config.Dir and starts the
// agents of interrupted tasks again.
func New(c Config) (*Server, error) {
	if c.Dir == "" {
		return nil, errors.New("session server needs a folder for its state")
	}
	if slices.Contains(c.Keys, "") {
		return nil, errors.New("an API key of the session server must not be empty")
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	store, err := shop.New(filepath.Join(c.Dir, "shop"))
	if err != nil {
		return nil, err
	}
	s := &Server{keys: auth.NewKeys(c.Keys), self: newLoopback()}
	s.reader = reader.New(s.self.dial)
	if c.Agents == nil {
		c.Agents = map[string]agent.Agent{
			"reader":     s.reader,
			"agi-0":      s.reader,
			"agi-0-fast": s.reader,
			"script":     script.Agent{},
		}
	}
	s.engine, err = sessions.Open(c.Dir, c.Agents, c.Logger)
	if err != nil {
		return nil, err
	}
	s.face = agi.New(agi.Config{
		Engine:    s.engine,
		Keys:      s.keys,
		ViewURL:   s.viewURL,
		Heartbeat: heartbeat,
		Logger:    c.Logger,
	})
	s.handler = s.routes(store)
	s.http = &http.Server{
		Handler:           s.handler,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          slog.NewLogLogger(c.Logger.Handler(), slog.LevelWarn),
	}
	return s, nil
}

func (s *Server) routes(store *shop.Shop) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/v1/", s.face)
	mux.HandleFunc("GET /session/{id}", s.view)
	mux.HandleFunc("GET /session/{id}/events", s.viewEvents)
	mux.Handle("/shop/", store.Handler("/shop"))
	mux.Handle(shopHost+"/", store.Handler(""))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte("{\"status\":\"ok\"}\n"))
	})
	// Pages of other sites must not act on a server that asks for no key.
	guarded := http.NewCrossOriginProtection().Handler(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.self.reachedAt(r)
		guarded.ServeHTTP(w, r)
	})
}

// Handler is the server's HTTP handler, for those who bring a listener of
// their own; Serve is the usual way.
func (s *Server) Handler() http.Handler { return s.handler }

// Serve answers requests that come in on l until Close; it then returns nil.
func (s *Server) Serve(l net.Listener) error {
	if addr, ok := l.Addr().(*net.TCPAddr); ok && !s.keys.Required() && !addr.IP.IsLoopback() {
		return fmt.Errorf("serving sessions on %s needs an API key, without one use a loopback address", addr)
	}
	s.self.set(l.Addr())
	if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve sessions: %w", err)
	}
	return nil
}

// Close stops the agents, ends the event streams, lets open requests finish
// and keeps all state: tasks that were running go on in the next process. It
// says so if an agent has not stopped when ctx ends.
func (s *Server) Close(ctx context.Context) error {
	err := s.engine.Close(ctx)
	// What is open now is quick to finish, or a connection that asked for nothing yet.
	ctx, cancel := context.WithTimeout(ctx, closeGrace)
	defer cancel()
	if s.http.Shutdown(ctx) != nil {
		err = errors.Join(err, s.http.Close())
	}
	s.reader.CloseIdleConnections()
	return err
}
