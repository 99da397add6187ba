package activities

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/errand-dev/errand/provider"
)

const (
	atOnce = 0
	second = time.Second
	minute = time.Minute
)

func TestAWaitEndsInTime(t *testing.T) {
	down := &provider.Error{Kind: provider.ErrorUnavailable, Op: "read messages", Message: "down"}
	for name, test := range map[string]struct {
		script  []moment
		stall   time.Duration
		within  time.Duration // deadline of the turn; zero: nine minutes
		want    provider.OutcomeKind
		errType string
		message string
		at      time.Duration
		later   time.Duration // by how much it may be later
	}{
		"a result": {
			script: []moment{{at: minute, say: provider.EntryDone, text: `"ok"`}},
			want:   provider.OutcomeFinished, at: minute, later: 3 * second,
		},
		"a result that is there already": {
			script: []moment{{say: provider.EntryDone, text: `"ok"`}},
			want:   provider.OutcomeFinished,
		},
		"a question whose state comes later": {
			script: []moment{
				{say: provider.EntryThought}, {at: minute, say: provider.EntryQuestion, text: "q"},
				{at: minute + second, say: provider.EntryLog}, {at: minute + 4*second, state: provider.StateWaiting},
			},
			want: provider.OutcomeQuestion, at: minute + 4*second, later: 5 * second,
		},
		"the deadline of the turn": {
			within:  5 * minute,
			errType: ErrTypeTurnTimeout, message: "the agent had not finished its turn by 2000-01-01T00:05:00Z", at: 5 * minute,
		},
		"the deadline of the turn while the vendor is away": {
			script:  []moment{{at: 4*minute + 30*second, err: down}},
			within:  5 * minute,
			errType: ErrTypeTurnTimeout, at: 5 * minute,
		},
		"the deadline of the turn while a read hangs": {
			script:  []moment{{at: 4*minute + 50*second, hang: true}},
			within:  5 * minute,
			errType: ErrTypeTurnTimeout, at: 5 * minute,
		},
		"a read that hangs is given up": {
			script: []moment{{at: minute, hang: true}, {at: minute + 10*second, say: provider.EntryDone, text: `"ok"`}},
			want:   provider.OutcomeFinished, at: minute + readTimeout + retryAtFirst, later: 3 * second,
		},
		"nothing said for too long": {
			stall:   3 * minute,
			errType: ErrTypeStalled, message: `the agent has said nothing for 3m`, at: 3 * minute, later: 3 * second,
		},
		"nothing said for too long after something was": {
			script:  []moment{{at: 2 * minute, say: provider.EntryThought}},
			stall:   3 * minute,
			errType: ErrTypeStalled, message: `its session says "working"`, at: 5 * minute, later: 6 * second,
		},
		"another state is progress": {
			script:  []moment{{at: 2 * minute, state: provider.StateWaiting}},
			stall:   3 * minute,
			errType: ErrTypeStalled, message: `its session says "waiting"`, at: 5 * minute, later: 6 * second,
		},
		"an undecided question is no progress however often it is read": {
			script:  []moment{{say: provider.EntryQuestion, text: "q"}},
			stall:   3 * minute,
			errType: ErrTypeStalled, at: 3 * minute, later: 3 * second,
		},
		"a paused session may be silent": {
			script: []moment{
				{at: minute, state: provider.StatePaused}, {at: 7 * minute, state: provider.StateWorking},
				{at: 8 * minute, say: provider.EntryDone, text: `"ok"`},
			},
			stall: 3 * minute, want: provider.OutcomeFinished, at: 8 * minute, later: 3 * second,
		},
		"silence does not matter without a stall timeout": {
			script: []moment{{at: 8 * minute, say: provider.EntryDone, text: `"ok"`}},
			want:   provider.OutcomeFinished, at: 8 * minute, later: 3 * second,
		},
		"at rest without an outcome": {
			script:  []moment{{at: minute, state: provider.StateIdle}},
			errType: ErrTypeNoOutcome, message: "the agent stopped (idle) without a result", at: 3 * minute, later: 6 * second,
		},
		"failed without a word": {
			script:  []moment{{state: provider.StateFailed}},
			errType: ErrTypeNoOutcome, message: "the agent stopped (failed)", at: 2 * minute, later: 3 * second,
		},
		"gone without a word": {
			script:  []moment{{state: provider.StateGone}},
			errType: ErrTypeSessionGone, message: "the session was ended (gone)", later: 3 * second,
		},
		"at rest, and then at work": {
			script: []moment{
				{state: provider.StateIdle}, {at: 110 * second, state: provider.StateWorking},
				{at: 4 * minute, state: provider.StateIdle}, {at: 5 * minute, say: provider.EntryDone, text: `"ok"`},
			},
			want: provider.OutcomeFinished, at: 5 * minute, later: 3 * second,
		},
		"at rest, but still talking": {
			script: []moment{
				{state: provider.StateIdle}, {at: 100 * second, say: provider.EntryLog}, {at: 200 * second, say: provider.EntryLog},
				{at: 300 * second, say: provider.EntryDone, text: `"ok"`},
			},
			want: provider.OutcomeFinished, at: 300 * second, later: 3 * second,
		},
		"a vendor that is away for less than a minute": {
			script: []moment{{at: minute, err: down}, {at: minute + 45*second, say: provider.EntryDone, text: `"ok"`}},
			want:   provider.OutcomeFinished, at: minute + 45*second, later: 15 * second,
		},
		"a vendor that is away now and then": {
			script: []moment{
				{err: down}, {at: 40 * second}, {at: minute, err: down}, {at: 100 * second}, {at: 2 * minute, err: down},
				{at: 150 * second, say: provider.EntryDone, text: `"ok"`},
			},
			want: provider.OutcomeFinished, at: 150 * second, later: 15 * second,
		},
		"a vendor that stays away": {
			script:  []moment{{at: minute, err: down}},
			errType: ErrTypeUnavailable, message: `connection "shop": the vendor cannot be reached: read messages: down`, at: 2 * minute, later: 3 * second,
		},
		"a vendor that wants an hour": {
			script:  []moment{{err: &provider.Error{Kind: provider.ErrorRateLimited, Op: "read messages", Status: 429, RetryAfter: time.Hour}}},
			errType: ErrTypeRateLimited,
		},
		"a key that was revoked": {
			script:  []moment{{at: minute, err: &provider.Error{Kind: provider.ErrorUnauthorized, Op: "read messages", Status: 401}}},
			errType: ErrTypeUnauthorized, at: minute, later: 3 * second,
		},
		"a session that was deleted": {
			script:  []moment{{at: minute, err: &provider.Error{Kind: provider.ErrorNotFound, Op: "read messages", Status: 404}}},
			errType: ErrTypeSessionGone, at: minute, later: 3 * second,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				in := TakeTurnInput{StallTimeout: test.stall}
				if test.within > 0 {
					in.Deadline = time.Now().Add(test.within)
				}
				turn, took, err := new(host).await(t, play(test.script...), in)
				requireAbout(t, test.at, took, test.later)
				if test.errType == "" {
					require.NoError(t, err)
					require.Equal(t, test.want, turn.Outcome)
					return
				}
				retryable := test.errType == ErrTypeUnavailable || test.errType == ErrTypeRateLimited
				require.Contains(t, requireType(t, err, test.errType, retryable).Message(), test.message)
			})
		})
	}
}

func TestAnUnsettledTurnIsReadAgainSoonAndThenLessSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := play(moment{at: minute, say: provider.EntryQuestion, text: "q"}, moment{at: 2 * minute, state: provider.StateWaiting})
		p.poll = 10 * second
		var kept transcripts
		turn, _, err := (&host{transcripts: &kept}).await(t, p, TakeTurnInput{})
		require.NoError(t, err)
		require.Equal(t, Turn{Outcome: provider.OutcomeQuestion, Text: "q", Cursor: "1"}, turn)
		require.Equal(t, []string{"q"}, kept.texts("t-1"), "read often, kept once")

		var asked []time.Duration
		for _, at := range p.readTimes() {
			if at >= minute {
				asked = append(asked, at)
			}
		}
		for i, want := range []time.Duration{500 * time.Millisecond, second, 2 * second, 4 * second, 8 * second} {
			require.Equal(t, want, asked[i+1]-asked[i])
		}
		for i := 6; i < len(asked); i++ {
			require.InDelta(t, p.poll, asked[i]-asked[i-1], float64(p.poll/10)+1, "never less soon than the poll")
		}
	})
}

func TestAStreamThatLiesCostsTimeAndNotTheOutcome(t *testing.T) {
	for name, watch := range map[string]func(ctx context.Context, wake func()) error{
		"open and silent": func(ctx context.Context, wake func()) error { wake(); <-ctx.Done(); return ctx.Err() },
		"never open":      func(ctx context.Context, _ func()) error { <-ctx.Done(); return ctx.Err() },
		"ends at once":    func(_ context.Context, wake func()) error { wake(); return nil },
		"not there":       func(context.Context, func()) error { return provider.ErrUnsupported },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := play(moment{at: 5 * minute, say: provider.EntryDone, text: `"ok"`})
				p.watch = watch
				turn, took, err := new(host).await(t, p, TakeTurnInput{})
				require.NoError(t, err)
				require.Equal(t, provider.OutcomeFinished, turn.Outcome)
				requireAbout(t, 5*minute, took, 17*second)
			})
		})
	}
}

func TestAStreamMakesReadsRareAndPrompt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := play(moment{at: 5 * minute, say: provider.EntryDone, text: `"ok"`})
		p.watch = func(ctx context.Context, wake func()) error {
			wake()
			select {
			case <-time.After(5 * minute):
				wake()
			case <-ctx.Done():
			}
			<-ctx.Done()
			return ctx.Err()
		}
		_, took, err := new(host).await(t, p, TakeTurnInput{})
		require.NoError(t, err)
		require.Equal(t, 5*minute, took)
		require.Less(t, len(p.readTimes()), 30)
	})
}

func TestAFailingVendorIsNotAskedSooner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := &provider.Error{Kind: provider.ErrorRateLimited, Op: "read messages", Status: 429, RetryAfter: 20 * second}
		p := play(moment{at: minute, err: slow}, moment{at: minute + 10*second, say: provider.EntryDone, text: `"ok"`})
		p.watch = func(ctx context.Context, wake func()) error { // a stream that says something all the time
			for ctx.Err() == nil {
				wake()
				select {
				case <-time.After(second):
				case <-ctx.Done():
				}
			}
			return ctx.Err()
		}
		_, took, err := new(host).await(t, p, TakeTurnInput{})
		require.NoError(t, err)
		require.Equal(t, minute+20*second, took)
		times := p.readTimes()
		require.Equal(t, []time.Duration{minute, minute + 20*second}, times[len(times)-2:])
	})
}

func TestReadingBacksOffFromAVendorThatIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := play(moment{err: &provider.Error{Kind: provider.ErrorUnavailable, Op: "read messages", Message: "down"}})
		_, _, err := new(host).await(t, p, TakeTurnInput{})
		requireType(t, err, ErrTypeUnavailable, true)
		require.Equal(t, []time.Duration{atOnce, 1 * second, 3 * second, 7 * second, 15 * second, 30 * second, 45 * second, 60 * second}, p.readTimes())
	})
}

func TestAStormOfErrorsIsWeatheredWithFewReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const storm = 30 * minute
		p := play(
			moment{say: provider.EntryThought},
			moment{at: minute, err: &provider.Error{Kind: provider.ErrorUnavailable, Op: "read messages", Status: 503}},
			moment{at: minute + storm}, // it heals
			moment{at: minute + storm + 10*second, say: provider.EntryDone, text: `"ok"`},
		)
		h := &host{heartbeatTimeout: 72 * second}
		in := TakeTurnInput{Deadline: time.Now().Add(time.Hour), StallTimeout: time.Hour}
		var turn Turn
		var err error
		for attempt, pause := int32(1), second; ; attempt, pause = attempt+1, min(2*pause, 30*second) { // as the workflow's policy has it
			h.attempt = attempt
			if turn, _, err = h.await(t, p, in); err == nil {
				break
			}
			requireType(t, err, ErrTypeUnavailable, true)
			left := h.left()
			h.details = &left
			time.Sleep(pause) //nolint:forbidigo // the bubble's clock
		}
		require.Equal(t, provider.OutcomeFinished, turn.Outcome)
		requireAbout(t, minute+storm, time.Since(p.began), 45*second)
		during := 0
		for _, at := range p.readTimes() {
			if at >= minute && at < minute+storm {
				during++
			}
		}
		require.Greater(t, during, 30, "it looks whether the vendor is back")
		require.Less(t, during, 200, "and does not run hot")
		require.Equal(t, provider.Watermark("1"), p.reads[len(p.reads)-1].after, "from where it stood")
	})
}

func TestHeartbeatsCarryTheCursorAndFollowReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		down := &provider.Error{Kind: provider.ErrorUnavailable, Op: "read messages", Message: "down"}
		p := play(
			moment{at: 10 * second, say: provider.EntryThought},
			moment{at: 70 * second, say: provider.EntryThought},
			moment{at: 125 * second, err: down},
			moment{at: 178 * second},
			moment{at: 200 * second, say: provider.EntryDone, text: `"ok"`},
		)
		h := &host{heartbeatTimeout: 30 * second}
		_, _, err := h.await(t, p, TakeTurnInput{})
		require.NoError(t, err)

		var at []time.Duration
		var cursors []provider.Watermark
		for _, b := range h.beats {
			at = append(at, b.at)
			cursors = append(cursors, b.Cursor)
		}
		require.Equal(t, []time.Duration{25 * second, 50 * second, 75 * second, 100 * second, 125 * second}, at[:5],
			"five sixths of the timeout")
		require.Equal(t, []provider.Watermark{"1", "1", "2", "2", "2"}, cursors[:5])
		requireAbout(t, 70*second, h.beats[4].LastProgress.Sub(began), 3*second)
		require.NotContains(t, at, 150*second, "nothing was read since the heartbeat before")
		require.NotContains(t, at, 175*second, "nothing was read since the heartbeat before")
	})
}

func TestAReadComesBeforeEveryHeartbeatHoweverSeldomThePoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := play(moment{at: 3 * minute, say: provider.EntryDone, text: `"ok"`})
		p.poll = time.Hour
		h := &host{heartbeatTimeout: 30 * second}
		_, _, err := h.await(t, p, TakeTurnInput{})
		require.NoError(t, err)
		require.Len(t, h.beats, 7)
	})
}

func TestAWaitWithoutAHeartbeatTimeoutStillHearsOfACancellation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := new(host)
		_, _, err := h.await(t, play(moment{at: 270 * second, say: provider.EntryDone, text: `"ok"`}), TakeTurnInput{})
		require.NoError(t, err)
		require.Len(t, h.beats, 4, "one a minute")
	})
}

func TestAWaitGoesOnWhereTheAttemptBeforeStood(t *testing.T) {
	t.Run("from its cursor", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p := play(moment{say: provider.EntryThought}, moment{say: provider.EntryThought}, moment{at: minute, say: provider.EntryDone, text: `"ok"`})
			h := &host{details: &turnProgress{Cursor: "2", LastProgress: time.Now()}}
			turn, _, err := h.await(t, p, TakeTurnInput{After: "1"})
			require.NoError(t, err)
			require.Equal(t, provider.Watermark("3"), turn.Cursor)
			require.Equal(t, provider.Watermark("2"), p.reads[0].after)
		})
	})
	t.Run("from its watermark where there was none", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p := play(moment{say: provider.EntryThought}, moment{say: provider.EntryThought}, moment{at: minute, say: provider.EntryDone, text: `"ok"`})
			_, _, err := new(host).await(t, p, TakeTurnInput{After: "1"})
			require.NoError(t, err)
			require.Equal(t, provider.Watermark("1"), p.reads[0].after)
		})
	})
	t.Run("with the silence that it has seen", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h := &host{details: &turnProgress{LastProgress: time.Now().Add(-2 * minute)}}
			_, took, err := h.await(t, play(), TakeTurnInput{StallTimeout: 3 * minute})
			requireType(t, err, ErrTypeStalled, false)
			requireAbout(t, minute, took, 3*second)
		})
	})
}

func TestAStoppingWorkerHandsTheWaitOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &host{heartbeatTimeout: minute, stop: make(chan struct{})}
		time.AfterFunc(30*second, func() { close(h.stop) })
		_, took, err := h.await(t, play(moment{at: second, say: provider.EntryThought}), TakeTurnInput{})
		app := requireType(t, err, ErrTypeWorkerStopping, true)
		require.Equal(t, 30*second, took)
		require.Equal(t, time.Millisecond, app.NextRetryDelay())
		require.Equal(t, temporal.ApplicationErrorCategoryBenign, app.Category())
		require.Len(t, h.beats, 1)
		require.Equal(t, provider.Watermark("1"), h.beats[0].Cursor, "for the next attempt")
	})
}

func TestACancelledWaitEndsAtOnce(t *testing.T) {
	for name, script := range map[string][]moment{
		"while the agent works":    nil,
		"while a read hangs":       {{at: 20 * second, hang: true}},
		"while the vendor is away": {{at: 20 * second, err: &provider.Error{Kind: provider.ErrorUnavailable, Op: "read messages"}}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				var h host
				h.BackgroundActivityContext = ctx
				time.AfterFunc(30*second, func() { cancel(temporal.NewCanceledError()) })
				_, took, err := h.await(t, play(script...), TakeTurnInput{})
				require.True(t, temporal.IsCanceledError(err), "%v", err)
				require.Equal(t, 30*second, took)
			})
		})
	}
}

func TestTheWordsOfAQuestionAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		long := make([]byte, longestAnswer+1)
		for i := range long {
			long[i] = 'x'
		}
		p := play(moment{state: provider.StateWaiting, say: provider.EntryQuestion, text: string(long)})
		turn, _, err := new(host).await(t, p, TakeTurnInput{})
		require.NoError(t, err)
		require.Equal(t, string(long[:longestAnswer])+"…", turn.Text)
	})
}

func TestAResultThatDoesNotFitIntoAHistoryIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		large := make([]byte, MaxResult+1)
		for i := range large {
			large[i] = '7'
		}
		_, _, err := new(host).await(t, play(moment{say: provider.EntryDone, text: string(large)}), TakeTurnInput{})
		requireType(t, err, ErrTypeResultTooLarge, false)
	})
}
