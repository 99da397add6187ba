package cli

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/errand-dev/errand/internal/engine"
	"github.com/errand-dev/errand/sessionserver/truth"
	"github.com/errand-dev/errand/starter"
	"github.com/errand-dev/errand/workflows"
)

// dev starts the servers that the other commands of a test use.
func (s *shell) dev() {
	s.t.Helper()
	s.start(nil, "dev", "--port", "0", "--ui-port", "0").says("Try: errand run")
}

// taskFields are the fields of a task's JSON, which are a contract.
var taskFields = []string{
	"id", "workflow_id", "run_id", "status", "prompt", "connection", "provider", "labels", "session", "sessions_created",
	"turns", "question", "answers", "result", "snapshot", "error", "history", "started_at", "finished_at",
}

func TestARunOnAFreshMachineNeedsNothing(t *testing.T) {
	s := newShell(t)
	c := s.run("run", "--url", "http://shop.localhost/teapot", "Report the product's name and price")
	require.Equal(t, exitOK, c.status, &c.err)
	require.Contains(t, c.out.String(), "name: Blue Teapot\n")
	require.Contains(t, c.out.String(), "price: 24.50\n")
	said := c.err.String()
	require.Contains(t, said, "errand: no Temporal server and no agent API key configured; running both in this process (data in "+s.data+")\n")
	require.Contains(t, said, "] session: http://127.0.0.1:")
	require.Contains(t, said, "] thought: Opening http://shop.localhost/teapot\n")
	require.Regexp(t, `errand: task t-[a-z2-7]{6} completed · after \d+s · 1 turn\n$`, said)

	// A task that was left goes on when errand runs again.
	id := strings.TrimSpace(s.must("run", "--detach", "--agent", "script", `finish {"left": true}`))
	left := s.run("run", "--id", id)
	require.Equal(t, exitOK, left.status, &left.err)
	require.Equal(t, "left: true\n", left.out.String())
}

func TestTasksFromTheOutside(t *testing.T) {
	s := newShell(t)
	s.dev()

	t.Run("the exit status follows the task", func(t *testing.T) {
		for _, test := range []struct {
			args   []string
			status int
			says   string
		}{
			{[]string{"finish 1"}, exitOK, "completed"},
			{[]string{"fail It is broken"}, exitFailed, "1 turn: AgentError: It is broken"},
			{[]string{"wait 1h", "--timeout", "50ms"}, exitTimedOut, "timed_out"},
			{[]string{"ask Well?", "--question-timeout", "50ms"}, exitTimedOut, "QuestionTimeout: nobody answered question q-1 within 50ms: Well?"},
			{[]string{"finish 1", "--agent", "nobody"}, exitFailed, `Unknown agent "nobody"`},
		} {
			c := s.run(append([]string{"run", "--agent", "script"}, test.args...)...)
			require.Equal(t, test.status, c.status, "%s: %s", test.args, &c.err)
			require.Contains(t, c.err.String(), test.says)
		}
	})

	t.Run("the JSON of a task is the contract", func(t *testing.T) {
		schema := s.file("schema.json", `{"type": "object", "required": ["size"]}`)
		out := s.must("run", "--agent", "script", "--answer", "M", "--default-answer", "L", "--label", "team=web", "--snapshot", "filesystem",
			"--follow-up", `ask And now?; finish {"size": "{{answer}}"}`, "--result-schema", schema, "--id", "shape", "ask Which size?; finish 1", "-o", "json")
		require.Equal(t, taskFields, keys(t, out))
		require.Contains(t, out, "\n  \"id\": \"shape\",\n")
		task := parse[starter.AgentTask](t, out)
		require.Equal(t, workflows.StatusCompleted, task.Status)
		require.JSONEq(t, `{"size": "L"}`, string(task.Result))
		require.Equal(t, map[string]string{"team": "web"}, task.Labels)
		require.Equal(t, 4, task.Turns)
		require.Equal(t, []string{"M", "L"}, []string{task.Answers[0].Text, task.Answers[1].Text})
		require.NotNil(t, task.Snapshot)
		require.True(t, task.Session.Deleted)

		require.JSONEq(t, out, s.must("show", "shape", "-o", "json"))
		line := s.must("list", "--label", "team=web", "-o", "jsonl")
		require.Equal(t, 1, strings.Count(line, "\n"))
		var short []string
		for _, f := range taskFields {
			if f != "result" && f != "answers" {
				short = append(short, f)
			}
		}
		require.Equal(t, short, keys(t, line))
		require.Len(t, parse[[]map[string]any](t, s.must("list", "--label", "team=web", "--status", "completed", "-o", "json")), 1)
		require.Equal(t, "[]\n", s.must("list", "--label", "team=nobody", "-o", "json"))
		require.Empty(t, s.must("list", "--label", "team=nobody", "-o", "jsonl"))

		text := s.must("show", "shape")
		require.Regexp(t, `(?m)^answer q-2: +L \(default, \d+s ago\)$`, text)
		require.True(t, strings.HasSuffix(text, "\nresult:\nsize: L\n"), text)
		require.Regexp(t, `(?m)^shape +completed +\d+s +local +4 +ask Which size\?`, s.must("list"))
		require.Len(t, strings.Split(strings.TrimSpace(s.must("list", "--limit", "1")), "\n"), 2)
	})

	t.Run("a question is answered from elsewhere", func(t *testing.T) {
		c := s.start(nil, "run", "--id", "asks", "--agent", "script", `think Hm; ask Which size?; think So be it; finish "{{answer}}"`)
		c.says("] question q-1: Which size?\nanswer with: errand answer asks \"…\"\n")
		waiting := parse[starter.AgentTask](t, s.must("show", "asks", "-o", "json"))
		require.Equal(t, workflows.StatusWaiting, waiting.Status)
		require.Equal(t, "Which size?", waiting.Question.Text)
		require.Contains(t, s.must("show", "asks"), "question q-1:  Which size?\n")

		open := parse[[]openQuestion](t, s.must("inbox", "-o", "json"))
		require.Len(t, open, 1)
		require.Equal(t, "asks", open[0].TaskID)
		require.Equal(t, "q-1", open[0].QuestionID)
		require.Regexp(t, `(?m)^asks +q-1 +\d+s +Which size\?$`, s.must("inbox"))

		refused := s.run("answer", "asks", "--question", "q-7", "M")
		require.Equal(t, exitFailed, refused.status)
		require.Contains(t, refused.err.String(), "errand: task asks: question q-7 is not open, q-1 is: Which size?\n")

		answer := s.start(strings.NewReader("Medium\n"), "answer", "asks", "-", "--by", "Pat")
		answer.wait()
		require.Equal(t, exitOK, answer.status, &answer.err)
		require.Equal(t, "q-1 answered\n", answer.out.String())
		c.wait()
		require.Equal(t, exitOK, c.status)
		require.Equal(t, "Medium\n", c.out.String())

		said := c.err.String()
		thought, question := strings.Index(said, "thought: Hm"), strings.Index(said, "question q-1")
		require.Less(t, thought, question, "what was said before a question comes before it")
		require.Equal(t, 1, strings.Count(said, "Which size?"), "a question is told once")
		require.Contains(t, said, "] user: Medium\n")
		require.Contains(t, said, "] thought: So be it\n")

		late := s.run("answer", "asks", "Large")
		require.Equal(t, exitFailed, late.status)
		require.Contains(t, late.err.String(), "errand: task asks: the task has ended (completed)\n")
	})

	t.Run("messages are watched", func(t *testing.T) {
		c := s.start(nil, "run", "--id", "talks", "--agent", "script", "think One; log Two; ask More?; finish 3")
		c.says("question q-1")
		live := s.start(nil, "watch", "talks", "-o", "jsonl")
		live.says("More?")
		s.must("answer", "talks", "yes")
		live.wait()
		require.Equal(t, exitOK, live.status)
		require.Equal(t, live.out.String(), s.must("watch", "talks", "-o", "jsonl"), "the transcript has the same")

		var types []string
		for line := range strings.Lines(live.out.String()) {
			require.Equal(t, []string{"id", "type", "text", "at"}, keys(t, line))
			types = append(types, parse[struct{ Type string }](t, line).Type)
		}
		require.Equal(t, []string{"user", "thought", "log", "question", "user", "done"}, types)
		require.Len(t, parse[[]map[string]string](t, s.must("watch", "talks", "-o", "json")), 6)
		require.Regexp(t, `(?m)^\d\d:\d\d:\d\d thought: One$`, s.must("watch", "talks"))
		c.wait()
	})

	t.Run("tasks are paused, resumed and cancelled", func(t *testing.T) {
		c := s.start(nil, "run", "--id", "stops", "--agent", "script", "think Hm; wait 1h; finish 1")
		c.says("thought: Hm")
		some := s.run("pause", "stops", "nobody")
		require.Equal(t, exitFailed, some.status, "one of them is not there")
		require.Equal(t, "stops paused\n", some.out.String())
		require.Contains(t, some.err.String(), "errand: there is no task nobody: see errand list\n")
		c.says("] status: paused")
		require.Equal(t, "stops running\n", s.must("resume", "stops"))
		require.JSONEq(t, `[{"id": "stops", "status": "cancelled"}]`, s.must("cancel", "stops", "-o", "json"))
		c.wait()
		require.Equal(t, exitCancelled, c.status)
		require.Empty(t, c.out.String())
		require.Equal(t, "stops cancelled\n", s.must("cancel", "stops"), "it is so already")

		s.must("run", "--id", "more", "--detach", "--agent", "script", "wait 1h")
		require.Equal(t, "more cancelling\n", s.must("cancel", "--no-wait", "more"))
		require.Equal(t, exitCancelled, s.run("run", "--id", "more").status)
	})

	t.Run("a known task is followed, not started again", func(t *testing.T) {
		require.Equal(t, "known\n", s.must("run", "--id", "known", "--detach", "--agent", "script", "ask Well?; finish 1"))
		c := s.start(nil, "run", "--id", "known", "something else")
		c.says("errand: task known is known, with another prompt; nothing was started")
		s.must("answer", "known", "yes")
		c.wait()
		require.Equal(t, exitOK, c.status)
		require.Equal(t, "1\n", c.out.String())

		again := s.run("run", "--id", "known")
		require.Equal(t, exitOK, again.status)
		require.Equal(t, "1\n", again.out.String())
		require.Equal(t, 1, parse[starter.AgentTask](t, s.must("show", "known", "-o", "json")).SessionsCreated)

		unknown := s.run("run", "--id", "unknown")
		require.Equal(t, exitUsage, unknown.status)
		require.Contains(t, unknown.err.String(), "there is no task unknown: give a PROMPT to start it")
	})

	t.Run("an interrupted command leaves its task", func(t *testing.T) {
		c := s.start(nil, "run", "--id", "left", "--agent", "script", "ask Well?; finish 1")
		c.says("question q-1")
		c.interrupt()
		c.wait()
		require.Equal(t, exitInterrupted, c.status)
		require.Contains(t, c.err.String(), "errand run --id left")
		require.Equal(t, workflows.StatusWaiting, parse[starter.AgentTask](t, s.must("show", "left", "-o", "json")).Status)
		s.must("cancel", "left")
	})

	t.Run("a task that is not there is told by every command", func(t *testing.T) {
		for _, args := range [][]string{{"show", "nobody"}, {"watch", "nobody"}, {"answer", "nobody", "x"}, {"pause", "nobody"}, {"resume", "nobody"}, {"cancel", "nobody"}} {
			c := s.run(args...)
			require.Equal(t, exitFailed, c.status, args)
			require.Contains(t, c.err.String(), "errand: there is no task nobody: see errand list\n", args)
		}
	})

	t.Run("sessions are listed", func(t *testing.T) {
		s.must("run", "--id", "session", "--detach", "--agent", "script", "ask Well?")
		s.start(nil, "watch", "session").says("Well?")
		listed := parse[[]listedSession](t, s.must("sessions", "list", "-o", "json"))
		require.Len(t, listed, 1)
		require.Equal(t, "script", listed[0].Agent)
		require.Equal(t, "local", listed[0].Connection)
		require.Contains(t, s.must("sessions", "list"), listed[0].ID)
		s.must("cancel", "session")
		require.Equal(t, "[]\n", s.must("sessions", "list", "-o", "json"))
	})
}

func TestAClusterIsUsedAsItIs(t *testing.T) {
	cluster := newShell(t)
	dev := cluster.start(nil, "dev", "--port", "0", "--ui-port", "0", "-o", "jsonl", "--namespace", "mine")
	dev.says("data_dir")
	address := parse[servers](t, dev.out.String()).Temporal

	s := newShell(t, "TEMPORAL_ADDRESS="+address, "TEMPORAL_NAMESPACE=mine")
	require.Equal(t, "1\n", s.must("run", "--agent", "script", "finish 1"))
	require.NoFileExists(t, filepath.Join(s.data, "temporal.db"))

	dev.interrupt()
	dev.wait()
	require.Equal(t, exitOK, dev.status, &dev.err)
	gone := s.run("list")
	require.Equal(t, exitUsage, gone.status)
	require.Contains(t, gone.err.String(), "cannot reach Temporal at "+address)
}

func TestAClusterWithoutWorkersIsRefused(t *testing.T) {
	cluster, err := engine.Open(t.Context(), engine.Options{Dir: t.TempDir(), Temporal: &engine.TemporalOptions{}})
	require.NoError(t, err)
	defer func() { require.NoError(t, cluster.Close()) }()
	s := newShell(t, "TEMPORAL_ADDRESS="+cluster.Temporal().Address)

	c := s.run("run", "--id", "idle", "x")
	require.Equal(t, exitUsage, c.status)
	require.Contains(t, c.err.String(), `errand: no worker is polling the task queue "errand"`)
	unknown := s.run("show", "idle")
	require.Equal(t, exitFailed, unknown.status)
	require.Contains(t, unknown.err.String(), "there is no task idle", "nothing was started")

	worker := s.start(nil, "worker")
	worker.says("errand: ready: working on tasks of Temporal server")
	require.Eventually(t, func() bool { // until the server has seen its new search attributes
		return s.run("run", "--agent", "script", "finish 1").out.String() == "1\n"
	}, patience, 100*time.Millisecond)
	require.NoFileExists(t, filepath.Join(s.data, "temporal.db"), "the server is elsewhere")
	worker.interrupt()
	worker.wait()
	require.Equal(t, exitOK, worker.status)

	wrong := s.run("run", "--namespace", "other", "x")
	require.Equal(t, exitUsage, wrong.status)
	require.Contains(t, wrong.err.String(), `temporal has no namespace "other"`)
}

func TestTheLocalSessionServerRunsOnItsOwn(t *testing.T) {
	s := newShell(t, "SESSIONS_KEY=sk-canary")
	server := s.start(nil, "sessions", "serve", "--listen", "127.0.0.1:0", "--api-key", "env:SESSIONS_KEY", "--truth", filepath.Join(s.data, "truth.jsonl"))
	server.says("errand: serving sessions at http://127.0.0.1:")
	_, address, _ := strings.Cut(server.err.String(), "serving sessions at ")
	address, _, _ = strings.Cut(address, " ")
	second := s.run("sessions", "serve", "--listen", "127.0.0.1:0")
	require.Equal(t, exitUsage, second.status)
	require.Contains(t, second.err.String(), "another errand sessions serve uses "+s.data)

	s.env = append(s.env, "ERRAND_CONFIG="+s.file("errand.toml",
		"[connections.mine]\nprovider = \"agi\"\nbase_url = \""+address+"\"\napi_key = \"env:SESSIONS_KEY\"\nagent = \"script\"\n"))
	c := s.run("run", "think Hm; finish 1", "-o", "json")
	require.Equal(t, exitOK, c.status, &c.err)
	require.Contains(t, c.err.String(), "errand: no Temporal server configured; running one in this process")
	require.Contains(t, c.err.String(), "] thought: Hm\n")
	require.Equal(t, "mine", parse[starter.AgentTask](t, c.out.String()).Connection)
	require.NoFileExists(t, filepath.Join(s.data, "sessions.lock"), "nobody asked for local sessions")
	require.NotContains(t, c.out.String()+c.err.String()+server.err.String(), "sk-canary")

	server.interrupt()
	server.wait()
	require.Equal(t, exitOK, server.status)
	log, err := truth.Read(filepath.Join(s.data, "truth.jsonl"))
	require.NoError(t, err)
	require.Equal(t, "think Hm; finish 1", log.Of(truth.Message)[0].Text)
	require.Len(t, log.Of(truth.Deleted), 1)
}
