package wire

import (
	"context"
	"net"
	"sync"
	"time"
)

// Link is a proxy for TCP connections: a network that can fail.
type Link struct {
	Address string // host:port, to be dialled instead of the target

	target   string
	listener net.Listener
	pumps    sync.WaitGroup

	mu     sync.Mutex
	cut    bool
	closed bool
	lanes  [2]lane // by Direction
	pairs  map[*pair]struct{}
}

// Direction is a way through a link.
type Direction int

// The ways through a link, as seen by who has dialled.
const (
	Out  Direction = iota // what is sent
	Back                  // what is received
)

// lane is the state of one direction.
type lane struct {
	held  chan struct{} // closed when what is held may go on; nil: nothing is held
	delay time.Duration
}

// pair are the two ends of a connection.
type pair struct {
	near, far net.Conn
	torn      chan struct{}
	once      sync.Once
}

func (p *pair) tear() {
	p.once.Do(func() {
		close(p.torn)
		_ = p.near.Close()
		_ = p.far.Close()
	})
}

// NewLink starts a proxy in front of host:port.
func NewLink(target string) (*Link, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	k := &Link{Address: l.Addr().String(), target: target, listener: l, pairs: map[*pair]struct{}{}}
	k.pumps.Go(k.accept)
	return k, nil
}

// Close ends the proxy and its connections.
func (l *Link) Close() {
	_ = l.listener.Close()
	l.mu.Lock()
	l.closed = true
	l.tearAll()
	l.mu.Unlock()
	l.pumps.Wait()
}

// Hang holds all that flows that way, on connections that are open and on new
// ones, until the link heals: nothing is lost, and nobody is told.
func (l *Link) Hang(ways ...Direction) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, way := range ways {
		if l.lanes[way].held == nil {
			l.lanes[way].held = make(chan struct{})
		}
	}
}

// Delay makes all that flows that way take that much longer.
func (l *Link) Delay(delay time.Duration, ways ...Direction) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, way := range ways {
		l.lanes[way].delay = delay
	}
}

// Cut tears all connections, and those to come, until the link heals. What is
// under way is lost.
func (l *Link) Cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = true
	l.tearAll()
}

func (l *Link) tearAll() {
	for p := range l.pairs {
		p.tear()
	}
}

// Heal makes a whole link of it, and lets go of what was held.
func (l *Link) Heal() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = false
	for way := range l.lanes {
		if held := l.lanes[way].held; held != nil {
			close(held)
		}
		l.lanes[way] = lane{}
	}
}

func (l *Link) accept() {
	for {
		near, err := l.listener.Accept()
		if err != nil {
			return // closed
		}
		l.pumps.Go(func() { l.connect(near) })
	}
}

const dialTimeout = 5 * time.Second

func (l *Link) connect(near net.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), dialTimeout)
	defer cancel()
	var d net.Dialer
	far, err := d.DialContext(ctx, "tcp", l.target)
	if err != nil {
		_ = near.Close()
		return
	}
	p := &pair{near: near, far: far, torn: make(chan struct{})}
	defer p.tear()
	l.mu.Lock()
	if l.cut || l.closed {
		l.mu.Unlock()
		return
	}
	l.pairs[p] = struct{}{}
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.pairs, p)
	}()
	var ways sync.WaitGroup
	ways.Go(func() { l.pump(p, far, near, Out) })
	ways.Go(func() { l.pump(p, near, far, Back) })
	ways.Wait()
}

// pump carries what comes from one end to the other.
func (l *Link) pump(p *pair, to, from net.Conn, way Direction) {
	defer p.tear()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			if !l.let(p, way) {
				return
			}
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// let waits until something may flow that way. It is false when the
// connection was torn meanwhile.
func (l *Link) let(p *pair, way Direction) bool {
	for {
		l.mu.Lock()
		lane := l.lanes[way]
		l.mu.Unlock()
		if lane.held == nil {
			select {
			case <-time.After(lane.delay):
				return true
			case <-p.torn:
				return false
			}
		}
		select {
		case <-lane.held:
		case <-p.torn:
			return false
		}
	}
}
