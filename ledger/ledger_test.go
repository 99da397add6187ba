package ledger

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/errand-dev/errand/activities"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t *testing.T, dir string) *Ledger {
	t.Helper()
	l, err := Open(t.Context(), dir)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	return l
}

func entry(connection, ref, try string) activities.LedgerEntry {
	return activities.LedgerEntry{
		Connection: connection, Ref: ref, Try: try, Agent: "agi-0", Snapshot: "filesystem",
		Owner: activities.Owner{Home: activities.Home{Cluster: "c", Namespace: "n"}, WorkflowID: "agent-task-1", FirstRunID: "r"},
		At:    time.Date(2026, 1, 15, 9, 30, 0, 0, time.UTC),
	}
}

func TestAnEntryIsThereForEveryProcessUntilItIsForgotten(t *testing.T) {
	dir := t.TempDir()
	here, there := open(t, dir), open(t, dir)
	ctx := t.Context()
	first, second := entry("agi", "errand-0a", "t1"), entry("agi", "errand-0a", "t2")
	for _, e := range []activities.LedgerEntry{first, second, entry("agi", "errand-0ab", "t3"), entry("agi-2", "errand-0a", "t4")} {
		require.NoError(t, here.Put(ctx, e))
	}
	second.SessionID = "s-1"
	require.NoError(t, here.Put(ctx, second), "an entry is changed")

	tries, err := there.Tries(ctx, "agi", "errand-0a")
	require.NoError(t, err)
	require.ElementsMatch(t, []activities.LedgerEntry{first, second}, tries)
	all, err := there.Entries(ctx, "agi")
	require.NoError(t, err)
	require.Len(t, all, 3)

	require.NoError(t, there.Forget(ctx, first))
	require.NoError(t, there.Forget(ctx, first), "what is not there is forgotten")
	tries, err = here.Tries(ctx, "agi", "errand-0a")
	require.NoError(t, err)
	require.Equal(t, []activities.LedgerEntry{second}, tries)
}

func TestAnEmptyLedgerHasNoEntries(t *testing.T) {
	l := open(t, filepath.Join(t.TempDir(), "made", "when", "missing"))
	all, err := l.Entries(t.Context(), "agi")
	require.NoError(t, err)
	require.Empty(t, all)
	tries, err := l.Tries(t.Context(), "agi", "errand-00")
	require.NoError(t, err)
	require.Empty(t, tries)
}

func TestADamagedEntryIsAnErrorAndACutWriteIsNone(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	require.NoError(t, l.Put(t.Context(), entry("agi", "errand-0a", "t1")))
	path := filepath.Join(dir, "agi", "0a", "errand-0a.t1.json")
	require.NoError(t, os.WriteFile(path+".tmp123", []byte("{"), 0o600))
	all, err := l.Entries(t.Context(), "agi")
	require.NoError(t, err)
	require.Len(t, all, 1)

	require.NoError(t, os.WriteFile(path, []byte("{"), 0o600))
	_, err = l.Entries(t.Context(), "agi")
	require.ErrorContains(t, err, "agi/0a/errand-0a.t1.json in "+dir+" is damaged")
}

func TestANameThatWouldLeadElsewhereIsRefused(t *testing.T) {
	l := open(t, t.TempDir())
	for _, name := range []string{"", "..", "a/b", `a\\b`, "a.b", "é"} {
		require.ErrorContains(t, l.Put(t.Context(), entry(name, "errand-0a", "t")), "is no part of a key")
		require.ErrorContains(t, l.Forget(t.Context(), entry("agi", name, "t")), "is no part of a key")
		require.ErrorContains(t, l.Put(t.Context(), entry("agi", "errand-0a", name)), "is no part of a key")
		_, err := l.Entries(t.Context(), name)
		require.ErrorContains(t, err, "is no part of a key")
	}
}

func TestAPlaceThatCannotBeUsedIsAnErrorWithoutItsSecrets(t *testing.T) {
	_, err := Open(t.Context(), "nosuch://user:hunter22@bucket?key=hunter22")
	require.Error(t, err)
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err = Open(t.Context(), file)
	require.Error(t, err)
}

func TestManyWriteAtOnce(t *testing.T) {
	l := open(t, t.TempDir())
	var all sync.WaitGroup
	for i := range 100 {
		all.Go(func() {
			e := entry("agi", fmt.Sprintf("errand-%02x", i%7), fmt.Sprintf("t%d", i))
			if l.Put(t.Context(), e) != nil {
				t.Error("not written")
			}
			if i%2 == 0 && l.Forget(t.Context(), e) != nil {
				t.Error("not forgotten")
			}
			if _, err := l.Entries(t.Context(), "agi"); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	left, err := l.Entries(t.Context(), "agi")
	require.NoError(t, err)
	require.Len(t, left, 50)
}
