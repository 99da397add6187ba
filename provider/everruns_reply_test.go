package provider

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/errand-dev/errand/apiclient/everruns"
)

func answered(n int, id, status string) everruns.Event {
	return happened(n, everruns.EventToolCompleted, "turn_1", fmt.Sprintf(`{"tool_call_id":%q,"tool_name":"ask_user","success":true,"status":%q}`, id, status))
}

func TestFindKnowsWhetherAMessageHasReachedEverruns(t *testing.T) {
	const after = "event_0005 seq=5 turn=turn_1"
	awaiting := []everruns.Task{{ID: "task_1", State: everruns.TaskAwaitingInput, InputRequest: &everruns.InputRequest{ID: "r-1"}}}
	plain := Message{Text: "blue", Key: "errand-t-2"}
	tool := Message{Text: "blue", Key: "errand-t-2", ReplyTo: "tool:call_1,call_2"}
	task := Message{Text: "blue", Key: "errand-t-2", ReplyTo: "task:task_1/r-1"}
	asked := requested(5, "turn_1", call("call_1", `{}`)+","+call("call_2", `{}`))

	for name, test := range map[string]struct {
		m        Message
		status   string
		events   []everruns.Event
		messages []string
		tasks    []everruns.Task
		want     Arrival
	}{
		"its key":                            {m: plain, status: "active", events: []everruns.Event{ours(6, "message_2", "errand-t-2", "blue")}, want: Arrived},
		"its key beside other words":         {m: plain, status: "active", events: []everruns.Event{ours(6, "message_2", "errand-t-2", "changed by the vendor")}, want: Arrived},
		"nothing":                            {m: plain, status: "idle", want: Missing},
		"its words under another key":        {m: plain, status: "active", events: []everruns.Event{ours(6, "message_2", "errand-t-1", "blue")}, want: Missing},
		"its words, from someone else":       {m: plain, status: "active", events: []everruns.Event{theirs(6, "message_2", "blue")}, want: Missing},
		"its key before the watermark":       {m: plain, status: "active", events: []everruns.Event{ours(4, "message_2", "errand-t-2", "blue")}, want: Missing},
		"its key on a message without event": {m: plain, status: "active", messages: []string{`{"id":"m","role":"user","content":[],"metadata":{"errand_key":"errand-t-2"}}`}, want: Arrived},
		"another key on a message":           {m: plain, status: "active", messages: []string{`{"id":"m","role":"user","content":[],"metadata":{"errand_key":"errand-t-1"}}`}, want: Missing},
		"no key, its words":                  {m: Message{Text: "blue"}, status: "active", events: []everruns.Event{ours(6, "message_2", "", "blue")}, want: Arrived},
		"no key, other words":                {m: Message{Text: "blue"}, status: "active", events: []everruns.Event{ours(6, "message_2", "", "red")}, want: Missing},

		"an answer, and the session waits":               {m: tool, status: "waitingfortoolresults", events: []everruns.Event{asked}, want: Missing},
		"an answer, and all calls have it":               {m: tool, status: "waitingfortoolresults", events: []everruns.Event{asked, answered(6, "call_1", "success"), answered(7, "call_2", "success")}, want: Arrived},
		"an answer, and one call has it":                 {m: tool, status: "waitingfortoolresults", events: []everruns.Event{asked, answered(6, "call_1", "success")}, want: Missing},
		"an answer, and a typed one has taken its place": {m: tool, status: "waitingfortoolresults", events: []everruns.Event{asked, answered(6, "call_1", "cancelled"), answered(7, "call_2", "cancelled")}, want: Arrived},
		"an answer, and the session goes on":             {m: tool, status: "active", events: []everruns.Event{asked}, want: Arrived},
		"an answer, and the turn is over":                {m: tool, status: "dreaming", events: []everruns.Event{asked, completed(6, "turn_1")}, want: Arrived},
		"an answer, and another turn is over":            {m: tool, status: "waitingfortoolresults", events: []everruns.Event{asked, completed(6, "turn_0")}, want: Missing},
		"an answer that went as a message":               {m: tool, status: "waitingfortoolresults", events: []everruns.Event{asked, ours(6, "message_2", "errand-t-2", "blue")}, want: Arrived},
		"an answer, and a status that nobody knows":      {m: tool, status: "dreaming", events: []everruns.Event{asked}, want: Doubtful},
		"an answer in a session without a budget":        {m: tool, status: "paused", events: []everruns.Event{asked}, want: Doubtful},

		"an answer to a task that asks":               {m: task, status: "active", tasks: awaiting, want: Missing},
		"an answer to a task that goes on":            {m: task, status: "active", tasks: []everruns.Task{{ID: "task_1", State: everruns.TaskRunning}}, want: Arrived},
		"an answer to a task that asks another thing": {m: task, status: "active", tasks: []everruns.Task{{ID: "task_1", State: everruns.TaskAwaitingInput, InputRequest: &everruns.InputRequest{ID: "r-2"}}}, want: Arrived},
		"an answer to a task that is gone":            {m: task, status: "active", want: Doubtful},
	} {
		t.Run(name, func(t *testing.T) {
			stage := &everrunsStage{status: test.status, events: test.events, messages: test.messages, tasks: test.tasks}
			got, err := stage.provider(t).Find(t.Context(), everrunsSID, test.m, after)
			require.NoError(t, err)
			require.Equal(t, test.want, got)
			require.Empty(t, stage.posted())
		})
	}
}

func TestFindingAMessageOfEverrunsFails(t *testing.T) {
	for _, broken := range []string{"GET /events", "GET /messages"} {
		p := (&everrunsStage{refuse: map[string]int{broken: 503}}).provider(t)
		_, err := p.Find(t.Context(), everrunsSID, Message{Text: "go", Key: "k"}, "")
		require.True(t, IsKind(err, ErrorUnavailable), "%v", err)
	}
	for _, replyTo := range []string{"tool:", "tool:a,", "tool:%zz", "task:", "task:a", "question:1", "a"} {
		p := (&everrunsStage{}).provider(t)
		_, err := p.Find(t.Context(), everrunsSID, Message{Text: "go", ReplyTo: replyTo}, "")
		require.True(t, IsKind(err, ErrorInvalid), "%s: %v", replyTo, err)
		err = p.Send(t.Context(), everrunsSID, Message{Text: "go", ReplyTo: replyTo})
		require.True(t, IsKind(err, ErrorInvalid), "%s: %v", replyTo, err)
	}
}

func TestAnAnswerThatIsRefused(t *testing.T) {
	const both = "tool:call_1,call_2"
	asked := requested(5, "turn_1", call("call_1", `{}`)+","+call("call_2", `{}`))
	results := func(ids ...string) string {
		var list []string
		for _, id := range ids {
			list = append(list, fmt.Sprintf(`{"tool_call_id":%q,"result":"blue"}`, id))
		}
		return `POST /tool-results {"tool_results":[` + strings.Join(list, ",") + `]}`
	}
	for name, test := range map[string]struct {
		replyTo string
		refused string
		status  int
		events  []everruns.Event
		tasks   []everruns.Task
		posted  []string
		kind    ErrorKind // empty: no error
	}{
		"because an earlier try was heard": {
			both, "POST /tool-results", 409, []everruns.Event{asked, answered(6, "call_1", "success"), answered(7, "call_2", "success")}, nil,
			[]string{results("call_1", "call_2")}, "",
		},
		"because one call has its result": {
			both, "POST /tool-results", 409, []everruns.Event{asked, answered(6, "call_1", "success")}, nil,
			[]string{results("call_1", "call_2"), results("call_2")}, ErrorBusy, // this vendor refuses that too
		},
		"because the turn was cancelled": {
			both, "POST /tool-results", 409, []everruns.Event{asked, happened(6, everruns.EventTurnCancelled, "", `{"turn_id":"turn_1"}`)}, nil,
			[]string{results("call_1", "call_2")}, "",
		},
		"because the session does not wait yet": {
			both, "POST /tool-results", 409, []everruns.Event{completed(4, "turn_0"), asked}, nil,
			[]string{results("call_1", "call_2")}, ErrorBusy,
		},
		"because the tool wants a form": {
			both, "POST /tool-results", 422, []everruns.Event{asked}, nil,
			[]string{results("call_1", "call_2"), `POST /messages {"message":{"role":"user","content":[{"type":"text","text":"blue"}]},"metadata":{"errand_key":"k"},"tags":["errand-key:k"]}`}, "",
		},
		"because the session is gone": {
			both, "POST /tool-results", 404, nil, nil, []string{results("call_1", "call_2")}, ErrorNotFound,
		},
		"by a task that was answered": {
			"task:task_1/r-1", "POST /tasks/task_1/messages", 409, nil, []everruns.Task{{ID: "task_1", State: everruns.TaskSucceeded}},
			[]string{`POST /tasks/task_1/messages {"text":"blue","in_reply_to":"r-1"}`}, "",
		},
		"by a task that asks": {
			"task:task_1/r-1", "POST /tasks/task_1/messages", 409, nil,
			[]everruns.Task{{ID: "task_1", State: everruns.TaskAwaitingInput, InputRequest: &everruns.InputRequest{ID: "r-1"}}},
			[]string{`POST /tasks/task_1/messages {"text":"blue","in_reply_to":"r-1"}`}, ErrorBusy,
		},
	} {
		t.Run(name, func(t *testing.T) {
			stage := &everrunsStage{status: "active", events: test.events, tasks: test.tasks, refuse: map[string]int{test.refused: test.status}}
			err := stage.provider(t).Send(t.Context(), everrunsSID, Message{Text: "blue", Key: "k", ReplyTo: test.replyTo})
			require.Equal(t, test.posted, stage.posted())
			if test.kind == "" {
				require.NoError(t, err)
				return
			}
			require.True(t, IsKind(err, test.kind), "%v", err)
		})
	}
	t.Run("with a 200 that took none", func(t *testing.T) {
		p := everrunsServer(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost {
				fmt.Fprint(w, `{"accepted":0,"status":"active"}`)
				return
			}
			_ = json.NewEncoder(w).Encode(map[string]any{"data": []everruns.Event{asked}})
		})
		err := p.Send(t.Context(), everrunsSID, Message{Text: "blue", ReplyTo: both})
		require.True(t, IsKind(err, ErrorBusy), "%v", err)
	})
}

// Whatever becomes of the tries to send a message, sending again what Find does
// not see brings it there once.
func TestAMessageOfEverrunsArrivesOnceHoweverItsTriesEnd(t *testing.T) {
	const (
		heard      = iota // stored, and the answer comes
		lostAnswer        // stored, and the connection breaks
		lostCall          // the connection breaks first
		fails
	)
	for plan := range fails * fails * fails {
		for _, replyTo := range []string{"", "tool:call_1", "task:task_1/r-1"} {
			stage := &everrunsStage{status: "idle", tasks: []everruns.Task{{ID: "task_1", State: everruns.TaskRunning}}}
			if replyTo != "" {
				stage.status = "waitingfortoolresults"
				stage.events = []everruns.Event{requested(1, "turn_1", call("call_1", `{}`))}
				stage.tasks[0] = everruns.Task{ID: "task_1", State: everruns.TaskAwaitingInput, InputRequest: &everruns.InputRequest{ID: "r-1"}}
			}
			ways, stored := plan, 0
			p := everrunsServer(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodGet {
					stage.ServeHTTP(w, r)
					return
				}
				_, _ = io.Copy(io.Discard, r.Body)
				stage.mu.Lock()
				defer stage.mu.Unlock()
				way := ways % fails
				ways /= fails
				if way == lostCall {
					panic(http.ErrAbortHandler)
				}
				stored++
				switch {
				case strings.HasSuffix(r.URL.Path, "/tool-results"):
					stage.status = "active"
					stage.events = append(stage.events, answered(2, "call_1", "success"))
				case strings.Contains(r.URL.Path, "/tasks/"):
					stage.tasks[0].State = everruns.TaskRunning
				default:
					stage.events = append(stage.events, ours(3, "message_1", "k", "blue"))
				}
				if way == lostAnswer {
					panic(http.ErrAbortHandler)
				}
				fmt.Fprint(w, `{"id":"message_1","status":"active"}`)
			})
			m := Message{Text: "blue", Key: "k", ReplyTo: replyTo}
			err := p.Send(t.Context(), everrunsSID, m)
			for range 10 {
				if err == nil {
					break
				}
				var e *Error
				require.ErrorAs(t, err, &e)
				require.True(t, e.Pending)
				arrival, findErr := p.Find(t.Context(), everrunsSID, m, "event_0001 seq=1 turn=turn_1")
				require.NoError(t, findErr)
				if arrival == Arrived {
					break
				}
				require.Equal(t, Missing, arrival)
				err = p.Send(t.Context(), everrunsSID, m)
			}
			stage.mu.Lock()
			require.Equal(t, 1, stored, "plan %d, reply to %q", plan, replyTo)
			stage.mu.Unlock()
		}
	}
}
