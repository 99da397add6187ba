package activities

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/errand-dev/errand/provider"
)

// heard is what a session was told so far.
func heard(t *testing.T, p provider.Provider, session string) []string {
	t.Helper()
	progress, err := p.Read(t.Context(), session, "")
	require.NoError(t, err)
	var users []string
	for _, e := range progress.Entries {
		if e.Type == provider.EntryUser {
			users = append(users, e.Text)
		}
	}
	return users
}

func TestAMessageIsSentOnceHoweverOftenTheActivityRuns(t *testing.T) {
	for name, test := range map[string]struct {
		first func(http.ResponseWriter, *http.Request, http.Handler) // answers the first POST
		fate  Fate
		posts int32 // in all three tries
	}{
		"the reply is lost": {
			first: func(_ http.ResponseWriter, r *http.Request, vendor http.Handler) {
				vendor.ServeHTTP(httptest.NewRecorder(), r)
				panic(http.ErrAbortHandler) // cuts the connection
			},
			fate: FatePending, posts: 1,
		},
		"the reply is an error after the effect": {
			first: func(w http.ResponseWriter, r *http.Request, vendor http.Handler) {
				vendor.ServeHTTP(httptest.NewRecorder(), r)
				http.Error(w, "gateway timeout", http.StatusGatewayTimeout)
			},
			fate: FatePending, posts: 1,
		},
		"the reply is an error before the effect": {
			first: func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
				http.Error(w, "overloaded", http.StatusServiceUnavailable)
			},
			fate: FateDecided, posts: 2,
		},
		"the request is lost": {
			first: func(http.ResponseWriter, *http.Request, http.Handler) { panic(http.ErrAbortHandler) },
			fate:  FatePending, posts: 2,
		},
		"the message was not queued": {
			first: func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
				fmt.Fprint(w, `{"success":false,"message":"queue is full"}`)
			},
			posts: 2,
		},
	} {
		t.Run(name, func(t *testing.T) {
			var posts atomic.Int32
			p := localVendor(t, func(w http.ResponseWriter, r *http.Request, vendor http.Handler) {
				if strings.HasSuffix(r.URL.Path, "/message") && posts.Add(1) == 1 {
					test.first(w, r, vendor)
					return
				}
				vendor.ServeHTTP(w, r)
			})
			session := newSession(t, p, "")
			in := TakeTurnInput{Message: &Message{Text: "think a; finish 1", StartURL: "https://shop.example/p/42"}}
			in.SessionID = session
			first := host{}
			_, _, err := first.await(t, p, in)
			requireType(t, err, ErrTypeUnavailable, true)
			left := first.left()
			require.Equal(t, test.fate, left.Note.Fate)
			for i, details := range []*turnProgress{&left, nil} { // nil: the worker of the second try died
				next := host{attempt: int32(i) + 2, details: details}
				turn, _, err := next.await(t, p, in)
				require.NoError(t, err)
				require.Equal(t, provider.OutcomeFinished, turn.Outcome)
			}
			require.Equal(t, test.posts, posts.Load())
			require.Equal(t, []string{in.Message.Text}, heard(t, p, session))
		})
	}
}

func TestAFirstTrySendsWithoutLooking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newLooked(nil)
		h := host{}
		_, _, err := h.await(t, v, goOn(FateNone))
		require.NoError(t, err)
		require.Zero(t, v.looks)
		require.Equal(t, 1, v.sends)
		require.Empty(t, h.beats, "and costs no heartbeat")
	})
}

// looked is a vendor whose session tells of a message what a test wants, and
// whose agent is quick.
type looked struct {
	*played
	tells func(waited time.Duration) (provider.Arrival, error)

	stands       time.Duration // the whole process, before its send
	looks, sends int
	sent         time.Duration
}

func newLooked(tells func(time.Duration) (provider.Arrival, error)) *looked {
	return &looked{played: play(moment{say: provider.EntryDone, text: `"ok"`}), tells: tells}
}

func (l *looked) Capabilities() provider.Capabilities {
	time.Sleep(l.stands) //nolint:forbidigo // what stands still is the process, and the clock is the test's
	l.stands = 0
	return provider.Capabilities{SettleTime: 30 * time.Second, PollInterval: time.Second}
}

func (l *looked) Find(context.Context, string, provider.Message, provider.Watermark) (provider.Arrival, error) {
	l.looks++
	return l.tells(time.Since(l.began))
}

func (l *looked) Send(context.Context, string, provider.Message) error {
	l.sends++
	l.sent = time.Since(l.began)
	return nil
}

func goOn(before Fate) TakeTurnInput {
	return TakeTurnInput{Message: &Message{Text: "go on", Before: before}}
}

func always(a provider.Arrival) func(time.Duration) (provider.Arrival, error) {
	return func(time.Duration) (provider.Arrival, error) { return a, nil }
}

func TestASecondTryWaitsUntilTheFirstCannotTakeEffectAnyMore(t *testing.T) {
	for name, test := range map[string]struct {
		tells  func(time.Duration) (provider.Arrival, error)
		before Fate
		sends  int
		at     time.Duration // of the send, or of the end
		failed string        // error type; empty: success
	}{
		"it is there":            {before: FatePending, tells: always(provider.Arrived)},
		"it never arrives":       {before: FatePending, tells: always(provider.Missing), sends: 1, at: 30 * time.Second},
		"the vendor refused it":  {before: FateDecided, tells: always(provider.Missing), sends: 1, at: decidedTime},
		"nobody can tell":        {before: FatePending, tells: always(provider.Doubtful), failed: ErrTypeAmbiguousSend, at: 30 * time.Second},
		"it was not sent at all": {before: FateNone, sends: 1},
		"nobody has told":        {before: FateUnheard, tells: always(provider.Missing), sends: 1, at: 60 * time.Second},
		"it arrives late": {
			before: FatePending, at: 21 * time.Second,
			tells: func(waited time.Duration) (provider.Arrival, error) {
				if waited > 20*time.Second {
					return provider.Arrived, nil
				}
				return provider.Missing, nil
			},
		},
		"the vendor is away for a moment": {
			before: FatePending, sends: 1, at: 30 * time.Second,
			tells: func(waited time.Duration) (provider.Arrival, error) {
				if waited > 10*time.Second && waited < 20*time.Second {
					return "", &provider.Error{Kind: provider.ErrorUnavailable, Op: "look for message", Message: "away"}
				}
				return provider.Missing, nil
			},
		},
		"the vendor stays away": {
			before: FatePending, failed: ErrTypeUnavailable, at: patience,
			tells: func(time.Duration) (provider.Arrival, error) {
				return "", &provider.Error{Kind: provider.ErrorUnavailable, Op: "look for message", Message: "away"}
			},
		},
		"the session is gone": {
			before: FatePending, failed: ErrTypeSessionGone,
			tells: func(time.Duration) (provider.Arrival, error) {
				return "", &provider.Error{Kind: provider.ErrorNotFound, Op: "look for message", Message: "gone"}
			},
		},
	} {
		for told, h := range map[string]host{
			"by the try before": {attempt: 3, details: &turnProgress{Note: tryNote{Attempt: 2, Fate: test.before}}},
			"by the workflow":   {},
		} {
			t.Run(name+", told "+told, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					v := newLooked(test.tells)
					in := goOn(FateNone)
					if h.attempt == 0 {
						in = goOn(test.before)
					}
					_, took, err := h.await(t, v, in)
					require.Equal(t, test.sends, v.sends)
					if test.failed != "" {
						require.True(t, IsType(err, test.failed), "%v", err)
						require.Equal(t, test.at, took)
						require.Equal(t, test.before, h.left().Note.Fate, "the doubt is handed on")
						return
					}
					require.NoError(t, err)
					require.Equal(t, test.at, max(v.sent, took.Truncate(time.Second)))
				})
			})
		}
	}
}

func TestAFirstTryInAResetRunLooks(t *testing.T) {
	for run, looks := range map[string]int{"": 0, "default-test-run-id": 0, "another": 1} {
		synctest.Test(t, func(t *testing.T) {
			v := newLooked(always(provider.Arrived))
			in := goOn(FateNone)
			in.RunID = run
			_, _, err := new(host).await(t, v, in)
			require.NoError(t, err)
			require.Equal(t, looks, v.looks, "the turn began in run %q", run)
			require.Equal(t, 1-looks, v.sends)
		})
	}
}

func TestATryThatLeftNoWordMayHaveSent(t *testing.T) {
	for name, details := range map[string]*turnProgress{
		"nothing at all":            nil,
		"the word of an older one":  {Note: tryNote{Attempt: 1}},
		"the word of an older wait": {LastProgress: time.Now()},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := newLooked(always(provider.Arrived))
				h := host{attempt: 3, details: details}
				_, _, err := h.await(t, v, goOn(FateNone))
				require.NoError(t, err)
				require.Equal(t, 1, v.looks)
				require.Zero(t, v.sends)
			})
		})
	}
}

func TestAWorkerThatStoodStillDoesNotSend(t *testing.T) {
	for name, test := range map[string]struct {
		stood time.Duration
		sends int
	}{"for too long": {21 * time.Second, 0}, "for a moment": {19 * time.Second, 1}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := newLooked(always(provider.Missing))
				v.stands = test.stood
				h := host{heartbeatTimeout: 20 * time.Second}
				_, _, err := h.await(t, v, goOn(FateNone))
				require.Equal(t, test.sends, v.sends)
				if test.sends == 0 {
					requireType(t, err, ErrTypeWorkerStopping, true)
				}
			})
		})
	}
}

func TestAPauseThatCameTooLateIsTakenBack(t *testing.T) {
	for _, stray := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			p := &pausedLate{played: play(
				moment{at: minute, state: provider.StatePaused}, moment{at: 2 * minute, state: provider.StateWorking},
				moment{at: 3 * minute, say: provider.EntryDone, text: `"ok"`},
			)}
			_, _, err := new(host).await(t, p, TakeTurnInput{StrayPause: stray})
			require.NoError(t, err)
			require.Equal(t, stray, p.resumes > 0, "somebody else's pause is not ours to end")
		})
	}
}

// pausedLate is a session that is found paused.
type pausedLate struct {
	*played
	resumes int
}

func (p *pausedLate) Resume(context.Context, string) error {
	p.resumes++
	return nil
}

func TestAMessageThatIsKnownToBeThereIsNotLookedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newLooked(nil)
		h := host{attempt: 2, details: &turnProgress{SentAt: time.Now(), LastProgress: time.Now()}}
		_, _, err := h.await(t, v, goOn(FateNone))
		require.NoError(t, err)
		require.Zero(t, v.looks+v.sends)
	})
}

func TestATurnsTimeBeginsWhenItsMessageIsThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newLooked(always(provider.Missing))
		v.played = play() // an agent that never ends
		in := goOn(FatePending)
		in.TurnTimeout = 5 * time.Minute
		_, took, err := new(host).await(t, v, in)
		requireType(t, err, ErrTypeTurnTimeout, false)
		require.Equal(t, 5*time.Minute+30*time.Second, took)
	})
}
