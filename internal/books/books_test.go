package books

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/errand-dev/errand/activities"
	"github.com/errand-dev/errand/provider"
	"github.com/errand-dev/errand/sessionserver/truth"
	"github.com/errand-dev/errand/starter"
	"github.com/errand-dev/errand/workflows"
)

// facts writes a log as lines "SESSION KIND REST", one second apart. A done has
// its result, a snapshot and a delete their mode and by, a fault its kind and
// operation; the rest of the others is their text.
func facts(t testing.TB, lines []string) *truth.Log {
	t.Helper()
	log := &truth.Log{}
	for i, line := range lines {
		words := strings.SplitN(line+"  ", " ", 3)
		f := truth.Fact{At: time.Unix(int64(i), 0).UTC(), Session: words[0], Kind: truth.Kind(words[1])}
		rest := strings.TrimSpace(words[2])
		first, second, _ := strings.Cut(rest, " ")
		switch f.Kind {
		case truth.Started:
			f.Session = ""
		case truth.Done:
			var err error
			f.SHA256, err = truth.Digest(json.RawMessage(rest))
			require.NoError(t, err)
		case truth.Snapshot, truth.Deleting, truth.Deleted:
			f.Mode, f.By = first, second
		case truth.Fault:
			f.Fault, f.Operation, f.Session = first, second, ""
		default:
			f.Text = rest
		}
		log.Facts = append(log.Facts, f)
	}
	return log
}

// keptLog is the log of a run in which every promise was kept: task a asks, is
// answered, gets a follow-up and leaves a snapshot; b fails; c is cancelled
// with an answer on its way; v loses its session; x is terminated, and its
// session reaped like that of a create whose answer was lost.
var keptLog = []string{
	"- started",
	"- fault lost-after create",
	"o created",
	"a created",
	"a message goal a",
	"a question which a?",
	"b created",
	"a message answer a",
	`a done {"n":1}`,
	"a message more a",
	`a done {"n":2,"m":"<"}`,
	"b message goal b",
	"b failed no luck",
	"a snapshot memory",
	"a deleting memory client",
	"a deleted memory client",
	"b deleting none client",
	"b deleted none client",
	"c created",
	"c message goal c",
	"c question which c?",
	"c cancelled",
	"c deleting none client",
	"c deleted none client",
	"v created",
	"v message goal v",
	"- fault vanish status",
	"v deleting none vanish",
	"v deleted none vanish",
	"x created",
	"x message goal x",
	"x deleting none client",
	"x deleted none client",
	"o deleting none client",
	"o deleted none client",
}

// rehearsal is a run, with its log still as lines.
type rehearsal struct {
	Run
	lines []string
}

func good() *rehearsal {
	account := func(id string, status workflows.Status, turns int) starter.AgentTask {
		return starter.AgentTask{
			ID: id, Prompt: "goal " + id, Status: status, Turns: turns, SessionsCreated: 1,
			Session: &workflows.Session{ID: id, Deleted: true},
			Input:   workflows.AgentTaskInput{TaskID: id},
		}
	}
	a := account("a", workflows.StatusCompleted, 3)
	a.Answers = []workflows.Answer{{QuestionID: "q-1", Text: "answer a"}}
	a.Input.FollowUps = []string{"more a"}
	a.Result = json.RawMessage(`{"m": "\u003c", "n": 2}`)
	a.Snapshot = &workflows.SavedSnapshot{Mode: provider.SnapshotMemory, SessionID: "a"}
	b := account("b", workflows.StatusFailed, 1)
	b.Error = &workflows.TaskError{Type: workflows.ErrTypeAgentError, Message: "no luck"}
	c := account("c", workflows.StatusCancelled, 1)
	c.Answers = []workflows.Answer{{QuestionID: "q-1", Text: "answer c"}}
	v := account("v", workflows.StatusFailed, 1)
	v.Error = &workflows.TaskError{Type: activities.ErrTypeSessionGone, Message: "gone"}
	x := account("x", workflows.StatusFailed, 0)
	x.Session, x.SessionsCreated = nil, 0
	return &rehearsal{
		Run: Run{
			Tasks: []starter.AgentTask{a, b, c, v, x},
			Scripts: map[string]Script{
				"a": {Status: workflows.StatusCompleted, Result: json.RawMessage(`{"n":2,"m":"<"}`)},
				"b": {Status: workflows.StatusFailed, Error: workflows.ErrTypeAgentError},
			},
			Reaped: []string{"o", "x"},
			Faults: []string{"lost-after", "vanish"},
		},
		lines: slices.Clone(keptLog),
	}
}

// drop takes lines out of the log.
func (r *rehearsal) drop(lines ...string) {
	for _, line := range lines {
		r.lines = slices.Delete(r.lines, r.find(line), r.find(line)+1)
	}
}

// add puts lines into the log, behind another one.
func (r *rehearsal) add(behind string, lines ...string) {
	r.lines = slices.Insert(r.lines, r.find(behind)+1, lines...)
}

func (r *rehearsal) find(line string) int {
	i := slices.Index(r.lines, line)
	if i < 0 {
		panic("the log has no line " + line)
	}
	return i
}

func (r *rehearsal) check(t testing.TB) (Books, []string) {
	t.Helper()
	r.Log = facts(t, r.lines)
	books, violations := r.Check()
	var words []string
	for _, v := range violations {
		words = append(words, v.String())
	}
	return books, words
}

func TestARunThatKeptEveryPromise(t *testing.T) {
	books, violations := good().check(t)
	require.Empty(t, violations)
	require.Equal(t, Books{
		Tasks:    map[workflows.Status]int{"completed": 1, "failed": 3, "cancelled": 1},
		Sessions: map[Fate]int{ByTask: 3, Reaped: 2, Vanished: 1},
		Orphans:  1,
		Messages: 7, Questions: 2, Results: 2,
		Faults: map[string]int{"lost-after": 1, "vanish": 1},
		Starts: 1,
	}, books)
	require.Equal(t, `tasks: 1 cancelled, 1 completed, 3 failed
sessions: 3 deleted by their task, 2 reaped, 1 vanished; orphans among them: 1
messages: 7, questions: 2, results: 2
faults: 1 lost-after, 1 vanish
starts of the session server: 1
`, books.String())
}

func TestWhatIsNoViolation(t *testing.T) {
	for name, change := range map[string]func(*rehearsal){
		"nobody knows what was reaped": func(r *rehearsal) { r.Reaped = nil },
		"a session lost by age":        func(r *rehearsal) { r.lines[r.find("v deleted none vanish")] = "v deleted none age" },
		"the answer of a cancelled task arrived": func(r *rehearsal) {
			r.add("c question which c?", "c message answer c")
		},
		"a delete that was tried before": func(r *rehearsal) { r.add("b message goal b", "b deleting none client") },
		"accounts from JSON": func(r *rehearsal) {
			for i := range r.Tasks {
				r.Tasks[i].Input = workflows.AgentTaskInput{}
			}
		},
		"a create that failed": func(r *rehearsal) {
			r.drop("x created", "x message goal x", "x deleting none client", "x deleted none client")
			r.Reaped = []string{"o"}
		},
		"a task that started again":                   startedAgain,
		"a snapshot of a session from before the log": func(r *rehearsal) { r.add("- started", "z snapshot memory") },
	} {
		t.Run(name, func(t *testing.T) {
			r := good()
			change(r)
			_, violations := r.check(t)
			require.Empty(t, violations)
		})
	}
}

// startedAgain lets task a begin in a session that dies.
func startedAgain(r *rehearsal) {
	r.add("o created", "a1 created", "a1 message goal a", "a1 question which a?", "a1 message answer a",
		"a1 deleting none vanish", "a1 deleted none vanish")
	a := &r.Tasks[0]
	a.Restarts = []workflows.Restart{{SessionID: "a1"}}
	a.Answers = append([]workflows.Answer{{QuestionID: "q-0", Text: "answer a"}}, a.Answers...)
	a.Turns += 2
	a.SessionsCreated++
}

func TestEachViolationIsFound(t *testing.T) {
	task := func(r *rehearsal, id string) *starter.AgentTask {
		return &r.Tasks[slices.IndexFunc(r.Tasks, func(t starter.AgentTask) bool { return t.ID == id })]
	}
	for name, c := range map[string]struct {
		breaks func(*rehearsal)
		want   []string
	}{
		"a session of a task is left": {
			func(r *rehearsal) {
				r.drop("b deleting none client", "b deleted none client")
				task(r, "b").Session.Deleted = false
			},
			[]string{"I1: session b of task b is still there"},
		},
		"an orphan is left": {
			func(r *rehearsal) { r.drop("o deleted none client"); r.Reaped = []string{"x"} },
			[]string{"I1: orphan o is still there"},
		},
		"an orphan is left to its age": {
			func(r *rehearsal) { r.lines[r.find("o deleted none client")] = "o deleted none age" },
			[]string{"I1: orphan o was left to end by its age"},
		},
		"a session of a task is left to its age": {
			func(r *rehearsal) { r.lines[r.find("b deleted none client")] = "b deleted none age" },
			[]string{"I1: session b of task b was left to end by its age"},
		},
		"an orphan is deleted by a stranger": {
			func(r *rehearsal) { r.Reaped = []string{"x"} },
			[]string{"I1: orphan o was deleted, and the reaper does not say that it was it"},
		},
		"the reaper invents a delete": {
			func(r *rehearsal) { r.Reaped = append(r.Reaped, "y") },
			[]string{"I1: the reaper says that it deleted session y, and nobody did"},
		},
		"an orphan got a message": {
			func(r *rehearsal) { r.add("o created", "o message hello") },
			[]string{`I2: orphan o got a message, and no task says to have sent it: "hello"`},
		},
		"a task spoke to two sessions": {
			func(r *rehearsal) { r.add("o created", "o message goal a") },
			[]string{"I2: task a spoke to 2 sessions: [a o]", "I3: task a sent 4 messages in 3 turns", "account: task a created 1 sessions, says its account, and at least 2 were"},
		},
		"a task started again and does not say so": {
			func(r *rehearsal) {
				startedAgain(r)
				r.Tasks[0].Restarts = nil
				r.Tasks[0].Answers = r.Tasks[0].Answers[1:]
			},
			[]string{"I2: task a spoke to 2 sessions: [a a1]"},
		},
		"an answer is delivered twice to a session that died": {
			func(r *rehearsal) { startedAgain(r); r.add("a1 message answer a", "a1 message answer a") },
			[]string{
				`I3: session a1 of task a got a message 2 times: "answer a"`, "I3: task a sent 6 messages in 5 turns",
				`I4: task a: an answer that was accepted 2 times was delivered 3 times: "answer a"`,
			},
		},
		"a goal is sent twice": {
			func(r *rehearsal) { r.add("b message goal b", "b message goal b") },
			[]string{`I3: session b of task b got a message 2 times: "goal b"`},
		},
		"a follow-up is sent twice": {
			func(r *rehearsal) { r.add("a message more a", "a message more a") },
			[]string{`I3: session a of task a got a message 2 times: "more a"`, "I3: task a sent 4 messages in 3 turns"},
		},
		"a follow-up is sent twice, by a script": {
			func(r *rehearsal) {
				task(r, "a").Input = workflows.AgentTaskInput{}
				r.Scripts["a"] = Script{Status: workflows.StatusCompleted, FollowUps: []string{"more a"}}
				r.add("a message more a", "a message more a")
			},
			[]string{`I3: session a of task a got a message 2 times: "more a"`, "I3: task a sent 4 messages in 3 turns"},
		},
		"a follow-up is never sent": {
			func(r *rehearsal) { r.drop("a message more a") },
			[]string{`I3: session a of task a never got a message of the completed task: "more a"`, "I3: task a sent 2 messages in 3 turns"},
		},
		"a message of nobody": {
			func(r *rehearsal) { r.add("b message goal b", "b message hello") },
			[]string{`I3: session b of task b got a message that is none of the task's: "hello"`},
		},
		"a turn without a message": {
			func(r *rehearsal) { task(r, "b").Turns = 3 },
			[]string{"I3: task b sent 1 messages in 3 turns"},
		},
		"messages without a turn": {
			func(r *rehearsal) { r.add("c question which c?", "c message answer c"); task(r, "c").Turns = 0 },
			[]string{"I3: task c sent 2 messages in 0 turns"},
		},
		"an answer is sent twice": {
			func(r *rehearsal) { r.add("c question which c?", "c message answer c", "c message answer c") },
			[]string{
				`I3: session c of task c got a message 2 times: "answer c"`, "I3: task c sent 3 messages in 1 turns",
				`I4: session c of task c: the answer to q-1 was delivered 2 times after its question: "answer c"`,
			},
		},
		"an answer of a completed task is not sent": {
			func(r *rehearsal) { r.drop("a message answer a"); task(r, "a").Turns = 2 },
			[]string{
				`I3: session a of task a never got a message of the completed task: "answer a"`,
				`I4: session a of task a: the answer to q-1 was delivered 0 times after its question: "answer a"`,
			},
		},
		"an answer comes before its question": {
			func(r *rehearsal) { r.drop("a message answer a"); r.add("a message goal a", "a message answer a") },
			[]string{`I4: session a of task a: the answer to q-1 was delivered 0 times after its question: "answer a"`},
		},
		"an answer goes to another question": {
			func(r *rehearsal) { r.add("a question which a?", "a question and a?") },
			[]string{`I4: session a of task a: the answer to q-1 was delivered 0 times after its question: "answer a"`},
		},
		"an answer is lost before the one under way": {
			func(r *rehearsal) {
				r.add("c question which c?", "c question and c?")
				task(r, "c").Answers = append(task(r, "c").Answers, workflows.Answer{QuestionID: "q-2", Text: "more c"})
			},
			[]string{`I4: session c of task c: the answer to q-1 was delivered 0 times after its question: "answer c"`},
		},
		"an answer to no question": {
			func(r *rehearsal) { task(r, "a").Answers[0].QuestionID = "q-2" },
			[]string{"I4: session a of task a: q-2 was answered and never asked"},
		},
		"something after the delete": {
			func(r *rehearsal) { r.add("b deleted none client", "b question still there?") },
			[]string{`I5: session b of task b was deleted, and then there was "question"`},
		},
		"a delete before it was done": {
			func(r *rehearsal) {
				r.drop(`a done {"n":1}`, `a done {"n":2,"m":"<"}`)
				r.add("a deleted memory client", `a done {"n":2,"m":"<"}`)
			},
			[]string{
				`I5: session a of task a was deleted, and then there was "done"`,
				"I5: session a of task a was deleted before it was done, and the task is completed",
			},
		},
		"a delete while the task was at work": {
			func(r *rehearsal) { r.lines[r.find("v deleted none vanish")] = "v deleted none client" },
			[]string{"I5: session v of task v was deleted by a client while the task was at work"},
		},
		"a snapshot that is not there": {
			func(r *rehearsal) { r.lines[r.find("a snapshot memory")] = "a snapshot filesystem" },
			[]string{"I5: session a of task a has no snapshot of its memory, and the task says so"},
		},
		"another result": {
			func(r *rehearsal) { r.lines[r.find(`a done {"n":2,"m":"<"}`)] = `a done {"n":3}` },
			[]string{`I6: session a of task a finished with another result than the task has: {"m": "\u003c", "n": 2}`},
		},
		"no result": {
			func(r *rehearsal) { r.lines[r.find(`a done {"n":2,"m":"<"}`)] = "a failed no luck" },
			[]string{`I6: session a of task a: the task is completed, and the last thing there is "failed"`},
		},
		"completed without a session": {
			func(r *rehearsal) { task(r, "x").Status = workflows.StatusCompleted },
			[]string{"I6: task x is completed, and its session is none that was created"},
		},
		"completed without a word": {
			func(r *rehearsal) {
				task(r, "b").Status, r.Scripts, task(r, "b").Turns = workflows.StatusCompleted, nil, 0
				r.drop("b message goal b", "b failed no luck")
			},
			[]string{
				`I3: session b of task b never got a message of the completed task: "goal b"`,
				"I5: session b of task b was deleted before it was done, and the task is completed",
				"I6: session b of task b: the task is completed, and nothing was ever done",
			},
		},
		"a task goes on": {
			func(r *rehearsal) { task(r, "c").Status = workflows.StatusWaiting },
			[]string{"I7: task c is still waiting"},
		},
		"another outcome": {
			func(r *rehearsal) {
				r.Scripts = map[string]Script{
					"a": {Status: workflows.StatusCompleted, Result: json.RawMessage("1")},
					"b": {Status: workflows.StatusTimedOut, Error: workflows.ErrTypeTaskTimeout},
					"c": {Status: workflows.StatusCancelled, Error: workflows.ErrTypeCancelled},
					"d": {},
				}
			},
			[]string{
				`outcome: task a has the result {"m": "\u003c", "n": 2}, not 1`,
				"outcome: task b is failed, not timed_out (AgentError: no luck)",
				"outcome: task b has no error TaskTimeout (AgentError: no luck)",
				"outcome: task c has no error Cancelled",
				"outcome: there is no account of task d",
			},
		},
		"two accounts of a task": {
			func(r *rehearsal) { r.Tasks = append(r.Tasks, *task(r, "x")) },
			[]string{"outcome: there are two accounts of task x"},
		},
		"two tasks with one session": { // the question that c answered was not asked there
			func(r *rehearsal) { task(r, "c").Session = task(r, "b").Session },
			[]string{
				"I4: session b of task b: q-1 was answered and never asked",
				"account: tasks b and c have the same session b",
			},
		},
		"a session that was never created": {
			func(r *rehearsal) { task(r, "c").Session.ID = "y"; task(r, "c").SessionsCreated = 0 },
			[]string{
				"account: task c has the session y, which was never created",
				"account: task c created 0 sessions, says its account, and at least 1 were",
			},
		},
		"a delete that was not": {
			func(r *rehearsal) { r.drop("b deleted none client") },
			[]string{"I1: session b of task b is still there", "account: session b of task b is deleted, says the task, and it is not"},
		},
		"nothing happened": {
			func(r *rehearsal) { r.lines, r.Run = nil, Run{} },
			[]string{
				"happened: there were no tasks", "happened: there were no sessions", "happened: there were no messages",
				"happened: there were no starts of the session server",
			},
		},
		"no fault fired": {
			func(r *rehearsal) { r.Faults = []string{"vanish", "500"} },
			[]string{"happened: no fault 500 fired"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := good()
			c.breaks(r)
			_, violations := r.check(t)
			require.Equal(t, c.want, violations)
		})
	}
}

func TestAccountsAreReadAsShowPrintsThem(t *testing.T) {
	tasks, err := ReadTasks(strings.NewReader(`
{"id":"a","status":"completed","session":{"id":"s","deleted":true},"answers":[{"question_id":"q-1","text":"M"}],"result":{"n":1}}
{
  "id": "b",
  "status": "failed",
  "session": null,
  "error": {"type": "AgentError", "message": "no luck"}
}`))
	require.NoError(t, err)
	require.Len(t, tasks, 2)
	require.Equal(t, "s", tasks[0].Session.ID)
	require.Equal(t, "M", tasks[0].Answers[0].Text)
	require.JSONEq(t, `{"n":1}`, string(tasks[0].Result))
	require.Equal(t, workflows.ErrTypeAgentError, tasks[1].Error.Type)

	_, err = ReadTasks(strings.NewReader(`{"id":"a"} errand: x`))
	require.ErrorContains(t, err, "account of task 2")
}
