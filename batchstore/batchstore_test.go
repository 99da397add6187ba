package batchstore

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/errand-dev/errand/activities"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var ref = activities.BatchRef{ID: "b-1", Digest: "0123456789"}

func open(t *testing.T, dir string) *Store {
	t.Helper()
	s := At(dir)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func item(i int) activities.BatchItem {
	return activities.BatchItem{Index: i, Key: fmt.Sprint(i), Name: fmt.Sprint(i), Item: []byte(`{"a":"<&>"}`), Prompt: fmt.Sprintf("do %d", i)}
}

func write(t *testing.T, s *Store, n int) {
	t.Helper()
	w := s.NewWriter(ref)
	for i := range n {
		require.NoError(t, w.Add(t.Context(), item(i)))
	}
	require.NoError(t, w.Finish(t.Context()))
}

func TestItemsComeInTheirOrderFromWhereverOneBegins(t *testing.T) {
	dir := t.TempDir()
	write(t, open(t, dir), 1203) // three chunks
	s := open(t, dir)
	for _, from := range []int{0, 1, 499, 500, 501, 1000, 1202, 1203, 5000} {
		next := from
		for got, err := range s.Items(t.Context(), ref, from) {
			require.NoError(t, err)
			require.Equal(t, item(next), got)
			next++
		}
		require.Equal(t, max(from, 1203), next)
	}
}

func TestABatchThatIsNotWrittenToItsEndIsNone(t *testing.T) {
	s := open(t, t.TempDir())
	w := s.NewWriter(ref)
	require.NoError(t, w.Add(t.Context(), item(0)))
	require.ErrorContains(t, w.Add(t.Context(), item(2)), "item 2 comes after item 0")
	for _, err := range s.Items(t.Context(), ref, 0) {
		require.ErrorIs(t, err, ErrUnknownBatch)
	}
}

func result(i, attempt int, text string) activities.ItemResult {
	return activities.ItemResult{Index: i, Attempt: attempt, Key: fmt.Sprint(i), State: activities.ItemCompleted, Result: []byte(`"` + text + `"`), TaskID: "t"}
}

func TestTheLatestAttemptCountsAndOfEachTheFirstResult(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	write(t, s, 30)
	ctx := t.Context()
	for i := 29; i >= 0; i-- { // more segments than are held at once
		require.NoError(t, s.AddResults(ctx, ref, []activities.ItemResult{result(i, 1, fmt.Sprint("first of ", i))}))
	}
	require.NoError(t, s.AddResults(ctx, ref, []activities.ItemResult{result(3, 1, "first of 3 again"), result(4, 2, "second of 4")}))
	require.NoError(t, os.WriteFile(filepath.Join(dir, ref.ID, ref.Digest, "results", "z.jsonl.tmp"), []byte(`{"ind`), 0o600), "a write that was cut off")

	n := 0
	for o, err := range open(t, dir).Outcomes(ctx, ref) {
		require.NoError(t, err)
		want := fmt.Sprintf(`"first of %d"`, n)
		if n == 4 {
			want = `"second of 4"`
		}
		require.Equal(t, item(n), o.BatchItem)
		require.Equal(t, want, string(o.Latest.Result))
		n++
	}
	require.Equal(t, 30, n)
	all := 0
	for _, err := range s.Results(ctx, ref) {
		require.NoError(t, err)
		all++
	}
	require.Equal(t, 32, all)
}

func TestProgressIsWhatWasSetLast(t *testing.T) {
	s := open(t, t.TempDir())
	p, err := s.Progress(t.Context(), ref)
	require.NoError(t, err)
	require.Zero(t, p)
	require.NoError(t, s.SetProgress(t.Context(), ref, activities.BatchProgress{Attempt: 1, Completed: 7}))
	p, err = s.Progress(t.Context(), ref)
	require.NoError(t, err)
	require.Equal(t, 7, p.Completed)
}

func TestANameThatWouldLeadElsewhereIsRefused(t *testing.T) {
	s := open(t, t.TempDir())
	for _, bad := range []activities.BatchRef{{ID: "..", Digest: "d"}, {ID: "a/b", Digest: "d"}, {ID: "a", Digest: ""}, {ID: "a", Digest: "../x"}} {
		require.ErrorContains(t, s.AddResults(t.Context(), bad, nil), "is no part of a batch's place")
		_, err := s.Progress(t.Context(), bad)
		require.ErrorContains(t, err, "is no part of a batch's place")
	}
}

func TestADamagedSegmentIsAnErrorThatNamesIt(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	write(t, s, 1)
	require.NoError(t, s.AddResults(t.Context(), ref, []activities.ItemResult{result(0, 1, "x")}))
	require.NoError(t, os.WriteFile(filepath.Join(dir, ref.ID, ref.Digest, "results", "bad.jsonl"), []byte("{\"index\":\n"), 0o600))
	for _, err := range s.Outcomes(t.Context(), ref) {
		require.ErrorContains(t, err, "results/bad.jsonl")
		require.ErrorContains(t, err, "is damaged")
	}
}
