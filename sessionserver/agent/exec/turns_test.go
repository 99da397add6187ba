//go:build unix

package exec_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/errand-dev/errand/sessionserver/agent"
	"github.com/errand-dev/errand/sessionserver/agent/exec"
)

func TestATaskFromItsMessageToItsResult(t *testing.T) {
	s := tell(t, config(t))
	outcome := s.send(
		`{"type":"thought","text":"looking"}`,
		`{"type":"log","content":{"text":"GET /"},"hidden":true}`,
		`{"type":"step","text":"opened a page"}`,
		`{"type":"from the future","text":"ignored"}`,
		`Loading the model…`,
		``,
		`{"type":"thought","text":5}`,
		`[1]`,
		`{"type":"done","result":{"price":3}}`,
	)
	require.Equal(t, agent.Done, outcome.Type)
	require.JSONEq(t, `{"price":3}`, text(outcome))
	require.Equal(t, []string{
		"thought: looking", "hidden log: GET /", "step: opened a page",
		"log: Loading the model…", `log: {"type":"thought","text":5}`, "log: [1]",
	}, s.heard())
}

func TestALineThatIsNoJSONIsCutAsALog(t *testing.T) {
	s := tell(t, config(t))
	s.send(strings.Repeat("ä", 1001), `{"type":"done","text":"ok"}`)
	require.Equal(t, []string{"log: " + strings.Repeat("ä", 1000)}, s.heard())
}

func TestHowATaskEnds(t *testing.T) {
	for name, tt := range map[string]struct {
		line    string
		outcome agent.MessageType
		content string
	}{
		"with a text":                        {`{"type":"done","text":"all good"}`, agent.Done, "all good"},
		"with a result of null and a text":   {`{"type":"done","result":null,"text":"fine"}`, agent.Done, "fine"},
		"with an error":                      {`{"type":"error","text":"no luck"}`, agent.Error, "no luck"},
		"with a question that is an object":  {`{"type":"question","content":{"text":"Which?"}}`, agent.Question, `{"text":"Which?"}`},
		"with a cancel that nobody asked of": {`{"type":"cancelled"}`, agent.Error, "The agent gave up the task."},
	} {
		t.Run(name, func(t *testing.T) {
			outcome := tell(t, config(t)).send(tt.line)
			require.Equal(t, tt.outcome, outcome.Type)
			require.Equal(t, tt.content, text(outcome))
		})
	}
}

func TestOneProcessServesAllTurns(t *testing.T) {
	s := tell(t, config(t))
	pid := s.pid()
	require.Equal(t, agent.Question, s.send(`{"type":"question","text":"Which size?"}`).Type)
	outcome := s.answer("M")
	require.Equal(t, agent.Done, outcome.Type)
	require.JSONEq(t, fmt.Sprintf(`{"answer":"M","to":4,"pid":%d}`, pid), text(outcome))
	require.Equal(t, agent.Error, s.send(`{"type":"error","text":"no"}`).Type)
	require.Equal(t, pid, s.pid())
	require.Empty(t, s.gone)
}

func TestTheProgramIsToldOfItsSession(t *testing.T) {
	s := tell(t, config(t))
	s.session.Model = "m-1"
	s.open()
	s.history = []agent.Message{{ID: 1, Type: agent.Log, Content: json.RawMessage(`{"a":1}`)}}
	outcome := s.send("!start")
	require.JSONEq(t, fmt.Sprintf(`{"type":"start","session_id":%q,"agent":"tester","dir":%q,"goal":"a goal","max_steps":7,"model":"m-1",
		"history":[{"id":1,"type":"log","content":{"a":1}}]}`, s.session.ID, s.session.Dir), text(outcome))
	require.FileExists(t, filepath.Join(s.session.Dir, "start.json"), "it works in the session's directory")
}

func TestExtraInformationReachesTheAgentAtWork(t *testing.T) {
	s := tell(t, config(t))
	_, over := s.begin(`{"type":"thought","text":"waiting"}`)
	s.until("thought: waiting")
	s.worker.(agent.Listener).Hear(agent.Message{ID: 2, Type: agent.User, Content: json.RawMessage(`"{\"type\":\"done\",\"text\":\"heard\"}"`)})
	require.Equal(t, "heard", text(<-over))
}

func TestExtraInformationThatComesBeforeTheTurnIsToldAfterItsMessage(t *testing.T) {
	s := tell(t, config(t))
	s.worker.(agent.Listener).Hear(agent.Message{ID: 2, Type: agent.User, Content: json.RawMessage(`"{\"type\":\"done\",\"text\":\"heard\"}"`)})
	require.Equal(t, "heard", text(s.send(`{"type":"thought","text":"first"}`)))
	require.Equal(t, []string{"thought: first"}, s.heard())
}

func TestAnAgentSeesNoVariablesButItsOwn(t *testing.T) {
	t.Setenv("ERRAND_TEST_SECRET", "sesame")
	t.Setenv("ERRAND_TEST_NAMED", "named")
	t.Setenv("LC_TIME", "C")
	c := config(t)
	c.Env = append(c.Env, "ERRAND_TEST_NAMED")
	s := tell(t, c)
	var env []string
	require.NoError(t, json.Unmarshal([]byte(text(s.send("!env"))), &env))
	require.Subset(t, env, []string{"ERRAND_TEST_NAMED=named", "LC_TIME=C", "PATH=" + os.Getenv("PATH"), "ERRAND_AGENT=tester", "ERRAND_SESSION_ID=" + s.session.ID})
	require.NotContains(t, strings.Join(env, "\n"), "sesame")
}

func TestAProgramThatCannotBeStartedIsNamed(t *testing.T) {
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain.txt")
	require.NoError(t, os.WriteFile(plain, []byte("text"), 0o600))
	for name, command := range map[string]string{"not in PATH": "no-such-agent", "no such file": filepath.Join(dir, "none"), "not executable": plain} {
		t.Run(name, func(t *testing.T) {
			c := config(t)
			c.Command = []string{command}
			outcome := tell(t, c).send("hello")
			require.Equal(t, agent.Error, outcome.Type)
			require.Contains(t, text(outcome), fmt.Sprintf("The agent's program %q cannot be started: ", command))
		})
	}
}

func TestAConfigurationMustBeWhole(t *testing.T) {
	for want, spoil := range map[string]func(*exec.Config){
		"no name":        func(c *exec.Config) { c.Name = "" },
		"no command":     func(c *exec.Config) { c.Command = nil },
		"no folder":      func(c *exec.Config) { c.RunDir = "" },
		"negative limit": func(c *exec.Config) { c.Memory = -1 },
	} {
		c := config(t)
		spoil(&c)
		_, err := exec.New(c)
		require.ErrorContains(t, err, want)
	}
}
