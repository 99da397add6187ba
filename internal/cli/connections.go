package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/errand-dev/errand/internal/config"
	"github.com/errand-dev/errand/internal/engine"
	"github.com/errand-dev/errand/provider"
	"github.com/errand-dev/errand/sessionserver"
)

// localSettleTime is the provider.Connection.SettleTime of the local session
// server.
const localSettleTime = 2 * time.Second

// connections opens the configured connections when they are first used, and
// with the connection to it the local session server.
type connections struct {
	config *config.Config
	logger *slog.Logger

	mu       sync.Mutex
	opened   map[string]provider.Provider
	local    *engine.Engine // nil until it is needed
	localURL string         // that opened[config.Local] was made for
}

func newConnections(c *config.Config, logger *slog.Logger) *connections {
	return &connections{config: c, logger: logger, opened: map[string]provider.Provider{}}
}

// Provider returns the provider of the connection with that name. A connection
// that is unknown, or without its key, is so for good: nothing is retried.
func (c *connections) Provider(name string) (provider.Provider, error) {
	chosen, err := c.config.Choose(name)
	if _, ok := errors.AsType[*provider.UnknownConnectionError](err); ok {
		return nil, err
	}
	if err != nil {
		return nil, &provider.Error{Kind: provider.ErrorUnauthorized, Op: "read the key", Message: err.Error(), Err: err}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if chosen.Embedded {
		return c.embedded(chosen)
	}
	if p, ok := c.opened[name]; ok {
		return p, nil
	}
	settings, err := chosen.Open()
	if err != nil {
		return nil, err
	}
	return c.open(settings)
}

// embedded returns the provider of the local session server, wherever that
// is now.
func (c *connections) embedded(chosen config.Connection) (provider.Provider, error) {
	if c.local == nil {
		var err error
		if c.local, err = engine.Open(context.Background(), engine.Options{
			Dir:      c.config.DataDir,
			Sessions: c.newSessionServer,
			Logger:   c.logger,
		}); err != nil {
			return nil, err
		}
	}
	server := c.local.Sessions()
	if p, ok := c.opened[chosen.Name]; ok && c.localURL == server.BaseURL {
		return p, nil
	}
	c.localURL = server.BaseURL
	return c.open(provider.Connection{
		Name:     chosen.Name,
		Provider: chosen.Provider,
		BaseURL:  server.BaseURL,
		APIKey:   provider.Secret(server.Key),
		// It is on this machine: what it was asked it does at once or never.
		SettleTime: localSettleTime,
	})
}

func (c *connections) newSessionServer(dir, key string) (engine.SessionServer, error) {
	settings, err := sessionServerConfig(c.config, dir, []sessionserver.Key{{Value: key, User: "errand"}}, c.logger)
	if err != nil {
		return nil, usage(err)
	}
	return sessionserver.New(settings)
}

// sessionServerConfig is how errand.toml wants the local session server to be.
func sessionServerConfig(c *config.Config, dir string, keys []sessionserver.Key, logger *slog.Logger) (sessionserver.Config, error) {
	settings := c.SessionServer
	secret, err := c.WebhookSecret.Read()
	if err != nil {
		return settings, fmt.Errorf("session_server.webhook_secret: %w", err)
	}
	settings.WebhookSecret = string(secret)
	settings.Dir, settings.Keys, settings.Logger = dir, keys, logger
	return settings, nil
}

func (c *connections) open(settings provider.Connection) (provider.Provider, error) {
	p, err := provider.New(settings)
	if err != nil {
		return nil, err
	}
	c.opened[settings.Name] = p
	return p, nil
}

// sessions says where the local session server is, zero when it is not open.
func (c *connections) sessions() engine.Sessions {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.local == nil {
		return engine.Sessions{}
	}
	return c.local.Sessions()
}

// Close stops the local session server if it is ours.
func (c *connections) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.local == nil {
		return nil
	}
	return c.local.Close()
}
