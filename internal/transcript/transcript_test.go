package transcript

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/errand-dev/errand/provider"
)

func entry(id, text string) provider.Entry {
	return provider.Entry{ID: id, Type: provider.EntryThought, Text: text, At: time.Unix(1, 0).UTC()}
}

func TestEachEntryIsReadOnceInOrder(t *testing.T) {
	d := Dir(filepath.Join(t.TempDir(), "transcripts"))
	require.NoError(t, d.Append("../t/1", []provider.Entry{entry("1", "a"), entry("2", "b")}))
	require.NoError(t, d.Append("../t/1", []provider.Entry{entry("2", "b"), entry("3", "c")}))

	got, err := d.Read("../t/1")
	require.NoError(t, err)
	require.Equal(t, []Entry{EntryOf(entry("1", "a")), EntryOf(entry("2", "b")), EntryOf(entry("3", "c"))}, got)
}

func TestALineThatWasCutOffIsLeftOut(t *testing.T) {
	d := Dir(t.TempDir())
	require.NoError(t, d.Append("t", []provider.Entry{entry("1", "a")}))
	f, err := os.OpenFile(d.file("t"), os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.WriteString(`{"id":"2","ty`)
	require.NoError(t, err)
	require.NoError(t, f.Close())

	got, err := d.Read("t")
	require.NoError(t, err)
	require.Len(t, got, 1)

	require.NoError(t, d.Append("t", []provider.Entry{entry("2", "b")}))
	got, err = d.Read("t")
	require.NoError(t, err)
	require.Len(t, got, 2, "what comes after it is not lost with it")
}

func TestATaskWithoutATranscriptHasAnEmptyOne(t *testing.T) {
	got, err := Dir(t.TempDir()).Read("nobody")
	require.NoError(t, err)
	require.Empty(t, got)
}
