package books

import (
	"fmt"
	"maps"
	"slices"

	"github.com/errand-dev/errand/sessionserver/truth"
	"github.com/errand-dev/errand/workflows"
)

// noneLeft: created = deleted by their task + reaped + vanished. A session that
// the server ended for its age was left behind as well, unless its task lost it
// that way.
func noneLeft(r *run, report report) {
	for _, s := range r.sessions {
		switch r.fate(s) {
		case Open:
			report("%v is still there", s)
		case Aged:
			if s.task == nil || !s.task.lost() {
				report("%v was left to end by its age", s)
			}
		case ByOthers:
			if r.Reaped != nil {
				report("%v was deleted, and the reaper does not say that it was it", s)
			}
		}
	}
	gone := map[string]bool{}
	for _, f := range r.Log.Of(truth.Deleted) {
		gone[f.Session] = true
	}
	for _, id := range r.Reaped {
		if !gone[id] {
			report("the reaper says that it deleted session %s, and nobody did", id)
		}
	}
}

// oneSpoken: what a lost answer to a create leaves behind never got a message.
// Only sessions that the task has given up, and says so, got one besides.
func oneSpoken(r *run, report report) {
	for _, s := range r.sessions {
		if sent := s.Of(truth.Message); s.task == nil && len(sent) > 0 {
			report("%v got a message, and no task says to have sent it: %q", s, sent[0].Text)
		}
	}
	for _, t := range r.tasks {
		var spoken []string
		for _, s := range t.sessions {
			if len(s.Of(truth.Message)) > 0 && !t.gaveUp(s) {
				spoken = append(spoken, s.ID)
			}
		}
		if len(spoken) > 1 {
			report("task %s spoke to %d sessions: %v", t.ID, len(spoken), spoken)
		}
	}
}

// sentOnce: the goal, the answers and the follow-ups, each once. Of a task that
// was ended from outside one message may be on its way.
func sentOnce(r *run, report report) {
	for _, t := range r.tasks {
		for _, s := range t.sessions {
			sent := s.messages(-1, len(s.Facts))
			want := wanted(r, t, s)
			for _, text := range slices.Sorted(maps.Keys(sent)) {
				switch n := sent[text]; {
				case want != nil && want[text] == 0:
					report("%v got a message that is none of the task's: %q", s, text)
				case n > max(1, want[text]):
					report("%v got a message %d times: %q", s, n, text)
				}
			}
			for _, text := range slices.Sorted(maps.Keys(want)) {
				if t.completed() && sent[text] < want[text] {
					report("%v never got a message of the completed task: %q", s, text)
				}
			}
		}
		if t.session == nil {
			continue
		}
		n := 0
		for _, s := range t.sessions {
			n += len(s.Of(truth.Message))
		}
		// The last message of a session that was given up, or of a task that was
		// ended from outside, may not have arrived, or not be counted yet.
		ended := 0
		if !t.completed() {
			ended = 1
		}
		if n < t.Turns-len(t.Restarts)-ended || n > t.Turns+ended {
			report("task %s sent %d messages in %d turns", t.ID, n, t.Turns)
		}
	}
}

// wanted counts the messages that a session of the task is to get, by text; nil
// if they are not known.
func wanted(r *run, t *task, s *session) map[string]int {
	followUps, known := r.followUps(t)
	if !known || s != t.session || t.restarted() {
		return nil
	}
	want := map[string]int{t.Prompt: 1}
	for _, a := range t.Answers {
		want[a.Text]++
	}
	for _, text := range followUps {
		want[text]++
	}
	return want
}

// answeredOnce: between its question and the next one. The last answer of a
// task that was ended from outside may not have been sent.
func answeredOnce(r *run, report report) {
	for _, t := range r.tasks {
		if t.restarted() {
			answeredAcross(t, report)
			continue
		}
		if t.session == nil {
			continue
		}
		for i, a := range t.Answers {
			asked, next, ok := t.session.question(a.QuestionID)
			if !ok {
				report("%v: %s was answered and never asked", t.session, a.QuestionID)
				continue
			}
			n := t.session.messages(asked, next)[a.Text]
			unsent := n == 0 && !t.completed() && i == len(t.Answers)-1
			if n != 1 && !unsent {
				report("%v: the answer to %s was delivered %d times after its question: %q", t.session, a.QuestionID, n, a.Text)
			}
		}
	}
}

// answeredAcross: of a task that started again, it is not known which session
// asked what. Each answer was delivered once, but for the last one of each
// session that died.
func answeredAcross(t *task, report report) {
	accepted, delivered := map[string]int{}, map[string]int{}
	for _, a := range t.Answers {
		accepted[a.Text]++
	}
	for _, s := range t.sessions {
		for text, n := range s.messages(-1, len(s.Facts)) {
			delivered[text] += n
		}
	}
	missing := 0
	for _, text := range slices.Sorted(maps.Keys(accepted)) {
		if delivered[text] > accepted[text] {
			report("task %s: an answer that was accepted %d times was delivered %d times: %q", t.ID, accepted[text], delivered[text], text)
		}
		missing += max(0, accepted[text]-delivered[text])
	}
	if missing > len(t.Restarts)+1 || (t.completed() && missing > len(t.Restarts)) {
		report("task %s: %d answers were accepted and never delivered", t.ID, missing)
	}
}

// question gives the positions of a question, q-1 or q-2 and so on, and of the
// one after it.
func (s *session) question(id string) (asked, next int, ok bool) {
	var n int
	if _, err := fmt.Sscanf(id, "q-%d", &n); err != nil || n < 1 {
		return 0, 0, false
	}
	asked = -1
	for range n {
		asked = s.find(asked, truth.Question)
	}
	return asked, s.find(asked, truth.Question), asked < len(s.Facts)
}

// notTooEarly: done comes before the delete, and nothing comes after it. A
// snapshot that a task tells of was kept.
func notTooEarly(r *run, report report) {
	for _, s := range r.sessions {
		gone := s.find(-1, truth.Deleted)
		for _, f := range s.Facts[min(gone+1, len(s.Facts)):] {
			report("%v was deleted, and then there was %q", s, f.Kind)
		}
	}
	for _, t := range r.tasks {
		s := t.session
		if s == nil {
			continue
		}
		gone := s.find(-1, truth.Deleted)
		if t.completed() && gone < s.find(-1, truth.Done) {
			report("%v was deleted before it was done, and the task is completed", s)
		}
		if t.lost() && gone < len(s.Facts) && s.Facts[gone].By == truth.ByClient {
			report("%v was deleted by a client while the task was at work", s)
		}
		if t.Snapshot != nil && !kept(s, string(t.Snapshot.Mode)) {
			report("%v has no snapshot of its %s, and the task says so", s, t.Snapshot.Mode)
		}
	}
}

func kept(s *session, mode string) bool {
	return slices.ContainsFunc(s.Of(truth.Snapshot), func(f truth.Fact) bool { return f.Mode == mode })
}

// doneAsSaid: the last outcome in the session is the result of the task.
func doneAsSaid(r *run, report report) {
	for _, t := range r.tasks {
		switch {
		case !t.completed():
			continue
		case t.session == nil:
			report("task %s is completed, and its session is none that was created", t.ID)
			continue
		}
		outcomes := t.session.Of(truth.Message, truth.Question, truth.Done, truth.Failed, truth.Cancelled)
		if len(outcomes) == 0 {
			report("%v: the task is completed, and nothing was ever done", t.session)
			continue
		}
		switch last := outcomes[len(outcomes)-1]; {
		case last.Kind != truth.Done:
			report("%v: the task is completed, and the last thing there is %q", t.session, last.Kind)
		case last.SHA256 != digest(t.Result):
			report("%v finished with another result than the task has: %s", t.session, t.Result)
		}
	}
}

// allEnded: when all has come to rest, tasks too.
func allEnded(r *run, report report) {
	for _, t := range r.tasks {
		if !t.Status.Closed() {
			report("task %s is still %s", t.ID, t.Status)
		}
	}
}

// asScripted: each script's task is there and ended as it had to.
func asScripted(r *run, report report) {
	tasks := map[string]*task{}
	for _, t := range r.tasks {
		if tasks[t.ID] != nil {
			report("there are two accounts of task %s", t.ID)
		}
		tasks[t.ID] = t
	}
	for _, id := range slices.Sorted(maps.Keys(r.Scripts)) {
		script, t := r.Scripts[id], tasks[id]
		if t == nil {
			report("there is no account of task %s", id)
			continue
		}
		if t.Status != script.Status {
			report("task %s is %s, not %s%s", id, t.Status, script.Status, because(t.Error))
		}
		if script.Error != "" && (t.Error == nil || t.Error.Type != script.Error) {
			report("task %s has no error %s%s", id, script.Error, because(t.Error))
		}
		if script.Result != nil && digest(t.Result) != digest(script.Result) {
			report("task %s has the result %s, not %s", id, t.Result, script.Result)
		}
	}
}

func because(e *workflows.TaskError) string {
	if e == nil {
		return ""
	}
	return fmt.Sprintf(" (%s: %s)", e.Type, e.Message)
}

// honestAccount: the session of an account is there, its own, gone if it says
// so, and counted with all others that got the task's messages.
func honestAccount(r *run, report report) {
	owner := map[string]string{}
	for _, t := range r.tasks {
		if t.Session == nil {
			continue
		}
		if other, taken := owner[t.Session.ID]; taken {
			report("tasks %s and %s have the same session %s", other, t.ID, t.Session.ID)
		}
		owner[t.Session.ID] = t.ID
		switch {
		case t.session == nil:
			report("task %s has the session %s, which was never created", t.ID, t.Session.ID)
		case t.Session.Deleted && len(t.session.Of(truth.Deleted)) == 0:
			report("%v is deleted, says the task, and it is not", t.session)
		}
		if t.SessionsCreated < len(t.sessions) {
			report("task %s created %d sessions, says its account, and at least %d were", t.ID, t.SessionsCreated, len(t.sessions))
		}
	}
}

// somethingToSee: a run in which nothing happened proves nothing.
func somethingToSee(r *run, report report) {
	b := r.books()
	for _, counted := range []struct {
		what string
		n    int
	}{{"tasks", len(r.tasks)}, {"sessions", len(r.sessions)}, {"messages", b.Messages}, {"starts of the session server", b.Starts}} {
		if counted.n == 0 {
			report("there were no %s", counted.what)
		}
	}
	for _, kind := range r.Faults {
		if b.Faults[kind] == 0 {
			report("no fault %s fired", kind)
		}
	}
}
