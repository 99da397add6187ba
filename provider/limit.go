package provider

import (
	"context"
	"fmt"
	"sync"
)

// limited keeps a connection's sessions at or below a number. It goes by the
// vendor's own list, so sessions of other workers and programs count too; two
// workers that create at the same moment may go over by one.
type limited struct {
	Provider
	max int

	mu       sync.Mutex
	creating int // by this process, perhaps not in the list yet
}

// Create refuses with ErrorBusy while the connection has its sessions.
func (p *limited) Create(ctx context.Context, in CreateRequest) (Session, error) {
	if err := p.reserve(ctx); err != nil {
		return Session{}, err
	}
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.creating--
	}()
	return p.Provider.Create(ctx, in)
}

func (p *limited) reserve(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	list, err := p.Sessions(ctx)
	if err != nil {
		return err
	}
	open := p.creating
	for _, s := range list.Sessions {
		if s.State != StateGone {
			open++
		}
	}
	if open >= p.max {
		return &Error{Kind: ErrorBusy, Op: "create session", Message: fmt.Sprintf("%d of %d sessions are open (max_sessions)", open, p.max)}
	}
	p.creating++
	return nil
}
