package activities

import (
	"context"
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/errand-dev/errand/provider"
)

// ReapInput says where to look for sessions that no open task owns.
type ReapInput struct {
	Connection string        `json:"connection"`
	Grace      time.Duration `json:"grace"`             // how old a session must be
	Exclusive  bool          `json:"exclusive"`         // only Errand uses the connection's key
	DryRun     bool          `json:"dry_run,omitempty"` // nothing is deleted
}

// DeleteOrphansInput names the sessions that were found before.
type DeleteOrphansInput struct {
	ReapInput
	SessionIDs []string `json:"session_ids"`
}

// ReapReport is what a look at a connection's sessions has come to. Its JSON is
// a contract.
type ReapReport struct {
	Connection string    `json:"connection"`
	At         time.Time `json:"at"`
	DryRun     bool      `json:"dry_run"`

	Listed  int `json:"listed"`  // by the vendor, without those that have ended
	Owned   int `json:"owned"`   // by open tasks
	Young   int `json:"young"`   // nobody's so far, and within the grace period
	Foreign int `json:"foreign"` // of other programs, as far as the ledger knows

	LostCreates int `json:"lost_creates"` // creates without a reply, of which it is not known what they made

	Sessions []ReapedSession `json:"sessions"` // those that are nobody's, or in doubt; the first MostReaped
	Orphans  int             `json:"orphans"`  // how many are nobody's
	Deleted  int             `json:"deleted"`
}

// MostReaped bounds the sessions that one look handles.
const MostReaped = 500

// ReapedSession is a session that was looked at closely.
type ReapedSession struct {
	ID        string      `json:"id"`
	Agent     string      `json:"agent"`
	CreatedAt time.Time   `json:"created_at"`
	Workflow  string      `json:"workflow_id,omitempty"` // that it was made for
	Verdict   ReapVerdict `json:"verdict"`
	Reason    string      `json:"reason"`
}

// ReapVerdict is what becomes of a session that was looked at closely.
type ReapVerdict string

// The verdicts.
const (
	VerdictOrphan  ReapVerdict = "orphan"  // it is Errand's, and no open task owns it
	VerdictDeleted ReapVerdict = "deleted" // it was an orphan
	VerdictFailed  ReapVerdict = "failed"  // it is an orphan, and the vendor did not delete it
	VerdictDoubt   ReapVerdict = "doubt"   // nobody knows, so it stays
)

// FindOrphans looks for sessions that are Errand's and that no open task owns.
// It only reads.
func (a *Activities) FindOrphans(ctx context.Context, in ReapInput) (ReapReport, error) {
	c, err := a.takeCensus(ctx, in)
	if err != nil {
		return ReapReport{}, convertError(in.Connection, err)
	}
	activity.GetMetricsHandler(ctx).WithTags(map[string]string{"connection": in.Connection}).
		Gauge("errand_reaper_orphans").Update(float64(c.report.Orphans))
	return c.report, nil
}

// DeleteOrphans looks again and deletes those sessions that were orphans before
// and still are, with the snapshot that their task wanted. It strikes from the
// ledger what is settled. Run twice, it finds less to do.
func (a *Activities) DeleteOrphans(ctx context.Context, in DeleteOrphansInput) (ReapReport, error) {
	c, err := a.takeCensus(ctx, in.ReapInput)
	if err != nil {
		return ReapReport{}, convertError(in.Connection, err)
	}
	deleted := activity.GetMetricsHandler(ctx).WithTags(map[string]string{"connection": in.Connection}).
		Counter("errand_reaper_deleted_sessions")
	for i := range c.report.Sessions {
		s := &c.report.Sessions[i]
		if s.Verdict != VerdictOrphan || !slices.Contains(in.SessionIDs, s.ID) {
			continue
		}
		if err := c.delete(ctx, s.ID); err != nil {
			s.Verdict, s.Reason = VerdictFailed, bound(fmt.Sprintf("%s; not deleted: %s", s.Reason, err))
			continue
		}
		s.Verdict = VerdictDeleted
		c.report.Deleted++
		deleted.Inc(1)
		activity.RecordHeartbeat(ctx)
	}
	c.settle(ctx)
	return c.report, nil
}

// delete deletes one orphan. A snapshot that fails does not keep it alive.
func (c *census) delete(ctx context.Context, sessionID string) error {
	e := c.entries[sessionID]
	keep := provider.DeleteRequest{Snapshot: e.Snapshot}
	_, err := c.provider.Delete(ctx, sessionID, keep)
	if err != nil && keep.Snapshot != "" && keep.Snapshot != provider.SnapshotNone {
		_, err = c.provider.Delete(ctx, sessionID, provider.DeleteRequest{})
	}
	if err != nil {
		return err
	}
	if e.Try != "" {
		c.a.forget(ctx, e)
	}
	delete(c.listed, sessionID)
	return nil
}

// settle strikes from the ledger what nobody has to know any more: sessions
// that the vendor has not and creates without a reply that have made none.
func (c *census) settle(ctx context.Context) {
	for _, e := range c.all {
		if c.age(e.At) >= c.in.Grace && !c.pending(e) && c.settled(ctx, e) {
			c.a.forget(ctx, e)
		}
	}
}

// settled reports whether what an entry tells of is over.
func (c *census) settled(ctx context.Context, e LedgerEntry) bool {
	if e.SessionID == "" {
		for _, s := range c.listed {
			if _, known := c.entries[s.ID]; !known && c.within(s, e) {
				return false
			}
		}
		return true
	}
	if _, listed := c.listed[e.SessionID]; listed {
		return false
	}
	open, err := c.isOpen(ctx, e)
	return err == nil && !open
}
