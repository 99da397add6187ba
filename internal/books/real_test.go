package books

import (
	"context"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/errand-dev/errand/apiclient/agi"
	"github.com/errand-dev/errand/sessionserver"
	"github.com/errand-dev/errand/sessionserver/faults"
	"github.com/errand-dev/errand/sessionserver/truth"
	"github.com/errand-dev/errand/starter"
	"github.com/errand-dev/errand/workflows"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 20 * time.Second

// serve runs a session server that writes a truth log, until stop.
func serve(t *testing.T, dir, log string, plan *faults.Plan) (api *agi.Client, stop func()) {
	t.Helper()
	server, err := sessionserver.New(sessionserver.Config{
		Dir: dir, Truth: log, Faults: plan, Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	api, err = agi.New(agi.Config{BaseURL: "http://" + l.Addr().String()})
	require.NoError(t, err)
	return api, func() {
		api.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		require.NoError(t, server.Close(ctx))
		require.NoError(t, <-served)
	}
}

// worker does agent tasks by hand. A careful one looks before it sends a
// message again.
type worker struct {
	t       *testing.T
	api     *agi.Client
	careful bool
}

// begin creates a session, again if need be, and sends the task's prompt.
func (w worker) begin(id, prompt string) *starter.AgentTask {
	w.t.Helper()
	session, err := w.api.CreateSession(w.t.Context(), agi.CreateSessionRequest{AgentName: "script"})
	if err != nil {
		session, err = w.api.CreateSession(w.t.Context(), agi.CreateSessionRequest{AgentName: "script"})
	}
	require.NoError(w.t, err)
	task := &starter.AgentTask{
		ID: id, Prompt: prompt, Status: workflows.StatusRunning, SessionsCreated: 1,
		Session: &workflows.Session{ID: session.SessionID},
		Input:   workflows.AgentTaskInput{TaskID: id},
	}
	w.send(task, prompt)
	return task
}

func (w worker) send(task *starter.AgentTask, text string) {
	w.t.Helper()
	task.Turns++
	_, err := w.api.SendMessage(w.t.Context(), task.Session.ID, agi.SendMessageRequest{Message: text})
	if err == nil || (w.careful && w.said(task, agi.MessageUser, text).ID > 0) {
		return
	}
	_, err = w.api.SendMessage(w.t.Context(), task.Session.ID, agi.SendMessageRequest{Message: text})
	require.NoError(w.t, err)
}

// said gives a message of that type, and of that text if one is given.
func (w worker) said(task *starter.AgentTask, kind agi.MessageType, text string) agi.Message {
	w.t.Helper()
	list, err := w.api.Messages(w.t.Context(), task.Session.ID, agi.MessagesOptions{})
	require.NoError(w.t, err)
	i := slices.IndexFunc(list.Messages, func(m agi.Message) bool { return m.Type == kind && (text == "" || m.Text() == text) })
	if i < 0 {
		return agi.Message{}
	}
	return list.Messages[i]
}

func (w worker) await(task *starter.AgentTask, kind agi.MessageType) (m agi.Message) {
	w.t.Helper()
	require.Eventually(w.t, func() bool {
		m = w.said(task, kind, "")
		return m.ID > 0
	}, patience, 5*time.Millisecond)
	return m
}

// complete answers the task's question and sees it to its end.
func (w worker) complete(task *starter.AgentTask, answer string) {
	w.t.Helper()
	w.await(task, agi.MessageQuestion)
	task.Answers = append(task.Answers, workflows.Answer{QuestionID: "q-1", Text: answer})
	w.send(task, answer)
	task.Result = w.await(task, agi.MessageDone).Content
	task.Status = workflows.StatusCompleted
	_, err := w.api.DeleteSession(w.t.Context(), task.Session.ID, agi.DeleteOptions{})
	require.NoError(w.t, err)
	task.Session.Deleted = true
}

// reap deletes what is left.
func (w worker) reap() (ids []string) {
	w.t.Helper()
	left, err := w.api.ListSessions(w.t.Context())
	require.NoError(w.t, err)
	for _, s := range left.Sessions {
		_, err := w.api.DeleteSession(w.t.Context(), s.SessionID, agi.DeleteOptions{})
		require.NoError(w.t, err)
		ids = append(ids, s.SessionID)
	}
	return ids
}

// rehearse does two tasks over a restart of the server, while the answers to
// the first create and to the first answer are lost.
func rehearse(t *testing.T, careful bool) Run {
	t.Helper()
	plan, err := faults.New(faults.Config{Rules: []faults.Rule{
		{On: []string{"create"}, Fault: faults.LostAfter, Times: 1},
		{On: []string{"message"}, Fault: faults.LostAfter, Skip: 2, Times: 1},
	}})
	require.NoError(t, err)
	dir, path := t.TempDir(), filepath.Join(t.TempDir(), "truth.jsonl")
	api, stop := serve(t, dir, path, plan)
	w := worker{t, api, careful}
	first := w.begin("first", "ask First?\nfinish {\"got\": \"{{answer}}\"}")
	second := w.begin("second", "ask Second?\nfinish {\"got\": \"{{answer}}\"}")
	stop()
	w.api, stop = serve(t, dir, path, plan)
	w.complete(first, "one")
	w.complete(second, "two")
	reaped := w.reap()
	stop()
	log, err := truth.Read(path)
	require.NoError(t, err)
	return Run{
		Log: log, Tasks: []starter.AgentTask{*first, *second}, Reaped: reaped, Faults: []string{string(faults.LostAfter)},
		Scripts: map[string]Script{
			"first":  {Status: workflows.StatusCompleted, Result: []byte(`{"got":"one"}`)},
			"second": {Status: workflows.StatusCompleted, Result: []byte(`{"got":"two"}`)},
		},
	}
}

func TestACarefulWorkerKeepsEveryPromise(t *testing.T) {
	run := rehearse(t, true)
	books, violations := run.Check()
	require.Empty(t, violations)
	require.Equal(t, Books{
		Tasks:    map[workflows.Status]int{workflows.StatusCompleted: 2},
		Sessions: map[Fate]int{ByTask: 2, Reaped: 1},
		Orphans:  1,
		Messages: 4, Questions: 2, Results: 2,
		Faults: map[string]int{"lost-after": 2},
		Starts: 2,
	}, books)

	run.Reaped = []string{}
	run.Tasks[1].Result = run.Tasks[0].Result
	_, violations = run.Check()
	var broken []Promise
	for _, v := range violations {
		broken = append(broken, v.Promise)
	}
	require.Equal(t, []Promise{NoneLeft, DoneAsSaid, AsScripted}, broken)
}

func TestACarelessWorkerIsFoundOut(t *testing.T) {
	_, violations := rehearse(t, false).Check()
	require.NotEmpty(t, violations)
	require.Equal(t, SentOnce, violations[0].Promise)
	require.Contains(t, violations[0].Text, `of task first got a message 2 times: "one"`)
}
