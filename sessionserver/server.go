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
	"github.com/errand-dev/errand/sessionserver/internal/agen"
	"github.com/errand-dev/errand/sessionserver/internal/agi"
	"github.com/errand-dev/errand/sessionserver/internal/auth"
	"github.com/errand-dev/errand/sessionserver/internal/everruns"
	"github.com/errand-dev/errand/sessionserver/internal/face"
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
	page     *agi.Face // whose stream the pages of all sessions follow
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
	if err := c.fill(); err != nil {
		return nil, err
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
	observers, err := s.observers(c)
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
	c.Faults.OnVanish(s.engine.Vanish)
	s.http = &http.Server{
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          slog.NewLogLogger(c.Logger.Handler(), slog.LevelWarn),
	}
	if s.handler, err = s.routes(c, store); err != nil {
		return nil, errors.Join(err, s.Close(context.Background()))
	}
	s.http.Handler = s.handler
	return s, nil
}

// observers are told what happens: the witness first, so that what others make
// of it comes later in its log.
func (s *Server) observers(c Config) (sessions.Observers, error) {
	webhooks := &agi.Webhooks{Options: c.AGI, Sender: s.webhooks, ViewURL: s.viewURL, Logger: c.Logger}
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

// mount is where the server has the API of a vendor.
type mount struct {
	prefix string // of all paths; the API does not see it
	root   string // of the API's own paths
	open   func(face.Config) (face.API, error)
}

// mounts are the APIs that are served. Each has the engine, keys, limits,
// faults and pages in common with the others, and knows its own sessions alone.
func (s *Server) mounts(c Config) []mount {
	return []mount{
		{"", "/v1/", func(f face.Config) (face.API, error) {
			s.page = agi.New(f, c.AGI)
			return s.page, nil
		}},
		{"/everruns", "/", func(f face.Config) (face.API, error) {
			return everruns.New(f, c.Everruns, filepath.Join(c.Dir, "everruns"))
		}},
		{"/agen", "/api/v1/", func(f face.Config) (face.API, error) {
			return agen.New(f, c.Agen), nil
		}},
	}
}

func (s *Server) routes(c Config, store *shop.Shop) (http.Handler, error) {
	mux := http.NewServeMux()
	shared := face.Config{
		Engine:  s.engine,
		Keys:    s.keys,
		Limits:  auth.NewLimits(c.RequestsPerSecond, c.Burst),
		ViewURL: s.viewURL,
		Logger:  c.Logger,
	}
	for _, m := range s.mounts(c) {
		shared.Prefix = m.prefix
		api, err := m.open(shared)
		if err != nil {
			return nil, err
		}
		mux.Handle(m.prefix+m.root, http.StripPrefix(m.prefix, api.Guard(c.Faults.Handler(api, api))))
	}
	mux.HandleFunc("GET /session/{id}", s.view)
	mux.HandleFunc("GET /session/{id}/screen", s.viewScreen)
	mux.HandleFunc("GET /session/{id}/events", s.viewEvents)
	mux.Handle("/shop/", store.Handler("/shop"))
	mux.Handle(shopHost+"/", store.Handler(""))
	if c.Faults != nil {
		mux.Handle("GET /faults", s.page.Guard(c.Faults))
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
	}), nil
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
