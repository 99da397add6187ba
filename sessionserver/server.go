package sessionserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"path/filepath"
	"time"

	"github.com/errand-dev/errand/sessionserver/agent"
	"github.com/errand-dev/errand/sessionserver/agent/exec"
	"github.com/errand-dev/errand/sessionserver/agent/reader"
	"github.com/errand-dev/errand/sessionserver/agent/script"
	"github.com/errand-dev/errand/sessionserver/faults"
	"github.com/errand-dev/errand/sessionserver/internal/agi"
	"github.com/errand-dev/errand/sessionserver/internal/auth"
	"github.com/errand-dev/errand/sessionserver/internal/sessions"
	"github.com/errand-dev/errand/sessionserver/internal/webhook"
	"github.com/errand-dev/errand/sessionserver/shop"
)

// vendorAgents are the agents that the vendor's documentation and its SDKs
// name, so that programs which ask for them get one.
var vendorAgents = []string{"agi-0", "agi-0-fast", "agi-1", "agi-2-claude", "agi-2-qwen"}

// closeGrace is how long Close waits for requests before it cuts connections.
const closeGrace = time.Second

// Server is a session server.
type Server struct {
	engine   *sessions.Engine
	face     *agi.Face
	keys     auth.Keys
	agents   map[string]agent.Agent
	reader   *reader.Agent
	webhooks *webhook.Sender
	witness  *witness // nil if nobody wants to know
	self     *loopback
	handler  http.Handler
	http     *http.Server
}

// New loads the state that a former process left in Config.Dir and starts the
// agents of interrupted tasks again.
func New(c Config) (*Server, error) {
	if c.Dir == "" {
		return nil, errors.New("session server needs a folder for its state")
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	options, err := c.AGI.Filled()
	if err != nil {
		return nil, fmt.Errorf("AGI options of the session server: %w", err)
	}
	keys, err := auth.NewKeys(c.Keys)
	if err != nil {
		return nil, err
	}
	store, err := shop.New(filepath.Join(c.Dir, "shop"))
	if err != nil {
		return nil, err
	}
	s := &Server{keys: keys, self: newLoopback()}
	s.reader = reader.New(s.self.dial)
	if err := s.staff(c); err != nil {
		return nil, err
	}
	s.webhooks = webhook.New(webhook.Config{Secret: c.WebhookSecret, Copies: c.Faults.Webhook, Logger: c.Logger})
	observers, err := s.observers(c, options)
	if err != nil {
		return nil, err
	}
	s.engine, err = sessions.Open(sessions.Config{
		Dir:            c.Dir,
		Agents:         s.agents,
		Logger:         c.Logger,
		Boot:           c.Boot,
		TTL:            c.TTL,
		ListTerminated: c.ListTerminated,
		Retention:      c.Snapshots,
		Observer:       observers,
		Stuck:          c.Faults.Turn,
	})
	if err != nil {
		return nil, errors.Join(err, s.closeWitness())
	}
	s.face = agi.New(agi.Config{
		Options: options,
		Engine:  s.engine,
		Keys:    s.keys,
		Limits:  auth.NewLimits(c.RequestsPerSecond, c.Burst),
		ViewURL: s.viewURL,
		Logger:  c.Logger,
	})
	c.Faults.OnVanish(s.engine.Vanish)
	s.handler = s.routes(c, store)
	s.http = &http.Server{
		Handler:           s.handler,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          slog.NewLogLogger(c.Logger.Handler(), slog.LevelWarn),
	}
	return s, nil
}

// observers are told what happens: the witness first, so that what others make
// of it comes later in its log.
func (s *Server) observers(c Config, options agi.Options) (sessions.Observers, error) {
	webhooks := &agi.Webhooks{Options: options, Sender: s.webhooks, ViewURL: s.viewURL, Logger: c.Logger}
	if c.Truth == "" {
		c.Faults.OnFire(func(faults.Fired) {}) // a plan may have served another server
		return sessions.Observers{webhooks}, nil
	}
	var err error
	if s.witness, err = newWitness(c.Truth, c.Logger); err != nil {
		return nil, err
	}
	c.Faults.OnFire(s.witness.fired)
	return sessions.Observers{s.witness, webhooks}, nil
}

func (s *Server) closeWitness() error {
	if s.witness == nil {
		return nil
	}
	return s.witness.log.Close()
}

// staff gathers the agents: those that come with the server, programs, and
// the caller's own.
func (s *Server) staff(c Config) error {
	s.agents = map[string]agent.Agent{"reader": s.reader, "script": script.Agent{}}
	for _, name := range vendorAgents {
		s.agents[name] = s.reader
	}
	for name, program := range c.Programs {
		program.Name = name
		program.RunDir = filepath.Join(c.Dir, "programs")
		program.Logger = c.Logger
		a, err := exec.New(program)
		if err != nil {
			return fmt.Errorf("agent %s: %w", name, err)
		}
		s.agents[name] = a
	}
	maps.Copy(s.agents, c.Agents)
	return nil
}

func (s *Server) routes(c Config, store *shop.Shop) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/v1/", s.face.Guard(c.Faults.Handler(s.face, s.face.Operation)))
	mux.HandleFunc("GET /session/{id}", s.view)
	mux.HandleFunc("GET /session/{id}/screen", s.viewScreen)
	mux.HandleFunc("GET /session/{id}/events", s.viewEvents)
	mux.Handle("/shop/", store.Handler("/shop"))
	mux.Handle(shopHost+"/", store.Handler(""))
	if c.Faults != nil {
		mux.Handle("GET /faults", s.face.Guard(c.Faults))
	}
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

// Close stops the agents, ends the event streams, lets open requests finish,
// delivers the webhooks that are waiting and keeps all state: tasks that were
// running go on in the next process. It says so if an agent has not stopped
// when ctx ends.
func (s *Server) Close(ctx context.Context) error {
	err := s.engine.Close(ctx)
	err = errors.Join(err, s.webhooks.Close(ctx))
	// What is open now is quick to finish, or a connection that asked for nothing yet.
	ctx, cancel := context.WithTimeout(ctx, closeGrace)
	defer cancel()
	if s.http.Shutdown(ctx) != nil {
		err = errors.Join(err, s.http.Close())
	}
	s.reader.CloseIdleConnections()
	return errors.Join(err, s.closeWitness())
}
