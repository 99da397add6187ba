package e2e

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/errand-dev/errand/sessionserver/truth"
)

// vendor starts a session server that notes what really happens, and makes it
// the home's one connection, with more settings if they are given.
func (h *home) vendor(settings ...string) (server *process, facts func() *truth.Log) {
	h.t.Helper()
	server = h.startVendor("127.0.0.1:0")
	address := regexp.MustCompile(`127\.0\.0\.1:\d+`).FindString(server.errs.String() + server.out.String())
	h.write("errand.toml", fmt.Sprintf("[connections.shop]\nprovider = \"agi\"\nbase_url = %q\nagent = \"script\"\n%s\n",
		"http://"+address, strings.Join(settings, "\n")))
	return server, func() *truth.Log {
		h.t.Helper()
		log, err := truth.Read(filepath.Join(h.dir, "truth.jsonl"))
		require.NoError(h.t, err)
		return log
	}
}

func (h *home) startVendor(address string) *process {
	h.t.Helper()
	server := h.start("sessions", "serve", "--listen", address, "--truth", "truth.jsonl")
	server.says("http://127.0.0.1:")
	return server
}

func TestABatchNeverHasMoreSessionsThanItsConnectionAllows(t *testing.T) {
	long(t)
	const most, items = 4, 24
	h := newHome(t)
	_, facts := h.vendor(fmt.Sprintf("max_sessions = %d", most))
	h.dev()
	var lines strings.Builder
	for i := range items {
		fmt.Fprintf(&lines, "{\"n\":%d}\n", i)
	}
	h.write("items.jsonl", lines.String())

	got := parse[batch](t, h.must("batch", "run", "items.jsonl", "--concurrency", "12", "--prompt", "wait 500ms; finish {{.n}}", "-o", "json"))

	require.Equal(t, items, got.Completed, "waiting for room fails no item")
	open, peak := 0, 0
	var freed, asked []time.Time
	for _, f := range facts().Of(truth.Created, truth.Deleted) {
		switch f.Kind {
		case truth.Created:
			open++
			asked = append(asked, f.At)
		default:
			open--
			freed = append(freed, f.At)
		}
		peak = max(peak, open)
	}
	require.Equal(t, most, peak)
	require.Len(t, asked, items)
	var delays []time.Duration
	for i, at := range asked[most:] {
		delays = append(delays, at.Sub(freed[i]))
	}
	slices.Sort(delays)
	t.Logf("slot free → next session: median %s, longest %s", delays[len(delays)/2], delays[len(delays)-1])
}
