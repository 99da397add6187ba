package rest

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"
)

// NewTransport returns a transport for thousands of slow streams beside short
// calls: small buffers per connection, and idle connections kept for reuse.
func NewTransport() *http.Transport {
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         dialer.DialContext,
		ForceAttemptHTTP2:   true,
		TLSHandshakeTimeout: 10 * time.Second,
		MaxIdleConns:        128,
		MaxIdleConnsPerHost: 128, // a client talks to one host
		IdleConnTimeout:     90 * time.Second,
		ReadBufferSize:      2 << 10,
		WriteBufferSize:     2 << 10,
	}
}

const maxRedirects = 3

// checkRedirect follows a redirect only when it stays on the same origin and
// keeps the method. Any other 3xx becomes an [*Error]: another host must not
// see the key, and a POST must not turn into a GET.
func checkRedirect(req *http.Request, via []*http.Request) error {
	first := via[0]
	if len(via) > maxRedirects || req.Method != first.Method ||
		req.URL.Scheme != first.URL.Scheme || req.URL.Host != first.URL.Host {
		return http.ErrUseLastResponse
	}
	return nil
}

// connTrace watches how far a request gets. Its hooks may still run on a
// dialling goroutine after the call has returned.
type connTrace struct {
	asked atomic.Bool // the transport reports to us at all
	got   atomic.Bool // a connection was ready to be written to
}

func (t *connTrace) context(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { t.asked.Store(true) },
		GotConn: func(httptrace.GotConnInfo) { t.got.Store(true) },
	})
}

// maySent reports whether the server may have received the request that ended
// in err. When in doubt it says yes. A failed dial is no even after an earlier
// connection: the transport dials again only for what it may safely repeat.
func (t *connTrace) maySent(err error) bool {
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		return false
	}
	return t.got.Load() || !t.asked.Load()
}
