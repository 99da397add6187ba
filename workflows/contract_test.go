package workflows

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/errand-dev/errand/provider"
)

func TestAnInputIsRefusedInWordsThatSayWhatIsWrong(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*AgentTaskInput)
		words  string // empty: accepted
	}{
		"a plain task":            {func(*AgentTaskInput) {}, ""},
		"the longest prompt":      {func(in *AgentTaskInput) { in.Prompt = strings.Repeat("é", MaxText) }, ""},
		"a longer prompt":         {func(in *AgentTaskInput) { in.Prompt = strings.Repeat("é", MaxText+1) }, "the prompt has 10001 characters; at most 10000"},
		"a blank prompt":          {func(in *AgentTaskInput) { in.Prompt = " \n" }, "the prompt is empty"},
		"a broken prompt":         {func(in *AgentTaskInput) { in.Prompt = "\xff" }, "not valid UTF-8"},
		"no id":                   {func(in *AgentTaskInput) { in.TaskID = "" }, "a task id has 1 to 200 bytes, this one has 0"},
		"no connection":           {func(in *AgentTaskInput) { in.Connection = "" }, "no connection is named"},
		"an empty follow-up":      {func(in *AgentTaskInput) { in.FollowUps = []string{"a", ""} }, "follow-up 2 is empty"},
		"an empty answer":         {func(in *AgentTaskInput) { in.Answers = []string{""} }, "answer 1 is empty"},
		"a long default answer":   {func(in *AgentTaskInput) { in.DefaultAnswer = strings.Repeat("a", MaxText+1) }, "default answer has 10001"},
		"a default of nothing":    {func(in *AgentTaskInput) { in.Snapshot.SaveAsDefault = true }, "saving as default needs a snapshot"},
		"a snapshot as default":   {func(in *AgentTaskInput) { in.Snapshot = Snapshot{provider.SnapshotMemory, true} }, ""},
		"an unknown mode":         {func(in *AgentTaskInput) { in.Snapshot.Mode = "disk" }, `unknown snapshot mode "disk"`},
		"a negative timeout":      {func(in *AgentTaskInput) { in.StallTimeout = -time.Second }, "the stall timeout is negative"},
		"as many texts as may be": {func(in *AgentTaskInput) { in.FollowUps = slices.Repeat([]string{strings.Repeat("é", MaxText)}, 13) }, ""},
		"too many texts":          {func(in *AgentTaskInput) { in.FollowUps = slices.Repeat([]string{strings.Repeat("é", MaxText)}, 14) }, "the task's texts and its result schema have"},
		"a schema of a megabyte":  {func(in *AgentTaskInput) { in.ResultSchema = slices.Repeat([]byte{' '}, 1<<20) }, "or a smaller schema"},
		"an unknown policy":       {func(in *AgentTaskInput) { in.OnAmbiguousSend = "hope" }, `unknown policy "hope" for an ambiguous send`},
		"too many restarts":       {func(in *AgentTaskInput) { in.MaxRestarts = 101 }, "may restart 0 to 100 times, not 101"},
		"a label":                 {func(in *AgentTaskInput) { in.Labels = map[string]string{"team": "a/b 7"} }, ""},
		"a label with a quote":    {func(in *AgentTaskInput) { in.Labels = map[string]string{"team": "o'neil"} }, `label "team=o'neil"`},
		"a label without a value": {func(in *AgentTaskInput) { in.Labels = map[string]string{"team": ""} }, `label "team="`},
	} {
		t.Run(name, func(t *testing.T) {
			in := task()
			c.change(&in)
			err := in.Validate()
			if c.words == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.words)
		})
	}
}

func TestATasksWorkflowIDLeadsBackToIt(t *testing.T) {
	require.Equal(t, "agent-task-t-7f3k", AgentTaskWorkflowID("t-7f3k"))
	require.Equal(t, "t-7f3k", TaskIDOf(AgentTaskWorkflowID("t-7f3k")))
}

func TestAResultHasEachFieldOfTheContract(t *testing.T) {
	raw, err := json.Marshal(AgentTaskResult{Answers: []Answer{}})
	require.NoError(t, err)
	require.JSONEq(t, `{"status":"","session":null,"sessions_created":0,"turns":0,"question":null,"answers":[],
		"result":null,"snapshot":null,"error":null,"started_at":"0001-01-01T00:00:00Z","finished_at":null}`, string(raw))
}
