package sessionserver

import (
	"bufio"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/errand-dev/errand/sessionserver/internal/sessions"
)

// BenchmarkTask is a whole cheap task over loopback (create, list messages,
// message, messages, delete) against a server in a process of its own, whose
// CPU time is reported.
func BenchmarkTask(b *testing.B) {
	cmd, c := child(b, b.TempDir())
	for b.Loop() {
		id := c.create("script")
		c.messages(id)
		c.send(id, "finish ok")
		for c.messages(id).Status != "finished" {
		}
		c.ok("DELETE", "/v1/sessions/"+id, nil, nil)
	}
	require.NoError(b, cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(b, cmd.Wait())
	cpu := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	b.ReportMetric(float64(cpu.Microseconds())/float64(b.N), "server-cpu-µs/op")
}

// BenchmarkAppendToStream is the time from the append of a message to its
// arrival at a reader of the event stream.
func BenchmarkAppendToStream(b *testing.B) {
	s, c := serve(b, Config{})
	session, err := s.engine.Create(b.Context(), sessions.CreateOptions{Agent: "script"})
	require.NoError(b, err)
	stream := c.events("/v1/sessions/" + session.ID + "/events")
	require.NoError(b, session.Send(sessions.UserMessage{Text: "wait 1h"}))
	_, ok := stream.next()
	require.True(b, ok)
	for b.Loop() {
		require.NoError(b, session.Send(sessions.UserMessage{Text: "more"}))
		_, ok := stream.next()
		require.True(b, ok)
	}
}

// BenchmarkTwoThousandReaders is the time from the start of a task in one of
// 2,000 sessions, each with a reader of its event stream, to the end of that
// reader's stream.
func BenchmarkTwoThousandReaders(b *testing.B) {
	s, c := serve(b, Config{})
	const readers = 2000
	var all []*sessions.Session
	for range readers {
		session, err := s.engine.Create(b.Context(), sessions.CreateOptions{Agent: "script"})
		require.NoError(b, err)
		all = append(all, session)
	}
	open := func(session *sessions.Session) io.ReadCloser {
		req, err := http.NewRequestWithContext(b.Context(), "GET", c.base+"/v1/sessions/"+session.ID+"/events?include_history=false", nil)
		require.NoError(b, err)
		res, err := c.http.Do(req)
		require.NoError(b, err)
		return res.Body
	}
	bodies := make([]io.ReadCloser, readers)
	for i, session := range all {
		bodies[i] = open(session)
	}
	defer func() {
		for _, body := range bodies {
			_ = body.Close()
		}
	}()
	var worst time.Duration
	for n := 0; b.Loop(); n++ {
		i := n % readers
		start := time.Now()
		require.NoError(b, all[i].Send(sessions.UserMessage{Text: "finish ok"}))
		scan := bufio.NewScanner(bodies[i])
		for scan.Scan() && !strings.HasPrefix(scan.Text(), "event: done") {
		}
		worst = max(worst, time.Since(start))
		b.StopTimer()
		_ = bodies[i].Close()
		bodies[i] = open(all[i])
		b.StartTimer()
	}
	b.ReportMetric(float64(worst.Microseconds()), "worst-µs")
}
