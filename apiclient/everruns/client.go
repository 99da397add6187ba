package everruns

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"unicode"

	"github.com/errand-dev/errand/apiclient/internal/rest"
)

// DefaultBaseURL is the vendor's own host. A server of one's own usually
// listens at http://localhost:9000.
const DefaultBaseURL = "https://app.everruns.com/api"

// Config says which API to talk to, and with which key. It prints without the
// key under every verb of package fmt, in slog and in JSON.
type Config struct {
	// BaseURL is where the API is, with or without the trailing /v1; empty
	// means DefaultBaseURL.
	BaseURL string
	// APIKey is sent as it is in the Authorization header, without a scheme;
	// empty sends none.
	APIKey string `json:"-"`
	// Organization is the id of the organization to act in, org_ and 32
	// hexadecimal digits. Only a key that reaches several needs it.
	Organization string
	// HTTPClient is copied, without its redirect policy; its timeout does not
	// bound event streams. Nil means a client made for many open streams.
	HTTPClient *http.Client `json:"-"`
	// UserAgent replaces Errand's own.
	UserAgent string
}

// Client calls the Everruns API. It is safe for concurrent use.
type Client struct {
	rest *rest.Client
}

// New checks the configuration and returns a client. It sends nothing.
func New(cfg Config) (*Client, error) {
	if strings.ContainsFunc(cfg.Organization, unicode.IsControl) {
		return nil, errors.New("everruns: organization holds a line break or control character: remove it")
	}
	base := strings.TrimRight(cmp.Or(cfg.BaseURL, DefaultBaseURL), "/")
	core, err := rest.New(rest.Config{
		BaseURL:    strings.TrimSuffix(base, "/v1"),
		Authorize:  authorize(cfg.APIKey, cfg.Organization),
		Secret:     cfg.APIKey,
		HTTPClient: cfg.HTTPClient,
		UserAgent:  cfg.UserAgent,
	})
	if err != nil {
		return nil, fmt.Errorf("everruns: %w", err)
	}
	return &Client{rest: core}, nil
}

// CloseIdleConnections closes the connections that no call or stream is using.
func (c *Client) CloseIdleConnections() {
	c.rest.CloseIdleConnections()
}

// authorize keeps the key in a closure, where no fmt verb finds it.
func authorize(key, organization string) func(http.Header) {
	return func(h http.Header) {
		if key != "" {
			h.Set("Authorization", key)
		}
		if organization != "" {
			h.Set("X-Org-Id", organization)
		}
	}
}

// String describes the configuration without the key.
func (c Config) String() string {
	key := "none"
	if c.APIKey != "" {
		key = "[redacted]"
	}
	return fmt.Sprintf("everruns.Config{BaseURL: %q, APIKey: %s, Organization: %q, UserAgent: %q}",
		c.BaseURL, key, c.Organization, c.UserAgent)
}

// Format implements [fmt.Formatter], as String alone would not cover %#v or %d.
func (c Config) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, c.String())
}

// LogValue implements [slog.LogValuer].
func (c Config) LogValue() slog.Value {
	return slog.StringValue(c.String())
}
