package agen_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/errand-dev/errand/apiclient/agen"
)

// exampleServer answers as the API does for one short task.
func exampleServer() *httptest.Server {
	answer := func(body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/v1/sessions", answer(`{"id":"ses_01","title":"","status":"active","branch_name":"fix/retry"}`))
	mux.HandleFunc("POST /api/v1/sessions/ses_01/messages", answer(
		`{"id":"evt_01","type":"user_message","payload":{"type":"user_message","message":"Add a retry"},"status":"queued","client_id":"step-1"}`))
	mux.HandleFunc("GET /api/v1/sessions/ses_01/events", answer(
		`[{"id":"evt_01","type":"user_message","payload":{"type":"user_message","message":"Add a retry"},"status":"completed","client_id":"step-1"},`+
			`{"id":"evt_02","type":"agent_file_edit","payload":{"path":"client.go"},"status":"completed"},`+
			`{"id":"evt_03","type":"agent_message","payload":{"message":"Calls are tried three times now"},"status":"completed"},`+
			`{"id":"evt_04","type":"session_finished","payload":{},"status":"completed"}]`))
	mux.HandleFunc("GET /api/v1/sessions", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("cursor") == "" {
			_, _ = io.WriteString(w, `{"items":[{"id":"ses_01","title":"Add a retry"}],"next_cursor":"p2"}`)
			return
		}
		_, _ = io.WriteString(w, `{"items":[{"id":"ses_00","title":"Fix the build"}],"next_cursor":null}`)
	})
	mux.HandleFunc("GET /api/v1/sessions/ses_01", answer(`{"id":"ses_01","status":"active","agent_status":"idle"}`))
	mux.HandleFunc("PATCH /api/v1/sessions/ses_01", answer(`{"id":"ses_01","title":"Retry calls"}`))
	mux.HandleFunc("GET /api/v1/sessions/ses_02", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"message":"Session not found","error":"Not Found","statusCode":404}`)
	})
	return httptest.NewServer(mux)
}

// connect returns a client of that server, and what to call in the end.
func connect() (client *agen.Client, stop func()) {
	server := exampleServer()
	client, err := agen.New(agen.Config{BaseURL: server.URL, APIKey: "the-key"})
	if err != nil {
		log.Fatal(err)
	}
	return client, func() {
		client.CloseIdleConnections()
		server.Close()
	}
}

// One task from the session's creation to its result.
func Example() {
	server := exampleServer()
	defer server.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()

	client, err := agen.New(agen.Config{BaseURL: server.URL, APIKey: "the-key"})
	if err != nil {
		log.Fatal(err)
	}
	defer client.CloseIdleConnections()
	branch := "fix/retry"
	session, err := client.CreateSession(ctx, agen.CreateSessionRequest{BranchName: &branch})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := client.SendMessage(ctx, session.ID, agen.SendMessageRequest{Message: "Add a retry", ClientID: "step-1"}); err != nil {
		log.Fatal(err)
	}
	timeline, err := client.Timeline(ctx, session.ID) // again and again, until there is a session_finished
	if err != nil {
		log.Fatal(err)
	}
	for _, event := range timeline.Events {
		fmt.Println(event.Type, event.Status, event.Text())
	}
	// Output:
	// user_message completed Add a retry
	// agent_file_edit completed {"path":"client.go"}
	// agent_message completed Calls are tried three times now
	// session_finished completed
}

// A message whose answer was lost is looked for before it is sent again.
func ExampleClient_Timeline() {
	client, stop := connect()
	defer stop()

	timeline, err := client.Timeline(context.Background(), "ses_01")
	if err != nil {
		log.Fatal(err)
	}
	arrived := false
	for _, event := range timeline.Events {
		arrived = arrived || event.ClientID == "step-1"
	}
	fmt.Println(arrived)
	// Output:
	// true
}

// All sessions, whatever the size of a page.
func ExampleClient_ListAllSessions() {
	client, stop := connect()
	defer stop()

	list, err := client.ListAllSessions(context.Background(), agen.ListOptions{})
	if err != nil {
		log.Fatal(err) // agen.ErrRepeatedPage: what came is not the whole list
	}
	for _, session := range list.Sessions {
		fmt.Println(session.ID, session.Title)
	}
	// Output:
	// ses_01 Add a retry
	// ses_00 Fix the build
}

// One page alone.
func ExampleClient_ListSessions() {
	client, stop := connect()
	defer stop()

	page, err := client.ListSessions(context.Background(), agen.ListOptions{Include: "mr_pipeline_summary"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(page.Items), page.NextCursor)
	// Output:
	// 1 p2
}

// The changes are sent as they are.
func ExampleClient_UpdateSession() {
	client, stop := connect()
	defer stop()

	session, err := client.UpdateSession(context.Background(), "ses_01", map[string]any{"title": "Retry calls"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(session.Title)
	// Output:
	// Retry calls
}

// The two statuses are words that the vendor does not list.
func ExampleClient_Session() {
	client, stop := connect()
	defer stop()

	session, err := client.Session(context.Background(), "ses_01")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(session.Status, session.AgentStatus)
	// Output:
	// active idle
}

// An answer of the API is told from a call that had none.
func ExampleError() {
	client, stop := connect()
	defer stop()

	_, err := client.Session(context.Background(), "ses_02")
	if answer, ok := errors.AsType[*agen.Error](err); ok {
		fmt.Println(answer.StatusCode, answer.Message)
	}
	// Output:
	// 404 Session not found
}

// A payload is an object of whatever shape.
func ExamplePayloadText() {
	fmt.Println(agen.PayloadText([]byte(`{"type":"agent_ask_user","question":"Which branch?"}`)))
	fmt.Println(agen.PayloadText([]byte(`{"path": "client.go"}`)))
	// Output:
	// Which branch?
	// {"path":"client.go"}
}
