package activities

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/errand-dev/errand/provider"
)

// census compares the sessions that a vendor has with the ledger and with the
// tasks that are open. Whatever cannot be had whole is an error, and what is
// not clear stays: a session is an orphan only if everything says so.
type census struct {
	a        *Activities
	in       ReapInput
	provider provider.Provider
	home     Home
	now      time.Time     // by our clock, when the list was made
	skew     time.Duration // the vendor's clock is ahead of ours by so much

	all     []LedgerEntry
	entries map[string]LedgerEntry // by session
	listed  map[string]provider.Session
	windows []LedgerEntry // creates of which no reply tells
	claimed map[string]bool

	open   map[string]string // first run of an open workflow, by id; empty: not open
	held   map[string]string // session of an open task, by workflow id
	tasks  []string          // workflow ids of the open tasks; nil: not asked for yet
	report ReapReport
}

const (
	// dateSlack is what a clock that is read from a Date header may be off.
	dateSlack = 5 * time.Second

	// createTimeout is how long a create without a reply may have been under way,
	// if nobody lived to tell.
	createTimeout = time.Minute
)

// takeCensus lists first and reads the ledger then, so that no session is
// listed whose intent is not on record yet.
func (a *Activities) takeCensus(ctx context.Context, in ReapInput) (*census, error) {
	if a.Temporal == nil {
		return nil, finalError(ErrTypeUnsupported, "this worker cannot ask Temporal which tasks are open: nothing is reaped")
	}
	p, err := a.Connections.Provider(in.Connection)
	if err != nil {
		return nil, err
	}
	if !p.Capabilities().Delete {
		return nil, finalError(ErrTypeUnsupported, fmt.Sprintf(
			"the vendor of connection %q has no call that deletes a session: what tasks leave behind remains there", in.Connection))
	}
	c := &census{
		a: a, in: in, provider: p,
		entries: map[string]LedgerEntry{}, listed: map[string]provider.Session{}, claimed: map[string]bool{},
		open: map[string]string{}, held: map[string]string{},
	}
	list, err := p.Sessions(ctx)
	if err != nil {
		return nil, err
	}
	c.now = time.Now()
	if off := list.At.Sub(c.now); !list.At.IsZero() && off.Abs() > dateSlack { // below that it is the header's whole seconds
		c.skew = off
	}
	if c.all, err = a.ledger().Entries(ctx, in.Connection); err != nil {
		return nil, ledgerError("read", err)
	}
	if c.home, err = a.Temporal.Home(ctx); err != nil {
		return nil, unsureOf("where its tasks are", err)
	}
	c.report = ReapReport{Connection: in.Connection, At: c.now.UTC(), DryRun: in.DryRun, Sessions: []ReapedSession{}}
	c.sort(list.Sessions)
	if err := c.judgeAll(ctx); err != nil {
		return nil, err
	}
	return c, nil
}

// unsureOf is the error of a census that Temporal does not answer.
func unsureOf(what string, err error) error {
	return retryableError(ErrTypeUnavailable, fmt.Sprintf("temporal does not tell %s, so nothing is reaped: %s", what, err), 0)
}

// sort brings the list and the ledger together.
func (c *census) sort(sessions []provider.Session) {
	for _, s := range sessions {
		if s.State != provider.StateGone {
			c.listed[s.ID] = s
		}
	}
	c.report.Listed = len(c.listed)
	for _, e := range c.all {
		if e.SessionID != "" {
			c.entries[e.SessionID] = e
		} else if !c.pending(e) {
			c.windows = append(c.windows, e)
		}
	}
	c.report.LostCreates = len(c.windows)
	c.claim()
}

// pending reports whether a create may still be under way.
func (c *census) pending(e LedgerEntry) bool {
	return e.SessionID == "" && e.LostAt.IsZero() && c.age(e.At) < 2*createTimeout
}

// age is how long ago something was, by our clock.
func (c *census) age(at time.Time) time.Duration { return c.now.Sub(at) }

// createdAt is when a session was made, by our clock.
func (c *census) createdAt(s provider.Session) time.Time { return s.CreatedAt.Add(-c.skew) }

// claim finds the sessions that creates without a reply have made: nobody else
// is known to have made them, and where windows and sessions belong together
// there are no more of these than of those.
func (c *census) claim() {
	unknown := make([]provider.Session, 0, len(c.listed))
	for _, s := range c.listed {
		if _, ok := c.entries[s.ID]; !ok && !s.CreatedAt.IsZero() {
			unknown = append(unknown, s)
		}
	}
	slices.SortFunc(unknown, func(x, y provider.Session) int {
		return cmp.Or(x.CreatedAt.Compare(y.CreatedAt), cmp.Compare(x.ID, y.ID))
	})
	// Windows and the sessions within them, in groups that share nothing.
	group := make([]int, len(unknown)+len(c.windows))
	for i := range group {
		group[i] = i
	}
	var root func(int) int
	root = func(i int) int {
		if group[i] != i {
			group[i] = root(group[i])
		}
		return group[i]
	}
	inside := make([]bool, len(unknown))
	for i, s := range unknown {
		for j, w := range c.windows {
			if c.within(s, w) {
				inside[i] = true
				group[root(i)] = root(len(unknown) + j)
			}
		}
	}
	balance := map[int]int{} // windows less sessions
	for i := range unknown {
		if inside[i] {
			balance[root(i)]--
		}
	}
	for j := range c.windows {
		balance[root(len(unknown)+j)]++
	}
	for i, s := range unknown {
		if inside[i] {
			c.claimed[s.ID] = balance[root(i)] >= 0
		}
	}
}

// within reports whether a create without a reply may have made the session.
func (c *census) within(s provider.Session, w LedgerEntry) bool {
	if w.Agent != "" && w.Agent != s.Agent {
		return false
	}
	end := w.LostAt
	if end.IsZero() {
		end = w.At.Add(createTimeout)
	}
	at := c.createdAt(s)
	return !at.Before(w.At.Add(-dateSlack)) && !at.After(end.Add(c.provider.Capabilities().SettleTime+dateSlack))
}

// judgeAll judges every session, the oldest first.
func (c *census) judgeAll(ctx context.Context) error {
	sessions := make([]provider.Session, 0, len(c.listed))
	for _, s := range c.listed {
		sessions = append(sessions, s)
	}
	slices.SortFunc(sessions, func(x, y provider.Session) int {
		return cmp.Or(x.CreatedAt.Compare(y.CreatedAt), cmp.Compare(x.ID, y.ID))
	})
	for _, s := range sessions {
		verdict, reason, err := c.judge(ctx, s)
		if err != nil {
			return err
		}
		if verdict == "" {
			continue
		}
		if verdict == VerdictOrphan {
			c.report.Orphans++
		}
		if len(c.report.Sessions) < MostReaped {
			c.report.Sessions = append(c.report.Sessions, ReapedSession{
				ID: s.ID, Agent: s.Agent, CreatedAt: s.CreatedAt, Workflow: c.entries[s.ID].Owner.WorkflowID, Verdict: verdict, Reason: reason,
			})
		}
	}
	return nil
}

// judge says what a session is, and nothing where it is simply somebody's.
func (c *census) judge(ctx context.Context, s provider.Session) (ReapVerdict, string, error) {
	verdict, reason, err := c.judgeOwner(ctx, s)
	if err != nil {
		return "", "", err
	}
	if verdict == VerdictOrphan && c.age(c.born(s)) < c.in.Grace {
		c.report.Young++
		return "", "", nil
	}
	return verdict, reason, nil
}

// born is when a session began to be there, as far as anyone knows.
func (c *census) born(s provider.Session) time.Time {
	if s.CreatedAt.IsZero() {
		return c.entries[s.ID].At
	}
	return c.createdAt(s)
}

func (c *census) judgeOwner(ctx context.Context, s provider.Session) (ReapVerdict, string, error) {
	if e, ok := c.entries[s.ID]; ok {
		return c.judgeKnown(ctx, e)
	}
	certain, inWindow := c.claimed[s.ID]
	switch {
	case certain:
		return VerdictOrphan, "a create whose reply was lost has made it", nil
	case c.in.Exclusive:
		return c.judgeExclusive(ctx, s)
	case inWindow:
		return VerdictDoubt, "a create whose reply was lost may have made it, or another program: there are more such sessions than lost replies", nil
	default:
		c.report.Foreign++
		return "", "", nil
	}
}

// judgeKnown judges a session that is on record.
func (c *census) judgeKnown(ctx context.Context, e LedgerEntry) (ReapVerdict, string, error) {
	if e.Owner.Home != c.home {
		return c.judgeElsewhere(ctx, e)
	}
	open, err := c.isOpen(ctx, e)
	if err != nil {
		return "", "", err
	}
	if !open {
		return VerdictOrphan, "its task is not open any more", nil
	}
	if c.alone(e) {
		c.report.Owned++
		return "", "", nil
	}
	// Two tries have brought sessions: the task knows one of them.
	held, err := c.holds(ctx, e.Owner.WorkflowID)
	switch {
	case err != nil:
		return "", "", err
	case held == "":
		return VerdictDoubt, "its task has not settled on a session yet", nil
	case held == e.SessionID:
		c.report.Owned++
		return "", "", nil
	default:
		return VerdictOrphan, "its task goes on in session " + held, nil
	}
}

// judgeElsewhere judges a session whose task is not in this namespace.
func (c *census) judgeElsewhere(ctx context.Context, e LedgerEntry) (ReapVerdict, string, error) {
	if e.Owner.Cluster != "" && e.Owner.Cluster == c.home.Cluster {
		gone, err := c.a.Temporal.Gone(ctx, e.Owner.Home)
		if err != nil {
			return "", "", unsureOf("which namespaces there are", err)
		}
		if gone {
			return VerdictOrphan, "the Temporal namespace of its task was deleted", nil
		}
	}
	return VerdictDoubt, "its task is in another Temporal namespace: reap it from there", nil
}

// judgeExclusive judges a session that is not on record, on a connection that
// nobody else uses: it is an orphan if no open task says that it is its own.
func (c *census) judgeExclusive(ctx context.Context, s provider.Session) (ReapVerdict, string, error) {
	if c.tasks == nil {
		tasks, err := c.a.Temporal.OpenTasks(ctx, c.in.Connection)
		if err != nil {
			return "", "", unsureOf("which tasks are open", err)
		}
		c.tasks = append([]string{}, tasks...) // asked for, even where there is none
	}
	for _, id := range c.tasks {
		held, err := c.holds(ctx, id)
		if err != nil {
			return "", "", err
		}
		if held == s.ID {
			c.report.Owned++
			return "", "", nil
		}
	}
	return VerdictOrphan, "it is on no record, no open task owns it, and only Errand uses the connection", nil
}

// alone reports whether no other session on record was made for the same task.
func (c *census) alone(e LedgerEntry) bool {
	return !slices.ContainsFunc(c.all, func(other LedgerEntry) bool {
		return other.SessionID != "" && other.SessionID != e.SessionID && other.Owner == e.Owner
	})
}

// isOpen reports whether the task that a session was made for is open.
func (c *census) isOpen(ctx context.Context, e LedgerEntry) (bool, error) {
	if e.Owner.Home != c.home {
		return true, nil // as far as anyone can tell from here
	}
	id := e.Owner.WorkflowID
	if _, asked := c.open[id]; !asked {
		run, err := c.a.Temporal.OpenRun(ctx, id)
		if err != nil {
			return false, unsureOf("whether a task is open", err)
		}
		c.open[id] = run
	}
	return c.open[id] != "" && c.open[id] == e.Owner.FirstRunID, nil
}

// holds is the session that an open task works with.
func (c *census) holds(ctx context.Context, workflowID string) (string, error) {
	if held, asked := c.held[workflowID]; asked {
		return held, nil
	}
	held, err := c.a.Temporal.Holds(ctx, workflowID)
	if err != nil {
		return "", unsureOf("which session a task works with", err)
	}
	c.held[workflowID] = held
	return held, nil
}
