package cli

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/errand-dev/errand/starter"
	"github.com/errand-dev/errand/workflows"
)

func TestABatchThatIsWronglyAskedForStartsNothing(t *testing.T) {
	for _, test := range []struct {
		name string
		args []string
		want string
	}{
		{"no file", []string{"run"}, "FILE is missing"},
		{"no prompt", []string{"run", "good.jsonl"}, "--prompt TEMPLATE is missing, such as --prompt"},
		{"a file that is not there", []string{"run", "missing.jsonl", "--prompt", "x"}, "missing.jsonl: no such file"},
		{"a file of an unknown kind", []string{"run", "items.txt", "--prompt", "x"}, "say which it is with --format"},
		{"stdin of an unknown kind", []string{"run", "-", "--prompt", "x"}, "say with --format what comes in on stdin"},
		{"nothing on stdin", []string{"run", "-", "--format", "jsonl", "--prompt", "x"}, "the file has no items"},
		{"a template that is none", []string{"run", "good.jsonl", "--prompt", "{{.x"}, "--prompt is no template"},
		{"an id with a dot", []string{"run", "good.jsonl", "--prompt", "x", "--id", "a.b"}, `a batch id has 1 to 64 letters, digits, - and _`},
		{"none at a time", []string{"run", "good.jsonl", "--prompt", "x", "--concurrency", "-1"}, "--concurrency: a batch has 1 to 1000 tasks open at once, not -1"},
		{"too many at a time", []string{"run", "good.jsonl", "--prompt", "x", "--concurrency", "1001"}, "1 to 1000 tasks open at once"},
		{"an unknown connection", []string{"run", "good.jsonl", "--prompt", "x", "--connection", "acme"}, `there is no connection "acme"`},
		{"a retry of nothing", []string{"retry", "b-1"}, "say what to run again: --failed, --cancelled or both"},
		{"a change of nothing", []string{"set", "b-1"}, "--concurrency: a batch has 1 to 1000 tasks"},
		{"results in two forms", []string{"results", "b-1", "--csv", "-o", "json"}, "--csv and --output json: choose one"},
		{"an unknown command", []string{"rnu"}, `there is no command "errand batch rnu", did you mean run`},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newShell(t)
			t.Chdir(s.home)
			s.file("good.jsonl", `{"a":1}`)
			s.file("items.txt", `{"a":1}`)
			c := s.run(append([]string{"batch"}, test.args...)...)
			require.Equal(t, exitUsage, c.status, "%s", &c.err)
			require.Contains(t, c.err.String(), test.want)
			require.NoDirExists(t, s.data)
		})
	}
}

func TestAMalformedFileIsToldWholeAndStartsNothing(t *testing.T) {
	long := strings.Repeat("ä", 10_001)
	for _, test := range []struct {
		name, file, text string
		want             []string
	}{
		{"no JSON", "f.jsonl", `{"k":1,"x":"a"}` + "\nnonsense\n", []string{"f.jsonl: line 2: it is no JSON"}},
		{"a line that breaks off", "f.jsonl", `{"k":1,"x":"a`, []string{"line 1: the JSON breaks off"}},
		{"no object", "f.ndjson", `[1,2]`, []string{"line 1: it is JSON, but no object"}},
		{"no UTF-8", "f.jsonl", "{\"k\":1,\"x\":\"\xc3\x28\"}", []string{"line 1: it is not valid UTF-8"}},
		{"keys twice", "f.jsonl", `{"k":1,"x":"a"}` + "\n" + `{"k":1,"x":"b"}` + "\n" + `{"k":"1","x":"c"}`, []string{
			`line 2: the key "1" is that of line 1 already`, `line 3: the key "1" is that of line 1 already`, "2 problems; nothing was started"}},
		{"a key that is missing", "f.jsonl", `{"x":"a"}`, []string{`line 1: the key's field "k" is missing (there is x)`}},
		{"a field that is missing", "f.jsonl", `{"k":1}` + "\n" + `{"k":2,"x":"fine"}` + "\n" + `{"k":3,"y":"a"}`, []string{
			`line 1: --prompt: the item has no field "x" (there is k)`, `line 3: --prompt: the item has no field "x" (there is k, y)`}},
		{"an empty prompt", "f.csv", "k,x\n1, \n", []string{"line 2: the prompt is empty"}},
		{"a prompt that is too long", "f.csv", "k,x\n1," + long + "\n", []string{"line 2: the prompt has 10001 characters; at most 10000 are allowed"}},
		{"no URL", "f.jsonl", `{"k":1,"x":"a","url":"shop.example/p"}` + "\n" + `{"k":2,"x":"a","url":"http://shop.example/p"}`, []string{
			`line 1: --url "shop.example/p" is not an absolute http or https URL`}},
		{"fields too few", "f.csv", "k,x\n1,a\n2\n", []string{"line 3: it has 1 fields, the header has 2"}},
		{"a quote without an end", "f.csv", "k,x\n1,\"a\n2,b\n", []string{"line 2: a quoted field has no end"}},
		{"a column twice", "f.csv", "k,k\n1,a\n", []string{`line 1: the header has the field "k" twice`}},
		{"no items", "f.csv", "k,x\n", []string{"the file has no items"}},
		{"more than one can read", "f.jsonl", strings.Repeat("nonsense\n", 200), []string{"line 50: ", "200 problems, of which these are the first 50; nothing was started"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newShell(t)
			t.Chdir(s.home)
			s.file(test.file, test.text)
			args := []string{"batch", "run", test.file, "--key", "k", "--prompt", "{{.x}}"}
			if strings.Contains(test.text, "url") {
				args = append(args, "--url", "{{.url}}")
			}
			c := s.run(args...)
			require.Equal(t, exitUsage, c.status, "%s", &c.err)
			for _, want := range test.want {
				require.Contains(t, c.err.String(), want)
			}
			require.NotContains(t, c.err.String(), "line 51:")
			require.Contains(t, c.err.String(), "nothing was started")
			require.Empty(t, c.out.String())
			require.NoDirExists(t, s.data)
		})
	}
}

func TestADryRunShowsTheFirstItemsAndStartsNothing(t *testing.T) {
	s := newShell(t)
	t.Chdir(s.home)
	s.file("shops.csv", "sku,name,url\np-1,Blue Teapot,http://shop.localhost/teapot\np 2,T-Shirt,http://shop.localhost/tshirt\np-3,Mug,http://shop.localhost/mug\n")
	c := s.run("batch", "run", "shops.csv", "--id", "prices", "--key", "sku", "--url", "{{.url}}", "--prompt", "Price of {{.name}}", "--dry-run", "--limit", "2", "-o", "jsonl")
	require.Equal(t, exitOK, c.status, "%s", &c.err)
	lines := strings.Split(strings.TrimSpace(c.out.String()), "\n")
	require.Len(t, lines, 2)
	require.JSONEq(t, `{"key":"p-1","task_id":"prices.p-1","prompt":"Price of Blue Teapot","url":"http://shop.localhost/teapot",
		"item":{"sku":"p-1","name":"Blue Teapot","url":"http://shop.localhost/teapot"}}`, lines[0])
	require.Contains(t, c.err.String(), "batch prices would have 3 items, 10 at a time, on connection local; nothing was started")
	require.NoDirExists(t, s.data)
}

func TestAPaceTellsTheRateOfLateAndTheTimeThatIsLeft(t *testing.T) {
	var p batchPace
	at := time.Date(2026, 1, 15, 9, 30, 0, 0, time.UTC)
	b := starter.Batch{Status: workflows.StatusRunning, Total: 1000}
	p.see(b, at)
	require.Empty(t, p.words(b), "nothing is known")
	for second := range 300 {
		b.Completed = second + 1 // one a second
		p.see(b, at.Add(time.Duration(second)*time.Second))
	}
	require.Equal(t, "1.0/s · 11m40s left", p.words(b))
	require.LessOrEqual(t, len(p.samples), 130, "what is long ago is forgotten")
	b.Status = workflows.StatusPaused
	require.Empty(t, p.words(b))

	var slow batchPace
	b = starter.Batch{Status: workflows.StatusRunning, Total: 10}
	slow.see(b, at)
	b.Failed = 1
	slow.see(b, at.Add(time.Minute))
	require.Equal(t, "1.0/min · 9m00s left", slow.words(b))
	require.Equal(t, "running · 1 of 10 done · 1 failed · 1.0/min · 9m00s left", batchLine(b, slow.words(b)))
}

func TestTheBarIsAsLongAsTheBatchIsFar(t *testing.T) {
	m := newBatchModel(false)
	for done, want := range map[int]int{0: 0, 50: 30, 100: 60} {
		now, _ := m.Update(batchMsg{batch: starter.Batch{Total: 100, Completed: done, Status: workflows.StatusRunning}})
		view := fmt.Sprint(now.View().Content)
		require.Equal(t, want, strings.Count(view, "█"), "%s", view)
		require.Equal(t, 60-want, strings.Count(view, "░"))
	}
	now, _ := m.Update(batchMsg{batch: starter.Batch{Total: 3, Completed: 1, Failed: 1}})
	require.Equal(t, 20, strings.Count(fmt.Sprint(now.View().Content), "▓"))
}

func TestResultsMakeAColumnOfEachField(t *testing.T) {
	at := time.Date(2026, 1, 15, 9, 30, 0, 0, time.UTC)
	results := []starter.BatchResult{
		{Key: "a", Status: "completed", Item: []byte(`{"sku":"a","n":1}`), Result: []byte(`{"price":24.50,"name":"Pot"}`), TaskID: "b.a", SessionID: "s", StartedAt: &at, FinishedAt: &at},
		{Key: "b", Status: "completed", Item: []byte(`{"sku":"b","more":[1]}`), Result: []byte(`"plain, text"`), TaskID: "b.b"},
		{Key: "c", Status: "failed", Item: []byte(`{"sku":"c"}`), Error: &workflows.ItemError{Type: "AgentError", Message: "no"}},
	}
	var c csvColumns
	for _, r := range results {
		c.see(r)
	}
	require.Equal(t, []string{"key", "status", "item.n", "item.sku", "item.more", "result", "result.name", "result.price", "error", "task_id", "session_id", "started_at", "finished_at"}, c.header())
	require.Equal(t, []string{"a", "completed", "1", "a", "", "", "Pot", "24.50", "", "b.a", "s", "2026-01-15T09:30:00Z", "2026-01-15T09:30:00Z"}, c.record(results[0]))
	require.Equal(t, []string{"b", "completed", "", "b", "[1]", "plain, text", "", "", "", "b.b", "", "", ""}, c.record(results[1]))
	require.Equal(t, []string{"c", "failed", "", "c", "", "", "", "", "AgentError: no", "", "", "", ""}, c.record(results[2]))
}
