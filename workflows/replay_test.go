package workflows_test

import (
	"encoding/base64"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	sdkworker "go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/errand-dev/errand/worker"
	"github.com/errand-dev/errand/workflows"
)

// recorded is the folder of the golden histories, in which each code that
// histories were recorded from has a folder: see CONTRIBUTING.md.
const recorded = "testdata/histories"

func TestEveryRecordedHistoryReplays(t *testing.T) {
	eachHistory(t, func(t *testing.T, path string) {
		require.NoError(t, replay(t, load(t, path), worker.RegisterWorkflows),
			"an open workflow like this one would not survive an upgrade: put the change behind workflow.GetVersion")
	})
}

func TestAWorkflowThatDoesMoreDoesNotReplay(t *testing.T) {
	eachHistory(t, func(t *testing.T, path string) {
		history := load(t, path)
		require.Error(t, replay(t, history, sleeping(sleepFirst)))
		if isClosing(history.Events[len(history.Events)-1]) {
			require.Error(t, replay(t, history, sleeping(sleepLast)))
		}
		require.NoError(t, replay(t, history, sleeping(sleepNever)), "it is the sleep that makes the difference")
	})
}

func TestAHistoryThatLacksACommandDoesNotReplay(t *testing.T) {
	eachHistory(t, func(t *testing.T, path string) {
		for i, event := range load(t, path).Events {
			if !isCommand(event) {
				continue
			}
			history := load(t, path)
			history.Events = slices.Delete(history.Events, i, i+1)
			require.Error(t, replay(t, history, worker.RegisterWorkflows), "without event %d, %s", i+1, event.GetEventType())
		}
	})
}

func TestRecordedHistoriesKnowNothingOfTheMachine(t *testing.T) {
	eachHistory(t, func(t *testing.T, path string) {
		raw, err := os.ReadFile(path)
		require.NoError(t, err)
		var history any
		require.NoError(t, json.Unmarshal(raw, &history))
		texts(history, "", func(key, text string) {
			if key == "identity" {
				require.Regexp(t, `^(errand|temporal-scheduler-default-errand-monitor-\w+)$`, text)
			}
			require.NotRegexp(t, `/(home|root|Users|tmp|private|var|opt|usr|mnt|srv)/|[A-Za-z]:\\`, text, "a path")
			require.NotRegexp(t, `TASK_QUEUE_KIND_STICKY`, text, "the name of a sticky queue has the host in it")
			require.NotRegexp(t, `(?i)token=|api_?key=|bearer |authorization|secret`, text, "a key")
		})
	})
}

// eachHistory runs a test for every golden history there is.
func eachHistory(t *testing.T, test func(t *testing.T, path string)) {
	t.Helper()
	paths, err := fs.Glob(os.DirFS(recorded), "*/*.json")
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	for _, path := range paths {
		t.Run(strings.TrimSuffix(path, ".json"), func(t *testing.T) { test(t, filepath.Join(recorded, path)) })
	}
}

// load reads a golden history. What it returns is the caller's to change.
func load(t *testing.T, path string) *historypb.History {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	history, err := client.HistoryFromJSON(f, client.HistoryJSONOptions{})
	require.NoError(t, err)
	return history
}

type registry = interface{ RegisterWorkflow(workflow any) }

// replay runs the workflow that register makes known along a history.
func replay(t *testing.T, history *historypb.History, register func(registry)) error {
	t.Helper()
	replayer := sdkworker.NewWorkflowReplayer()
	register(replayer)
	return replayer.ReplayWorkflowHistory(silent{}, history)
}

// sleeping makes our workflows known as ones that sleep for a second as well.
func sleeping(when sleep) func(registry) {
	return func(r registry) {
		register(r, workflows.AgentTaskType, workflows.AgentTask, when)
		register(r, workflows.AskType, workflows.Ask, when)
		register(r, workflows.BatchType, workflows.Batch, when)
		register(r, workflows.MonitorType, workflows.Monitor, when)
	}
}

type sleep string

const (
	sleepFirst sleep = "first"
	sleepLast  sleep = "last"
	sleepNever sleep = "never"
)

func register[I, O any](r registry, name string, w func(workflow.Context, I) (O, error), when sleep) {
	r.(sdkworker.WorkflowReplayer).RegisterWorkflowWithOptions(func(ctx workflow.Context, in I) (out O, err error) {
		for range 2 { // one could pass for a timer of its own
			if when != sleepFirst {
				break
			}
			if err := workflow.Sleep(ctx, time.Second); err != nil {
				return out, err
			}
		}
		out, err = w(ctx, in)
		if when == sleepLast {
			ctx, release := workflow.NewDisconnectedContext(ctx) // a cancelled workflow sleeps too
			defer release()
			if err := workflow.Sleep(ctx, time.Second); err != nil {
				return out, err
			}
		}
		return out, err
	}, workflow.RegisterOptions{Name: name})
}

// isCommand reports whether the event is a command of the workflow's, other
// than that which closes it: without it, a closed history is an open one.
func isCommand(e *historypb.HistoryEvent) bool {
	switch e.GetEventType() {
	case enumspb.EVENT_TYPE_MARKER_RECORDED,
		enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED,
		enumspb.EVENT_TYPE_ACTIVITY_TASK_CANCEL_REQUESTED,
		enumspb.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED,
		enumspb.EVENT_TYPE_TIMER_STARTED,
		enumspb.EVENT_TYPE_TIMER_CANCELED,
		enumspb.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES:
		return true
	}
	return false
}

func isClosing(e *historypb.HistoryEvent) bool {
	switch e.GetEventType() {
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED,
		enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED,
		enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED,
		enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW:
		return true
	}
	return false
}

// texts visits all strings of a JSON value with the key that they are under,
// and once more decoded if they look like base64, as payloads do.
func texts(value any, key string, visit func(key, text string)) {
	switch v := value.(type) {
	case map[string]any:
		for k, inner := range v {
			texts(inner, k, visit)
		}
	case []any:
		for _, inner := range v {
			texts(inner, key, visit)
		}
	case string:
		visit(key, v)
		if decoded, err := base64.StdEncoding.DecodeString(v); err == nil {
			visit("", string(decoded))
		}
	}
}

// silent drops the SDK's chatter.
type silent struct{}

func (silent) Debug(string, ...any) {}
func (silent) Info(string, ...any)  {}
func (silent) Warn(string, ...any)  {}
func (silent) Error(string, ...any) {}
