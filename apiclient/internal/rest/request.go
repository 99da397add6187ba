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
	"time"
)

// ErrInvalidRequest is wrapped by the error for a request that could not be
// built. Nothing was sent, and trying again gives the same error.
var ErrInvalidRequest = errors.New("invalid request")

// Request is one call, relative to the client's base URL.
type Request struct {
	Method string
	// Path holds the unescaped elements, such as {"v1", "sessions", id}.
	Path  []string
	Query url.Values
	// Body is encoded as JSON; nil sends no body.
	Body any
	// Text is sent as plain text where there is no Body.
	Text string
	// Date takes the server's clock, in whole seconds, from the Date header of
	// a 2xx answer; it stays as it is without one. It may be nil.
	Date *time.Time
}

// build makes the HTTP request.
func (c *Client) build(ctx context.Context, req Request, header http.Header) (*http.Request, error) {
	path, err := escapePath(req.Path)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrInvalidRequest, req.Method, err)
	}
	target := c.base + path
	if len(req.Query) > 0 {
		target += "?" + req.Query.Encode()
	}

	var body io.Reader
	contentType := "application/json"
	switch {
	case req.Body != nil:
		encoded, err := json.Marshal(req.Body)
		if err != nil {
			return nil, fmt.Errorf("%w: %s %s: %w", ErrInvalidRequest, req.Method, path, err)
		}
		body = bytes.NewReader(encoded)
	case req.Text != "":
		body, contentType = strings.NewReader(req.Text), "text/plain; charset=utf-8"
	}
	httpReq, err := http.NewRequestWithContext(ctx, req.Method, target, body)
	if err != nil {
		return nil, fmt.Errorf("%w: %s %s: %w", ErrInvalidRequest, req.Method, path, err)
	}
	httpReq.Header = header.Clone()
	c.authorize(httpReq.Header)
	httpReq.Header.Set("User-Agent", c.userAgent)
	if body != nil {
		httpReq.Header.Set("Content-Type", contentType)
	}
	return httpReq, nil
}

// escapePath refuses the elements that would change which resource is meant:
// with an empty id, "delete this session" would read "delete all sessions".
func escapePath(elements []string) (string, error) {
	var path strings.Builder
	for _, element := range elements {
		if element == "" || element == "." || element == ".." {
			return "", fmt.Errorf("path element %q is not an id: name a resource", element)
		}
		path.WriteByte('/')
		path.WriteString(url.PathEscape(element))
	}
	return path.String(), nil
}
