package provider

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var (
	agenUser     = happening{id: "u", kind: "user_message", at: 1, payload: agenWords("go")}
	agenWord     = happening{id: "m", kind: "agent_message", at: 5, payload: agenWords("It costs 42")}
	agenFinish   = happening{id: "f", kind: "session_finished", at: 9}
	agenQuestion = happening{id: "q", kind: "agent_ask_user", at: 5, payload: `{"type":"agent_ask_user","question":"Which size?"}`}
	agenAlert    = happening{id: "x", kind: "agent_alert_created", at: 6, payload: agenWords("The sandbox is gone")}
)

func (h happening) with(change func(*happening)) happening { change(&h); return h }

func agenInStatus(status string) func(*happening) { return func(h *happening) { h.status = status } }

func agenMovedTo(at float64) func(*happening) { return func(h *happening) { h.at = at } }

func agenWithPayload(payload string) func(*happening) {
	return func(h *happening) { h.payload = payload }
}

func TestTheOutcomeOfATurnAtAgenIsWhatItsTimelineSays(t *testing.T) {
	finished := func(id, text, result string) *Outcome {
		return &Outcome{Kind: OutcomeFinished, Text: text, Result: json.RawMessage(result), ID: id}
	}
	failed := func(id, text string) *Outcome { return &Outcome{Kind: OutcomeFailed, Text: text, ID: id} }
	asked := &Outcome{Kind: OutcomeQuestion, Text: "Which size?", ID: "q"}
	const minuteLater = 70 // seconds after agenBegan

	for name, test := range map[string]struct {
		timeline  []happening
		status    string // empty: active/working
		now       int    // seconds after agenBegan; 0: 30
		want      *Outcome
		unsettled bool
		state     State
	}{
		"nothing was said": {state: StateWorking},
		"the agent works":  {timeline: []happening{agenUser, {id: "r", kind: "agent_file_read", at: 2, payload: `{"path":"a.go"}`}}, state: StateWorking},
		"finished": {
			timeline: []happening{agenUser, agenWord, agenFinish},
			want:     finished("f", "It costs 42", `"It costs 42"`), state: StateIdle,
		},
		"finished, whatever the words for its state": {
			timeline: []happening{agenUser, agenWord, agenFinish}, status: "odd/odd",
			want: finished("f", "It costs 42", `"It costs 42"`), state: StateIdle,
		},
		"finished, in any order of the list": {
			timeline: []happening{agenFinish, agenWord, agenUser},
			want:     finished("f", "It costs 42", `"It costs 42"`), state: StateIdle,
		},
		"finished, with JSON as the last word": {
			timeline: []happening{agenUser, agenWord, agenWord.with(agenMovedTo(6)).with(agenWithPayload(agenWords("```json\n{\"price\":42}\n```"))).with(func(h *happening) { h.id = "n" }), agenFinish},
			want:     finished("f", "```json\n{\"price\":42}\n```", `{"price":42}`), state: StateIdle,
		},
		"finished in the very moment of the last word": {
			timeline: []happening{agenUser, agenWord.with(agenMovedTo(9)), agenFinish},
			want:     finished("f", "It costs 42", `"It costs 42"`), state: StateIdle,
		},
		"finished, a late word does not count": {
			timeline: []happening{agenUser, agenWord, agenFinish, {id: "z", kind: "agent_message", at: 10, payload: agenWords("Bye")}},
			want:     finished("f", "It costs 42", `"It costs 42"`), state: StateIdle,
		},
		"finished, a word that was taken back does not count": {
			timeline: []happening{agenUser, agenWord, agenWord.with(agenMovedTo(6)).with(agenInStatus("canceled")).with(func(h *happening) { h.id = "n"; h.payload = agenWords("no") }), agenFinish},
			want:     finished("f", "It costs 42", `"It costs 42"`), state: StateIdle,
		},
		"finished with a result of its own": {
			timeline: []happening{agenUser, agenWord, agenFinish.with(agenWithPayload(`{"type":"session_finished","result":{"price":42}}`))},
			want:     finished("f", `{"price":42}`, `{"price":42}`), state: StateIdle,
		},
		"finished with a result of its own as text": {
			timeline: []happening{agenUser, agenWord, agenFinish.with(agenWithPayload(`{"result":"[42]"}`))},
			want:     finished("f", `[42]`, `[42]`), state: StateIdle,
		},
		"finished with a summary alone": {
			timeline: []happening{agenUser, agenFinish.with(agenWithPayload(`{"summary":"It costs 42"}`))},
			want:     finished("f", "It costs 42", `"It costs 42"`), state: StateIdle,
		},
		"finished with a message alone": {
			timeline: []happening{agenUser, agenFinish.with(agenWithPayload(agenWords("It costs 42")))},
			want:     finished("f", "It costs 42", `"It costs 42"`), state: StateIdle,
		},
		"finished without a word": {
			timeline: []happening{agenUser, agenFinish.with(agenWithPayload(`null`))},
			want:     finished("f", "", `null`), state: StateIdle,
		},
		"finished after an alert that the agent got over": {
			timeline: []happening{agenUser, agenAlert, agenWord, agenFinish},
			want:     finished("f", "It costs 42", `"It costs 42"`), state: StateIdle,
		},
		"finished after a question that the agent got over": {
			timeline: []happening{agenUser, agenQuestion, agenFinish},
			want:     finished("f", "", `null`), state: StateIdle,
		},
		"finished and closed": {
			timeline: []happening{agenUser, agenWord, agenFinish, {id: "c", kind: "session_closed", at: 10}},
			want:     finished("f", "It costs 42", `"It costs 42"`), state: StateIdle,
		},
		"finished is about to be": {
			timeline: []happening{agenUser, agenWord, agenFinish.with(agenInStatus("processing"))}, state: StateWorking,
		},
		"finished was taken back": {
			timeline: []happening{agenUser, agenWord, agenFinish.with(agenInStatus("canceled"))}, state: StateWorking,
		},
		"finished with an unknown status counts": {
			timeline: []happening{agenUser, agenWord, agenFinish.with(agenInStatus("done"))},
			want:     finished("f", "It costs 42", `"It costs 42"`), state: StateIdle,
		},
		"finished while our message waits is another's end": {
			timeline: []happening{agenUser.with(agenInStatus("queued")), agenWord, agenFinish}, state: StateWorking,
		},
		"finished before our message was taken up is another's end": {
			timeline: []happening{agenUser.with(agenInStatus("processing")).with(func(h *happening) { h.edited = 10 }), agenWord, agenFinish},
			state:    StateWorking,
		},
		"finished after our message was taken up": {
			timeline: []happening{agenUser.with(agenInStatus("processing")).with(func(h *happening) { h.edited = 2 }), agenWord, agenFinish},
			want:     finished("f", "It costs 42", `"It costs 42"`), state: StateIdle,
		},
		"finished while another message waits": {
			timeline: []happening{agenUser, {id: "v", kind: "user_message", status: "queued", at: 3}, agenWord, agenFinish},
			want:     finished("f", "It costs 42", `"It costs 42"`), state: StateIdle,
		},
		"a question": {timeline: []happening{agenUser, agenQuestion}, want: asked, state: StateWaiting},
		"a question that is open": {
			timeline: []happening{agenUser, agenQuestion.with(agenInStatus("processing"))}, want: asked, state: StateWaiting,
		},
		"a question, and a word beside it": {
			timeline: []happening{agenUser, agenQuestion, agenWord.with(agenMovedTo(6))}, want: asked, state: StateWaiting,
		},
		"a question as message": {
			timeline: []happening{agenUser, agenQuestion.with(agenWithPayload(agenWords("Which size?")))}, want: asked, state: StateWaiting,
		},
		"a question of unknown shape": {
			timeline: []happening{agenUser, agenQuestion.with(agenWithPayload(`{"ask": ["S","M"]}`))},
			want:     &Outcome{Kind: OutcomeQuestion, Text: `{"ask":["S","M"]}`, ID: "q"}, state: StateWaiting,
		},
		"a question without a word": {
			timeline: []happening{agenUser, agenQuestion.with(agenWithPayload(`{}`))},
			want:     &Outcome{Kind: OutcomeQuestion, Text: `agent_ask_user`, ID: "q"}, state: StateWaiting,
		},
		"a question that was answered": {
			timeline: []happening{agenUser, agenQuestion, {id: "a", kind: "user_ask_user_response", at: 7}}, state: StateWorking,
		},
		"a question that was answered by a message": {
			timeline: []happening{agenUser, agenQuestion, {id: "a", kind: "user_message", at: 7}}, state: StateWorking,
		},
		"a question whose answer was canceled": {
			timeline: []happening{agenUser, agenQuestion, {id: "a", kind: "user_message", status: "canceled", at: 7}}, want: asked, state: StateWaiting,
		},
		"a question that is still to be asked": {
			timeline: []happening{agenUser, agenQuestion.with(agenInStatus("queued"))}, state: StateWorking,
		},
		"a question that was taken back": {
			timeline: []happening{agenUser, agenQuestion.with(agenInStatus("canceled"))}, state: StateWorking,
		},
		"waiting without a question is unsettled": {
			timeline: []happening{agenUser, agenWord}, status: "active/waiting_for_user", now: minuteLater, unsettled: true, state: StateWaiting,
		},
		"an alert, and the state agrees": {
			timeline: []happening{agenUser, agenAlert}, status: "active/error", want: failed("x", "The sandbox is gone"), state: StateFailed,
		},
		"an alert in a session that is idle": {
			timeline: []happening{agenUser, agenAlert}, status: "active/idle", want: failed("x", "The sandbox is gone"), state: StateIdle,
		},
		"an alert, and the agent works on": {
			timeline: []happening{agenUser, agenAlert}, now: minuteLater, state: StateWorking,
		},
		"an alert under a state that we do not know": {
			timeline: []happening{agenUser, agenAlert}, status: "odd/odd", unsettled: true, state: StateUnknown,
		},
		"an alert under a state that we do not know, a minute ago": {
			timeline: []happening{agenUser, agenAlert}, status: "odd/odd", now: minuteLater, want: failed("x", "The sandbox is gone"), state: StateUnknown,
		},
		"an alert whose reason the system told": {
			timeline: []happening{agenUser, {id: "s", kind: "system_message", at: 6, payload: agenWords("No disk left")}, agenAlert.with(agenWithPayload(`{"level":3}`))},
			status:   "active/error", want: failed("x", "No disk left"), state: StateFailed,
		},
		"an alert without a reason": {
			timeline: []happening{agenUser, agenAlert.with(agenWithPayload(`{"level": 3}`))}, status: "active/error", want: failed("x", `{"level":3}`), state: StateFailed,
		},
		"an alert, and a word after it, is no success": {
			timeline: []happening{agenUser, agenAlert, agenWord.with(agenMovedTo(7))}, status: "active/idle", now: minuteLater,
			want: failed("x", "The sandbox is gone"), state: StateIdle,
		},
		"an alert after a question": {
			timeline: []happening{agenUser, agenQuestion, agenAlert}, status: "active/error", want: failed("x", "The sandbox is gone"), state: StateFailed,
		},
		"a question after an alert": {
			timeline: []happening{agenUser, agenAlert, agenQuestion.with(agenMovedTo(7))}, want: asked, state: StateWaiting,
		},
		"closed before the agent had finished": {
			timeline: []happening{agenUser, agenWord, {id: "c", kind: "session_closed", at: 10, payload: agenWords("Out of credits")}},
			want:     failed("c", "the session was closed before the agent had finished: Out of credits"), state: StateFailed,
		},
		"closed, and finished afterwards": {
			timeline: []happening{agenUser, {id: "c", kind: "session_closed", at: 6}, agenFinish},
			want:     failed("c", "the session was closed before the agent had finished"), state: StateFailed,
		},
		"a merge request that was closed": {
			timeline: []happening{agenUser, agenWord, {id: "c", kind: "merge_request_closed", at: 10}}, status: "active/idle",
			want: failed("c", "the merge request was closed without a merge"), state: StateIdle,
		},
		"a merge request that was merged is no end": {
			timeline: []happening{agenUser, {id: "c", kind: "merge_request_merged", at: 10}}, status: "merged/", unsettled: true, state: StateIdle,
		},
		"our message was canceled": {
			timeline: []happening{agenUser.with(agenInStatus("canceled"))}, want: failed("u", "the message was canceled at the vendor"), state: StateFailed,
		},
		"our message was canceled, and a finish is no success": {
			timeline: []happening{agenUser.with(agenInStatus("canceled")), agenWord, agenFinish},
			want:     failed("u", "the message was canceled at the vendor"), state: StateFailed,
		},
		"our message was canceled and written anew": {
			timeline: []happening{agenUser.with(agenInStatus("canceled")), {id: "v", kind: "user_message", at: 3}}, state: StateWorking,
		},
		"a last word, and the agent works": {
			timeline: []happening{agenUser, agenWord}, now: minuteLater, state: StateWorking,
		},
		"a last word just now is unsettled": {
			timeline: []happening{agenUser, agenWord}, status: "active/idle", unsettled: true, state: StateIdle,
		},
		"a last word a minute ago": {
			timeline: []happening{agenUser, agenWord}, status: "active/idle", now: minuteLater,
			want: finished("m", "It costs 42", `"It costs 42"`), state: StateIdle,
		},
		"a last word a minute ago under a state that we do not know": {
			timeline: []happening{agenUser, agenWord}, status: "odd/odd", now: minuteLater,
			want: finished("m", "It costs 42", `"It costs 42"`), state: StateUnknown,
		},
		"a last word that was edited lately": {
			timeline: []happening{agenUser, agenWord.with(func(h *happening) { h.edited = 60 })}, status: "active/idle", now: minuteLater,
			unsettled: true, state: StateIdle,
		},
		"a last word while something is under way": {
			timeline: []happening{agenUser, {id: "r", kind: "agent_run_repository_command", status: "processing", at: 2}, agenWord},
			status:   "active/idle", now: minuteLater, unsettled: true, state: StateIdle,
		},
		"a last word while our message is under way": {
			timeline: []happening{agenUser.with(agenInStatus("processing")), agenWord}, status: "active/idle", now: minuteLater, unsettled: true, state: StateIdle,
		},
		"a word before another's message": {
			timeline: []happening{agenUser, agenWord, {id: "v", kind: "user_message", at: 7}}, status: "active/idle", now: minuteLater,
			unsettled: true, state: StateIdle,
		},
		"idle without a word is unsettled": {
			timeline: []happening{agenUser}, status: "active/idle", unsettled: true, state: StateIdle,
		},
		"unknown events are no end": {
			timeline: []happening{agenUser, {id: "d", kind: "agent_daydream", status: "drifting", at: 2}}, status: "odd/odd", state: StateUnknown,
		},
		"a session that was closed without a word": {timeline: []happening{agenUser}, status: "closed/", state: StateGone},
	} {
		t.Run(name, func(t *testing.T) {
			a := agenAccount{timeline: test.timeline, status: test.status, now: agenNow}
			if a.status == "" {
				a.status = "active/working"
			}
			if test.now != 0 {
				a.now = agenBegan.Add(time.Duration(test.now) * time.Second)
			}
			p := agenVendorOf(t, &a)
			got, err := p.Read(t.Context(), "ses_01", "")
			require.NoError(t, err)
			require.Equal(t, test.want, got.Outcome)
			require.Equal(t, test.unsettled, got.Unsettled, "unsettled")
			require.Equal(t, test.state, got.State)

			if got.Outcome == nil {
				return
			}
			require.Len(t, got.Entries, len(test.timeline), "all is told at the end")
			again, err := p.Read(t.Context(), "ses_01", got.Cursor)
			require.NoError(t, err)
			require.Nil(t, again.Outcome, "an outcome counts once")
			require.Empty(t, again.Entries)
			require.Equal(t, got.Cursor, again.Cursor)
		})
	}
}

func TestTheLastWordIsNeverAResultWhereThatIsSwitchedOff(t *testing.T) {
	a := agenAccount{timeline: []happening{agenUser, agenWord}, status: "active/idle", now: agenBegan.Add(time.Hour)}
	p := agenVendorOf(t, &a)
	p.rest = 0
	got, err := p.Read(t.Context(), "ses_01", "")
	require.NoError(t, err)
	require.Nil(t, got.Outcome)
	require.True(t, got.Unsettled)
}

func TestAVendorWithoutAClockSettlesNothingByTime(t *testing.T) {
	server := agenVendorOf(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Date"] = nil
		(&agenAccount{timeline: []happening{agenUser, agenWord}, status: "active/idle"}).ServeHTTP(w, r)
	}))
	got, err := server.Read(t.Context(), "ses_01", "")
	require.NoError(t, err)
	require.Nil(t, got.Outcome)
	require.True(t, got.Unsettled)
}

func TestWhatTheTurnBeforeStillHadToSayIsNoOutcome(t *testing.T) {
	a := agenAccount{timeline: []happening{agenUser, agenQuestion}, status: "active/waiting_for_user", now: agenNow}
	p := agenVendorOf(t, &a)
	asked, err := p.Read(t.Context(), "ses_01", "")
	require.NoError(t, err)
	require.Equal(t, OutcomeQuestion, asked.Outcome.Kind)

	a.set(func(a *agenAccount) {
		a.timeline = append(a.timeline,
			agenFinish.with(agenMovedTo(6)).with(func(h *happening) { h.id = "late" }),
			happening{id: "answer", kind: "user_ask_user_response", at: 7, payload: agenWords("XL")})
		a.status = "active/working"
	})
	got, err := p.Read(t.Context(), "ses_01", asked.Cursor)
	require.NoError(t, err)
	require.Nil(t, got.Outcome, "the finish is older than the answer")
	require.Len(t, got.Entries, 2)

	a.set(func(a *agenAccount) { a.timeline = append(a.timeline, agenWord.with(agenMovedTo(8)), agenFinish) })
	got, err = p.Read(t.Context(), "ses_01", got.Cursor)
	require.NoError(t, err)
	require.Equal(t, "It costs 42", got.Outcome.Text)
	require.Len(t, got.Entries, 2)
}

func TestATurnIsReadThoughItsMessageIsNotThere(t *testing.T) {
	a := agenAccount{timeline: []happening{agenUser, agenWord, agenFinish}, now: agenNow}
	p := agenVendorOf(t, &a)
	first, err := p.Read(t.Context(), "ses_01", "")
	require.NoError(t, err)
	// The vendor's clocks differ, and our message seems older than the finish.
	a.set(func(a *agenAccount) {
		a.timeline = append(a.timeline, happening{id: "v", kind: "user_message", at: 8.9},
			happening{id: "n", kind: "agent_message", at: 11, payload: agenWords("43")}, happening{id: "g", kind: "session_finished", at: 12})
	})
	second, err := p.Read(t.Context(), "ses_01", first.Cursor)
	require.NoError(t, err)
	require.Equal(t, &Outcome{Kind: OutcomeFinished, Text: "43", Result: json.RawMessage("43"), ID: "g"}, second.Outcome)
}

// agenToldBy reads again and again and gathers the texts of what is told.
func agenToldBy(t *testing.T, p Provider, cursor Watermark, texts []string) (Watermark, []string) {
	t.Helper()
	got, err := p.Read(t.Context(), "ses_01", cursor)
	require.NoError(t, err)
	for _, e := range got.Entries {
		texts = append(texts, e.Text)
	}
	return got.Cursor, texts
}

func TestAnEntryIsToldOnceAndWhenItStands(t *testing.T) {
	a := agenAccount{status: "active/working", now: agenNow}
	p := agenVendorOf(t, &a)
	var cursor Watermark
	var texts []string
	for _, step := range []struct {
		timeline []happening
		want     []string
	}{
		{nil, nil},
		{[]happening{agenUser.with(agenInStatus("queued"))}, []string{"go"}},
		{[]happening{agenUser.with(agenInStatus("processing"))}, []string{"go"}},
		{ // what it does is told at once, what it says is not
			[]happening{
				agenUser.with(agenInStatus("processing")), {id: "r", kind: "agent_file_read", status: "processing", at: 2, payload: `{"path":"a.go"}`},
				{id: "m", kind: "agent_message", status: "processing", at: 3, payload: agenWords("It")},
			},
			[]string{"go", `{"path":"a.go"}`},
		},
		{ // another's message waits behind the word
			[]happening{
				agenUser, {id: "r", kind: "agent_file_read", at: 2, payload: `{"path":"a.go","lines":9}`},
				{id: "m", kind: "agent_message", status: "processing", at: 3, payload: agenWords("It costs")}, {id: "v", kind: "user_message", status: "queued", at: 4, payload: agenWords("and?")},
			},
			[]string{"go", `{"path":"a.go"}`},
		},
		{
			[]happening{
				agenUser, {id: "r", kind: "agent_file_read", at: 2},
				{id: "m", kind: "agent_message", at: 3, edited: 5, payload: agenWords("It costs 42")}, {id: "v", kind: "user_message", status: "queued", at: 4, payload: agenWords("and?")},
			},
			[]string{"go", `{"path":"a.go"}`, "It costs 42", "and?"},
		},
		{ // a word that is never done does not hold back what follows
			[]happening{
				agenUser, {id: "r", kind: "agent_file_read", at: 2}, {id: "m", kind: "agent_message", at: 3}, {id: "v", kind: "user_message", at: 4},
				{id: "n", kind: "agent_message", status: "processing", at: 6, payload: agenWords("more")}, {id: "w", kind: "agent_web_browse", at: 7, payload: `{}`},
			},
			[]string{"go", `{"path":"a.go"}`, "It costs 42", "and?", "more", "agent_web_browse"},
		},
	} {
		a.set(func(a *agenAccount) { a.timeline = step.timeline })
		cursor, texts = agenToldBy(t, p, cursor, texts)
		require.Equal(t, step.want, texts)
		a.set(func(a *agenAccount) { a.timeline = slices.Clone(a.timeline); slices.Reverse(a.timeline) })
		cursor, texts = agenToldBy(t, p, cursor, texts)
		require.Equal(t, step.want, texts, "told twice, in another order of the list")
	}
}

func TestWhatIsWrittenInTheMomentOfTheWatermarkIsNotLost(t *testing.T) {
	a := agenAccount{timeline: []happening{agenUser, agenWord}, status: "active/working", now: agenNow}
	p := agenVendorOf(t, &a)
	cursor, texts := agenToldBy(t, p, "", nil)
	require.Equal(t, []string{"go", "It costs 42"}, texts)
	a.set(func(a *agenAccount) { // its id sorts before the one that was told
		a.timeline = append(a.timeline, happening{id: "a", kind: "session_finished", at: agenWord.at})
	})
	got, err := p.Read(t.Context(), "ses_01", cursor)
	require.NoError(t, err)
	require.Equal(t, "It costs 42", got.Outcome.Text)
	require.Len(t, got.Entries, 1)
	require.Equal(t, Entry{
		ID: "a", Type: EntryDone, Text: "It costs 42", Content: json.RawMessage(`{"type":"session_finished"}`), At: agenBegan.Add(5 * time.Second),
	}, got.Entries[0], "a finish without words has those of the result")
}

func TestEventsThatAreListedTwiceCountAsLastEdited(t *testing.T) {
	a := agenAccount{
		timeline: []happening{agenUser, agenWord.with(func(h *happening) { h.edited = 7 }), agenWord.with(agenWithPayload(agenWords("It"))).with(agenInStatus("processing")), agenFinish, agenUser},
		now:      agenNow,
	}
	got, err := agenVendorOf(t, &a).Read(t.Context(), "ses_01", "")
	require.NoError(t, err)
	require.Equal(t, "It costs 42", got.Outcome.Text)
	require.Len(t, got.Entries, 3)
}

func TestAnEventWithoutATimeBelongsToTheOneBeforeIt(t *testing.T) {
	timeline := []string{agenUser.String(), agenWord.String()}
	p := agenVendorOf(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/events") {
			fmt.Fprintf(w, "[%s]", strings.Join(timeline, ","))
			return
		}
		fmt.Fprint(w, `{"id":"ses_01"}`)
	}))
	first, err := p.Read(t.Context(), "ses_01", "")
	require.NoError(t, err)
	timeline = append(timeline, `{"id":"f","type":"session_finished","status":"completed"}`)
	got, err := p.Read(t.Context(), "ses_01", first.Cursor)
	require.NoError(t, err)
	require.Equal(t, "f", got.Outcome.ID)
	require.Len(t, got.Entries, 1)
}

func TestManyEventsOfOneMomentAreToldOnce(t *testing.T) {
	a := agenAccount{status: "active/working", now: agenNow}
	for i := range 3 * agenMarkIDs {
		a.timeline = append(a.timeline, happening{id: fmt.Sprintf("e%03d", i), kind: "agent_file_read", at: 2})
	}
	p := agenVendorOf(t, &a)
	cursor, texts := agenToldBy(t, p, "", nil)
	require.Len(t, texts, 3*agenMarkIDs)
	require.Less(t, len(cursor), 200)
	cursor, texts = agenToldBy(t, p, cursor, nil)
	require.Empty(t, texts)
	a.set(func(a *agenAccount) {
		a.timeline = append(a.timeline, happening{id: "x", kind: "agent_file_read", at: 2.001})
	})
	_, texts = agenToldBy(t, p, cursor, nil)
	require.Len(t, texts, 1)
}

func TestReadAtAgenGivesTheEntriesAsTheVendorSentThem(t *testing.T) {
	a := agenAccount{status: "active/working", now: agenNow, timeline: []happening{
		agenUser,
		{id: "p", kind: "agent_plan_execution_update", at: 2, payload: `{"text":"first the price"}`},
		{id: "s", kind: "system_message", at: 3, payload: agenWords("restarted")},
		{id: "x", kind: "agent_alert_created", at: 4, payload: `{"level":1}`},
		{id: "z", kind: "agent_daydream", at: 5, payload: `{}`},
	}}
	got, err := agenVendorOf(t, &a).Read(t.Context(), "ses_01", "")
	require.NoError(t, err)
	at := func(seconds int) time.Time { return agenBegan.Add(time.Duration(seconds) * time.Second) }
	require.Equal(t, []Entry{
		{ID: "u", Type: EntryUser, Text: "go", Content: json.RawMessage(`{"message":"go"}`), At: at(1)},
		{ID: "p", Type: EntryThought, Text: "first the price", Content: json.RawMessage(`{"text":"first the price"}`), At: at(2)},
		{ID: "s", Type: EntryLog, Text: "restarted", Content: json.RawMessage(`{"message":"restarted"}`), At: at(3)},
		{ID: "x", Type: EntryError, Text: `{"level":1}`, Content: json.RawMessage(`{"level":1}`), At: at(4)},
		{ID: "z", Type: EntryLog, Text: "agent_daydream", Content: json.RawMessage(`{}`), At: at(5)},
	}, got.Entries)
	require.Equal(t, "active/working", got.RawState)
}

func TestTheStateComesFromTheListWhereThereIsNoCallForOneSession(t *testing.T) {
	for _, status := range []int{404, 405, 501} {
		a := agenAccount{timeline: []happening{agenUser}, status: "active/working", noGet: status, list: `{"id":"other"}`, now: agenNow}
		p := agenVendorOf(t, &a)
		for range 2 {
			got, err := p.Read(t.Context(), "ses_01", "")
			require.NoError(t, err)
			require.Equal(t, StateWorking, got.State)
		}
		const timeline, one, list = "GET /api/v1/sessions/ses_01/events", "GET /api/v1/sessions/ses_01", "GET /api/v1/sessions"
		require.Equal(t, []string{timeline, one, list, timeline, list}, a.asked, "what is not there is asked for once")
	}
}

func TestASessionThatCannotBeFoundIsReadAllTheSame(t *testing.T) {
	for name, list := range map[string]string{
		"a list without it":                `{"items":[],"next_cursor":null}`,
		"a list that cannot be paged":      `{"items":[{"id":"a"}],"next_cursor":"c"}`,
		"a list that leads nowhere at all": `{"items":[{"id":"a"}],"next_cursor":"c1"}`,
	} {
		t.Run(name, func(t *testing.T) {
			p := agenVendorOf(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch r.URL.Path {
				case "/api/v1/sessions":
					fmt.Fprint(w, list)
				case "/api/v1/sessions/ses_01":
					w.WriteHeader(http.StatusNotFound)
				default:
					fmt.Fprintf(w, "[%s]", agenUser)
				}
			}))
			got, err := p.Read(t.Context(), "ses_01", "")
			require.NoError(t, err)
			require.Equal(t, StateUnknown, got.State)
			require.Len(t, got.Entries, 1)
		})
	}
}

func TestAVendorInTroubleIsNotTakenForAStateOfTheSession(t *testing.T) {
	for status, kind := range map[int]ErrorKind{503: ErrorUnavailable, 429: ErrorRateLimited, 403: ErrorUnauthorized} {
		a := agenAccount{timeline: []happening{agenUser}, noGet: status}
		_, err := agenVendorOf(t, &a).Read(t.Context(), "ses_01", "")
		require.True(t, IsKind(err, kind), "%v", err)
	}
}

func TestASessionWhoseTimelineIsGoneIsNotFound(t *testing.T) {
	p := agenVendorOf(t, http.NotFoundHandler())
	_, err := p.Read(t.Context(), "ses_01", "")
	require.True(t, IsKind(err, ErrorNotFound), "%v", err)
	_, err = p.Find(t.Context(), "ses_01", Message{}, "")
	require.True(t, IsKind(err, ErrorNotFound), "%v", err)
	require.True(t, IsKind(p.Send(t.Context(), "ses_01", Message{Text: "go"}), ErrorNotFound))
}

func TestAgenRefusesAWatermarkOfAnotherVendorBeforeAnythingIsSent(t *testing.T) {
	p := agenVendorOf(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("something was sent") }))
	for _, w := range []Watermark{"5", "event_17", "{}", "null", `{"after":5}`, `{"told":{"at":1}} {"told":{"at":1}}`} {
		_, err := p.Read(t.Context(), "ses_01", w)
		require.True(t, IsKind(err, ErrorInvalid), "%q: %v", w, err)
		_, err = p.Find(t.Context(), "ses_01", Message{Text: "go"}, w)
		require.True(t, IsKind(err, ErrorInvalid), "%q: %v", w, err)
	}
}
