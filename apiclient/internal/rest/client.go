package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"unicode"
)

// UserAgent is sent when the configuration names none.
const UserAgent = "errand/0.1"

const (
	// maxBody bounds a successful body: a screenshot or a long transcript fits.
	maxBody = 32 << 20
	// maxDiscard bounds what is read only so that the connection can be reused.
	maxDiscard = 64 << 10
)

// Config says where a client sends its requests, and as whom.
type Config struct {
	// BaseURL is an absolute http or https URL without user, query or fragment.
	BaseURL string
	// Authorize sets the vendor's authentication headers; nil sets none.
	Authorize func(http.Header)
	// Secret is cut out of whatever a server says, so that an answer which
	// echoes the key does not carry it into logs and histories.
	Secret string
	// HTTPClient is copied; nil means a client of its own on [NewTransport].
	HTTPClient *http.Client
	// UserAgent replaces the default [UserAgent].
	UserAgent string
}

// Client sends requests to one API. It is safe for concurrent use.
type Client struct {
	base      string
	userAgent string
	authorize func(http.Header)
	redact    func([]byte) []byte
	calls     *http.Client
	streams   *http.Client
}

// New checks the configuration and returns a client. It sends nothing.
func New(cfg Config) (*Client, error) {
	base, err := parseBase(cfg.BaseURL)
	if err != nil {
		return nil, err
	}
	if strings.ContainsFunc(cfg.Secret, unicode.IsControl) {
		return nil, errors.New("API key holds a line break or control character: remove it")
	}
	c := &Client{
		base:      base,
		userAgent: cfg.UserAgent,
		authorize: cfg.Authorize,
		redact:    redactor(cfg.Secret),
	}
	if c.userAgent == "" {
		c.userAgent = UserAgent
	}
	if c.authorize == nil {
		c.authorize = func(http.Header) {}
	}

	var calls http.Client
	if cfg.HTTPClient != nil {
		calls = *cfg.HTTPClient
	} else {
		calls.Transport = NewTransport()
	}
	calls.CheckRedirect = checkRedirect
	streams := calls
	streams.Timeout = 0 // it would cut a stream, however lively
	c.calls, c.streams = &calls, &streams
	return c, nil
}

// CloseIdleConnections closes the connections that no call or stream is using.
func (c *Client) CloseIdleConnections() {
	c.calls.CloseIdleConnections()
}

// Do sends one request and decodes a 2xx body, of up to 32 MiB, into out.
// A nil out ignores the body; 204 leaves out as it is. The context alone
// bounds the time that the call may take.
func (c *Client) Do(ctx context.Context, req Request, out any) error {
	resp, err := c.send(ctx, c.calls, req, callHeader)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if req.Date != nil {
		if at, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
			*req.Date = at
		}
	}
	if out == nil || resp.StatusCode == http.StatusNoContent {
		_, _ = io.CopyN(io.Discard, resp.Body, maxDiscard)
		return nil
	}
	if err := decode(resp.Body, out); err != nil {
		return newBodyError(resp, withContext(ctx, err))
	}
	return nil
}

var callHeader = http.Header{"Accept": {"application/json"}}

// decode reads the whole body first: an object is only believed when the
// server has finished it.
func decode(body io.Reader, out any) error {
	raw, err := io.ReadAll(io.LimitReader(body, maxBody+1))
	switch {
	case err != nil:
		return err
	case len(raw) > maxBody:
		return fmt.Errorf("body is larger than %d bytes", maxBody)
	case len(bytes.TrimSpace(raw)) == 0:
		return io.ErrUnexpectedEOF
	}
	return json.Unmarshal(raw, out)
}

// send returns a response with a 2xx status, whose body the caller closes.
func (c *Client) send(ctx context.Context, hc *http.Client, req Request, header http.Header) (*http.Response, error) {
	var trace connTrace
	httpReq, err := c.build(trace.context(ctx), req, header)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, newTransportError(httpReq, false, err)
	}

	resp, err := hc.Do(httpReq)
	if err != nil {
		// The URL error would repeat the query; method and path are named here.
		if wrapped, ok := errors.AsType[*url.Error](err); ok {
			err = wrapped.Err
		}
		return nil, newTransportError(httpReq, trace.maySent(err), withContext(ctx, err))
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		defer resp.Body.Close()
		return nil, newError(resp, c.redact)
	}
	return resp, nil
}

// withContext lets a caller find the context's error even where net/http tells
// the cause of the cancellation instead.
func withContext(ctx context.Context, err error) error {
	if ended := ctx.Err(); ended != nil && !errors.Is(err, ended) {
		return fmt.Errorf("%w: %w", ended, err)
	}
	return err
}

// minSecret spares messages from a key so short that it is a plain word.
const minSecret = 8

// redactor keeps the secret in a closure, out of reach of %+v.
func redactor(secret string) func([]byte) []byte {
	if len(secret) < minSecret {
		return func(b []byte) []byte { return b }
	}
	return func(b []byte) []byte {
		return bytes.ReplaceAll(b, []byte(secret), []byte("[redacted]"))
	}
}

// parseBase returns the base URL without trailing slashes. Its errors do not
// repeat the URL, which may hold a password.
func parseBase(raw string) (string, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https"):
		return "", errors.New("base URL: use an absolute http:// or https:// URL")
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return "", errors.New("base URL: leave out user, query and fragment")
	}
	return strings.TrimRight(u.String(), "/"), nil
}
