package agen

import (
	"cmp"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"

	"github.com/errand-dev/errand/apiclient/internal/rest"
)

// DefaultBaseURL is the vendor's own host.
const DefaultBaseURL = "https://api.agenhq.com"

// Config says which API to talk to, and with which key. It prints without the
// key under every verb of package fmt, in slog and in JSON.
type Config struct {
	// BaseURL is the API's host, with or without the trailing /api/v1; empty
	// means DefaultBaseURL.
	BaseURL string
	// APIKey is sent in the x-api-key header; empty sends none.
	APIKey string `json:"-"`
	// HTTPClient is copied, without its redirect policy. Nil means a client of
	// its own.
	HTTPClient *http.Client `json:"-"`
	// UserAgent replaces Errand's own.
	UserAgent string
}

// Client calls the Agen API. It is safe for concurrent use.
type Client struct {
	rest *rest.Client
}

// New checks the configuration and returns a client. It sends nothing.
func New(cfg Config) (*Client, error) {
	base := strings.TrimRight(cmp.Or(cfg.BaseURL, DefaultBaseURL), "/")
	core, err := rest.New(rest.Config{
		BaseURL:    strings.TrimSuffix(base, "/api/v1"),
		Authorize:  withKey(cfg.APIKey),
		Secret:     cfg.APIKey,
		HTTPClient: cfg.HTTPClient,
		UserAgent:  cfg.UserAgent,
	})
	if err != nil {
		return nil, fmt.Errorf("agen: %w", err)
	}
	return &Client{rest: core}, nil
}

// CloseIdleConnections closes the connections that no call is using.
func (c *Client) CloseIdleConnections() {
	c.rest.CloseIdleConnections()
}

// withKey keeps the key in a closure, where no fmt verb finds it.
func withKey(key string) func(http.Header) {
	return func(h http.Header) {
		if key != "" {
			h.Set("X-Api-Key", key)
		}
	}
}

// String describes the configuration without the key.
func (c Config) String() string {
	key := "none"
	if c.APIKey != "" {
		key = "[redacted]"
	}
	return fmt.Sprintf("agen.Config{BaseURL: %q, APIKey: %s, UserAgent: %q}", c.BaseURL, key, c.UserAgent)
}

// Format implements [fmt.Formatter], as String alone would not cover %#v or %d.
func (c Config) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, c.String())
}

// LogValue implements [slog.LogValuer].
func (c Config) LogValue() slog.Value {
	return slog.StringValue(c.String())
}
