package provider

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/errand-dev/errand/apiclient/everruns"
)

func TestTheOutcomeOfATurnOfEverrunsIsTheEventOfItsEnd(t *testing.T) {
	const turn, other = "turn_1", "turn_0"
	goal := ours(2, "message_1", "errand-t-1", "go")
	start := began(4, turn, "message_1")
	said := output(7, turn, `{"price":42}`)
	failed := happened(8, everruns.EventTurnFailed, "", `{"turn_id":"turn_1","error":"the model is down","error_code":"llm_error"}`)
	finished := &Outcome{Kind: OutcomeFinished, Text: `{"price":42}`, Result: json.RawMessage(`{"price":42}`), ID: "event_0008"}
	question := call("call_1", `{"question":"Which size?"}`)

	for name, test := range map[string]struct {
		status    string
		after     Watermark
		events    []everruns.Event
		tasks     []everruns.Task
		want      *Outcome
		unsettled bool
		cursor    Watermark
	}{
		"a turn that is completed": {
			status: "idle", events: []everruns.Event{goal, start, said, completed(8, turn), idled(9)},
			want: finished, cursor: "event_0009 seq=9",
		},
		"a turn that is completed while the status is late": {
			status: "active", events: []everruns.Event{goal, start, said, completed(8, turn)},
			want: finished, cursor: "event_0008 seq=8",
		},
		"the last words of the turn count": {
			status: "idle", events: []everruns.Event{goal, start, output(5, turn, "Let me see"), said, completed(8, turn)},
			want: finished, cursor: "event_0008 seq=8",
		},
		"words that were replaced": {
			status: "idle",
			events: []everruns.Event{
				goal, start, output(5, turn, "secret"),
				happened(7, everruns.EventOutputReplaced, turn, `{"message":{"content":[{"type":"text","text":"{\"price\":42}"}]}}`), completed(8, turn),
			},
			want: finished, cursor: "event_0008 seq=8",
		},
		"words in prose": {
			status: "idle", events: []everruns.Event{goal, start, output(7, turn, "It costs 42"), completed(8, turn)},
			want:   &Outcome{Kind: OutcomeFinished, Text: "It costs 42", Result: json.RawMessage(`"It costs 42"`), ID: "event_0008"},
			cursor: "event_0008 seq=8",
		},
		"no words at all": {
			status: "idle", events: []everruns.Event{goal, start, completed(8, turn)},
			want:   &Outcome{Kind: OutcomeFinished, Result: json.RawMessage(`""`), ID: "event_0008"},
			cursor: "event_0008 seq=8",
		},
		"words that were read before": {
			status: "idle", after: "event_0007 seq=7 turn=turn_1", events: []everruns.Event{goal, start, said, completed(8, turn)},
			want: finished, cursor: "event_0008 seq=8",
		},
		"words that were read before, and others since": {
			status: "idle", after: "event_0007 seq=7 turn=turn_1",
			events: []everruns.Event{goal, start, output(7, "", `{"price":42}`), completed(8, turn), output(9, "", "Anything else?")},
			want:   finished, cursor: "event_0009 seq=9",
		},
		"an older server that names turns nowhere but at their ends": {
			status: "idle", events: []everruns.Event{goal, start, output(7, "", `{"price":42}`), completed(8, turn)},
			want: finished, cursor: "event_0008 seq=8",
		},
		"an output message is no success": {
			status: "idle", events: []everruns.Event{goal, start, said}, unsettled: true,
			cursor: "event_0007 seq=7 turn=turn_1 input=message_1",
		},
		"a turn that failed says something too": {
			status: "idle", events: []everruns.Event{goal, start, failed, output(9, turn, "Sorry, something went wrong")},
			want:   &Outcome{Kind: OutcomeFailed, Text: "the model is down (llm_error)", ID: "event_0008"},
			cursor: "event_0009 seq=9",
		},
		"a turn that was cancelled": {
			status: "idle",
			events: []everruns.Event{
				goal, start, happened(5, everruns.EventTurnCancelled, "", `{"turn_id":"turn_1","reason":"user"}`),
				theirs(6, "message_c", "please stop"), output(7, turn, "Work cancelled"), idled(8),
			},
			want:   &Outcome{Kind: OutcomeFailed, Text: "the turn was cancelled: user", ID: "event_0005"},
			cursor: "event_0008 seq=8",
		},
		"a turn that the vendor ended": {
			status: "idle", events: []everruns.Event{goal, start, happened(5, everruns.EventTurnSealed, turn, `{"reason":"no_progress"}`)},
			want:   &Outcome{Kind: OutcomeFailed, Text: "the vendor ended the turn: no_progress", ID: "event_0005"},
			cursor: "event_0005 seq=5",
		},
		"a turn under way": {
			status: "active", events: []everruns.Event{goal, start, happened(5, everruns.EventReasonStarted, turn, `{}`)},
			cursor: "event_0005 seq=5 turn=turn_1 input=message_1",
		},
		"a message whose turn has not begun": {
			status: "idle", events: []everruns.Event{goal}, unsettled: true, cursor: "event_0002 seq=2 input=message_1",
		},
		"a session that was given nothing": {
			status: "started", events: nil, unsettled: true, cursor: "",
		},
		"an idle session in which nothing is new": {
			status: "idle", after: "event_0009 seq=9", events: []everruns.Event{goal, start, said, completed(8, turn), idled(9)},
			unsettled: true, cursor: "event_0009 seq=9",
		},
		"a status that nobody knows": {
			status: "dreaming", events: []everruns.Event{goal, start}, cursor: "event_0004 seq=4 turn=turn_1 input=message_1",
		},
		"a budget that is used up": {
			status: "paused", events: []everruns.Event{goal, start, happened(5, "budget.paused", turn, `{}`)},
			cursor: "event_0005 seq=5 turn=turn_1 input=message_1",
		},
		"the end of an earlier turn behind the watermark": {
			status: "active", after: "event_0001 seq=1",
			events: []everruns.Event{
				happened(1, everruns.EventTurnStarted, "", `{"turn_id":"turn_0","input_message_id":"message_0"}`),
				goal, output(3, other, "old"), completed(4, other), idled(5),
			},
			cursor: "event_0005 seq=5 input=message_1",
		},
		"the end of someone else's turn, and then of ours": {
			status: "idle",
			events: []everruns.Event{
				theirs(1, "message_0", "hi"), goal, began(3, other, "message_0"), output(4, other, "hello"), completed(5, other),
				began(6, turn, "message_1"), said, completed(8, turn),
			},
			want: finished, cursor: "event_0008 seq=8",
		},
		"the end of someone else's turn behind ours": {
			status: "idle",
			events: []everruns.Event{
				goal, start, said, completed(8, turn),
				theirs(9, "message_0", "hi"), began(10, other, "message_0"), output(11, other, "hello"), completed(12, other),
			},
			want: finished, cursor: "event_0012 seq=12",
		},
		"someone else's turn alone": {
			status: "idle", events: []everruns.Event{theirs(1, "message_0", "hi"), began(3, other, "message_0"), output(4, other, "hello"), completed(5, other)},
			unsettled: true, cursor: "event_0005 seq=5",
		},
		"a message that waits behind the turn under way, whose context it bears": {
			status: "active",
			events: []everruns.Event{
				theirs(1, "message_0", "hi"), began(2, other, "message_0"),
				func() everruns.Event {
					e := ours(3, "message_1", "errand-t-1", "go")
					e.Context = everruns.EventContext{TurnID: other, InputMessageID: "message_0"}
					return e
				}(),
				output(4, other, "hello"), completed(5, other),
			},
			cursor: "event_0005 seq=5 input=message_1",
		},
		"a message that is known by its tag alone": {
			status: "idle",
			events: []everruns.Event{
				func() everruns.Event {
					e := theirs(2, "message_1", "go")
					e.Tags = []string{"errand-key:errand-t-1"}
					return e
				}(), start, said, completed(8, turn),
			},
			want: finished, cursor: "event_0008 seq=8",
		},
		"a turn that is known by the context of its events": {
			status: "idle",
			events: []everruns.Event{
				goal,
				func() everruns.Event {
					e := happened(4, everruns.EventReasonStarted, turn, `{}`)
					e.Context.InputMessageID = "message_1"
					return e
				}(), said, completed(8, turn),
			},
			want: finished, cursor: "event_0008 seq=8",
		},
		"the end of a turn that began before the watermark": {
			status: "idle", after: "event_0006 seq=6 turn=turn_1", events: []everruns.Event{said, completed(8, turn)},
			want: finished, cursor: "event_0008 seq=8",
		},
		"ends that nobody waits for": {
			status: "idle", after: "event_0006 seq=6", events: []everruns.Event{said, completed(8, turn)},
			unsettled: true, cursor: "event_0008 seq=8",
		},
		"a tool that asks": {
			status: "waitingfortoolresults", events: []everruns.Event{goal, start, requested(5, turn, question)},
			want:   &Outcome{Kind: OutcomeQuestion, Text: "Which size?", ID: "event_0005", ReplyTo: "tool:call_1"},
			cursor: "event_0005 seq=5 turn=turn_1",
		},
		"a tool that asks, in the other spelling": {
			status: "waiting_for_tool_results", events: []everruns.Event{goal, start, requested(5, "", question)},
			want:   &Outcome{Kind: OutcomeQuestion, Text: "Which size?", ID: "event_0005", ReplyTo: "tool:call_1"},
			cursor: "event_0005 seq=5 turn=turn_1",
		},
		"a tool that asks before the session waits stays ahead of the cursor": {
			status: "active", events: []everruns.Event{goal, start, requested(5, turn, question), happened(6, "tool.progress", turn, `{}`)},
			unsettled: true, cursor: "event_0004 seq=4 turn=turn_1 input=message_1",
		},
		"several tools that ask before the session waits": {
			status:    "active",
			events:    []everruns.Event{goal, start, requested(5, turn, question), requested(6, turn, call("call_2", `{}`))},
			unsettled: true, cursor: "event_0004 seq=4 turn=turn_1 input=message_1",
		},
		"several tools that ask are one question": {
			status: "waitingfortoolresults",
			events: []everruns.Event{
				goal, start, requested(5, turn, question+","+call("call,2", `{"prompt":"Which colour?"}`)),
				requested(6, turn, question+","+call("call_3", `{"x":1}`)),
			},
			want: &Outcome{
				Kind: OutcomeQuestion, Text: "1. Which size?\n2. Which colour?\n3. ask_user {\"x\":1}", ID: "event_0005",
				ReplyTo: "tool:call_1,call%2C2,call_3",
			},
			cursor: "event_0006 seq=6 turn=turn_1",
		},
		"a tool that someone else has answered": {
			status: "waitingfortoolresults",
			events: []everruns.Event{
				goal, start, requested(5, turn, question+","+call("call_2", `{"text":"Which colour?"}`)),
				happened(6, everruns.EventToolCompleted, turn, `{"tool_call_id":"call_1","tool_name":"ask_user","success":true,"status":"success"}`),
			},
			want:   &Outcome{Kind: OutcomeQuestion, Text: "Which colour?", ID: "event_0005", ReplyTo: "tool:call_2"},
			cursor: "event_0006 seq=6 turn=turn_1",
		},
		"a tool that asks in someone else's turn": {
			status: "waitingfortoolresults", events: []everruns.Event{goal, requested(5, other, question)},
			unsettled: true, cursor: "event_0005 seq=5 input=message_1",
		},
		"a tool that asked in a turn that has failed since": {
			status: "idle", events: []everruns.Event{goal, start, requested(5, turn, question), failed},
			want:   &Outcome{Kind: OutcomeFailed, Text: "the model is down (llm_error)", ID: "event_0008"},
			cursor: "event_0008 seq=8",
		},
		"an answered question that does not show yet": {
			status: "waitingfortoolresults", after: "event_0005 seq=5 turn=turn_1", events: []everruns.Event{goal, start, requested(5, turn, question)},
			unsettled: true, cursor: "event_0005 seq=5 turn=turn_1",
		},
		"the next question of a turn": {
			status: "waitingfortoolresults", after: "event_0005 seq=5 turn=turn_1",
			events: []everruns.Event{requested(5, turn, question), happened(6, everruns.EventToolCompleted, turn, `{"tool_call_id":"call_1"}`), requested(7, turn, call("call_9", `"{\"message\":\"And now?\"}"`))},
			want:   &Outcome{Kind: OutcomeQuestion, Text: "And now?", ID: "event_0007", ReplyTo: "tool:call_9"},
			cursor: "event_0007 seq=7 turn=turn_1",
		},
		"a task that asks": {
			status: "active", events: []everruns.Event{goal, start, happened(5, everruns.EventTaskUpdated, turn, `{}`)},
			tasks: []everruns.Task{
				{ID: "task_0", State: everruns.TaskRunning},
				{ID: "task_1", State: everruns.TaskAwaitingInput, InputRequest: &everruns.InputRequest{ID: "r-1", Prompt: "Which size?"}},
				{ID: "task_2", State: everruns.TaskAwaitingInput, InputRequest: &everruns.InputRequest{ID: "r-2", Prompt: "Which colour?"}},
			},
			want:   &Outcome{Kind: OutcomeQuestion, Text: "Which size?", ID: "r-1", ReplyTo: "task:task_1/r-1"},
			cursor: "event_0005 seq=5 turn=turn_1 tasks asked=task%3Atask_1%2Fr-1",
		},
		"the next task that asks, while the first one does not show its answer": {
			status: "active", after: "event_0005 seq=5 turn=turn_1 tasks asked=task%3Atask_1%2Fr-1",
			tasks: []everruns.Task{
				{ID: "task_1", State: everruns.TaskAwaitingInput, InputRequest: &everruns.InputRequest{ID: "r-1", Prompt: "Which size?"}},
				{ID: "task_2", State: everruns.TaskAwaitingInput, InputRequest: &everruns.InputRequest{ID: "r-2"}},
			},
			want:   &Outcome{Kind: OutcomeQuestion, Text: "the task task_2 asks for input", ID: "r-2", ReplyTo: "task:task_2/r-2"},
			cursor: "event_0005 seq=5 turn=turn_1 tasks asked=task%3Atask_1%2Fr-1 asked=task%3Atask_2%2Fr-2",
		},
		"tasks that ask no more": {
			status: "active", after: "event_0005 seq=5 turn=turn_1 tasks asked=task%3Atask_1%2Fr-1",
			tasks:  []everruns.Task{{ID: "task_1", State: everruns.TaskRunning}},
			cursor: "event_0005 seq=5 turn=turn_1",
		},
		"a task that asks once the turn is over": {
			status: "idle", events: []everruns.Event{goal, start, said, happened(6, everruns.EventTaskUpdated, turn, `{}`), completed(8, turn)},
			tasks: []everruns.Task{{ID: "task_1", State: everruns.TaskAwaitingInput, InputRequest: &everruns.InputRequest{ID: "r-1", Prompt: "?"}}},
			want:  finished, cursor: "event_0008 seq=8",
		},
		"events that nobody knows": {
			status: "active", events: []everruns.Event{goal, start, happened(5, "voice.started", turn, `[1]`), happened(6, "odd", "", `7`)},
			cursor: "event_0006 seq=6 turn=turn_1 input=message_1",
		},
	} {
		t.Run(name, func(t *testing.T) {
			stage := &everrunsStage{status: test.status, events: test.events, tasks: test.tasks}
			p := stage.provider(t)
			got, err := p.Read(t.Context(), everrunsSID, test.after)
			require.NoError(t, err)
			require.Equal(t, test.want, got.Outcome)
			require.Equal(t, test.unsettled, got.Unsettled)
			require.Equal(t, test.cursor, got.Cursor)
			require.Equal(t, test.status, got.RawState)
			require.Empty(t, stage.posted())

			again, err := p.Read(t.Context(), everrunsSID, test.after)
			require.NoError(t, err)
			require.Equal(t, got, again, "reading twice is harmless")
		})
	}
}

// However a turn's events are cut into reads, its outcome is the same, and
// nothing is told twice by a server that tells everything again.
func TestTheOutcomeDoesNotDependOnWhenItIsRead(t *testing.T) {
	events := []everruns.Event{
		theirs(1, "message_0", "hi"), began(2, "turn_0", "message_0"), ours(3, "message_1", "errand-t-1", "go"),
		output(4, "turn_0", "hello"), completed(5, "turn_0"), idled(6), began(7, "turn_1", "message_1"),
		happened(8, everruns.EventToolStarted, "turn_1", `{"tool_call":{"id":"c","name":"browse","arguments":{}}}`),
		happened(9, everruns.EventToolCompleted, "turn_1", `{"tool_call_id":"c","tool_name":"browse","success":true,"status":"success"}`),
		output(10, "turn_1", "42"), completed(11, "turn_1"), idled(12),
	}
	unnumbered := slices.Clone(events)
	for i := range unnumbered {
		unnumbered[i].Sequence = 0
	}
	for _, server := range []struct {
		events []everruns.Event
		ignore bool // since_id
	}{{events, false}, {events, true}, {unnumbered, false}, {unnumbered, true}} {
		for first := range len(events) + 1 {
			for second := first; second <= len(events); second++ {
				stage := &everrunsStage{status: "active", ignore: server.ignore}
				p := stage.provider(t)
				var cursor Watermark
				var outcomes []*Outcome
				var entries []string
				for _, until := range []int{first, second, len(events)} {
					stage.events = server.events[:until]
					got, err := p.Read(t.Context(), everrunsSID, cursor)
					require.NoError(t, err)
					cursor = got.Cursor
					for _, e := range got.Entries {
						entries = append(entries, e.ID)
					}
					if got.Outcome != nil {
						outcomes = append(outcomes, got.Outcome)
					}
				}
				require.Len(t, outcomes, 1, "%d %d", first, second)
				require.Equal(t, &Outcome{Kind: OutcomeFinished, Text: "42", Result: json.RawMessage("42"), ID: "event_0011"}, outcomes[0])
				require.True(t, slices.IsSorted(entries))
				require.Len(t, slices.Compact(slices.Clone(entries)), len(entries))
			}
		}
	}
}

func TestAnEventThatCameLateIsFoundByItsNumber(t *testing.T) {
	late := completed(9, "turn_1")
	late.ID = "event_0005" // made before the last one that was read, and stored behind it
	stage := &everrunsStage{status: "idle", events: []everruns.Event{
		ours(2, "message_1", "k", "go"), began(3, "turn_1", "message_1"), late, output(7, "turn_1", "42"), idled(8),
	}}
	got, err := stage.provider(t).Read(t.Context(), everrunsSID, "event_0008 seq=8 turn=turn_1")
	require.NoError(t, err)
	require.NotNil(t, got.Outcome)
	require.Equal(t, "42", got.Outcome.Text)
	require.Equal(t, Watermark("event_0005 seq=9"), got.Cursor)
}

func TestTheEntriesOfEverrunsAreWhatItsEventsSay(t *testing.T) {
	events := []everruns.Event{
		happened(1, everruns.EventSessionStarted, "", `{"agent_id":"a"}`),
		ours(2, "message_1", "k", "go"), began(3, "turn_1", "message_1"),
		happened(4, everruns.EventThinkingCompleted, "turn_1", `{"turn_id":"turn_1","thinking":"hm"}`),
		happened(5, everruns.EventReasonCompleted, "turn_1", `{"success":true,"has_tool_calls":true,"tool_call_count":1,"text_preview":"Let me look"}`),
		happened(6, everruns.EventReasonCompleted, "turn_1", `{"success":true,"has_tool_calls":false,"tool_call_count":0,"text_preview":"It costs"}`),
		happened(7, everruns.EventReasonCompleted, "turn_1", `{"success":false,"has_tool_calls":false,"tool_call_count":0,"error":"overloaded"}`),
		happened(8, everruns.EventToolStarted, "turn_1", `{"tool_call":{"id":"c","name":"browse","arguments":{}}}`),
		happened(9, everruns.EventToolCompleted, "turn_1", `{"tool_call_id":"c","tool_name":"browse","success":false,"status":"timeout","error":"too slow"}`),
		happened(10, everruns.EventOutputDelta, "turn_1", `{"delta":"I"}`),
		requested(11, "turn_1", call("call_1", `{"questions":[{"question":"Which?","options":[{"label":"A"},{"label":"B"}]}]}`)),
		happened(12, "voice.started", "turn_1", `{"x":1}`),
		output(13, "turn_1", "Almost"), output(14, "turn_1", "42"), completed(15, "turn_1"),
		happened(16, everruns.EventTurnFailed, "", `{"turn_id":"turn_2","error":"lost"}`),
		idled(17),
	}
	got, err := (&everrunsStage{status: "idle", events: events}).provider(t).Read(t.Context(), everrunsSID, "")
	require.NoError(t, err)
	var told []string
	for _, e := range got.Entries {
		told = append(told, fmt.Sprintf("%s %s %s", e.ID[8:], e.Type, e.Text))
		require.False(t, e.At.IsZero())
		require.NotEmpty(t, e.Content)
	}
	require.Equal(t, []string{
		"02 user go", "04 thought hm", "05 thought Let me look", "07 thought overloaded", "08 log calls browse", "09 log browse: timeout: too slow",
		"11 question Which?\n- A\n- B", "12 log voice.started", "13 thought Almost", "15 done 42", "16 error lost",
	}, told)
}

func TestReadingEverrunsFails(t *testing.T) {
	stage := func(call string, status int) Provider {
		return (&everrunsStage{status: "active", refuse: map[string]int{call: status}, events: []everruns.Event{
			ours(2, "message_1", "k", "go"), happened(3, everruns.EventTaskCreated, "", `{}`),
		}}).provider(t)
	}
	_, err := stage("GET ", 404).Read(t.Context(), everrunsSID, "")
	require.True(t, IsKind(err, ErrorNotFound), "%v", err)
	_, err = stage("GET /events", 404).Read(t.Context(), everrunsSID, "")
	require.True(t, IsKind(err, ErrorNotFound), "%v", err)
	_, err = stage("GET /events", 503).Read(t.Context(), everrunsSID, "")
	require.True(t, IsKind(err, ErrorUnavailable), "%v", err)
	_, err = stage("GET /tasks", http.StatusInternalServerError).Read(t.Context(), everrunsSID, "")
	require.True(t, IsKind(err, ErrorUnavailable), "a question could be missed: %v", err)
	got, err := stage("GET /tasks", http.StatusNotFound).Read(t.Context(), everrunsSID, "")
	require.NoError(t, err, "a server without tasks")
	require.Equal(t, Watermark("event_0003 seq=3 input=message_1"), got.Cursor)
	_, err = stage("", 0).Read(t.Context(), everrunsSID, "event_1 seq=many")
	require.True(t, IsKind(err, ErrorInvalid), "%v", err)
}
