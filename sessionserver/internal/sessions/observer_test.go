package sessions

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/errand-dev/errand/sessionserver/agent"
)

// attentive looks at the disk when it is told of deletes and of what is there
// at the start.
type attentive struct {
	Deaf
	told []string
}

func (a *attentive) Opened(all []*Session, snapshots []Snapshot) {
	for _, s := range all {
		a.told = append(a.told, "opened "+s.ID)
	}
	for _, s := range snapshots {
		a.told = append(a.told, "opened snapshot "+s.SessionID)
	}
}

func (a *attentive) Kept(s Snapshot) { a.told = append(a.told, "kept "+string(s.Mode)) }

func (a *attentive) Deleting(s *Session, d Deletion) { a.note("deleting", s, d) }

func (a *attentive) Deleted(s *Session, d Deletion) { a.note("deleted", s, d) }

func (a *attentive) note(what string, s *Session, d Deletion) {
	where := "there"
	if _, err := os.Stat(s.journal.path); errors.Is(err, fs.ErrNotExist) {
		where = "gone"
	}
	a.told = append(a.told, what+" "+string(d.Mode)+" by "+string(d.By)+", "+where)
}

func TestObserversKnowOfADeleteBeforeTheDiskDoes(t *testing.T) {
	var a attentive
	c := config(t.TempDir(), agentFunc(nil))
	c.Observer = Observers{&a, Deaf{}}
	e := openConfig(t, c)
	require.NoError(t, e.Delete(t.Context(), create(t, e).ID, SnapshotOptions{Mode: SnapshotFilesystem}))
	e.Vanish(create(t, e).ID)
	require.Equal(t, []string{
		"kept filesystem", "deleting filesystem by client, there", "deleted filesystem by client, gone",
		"deleting none by vanish, there", "deleted none by vanish, gone",
	}, a.told)
}

func TestObserversAreToldWhatWasThereBeforeItIsAtWork(t *testing.T) {
	dir := t.TempDir()
	e := open(t, dir, agentFunc(nil))
	first, second, third := create(t, e), create(t, e), create(t, e)
	require.NoError(t, e.Delete(t.Context(), first.ID, SnapshotOptions{Mode: SnapshotMemory}))
	shut(t, e)
	var a attentive
	c := config(dir, agentFunc(nil))
	c.Observer = &a
	openConfig(t, c)
	require.Equal(t, []string{"opened " + second.ID, "opened " + third.ID, "opened snapshot " + first.ID}, a.told)
}

func TestAnOutcomeThatCannotBeSavedIsToldAllTheSame(t *testing.T) {
	release, heard := make(chan struct{}), make(chan Phase, 2)
	c := config(t.TempDir(), agentFunc(func(context.Context, *agent.Turn) agent.Outcome {
		<-release
		return agent.Finished(1)
	}))
	c.Observer = ear{hear: func(before Phase) { heard <- before }}
	e := openConfig(t, c)
	s := create(t, e)
	send(t, s, "go")
	require.Equal(t, Ready, <-heard)
	require.NoError(t, os.Remove(s.journal.path))
	close(release)
	follow(t, s, Status{Phase: Finished})
	require.Equal(t, Running, <-heard)
}

// ear hears of the status before every event.
type ear struct {
	Deaf
	hear func(before Phase)
}

func (o ear) Changed(_ *Session, before, _ Status, _ Event) { o.hear(before.Phase) }

func TestAReplayTellsTheStatusBeforeEachEvent(t *testing.T) {
	c := config(t.TempDir(), agentFunc(func(_ context.Context, turn *agent.Turn) agent.Outcome {
		if turn.Answering {
			return agent.Finished(1)
		}
		return agent.Ask("q?")
	}))
	var live, again []Phase
	c.Observer = ear{hear: func(before Phase) { live = append(live, before) }}
	e := openConfig(t, c)
	s := create(t, e)
	send(t, s, "go")
	follow(t, s, Status{Phase: Waiting})
	send(t, s, "yes")
	follow(t, s, Status{Phase: Finished})
	s.Replay(func(before Status, _ Event) { again = append(again, before.Phase) })
	require.Equal(t, []Phase{Ready, Running, Waiting, Running}, live)
	require.Equal(t, live, again)
}
