package provider

import (
	"cmp"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"github.com/errand-dev/errand/apiclient/agi"
)

// Connection is a named, configured account at a vendor.
type Connection struct {
	Name              string
	Provider          string // one of Names
	BaseURL           string // empty: the vendor's own
	APIKey            Secret
	Organization      string  // at vendors whose keys may reach several; empty: the key's own
	Agent             string  // for tasks that name none; empty: the vendor's default
	RequestsPerSecond float64 // to the vendor, of this process; 0: unlimited
	MaxSessions       int     // at once, whoever made them; 0: unlimited

	// SettleTime replaces the vendor's Capabilities.SettleTime where it is known
	// better; 0: it is not.
	SettleTime time.Duration
}

// Secret is a string that prints as nothing worth stealing.
type Secret string

func (s Secret) String() string { return "[redacted]" }

// MarshalText implements [encoding.TextMarshaler], for JSON and slog.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Format implements [fmt.Formatter], as String alone would not cover %#v or %d.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// New returns the provider of a connection. It sends nothing.
func New(c Connection) (Provider, error) {
	a, err := adapterNamed(c.Provider)
	if err != nil {
		return nil, fmt.Errorf("connection %q: %w", c.Name, err)
	}
	p, err := a.open(c, c.httpClient())
	if err != nil {
		return nil, fmt.Errorf("connection %q: %w", c.Name, err)
	}
	return c.limited(&held{Provider: p}), nil
}

// limited is the provider with the connection's limit of sessions, if it has
// one.
func (c Connection) limited(p Provider) Provider {
	if c.MaxSessions <= 0 {
		return p
	}
	return limit(p, c.MaxSessions)
}

// httpClient is nil, for the client's own, unless requests are limited.
func (c Connection) httpClient() *http.Client {
	if c.RequestsPerSecond <= 0 {
		return nil
	}
	return &http.Client{Transport: &limitedTransport{
		limiter: rate.NewLimiter(rate.Limit(c.RequestsPerSecond), max(1, int(c.RequestsPerSecond))),
		next:    agi.NewTransport(),
	}}
}

// limitedTransport holds each request back until the limiter lets it go.
type limitedTransport struct {
	limiter *rate.Limiter
	next    http.RoundTripper
}

func (t *limitedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := t.limiter.Wait(r.Context()); err != nil {
		return nil, err
	}
	return t.next.RoundTrip(r)
}

// Set is a set of connections by name. The zero value is empty.
type Set struct {
	providers map[string]Provider
	names     []string
}

// NewSet opens connections. It sends nothing.
func NewSet(connections ...Connection) (*Set, error) {
	s := &Set{providers: map[string]Provider{}}
	for _, c := range connections {
		p, err := New(c)
		if err != nil {
			return nil, err
		}
		s.providers[c.Name] = p
		s.names = append(s.names, c.Name)
	}
	slices.Sort(s.names)
	return s, nil
}

// Provider returns the provider of the connection with that name, or an
// [*UnknownConnectionError].
func (s *Set) Provider(name string) (Provider, error) {
	if p, ok := s.providers[name]; ok {
		return p, nil
	}
	return nil, &UnknownConnectionError{Name: name, Known: s.names}
}

// UnknownConnectionError says that nothing is configured under that name.
type UnknownConnectionError struct {
	Name  string
	Known []string
}

func (e *UnknownConnectionError) Error() string {
	return fmt.Sprintf("there is no connection %q here (there is %s): add [connections.%s] to errand.toml",
		e.Name, cmp.Or(strings.Join(e.Known, ", "), "none"), e.Name)
}
