package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/errand-dev/errand/apiclient/agi"
)

// measureSessions loads one session server with sessions, and asks it for
// memory, throughput and delay while they are there.
func measureSessions(ctx context.Context, size scale) (rows []row, err error) {
	dir, err := os.MkdirTemp("", "errand-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	var url string
	server, err := start(ctx, &url, "sessions", dir)
	if err != nil {
		return nil, err
	}
	defer server.stop()
	client, err := agi.New(agi.Config{BaseURL: url})
	if err != nil {
		return nil, err
	}
	defer client.CloseIdleConnections()
	empty, err := server.resident()
	if err != nil {
		return nil, err
	}

	idle, working := size.n(10_000), size.n(1000)
	if err := openSessions(ctx, client, idle, ""); err != nil {
		return nil, err
	}
	// At work for longer than all that follows takes.
	if err := openSessions(ctx, client, working, strings.Repeat("think still at it; wait 1s; ", 120)+"finish 1"); err != nil {
		return nil, err
	}
	time.Sleep(5 * time.Second) // so that all of them have worked for a while
	full, err := server.resident()
	if err != nil {
		return nil, err
	}
	rows = append(rows, row{
		what:     fmt.Sprintf("%d idle sessions and %d at work, a thought a second each: resident memory of the session server", idle, working),
		bar:      "< 400 MiB",
		reached:  mib(full),
		baseline: mib(empty) + " without sessions",
		ratio:    fmt.Sprintf("%.1f KiB for each session", float64(full-empty)/1024/float64(idle+working)),
	})

	delays, err := streamDelays(ctx, client, size.n(1000))
	if err != nil {
		return nil, err
	}
	rows = append(rows, row{
		what:    fmt.Sprintf("a message appended → at a reader of the event stream, %d messages, with those sessions at work", len(delays)),
		bar:     "median < 20 ms",
		reached: join("median "+ms(percentile(delays, 0.5)), "p99 "+ms(percentile(delays, 0.99)), "longest "+ms(percentile(delays, 1))),
	})

	session, err := client.CreateSession(ctx, agi.CreateSessionRequest{AgentName: "script"})
	if err != nil {
		return nil, err
	}
	span := size.d(15*time.Second) + time.Second
	nothing, err := requestsPerSecond(ctx, url+"/healthz", span)
	if err != nil {
		return nil, err
	}
	status, err := requestsPerSecond(ctx, url+"/v1/sessions/"+session.SessionID+"/status", span)
	if err != nil {
		return nil, err
	}
	return append(rows, row{
		what:     fmt.Sprintf("GET status for %s on %d connections, load and server on the same CPUs, with those sessions at work", span, connections),
		bar:      "≥ 2000/s",
		reached:  fmt.Sprintf("%.0f/s", status),
		baseline: fmt.Sprintf("%.0f/s for an answer that says nothing", nothing),
		ratio:    fmt.Sprintf("%.2f", status/nothing),
	}), nil
}

// openSessions makes sessions, and gives each a script unless that is empty.
func openSessions(ctx context.Context, client *agi.Client, n int, script string) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(16)
	for range n {
		group.Go(func() error {
			s, err := client.CreateSession(ctx, agi.CreateSessionRequest{AgentName: "script"})
			if err == nil && script != "" {
				_, err = client.SendMessage(ctx, s.SessionID, agi.SendMessageRequest{Message: script})
			}
			return err
		})
	}
	return group.Wait()
}

// streamDelays takes the time from thoughts that say when they were thought to
// their arrival at a reader.
func streamDelays(ctx context.Context, client *agi.Client, n int) ([]time.Duration, error) {
	var delays []time.Duration
	const perTask = 250 // a message has at most 10,000 characters
	for len(delays) < n {
		s, err := client.CreateSession(ctx, agi.CreateSessionRequest{AgentName: "script"})
		if err != nil {
			return nil, err
		}
		stream, err := client.Events(ctx, s.SessionID, agi.EventsOptions{})
		if err != nil {
			return nil, err
		}
		script := strings.Repeat("think {{now}}; wait 5ms; ", min(perTask, n-len(delays))) + "finish 1"
		if _, err := client.SendMessage(ctx, s.SessionID, agi.SendMessageRequest{Message: script}); err != nil {
			return nil, err
		}
		for event, err := range stream.Events() {
			if err != nil {
				return nil, err
			}
			if event.Type != agi.EventThought {
				continue
			}
			at, err := time.Parse(time.RFC3339Nano, event.Text)
			if err != nil {
				return nil, err
			}
			delays = append(delays, time.Since(at))
		}
	}
	return delays, nil
}

// connections is how many requests are under way at a time.
const connections = 16

// requestsPerSecond is how many times a second the server answers.
func requestsPerSecond(ctx context.Context, url string, span time.Duration) (float64, error) {
	transport := &http.Transport{MaxIdleConnsPerHost: connections}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	var answered atomic.Int64
	begun := time.Now()
	group, ctx := errgroup.WithContext(ctx)
	for range connections {
		group.Go(func() error {
			for time.Since(begun) < span {
				req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
				if err != nil {
					return err
				}
				res, err := client.Do(req)
				if err != nil {
					return err
				}
				_, err = io.Copy(io.Discard, res.Body)
				res.Body.Close()
				if err != nil || res.StatusCode != http.StatusOK {
					return fmt.Errorf("%s: %s: %w", url, res.Status, err)
				}
				answered.Add(1)
			}
			return nil
		})
	}
	err := group.Wait()
	return float64(answered.Load()) / time.Since(begun).Seconds(), err
}
