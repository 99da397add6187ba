package workflows

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/errand-dev/errand/activities"
	"github.com/errand-dev/errand/provider"
)

// modelSession is a session and all that was said in it.
type modelSession struct {
	id      string
	number  int  // within the task
	told    bool // the create that made it had its reply
	said    []said
	work    *work
	paused  bool
	stalled bool
	gone    bool
	deleted bool
}

// said is a message that arrived, or the outcome of a turn.
type said struct {
	message string
	outcome *activities.Turn
}

// work is what the agent is at.
type work struct {
	move
	due  time.Time
	left time.Duration // while it is paused
}

func (v *modelVendor) session(id string) *modelSession {
	for _, s := range v.sessions {
		if s.id == id {
			return s
		}
	}
	panic("there is no session " + strconv.Quote(id))
}

// expire ends the newest session, as a vendor may at any time.
func (v *modelVendor) expire() {
	v.Lock()
	defer v.Unlock()
	if len(v.sessions) > 0 {
		v.sessions[len(v.sessions)-1].gone = true
	}
}

func (v *modelVendor) awaitTurn(ctx context.Context, in activities.TakeTurnInput) (activities.Turn, error) {
	v.Lock()
	defer v.Unlock()
	s := v.session(in.SessionID)
	if err := v.deliver(ctx, s, in); err != nil {
		return activities.Turn{}, v.reply(ctx, nil, err)
	}
	end := v.env.Now().Add(in.TurnTimeout)
	if !in.Deadline.IsZero() && in.Deadline.Before(end) {
		end = in.Deadline
	}
	v.watch(ctx, s, in, end)
	return activities.Turn{}, activity.ErrResultPending
}

// watch looks when something may have happened, until the turn has ended.
func (v *modelVendor) watch(ctx context.Context, s *modelSession, in activities.TakeTurnInput, end time.Time) {
	now := v.env.Now()
	wait := time.Hour
	if s.work != nil && !s.paused {
		wait = min(wait, s.work.due.Sub(now))
	}
	v.env.RegisterDelayedCallback(func() {
		v.Lock()
		defer v.Unlock()
		out, err := s.read(v.env.Now(), in.After, end)
		if out == nil && err == nil {
			v.watch(ctx, s, in, end)
			return
		}
		var result any
		if out != nil {
			result = *out
		}
		_ = v.reply(ctx, result, err)
		if err := v.env.CompleteActivity(activity.GetInfo(ctx).TaskToken, result, err); err != nil {
			panic(err)
		}
	}, v.diary.wait(byAgents, now, min(wait, end.Sub(now))))
}

// read is what the session tells of the turn behind the watermark.
func (s *modelSession) read(now time.Time, after provider.Watermark, end time.Time) (*activities.Turn, error) {
	s.catchUp(now)
	for _, said := range s.said[position(after):] {
		if said.outcome != nil {
			return said.outcome, nil
		}
	}
	switch {
	case s.gone || s.deleted:
		return nil, final(activities.ErrTypeSessionGone)
	case s.stalled:
		return nil, final(activities.ErrTypeStalled)
	case !now.Before(end):
		return nil, final(activities.ErrTypeTurnTimeout)
	case s.work == nil:
		return nil, final(activities.ErrTypeNoOutcome)
	}
	return nil, nil
}

func position(w provider.Watermark) int {
	if w == "" {
		return 0
	}
	n, err := strconv.Atoi(string(w))
	if err != nil {
		panic(err)
	}
	return n
}

// catchUp lets the agent do what it has done by now.
func (s *modelSession) catchUp(now time.Time) {
	if s.work == nil || s.paused || now.Before(s.work.due) {
		return
	}
	m := s.work.move
	s.work = nil
	turn := activities.Turn{Text: m.Text, Cursor: provider.Watermark(strconv.Itoa(len(s.said) + 1))}
	switch m.Does {
	case dies:
		s.gone = true
		return
	case stalls:
		s.stalled = true
		return
	case asks:
		turn.Outcome = provider.OutcomeQuestion
		turn.ReplyTo = fmt.Sprintf("%s-%s", s.id, turn.Cursor)
	case errs:
		turn.Outcome = provider.OutcomeFailed
	case finishes:
		turn.Outcome = provider.OutcomeFinished
		turn.Result = json.RawMessage(fmt.Sprintf(`"%s says %d"`, s.id, len(s.said)))
	}
	s.said = append(s.said, said{outcome: &turn})
}

// deliver does what TakeTurn does about the message of its turn.
func (v *modelVendor) deliver(ctx context.Context, s *modelSession, in activities.TakeTurnInput) error {
	m := in.Message
	if m == nil {
		return nil
	}
	s.catchUp(v.env.Now())
	if m.Before != activities.FateNone || activity.GetInfo(ctx).Attempt > 1 {
		for _, said := range s.said[position(in.After):] {
			if said.outcome == nil && said.message == m.Text {
				return nil
			}
		}
	}
	if s.gone || s.deleted {
		return final(activities.ErrTypeSessionGone)
	}
	fate := next(&v.plan.Sends, arrives)
	switch fate {
	case busy:
		return retryable(activities.ErrTypeBusy, retryAfterwards)
	case dropped:
		return lostError()
	case vanishes:
		return final(activities.ErrTypeAmbiguousSend)
	case forbidden:
		return final(activities.ErrTypeUnauthorized)
	}
	s.said = append(s.said, said{message: m.Text})
	v.note(received{s.id, m.Text})
	if s.work == nil {
		m := next(&v.plan.Agent, move{After: time.Minute, Does: finishes})
		s.work = &work{move: m, due: v.env.Now().Add(m.After)}
	}
	switch fate {
	case replyLost:
		return lostError()
	case doubted:
		return final(activities.ErrTypeAmbiguousSend)
	case handedOn:
		return retryable(activities.ErrTypeWorkerStopping, retryAfterwards)
	}
	return nil
}
