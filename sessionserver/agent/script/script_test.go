package script_test

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/errand-dev/errand/sessionserver/agent"
	"github.com/errand-dev/errand/sessionserver/agent/script"
	"github.com/errand-dev/errand/sessionserver/internal/agenttest"
)

func session(t *testing.T) *agenttest.Session {
	return &agenttest.Session{Agent: script.Agent{}, ID: "s", Dir: filepath.Join(t.TempDir(), "work")}
}

func TestScripts(t *testing.T) {
	tests := []struct {
		name, script string
		answers      []string
		said         []string
		outcome      agent.MessageType
		content      string // as JSON
	}{
		{"a text result", "finish all good", nil, nil, agent.Done, `"all good"`},
		{"a JSON result", `finish {"a":[1,2]}`, nil, nil, agent.Done, `{"a":[1,2]}`},
		{"a number is JSON", `finish 42`, nil, nil, agent.Done, `42`},
		{"a failure", "fail no luck", nil, nil, agent.Error, `"no luck"`},
		{"lines and semicolons", "think a; log b\nthink c; fail d", nil, []string{"think: a", "log: b", "think: c"}, agent.Error, `"d"`},
		{"a semicolon inside a text", "think a; b;c\nfinish d", nil, []string{"think: a; b;c"}, agent.Done, `"d"`},
		{"a step word inside a text", "think we finish soon; thinking helps\nfinish d", nil, []string{"think: we finish soon; thinking helps"}, agent.Done, `"d"`},
		{"blank lines, indents and semicolons at the end", "\n\n  think a;\r\n\tfinish b ;\n", nil, []string{"think: a"}, agent.Done, `"b"`},
		{"a file that was written", "write notes/none.txt x", nil, nil, agent.Error, `"cannot write the file notes/none.txt of the session: openat notes/none.txt: no such file or directory"`},
		{"a file in a text", "write a.txt  hello \"you\"\nfinish {\"a\":\"{{file a.txt}}\",\"b\":\"{{file b.txt}}\"}", nil, nil, agent.Done, `{"a":" hello \"you\"","b":""}`},
		{"a file outside the directory", "write a.txt x\nfinish {{file ../secret}}", nil, nil, agent.Error, `"cannot read the file ../secret of the session: openat ../secret: path escapes from parent"`},
		{"a question", "think a\nask Which?", nil, []string{"think: a"}, agent.Question, `"Which?"`},
		{"an answer in a text", "ask Which?\nthink it is {{answer}}\nfinish {{answer}}!", []string{"M"}, []string{"think: it is M"}, agent.Done, `"M!"`},
		{"an answer in JSON is escaped", `ask Which?; finish {"size":"{{answer}}"}`, []string{"a \"b\"\n\\"}, nil, agent.Done, `{"size":"a \"b\"\n\\"}`},
		{"an answer cannot make a text JSON", "ask Which?\nfinish {{answer}}", []string{`{"a":1}`}, nil, agent.Done, `"{\"a\":1}"`},
		{"the latest answer counts", "ask 1?\nask 2?\nfinish {{answer}}", []string{"one", "two"}, nil, agent.Done, `"two"`},
		{"an answer in a question", "ask 1?\nask Sure of {{answer}}?", []string{"one"}, nil, agent.Question, `"Sure of one?"`},
		{"an answer that looks like a script", "ask 1?\nfinish {{answer}}", []string{"fail now"}, nil, agent.Done, `"fail now"`},
		{"no answer yet", "finish <{{answer}}>", nil, nil, agent.Done, `"\u003c\u003e"`},
		{"no end gives the answers", "ask 1?\nask 2?", []string{"one", "two"}, nil, agent.Done, `{"answers":["one","two"]}`},
		{"no end and no answers", "think a", nil, []string{"think: a"}, agent.Done, `{"answers":[]}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := session(t)
			outcome := s.Send(tt.script, "", false)
			for _, a := range tt.answers {
				require.Equal(t, agent.Question, outcome.Type)
				outcome = s.Send(a, "", true)
			}
			require.Equal(t, tt.outcome, outcome.Type)
			content, err := json.Marshal(outcome.Content)
			require.NoError(t, err)
			require.JSONEq(t, tt.content, string(content))
			require.Equal(t, tt.said, s.Said)
		})
	}
}

func TestNowIsTheTimeOfTheStep(t *testing.T) {
	before := time.Now()
	outcome := session(t).Send(`finish {"at":"{{now}}"}`, "", false)
	content, err := json.Marshal(outcome.Content)
	require.NoError(t, err)
	var got struct{ At time.Time }
	require.NoError(t, json.Unmarshal(content, &got))
	require.WithinRange(t, got.At, before, time.Now())
}

func TestASyntaxErrorFailsBeforeAnyStep(t *testing.T) {
	for script, want := range map[string]string{
		"think a\nfly away":         `step 2: "fly" is not a step word`,
		"think a\n\nwait long":      `step 2: "long" is not a duration`,
		"wait -1s":                  `step 1: "-1s" is not a duration`,
		"think a; ask":              "step 2: ask needs something after it",
		"finish":                    "step 1: finish needs something",
		"  \n ; ":                   "the script has no steps",
		"Report the name and price": `step 1: "Report" is not a step word, use think, log, write, wait, ask, finish or fail`,
	} {
		t.Run(script, func(t *testing.T) {
			s := session(t)
			outcome := s.Send(script, "", false)
			require.Equal(t, agent.Error, outcome.Type)
			require.Contains(t, outcome.Content, want)
			require.Empty(t, s.Said)
		})
	}
}

func TestAMessageAfterTheEndIsANewScript(t *testing.T) {
	s := session(t)
	s.Send("ask q?\nfinish {{answer}}", "", false)
	s.Send("one", "", true)
	require.Equal(t, agent.Finished("<>"), s.Send("finish <{{answer}}>", "", false), "answers of the script before are gone")
}

func TestAMessageAfterACancelIsANewScript(t *testing.T) {
	s := session(t)
	require.Equal(t, agent.Ask("q?"), s.Send("ask q?\nfinish old", "", false))
	require.Equal(t, agent.Finished("new"), s.Send("finish new", "", false))
}

func TestARestoredSessionBeginsAnew(t *testing.T) {
	s := session(t)
	s.Send("ask q?\nfinish old", "", false)
	restored := &agenttest.Session{Agent: script.Agent{}, ID: "other", State: s.State}
	require.Equal(t, agent.Finished("new"), restored.Send("finish new", "", false))
}

func TestAScriptInterruptedAnywhereSaysEverythingOnce(t *testing.T) {
	const text = "think a; wait 1s; log b; wait 2s; think c; finish ok"
	for stop := 1; stop <= 5; stop++ {
		s := session(t)
		s.StopAt = stop
		s.Send(text, "", false)
		s.StopAt = 0
		require.Equal(t, agent.Finished("ok"), s.Again(), "stop %d", stop)
		require.Equal(t, []string{"think: a", "log: b", "think: c"}, s.Said, "stop %d", stop)
		require.Contains(t, s.Waited, time.Second, "stop %d", stop)
		require.Contains(t, s.Waited, 2*time.Second, "stop %d", stop)
	}
}

func TestAnAnswerIsTakenOnceWhenTheTurnIsInterrupted(t *testing.T) {
	s := session(t)
	s.Send("ask q?\nthink {{answer}}\nthink b", "", false)
	s.StopAt = 2
	s.Send("yes", "", true)
	s.StopAt = 0
	require.Equal(t, map[string][]string{"answers": {"yes"}}, s.Again().Content)
	require.Equal(t, []string{"think: yes", "think: b"}, s.Said)
}

func FuzzScript(f *testing.F) {
	for _, seed := range []string{"finish ok", "think a; wait 1ms; ask b\nfinish {\"a\":\"{{answer}}\"}", ";;;\n", "wait 9999999999h", "finish \"", "ask {{answer}}", "think\x00"} {
		f.Add(seed, "an \"answer\"")
	}
	f.Fuzz(func(t *testing.T, text, answer string) {
		s := session(t)
		outcome := s.Send(text, "", false)
		for range strings.Count(text, "ask") {
			if outcome.Type != agent.Question {
				break
			}
			outcome = s.Send(answer, "", true)
		}
		require.NotEqual(t, agent.Question, outcome.Type, "a script asks no more often than it says ask")
		_, err := json.Marshal(outcome.Content)
		require.NoError(t, err)
	})
}
