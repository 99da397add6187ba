package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/temporal"

	"github.com/errand-dev/errand/starter"
	"github.com/errand-dev/errand/workflows"
)

func TestAResultIsPrintedForPeople(t *testing.T) {
	for name, test := range map[string]struct{ result, want string }{
		"an object by its fields, in their order": {`{"name": "Tea\u001bpot", "price": 24.50, "sizes": ["S", "M"], "none": null}`, "name: Teapot\nprice: 24.50\nsizes: [\"S\",\"M\"]\nnone: null\n"},
		"a string as it is":                       {`"done\nand dusted"`, "done\n  and dusted\n"},
		"a number":                                {`12.0`, "12.0\n"},
		"an array":                                {`[1, {"a": 2}]`, "[1,{\"a\":2}]\n"},
		"an empty object":                         {`{}`, ""},
		"nothing":                                 {`null`, ""},
		"none":                                    {``, ""},
	} {
		var out bytes.Buffer
		require.NoError(t, printResult(&out, json.RawMessage(test.result)))
		require.Equal(t, test.want, out.String(), name)
	}
}

func TestTheLastLineSaysHowATaskHasEnded(t *testing.T) {
	start := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	end := start.Add(75 * time.Second)
	task := starter.AgentTask{
		ID: "t-1", Status: workflows.StatusCompleted, Turns: 1, StartedAt: start, FinishedAt: &end,
		Snapshot: &workflows.SavedSnapshot{Mode: "memory", SessionID: "s-1"},
	}
	require.Equal(t, "task t-1 completed · after 1m15s · 1 turn · memory snapshot of session s-1", ending(task))

	task.Status, task.Snapshot, task.Turns = workflows.StatusFailed, nil, 2
	task.Error = &workflows.TaskError{Type: "AgentError", Message: "oh"}
	require.Equal(t, "task t-1 failed · after 1m15s · 2 turns: AgentError: oh", ending(task))
}

func TestCellsFitTheirTable(t *testing.T) {
	require.Equal(t, "a b", cell("a\n\tb", 10))
	require.Equal(t, "ünïcö…", cell("ünïcödé word", 6))
	require.Equal(t, "3m", age(time.Now().Add(-200*time.Second)))
	require.Equal(t, "30h", age(time.Now().Add(-30*time.Hour)))
	require.Equal(t, "3d", age(time.Now().Add(-80*time.Hour)))
	require.Equal(t, "0s", age(time.Now().Add(time.Hour)), "another machine's clock")
}

func TestACommandLineCanBePastedIntoAShell(t *testing.T) {
	for word, want := range map[string]string{
		"plain-word_1.toml": "plain-word_1.toml",
		"":                  `""`,
		"two words":         `"two words"`,
		"it's":              `"it's"`,
		"$HOME":             "'$HOME'",
		"say \"it's\"":      `'say "it'\''s"'`,
	} {
		require.Equal(t, want, shellQuote(word))
	}
}

func TestACommandLineNamesThePlaceButNoKey(t *testing.T) {
	var a app
	root := &cobra.Command{}
	a.flags.register(root)
	require.NoError(t, root.ParseFlags([]string{"--api-key", "sk-canary", "--address", "host:1", "--data-dir", "/a b", "-o", "json"}))
	require.Equal(t, `errand answer t-1 --data-dir "/a b" --address host:1`, a.again("answer", "t-1"))
}

func TestTheSDKsErrorsAreToldApart(t *testing.T) {
	final := temporal.NewNonRetryableApplicationError("no", "Unauthorized", nil)
	again := temporal.NewApplicationError("later", "Unavailable")
	for name, test := range map[string]struct {
		msg  string
		err  error
		want string
	}{
		"the workflow wanted that":   {"Activity error.", context.Canceled, "DEBUG"},
		"the worker is stopping":     {"Failed to poll", serviceerror.NewCanceled("context canceled"), "DEBUG"},
		"the task ends with it":      {"Activity error.", final, "INFO"},
		"it is tried again":          {"Activity error.", again, "WARN"},
		"it is not about activities": {"Workflow panic", errors.New("oh"), "ERROR"},
		"there is no error in it":    {"Activity error.", nil, "ERROR"},
	} {
		var out bytes.Buffer
		log := newSDKLogger(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug})))
		log.With("WorkerID", "w").Error(test.msg, "Attempt", 1, "Error", test.err)
		require.Contains(t, out.String(), "level="+test.want+" ", name)
		require.Contains(t, out.String(), "WorkerID=w", name)
	}

	var out bytes.Buffer
	log := newSDKLogger(slog.New(slog.NewTextHandler(&out, nil)))
	log.Warn("Failed to send heartbeat", "Error", context.Canceled)
	require.Empty(t, out.String())
	log.Warn("Failed to send heartbeat", "Error", errors.New("oh"))
	require.Contains(t, out.String(), "level=WARN")
}
