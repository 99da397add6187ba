package sessions

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/errand-dev/errand/sessionserver/agent"
)

func TestStatusFollowsFromEvents(t *testing.T) {
	said := func(m agent.MessageType) Event { return Event{Message: agent.Message{Type: m}} }
	marked := func(m Mark) Event { return Event{Mark: m} }
	at := func(p Phase) Status { return Status{Phase: p} }
	held := func(p Phase) Status { return Status{Phase: p, Paused: true} }

	tests := []struct {
		name  string
		from  Status
		event Event
		to    Status
	}{
		{"a message starts a task", at(Ready), said(agent.User), at(Running)},
		{"a question waits", at(Running), said(agent.Question), at(Waiting)},
		{"an answer lets the task go on", at(Waiting), said(agent.User), at(Running)},
		{"extra information changes nothing", at(Running), said(agent.User), at(Running)},
		{"a thought changes nothing", at(Running), said(agent.Thought), at(Running)},
		{"a log line changes nothing", at(Running), said(agent.Log), at(Running)},
		{"a result finishes", at(Running), said(agent.Done), at(Finished)},
		{"a waiting task may finish", at(Waiting), said(agent.Done), at(Finished)},
		{"a failure fails", at(Running), said(agent.Error), at(Failed)},
		{"a waiting task may fail", at(Waiting), said(agent.Error), at(Failed)},
		{"a finished session takes a new task", at(Finished), said(agent.User), at(Running)},
		{"a failed session takes a new task", at(Failed), said(agent.User), at(Running)},
		{"a pause holds the agent", at(Running), marked(Paused), held(Running)},
		{"a pause holds the question", at(Waiting), marked(Paused), held(Waiting)},
		{"an answer does not end a pause", held(Waiting), said(agent.User), held(Running)},
		{"a resume lets go", held(Running), marked(Resumed), at(Running)},
		{"a resume shows the question again", held(Waiting), marked(Resumed), at(Waiting)},
		{"a step changes nothing", at(Running), marked(Step), at(Running)},
		{"a cancel gives the task up", at(Running), marked(Cancelled), at(GivenUp)},
		{"a cancel drops the question", at(Waiting), marked(Cancelled), at(GivenUp)},
		{"a cancel ends a pause", held(Running), marked(Cancelled), at(GivenUp)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, tt.to, tt.from.after(tt.event))
		})
	}
}
