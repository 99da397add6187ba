package sessionserver

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/errand-dev/errand/sessionserver/internal/sessions"
)

var defaultRestore = sessions.CreateOptions{Agent: "script", Restore: sessions.Restore{Default: true}}

func TestEverythingSurvivesTheDeathOfTheProcess(t *testing.T) {
	dir := t.TempDir()
	cmd, dying := child(t, dir)

	waiting := dying.createWith(map[string]any{"agent_name": "script"})
	dying.send(waiting.SessionID, "think a\nask Which?\nfinish {\"got\":\"{{answer}}\"}")
	dying.until(waiting.SessionID, "waiting_for_input")

	working := dying.create("script")
	dying.send(working, "ask First?\nthink after {{answer}}\nwait 300ms\nthink then\nfinish done")
	dying.until(working, "waiting_for_input")
	dying.send(working, "A1")
	dying.untilSaid(working, "THOUGHT after A1")

	finished := dying.create("script")
	dying.send(finished, "finish ok")
	dying.until(finished, "finished")

	paused := dying.create("script")
	dying.send(paused, "wait 1ms\nfinish ok")
	dying.ok("POST", "/v1/sessions/"+paused+"/pause", nil, nil)

	deleted := dying.create("script")
	dying.ok("DELETE", "/v1/sessions/"+deleted, nil, nil)

	before := map[string]messagesJSON{}
	for _, id := range []string{waiting.SessionID, finished} {
		before[id] = dying.messages(id)
	}
	require.NoError(t, cmd.Process.Kill())
	require.Error(t, cmd.Wait())

	_, c := serve(t, Config{Dir: dir})
	for id, m := range before {
		require.Equal(t, m, c.messages(id))
	}
	var s sessionJSON
	c.ok("GET", "/v1/sessions/"+waiting.SessionID, nil, &s)
	s.VNCURL, waiting.VNCURL, waiting.Status = "", "", "running"
	require.Equal(t, waiting, s)
	code, _ := c.call("GET", "/v1/sessions/"+deleted, "")
	require.Equal(t, http.StatusNotFound, code)

	c.send(waiting.SessionID, "this one")
	m := c.until(waiting.SessionID, "finished")
	require.Equal(t, map[string]any{"got": "this one"}, m.last().Content)
	require.Len(t, m.Messages, 5)

	require.Equal(t, []string{
		"1 USER ask First?\nthink after {{answer}}\nwait 300ms\nthink then\nfinish done",
		"2 QUESTION First?",
		"3 USER A1",
		"4 THOUGHT after A1",
		"5 THOUGHT then",
		"6 DONE done",
	}, c.until(working, "finished").lines(), "no step is done twice")

	if c.messages(paused).Status != "finished" { // unless it was quicker than the pause
		require.Equal(t, "paused", c.messages(paused).Status)
		c.ok("POST", "/v1/sessions/"+paused+"/resume", nil, nil)
	}
	c.until(paused, "finished")
}

func TestCloseKeepsARunningTaskForTheNextProcess(t *testing.T) {
	dir := t.TempDir()
	s, c := serve(t, Config{Dir: dir})
	id := c.create("script")
	c.send(id, "think a\nwait 200ms\nfinish ok")
	c.untilSaid(id, "THOUGHT a")
	require.NoError(t, s.Close(t.Context()))

	_, c = serve(t, Config{Dir: dir})
	require.Equal(t, []string{"1 USER think a\nwait 200ms\nfinish ok", "2 THOUGHT a", "3 DONE ok"}, c.until(id, "finished").lines())
}

func TestAReaderTaskIsDoneAgainAfterARestart(t *testing.T) {
	dir := t.TempDir()
	s, err := New(Config{Dir: dir}) // never serves, so the reader waits for the shop
	require.NoError(t, err)
	session, err := s.engine.Create(t.Context(), sessions.CreateOptions{Agent: "reader"})
	require.NoError(t, err)
	require.NoError(t, session.Send(sessions.UserMessage{Text: "Report the name", StartURL: "http://shop.localhost/lamp"}))
	require.NoError(t, s.Close(t.Context()))

	_, c := serve(t, Config{Dir: dir})
	require.Equal(t, map[string]any{"name": "Desk Lamp"}, c.until(session.ID, "finished").last().Content)
}

func TestATornLastLineIsDropped(t *testing.T) {
	dir := t.TempDir()
	s, c := serve(t, Config{Dir: dir})
	id, empty := c.create("script"), c.create("script")
	c.send(id, "ask q?\nfinish {{answer}}")
	c.until(id, "waiting_for_input")
	require.NoError(t, s.Close(t.Context()))
	file := filepath.Join(dir, "sessions", id+".jsonl")
	f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.WriteString(`{"event":{"at":"2026-01-01T00:00:00Z","mess`)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	require.NoError(t, os.Truncate(filepath.Join(dir, "sessions", empty+".jsonl"), 10))

	logger, log := logged()
	_, c = serve(t, Config{Dir: dir, Logger: logger})
	require.Contains(t, log.String(), "torn last line")
	require.Equal(t, "waiting_for_input", c.messages(id).Status)
	code, _ := c.call("GET", "/v1/sessions/"+empty, "")
	require.Equal(t, http.StatusNotFound, code)
	c.send(id, "yes")
	require.Equal(t, "yes", c.until(id, "finished").last().Content)
}

func TestADamagedFileDoesNotKeepTheOthersFromBeingServed(t *testing.T) {
	dir := t.TempDir()
	s, c := serve(t, Config{Dir: dir})
	good, bad := c.create("script"), c.create("script")
	c.send(bad, "finish ok")
	c.until(bad, "finished")
	require.NoError(t, s.Close(t.Context()))
	file := filepath.Join(dir, "sessions", bad+".jsonl")
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	data[0] = '?'
	require.NoError(t, os.WriteFile(file, data, 0o600))

	logger, log := logged()
	_, c = serve(t, Config{Dir: dir, Logger: logger})
	require.Contains(t, log.String(), "session file skipped")
	c.ok("GET", "/v1/sessions/"+good, nil, nil)
	code, _ := c.call("GET", "/v1/sessions/"+bad, "")
	require.Equal(t, http.StatusNotFound, code)
	kept, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, data, kept, "a file that makes no sense is left alone")
}

func TestDeletedSessionsLeaveNoFile(t *testing.T) {
	dir := t.TempDir()
	_, c := serve(t, Config{Dir: dir})
	c.ok("DELETE", "/v1/sessions/"+c.create("script"), nil, nil)
	left, err := os.ReadDir(filepath.Join(dir, "sessions"))
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestAFolderThatCannotBeUsed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for name, dir := range map[string]string{"none": "", "a file": file, "below a file": filepath.Join(file, "x")} {
		t.Run(name, func(t *testing.T) {
			_, err := New(Config{Dir: dir})
			require.Error(t, err)
		})
	}
}

func TestShopPricesSurviveARestart(t *testing.T) {
	dir := t.TempDir()
	s, c := serve(t, Config{Dir: dir})
	c.ok("POST", "/shop/admin/price", map[string]any{"product": "tshirt-m", "price": "11"}, nil)
	require.NoError(t, s.Close(t.Context()))
	_, c = serve(t, Config{Dir: dir})
	_, page := c.call("GET", "/shop/tshirt", "")
	require.Contains(t, page, "EUR 11.00")
}
