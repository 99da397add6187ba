package sessionserver

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
)

// shopHost is the host name of the demo shop. Every address below .localhost
// is this machine (RFC 6761); here it is this very server.
const shopHost = "shop.localhost"

// loopback lets the reader agent call this very server as http://shop.localhost/,
// with no port and no name service.
type loopback struct {
	known atomic.Bool
	once  sync.Once
	ready chan struct{} // closed when addr is set
	addr  net.Addr
}

func newLoopback() *loopback { return &loopback{ready: make(chan struct{})} }

// set notes the address where the server can be called; the first one stays.
func (l *loopback) set(addr net.Addr) {
	l.once.Do(func() {
		l.addr = addr
		l.known.Store(true)
		close(l.ready)
	})
}

// reachedAt notes the address that a request has come to, for a server whose
// listener is not its own.
func (l *loopback) reachedAt(r *http.Request) {
	if l.known.Load() {
		return
	}
	if addr, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
		l.set(addr)
	}
}

// dial connects to addr, which is this server if it is the shop's. A task that
// is started again before the server listens waits for it.
func (l *loopback) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	var d net.Dialer
	if addr != net.JoinHostPort(shopHost, "80") {
		return d.DialContext(ctx, network, addr)
	}
	select {
	case <-l.ready:
		return d.DialContext(ctx, l.addr.Network(), l.addr.String())
	case <-ctx.Done():
		return nil, fmt.Errorf("the demo shop is not served yet: %w", ctx.Err())
	}
}
