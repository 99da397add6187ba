package activities

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/errand-dev/errand/provider"
)

// memory is a ledger for one test.
type memory struct {
	mu      sync.Mutex
	entries []LedgerEntry
	err     error
}

func (m *memory) Put(ctx context.Context, e LedgerEntry) error {
	if err := m.Forget(ctx, e); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.entries = append(m.entries, e)
	return nil
}

func (m *memory) Forget(_ context.Context, e LedgerEntry) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.entries = slices.DeleteFunc(m.entries, func(other LedgerEntry) bool { return other.Try == e.Try })
	return m.err
}

func (m *memory) Tries(_ context.Context, connection, ref string) ([]LedgerEntry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(m.entries), func(e LedgerEntry) bool { return e.Connection != connection || e.Ref != ref }), m.err
}

func (m *memory) Entries(_ context.Context, connection string) ([]LedgerEntry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(m.entries), func(e LedgerEntry) bool { return e.Connection != connection }), m.err
}

// tries are the tries that the ledger still knows, sorted.
func (m *memory) tries() []string {
	names := []string{}
	for _, e := range m.entries {
		names = append(names, e.Try)
	}
	slices.Sort(names)
	return names
}

// temporalSays is a Temporal with the open tasks of a test.
type temporalSays struct {
	tasks map[string]string // session that an open task holds, by workflow id; its first run is run-ID
	gone  []string          // namespaces
	err   error
	mute  bool // tasks do not answer

	listed *int // how often it was asked for the open tasks; may be nil
}

var here = Home{Cluster: "cluster", Namespace: "here"}

func (s temporalSays) Home(context.Context) (Home, error) { return here, s.err }
func (s temporalSays) Gone(_ context.Context, h Home) (bool, error) {
	return slices.Contains(s.gone, h.Namespace), s.err
}

func (s temporalSays) OpenRun(_ context.Context, id string) (string, error) {
	if _, ok := s.tasks[id]; ok {
		return "run-" + id, s.err
	}
	return "", s.err
}

func (s temporalSays) OpenTasks(context.Context, string) ([]string, error) {
	if s.listed != nil {
		*s.listed++
	}
	var ids []string
	for id := range s.tasks {
		ids = append(ids, id)
	}
	return ids, s.err
}

func (s temporalSays) Holds(_ context.Context, id string) (string, error) {
	if s.mute {
		return "", errors.New("no worker")
	}
	return s.tasks[id], s.err
}

// account is a vendor's list of sessions.
type account struct {
	provider.Provider
	sessions []provider.Session
	err      error
	refuses  provider.SnapshotMode // deletes with it fail
	skew     time.Duration         // of the vendor's clock
	deleted  []string
}

func (a *account) Capabilities() provider.Capabilities {
	return provider.Capabilities{Delete: true, SettleTime: 30 * time.Second}
}

func (a *account) Sessions(context.Context) (provider.Listing, error) {
	list := provider.Listing{At: time.Now().Add(a.skew)}
	for _, s := range a.sessions {
		s.CreatedAt = s.CreatedAt.Add(a.skew)
		s.State = cmp.Or(s.State, provider.StateIdle)
		list.Sessions = append(list.Sessions, s)
	}
	return list, a.err
}

func (a *account) Delete(_ context.Context, id string, in provider.DeleteRequest) (provider.Deletion, error) {
	if a.refuses != "" && in.Snapshot == a.refuses {
		return provider.Deletion{}, &provider.Error{Kind: provider.ErrorUnavailable, Op: "delete session", Message: "no room for a snapshot"}
	}
	a.deleted = append(a.deleted, id+" "+string(in.Snapshot))
	a.sessions = slices.DeleteFunc(a.sessions, func(s provider.Session) bool { return s.ID == id })
	return provider.Deletion{Found: true}, nil
}

// at is a session that was made so long ago.
func at(id string, ago time.Duration) provider.Session {
	return provider.Session{ID: id, Agent: "agi-0", CreatedAt: time.Now().Add(-ago)}
}

// made is the entry of a session that was made for a task so long ago.
func made(session, workflow string, ago time.Duration) LedgerEntry {
	return LedgerEntry{
		Connection: connection, Ref: "ref-" + workflow, Try: "try-" + session, SessionID: session, At: time.Now().Add(-ago),
		Owner: Owner{Home: here, WorkflowID: workflow, FirstRunID: "run-" + workflow},
	}
}

// lost is the entry of a create whose reply was lost, so long ago.
func lost(try string, ago time.Duration) LedgerEntry {
	e := made("", "w", ago)
	e.Try, e.LostAt = try, e.At.Add(10*time.Second)
	return e
}

const grace = 5 * time.Minute

func TestTheReaperDeletesWhatIsErrandsAndNobodysAlone(t *testing.T) {
	elsewhere := made("s", "w", time.Hour)
	elsewhere.Owner.Home = Home{Cluster: "cluster", Namespace: "there"}
	otherCluster := elsewhere
	otherCluster.Owner.Cluster = "another"
	otherAgent := lost("l", time.Hour)
	otherAgent.Agent = "agi-1"
	kept := made("s", "w", time.Hour)
	kept.Snapshot = provider.SnapshotFilesystem

	type found map[string]ReapVerdict
	for name, test := range map[string]struct {
		vendor    account
		ledger    []LedgerEntry
		temporal  temporalSays
		exclusive bool
		verdicts  found    // as first seen
		deleted   []string // and what the vendor is told in the end
		left      []string // tries in the ledger
	}{
		"a task that is open owns its session": {
			vendor:   account{sessions: []provider.Session{at("s", time.Hour)}},
			ledger:   []LedgerEntry{made("s", "w", time.Hour)},
			temporal: temporalSays{tasks: map[string]string{"w": "s"}},
			left:     []string{"try-s"},
		},
		"a task that has ended owns nothing": {
			vendor:   account{sessions: []provider.Session{at("s", time.Hour)}},
			ledger:   []LedgerEntry{made("s", "w", time.Hour)},
			verdicts: found{"s": VerdictOrphan}, deleted: []string{"s "},
		},
		"a new task under the same id owns nothing of the old one": {
			vendor: account{sessions: []provider.Session{at("s", time.Hour)}},
			ledger: []LedgerEntry{func() LedgerEntry {
				e := made("s", "w", time.Hour)
				e.Owner.FirstRunID = "run-before"
				return e
			}()},
			temporal: temporalSays{tasks: map[string]string{"w": ""}},
			verdicts: found{"s": VerdictOrphan}, deleted: []string{"s "},
		},
		"the snapshot that the task wanted is kept": {
			vendor:   account{sessions: []provider.Session{at("s", time.Hour)}},
			ledger:   []LedgerEntry{kept},
			verdicts: found{"s": VerdictOrphan}, deleted: []string{"s filesystem"},
		},
		"a snapshot that fails keeps nothing alive": {
			vendor:   account{sessions: []provider.Session{at("s", time.Hour)}, refuses: provider.SnapshotFilesystem},
			ledger:   []LedgerEntry{kept},
			verdicts: found{"s": VerdictOrphan}, deleted: []string{"s "},
		},
		"a young session waits": {
			vendor: account{sessions: []provider.Session{at("s", grace-time.Minute)}},
			ledger: []LedgerEntry{made("s", "w", grace-time.Minute)},
			left:   []string{"try-s"},
		},
		"a session that is on no record is another program's": {
			vendor: account{sessions: []provider.Session{at("s", time.Hour)}},
		},
		"a session that the vendor has ended is over": {
			vendor: account{sessions: []provider.Session{{ID: "s", State: provider.StateGone}}},
			ledger: []LedgerEntry{made("s", "w", time.Hour)},
		},
		"of two sessions of one task it is the one that it does not work with": {
			vendor:   account{sessions: []provider.Session{at("a", time.Hour), at("b", time.Hour)}},
			ledger:   []LedgerEntry{made("a", "w", time.Hour), made("b", "w", time.Hour)},
			temporal: temporalSays{tasks: map[string]string{"w": "b"}},
			verdicts: found{"a": VerdictOrphan}, deleted: []string{"a "}, left: []string{"try-b"},
		},
		"of two sessions of one task that has none yet both stay": {
			vendor:   account{sessions: []provider.Session{at("a", time.Hour), at("b", time.Hour)}},
			ledger:   []LedgerEntry{made("a", "w", time.Hour), made("b", "w", time.Hour)},
			temporal: temporalSays{tasks: map[string]string{"w": ""}},
			verdicts: found{"a": VerdictDoubt, "b": VerdictDoubt}, left: []string{"try-a", "try-b"},
		},
		"a lost reply claims the session that was made then": {
			vendor:   account{sessions: []provider.Session{at("s", time.Hour-5*time.Second), at("other", 2*time.Hour)}},
			ledger:   []LedgerEntry{lost("l", time.Hour)},
			verdicts: found{"s": VerdictOrphan}, deleted: []string{"s "},
		},
		"a session that was made late is claimed too": {
			vendor:   account{sessions: []provider.Session{at("s", time.Hour-35*time.Second)}},
			ledger:   []LedgerEntry{lost("l", time.Hour)},
			verdicts: found{"s": VerdictOrphan}, deleted: []string{"s "},
		},
		"a vendor whose clock is off changes nothing": {
			vendor:   account{sessions: []provider.Session{at("s", time.Hour-5*time.Second)}, skew: -10 * time.Minute},
			ledger:   []LedgerEntry{lost("l", time.Hour)},
			verdicts: found{"s": VerdictOrphan}, deleted: []string{"s "},
		},
		"more sessions than lost replies leave all of them": {
			vendor:   account{sessions: []provider.Session{at("a", time.Hour-5*time.Second), at("b", time.Hour-6*time.Second)}},
			ledger:   []LedgerEntry{lost("l", time.Hour)},
			verdicts: found{"a": VerdictDoubt, "b": VerdictDoubt}, left: []string{"l"},
		},
		"as many sessions as lost replies are all claimed": {
			vendor:   account{sessions: []provider.Session{at("a", time.Hour-5*time.Second), at("b", time.Hour-6*time.Second)}},
			ledger:   []LedgerEntry{lost("l", time.Hour), lost("m", time.Hour-2*time.Second)},
			verdicts: found{"a": VerdictOrphan, "b": VerdictOrphan}, deleted: []string{"a ", "b "},
		},
		"lost replies of another time do not count": {
			vendor: account{sessions: []provider.Session{at("a", time.Hour-5*time.Second), at("b", time.Hour-6*time.Second)}},
			ledger: []LedgerEntry{lost("l", time.Hour), lost("m", 3*time.Hour)},
			// Of the other nothing came: it is settled.
			verdicts: found{"a": VerdictDoubt, "b": VerdictDoubt}, left: []string{"l"},
		},
		"a lost create of another agent claims nothing": {
			vendor: account{sessions: []provider.Session{at("s", time.Hour-5*time.Second)}},
			ledger: []LedgerEntry{otherAgent},
		},
		"a create that is under way claims nothing yet": {
			vendor: account{sessions: []provider.Session{at("s", 10*time.Second)}},
			ledger: []LedgerEntry{func() LedgerEntry {
				e := lost("l", 15*time.Second)
				e.LostAt = time.Time{}
				return e
			}()},
			left: []string{"l"},
		},
		"a create whose worker died claims what was made within a minute": {
			vendor: account{sessions: []provider.Session{at("s", time.Hour-50*time.Second)}},
			ledger: []LedgerEntry{func() LedgerEntry {
				e := lost("l", time.Hour)
				e.LostAt = time.Time{}
				return e
			}()},
			verdicts: found{"s": VerdictOrphan}, deleted: []string{"s "},
		},
		"the task of another namespace is not judged": {
			vendor:   account{sessions: []provider.Session{at("s", time.Hour)}},
			ledger:   []LedgerEntry{elsewhere},
			verdicts: found{"s": VerdictDoubt}, left: []string{"try-s"},
		},
		"a namespace that was deleted has no tasks": {
			vendor:   account{sessions: []provider.Session{at("s", time.Hour)}},
			ledger:   []LedgerEntry{elsewhere},
			temporal: temporalSays{gone: []string{"there"}},
			verdicts: found{"s": VerdictOrphan}, deleted: []string{"s "},
		},
		"a namespace that another cluster does not have may be there": {
			vendor:   account{sessions: []provider.Session{at("s", time.Hour)}},
			ledger:   []LedgerEntry{otherCluster},
			temporal: temporalSays{gone: []string{"there"}},
			verdicts: found{"s": VerdictDoubt}, left: []string{"try-s"},
		},
		"on an exclusive connection what no open task holds is an orphan": {
			vendor:    account{sessions: []provider.Session{at("a", time.Hour), at("b", time.Hour), at("c", time.Minute)}},
			temporal:  temporalSays{tasks: map[string]string{"w": "b"}},
			exclusive: true,
			verdicts:  found{"a": VerdictOrphan}, deleted: []string{"a "},
		},
		"exclusive does not reach into another namespace": {
			vendor:    account{sessions: []provider.Session{at("s", time.Hour)}},
			ledger:    []LedgerEntry{elsewhere},
			exclusive: true,
			verdicts:  found{"s": VerdictDoubt}, left: []string{"try-s"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			ledger := &memory{entries: test.ledger}
			a := activitiesOn(&test.vendor)
			a.Ledger, a.Temporal = ledger, test.temporal
			env := environment(a)
			in := ReapInput{Connection: connection, Grace: grace, Exclusive: test.exclusive}

			first, err := perform[ReapReport](t, env, acts.FindOrphans, in)
			require.NoError(t, err)
			got := found{}
			orphans := []string{}
			for _, s := range first.Sessions {
				got[s.ID] = s.Verdict
				require.NotEmpty(t, s.Reason)
				if s.Verdict == VerdictOrphan {
					orphans = append(orphans, s.ID)
				}
			}
			if test.verdicts == nil {
				test.verdicts = found{}
			}
			require.Equal(t, test.verdicts, got)
			require.Empty(t, test.vendor.deleted, "finding only reads")

			second, err := perform[ReapReport](t, env, acts.DeleteOrphans, DeleteOrphansInput{ReapInput: in, SessionIDs: orphans})
			require.NoError(t, err)
			require.ElementsMatch(t, test.deleted, test.vendor.deleted)
			require.Equal(t, len(test.deleted), second.Deleted)
			require.Equal(t, second.Listed, second.Owned+second.Young+second.Foreign+len(second.Sessions), "each is counted once")
			if test.left == nil {
				test.left = []string{}
			}
			require.Equal(t, test.left, ledger.tries())
		})
	}
}

func TestTheReaperFailsClosed(t *testing.T) {
	away := errors.New("away")
	refused := &provider.Error{Kind: provider.ErrorUnavailable, Op: "list sessions", Message: "cut off"}
	for name, test := range map[string]struct {
		vendor   error
		ledger   error
		temporal *temporalSays
		says     string
	}{
		"the list is incomplete":       {vendor: refused, says: "cut off"},
		"the ledger cannot be read":    {ledger: away, says: "ledger of sessions cannot be read"},
		"Temporal is away":             {temporal: &temporalSays{err: away}, says: "nothing is reaped"},
		"there is no Temporal to ask":  {says: "nothing is reaped"},
		"an open task does not answer": {temporal: &temporalSays{tasks: map[string]string{"w": ""}, mute: true}, says: "which session a task works with"},
	} {
		t.Run(name, func(t *testing.T) {
			vendor := &account{sessions: []provider.Session{at("a", time.Hour), at("b", time.Hour), at("c", time.Hour)}, err: test.vendor}
			a := activitiesOn(vendor)
			a.Ledger = &memory{entries: []LedgerEntry{made("a", "w", time.Hour), made("b", "w", time.Hour), made("c", "over", time.Hour)}, err: test.ledger}
			if test.temporal != nil {
				a.Temporal = test.temporal
			} else if name != "there is no Temporal to ask" {
				a.Temporal = temporalSays{}
			}
			in := DeleteOrphansInput{ReapInput: ReapInput{Connection: connection, Grace: grace}, SessionIDs: []string{"a", "b", "c"}}
			_, err := perform[ReapReport](t, environment(a), acts.DeleteOrphans, in)
			require.ErrorContains(t, err, test.says)
			require.Empty(t, vendor.deleted)
		})
	}
}

func TestTheOpenTasksAreListedOnceForAllSessions(t *testing.T) {
	for _, tasks := range []map[string]string{nil, {"w": "b"}} {
		listed := 0
		a := activitiesOn(&account{sessions: []provider.Session{at("a", time.Hour), at("b", time.Hour), at("c", time.Hour)}})
		a.Temporal = temporalSays{tasks: tasks, listed: &listed}
		report, err := perform[ReapReport](t, environment(a), acts.FindOrphans, ReapInput{Connection: connection, Grace: grace, Exclusive: true})
		require.NoError(t, err)
		require.Equal(t, 3-len(tasks), report.Orphans)
		require.Equal(t, 1, listed)
	}
}

func TestOnlyWhatWasAnOrphanBeforeIsDeleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		vendor := &account{sessions: []provider.Session{at("a", time.Hour), at("b", time.Hour)}}
		a := activitiesOn(vendor)
		a.Ledger = &memory{entries: []LedgerEntry{made("a", "v", time.Hour), made("b", "w", time.Hour)}}
		a.Temporal = temporalSays{tasks: map[string]string{"v": "a"}} // taken up again since it was found
		in := DeleteOrphansInput{ReapInput: ReapInput{Connection: connection, Grace: grace}, SessionIDs: []string{"a"}}
		report, err := perform[ReapReport](t, environment(a), acts.DeleteOrphans, in)
		require.NoError(t, err)
		require.Empty(t, vendor.deleted)
		require.Zero(t, report.Deleted)
		require.Equal(t, 1, report.Orphans)
	})
}
