//go:build examples

package agents_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/errand-dev/errand/examples/agents/internal/agenttest"
)

type line = agenttest.Line

func startNotes(t *testing.T, dir string) *agenttest.Agent {
	t.Helper()
	python, err := exec.LookPath("python3")
	require.NoError(t, err, "this test needs Python 3: apt-get install python3")
	script, err := filepath.Abs("notes.py")
	require.NoError(t, err)
	a := agenttest.Start(t, dir, nil, python, script)
	a.Send(line{"type": "start", "session_id": "s", "agent": "notes", "dir": dir, "history": []any{}})
	return a
}

func tell(a *agenttest.Agent, text string) line {
	a.Send(line{"type": "message", "id": 1, "text": text})
	return a.Wait("done", "question", "error")
}

func notes(l line) any { return l["result"].(map[string]any)["notes"] }

func TestNotesAreKeptInTheWorkingDirectory(t *testing.T) {
	a := startNotes(t, t.TempDir())
	require.Equal(t, []any{}, notes(tell(a, "list")))
	require.Equal(t, []any{"buy milk"}, notes(tell(a, "add buy  milk")))
	require.Equal(t, []any{"buy milk", "café"}, notes(tell(a, "add café")))
	require.NoError(t, a.End())

	// What a filesystem snapshot does: the next session begins with a copy.
	next := t.TempDir()
	require.NoError(t, os.CopyFS(next, os.DirFS(a.Dir)))
	b := startNotes(t, next)
	require.Equal(t, []any{"buy milk", "café"}, notes(tell(b, "list")))
	require.Equal(t, []any{"café"}, notes(tell(b, "forget buy milk")))
	require.NoError(t, b.End())
}

func TestNotesAreForgottenOnlyAfterAYes(t *testing.T) {
	a := startNotes(t, t.TempDir())
	tell(a, "add one")
	for _, answer := range []string{"no", "perhaps"} {
		require.Equal(t, "Forget all 1 notes? (yes/no)", tell(a, "forget everything").Text("text"))
		a.Send(line{"type": "answer", "id": 2, "text": answer})
		require.Equal(t, []any{"one"}, notes(a.Wait("done")))
	}
	tell(a, "forget everything")
	a.Send(line{"type": "cancel"})
	a.Wait("cancelled")
	require.Equal(t, []any{"one"}, notes(tell(a, "list")))
	tell(a, "forget everything")
	a.Send(line{"type": "answer", "id": 2, "text": "Yes"})
	require.Equal(t, []any{}, notes(a.Wait("done")))
	require.NoError(t, a.End())
}

func TestNotesSaysWhatItCan(t *testing.T) {
	a := startNotes(t, t.TempDir())
	for _, text := range []string{"sing", "add", "forget what was never there"} {
		l := tell(a, text)
		require.Equal(t, "error", l.Type())
		require.Contains(t, l.Text("text"), "add TEXT")
	}
	require.NoError(t, a.End())
}
