package main

import (
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/errand-dev/errand/examples/agents/internal/agenttest"
)

// asAgent makes the test binary the agent, to be talked to as a process.
const asAgent = "BROWSER_AGENT_TEST_MAIN"

type line = agenttest.Line

func TestMain(m *testing.M) {
	if os.Getenv(asAgent) != "" {
		main()
		return
	}
	goleak.VerifyTestMain(m)
}

// startAgent starts the agent in that folder and says the first line.
func startAgent(t *testing.T, dir string, state any, env ...string) *agenttest.Agent {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	a := agenttest.Start(t, dir, append(env, asAgent+"=1"), self)
	start := line{"type": "start", "session_id": "s", "agent": "browser", "dir": dir, "history": []any{}}
	if state != nil {
		start["state"] = state
	}
	a.Send(start)
	return a
}
