package books

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/errand-dev/errand/activities"
	"github.com/errand-dev/errand/sessionserver/truth"
	"github.com/errand-dev/errand/starter"
	"github.com/errand-dev/errand/workflows"
)

// run is a run with its tasks and sessions brought together.
type run struct {
	Run
	tasks    []*task
	sessions []*session // that were created, in this order
	reaped   map[string]bool
}

// task is a task's account, and the sessions that are its own.
type task struct {
	starter.AgentTask
	sessions []*session
	session  *session // the one that the account names, if the log knows it
}

// session is what the log tells of a session, and whose it is.
type session struct {
	*truth.Session
	task *task // nil: an orphan
}

// relate brings sessions to the tasks that they were made for.
func relate(r Run) *run {
	run := &run{Run: r, reaped: map[string]bool{}}
	for _, id := range r.Reaped {
		run.reaped[id] = true
	}
	byID := map[string]*session{}
	for _, told := range r.Log.Sessions() {
		if len(told.Of(truth.Created)) > 0 { // of one from before the log there may be a snapshot
			s := &session{Session: told}
			run.sessions = append(run.sessions, s)
			byID[s.ID] = s
		}
	}
	byPrompt := map[string]*task{}
	for _, account := range r.Tasks {
		t := &task{AgentTask: account}
		run.tasks = append(run.tasks, t)
		byPrompt[t.Prompt] = t
		if t.Session != nil {
			t.session = byID[t.Session.ID]
			t.own(t.session)
		}
		for _, given := range t.Restarts {
			t.own(byID[given.SessionID])
		}
	}
	for _, s := range run.sessions {
		if sent := s.Of(truth.Message); len(sent) > 0 {
			byPrompt[sent[0].Text].own(s)
		}
	}
	return run
}

// own gives the session to the task, if there are both and it has none yet.
func (t *task) own(s *session) {
	if t != nil && s != nil && s.task == nil {
		s.task = t
		t.sessions = append(t.sessions, s)
	}
}

func (r *run) books() Books {
	b := Books{
		Tasks:    map[workflows.Status]int{},
		Sessions: map[Fate]int{},
		Faults:   map[string]int{},
		Starts:   len(r.Log.Of(truth.Started)),
	}
	for _, t := range r.tasks {
		b.Tasks[t.Status]++
	}
	for _, f := range r.Log.Of(truth.Fault) {
		b.Faults[f.Fault]++
	}
	for _, s := range r.sessions {
		b.Sessions[r.fate(s)]++
		if s.task == nil {
			b.Orphans++
		}
		b.Messages += len(s.Of(truth.Message))
		b.Questions += len(s.Of(truth.Question))
		b.Results += len(s.Of(truth.Done))
	}
	return b
}

// fate is what became of a session.
func (r *run) fate(s *session) Fate {
	deleted := s.Of(truth.Deleted)
	switch {
	case len(deleted) == 0:
		return Open
	case deleted[0].By == truth.ByVanish:
		return Vanished
	case deleted[0].By == truth.ByAge:
		return Aged
	case r.reaped[s.ID]:
		return Reaped
	case s.task != nil:
		return ByTask
	}
	return ByOthers
}

func (s *session) String() string {
	if s.task == nil {
		return "orphan " + s.ID
	}
	return fmt.Sprintf("session %s of task %s", s.ID, s.task.ID)
}

// find gives the position of the first fact of some kinds behind a position,
// the number of facts if there is none.
func (s *session) find(after int, kinds ...truth.Kind) int {
	for i := after + 1; i < len(s.Facts); i++ {
		if slices.Contains(kinds, s.Facts[i].Kind) {
			return i
		}
	}
	return len(s.Facts)
}

// messages counts the messages between two positions by their text.
func (s *session) messages(after, before int) map[string]int {
	counts := map[string]int{}
	for i := after + 1; i < before; i++ {
		if s.Facts[i].Kind == truth.Message {
			counts[s.Facts[i].Text]++
		}
	}
	return counts
}

// completed says that the task was told to be done.
func (t *task) completed() bool { return t.Status == workflows.StatusCompleted }

// lost says that the task found its session gone while it was at work.
func (t *task) lost() bool { return t.Error != nil && t.Error.Type == activities.ErrTypeSessionGone }

// restarted says that the task had other sessions before the one that its
// account names.
func (t *task) restarted() bool { return len(t.Restarts) > 0 }

// gaveUp says that the task started again because of the session.
func (t *task) gaveUp(s *session) bool {
	return slices.ContainsFunc(t.Restarts, func(r workflows.Restart) bool { return r.SessionID == s.ID })
}

// followUps are the messages after the first that are no answers; ok says that
// they are known.
func (r *run) followUps(t *task) (texts []string, ok bool) {
	if script, ok := r.Scripts[t.ID]; ok && len(script.FollowUps) > 0 {
		return script.FollowUps, true
	}
	return t.Input.FollowUps, t.Input.TaskID != ""
}

// digest is the hash of a task's result, as the log has it.
func digest(result json.RawMessage) string {
	if len(result) == 0 {
		result = json.RawMessage("null")
	}
	sum, err := truth.Digest(result)
	if err != nil {
		return "no JSON: " + err.Error()
	}
	return sum
}
