package sessions

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/errand-dev/errand/sessionserver/agent"
)

// noter is an agent that appends each message to a file of its directory, and
// finishes with what is in it. Its memory is the number of its turns.
type noter struct{}

func (noter) Open(s agent.Session) agent.Worker { return &noterWorker{session: s} }

type noterWorker struct {
	session agent.Session
	turns   int
}

func (w *noterWorker) Run(_ context.Context, t *agent.Turn) agent.Outcome {
	dir, err := w.session.MakeDir()
	if err != nil {
		return agent.Failed(err.Error())
	}
	if w.turns == 0 && t.State != nil {
		if err := json.Unmarshal(t.State, &w.turns); err != nil {
			return agent.Failed(err.Error())
		}
	}
	w.turns++
	f, err := os.OpenFile(filepath.Join(dir, "notes"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return agent.Failed(err.Error())
	}
	defer f.Close()
	if _, err := f.WriteString(t.Message.Text() + ";"); err != nil {
		return agent.Failed(err.Error())
	}
	notes, err := os.ReadFile(f.Name())
	if err != nil {
		return agent.Failed(err.Error())
	}
	return agent.Finished(map[string]any{"notes": string(notes), "turns": w.turns})
}

func (w *noterWorker) Keep(context.Context) (json.RawMessage, error) { return json.Marshal(w.turns) }

func (w *noterWorker) Close() {}

// noted lets a noter do a turn and gives what it finished with.
func noted(t *testing.T, s *Session, text string) string {
	t.Helper()
	send(t, s, text)
	events := follow(t, s, Status{Phase: Finished})
	return string(events[len(events)-1].Message.Content)
}

func saved(t *testing.T, e *Engine, o SnapshotOptions, texts ...string) *Session {
	t.Helper()
	s := create(t, e)
	for _, text := range texts {
		noted(t, s, text)
	}
	require.NoError(t, e.Delete(t.Context(), s.ID, o))
	require.NoDirExists(t, e.workDir(s.ID))
	return s
}

func TestSnapshotModes(t *testing.T) {
	e := open(t, t.TempDir(), noter{})
	tests := []struct {
		name  string
		mode  SnapshotMode
		files bool // FilesOnly
		want  string
	}{
		{"filesystem keeps the files", SnapshotFilesystem, false, `{"notes":"a;b;c;","turns":1}`},
		{"memory keeps the agent's memory too", SnapshotMemory, false, `{"notes":"a;b;c;","turns":3}`},
		{"memory can be left out of a restore", SnapshotMemory, true, `{"notes":"a;b;c;","turns":1}`},
		{"none keeps nothing", SnapshotNone, false, `{"notes":"c;","turns":1}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			from := saved(t, e, SnapshotOptions{Mode: tt.mode}, "a", "b")
			s := restored(t, e, Restore{SessionID: from.ID, FilesOnly: tt.files})
			require.JSONEq(t, tt.want, noted(t, s, "c"))
			require.Equal(t, tt.mode != SnapshotNone, s.EnvironmentID == from.EnvironmentID)
		})
	}
}

func TestASnapshotIsNotAlteredByThoseRestoredFromIt(t *testing.T) {
	e := open(t, t.TempDir(), noter{})
	first := saved(t, e, SnapshotOptions{Mode: SnapshotFilesystem}, "a")
	one, two := restored(t, e, Restore{SessionID: first.ID}), restored(t, e, Restore{SessionID: first.ID})
	require.JSONEq(t, `{"notes":"a;one;","turns":1}`, noted(t, one, "one"))
	require.JSONEq(t, `{"notes":"a;two;","turns":1}`, noted(t, two, "two"))
	require.NoError(t, e.Delete(t.Context(), one.ID, SnapshotOptions{Mode: SnapshotFilesystem}))
	require.JSONEq(t, `{"notes":"a;three;","turns":1}`, noted(t, restored(t, e, Restore{SessionID: first.ID}), "three"))
	require.JSONEq(t, `{"notes":"a;one;four;","turns":1}`, noted(t, restored(t, e, Restore{SessionID: one.ID}), "four"))
}

func TestWhichSnapshotIsRestored(t *testing.T) {
	e := open(t, t.TempDir(), noter{})
	standard := saved(t, e, SnapshotOptions{Mode: SnapshotFilesystem, Default: true}, "default")
	named := saved(t, e, SnapshotOptions{Mode: SnapshotFilesystem}, "named")
	other := saved(t, e, SnapshotOptions{Mode: SnapshotFilesystem}, "other")
	tests := []struct {
		name    string
		restore Restore
		want    *Session
	}{
		{"the session's wins", Restore{SessionID: named.ID, EnvironmentID: other.EnvironmentID, Default: true}, named},
		{"then the environment's", Restore{EnvironmentID: other.EnvironmentID, Default: true}, other},
		{"then the default", Restore{Default: true}, standard},
		{"one that is not there gives nothing", Restore{SessionID: "x", Default: true}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := restored(t, e, tt.restore)
			if tt.want == nil {
				require.Empty(t, s.RestoredFrom)
				return
			}
			require.Equal(t, tt.want.ID, s.RestoredFrom)
		})
	}
	t.Run("somebody else's is not there", func(t *testing.T) {
		mine, err := e.Create(t.Context(), CreateOptions{Agent: "a", Owner: "me"})
		require.NoError(t, err)
		require.NoError(t, e.Delete(t.Context(), mine.ID, SnapshotOptions{Mode: SnapshotFilesystem, Default: true}))
		theirs, err := e.Create(t.Context(), CreateOptions{Agent: "a", Owner: "you", Restore: Restore{SessionID: mine.ID}})
		require.NoError(t, err)
		require.Empty(t, theirs.RestoredFrom)
		require.Equal(t, standard.ID, restored(t, e, Restore{Default: true}).RestoredFrom)
	})
}

func TestOldSnapshotsAreRemovedButNeverADefault(t *testing.T) {
	dir := t.TempDir()
	e := open(t, dir, noter{})
	standard := saved(t, e, SnapshotOptions{Mode: SnapshotFilesystem, Default: true}, "default")
	old := saved(t, e, SnapshotOptions{Mode: SnapshotFilesystem}, "old")
	kept := saved(t, e, SnapshotOptions{Mode: SnapshotFilesystem}, "kept")
	require.NoError(t, e.snapshots.prune(Retention{MaxCount: 1}))
	require.NoDirExists(t, filepath.Join(dir, snapshotFolder, old.ID))
	require.Empty(t, restored(t, e, Restore{SessionID: old.ID}).RestoredFrom)
	require.Equal(t, kept.ID, restored(t, e, Restore{SessionID: kept.ID}).RestoredFrom)
	require.NoError(t, e.snapshots.prune(Retention{MaxAge: time.Nanosecond}))
	require.Empty(t, restored(t, e, Restore{SessionID: kept.ID}).RestoredFrom)
	require.Equal(t, standard.ID, restored(t, e, Restore{Default: true}).RestoredFrom)
}

func TestADirectoryOnItsWayIntoASnapshotGoesBack(t *testing.T) {
	dir := t.TempDir()
	e := open(t, dir, noter{})
	s := create(t, e)
	noted(t, s, "a")
	shut(t, e)
	// Killed between the move of the files and the note of the snapshot.
	require.NoError(t, os.Rename(e.workDir(s.ID), filepath.Join(dir, snapshotFolder, s.ID)))
	// And in the middle of making or removing others.
	require.NoError(t, os.MkdirAll(filepath.Join(dir, snapshotFolder, "half", "x"), 0o700))
	require.NoError(t, os.MkdirAll(filepath.Join(dir, workFolder, "nobodys", "x"), 0o700))

	again := open(t, dir, noter{})
	s, err := again.Session(s.ID)
	require.NoError(t, err)
	require.JSONEq(t, `{"notes":"a;b;","turns":1}`, noted(t, s, "b"))
	require.NoDirExists(t, filepath.Join(dir, snapshotFolder, "half"))
	require.NoDirExists(t, filepath.Join(dir, workFolder, "nobodys"))
}

func TestASessionThatCannotBeSavedStays(t *testing.T) {
	dir := t.TempDir()
	e := open(t, dir, noter{})
	s := create(t, e)
	noted(t, s, "a")
	require.NoError(t, os.WriteFile(filepath.Join(dir, snapshotFolder, s.ID), nil, 0o600)) // in the way
	require.Error(t, e.Delete(t.Context(), s.ID, SnapshotOptions{Mode: SnapshotFilesystem}))
	require.JSONEq(t, `{"notes":"a;b;","turns":1}`, noted(t, s, "b"))
	require.NoError(t, e.Delete(t.Context(), s.ID, SnapshotOptions{Mode: SnapshotNone}))
}

func TestASessionEndsWhenNothingHasHappenedForTooLong(t *testing.T) {
	c := config(t.TempDir(), noter{})
	c.TTL = 300 * time.Millisecond
	e := openConfig(t, c)
	s := create(t, e)
	view := s.Since(0)
	<-view.Changed
	require.True(t, s.Since(0).Deleted)
	require.Empty(t, e.Sessions(""))
	require.NoFileExists(t, s.journal.path)
}

func TestANewSessionWorksWhenItHasStarted(t *testing.T) {
	c := config(t.TempDir(), noter{})
	c.Boot = 50 * time.Millisecond
	e := openConfig(t, c)
	s := create(t, e)
	require.Equal(t, Status{Phase: Ready, Starting: true}, s.Status())
	send(t, s, "early")
	require.Equal(t, Status{Phase: Running, Starting: true}, s.Status())
	follow(t, s, Status{Phase: Finished})
}

func TestTerminatedSessionsAreRememberedIfAskedFor(t *testing.T) {
	c := config(t.TempDir(), noter{})
	c.ListTerminated = true
	e := openConfig(t, c)
	s := saved(t, e, SnapshotOptions{Mode: SnapshotNone})
	require.Equal(t, s.ID, e.Terminated("")[0].ID)
	shut(t, e)
	again := openConfig(t, c)
	require.Len(t, again.Terminated(""), 1)
	require.Equal(t, s.ID, again.Terminated("")[0].ID)
}

// fragile is an agent whose tasks end with the process, and that tells when
// what it keeps alive is gone.
type fragile struct {
	agentFunc
	session chan agent.Session
}

func (f fragile) Open(s agent.Session) agent.Worker {
	f.session <- s
	return f.agentFunc
}

func (fragile) Lost(agent.Session, json.RawMessage) string { return "It was lost." }

func TestATaskWhoseAgentWasLostSaysSo(t *testing.T) {
	dir := t.TempDir()
	a := fragile{func(ctx context.Context, turn *agent.Turn) agent.Outcome {
		if turn.Message.Text() == "ask" {
			return agent.Ask("q?")
		}
		<-ctx.Done()
		return agent.Failed("was heard")
	}, make(chan agent.Session, 4)}
	e := open(t, dir, a)
	asking, working, idle := create(t, e), create(t, e), create(t, e)
	send(t, asking, "ask")
	follow(t, asking, Status{Phase: Waiting})
	send(t, working, "work")
	shut(t, e)

	again := open(t, dir, a)
	for _, id := range []string{asking.ID, working.ID} {
		s, err := again.Session(id)
		require.NoError(t, err)
		events := s.Since(0).Events
		require.Equal(t, "It was lost.", events[len(events)-1].Message.Text())
		require.Equal(t, Status{Phase: Failed}, s.Status())
	}
	s, err := again.Session(idle.ID)
	require.NoError(t, err)
	require.Equal(t, Status{Phase: Ready}, s.Status())
}

func TestAnAgentThatDiesWithAnOpenQuestionFailsTheTask(t *testing.T) {
	a := fragile{func(context.Context, *agent.Turn) agent.Outcome { return agent.Ask("q?") }, make(chan agent.Session, 1)}
	e := open(t, t.TempDir(), a)
	s := create(t, e)
	send(t, s, "ask")
	follow(t, s, Status{Phase: Waiting})
	session := <-a.session
	session.Gone("It died.")
	events := follow(t, s, Status{Phase: Failed})
	require.Equal(t, "It died.", events[2].Message.Text())
	session.Gone("It died again.")
	require.Len(t, s.Since(0).Events, 3)
}

// listener is an agent that finishes with the first message it hears.
type listener struct{ heard chan string }

func (l listener) Open(agent.Session) agent.Worker { return l }
func (l listener) Close()                          {}
func (l listener) Hear(m agent.Message)            { l.heard <- m.Text() }
func (l listener) Run(ctx context.Context, _ *agent.Turn) agent.Outcome {
	select {
	case text := <-l.heard:
		return agent.Finished(text)
	case <-ctx.Done():
		return agent.Failed(ctx.Err().Error())
	}
}

func TestAListenerHearsWhatIsSaidWhileItWorks(t *testing.T) {
	e := open(t, t.TempDir(), listener{make(chan string, 1)})
	s := create(t, e)
	send(t, s, "go")
	send(t, s, "by the way")
	events := follow(t, s, Status{Phase: Finished})
	require.Equal(t, "by the way", events[2].Message.Text())
	require.NoError(t, s.Send(UserMessage{Text: "x", IfIdle: true}))
	require.ErrorIs(t, s.Send(UserMessage{Text: "y", IfIdle: true}), ErrBusy)
	require.NoError(t, s.Cancel())
}

func TestAStuckTurnEndsByACancel(t *testing.T) {
	var stuck atomic.Bool
	stuck.Store(true)
	c := config(t.TempDir(), noter{})
	c.Stuck = func(name, _ string) bool { return name == "a" && stuck.Load() }
	e := openConfig(t, c)
	s := create(t, e)
	send(t, s, "lost")
	require.NoError(t, s.Cancel())
	stuck.Store(false)
	require.JSONEq(t, `{"notes":"found;","turns":1}`, noted(t, s, "found"))
}

func TestAnAgentThatDiesWhileItAsksFailsTheTask(t *testing.T) {
	sessions := make(chan agent.Session, 1)
	a := fragile{session: sessions, agentFunc: func(context.Context, *agent.Turn) agent.Outcome {
		(<-sessions).Gone("It died.")
		return agent.Ask("q?")
	}}
	e := open(t, t.TempDir(), a)
	s := create(t, e)
	send(t, s, "ask")
	events := follow(t, s, Status{Phase: Failed})
	require.Equal(t, []string{"ask", "q?", "It died."}, []string{events[0].Message.Text(), events[1].Message.Text(), events[2].Message.Text()})
}

// still is an agent with a screen, which counts the workers it opens.
type still struct{ opened *atomic.Int32 }

func (a still) Open(agent.Session) agent.Worker { a.opened.Add(1); return a }
func (still) Close()                            {}
func (still) Run(context.Context, *agent.Turn) agent.Outcome {
	return agent.Finished("ok")
}
func (still) Screenshot(context.Context) (agent.Screenshot, error)   { return agent.Screenshot{}, nil }
func (still) Navigate(_ context.Context, url string) (string, error) { return url, nil }

func TestADeletedSessionOpensNoWorker(t *testing.T) {
	a := still{new(atomic.Int32)}
	e := open(t, t.TempDir(), a)
	s := create(t, e)
	_, err := s.Screenshot(t.Context())
	require.NoError(t, err)
	require.NoError(t, e.Delete(t.Context(), s.ID, SnapshotOptions{Mode: SnapshotNone}))
	_, err = s.Screenshot(t.Context())
	require.ErrorIs(t, err, ErrNotFound)
	_, err = s.Navigate(t.Context(), "http://a.example/")
	require.ErrorIs(t, err, ErrNotFound)
	require.EqualValues(t, 1, a.opened.Load())
}
