package everruns

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"github.com/errand-dev/errand/sessionserver/internal/sessions"
)

// task is a piece of background work. Here there is one for each turn whose
// agent asks by a task.
type task struct {
	ID           string        `json:"id"`
	SessionID    string        `json:"session_id"`
	Kind         string        `json:"kind"`
	State        string        `json:"state"`
	InputRequest *inputRequest `json:"input_request"`
	Error        *taskError    `json:"error"`
	CreatedAt    string        `json:"created_at"`
	UpdatedAt    string        `json:"updated_at"`

	messages []taskMessage
}

type inputRequest struct {
	ID     string `json:"id"`
	Prompt string `json:"prompt"`
}

type taskError struct {
	Kind    string `json:"kind"`
	Message string `json:"message"`
}

type taskMessage struct {
	ID        string `json:"id"`
	Role      string `json:"role"`
	Text      string `json:"text"`
	InReplyTo string `json:"in_reply_to,omitempty"`
	CreatedAt string `json:"created_at"`
}

// await asks for input with the task of the turn.
func (t *timeline) await(at time.Time, in inputRequest) {
	k := t.turn.task
	name := "task.updated"
	if k == nil {
		name = "task.created"
		k = &task{ID: taskID.at(at, t.id, t.entries), SessionID: t.id, Kind: "agent", CreatedAt: timestamp(at)}
		t.turn.task, t.tasks = k, append(t.tasks, k)
	}
	k.State, k.InputRequest, k.UpdatedAt = "awaiting_input", &in, timestamp(at)
	asked := taskMessage{ID: messageID.at(at, t.id, "task", t.entries), Role: "agent", Text: in.Prompt, CreatedAt: timestamp(at)}
	k.messages = append(k.messages, asked)
	t.tell(at, name, data{"task_id": k.ID, "task": *k})
	t.tell(at, "task.message.sent", data{"task_id": k.ID, "message": asked})
}

// taskAnswered lets the task of the turn go on.
func (t *timeline) taskAnswered(at time.Time, m taskMessage) {
	t.asked = nil
	t.reopen(at)
	if k := t.turn.task; k != nil {
		k.messages = append(k.messages, m)
		k.State, k.InputRequest, k.UpdatedAt = "running", nil, timestamp(at)
		t.tell(at, "task.message.received", data{"task_id": k.ID, "message": m})
		t.tell(at, "task.updated", data{"task_id": k.ID, "task": *k})
	}
	t.reason(at)
}

// answered is a user's message to a task as the API has it.
func answered(session string, e sessions.Event, m taskMessage) taskMessage {
	m.ID, m.Role, m.CreatedAt = messageID.at(e.At, session, e.Message.ID), "user", timestamp(e.At)
	return m
}

// closeTask ends the task of a turn that ends.
func (t *timeline) closeTask(at time.Time, how string, d data) {
	k := t.turn.task
	if k == nil {
		return
	}
	k.InputRequest, k.UpdatedAt = nil, timestamp(at)
	switch how {
	case "turn.completed":
		k.State = "succeeded"
	case "turn.cancelled":
		k.State = "canceled"
	default:
		k.State = "failed"
		text, _ := d["error"].(string)
		k.Error = &taskError{Kind: "agent_error", Message: text}
	}
	t.tell(at, "task.updated", data{"task_id": k.ID, "task": *k})
}

// task finds the task that a request is about.
func (f *Face) task(h func(http.ResponseWriter, *http.Request, *sessions.Session, *timeline, *task)) func(http.ResponseWriter, *http.Request, *sessions.Session) {
	return func(w http.ResponseWriter, r *http.Request, s *sessions.Session) {
		id := r.PathValue("task")
		if err := f.checkID(taskID, id); err != nil {
			f.fail(w, r, err)
			return
		}
		t := timelineOf(s)
		at := slices.IndexFunc(t.tasks, func(k *task) bool { return k.ID == id })
		if at < 0 {
			f.tell(w, r, wrong{http.StatusNotFound, "Task not found", "not_found"})
			return
		}
		h(w, r, s, t, t.tasks[at])
	}
}

func (f *Face) listTasks(w http.ResponseWriter, _ *http.Request, s *sessions.Session) {
	tasks := timelineOf(s).tasks
	writeJSON(w, http.StatusOK, listBody[*task]{append([]*task{}, tasks...)})
}

// allTasks lists the tasks of all sessions, the latest first.
func (f *Face) allTasks(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	limit, err := number(q, "limit", 100, 1, 500)
	if err != nil {
		f.fail(w, r, err)
		return
	}
	all := []*task{}
	for _, s := range f.Owned(r) {
		for _, k := range timelineOf(s).tasks {
			if cmp.Or(q.Get("state"), k.State) == k.State && cmp.Or(q.Get("kind"), k.Kind) == k.Kind {
				all = append(all, k)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b *task) int { return cmp.Compare(b.CreatedAt, a.CreatedAt) })
	writeJSON(w, http.StatusOK, listBody[*task]{all[:min(limit, len(all))]})
}

func (f *Face) showTask(w http.ResponseWriter, _ *http.Request, _ *sessions.Session, _ *timeline, k *task) {
	writeJSON(w, http.StatusOK, k)
}

func (f *Face) taskMessages(w http.ResponseWriter, _ *http.Request, _ *sessions.Session, _ *timeline, k *task) {
	writeJSON(w, http.StatusOK, listBody[taskMessage]{k.messages})
}

// cancelTask cancels the turn of a task that goes on; another one stays as it is.
func (f *Face) cancelTask(w http.ResponseWriter, r *http.Request, s *sessions.Session, t *timeline, k *task) {
	if t.turn != nil && t.turn.task == k {
		if err := s.Cancel(); err != nil {
			f.fail(w, r, err)
			return
		}
	}
	f.task(f.showTask)(w, r, s)
}

// answerTask takes the answer to what a task asks for.
func (f *Face) answerTask(w http.ResponseWriter, r *http.Request, s *sessions.Session, t *timeline, k *task) {
	var req struct {
		Text      string          `json:"text"`
		Content   json.RawMessage `json:"content"`
		InReplyTo string          `json:"in_reply_to"`
	}
	err := f.decode(r, &req)
	if err == nil && req.Text == "" {
		req.Text, err = f.textOf(req.Content)
	}
	switch {
	case err != nil:
	case k.InputRequest == nil || t.asked == nil || t.turn.task != k:
		err = sessions.ErrNotWaiting
	case req.InReplyTo != "" && req.InReplyTo != k.InputRequest.ID:
		err = wrong{http.StatusConflict, "in_reply_to is not what the task asks for now", "not_waiting"}
	}
	m := taskMessage{Text: req.Text, InReplyTo: req.InReplyTo}
	var told sessions.Event
	if err == nil {
		told, err = reply(s, t.asked.message, req.Text, messageNote{TaskMessage: &m})
	}
	if err != nil {
		f.fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusCreated, answered(s.ID, told, m))
}
