package engine_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gofrs/flock"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/errand-dev/errand/internal/engine"
)

func TestSessionsAloneStartNoTemporalServer(t *testing.T) {
	defer goleak.VerifyNone(t, append(leftByServers, goleak.IgnoreCurrent())...)
	dir := t.TempDir()
	e, err := engine.Open(t.Context(), childOptions{Dir: dir, Sessions: true}.options())
	require.NoError(t, err)
	writeTestFile(t, filepath.Join(dir, "sessions", "note"), "hello")

	got, err := getFile(e.Sessions(), "note")
	require.NoError(t, err)
	require.Equal(t, "hello", got)
	require.Equal(t, os.Getpid(), e.Sessions().PID)
	require.Zero(t, e.Temporal())
	require.NoFileExists(t, filepath.Join(dir, "temporal.db"))

	_, err = getFile(engine.Sessions{BaseURL: e.Sessions().BaseURL, Key: "wrong"}, "note")
	require.ErrorContains(t, err, "401")

	require.NoError(t, e.Close())
	require.NoError(t, e.Close(), "a second close")
	_, err = getFile(e.Sessions(), "note")
	require.Error(t, err)
}

func TestPortAndKeySurviveACleanStop(t *testing.T) {
	dir := t.TempDir()
	o := childOptions{Dir: dir, Sessions: true}.options()
	first, err := engine.Open(t.Context(), o)
	require.NoError(t, err)
	before := first.Sessions()
	require.NoError(t, first.Close())

	require.Equal(t, before, open(t, o).Sessions())
}

func TestFilesAreTheOwnersAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "on the way")
	open(t, childOptions{Dir: dir, Sessions: true}.options())
	for _, name := range []string{"sessions.key", "sessions.json", "sessions.lock"} {
		info, err := os.Stat(filepath.Join(dir, name))
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), name)
	}
}

func TestAPortTakenMeanwhileIsReplaced(t *testing.T) {
	o := childOptions{Dir: t.TempDir(), Sessions: true}.options()
	first, err := engine.Open(t.Context(), o)
	require.NoError(t, err)
	before := first.Sessions()
	require.NoError(t, first.Close())
	listen(t, strings.TrimPrefix(before.BaseURL, "http://"))

	after := open(t, o).Sessions()
	require.NotEqual(t, before.BaseURL, after.BaseURL)
	_, err = getFile(after, "")
	require.NoError(t, err)
}

func TestOneOfSeveralTakesOverAndTheOthersFollow(t *testing.T) {
	defer goleak.VerifyNone(t, append(leftByServers, goleak.IgnoreCurrent())...)
	dir := t.TempDir()
	o := childOptions{Dir: dir, Sessions: true}
	owner := startChild(t, o)
	a, err := engine.Open(t.Context(), o.options())
	require.NoError(t, err)
	b, err := engine.Open(t.Context(), o.options())
	require.NoError(t, err)
	writeTestFile(t, filepath.Join(dir, "sessions", "note"), "hello")

	require.Empty(t, owner.end(t), "a child's stdout")
	require.Eventually(t, func() bool {
		_, err := getFile(owner.Sessions, "note")
		return err == nil && a.Sessions().PID == os.Getpid() && b.Sessions().PID == os.Getpid()
	}, patience, 20*time.Millisecond)
	require.NoError(t, a.Close())
	require.NoError(t, b.Close())
}

func TestAnOwnerThatNeverGetsReadyIsNamed(t *testing.T) {
	dir := t.TempDir()
	writeTestFile(t, filepath.Join(dir, "sessions.json"), `{"pid": 4711}`)
	lock := flock.New(filepath.Join(dir, "sessions.lock"))
	require.NoError(t, lock.Lock())
	defer func() { require.NoError(t, lock.Close()) }()

	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	_, err := engine.Open(ctx, childOptions{Dir: dir, Sessions: true}.options())
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorContains(t, err, "process 4711")
}

func TestARecordThatCannotBeReadIsReplaced(t *testing.T) {
	dir := t.TempDir()
	writeTestFile(t, filepath.Join(dir, "sessions.json"), `{"pid": 47`)
	e := open(t, childOptions{Dir: dir, Sessions: true}.options())
	require.Equal(t, os.Getpid(), e.Sessions().PID)
}

func TestADirectoryBelowAFileIsRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	writeTestFile(t, file, "content")
	for _, dir := range []string{file, filepath.Join(file, "dir")} {
		_, err := engine.Open(t.Context(), childOptions{Dir: dir, Sessions: true}.options())
		require.ErrorContains(t, err, "data directory "+dir)
		require.ErrorContains(t, err, "not a directory")
	}
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, "content", string(content))
}
