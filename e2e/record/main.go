// Command record writes the golden histories of the workflows: it lets each of
// its scenarios happen on a real Temporal server, with a real session
// server and a real worker, and keeps what Temporal has written down.
//
//	go run ./e2e/record                # all scenarios
//	go run ./e2e/record -only finish   # some, by name
//
// The tests of package workflows replay every history that was ever recorded,
// which is the proof that open workflows survive an upgrade. So a recording is
// never replaced: the histories of another code stand beside it, in a folder
// named after the commit that they were recorded from.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/temporalproto"
	sdkworker "go.temporal.io/sdk/worker"
)

// histories is the folder of all recordings, from the root of the repository.
const histories = "workflows/testdata/histories"

func main() {
	only := flag.String("only", "", "comma-separated `names` of scenarios; all if empty")
	flag.Parse()
	// Without a cache of workflows there are no sticky task queues, whose names
	// hold the name of the host. The cache is the process's, and made by the first
	// worker, which is one of the server's own.
	sdkworker.SetStickyWorkflowCacheSize(0)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := record(ctx, *only)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "record:", err)
		os.Exit(1)
	}
}

// record records the scenarios, all of them if none is named.
func record(ctx context.Context, only string) error {
	chosen, err := choose(only)
	if err != nil {
		return err
	}
	tree, err := openTree(ctx)
	if err != nil {
		return err
	}
	dir := filepath.Join(tree.root, histories, tree.revision)
	for _, s := range chosen { // before any of them is played
		if err := mustBeNew(dir, s.name); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, s := range chosen {
		runs, err := play(ctx, s)
		if err != nil {
			return fmt.Errorf("scenario %s: %w", s.name, err)
		}
		for i, run := range runs {
			name := s.name
			if len(runs) > 1 {
				name = fmt.Sprintf("%s-%d", s.name, i+1)
			}
			if err := write(filepath.Join(dir, name+".json"), run); err != nil {
				return err
			}
			fmt.Printf("%s/%s/%s.json: %d events\n", histories, tree.revision, name, len(run.GetEvents()))
		}
	}
	return nil
}

// choose finds the scenarios by their names.
func choose(only string) ([]scenario, error) {
	all := slices.Concat(scenarios, others)
	if only == "" {
		return all, nil
	}
	var chosen []scenario
	for name := range strings.SplitSeq(only, ",") {
		before := len(chosen)
		for _, s := range all {
			if s.name == name {
				chosen = append(chosen, s)
			}
		}
		if len(chosen) == before {
			return nil, fmt.Errorf("there is no scenario %q", name)
		}
	}
	return chosen, nil
}

// mustBeNew refuses to record what was recorded from the same code before.
func mustBeNew(dir, name string) error {
	for _, file := range []string{name + ".json", name + "-1.json"} {
		path := filepath.Join(dir, file)
		switch _, err := os.Stat(path); {
		case err == nil:
			return fmt.Errorf("%s exists, and a history is never recorded again: "+
				"one that no longer replays has found a change that needs workflow.GetVersion", path)
		case !errors.Is(err, fs.ErrNotExist):
			return err
		}
	}
	return nil
}

// write writes a history as the SDK's replayer reads it. It never writes over a
// file.
func write(path string, h *historypb.History) error {
	raw, err := temporalproto.CustomJSONMarshalOptions{Indent: "  "}.Marshal(h)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(append(raw, '\n'))
	return errors.Join(err, f.Close())
}
