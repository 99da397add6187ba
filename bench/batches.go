package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/errand-dev/errand/batchstore"
	"github.com/errand-dev/errand/sessionserver/truth"
	"github.com/errand-dev/errand/starter"
	"github.com/errand-dev/errand/workflows"
)

// batchesOf is where an engine's batches are.
func batchesOf(engineDir string) *batchstore.Store { return batchstore.At(engineDir + "/batches") }

// measureBatches runs batches as the errand command does.
func measureBatches(ctx context.Context, size scale) (rows []row, err error) {
	for _, part := range []func(context.Context, scale) ([]row, error){batchRates, mixedDurations, slotDelay, batchMemory} {
		r, err := part(ctx, size)
		if err != nil {
			return nil, err
		}
		rows = append(rows, r...)
	}
	return rows, nil
}

// runBatch runs scripts as a batch and returns how long it took, from the start
// of the first to the end of the last.
func (r *rig) runBatch(ctx context.Context, id string, concurrency int, scripts []string) (time.Duration, error) {
	in := workflows.BatchInput{
		Batch:            workflows.BatchRef{ID: id, Digest: "benchbench"},
		Total:            len(scripts),
		Concurrency:      concurrency,
		Task:             workflows.AgentTaskInput{Connection: connection, HeartbeatTimeout: heartbeat},
		HeartbeatTimeout: 10 * time.Second,
	}
	w := r.batches.NewWriter(in.Batch)
	for i, script := range scripts {
		item := workflows.BatchItem{Index: i, Key: fmt.Sprint(i), Name: fmt.Sprint(i), Item: []byte(fmt.Sprintf(`{"n":%d}`, i)), Prompt: script}
		if err := w.Add(ctx, item); err != nil {
			return 0, err
		}
	}
	if err := w.Finish(ctx); err != nil {
		return 0, err
	}
	begun := time.Now()
	if _, err := r.StartBatch(ctx, in); err != nil {
		return 0, err
	}
	b, err := r.FollowBatch(ctx, id, time.Second, func(starter.Batch) error { return nil })
	took := time.Since(begun)
	if err == nil && b.Completed != len(scripts) {
		err = fmt.Errorf("batch %s: %+v", id, b)
	}
	return took, err
}

// repeat is n times the same script.
func repeat(script string, n int) []string {
	scripts := make([]string, n)
	for i := range scripts {
		scripts[i] = script
	}
	return scripts
}

// batchRates runs instant items, and items of two seconds.
func batchRates(ctx context.Context, size scale) ([]row, error) {
	r, err := newRig(ctx)
	if err != nil {
		return nil, err
	}
	defer r.close()
	if _, err := r.runBatch(ctx, "warm", throughputConcurrency, repeat("finish 1", size.n(200)+1)); err != nil {
		return nil, err
	}
	n := size.n(2000)
	instant, err := r.runBatch(ctx, "instant", throughputConcurrency, repeat("finish 1", n))
	if err != nil {
		return nil, err
	}
	const atOnce, work = 100, 2 * time.Second
	long := max(2*atOnce, size.n(2000))
	slow, err := r.runBatch(ctx, "slow", atOnce, repeat(fmt.Sprintf("wait %s; finish 1", work), long))
	if err != nil {
		return nil, err
	}
	ideal := float64(atOnce) / work.Seconds()
	reached := float64(long) / slow.Seconds()
	return []row{
		{
			what:    fmt.Sprintf("a batch of %d instant items, %d at a time, file store", n, throughputConcurrency),
			bar:     "≥ 40/s",
			reached: fmt.Sprintf("%.1f/s", float64(n)/instant.Seconds()),
		},
		{
			what:     fmt.Sprintf("a batch of %d items whose agents work %s, %d at a time", long, work, atOnce),
			bar:      "≥ 90 % of the ideal rate",
			reached:  fmt.Sprintf("%.1f/s", reached),
			baseline: fmt.Sprintf("%.0f/s would be ideal", ideal),
			ratio:    fmt.Sprintf("%.0f %%", 100*reached/ideal),
		},
	}, nil
}

// mixedDurations runs the same items in a window and in chunks, each of which
// waits for its slowest: nine of ten work for 1 s, one for 10 s.
func mixedDurations(ctx context.Context, size scale) ([]row, error) {
	r, err := newRig(ctx)
	if err != nil {
		return nil, err
	}
	defer r.close()
	const atOnce = 20
	scripts := make([]string, max(2*atOnce, size.n(400)))
	for i := range scripts {
		scripts[i] = "wait 1s; finish 1"
		if i%10 == 7 {
			scripts[i] = "wait 10s; finish 1"
		}
	}
	window, err := r.runBatch(ctx, "mixed", atOnce, scripts)
	if err != nil {
		return nil, err
	}
	begun := time.Now()
	for chunk := 0; chunk < len(scripts); chunk += atOnce {
		group, groupCtx := errgroup.WithContext(ctx)
		for i := chunk; i < min(chunk+atOnce, len(scripts)); i++ {
			group.Go(func() error {
				id := fmt.Sprintf("chunk-%d", i)
				if err := startTask(groupCtx, r.Client, id, scripts[i]); err != nil {
					return err
				}
				_, err := r.Wait(groupCtx, id)
				return err
			})
		}
		if err := group.Wait(); err != nil {
			return nil, err
		}
	}
	chunks := time.Since(begun)
	return []row{{
		what:     fmt.Sprintf("a batch of %d items, nine of ten work 1 s, one 10 s, %d at a time", len(scripts), atOnce),
		reached:  window.Round(100 * time.Millisecond).String(),
		baseline: chunks.Round(100*time.Millisecond).String() + " in chunks of as many, each of which waits for its slowest",
		ratio:    fmt.Sprintf("%.1f × as fast", chunks.Seconds()/window.Seconds()),
	}}, nil
}

// slotDelay is how long a slot of max_sessions stays empty while tasks wait for
// one, by the session server's own log.
func slotDelay(ctx context.Context, size scale) ([]row, error) {
	const most, atOnce = 10, 60
	truthDir, err := os.MkdirTemp("", "errand-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(truthDir)
	path := truthDir + "/truth.jsonl"
	r, err := newRigWith(ctx, path, "-max-sessions", strconv.Itoa(most))
	if err != nil {
		return nil, err
	}
	defer r.close()
	n := max(2*atOnce, size.n(600))
	if _, err := r.runBatch(ctx, "crowd", atOnce, repeat("wait 500ms; finish 1", n)); err != nil {
		return nil, err
	}
	log, err := truth.Read(path)
	if err != nil {
		return nil, err
	}
	open, peak := 0, 0
	var freed []time.Time
	var delays []time.Duration
	for _, f := range log.Of(truth.Created, truth.Deleted) {
		if f.Kind == truth.Deleted {
			open--
			freed = append(freed, f.At)
			continue
		}
		open++
		peak = max(peak, open)
		if len(freed) > 0 && len(freed) > len(delays) {
			delays = append(delays, f.At.Sub(freed[len(delays)]))
		}
	}
	if peak > most {
		return nil, fmt.Errorf("%d sessions were open at once, of %d", peak, most)
	}
	return []row{{
		what:    fmt.Sprintf("slot free → next session asked for, %d times, max_sessions %d, %d tasks open", len(delays), most, atOnce),
		bar:     "median < 250 ms",
		reached: join("median "+ms(percentile(delays, 0.5)), "p99 "+ms(percentile(delays, 0.99)), "longest "+ms(percentile(delays, 1))),
	}}, nil
}

// batchMemory is the resident memory of engine and worker over a small batch
// and over a large one, once the engine has filled its caches.
func batchMemory(ctx context.Context, size scale) ([]row, error) {
	r, err := newRig(ctx)
	if err != nil {
		return nil, err
	}
	defer r.close()
	small, large, filling := size.n(1000), size.n(20_000), size.n(4000)
	var most [4]int64
	for i, n := range []int{small, filling, small, large} {
		if most[i], err = r.mostResident(ctx, fmt.Sprintf("memory-%d", i), n); err != nil {
			return nil, err
		}
	}
	return []row{{
		what:    fmt.Sprintf("resident memory of engine and worker, the most seen over a batch of %d instant items", large),
		bar:     "≤ 1.2 × that of 1,000",
		reached: mib(most[3]),
		baseline: fmt.Sprintf("%s over one of %d before it on the same engine, whose caches %d others had filled; %s over the engine's very first %d",
			mib(most[2]), small, small+filling, mib(most[0]), small),
		ratio: strings.TrimSuffix(fmt.Sprintf("%.2f", float64(most[3])/float64(most[2])), "0"),
	}}, nil
}

// mostResident runs a batch of n instant items and returns the most memory that
// the engine was seen with.
func (r *rig) mostResident(ctx context.Context, id string, n int) (most int64, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			now, err := r.engine.resident()
			if err != nil {
				return
			}
			most = max(most, now)
			select {
			case <-time.After(250 * time.Millisecond):
			case done <- struct{}{}:
				return
			}
		}
	}()
	_, err = r.runBatch(ctx, id, throughputConcurrency, repeat("finish 1", n))
	<-done
	return most, err
}
