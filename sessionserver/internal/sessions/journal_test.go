package sessions

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/errand-dev/errand/sessionserver/agent"
)

// A journal may be anything that a disk makes of it. What can be read of it
// can be gone on with.
func FuzzJournal(f *testing.F) {
	const id = "s-1"
	dir := f.TempDir()
	require.NoError(f, os.MkdirAll(filepath.Join(dir, sessionFolder), 0o700))
	f.Fuzz(func(t *testing.T, file []byte) {
		e := &Engine{Config: config(dir, nil)}
		require.NoError(t, os.WriteFile(e.journalPath(id), file, 0o600))
		s := e.loadSession(id)
		if s == nil {
			return
		}
		before, status := s.Messages(0)
		require.NotEmpty(t, status.Phase)

		require.NoError(t, s.journal.append(record{Event: &Event{Message: agent.Message{ID: s.lastID + 1, Type: agent.Thought, Content: []byte(`"on"`)}}}))
		again := e.loadSession(id)
		require.NotNil(t, again)
		after, _ := again.Messages(0)
		require.Len(t, after, len(before)+1)
	})
}
