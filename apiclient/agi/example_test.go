package agi_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
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
	mux.HandleFunc("DELETE /v1/sessions/s-1", answer(`{"success":true,"deleted":true,"message":"gone"}`))
	mux.HandleFunc("GET /v1/sessions/s-2", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"detail":"Session not found"}`)
	})
	return httptest.NewServer(mux)
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
	server := exampleServer()
	defer server.Close()
	client, err := agi.New(agi.Config{BaseURL: server.URL, APIKey: "the-key"})
	if err != nil {
		log.Fatal(err)
	}
	defer client.CloseIdleConnections()

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
	server := exampleServer()
	defer server.Close()
	client, err := agi.New(agi.Config{BaseURL: server.URL, APIKey: "the-key"})
	if err != nil {
		log.Fatal(err)
	}
	defer client.CloseIdleConnections()

	_, err = client.Session(context.Background(), "s-2")
	if answer, ok := errors.AsType[*agi.Error](err); ok {
		fmt.Println(answer.StatusCode, answer.Message)
	}
	// Output:
	// 404 Session not found
}
