package activities

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/errand-dev/errand/provider"
)

func wanted() CreateSessionInput {
	return CreateSessionInput{TaskID: "t-1", Connection: connection, FirstRunID: "run-1", Snapshot: provider.SnapshotFilesystem}
}

func TestTheIntentIsOnRecordBeforeACreateIsSent(t *testing.T) {
	ledger := &memory{}
	var before []LedgerEntry
	p := localVendor(t, func(w http.ResponseWriter, r *http.Request, vendor http.Handler) {
		before = append([]LedgerEntry(nil), ledger.entries...)
		vendor.ServeHTTP(w, r)
	})
	a := activitiesOn(p)
	a.Ledger, a.Temporal = ledger, temporalSays{}
	env := environment(a)

	s, err := perform[Session](t, env, acts.CreateSession, wanted())

	require.NoError(t, err)
	require.Len(t, before, 1)
	require.Empty(t, before[0].SessionID)
	require.Len(t, ledger.entries, 1)
	e := ledger.entries[0]
	require.Equal(t, s.ID, e.SessionID)
	require.Equal(t, s.Ref, e.Ref)
	require.Equal(t, here, e.Owner.Home)
	require.Equal(t, "run-1", e.Owner.FirstRunID)
	require.Equal(t, "script", e.Agent)
	require.Equal(t, provider.SnapshotFilesystem, e.Snapshot)

	again, err := perform[Session](t, env, acts.CreateSession, wanted())
	require.NoError(t, err)
	require.Equal(t, s, again, "a second run takes up the session of the first")
	other := wanted()
	other.Number = 1
	next, err := perform[Session](t, env, acts.CreateSession, other)
	require.NoError(t, err)
	require.NotEqual(t, s.ID, next.ID)

	for _, made := range []Session{s, next} {
		_, err = perform[DeleteSessionOutput](t, env, acts.DeleteSession,
			DeleteSessionInput{Connection: connection, SessionID: made.ID, Ref: made.Ref})
		require.NoError(t, err)
	}
	require.Empty(t, ledger.entries, "what is deleted is nobody's business any more")
}

func TestWhatALostReplyLeavesBehind(t *testing.T) {
	for name, test := range map[string]struct {
		first func(http.ResponseWriter, *http.Request, http.Handler)
		fate  Fate
		lost  int // as the second try counts
	}{
		"the reply is lost": {
			first: func(_ http.ResponseWriter, r *http.Request, vendor http.Handler) {
				vendor.ServeHTTP(httptest.NewRecorder(), r)
				panic(http.ErrAbortHandler)
			},
			fate: FatePending, lost: 1,
		},
		"the reply breaks off": {
			first: func(w http.ResponseWriter, r *http.Request, vendor http.Handler) {
				reply := httptest.NewRecorder()
				vendor.ServeHTTP(reply, r)
				w.Header().Set("Content-Length", strconv.Itoa(reply.Body.Len()))
				_, _ = w.Write(reply.Body.Bytes()[:20])
			},
			fate: FatePending, lost: 1,
		},
		"a gateway says that it waited for too long": {
			first: func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
				http.Error(w, "no", http.StatusGatewayTimeout)
			},
			fate: FatePending, lost: 1,
		},
		"the vendor says that it failed": {
			first: func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
				http.Error(w, "no", http.StatusInternalServerError)
			},
			fate: FateDecided,
		},
		"the vendor is busy": {
			first: func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
				http.Error(w, "no", http.StatusTooManyRequests)
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var posts atomic.Int32
			p := localVendor(t, func(w http.ResponseWriter, r *http.Request, vendor http.Handler) {
				if posts.Add(1) == 1 {
					test.first(w, r, vendor)
					return
				}
				vendor.ServeHTTP(w, r)
			})
			ledger := &memory{}
			a := activitiesOn(p)
			a.Ledger, a.Temporal = ledger, temporalSays{}
			env := environment(a)

			_, err := perform[Session](t, env, acts.CreateSession, wanted())
			require.Error(t, err)
			require.Equal(t, test.fate, FateOf(err))
			require.Len(t, ledger.entries, test.lost)
			s, err := perform[Session](t, env, acts.CreateSession, wanted())
			require.NoError(t, err)
			require.Equal(t, test.lost, s.Lost)
			require.Len(t, ledger.entries, test.lost+1)
			if test.lost > 0 {
				require.False(t, ledger.entries[0].LostAt.IsZero())
				require.Empty(t, ledger.entries[0].SessionID)
			}
		})
	}
}

func TestACreateOfADeadWorkerCountsAsLost(t *testing.T) {
	ledger := &memory{}
	a := activitiesOn(localVendor(t, nil))
	a.Ledger, a.Temporal = ledger, temporalSays{}
	env := environment(a)
	s, err := perform[Session](t, env, acts.CreateSession, wanted())
	require.NoError(t, err)
	died := ledger.entries[0]
	died.SessionID = "" // it never heard
	ledger.entries = []LedgerEntry{died}

	again, err := perform[Session](t, env, acts.CreateSession, wanted())

	require.NoError(t, err)
	require.NotEqual(t, s.ID, again.ID)
	require.Equal(t, 1, again.Lost)
	require.WithinDuration(t, time.Now(), ledger.entries[0].LostAt, time.Minute)
}

func TestNoCreateIsSentThatNobodyWouldKnowOf(t *testing.T) {
	p := localVendor(t, func(http.ResponseWriter, *http.Request, http.Handler) { t.Error("something was sent") })
	a := activitiesOn(p)
	a.Ledger, a.Temporal = &memory{err: context.DeadlineExceeded}, temporalSays{}
	_, err := perform[Session](t, environment(a), acts.CreateSession, wanted())
	requireType(t, err, ErrTypeUnavailable, true)
	require.ErrorContains(t, err, "ledger of sessions cannot be read")
}

// labelled is a vendor that carries our reference.
type labelled struct {
	account
	creates []string
}

func (l *labelled) Capabilities() provider.Capabilities {
	return provider.Capabilities{ClientRef: true, Snapshot: true}
}

func (l *labelled) Create(_ context.Context, in provider.CreateRequest) (provider.Session, error) {
	l.creates = append(l.creates, in.ClientRef)
	return provider.Session{ID: "new", Agent: "agi-0"}, nil
}

func TestAVendorThatCarriesOurReferenceGivesALostSessionBack(t *testing.T) {
	v := &labelled{}
	a := activitiesOn(v)
	env := environment(a)
	first, err := perform[Session](t, env, acts.CreateSession, wanted())
	require.NoError(t, err)
	require.Equal(t, []string{first.Ref}, v.creates)

	v.sessions = []provider.Session{{ID: "other", ClientRef: "errand-other"}, {ID: "lost", ClientRef: first.Ref}}
	in := wanted()
	in.Before = FatePending
	again, err := perform[Session](t, env, acts.CreateSession, in)
	require.NoError(t, err)
	require.Equal(t, "lost", again.ID)
	require.Zero(t, again.Lost, "it is found")
	require.Len(t, v.creates, 1)
}
