package activities

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/errand-dev/errand/provider"
)

// awaitIn is an input with time enough.
func awaitIn(session string) TakeTurnInput {
	return TakeTurnInput{TaskID: "t-1", Connection: connection, SessionID: session, Deadline: time.Now().Add(patient)}
}

// seen is a vendor that is seen with other capabilities.
type seen struct {
	provider.Provider
	as provider.Capabilities
}

func (s seen) Capabilities() provider.Capabilities { return s.as }

var (
	pollingOnly = provider.Capabilities{PollInterval: pollEvery}
	streamAlone = provider.Capabilities{Stream: true, PollInterval: time.Hour} // a turn ends in time only if the stream wakes
	streamToo   = provider.Capabilities{Stream: true, PollInterval: pollEvery}
)

func TestATurnEndsWithAQuestionAResultOrAnError(t *testing.T) {
	for name, capabilities := range map[string]provider.Capabilities{"by polling": pollingOnly, "by the stream": streamAlone} {
		t.Run(name, func(t *testing.T) {
			p := seen{localVendor(t, nil), capabilities}
			env := environment(activitiesOn(p))
			session := newSession(t, p, `think a; wait 100ms; ask Which size?; wait 100ms; finish {"size": "{{answer}}"}`)

			asked, err := perform[Turn](t, env, acts.TakeTurn, awaitIn(session))
			require.NoError(t, err)
			require.NotEmpty(t, asked.Cursor)
			require.Equal(t, Turn{Outcome: provider.OutcomeQuestion, Text: "Which size?", Cursor: asked.Cursor}, asked)

			in := awaitIn(session)
			in.After = asked.Cursor
			in.ResultSchema = json.RawMessage(`{"type":"object"}`)
			_, err = perform[SendMessageOutput](t, env, acts.SendMessage,
				SendMessageInput{Connection: connection, SessionID: session, Text: "XL", After: in.After})
			require.NoError(t, err)
			done, err := perform[Turn](t, env, acts.TakeTurn, in)
			require.NoError(t, err)
			require.Equal(t, Turn{Outcome: provider.OutcomeFinished, Result: json.RawMessage(`{"size":"XL"}`), Cursor: done.Cursor}, done,
				"the result is in the history once")

			require.NoError(t, p.Send(t.Context(), session, provider.Message{Text: "wait 100ms; fail the shop is closed"}))
			in = awaitIn(session)
			in.After = done.Cursor
			failed, err := perform[Turn](t, env, acts.TakeTurn, in)
			require.NoError(t, err)
			require.Equal(t, Turn{Outcome: provider.OutcomeFailed, Text: "the shop is closed", Cursor: failed.Cursor}, failed)
		})
	}
}

func TestATurnEndsWhateverTheStreamIsWorth(t *testing.T) {
	for name, stream := range map[string]func(http.ResponseWriter, *http.Request){
		"there is none": func(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) },
		"it ends at once": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			w.WriteHeader(http.StatusOK)
		},
		"it breaks": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprint(w, "event: do")
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		},
		"it is a page": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") },
	} {
		t.Run(name, func(t *testing.T) {
			p := seen{localVendor(t, func(w http.ResponseWriter, r *http.Request, vendor http.Handler) {
				if strings.HasSuffix(r.URL.Path, "/events") {
					stream(w, r)
					return
				}
				vendor.ServeHTTP(w, r)
			}), streamToo}
			turn, err := perform[Turn](t, environment(activitiesOn(p)), acts.TakeTurn, awaitIn(newSession(t, p, "wait 200ms; finish ok")))
			require.NoError(t, err)
			require.Equal(t, provider.OutcomeFinished, turn.Outcome)
		})
	}
}

func TestAResultIsCheckedBeforeItIsReturned(t *testing.T) {
	p := seen{localVendor(t, nil), pollingOnly}
	env := environment(activitiesOn(p))
	in := awaitIn(newSession(t, p, `finish {"price": "42"}`))

	in.ResultSchema = json.RawMessage(priceSchema)
	_, err := perform[Turn](t, env, acts.TakeTurn, in)
	requireType(t, err, ErrTypeResultMismatch, false)

	in.ResultSchema = json.RawMessage(`{"$ref": "file:///etc/passwd"}`)
	_, err = perform[Turn](t, env, acts.TakeTurn, in)
	require.Contains(t, requireType(t, err, ErrTypeInvalidRequest, false).Message(), "the result schema is not valid JSON Schema: ")
}

func TestTheSchemaIsForResultsAlone(t *testing.T) {
	p := seen{localVendor(t, nil), pollingOnly}
	in := awaitIn(newSession(t, p, `ask Which size?`))
	in.ResultSchema = json.RawMessage(`false`)
	turn, err := perform[Turn](t, environment(activitiesOn(p)), acts.TakeTurn, in)
	require.NoError(t, err)
	require.Equal(t, provider.OutcomeQuestion, turn.Outcome)
}

func TestAWaitGoesOnFromItsHeartbeat(t *testing.T) {
	p := seen{localVendor(t, nil), pollingOnly}
	session := newSession(t, p, "think a; think b; ask c")
	var all provider.Progress
	require.Eventually(t, func() bool {
		var err error
		all, err = p.Read(t.Context(), session, "")
		return err == nil && all.Outcome != nil
	}, patient, pollEvery)

	var kept transcripts
	env := environment(&Activities{Connections: only{p}, Transcripts: &kept})
	env.SetHeartbeatDetails(turnProgress{Cursor: provider.Watermark(all.Entries[1].ID), LastProgress: time.Now()})
	turn, err := perform[Turn](t, env, acts.TakeTurn, awaitIn(session))
	require.NoError(t, err)
	require.Equal(t, Turn{Outcome: provider.OutcomeQuestion, Text: "c", Cursor: all.Cursor}, turn)
	require.Equal(t, []string{"b", "c"}, kept.texts("t-1"))
}

// transcripts keeps entries in memory.
type transcripts struct {
	mu   sync.Mutex
	kept map[string][]provider.Entry
	fail error
}

func (k *transcripts) Append(taskID string, entries []provider.Entry) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.kept == nil {
		k.kept = map[string][]provider.Entry{}
	}
	k.kept[taskID] = append(k.kept[taskID], slices.Clone(entries)...)
	return k.fail
}

func (k *transcripts) texts(taskID string) []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	var texts []string
	for _, e := range k.kept[taskID] {
		texts = append(texts, e.Text)
	}
	return texts
}

func TestWhatASessionSaysIsKeptOnce(t *testing.T) {
	for name, fail := range map[string]error{"": nil, "although that fails": errors.New("disk full")} {
		t.Run(name, func(t *testing.T) {
			p := seen{localVendor(t, nil), pollingOnly}
			kept := transcripts{fail: fail}
			env := environment(&Activities{Connections: only{p}, Transcripts: &kept})
			message := "think a; wait 50ms; think b; wait 50ms; log c; wait 50ms; ask d"
			_, err := perform[Turn](t, env, acts.TakeTurn, awaitIn(newSession(t, p, message)))
			require.NoError(t, err)
			require.Equal(t, []string{message, "a", "b", "c", "d"}, kept.texts("t-1"))
			require.Empty(t, kept.texts("t-2"))
		})
	}
}
