package provider

import (
	"context"
	"fmt"
	"sync"

	"github.com/errand-dev/errand/apiclient/everruns"
)

const (
	everrunsPage    = 100 // the API's largest
	everrunsOverlap = 10  // that two pages share
	everrunsTries   = 3   // to list sessions that come and go meanwhile
)

// Sessions reads page by page. Sessions that come meanwhile push the others on,
// so some are told twice; sessions that go pull them back, and one could be
// missed. So each page begins among those of the page before, and where it does
// not the list is read again.
func (p *everrunsProvider) Sessions(ctx context.Context) (Listing, error) {
	const op = "list sessions"
	for range everrunsTries {
		list, whole, err := p.listOnce(ctx)
		if err != nil {
			return Listing{}, everrunsError(op, err)
		}
		if whole {
			return list, nil
		}
	}
	return Listing{}, &Error{Kind: ErrorUnavailable, Op: op, Message: fmt.Sprintf(
		"the list of sessions did not stay whole while it was read, %d times in a row: try again later", everrunsTries)}
}

// listOnce reports whether what it read is the whole list.
func (p *everrunsProvider) listOnce(ctx context.Context) (list Listing, whole bool, err error) {
	known := map[string]bool{}
	least := -1 // the smallest total that a page told
	for offset := 0; ; {
		page, err := p.client.ListSessions(ctx, everruns.ListSessionsOptions{Offset: offset, Limit: everrunsPage})
		switch {
		case err != nil:
			return Listing{}, false, err
		case page.Offset != offset: // an API that does not page as asked
			return Listing{}, false, nil
		case offset > 0 && (len(page.Data) == 0 || !known[page.Data[0].ID]):
			return Listing{}, false, nil
		case page.Total < offset+len(page.Data): // there would be no end
			return Listing{}, false, nil
		}
		if offset == 0 {
			list.At = page.Date
		}
		for _, s := range page.Data {
			if !known[s.ID] {
				known[s.ID] = true
				list.Sessions = append(list.Sessions, everrunsSession(s))
			}
		}
		if least < 0 || page.Total < least {
			least = page.Total
		}
		if offset+len(page.Data) == page.Total {
			return list, len(known) >= least, nil
		}
		step := len(page.Data) - min(everrunsOverlap, len(page.Data)/2)
		if step == 0 { // nothing, although there should be more
			return Listing{}, false, nil
		}
		offset += step
	}
}

// everrunsHeard remembers the last event of sessions, for streams to begin at.
// It saves work and nothing depends on it.
type everrunsHeard struct {
	mu     sync.Mutex
	events map[string]string
}

const everrunsMostHeard = 4096

func (h *everrunsHeard) last(sessionID string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.events[sessionID]
}

func (h *everrunsHeard) note(sessionID, eventID string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if eventID == "" {
		return
	}
	if h.events == nil || len(h.events) >= everrunsMostHeard {
		h.events = map[string]string{}
	}
	h.events[sessionID] = eventID
}

func (h *everrunsHeard) forget(sessionID string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.events, sessionID)
}
