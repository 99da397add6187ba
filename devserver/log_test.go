package devserver

import (
	"bytes"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/server/common/log/tag"
)

func newTestLogger(fatal func(error)) (logger, *bytes.Buffer) {
	var out bytes.Buffer
	handler := slog.NewTextHandler(&out, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		},
	})
	l := logger{slog: slog.New(handler), level: new(slog.LevelVar), fatal: fatal}
	l.level.Set(slog.LevelWarn)
	return l, &out
}

func TestWarningsAndErrorsAreLoggedWithTheirTags(t *testing.T) {
	l, out := newTestLogger(nil)
	child := l.With(tag.NewStringTag("service", "history"))
	child.Debug("debug")
	child.Info("info")
	child.Warn("warn", tag.NewInt("attempt", 3))
	l.Error("error")
	require.Equal(t, "level=WARN msg=warn service=history attempt=3\nlevel=ERROR msg=error\n", out.String())
}

func TestAStoppingServerIsSilent(t *testing.T) {
	l, out := newTestLogger(nil)
	child := l.With()
	l.level.Set(levelSilent)
	child.Error("error")
	require.Empty(t, out.String())
}

func TestAFatalMessageEndsOnlyItsGoroutine(t *testing.T) {
	told := make(chan error, 1)
	l, out := newTestLogger(func(err error) { told <- err })
	returned := false
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		l.Fatal("cannot listen", tag.NewInt("port", 7233))
		returned = true
	}()
	<-ended
	require.False(t, returned)
	require.EqualError(t, <-told, "cannot listen [port=7233]")
	require.Equal(t, "level=ERROR msg=\"cannot listen\" port=7233\n", out.String())
}
