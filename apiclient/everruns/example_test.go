package everruns_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/errand-dev/errand/apiclient/everruns"
)

// exampleServer answers as the API does for one short turn.
func exampleServer() *httptest.Server {
	answer := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	const output = `{"id":"event_2","type":"output.message.completed","sequence":2,"context":{"turn_id":"turn_1"},` +
		`"data":{"message":{"id":"message_2","role":"agent","content":[{"type":"text","text":"The lamp costs 25.00"}]}}}`
	const completed = `{"id":"event_3","type":"turn.completed","sequence":3,"context":{},"data":{"turn_id":"turn_1","iterations":1}}`
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/sessions", answer(201, `{"id":"session_1","agent_id":"agent_1","status":"started"}`))
	mux.HandleFunc("POST /v1/sessions/session_1/messages", answer(201, `{"id":"message_1","role":"user","content":[{"type":"text","text":"?"}]}`))
	mux.HandleFunc("GET /v1/sessions/session_1/events", answer(200, `{"data":[`+output+`,`+completed+`]}`))
	mux.HandleFunc("GET /v1/sessions/session_1/sse", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "event: connected\ndata: {\"status\":\"connected\"}\n\n")
		if r.URL.Query().Get("since_id") == "" {
			_, _ = io.WriteString(w, "event: output.message.completed\nid: event_2\ndata: "+output+"\n\n")
			_, _ = io.WriteString(w, "event: disconnecting\ndata: {\"reason\":\"connection_cycle\",\"retry_ms\":100}\n\n")
			return
		}
		_, _ = io.WriteString(w, "event: turn.completed\nid: event_3\ndata: "+completed+"\n\n")
	})
	mux.HandleFunc("POST /v1/sessions/session_1/tool-results", answer(200, `{"accepted":1,"status":"active"}`))
	mux.HandleFunc("POST /v1/sessions/session_1/cancel", answer(200, `{"status":"no_op","message":"nothing to cancel"}`))
	mux.HandleFunc("DELETE /v1/sessions/session_1", answer(204, ""))
	mux.HandleFunc("GET /v1/sessions/session_2", answer(404, `{"title":"Not Found","status":404,"detail":"Session not found","code":"not_found"}`))
	return httptest.NewServer(mux)
}

// connect returns a client of that server, and what to call in the end.
func connect() (client *everruns.Client, stop func()) {
	server := exampleServer()
	client, err := everruns.New(everruns.Config{BaseURL: server.URL, APIKey: "evr_pat_the-key", Organization: "org_1"})
	if err != nil {
		log.Fatal(err)
	}
	return client, func() {
		client.CloseIdleConnections()
		server.Close()
	}
}

// One turn, from the session's creation to its deletion.
func Example() {
	client, stop := connect()
	defer stop()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()

	session, err := client.CreateSession(ctx, everruns.CreateSessionRequest{AgentID: "agent_1", Tags: []string{"shop"}})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := client.CreateMessage(ctx, session.ID, everruns.CreateMessageRequest{
		Message:  everruns.InputMessage{Content: everruns.TextContent("What does the lamp cost?")},
		Metadata: map[string]any{"key": "question-1"}, // to know it again
	}); err != nil {
		log.Fatal(err)
	}
	events, err := client.ListEvents(ctx, session.ID, everruns.ListEventsOptions{
		Exclude: []everruns.EventType{everruns.EventOutputDelta, everruns.EventThinkingDelta},
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, event := range events {
		switch event.Type {
		case everruns.EventOutputCompleted: // not yet a success
			said, err := everruns.DataOf[everruns.MessageData](event)
			if err != nil {
				log.Fatal(err)
			}
			fmt.Println(said.Message.Content.Text())
		case everruns.EventTurnCompleted:
			fmt.Println("success")
		}
	}
	if err := client.DeleteSession(ctx, session.ID); err != nil {
		log.Fatal(err)
	}
	// Output:
	// The lamp costs 25.00
	// success
}

// Following a session over the connections that the API ends every few minutes.
func ExampleClient_Follow() {
	client, stop := connect()
	defer stop()

	for event, err := range client.Follow(context.Background(), "session_1", everruns.FollowOptions{}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(event.Sequence, event.Type)
		if event.Type == everruns.EventTurnCompleted {
			break
		}
	}
	// Output:
	// 2 output.message.completed
	// 3 turn.completed
}

// Answering the tool call that a session waits for.
func ExampleClient_SubmitToolResults() {
	client, stop := connect()
	defer stop()

	reply, err := client.SubmitToolResults(context.Background(), "session_1", []everruns.ToolResult{
		{ToolCallID: "call_1", Result: []byte(`{"answer":"blue"}`)},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(reply.Status)
	// Output:
	// active
}

// Cancelling where there is nothing to cancel is no error.
func ExampleClient_CancelSession() {
	client, stop := connect()
	defer stop()

	result, err := client.CancelSession(context.Background(), "session_1")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(result.Status)
	// Output:
	// no_op
}

// An answer of the API is told from a call that had none.
func ExampleError() {
	client, stop := connect()
	defer stop()

	_, err := client.Session(context.Background(), "session_2")
	if answer, ok := errors.AsType[*everruns.Error](err); ok {
		fmt.Println(answer.StatusCode, answer.Code, answer.Message)
	}
	// Output:
	// 404 not_found Session not found
}
