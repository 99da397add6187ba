package provider

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// messageOf is a message of the vendor; content is JSON.
func messageOf(id int, kind, content string) string {
	return fmt.Sprintf(`{"id":%d,"type":%q,"content":%s,"timestamp":"2026-01-15T09:30:00.000Z","metadata":{}}`, id, kind, content)
}

func listOf(status string, messages ...string) string {
	return fmt.Sprintf(`{"messages":[%s],"status":%q,"has_agent":true}`, strings.Join(messages, ","), status)
}

func TestTheOutcomeOfATurnIsWhatWasSaidAfterTheWatermark(t *testing.T) {
	const after = "5"
	var (
		user     = messageOf(6, "USER", `"go"`)
		thought  = messageOf(7, "THOUGHT", `"hm"`)
		question = messageOf(8, "QUESTION", `"Which size?"`)
		failure  = messageOf(8, "ERROR", `"page is down"`)
		done     = messageOf(9, "DONE", `{"price":42}`)
	)
	asked := &Outcome{Kind: OutcomeQuestion, Text: "Which size?", ID: "8"}
	failed := &Outcome{Kind: OutcomeFailed, Text: "page is down", ID: "8"}
	finished := &Outcome{Kind: OutcomeFinished, Text: `{"price":42}`, Result: json.RawMessage(`{"price":42}`), ID: "9"}

	for name, test := range map[string]struct {
		answer    string
		want      *Outcome
		unsettled bool
		cursor    Watermark
		state     State
	}{
		"the status is still that of the turn before": {
			answer:    listOf("finished", messageOf(5, "DONE", `"old"`)),
			unsettled: true, cursor: "5", state: StateIdle,
		},
		"messages that were not asked for do not count": {
			answer: listOf("running", messageOf(3, "QUESTION", `"old"`), messageOf(5, "DONE", `"old"`), user, thought),
			cursor: "7", state: StateWorking,
		},
		"nothing new keeps the cursor": {
			answer: listOf("running"), cursor: "5", state: StateWorking,
		},
		"a result counts although the status says running": {
			answer: listOf("running", user, thought, done), want: finished, cursor: "9", state: StateWorking,
		},
		"a result counts in a paused session": {
			answer: listOf("paused", user, done), want: finished, cursor: "9", state: StatePaused,
		},
		"a result stands beside a question and a late log line": {
			answer: listOf("finished", user, question, done, messageOf(10, "LOG", `"bye"`)),
			want:   finished, cursor: "10", state: StateIdle,
		},
		"a question counts when the agent waits": {
			answer: listOf("waiting_for_input", user, question), want: asked, cursor: "8", state: StateWaiting,
		},
		"a question may be a list of parts": {
			answer: listOf("waiting_for_input", messageOf(8, "QUESTION", `[{"text":"Which"},"size?"]`)),
			want:   &Outcome{Kind: OutcomeQuestion, Text: "Which\nsize?", ID: "8"}, cursor: "8", state: StateWaiting,
		},
		"the newest question counts": {
			answer: listOf("waiting_for_input", messageOf(6, "QUESTION", `"Which colour?"`), question),
			want:   asked, cursor: "8", state: StateWaiting,
		},
		"a question is unsettled while the agent works, and stays ahead of the cursor": {
			answer: listOf("running", user, thought, question), unsettled: true, cursor: "7", state: StateWorking,
		},
		"a question of a paused session is unsettled": {
			answer: listOf("paused", question), unsettled: true, cursor: "7", state: StatePaused,
		},
		"a question that a person answered elsewhere is settled": {
			answer: listOf("running", question, messageOf(9, "USER", `"XL"`)), cursor: "9", state: StateWorking,
		},
		"an answer sent elsewhere is unsettled until the agent works on it": {
			answer:    listOf("waiting_for_input", question, messageOf(9, "USER", `"XL"`)),
			unsettled: true, cursor: "9", state: StateWaiting,
		},
		"a question counts although a log line came later": {
			answer: listOf("waiting_for_input", question, messageOf(9, "LOG", `"asked"`)),
			want:   asked, cursor: "9", state: StateWaiting,
		},
		"an error counts when the status agrees": {
			answer: listOf("error", user, failure), want: failed, cursor: "8", state: StateFailed,
		},
		"an error counts in a session that is ready again": {
			answer: listOf("ready", failure), want: failed, cursor: "8", state: StateIdle,
		},
		"an error is unsettled while the agent works, and stays ahead of the cursor": {
			answer: listOf("running", failure), unsettled: true, cursor: "7", state: StateWorking,
		},
		"an error is unsettled under a status that we do not know": {
			answer: listOf("recovering", failure), unsettled: true, cursor: "7", state: StateUnknown,
		},
		"a result outweighs an error that the agent got over": {
			answer: listOf("finished", failure, done), want: finished, cursor: "9", state: StateIdle,
		},
		"finished without a result is unsettled": {
			answer: listOf("finished", user, thought), unsettled: true, cursor: "7", state: StateIdle,
		},
		"waiting without a question is unsettled": {
			answer: listOf("waiting_for_input"), unsettled: true, cursor: "5", state: StateWaiting,
		},
		"failed without an error is unsettled": {
			answer: listOf("error", user), unsettled: true, cursor: "6", state: StateFailed,
		},
		"ready without an outcome is no end": {
			answer: listOf("ready", user), cursor: "6", state: StateIdle,
		},
		"unknown words are no end": {
			answer: listOf("hibernating", messageOf(6, "PLAN", `"first"`)), cursor: "6", state: StateUnknown,
		},
		"a result may be a string": {
			answer: listOf("finished", messageOf(9, "DONE", `"sold out"`)),
			want:   &Outcome{Kind: OutcomeFinished, Text: "sold out", Result: json.RawMessage(`"sold out"`), ID: "9"},
			cursor: "9", state: StateIdle,
		},
		"a result may be a list": {
			answer: listOf("finished", messageOf(9, "DONE", `[{"text":"a"},{"text":"b"}]`)),
			want:   &Outcome{Kind: OutcomeFinished, Text: "a\nb", Result: json.RawMessage(`[{"text":"a"},{"text":"b"}]`), ID: "9"},
			cursor: "9", state: StateIdle,
		},
		"a result may be nothing": {
			answer: listOf("finished", `{"id":9,"type":"DONE","timestamp":"2026-01-15T09:30:00Z"}`),
			want:   &Outcome{Kind: OutcomeFinished, Result: json.RawMessage("null"), ID: "9"},
			cursor: "9", state: StateIdle,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := answering(t, http.StatusOK, test.answer).Read(t.Context(), sessionID, after)
			require.NoError(t, err)
			require.Equal(t, test.want, got.Outcome)
			require.Equal(t, test.unsettled, got.Unsettled, "unsettled")
			require.Equal(t, test.cursor, got.Cursor)
			require.Equal(t, test.state, got.State)
		})
	}
}

func TestReadGivesTheEntriesAsTheVendorSentThem(t *testing.T) {
	p := answering(t, http.StatusOK, listOf("running",
		messageOf(1, "USER", `"go"`), messageOf(2, "THOUGHT", `{"text":"hm","n":1}`), messageOf(3, "LOG", `"l"`), messageOf(4, "PLAN", `"p"`)))
	got, err := p.Read(t.Context(), sessionID, "")
	require.NoError(t, err)
	at := time.Date(2026, 1, 15, 9, 30, 0, 0, time.UTC)
	require.Equal(t, []Entry{
		{ID: "1", Type: EntryUser, Text: "go", Content: json.RawMessage(`"go"`), At: at},
		{ID: "2", Type: EntryThought, Text: "hm", Content: json.RawMessage(`{"text":"hm","n":1}`), At: at},
		{ID: "3", Type: EntryLog, Text: "l", Content: json.RawMessage(`"l"`), At: at},
		{ID: "4", Type: EntryLog, Text: "p", Content: json.RawMessage(`"p"`), At: at},
	}, got.Entries)
	require.Equal(t, "running", got.RawState)
}

func TestAWatermarkOfAnotherVendorIsRefusedBeforeAnythingIsSent(t *testing.T) {
	p := vendor(t, func(http.ResponseWriter, *http.Request) { t.Error("something was sent") })
	_, err := p.Read(t.Context(), sessionID, "event_17")
	require.True(t, IsKind(err, ErrorInvalid), "%v", err)
	_, err = p.Find(t.Context(), sessionID, Message{Text: "go"}, "event_17")
	require.True(t, IsKind(err, ErrorInvalid), "%v", err)
}

// talk is a session whose messages and status a test sets.
type talk struct {
	mu       sync.Mutex
	status   string
	messages []string // with ids from 1
}

func (v *talk) says(status string, messages ...string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.status = status
	v.messages = append(v.messages, messages...)
}

func (v *talk) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v.mu.Lock()
	defer v.mu.Unlock()
	after, _ := strconv.Atoi(r.URL.Query().Get("after_id"))
	fmt.Fprint(w, listOf(v.status, v.messages[min(after, len(v.messages)):]...))
}

func TestAnOutcomeIsNotLostWhenItsStatusComesLater(t *testing.T) {
	for name, test := range map[string]struct {
		kind, status string
		want         OutcomeKind
	}{
		"a question": {kind: "QUESTION", status: "waiting_for_input", want: OutcomeQuestion},
		"an error":   {kind: "ERROR", status: "error", want: OutcomeFailed},
	} {
		t.Run(name, func(t *testing.T) {
			var v talk
			p := vendor(t, v.ServeHTTP)

			v.says("running", messageOf(1, "THOUGHT", `"hm"`), messageOf(2, test.kind, `"what now"`))
			first, err := p.Read(t.Context(), sessionID, "")
			require.NoError(t, err)
			require.Nil(t, first.Outcome)
			require.True(t, first.Unsettled)

			v.says(test.status, messageOf(3, "LOG", `"late"`))
			second, err := p.Read(t.Context(), sessionID, first.Cursor)
			require.NoError(t, err)
			require.Equal(t, &Outcome{Kind: test.want, Text: "what now", ID: "2"}, second.Outcome)
			require.Equal(t, Watermark("3"), second.Cursor)
			require.Len(t, second.Entries, 2, "the first read had the thought")
		})
	}
}
