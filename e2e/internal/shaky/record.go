package shaky

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.temporal.io/server/common/metrics"
)

// recordFile has a line for each call that failed: kill -9 leaves it whole.
const recordFile = "faults.log"

// Faults counts the failed calls of all servers that had the folder, by method
// and kind.
func Faults(dir string) (map[string]int, error) {
	raw, err := os.ReadFile(filepath.Join(dir, recordFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	counts := map[string]int{}
	for line := range strings.Lines(string(raw)) {
		counts[strings.TrimSpace(line)]++
	}
	return counts, nil
}

// recorder is a metrics handler that writes down which calls to the database
// failed as ours do: the server counts them, above what makes them fail.
type recorder struct {
	metrics.Handler
	tags []metrics.Tag
	to   io.Writer
}

func newRecorder(to io.Writer) recorder {
	return recorder{Handler: metrics.NoopMetricsHandler, to: to}
}

// WithTags returns a handler that adds tags to all that it counts.
func (r recorder) WithTags(tags ...metrics.Tag) metrics.Handler {
	r.tags = slices.Concat(r.tags, tags)
	return r
}

// Counter gives the counter of failed calls, and else one that counts nothing.
func (r recorder) Counter(name string) metrics.CounterIface {
	if name != metrics.PersistenceErrorWithType.Name() {
		return r.Handler.Counter(name)
	}
	return metrics.CounterFunc(func(_ int64, tags ...metrics.Tag) {
		var operation, kind string
		for _, t := range slices.Concat(r.tags, tags) {
			switch t.Key {
			case metrics.OperationTagName:
				operation = t.Value
			case metrics.ErrorTypeTagName:
				kind = t.Value
			}
		}
		if strings.HasSuffix(kind, "TimeoutError") || strings.HasSuffix(kind, "ResourceExhausted") {
			_, _ = fmt.Fprintln(r.to, operation, kind)
		}
	})
}
