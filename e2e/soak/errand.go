package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/errand-dev/errand/internal/books"
	"github.com/errand-dev/errand/provider"
	"github.com/errand-dev/errand/starter"
	"github.com/errand-dev/errand/workflows"
)

// errand is one task of a run: what it is told, and how it must end. All its
// texts are its own.
type errand struct {
	input   workflows.AgentTaskInput
	status  workflows.Status
	result  string // JSON, if it completes
	failure string // type of its error, if it does not
	cancel  time.Duration
	sticks  bool // its workflow may have been stuck: older code has seen it
}

// newErrand is the i-th task of a run.
func newErrand(o options, i int) errand {
	random := o.stream(firstTask + uint64(i))
	id := fmt.Sprintf("t-%d", i)
	e := errand{status: workflows.StatusCompleted}
	questions := random.IntN(3)
	var steps []string
	for q := range questions {
		steps = append(steps, fmt.Sprintf("think %s is about to ask; wait %s; ask %s question %d?", id, someTime(random), id, q))
	}
	last := ""
	if questions > 0 {
		last = answerTo(id, questions-1)
	}
	e.result = fmt.Sprintf(`{"task":%q,"answer":%q}`, id, last)
	ending := fmt.Sprintf(`wait %s; finish {"task":%q,"answer":"{{answer}}"}`, someTime(random), id)
	if questions == 0 {
		ending = fmt.Sprintf(`wait %s; finish %s`, someTime(random), e.result)
	}
	e.input = workflows.AgentTaskInput{
		TaskID: id, Connection: connection, Agent: "script",
		HeartbeatTimeout: heartbeat, StallTimeout: 30 * time.Second, MaxRestarts: 5,
	}
	switch random.IntN(20) {
	case 0: // the agent gives up
		ending = fmt.Sprintf("fail %s cannot", id)
		e.status, e.failure = workflows.StatusFailed, workflows.ErrTypeAgentError
	case 1: // somebody changes their mind
		ending = "wait 1h; " + ending
		e.cancel = someTime(random)
		e.status = workflows.StatusCancelled
	case 2, 3:
		e.input.FollowUps = []string{fmt.Sprintf(`finish {"task":%q,"answer":"more"}`, id)}
		e.result = fmt.Sprintf(`{"task":%q,"answer":"more"}`, id)
	case 4, 5:
		e.input.Snapshot.Mode = provider.SnapshotFilesystem
	}
	e.input.Prompt = strings.Join(append(steps, ending), "; ")
	return e
}

func someTime(random *rand.Rand) time.Duration {
	return time.Duration(50+random.IntN(1500)) * time.Millisecond
}

// answerTo is what a task's n-th question is answered.
func answerTo(id string, n int) string { return fmt.Sprintf("%s answer %d", id, n) }

// script is the errand for the books.
func (e errand) script() books.Script {
	s := books.Script{Status: e.status, Error: e.failure, FollowUps: e.input.FollowUps}
	if e.status == workflows.StatusCompleted {
		s.Result = json.RawMessage(e.result)
	}
	return s
}

// run sees one errand through, as a patient user would: whatever breaks on the
// way is tried again.
func (s *stage) run(ctx context.Context, e errand) (starter.AgentTask, error) {
	id := e.input.TaskID
	if e.cancel > 0 {
		ctx, ended := context.WithCancel(ctx)
		defer ended()
		go s.cancel(ctx, e)
	}
	for {
		err := patiently(ctx, func() error {
			_, err := s.client.StartAgentTask(ctx, e.input)
			return err
		})
		if err != nil {
			return starter.AgentTask{}, fmt.Errorf("start %s: %w", id, err)
		}
		task, err := s.follow(ctx, id)
		if !s.unknown(err) {
			return task, err
		}
	}
}

// cancel cancels a task after a while, and again where that may get lost.
func (s *stage) cancel(ctx context.Context, e errand) {
	for again := true; again; again = s.powerCuts {
		select {
		case <-time.After(e.cancel):
			_ = patiently(ctx, func() error { return s.client.Cancel(ctx, e.input.TaskID) })
		case <-ctx.Done():
			return
		}
	}
}

// follow answers a task's questions until it has ended.
func (s *stage) follow(ctx context.Context, id string) (task starter.AgentTask, err error) {
	err = patiently(ctx, func() error {
		ctx, cancel := ctx, context.CancelFunc(func() {})
		if s.powerCuts {
			ctx, cancel = context.WithTimeout(ctx, glance)
		}
		defer cancel()
		task, err = s.client.Follow(ctx, id, func(now starter.AgentTask) error { return s.answer(ctx, now) })
		return err
	})
	if err != nil {
		err = fmt.Errorf("follow %s: %w", id, err)
	}
	return task, err
}

// answer answers the open question of a task, if there is one. Two people do
// at times, and the second is refused.
func (s *stage) answer(ctx context.Context, now starter.AgentTask) error {
	q := now.Question
	if q == nil {
		return nil
	}
	var n int
	if _, err := fmt.Sscanf(q.Text, now.ID+" question %d?", &n); err != nil {
		return fmt.Errorf("task %s asks what nobody made it ask: %q", now.ID, q.Text)
	}
	in := workflows.AnswerInput{QuestionID: q.ID, Text: answerTo(now.ID, n), By: "one", ID: now.ID + q.ID}
	for range 2 { // sent again it is still one answer
		err := patiently(ctx, func() error {
			_, err := s.client.Answer(ctx, now.ID, in)
			return err
		})
		if _, refused := errors.AsType[*starter.RefusedError](err); err != nil && !refused {
			return err
		}
	}
	return nil
}

// patiently tries again for as long as there is time, but for what trying again
// cannot change.
func patiently(ctx context.Context, try func() error) error {
	for {
		err := try()
		_, refused := errors.AsType[*starter.RefusedError](err)
		_, invalid := errors.AsType[*starter.InvalidInputError](err)
		if err == nil || refused || invalid || errors.Is(err, starter.ErrUnknownTask) || ctx.Err() != nil {
			return err
		}
		select {
		case <-time.After(500 * time.Millisecond):
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		}
	}
}

// reap lets the reaper work until there is nothing left for it.
func (s *stage) reap(ctx context.Context) error {
	for {
		var report workflows.ReapReport
		err := patiently(ctx, func() (err error) {
			report, err = s.client.Reap(ctx, workflows.ReaperInput{Connection: connection, Grace: time.Second, Recheck: time.Second})
			return err
		})
		switch {
		case err != nil:
			return fmt.Errorf("reap: %w", err)
		case report.Listed == 0:
			return nil
		case report.Orphans == 0 && report.Young == 0:
			return fmt.Errorf("the reaper leaves %d sessions of which nobody knows whose they are", report.Listed)
		}
	}
}
