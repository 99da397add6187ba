package activities

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"go.temporal.io/sdk/activity"

	"github.com/errand-dev/errand/provider"
)

// CreateSessionInput says which session to make.
type CreateSessionInput struct {
	TaskID             string `json:"task_id"`
	Connection         string `json:"connection"`
	Agent              string `json:"agent,omitempty"`
	RestoreSession     string `json:"restore_session,omitempty"`
	RestoreDefaultUser string `json:"restore_default_user,omitempty"`

	FirstRunID string                `json:"first_run_id,omitempty"` // of the workflow
	Number     int                   `json:"number,omitempty"`       // of the session within the task, from 0
	Snapshot   provider.SnapshotMode `json:"snapshot,omitempty"`     // what the task wants to keep of it in the end
	Before     Fate                  `json:"before,omitempty"`       // of the try that the workflow has seen fail

	Options provider.SessionOptions `json:"options,omitzero"`
}

// Session is the session that was made.
type Session struct {
	ID      string `json:"id"`
	ViewURL string `json:"view_url,omitempty"`
	Ref     string `json:"ref,omitempty"`  // by which the ledger knows it
	Lost    int    `json:"lost,omitempty"` // former tries whose reply never came, which may have made one more each

	EnvironmentID string `json:"environment_id,omitempty"` // see [provider.Session]
}

// CreateSession makes a session. The intent stands in the ledger before the
// create is sent, so a later run takes up the session of a former one whose
// reply came, or which the vendor shows under our reference. A session whose
// reply was lost at a vendor without references is left to the reaper: no work
// starts in it.
func (a *Activities) CreateSession(ctx context.Context, in CreateSessionInput) (Session, error) {
	p, err := a.Connections.Provider(in.Connection)
	if err != nil {
		return Session{}, convertError(in.Connection, err)
	}
	if err := provider.Refuse(p, in.Connection, in.wishes()); err != nil {
		return Session{}, finalError(ErrTypeInvalidRequest, err.Error())
	}
	c := creation{a: a, in: in, provider: p, ref: sessionRef(ctx, in)}
	made, err := c.earlier(ctx)
	if err != nil || made.ID != "" {
		return made, err
	}
	return c.create(ctx)
}

func (in CreateSessionInput) wishes() provider.Wishes {
	return provider.Wishes{
		Options:  in.Options,
		Snapshot: in.Snapshot,
		Restore:  in.RestoreSession != "" || in.RestoreDefaultUser != "",
	}
}

// sessionRef names the session that is wanted, the same for every try.
func sessionRef(ctx context.Context, in CreateSessionInput) string {
	info := activity.GetInfo(ctx)
	sum := sha256.Sum256([]byte(strings.Join([]string{
		info.Namespace, info.WorkflowExecution.ID, in.FirstRunID, fmt.Sprint(in.Number),
	}, "\x00")))
	return "errand-" + hex.EncodeToString(sum[:16])
}

// creation is one run of CreateSession.
type creation struct {
	a        *Activities
	in       CreateSessionInput
	provider provider.Provider
	ref      string
	lost     int
}

// earlier looks what former tries have come to, and returns the session that
// one of them made, if that is known.
func (c *creation) earlier(ctx context.Context) (Session, error) {
	tries, err := c.a.ledger().Tries(ctx, c.in.Connection, c.ref)
	if err != nil {
		return Session{}, ledgerError("read", err)
	}
	for _, e := range tries {
		if e.SessionID != "" {
			return c.made(provider.Session{ID: e.SessionID, ViewURL: e.ViewURL, EnvironmentID: e.EnvironmentID}), nil
		}
	}
	for _, e := range tries {
		c.lost++
		if !e.LostAt.IsZero() {
			continue
		}
		e.LostAt = time.Now().UTC() // its worker died with it
		if err := c.a.ledger().Put(ctx, e); err != nil {
			return Session{}, ledgerError("written", err)
		}
	}
	if !c.provider.Capabilities().ClientRef || (len(tries) == 0 && past(ctx, c.in.Before) == FateNone) {
		return Session{}, nil
	}
	list, err := c.provider.Sessions(ctx)
	if err != nil {
		return Session{}, convertError(c.in.Connection, err)
	}
	for _, s := range list.Sessions {
		if s.ClientRef == c.ref && s.State != provider.StateGone {
			c.lost = max(0, c.lost-1) // this is what became of it
			e, err := c.entry(ctx)
			if err == nil {
				err = c.record(ctx, e, s)
			}
			if err != nil {
				return Session{}, ledgerError("written", err)
			}
			return c.made(s), nil
		}
	}
	return Session{}, nil
}

// create sends the create, with the intent on record, once the connection has
// room for the session.
func (c *creation) create(ctx context.Context) (Session, error) {
	if queue, ok := c.provider.(provider.Queue); ok {
		before := past(ctx, c.in.Before)
		if err := queue.Enter(ctx, c.ref, roomPatience(ctx)); err != nil {
			note(ctx, before) // this try has made nothing
			return Session{}, convertError(c.in.Connection, err)
		}
		defer queue.Leave(c.ref)
	}
	e, err := c.entry(ctx)
	if err == nil {
		err = c.a.ledger().Put(ctx, e)
	}
	if err != nil {
		return Session{}, ledgerError("written", err)
	}
	s, err := c.provider.Create(ctx, provider.CreateRequest{
		Agent:              c.in.Agent,
		RestoreSession:     c.in.RestoreSession,
		RestoreDefaultUser: c.in.RestoreDefaultUser,
		ClientRef:          c.ref,
		Options:            c.in.Options,
	})
	fate := fateOf(err)
	note(ctx, fate)
	switch {
	case err == nil:
		if err := c.record(ctx, e, s); err != nil {
			// The workflow knows the session all the same.
			activity.GetLogger(ctx).Warn("session not noted in the ledger", "session", s.ID, "error", err)
		}
		return c.made(s), nil
	case fate == FatePending:
		e.LostAt = time.Now().UTC()
		if err := c.a.ledger().Put(context.WithoutCancel(ctx), e); err != nil {
			activity.GetLogger(ctx).Warn("lost create not noted in the ledger", "error", err)
		}
	default: // the vendor says that there is none
		c.a.forget(ctx, e)
	}
	return Session{}, withFate(convertError(c.in.Connection, err), fate)
}

// roomPatience is how long a try may wait for room. A first try inside the
// workflow task does not wait at all; any other leaves the vendor the time that
// it may take to bring up a session.
func roomPatience(ctx context.Context) time.Duration {
	info := activity.GetInfo(ctx)
	if info.IsLocalActivity {
		return 0
	}
	return max(0, time.Until(info.Deadline)-bootTime)
}

// bootTime is what a vendor gets to bring up a session.
const bootTime = 35 * time.Second

func (c *creation) entry(ctx context.Context) (LedgerEntry, error) {
	info := activity.GetInfo(ctx)
	owner := Owner{WorkflowID: info.WorkflowExecution.ID, FirstRunID: c.in.FirstRunID}
	if c.a.Temporal != nil {
		var err error
		if owner.Home, err = c.a.Temporal.Home(ctx); err != nil {
			return LedgerEntry{}, err
		}
	}
	return LedgerEntry{
		Connection: c.in.Connection,
		Ref:        c.ref,
		Try:        uuid.NewString(),
		Agent:      c.in.Agent,
		Snapshot:   c.in.Snapshot,
		Owner:      owner,
		At:         time.Now().UTC(),
	}, nil
}

// record notes what a try has made.
func (c *creation) record(ctx context.Context, e LedgerEntry, s provider.Session) error {
	e.SessionID, e.ViewURL, e.Agent = s.ID, s.ViewURL, cmp.Or(s.Agent, e.Agent)
	e.EnvironmentID = s.EnvironmentID
	return c.a.ledger().Put(context.WithoutCancel(ctx), e)
}

func (c *creation) made(s provider.Session) Session {
	return Session{ID: s.ID, ViewURL: s.ViewURL, Ref: c.ref, Lost: c.lost, EnvironmentID: s.EnvironmentID}
}

// ledgerError holds a create back: one that nobody would know of is not sent.
func ledgerError(done string, err error) error {
	return retryableError(ErrTypeUnavailable, fmt.Sprintf("the ledger of sessions cannot be %s: %s", done, err), 0)
}

// forget removes an entry whose session is not there. What remains of it is
// the reaper's to find out.
func (a *Activities) forget(ctx context.Context, e LedgerEntry) {
	if err := a.ledger().Forget(context.WithoutCancel(ctx), e); err != nil {
		activity.GetLogger(ctx).Warn("session not struck from the ledger", "session", e.SessionID, "error", err)
	}
}
