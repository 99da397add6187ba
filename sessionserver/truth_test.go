package sessionserver

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/errand-dev/errand/sessionserver/faults"
	"github.com/errand-dev/errand/sessionserver/truth"
)

func readTruth(t testing.TB, path string) *truth.Log {
	t.Helper()
	log, err := truth.Read(path)
	require.NoError(t, err)
	return log
}

// told gives the facts as "KIND, and what they say", without times and hashes.
func told(facts []truth.Fact) []string {
	lines := make([]string, len(facts))
	for i, f := range facts {
		var b strings.Builder
		fmt.Fprint(&b, f.Kind)
		for _, word := range []string{f.Agent, f.Owner, string(f.As), f.Text, string(f.Result), f.Mode, f.By, f.Fault, f.Operation} {
			if word != "" {
				b.WriteString(" " + word)
			}
		}
		if f.MessageID != 0 {
			fmt.Fprintf(&b, " #%d", f.MessageID)
		}
		lines[i] = b.String()
	}
	return lines
}

// ofSession gives what a log tells of one session.
func ofSession(t testing.TB, log *truth.Log, id string) *truth.Session {
	t.Helper()
	for _, s := range log.Sessions() {
		if s.ID == id {
			return s
		}
	}
	require.Fail(t, "nothing about the session", id)
	return nil
}

// cutLast takes the last n lines off a file.
func cutLast(t testing.TB, path string, n int) {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	lines := bytes.SplitAfter(data, []byte{'\n'})
	require.NoError(t, os.WriteFile(path, bytes.Join(lines[:len(lines)-1-n], nil), 0o600))
}

func TestTheTruthLogTellsTheLifeOfASession(t *testing.T) {
	path := filepath.Join(t.TempDir(), "truth.jsonl")
	_, c := serve(t, Config{Truth: path, Keys: []Key{{Value: "k", User: "ada"}}})
	c.key = "k"
	id := c.create("script")
	at := "/v1/sessions/" + id
	c.send(id, "think a\nask Which?\nthink {{answer}}\nwait 1h")
	c.until(id, "waiting_for_input")
	c.send(id, "M")
	c.untilSaid(id, "THOUGHT M")
	c.send(id, "hurry")
	for _, call := range []string{"/pause", "/resume", "/cancel"} {
		c.ok("POST", at+call, nil, nil)
	}
	c.send(id, `finish {"size": "<M>", "n": 1}`)
	c.until(id, "finished")
	c.send(id, "fail no luck")
	c.until(id, "error")
	c.ok("DELETE", at+"?save_snapshot_mode=filesystem", nil, nil)
	c.ok("DELETE", at, nil, nil)

	log := readTruth(t, path)
	require.Equal(t, []string{
		"started",
		"created script ada",
		"message goal think a\nask Which?\nthink {{answer}}\nwait 1h #1",
		"question Which? #3",
		"message answer M #4",
		"message information hurry #6",
		"paused", "resumed", "cancelled",
		`message goal finish {"size": "<M>", "n": 1} #7`,
		`done {"size":"\u003cM\u003e","n":1} #8`,
		"message goal fail no luck #9",
		"failed no luck #10",
		"snapshot filesystem",
		"deleting filesystem client",
		"deleted filesystem client",
		"missed none client",
	}, told(log.Facts))
	for _, f := range log.Facts[1:] {
		require.Equal(t, id, f.Session)
		require.WithinDuration(t, time.Now(), f.At, time.Minute)
	}
	digest, err := truth.Digest([]byte(`{"n":1,"size":"<M>"}`))
	require.NoError(t, err)
	require.Equal(t, digest, log.Of(truth.Done)[0].SHA256)

	restored := c.createWith(map[string]any{"agent_name": "script", "restore_from_session_id": id})
	require.Equal(t, id, ofSession(t, readTruth(t, path), restored.SessionID).Facts[0].RestoredFrom)
}

func TestOfALargeResultTheTruthLogHasTheHash(t *testing.T) {
	path := filepath.Join(t.TempDir(), "truth.jsonl")
	_, c := serve(t, Config{Truth: path})
	id, large := c.create("script"), strings.Repeat("x", truth.MaxResult)
	c.send(id, "finish "+large)
	c.until(id, "finished")
	done := readTruth(t, path).Of(truth.Done)[0]
	require.Empty(t, done.Result)
	digest, err := truth.Digest([]byte(`"` + large + `"`))
	require.NoError(t, err)
	require.Equal(t, digest, done.SHA256)
}

func TestTheTruthLogTellsWhichFaultsFired(t *testing.T) {
	plan, err := faults.New(faults.Config{Rules: []faults.Rule{
		{On: []string{"create"}, Fault: faults.Slow, Delay: 1, Times: 1},
		{On: []string{"status"}, Fault: faults.InternalError, Times: 1},
		{On: []string{"webhook"}, Fault: faults.DropWebhook, Times: 1},
		{On: []string{"turn"}, Fault: faults.Stuck, Times: 1},
		{Fault: faults.DropStream, AfterEvents: 2, Times: 1},
		{On: []string{"get"}, Fault: faults.Vanish, Times: 1},
	}})
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "truth.jsonl")
	url, _ := hooks(t)
	_, c := serve(t, Config{Truth: path, Faults: plan})
	s := c.createWith(map[string]any{"agent_name": "script", "webhook_url": url})
	at := "/v1/sessions/" + s.SessionID
	c.call("GET", at+"/status", "")
	c.send(s.SessionID, "finish never")
	require.Eventually(t, func() bool { return plan.Report().Fired[faults.Stuck] == 1 }, patience, pollEvery)
	c.ok("POST", at+"/cancel", nil, nil)
	c.events(at + "/events?event_types=done").body.Close() // no occasion to tear it
	require.Eventually(t, func() bool { return plan.Report().Fired[faults.DropStream] == 0 }, patience, pollEvery)
	c.send(s.SessionID, "think a\nthink b\nfinish c")
	c.until(s.SessionID, "finished")
	c.events(at + "/events").rest()
	code, _ := c.call("GET", at, "")
	require.Equal(t, http.StatusNotFound, code)

	log := readTruth(t, path)
	require.Equal(t, []string{
		"fault slow create", "fault drop-webhook webhook", "fault 500 status", "fault stuck turn",
		"fault drop-stream events", "fault vanish get",
	}, told(log.Of(truth.Fault)))
	for i, f := range log.Of(truth.Fault) {
		if i > 0 {
			require.Equal(t, s.SessionID, f.Session)
		}
	}
	require.Equal(t, []string{"deleting none vanish", "deleted none vanish"},
		told(ofSession(t, log, s.SessionID).Of(truth.Deleting, truth.Deleted)))
}

func TestASessionThatHadItsTimeIsDeletedByAge(t *testing.T) {
	path := filepath.Join(t.TempDir(), "truth.jsonl")
	_, c := serve(t, Config{Truth: path, TTL: 10 * time.Millisecond})
	c.create("script")
	require.Eventually(t, func() bool { return len(readTruth(t, path).Of(truth.Deleted)) == 1 }, patience, pollEvery)
	require.Equal(t, truth.ByAge, readTruth(t, path).Of(truth.Deleted)[0].By)
}

func TestWhatTheLogLacksIsWrittenAtTheNextStart(t *testing.T) {
	dir, path := t.TempDir(), filepath.Join(t.TempDir(), "truth.jsonl")
	s, c := serve(t, Config{Dir: dir, Truth: path})
	kept := c.create("script")
	c.ok("DELETE", "/v1/sessions/"+kept+"?save_snapshot_mode=memory", nil, nil)
	id := c.create("script")
	c.send(id, "ask Which?\nask And?\nfinish {{answer}}")
	c.until(id, "waiting_for_input")
	c.send(id, "M")
	c.until(id, "waiting_for_input")
	c.ok("POST", "/v1/sessions/"+id+"/pause", nil, nil)
	require.NoError(t, s.Close(t.Context()))
	whole := readTruth(t, path)
	about := ofSession(t, whole, id)

	for lost := range len(about.Facts) + 1 {
		cutLast(t, path, lost)
		s, _ = serve(t, Config{Dir: dir, Truth: path})
		require.NoError(t, s.Close(t.Context()))
		log := readTruth(t, path)
		require.Equal(t, about, ofSession(t, log, id), "after the loss of %d lines", lost)
		require.Len(t, log.Facts, len(whole.Facts)+1, "and one start")
		require.Equal(t, 2, log.Of(truth.Started)[1].Start)
		require.NoError(t, os.Remove(path))
		write(t, path, whole.Facts)
	}

	require.NoError(t, os.Remove(path))
	s, _ = serve(t, Config{Dir: dir, Truth: path})
	require.NoError(t, s.Close(t.Context()))
	log := readTruth(t, path)
	require.Equal(t, about, ofSession(t, log, id), "a log that is new")
	require.Equal(t, []string{"snapshot memory"}, told(ofSession(t, log, kept).Facts))
}

// write makes a log of these facts.
func write(t testing.TB, path string, facts []truth.Fact) {
	t.Helper()
	w, _, err := truth.Open(path)
	require.NoError(t, err)
	for _, f := range facts {
		require.NoError(t, w.Write(f))
	}
	require.NoError(t, w.Close())
}

func TestADeleteThatTookEffectIsInTheLog(t *testing.T) {
	dir, path := t.TempDir(), filepath.Join(t.TempDir(), "truth.jsonl")
	s, c := serve(t, Config{Dir: dir, Truth: path})
	id := c.create("script")
	c.ok("DELETE", "/v1/sessions/"+id+"?save_snapshot_mode=memory", nil, nil)
	require.NoError(t, s.Close(t.Context()))
	cutLast(t, path, 1) // killed when the session was gone
	require.Empty(t, readTruth(t, path).Of(truth.Deleted))

	for range 2 {
		s, _ = serve(t, Config{Dir: dir, Truth: path})
		require.NoError(t, s.Close(t.Context()))
		require.Equal(t, []string{"created script", "snapshot memory", "deleting memory client", "deleted memory client"},
			told(ofSession(t, readTruth(t, path), id).Facts))
	}
}

func TestADeleteThatTookNoEffectIsNotInTheLog(t *testing.T) {
	dir, path := t.TempDir(), filepath.Join(t.TempDir(), "truth.jsonl")
	s, c := serve(t, Config{Dir: dir, Truth: path})
	id := c.create("script")
	journal := filepath.Join(dir, "sessions", id+".jsonl")
	data, err := os.ReadFile(journal)
	require.NoError(t, err)
	c.ok("DELETE", "/v1/sessions/"+id, nil, nil)
	require.NoError(t, s.Close(t.Context()))
	cutLast(t, path, 1)
	require.NoError(t, os.WriteFile(journal, data, 0o600)) // killed before the session was gone

	_, c = serve(t, Config{Dir: dir, Truth: path})
	c.send(id, "finish ok")
	c.until(id, "finished")
	require.Equal(t, []string{"created script", "deleting none client", "message goal finish ok #1", `done "ok" #2`},
		told(ofSession(t, readTruth(t, path), id).Facts))
	c.ok("DELETE", "/v1/sessions/"+id, nil, nil)
	require.Len(t, ofSession(t, readTruth(t, path), id).Of(truth.Deleted), 1)
}

func TestATruthLogBelongsToOneServer(t *testing.T) {
	path := filepath.Join(t.TempDir(), "truth.jsonl")
	s, _ := serve(t, Config{Truth: path})
	_, err := New(Config{Dir: t.TempDir(), Truth: path})
	require.ErrorContains(t, err, "another session server writes "+path)
	require.NoError(t, s.Close(t.Context()))
	serve(t, Config{Truth: path})

	_, err = New(Config{Dir: t.TempDir(), Truth: filepath.Join(path, "below")})
	require.ErrorContains(t, err, "truth log")
}

// seen is what a client of a server knows for sure.
type seen struct {
	mu      sync.Mutex
	facts   map[string]bool // "SESSION KIND …", see told
	deletes map[string]bool // sessions whose delete was sent
}

func (s *seen) add(session, line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.facts[session+" "+line] = true
}

// ask makes a call that may find nobody.
func ask(method, url, body string, into any) error {
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %s", method, url, res.Status)
	}
	return json.NewDecoder(res.Body).Decode(into)
}

// use lives sessions through on a server until that is killed.
func (s *seen) use(base string) {
	call := func(method, path, body string, into any) bool { return ask(method, base+path, body, into) == nil }
	for n := 0; ; n++ {
		var session sessionJSON
		if !call("POST", "/v1/sessions", `{"agent_name":"script"}`, &session) {
			return
		}
		id := session.SessionID
		s.add(id, "created script")
		text := fmt.Sprintf("finish %d", n)
		if !call("POST", "/v1/sessions/"+id+"/message", fmt.Sprintf("{\"message\":%q}", text), new(any)) {
			return
		}
		s.add(id, "message goal "+text+" #1")
		var m messagesJSON
		for m.Status != "finished" {
			if !call("GET", "/v1/sessions/"+id+"/messages", "", &m) {
				return
			}
		}
		s.add(id, fmt.Sprintf("done %d #2", n))
		s.mu.Lock()
		s.deletes[id] = true
		s.mu.Unlock()
		if !call("DELETE", "/v1/sessions/"+id, "", new(any)) {
			return
		}
		s.add(id, "deleted none client")
	}
}

func TestTheLogIsExactWheneverTheServerIsKilled(t *testing.T) {
	const rounds, users = 8, 3
	dir, path := t.TempDir(), filepath.Join(t.TempDir(), "truth.jsonl")
	seen := &seen{facts: map[string]bool{}, deletes: map[string]bool{}}
	for range rounds {
		cmd, c := child(t, dir, childTruth+"="+path)
		var clients sync.WaitGroup
		for range users {
			clients.Go(func() { seen.use(c.base) })
		}
		<-time.After(50*time.Millisecond + rand.N(150*time.Millisecond))
		require.NoError(t, cmd.Process.Kill())
		require.Error(t, cmd.Wait())
		clients.Wait()
	}
	s, c := serve(t, Config{Dir: dir, Truth: path})
	var listed []sessionJSON
	c.ok("GET", "/v1/sessions", nil, &listed)
	open := make([]string, len(listed))
	for i, s := range listed {
		open[i] = s.SessionID
	}
	require.NoError(t, s.Close(context.Background()))

	log := readTruth(t, path)
	require.Len(t, log.Of(truth.Started), rounds+1)
	there := map[string]int{}
	var alive []string
	for _, s := range log.Sessions() {
		for _, line := range told(s.Facts) {
			there[s.ID+" "+line]++
		}
		require.Equal(t, truth.Created, s.Facts[0].Kind)
		if len(s.Of(truth.Deleted)) == 0 {
			alive = append(alive, s.ID)
			continue
		}
		require.True(t, seen.deletes[s.ID], "nobody deleted it")
		require.Equal(t, truth.Deleted, s.Facts[len(s.Facts)-1].Kind, "nothing comes after the end")
	}
	require.Greater(t, len(seen.facts), 4*rounds)
	for fact := range seen.facts {
		require.Equal(t, 1, there[fact], fact)
	}
	require.ElementsMatch(t, open, alive, "what the log does not call deleted is there, and nothing else")
}
