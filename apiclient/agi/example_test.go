package agi_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/errand-dev/errand/apiclient/agi"
)

// exampleServer answers as the API does for one short task.
func exampleServer() *httptest.Server {
	answer := func(body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/sessions", answer(`{"session_id":"s-1","agent_name":"agi-0","status":"ready"}`))
	mux.HandleFunc("POST /v1/sessions/s-1/message", answer(`{"success":true,"message":"queued"}`))
	mux.HandleFunc("GET /v1/sessions/s-1/messages", answer(
		`{"messages":[{"id":2,"type":"DONE","content":{"text":"The lamp costs 25.00"}}],"status":"finished","has_agent":true}`))
	mux.HandleFunc("GET /v1/sessions/s-1/events", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "id: 1\nevent: thought\ndata: {\"text\":\"Opening the page\",\"message_id\":1}\n\n")
		_, _ = io.WriteString(w, "id: 2\nevent: done\ndata: {\"text\":\"The lamp costs 25.00\",\"message_id\":2}\n\n")
	})
	mux.HandleFunc("GET /v1/sessions", answer(`[{"session_id":"s-1","agent_name":"agi-0","status":"running"}]`))
	mux.HandleFunc("GET /v1/sessions/s-1/status", answer(`{"status":"finished"}`))
	mux.HandleFunc("POST /v1/sessions/s-1/pause", answer(`{"success":true,"message":"paused"}`))
	mux.HandleFunc("POST /v1/sessions/s-1/resume", answer(`{"success":true,"message":"resumed"}`))
	mux.HandleFunc("POST /v1/sessions/s-1/cancel", answer(`{"success":true,"message":"cancelled"}`))
	mux.HandleFunc("POST /v1/sessions/s-1/navigate", answer(`{"current_url":"https://shop.example/lamp?lang=en"}`))
	mux.HandleFunc("GET /v1/sessions/s-1/screenshot", answer(`{"screenshot":"data:image/jpeg;base64,/9j/","url":"https://shop.example/lamp","title":"Lamp"}`))
	mux.HandleFunc("GET /v1/models", answer(`{"models":["agi-0",{"id":"agi-1","name":"One"}]}`))
	mux.HandleFunc("DELETE /v1/sessions/s-1", answer(`{"success":true,"deleted":true,"message":"gone"}`))
	mux.HandleFunc("GET /v1/sessions/s-2", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"detail":"Session not found"}`)
	})
	mux.HandleFunc("POST /v1/sessions/s-2/message", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusUnprocessableEntity)
		_, _ = io.WriteString(w, `{"detail":[{"loc":["body","message"],"msg":"is empty","type":"too_short"}]}`)
	})
	return httptest.NewServer(mux)
}

// connect returns a client of that server, and what to call in the end.
func connect() (client *agi.Client, stop func()) {
	server := exampleServer()
	client, err := agi.New(agi.Config{BaseURL: server.URL, APIKey: "the-key"})
	if err != nil {
		log.Fatal(err)
	}
	return client, func() {
		client.CloseIdleConnections()
		server.Close()
	}
}

// One task from the session's creation to its deletion.
func Example() {
	server := exampleServer()
	defer server.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()

	client, err := agi.New(agi.Config{BaseURL: server.URL, APIKey: "the-key"})
	if err != nil {
		log.Fatal(err)
	}
	defer client.CloseIdleConnections()
	session, err := client.CreateSession(ctx, agi.CreateSessionRequest{AgentName: "agi-0"})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := client.SendMessage(ctx, session.SessionID, agi.SendMessageRequest{
		Message:  "What does the lamp cost?",
		StartURL: "https://shop.example/lamp",
	}); err != nil {
		log.Fatal(err)
	}
	list, err := client.Messages(ctx, session.SessionID, agi.MessagesOptions{AfterID: 0})
	if err != nil {
		log.Fatal(err)
	}
	for _, message := range list.Messages {
		fmt.Println(message.Type, message.Text())
	}
	deleted, err := client.DeleteSession(ctx, session.SessionID, agi.DeleteOptions{SaveSnapshotMode: agi.SnapshotFilesystem})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("deleted:", deleted.Deleted)
	// Output:
	// DONE The lamp costs 25.00
	// deleted: true
}

// Following a session live. The stream closes itself when the loop ends.
func ExampleClient_Events() {
	client, stop := connect()
	defer stop()

	stream, err := client.Events(context.Background(), "s-1", agi.EventsOptions{})
	if err != nil {
		log.Fatal(err)
	}
	for event, err := range stream.Events() {
		if err != nil {
			log.Fatal(err) // a *agi.StreamError: open a new stream, or poll
		}
		fmt.Println(event.Type, event.MessageID, event.Text)
	}
	// Output:
	// thought 1 Opening the page
	// done 2 The lamp costs 25.00
}

// An answer of the API is told from a call that had none.
func ExampleError() {
	client, stop := connect()
	defer stop()

	_, err := client.Session(context.Background(), "s-2")
	if answer, ok := errors.AsType[*agi.Error](err); ok {
		fmt.Println(answer.StatusCode, answer.Message)
	}
	// Output:
	// 404 Session not found
}

// What a 422 says about single fields is data.
func ExampleFieldError() {
	client, stop := connect()
	defer stop()

	_, err := client.SendMessage(context.Background(), "s-2", agi.SendMessageRequest{})
	if answer, ok := errors.AsType[*agi.Error](err); ok {
		for _, field := range answer.Fields {
			fmt.Printf("%s %s\n", field.Path, field.Message)
		}
	}
	// Output:
	// body.message is empty
}

// The sessions that are open, for example to find those that a lost answer
// left behind.
func ExampleClient_ListSessions() {
	client, stop := connect()
	defer stop()

	list, err := client.ListSessions(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	for _, session := range list.Sessions {
		fmt.Println(session.SessionID, session.AgentName, session.Status)
	}
	// Output:
	// s-1 agi-0 running
}

// Polling: the largest id that was seen is where the next call goes on.
func ExampleClient_Messages() {
	client, stop := connect()
	defer stop()
	ctx := context.Background()

	var afterID int64
	for {
		list, err := client.Messages(ctx, "s-1", agi.MessagesOptions{AfterID: afterID})
		if err != nil {
			log.Fatal(err)
		}
		for _, message := range list.Messages {
			afterID = max(afterID, message.ID)
			fmt.Println(message.ID, message.Type, message.Text())
		}
		switch list.Status {
		case agi.ExecutionFinished, agi.ExecutionError, agi.ExecutionWaitingForInput:
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(2 * time.Second):
		}
	}
	// Output:
	// 2 DONE The lamp costs 25.00
}

// What the agent is doing, which is not the status of its session.
func ExampleClient_Status() {
	client, stop := connect()
	defer stop()

	status, err := client.Status(context.Background(), "s-1")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(status == agi.ExecutionFinished)
	// Output:
	// true
}

// Halting an agent, letting it go on, and ending its task.
func ExampleClient_Pause() {
	client, stop := connect()
	defer stop()

	for _, act := range []func(context.Context, string) (agi.ActionResult, error){client.Pause, client.Resume, client.Cancel} {
		result, err := act(context.Background(), "s-1")
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(result.Success)
	}
	// Output:
	// true
	// true
	// true
}

// Following one task to its end, in a session that may have had others. The
// newest message before the task says what is old.
func ExampleClient_Follow() {
	client, stop := connect()
	defer stop()
	ctx := context.Background()

	const before = 0 // the largest id of client.Messages
	if _, err := client.SendMessage(ctx, "s-1", agi.SendMessageRequest{Message: "What does the lamp cost?"}); err != nil {
		log.Fatal(err)
	}
	for event, err := range client.Follow(ctx, "s-1", agi.FollowOptions{AfterID: before}) {
		if err != nil {
			log.Fatal(err) // another connection would not help
		}
		switch event.Type {
		case agi.EventQuestion:
			fmt.Println("asks:", event.Text) // answer with SendMessage; the loop goes on
		case agi.EventDone:
			fmt.Println("done:", event.Text)
		}
	}
	// Output:
	// done: The lamp costs 25.00
}

// Going somewhere and looking at it.
func ExampleClient_Screenshot() {
	client, stop := connect()
	defer stop()
	ctx := context.Background()

	at, err := client.Navigate(ctx, "s-1", "https://shop.example/lamp")
	if err != nil {
		log.Fatal(err)
	}
	shot, err := client.Screenshot(ctx, "s-1")
	if err != nil {
		log.Fatal(err)
	}
	image, mediaType, err := shot.Image()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(at.CurrentURL)
	fmt.Println(shot.Title, mediaType, len(image))
	// Output:
	// https://shop.example/lamp?lang=en
	// Lamp image/jpeg 3
}

// The models, which is also how a key is checked.
func ExampleClient_Models() {
	client, stop := connect()
	defer stop()

	models, err := client.Models(context.Background(), agi.ModelsOptions{})
	if err != nil {
		log.Fatal(err)
	}
	for _, model := range models {
		fmt.Println(model.ID)
	}
	// Output:
	// agi-0
	// agi-1
}

// A webhook is a hint: it is answered at once, and what it says is read from
// the API before anything is done about it.
func ExampleParseWebhook() {
	client, stop := connect()
	defer stop()

	receive := func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err != nil {
			return
		}
		hook, err := agi.ParseWebhook(body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		switch hook.Payload.(type) {
		case agi.TaskCompleted, agi.TaskQuestion, agi.TaskError:
			status, err := client.Status(r.Context(), hook.Session.ID)
			fmt.Println(hook.Event, "confirmed:", err == nil && status == agi.ExecutionFinished)
		}
	}

	body := `{"event":"task.completed","session":{"id":"s-1"},"result":{"status":"success","message":"25.00"}}`
	receive(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/secret-path", strings.NewReader(body)))
	// Output:
	// task.completed confirmed: true
}
