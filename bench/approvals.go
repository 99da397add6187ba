package main

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/errand-dev/errand/starter"
	"github.com/errand-dev/errand/workflows"
)

// measureAnswers takes the time from an answer to its arrival at the agent.
func measureAnswers(ctx context.Context, size scale) ([]row, error) {
	r, err := newRig(ctx)
	if err != nil {
		return nil, err
	}
	defer r.close()
	var rows []row
	for _, concurrency := range []int{1, 8} {
		n := size.n(300)
		var mu sync.Mutex
		var sent, accepted []time.Duration
		group, groupCtx := errgroup.WithContext(ctx)
		group.SetLimit(concurrency)
		for i := range n {
			group.Go(func() error {
				fromSent, fromAccepted, err := r.answerOne(groupCtx, fmt.Sprintf("answer-%d-%d", concurrency, i))
				mu.Lock()
				defer mu.Unlock()
				sent, accepted = append(sent, fromSent), append(accepted, fromAccepted)
				return err
			})
		}
		if err := group.Wait(); err != nil {
			return nil, err
		}
		rows = append(rows, row{
			what:     fmt.Sprintf("answer accepted → message at the session server, %d answers, %d at a time", n, concurrency),
			bar:      "median < 150 ms",
			reached:  join("median "+ms(percentile(accepted, 0.5)), "p99 "+ms(percentile(accepted, 0.99)), "longest "+ms(percentile(accepted, 1))),
			baseline: "from when the answer was sent: " + join("median "+ms(percentile(sent, 0.5)), "p99 "+ms(percentile(sent, 0.99))),
		})
	}
	return rows, nil
}

// answerOne answers the question of a task of its own. The agent says when it
// heard the answer: the session server's clock is ours.
func (r *rig) answerOne(ctx context.Context, id string) (fromSent, fromAccepted time.Duration, err error) {
	if err := startTask(ctx, r.Client, id, `ask Go on?; finish {"heard_at": "{{now}}"}`); err != nil {
		return 0, 0, err
	}
	asks := false
	for !asks {
		w, err := r.WhatWaits(ctx, id)
		if err != nil {
			return 0, 0, err
		}
		if asks = w.Question != nil; !asks {
			time.Sleep(10 * time.Millisecond)
		}
	}
	sent := time.Now()
	answer, err := r.Answer(ctx, id, workflows.AnswerInput{Text: "yes", By: "bench"})
	if err != nil {
		return 0, 0, err
	}
	task, err := r.Wait(ctx, id)
	if err != nil {
		return 0, 0, err
	}
	var result struct {
		HeardAt time.Time `json:"heard_at"`
	}
	if err := json.Unmarshal(task.Result, &result); err != nil {
		return 0, 0, fmt.Errorf("task %s: %w: %s", id, err, task.Result)
	}
	return result.HeardAt.Sub(sent), result.HeardAt.Sub(answer.At), nil
}

// measureInbox lets many tasks wait for an answer, and asks for pages of them.
func measureInbox(ctx context.Context, size scale) ([]row, error) {
	r, err := newRig(ctx)
	if err != nil {
		return nil, err
	}
	defer r.close()
	n := size.n(10_000)
	if err := r.startWaiting(ctx, 0, n); err != nil {
		return nil, err
	}
	var rows []row
	for _, depth := range []int{0, n / 2} {
		times, err := r.pageTimes(ctx, depth, 20)
		if err != nil {
			return nil, err
		}
		where := "the first page"
		if depth > 0 {
			where = "the page in the middle"
		}
		rows = append(rows, row{
			what:    fmt.Sprintf("%s of %d open questions, %d on it, each asked for its text", where, n, starter.DefaultPageSize),
			bar:     "< 500 ms",
			reached: join("median "+ms(percentile(times, 0.5)), "longest "+ms(percentile(times, 1))),
		})
	}
	return rows, nil
}

// measureWaiting lets more and more tasks wait for an answer, and watches the
// memory of their worker, which has a process of its own.
func measureWaiting(ctx context.Context, size scale) ([]row, error) {
	r, err := newRig(ctx, "-no-worker")
	if err != nil {
		return nil, err
	}
	defer r.close()
	var ready string
	worker, err := start(ctx, &ready, "worker", r.temporal, r.sessionsURL)
	if err != nil {
		return nil, err
	}
	defer worker.stop()
	empty, err := worker.resident()
	if err != nil {
		return nil, err
	}
	var rows []row
	begun := 0
	// The SDK keeps 10,000 workflows in a worker's memory.
	for _, full := range []int{5000, 10_000, 20_000} {
		n := size.n(full)
		if err := r.startWaiting(ctx, begun, n); err != nil {
			return nil, err
		}
		begun = n
		now, err := worker.resident()
		if err != nil {
			return nil, err
		}
		memory := row{
			what:     fmt.Sprintf("%d tasks wait for an answer: resident memory of their worker", n),
			reached:  mib(now),
			baseline: mib(empty) + " without tasks",
			ratio:    fmt.Sprintf("%.1f KiB for each task", float64(now-empty)/1024/float64(n)),
		}
		if full == 20_000 {
			memory.bar = "as with 10,000, which the worker's cache holds (within 20 %)"
		}
		rows = append(rows, memory)
	}
	return rows, nil
}

// startWaiting starts tasks from one number to another and waits until all wait.
func (r *rig) startWaiting(ctx context.Context, from, to int) error {
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(throughputConcurrency / 2)
	for i := from; i < to; i++ {
		group.Go(func() error {
			// A start that is not heard of in time is begun again, and finds itself.
			return patiently(groupCtx, func() error {
				return startTask(groupCtx, r.Client, fmt.Sprintf("waiting-%d", i), "ask Go on?; finish 1")
			})
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for {
		var n int64
		err := patiently(ctx, func() (err error) { n, err = r.CountWaiting(ctx); return err })
		if err != nil || int(n) == to {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
	}
}

// patiently tries again what a busy server did not answer in time.
func patiently(ctx context.Context, do func() error) error {
	const tries = 10
	var err error
	for range tries {
		if err = do(); err == nil || ctx.Err() != nil {
			return err
		}
	}
	return err
}

// pageTimes takes the time that a page behind so many others takes, again and
// again.
func (r *rig) pageTimes(ctx context.Context, depth, runs int) ([]time.Duration, error) {
	after := ""
	if depth > 0 {
		page, err := r.Waiting(ctx, starter.Page{Size: min(depth, starter.MaxPageSize)})
		for skipped := starter.MaxPageSize; err == nil && skipped < depth; skipped += starter.MaxPageSize {
			page, err = r.Waiting(ctx, starter.Page{Size: starter.MaxPageSize, After: page.Next})
		}
		if err != nil {
			return nil, err
		}
		after = page.Next
	}
	var times []time.Duration
	for range runs {
		begun := time.Now()
		page, err := r.Waiting(ctx, starter.Page{After: after})
		if err != nil {
			return nil, err
		}
		times = append(times, time.Since(begun))
		if len(page.Items) != starter.DefaultPageSize || page.Items[0].Question == nil {
			return nil, fmt.Errorf("a page of %d items", len(page.Items))
		}
	}
	return times, nil
}
