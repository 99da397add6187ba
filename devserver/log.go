package devserver

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"slices"

	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/log/tag"
)

// logger hands the Temporal server's warnings and errors to slog. It keeps the
// server from ending the process: a fatal message ends only its goroutine.
type logger struct {
	slog *slog.Logger
	// level is what is let through. The server warns of much that is as it should
	// be while it starts and stops.
	level *slog.LevelVar
	// tags are formatted only for a message that is let through: the server makes a
	// logger for every task.
	tags []tag.Tag
	// fatal is told every fatal message.
	fatal func(error)
}

// levelSilent is above every level in use.
const levelSilent = slog.LevelError + 1

var (
	_ log.Logger     = logger{}
	_ log.WithLogger = logger{}
)

// With returns a logger that adds tags to every message.
func (l logger) With(tags ...tag.Tag) log.Logger {
	l.tags = slices.Concat(l.tags, tags)
	return l
}

// Debug drops the message: the server's lesser messages are about itself.
func (l logger) Debug(string, ...tag.Tag) {}

// Info drops the message, as Debug does.
func (l logger) Info(string, ...tag.Tag) {}

// Warn logs at warn.
func (l logger) Warn(msg string, tags ...tag.Tag) { l.log(slog.LevelWarn, msg, tags) }

// Error logs at error.
func (l logger) Error(msg string, tags ...tag.Tag) { l.log(slog.LevelError, msg, tags) }

// DPanic logs at error: it panics in the server's own development builds only.
func (l logger) DPanic(msg string, tags ...tag.Tag) { l.log(slog.LevelError, msg, tags) }

// Panic logs at error and panics, as the server's code counts on.
func (l logger) Panic(msg string, tags ...tag.Tag) {
	l.log(slog.LevelError, msg, tags)
	panic(msg)
}

// Fatal logs at error and ends the goroutine, where the server's own logger
// would end the process.
func (l logger) Fatal(msg string, tags ...tag.Tag) {
	l.log(slog.LevelError, msg, tags)
	l.fatal(fmt.Errorf("%s %v", msg, attrs(tags)))
	runtime.Goexit()
}

func (l logger) log(level slog.Level, msg string, tags []tag.Tag) {
	ctx := context.Background()
	if level >= l.level.Level() && l.slog.Enabled(ctx, level) {
		l.slog.LogAttrs(ctx, level, msg, attrs(slices.Concat(l.tags, tags))...) //nolint:sloglint // passes on the server's own messages
	}
}

func attrs(tags []tag.Tag) []slog.Attr {
	attrs := make([]slog.Attr, len(tags))
	for i, t := range tags {
		attrs[i] = slog.Any(t.Key(), t.Value())
	}
	return attrs
}
