package workflows

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/stretchr/testify/mock"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"github.com/errand-dev/errand/activities"
)

// modelVendor is a vendor behind the activities. What its sessions hold is the
// truth; the activities keep to what activities promise, no more: a message is
// looked for only if its try is not the first, a create that is not told of a
// lost one makes another session.
type modelVendor struct {
	sync.Mutex
	plan  vendorPlan
	book  *book
	diary *diary
	env   *testsuite.TestWorkflowEnvironment // of the run under way

	sessions []*modelSession
	doubtful map[string]bool // sessions that were deleted without a reply
	replies  map[string]any  // what each activity will have told the task, by its id
	delays   int

	commanding bool // it is being asked to pause or to resume
}

func newModelVendor(p vendorPlan, b *book, d *diary) *modelVendor {
	return &modelVendor{plan: p, book: b, diary: d, doubtful: map[string]bool{}}
}

// serve makes the vendor the world of one more run.
func (v *modelVendor) serve(env *testsuite.TestWorkflowEnvironment) {
	v.env, v.replies = env, map[string]any{}
	env.RegisterActivity(acts)
	for _, a := range []struct{ activity, does any }{
		{acts.CreateSession, v.create},
		{acts.DeleteSession, v.delete},
		{acts.PauseSession, v.pause},
		{acts.ResumeSession, v.resume},
		{acts.CancelSession, v.stop},
	} {
		env.OnActivity(a.activity, mock.Anything, mock.Anything).Maybe().AfterFn(v.delay).Return(a.does)
	}
	env.OnActivity(acts.TakeTurn, mock.Anything, mock.Anything).Maybe().Return(v.awaitTurn)

	env.SetOnActivityCompletedListener(func(info *activity.Info, _ converter.EncodedValue, err error) {
		if err != activity.ErrResultPending { //nolint:errorlint // it is this value that the SDK hands out
			v.hear(info.ActivityID)
		}
	})
}

func (v *modelVendor) note(what any) { v.book.add(v.env.Now(), what) }

// call notes that the task begins a call.
func (v *modelVendor) call(name string, first bool, in any) {
	v.commanding = v.commanding || isPauseOrResume(name)
	v.note(called{name, first, in})
}

// hear notes what the task is told by an activity.
func (v *modelVendor) hear(activityID string) {
	v.Lock()
	defer v.Unlock()
	switch r := v.replies[activityID].(type) {
	case replied:
		v.commanding = v.commanding && !isPauseOrResume(r.Name)
		v.note(r)
	case putOff:
		v.note(r)
	}
}

func isPauseOrResume(name string) bool { return name == "PauseSession" || name == "ResumeSession" }

// reply is what the task will be told, unless the call is tried again.
func (v *modelVendor) reply(ctx context.Context, out any, err error) error {
	info := activity.GetInfo(ctx)
	v.replies[info.ActivityID] = replied{info.ActivityType.Name, out, err}
	if !settled(err) && isFirstTry(info) {
		v.replies[info.ActivityID] = putOff{info.ActivityType.Name}
	}
	return err
}

// delay is how long the next call takes.
func (v *modelVendor) delay() time.Duration {
	v.Lock()
	defer v.Unlock()
	v.delays++
	return v.diary.wait(byCalls, v.env.Now(), v.plan.Delays[v.delays%len(v.plan.Delays)])
}

func next[T any](fates *[]T, otherwise T) T {
	if len(*fates) == 0 {
		return otherwise
	}
	fate := (*fates)[0]
	*fates = (*fates)[1:]
	return fate
}

const retryAfterwards = 2*moment + aBit

// The errors of a vendor, as activities convert them.
func awayError() error { return retryable(activities.ErrTypeUnavailable, retryAfterwards) }
func lostError() error {
	return temporal.NewApplicationErrorWithOptions("no reply", activities.ErrTypeUnavailable,
		temporal.ApplicationErrorOptions{NextRetryDelay: retryAfterwards, Details: []any{activities.FatePending}})
}

func (v *modelVendor) create(ctx context.Context, in activities.CreateSessionInput) (activities.Session, error) {
	v.Lock()
	defer v.Unlock()
	fate := next(&v.plan.Creates, well)
	lostOnes := 0
	if in.Before != activities.FateNone || activity.GetInfo(ctx).Attempt > 1 {
		for _, s := range v.sessions {
			if s.number != in.Number || s.told {
				continue
			}
			if v.plan.HasRefs {
				s.told = true
				return activities.Session{ID: s.id, Ref: "ref-" + s.id}, v.reply(ctx, s.id, nil)
			}
			lostOnes++
		}
	}
	switch fate {
	case away:
		return activities.Session{}, v.reply(ctx, nil, awayError())
	case refused:
		return activities.Session{}, v.reply(ctx, nil, final(activities.ErrTypeUnauthorized))
	}
	s := &modelSession{id: fmt.Sprintf("s-%d", len(v.sessions)+1), number: in.Number, told: fate == well}
	v.sessions = append(v.sessions, s)
	v.note(made{s.id})
	if fate == lost {
		return activities.Session{}, v.reply(ctx, nil, lostError())
	}
	return activities.Session{ID: s.id, Ref: "ref-" + s.id, Lost: lostOnes}, v.reply(ctx, s.id, nil)
}

func (v *modelVendor) delete(ctx context.Context, in activities.DeleteSessionInput) (activities.DeleteSessionOutput, error) {
	v.Lock()
	defer v.Unlock()
	s := v.session(in.SessionID)
	s.catchUp(v.env.Now())
	keep := Snapshot{Mode: in.Snapshot, SaveAsDefault: in.SaveAsDefault}
	fates := &v.plan.Deletes
	if keep.wanted() {
		fates = &v.plan.Keeps
	}
	fate := next(fates, well)
	switch {
	case !v.plan.CanDelete:
		return activities.DeleteSessionOutput{}, v.reply(ctx, nil, final(activities.ErrTypeUnsupported))
	case fate == away:
		return activities.DeleteSessionOutput{}, v.reply(ctx, nil, awayError())
	case fate == refused:
		return activities.DeleteSessionOutput{}, v.reply(ctx, nil, final(activities.ErrTypeInvalidRequest))
	}
	out := activities.DeleteSessionOutput{Found: !s.gone && !s.deleted}
	out.Doubtful = !out.Found && v.doubtful[s.id]
	if out.Found {
		s.deleted = true
		kept := in.Snapshot
		if !keep.wanted() {
			kept = ""
		}
		v.note(deleted{s.id, kept, in.SaveAsDefault})
	}
	if fate == lost {
		v.doubtful[s.id] = true
		return activities.DeleteSessionOutput{}, v.reply(ctx, nil, lostError())
	}
	return out, v.reply(ctx, out, nil)
}

func (v *modelVendor) pause(ctx context.Context, in activities.SessionInput) error {
	return v.command(ctx, in, &v.plan.Pauses, v.plan.CanPause, func(s *modelSession, now time.Time) {
		if !s.paused && s.work != nil {
			s.work.left = s.work.due.Sub(now)
		}
		s.paused = true
		v.note(halted{s.id})
	})
}

func (v *modelVendor) resume(ctx context.Context, in activities.SessionInput) error {
	return v.command(ctx, in, &v.plan.Resumes, v.plan.CanPause, func(s *modelSession, now time.Time) {
		if s.paused && s.work != nil {
			s.work.due = now.Add(s.work.left)
		}
		s.paused = false
		v.note(halted{})
	})
}

func (v *modelVendor) stop(ctx context.Context, in activities.SessionInput) error {
	err := v.command(ctx, in, &v.plan.Stops, true, func(s *modelSession, _ time.Time) { s.work = nil })
	if activities.IsType(err, activities.ErrTypeSessionGone) {
		return v.reply(ctx, nil, nil)
	}
	return err
}

func (v *modelVendor) command(ctx context.Context, in activities.SessionInput, fates *[]callFate, can bool,
	do func(*modelSession, time.Time)) error {
	v.Lock()
	defer v.Unlock()
	s := v.session(in.SessionID)
	s.catchUp(v.env.Now())
	fate := next(fates, well)
	switch {
	case !can:
		return v.reply(ctx, nil, final(activities.ErrTypeUnsupported))
	case s.gone || s.deleted:
		return v.reply(ctx, nil, final(activities.ErrTypeSessionGone))
	case fate == away:
		return v.reply(ctx, nil, awayError())
	case fate == refused:
		return v.reply(ctx, nil, final(activities.ErrTypeInvalidRequest))
	}
	do(s, v.env.Now())
	if fate == lost {
		return v.reply(ctx, nil, lostError())
	}
	return v.reply(ctx, nil, nil)
}
