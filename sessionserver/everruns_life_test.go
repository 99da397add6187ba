package sessionserver

import (
	"bytes"
	"encoding/json"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/errand-dev/errand/sessionserver/faults"
	"github.com/errand-dev/errand/sessionserver/truth"
)

// factsOf are all facts about the session at a path, faults and all.
func factsOf(log *truth.Log, at string) []truth.Fact {
	var facts []truth.Fact
	for _, f := range log.Facts {
		if "/sessions/"+f.Session == at {
			facts = append(facts, f)
		}
	}
	return facts
}

func TestASessionTellsTheSameInItsNextLife(t *testing.T) {
	for _, asks := range []EverrunsAsking{"tool", "task", "message"} {
		t.Run(string(asks), func(t *testing.T) {
			dir := t.TempDir()
			get := func(c runs, path string) string {
				res := c.request("GET", path, "")
				defer func() { _ = res.Body.Close() }()
				var b bytes.Buffer
				_, err := b.ReadFrom(res.Body)
				require.NoError(t, err)
				return b.String()
			}
			var at, agent string
			before := map[string]string{}
			func() {
				first, c := serveRuns(t, Config{Dir: dir, Everruns: EverrunsOptions{Questions: asks}})
				at = c.at()
				c.send(at, "think a; log b; finish one")
				c.until(at, "session.idled", 1)
				c.send(at, "fail no luck")
				c.until(at, "turn.failed", 1)
				c.send(at, "wait 1h")
				c.ok("POST", at+"/cancel", nil, nil)
				c.send(at, "ask Which?; finish {{answer}}")
				c.until(at, "reason.completed", 4)
				code, answer := c.call("PATCH", at, `{"title":"T"}`)
				require.Equal(t, 200, code, answer)
				var made struct{ ID string }
				require.Equal(t, 201, c.json("POST", "/agents", `{"name":"script","system_prompt":"x"}`, &made))
				agent = made.ID
				for _, path := range []string{at + "/events", at + "/messages", at + "/tasks", "/agents/" + agent} {
					before[path] = strings.ReplaceAll(get(c, path), c.base, "")
				}
				require.NoError(t, first.Close(t.Context()))
			}()
			// What questions are in new sessions does not change those of this one.
			_, c := serveRuns(t, Config{Dir: dir})
			for path, text := range before {
				require.Equal(t, text, strings.ReplaceAll(get(c, path), c.base, ""), path)
			}
			var s struct{ Title string }
			c.ok("GET", at, nil, &s)
			require.Equal(t, "T", s.Title)
			code, answer := c.call("DELETE", "/agents/"+agent, "")
			require.Equal(t, 204, code, answer)
		})
	}
}

func TestAnInterruptedTurnGoesOnInTheNextLife(t *testing.T) {
	dir := t.TempDir()
	cmd, dying := child(t, dir)
	dying.base += "/everruns/v1"
	c := runs{dying}
	at := c.at()
	c.send(at, "think a; wait 500ms; finish one")
	c.send(at, "finish two")
	before := c.until(at, "reason.thinking.completed", 1)
	require.NoError(t, cmd.Process.Kill())
	require.Error(t, cmd.Wait())

	_, c = serveRuns(t, Config{Dir: dir})
	all := c.until(at, "turn.completed", 2)
	require.Equal(t, before, all[:len(before)])
	require.Equal(t, []string{"one", "two"}, spoken(all))
	require.Len(t, ofType(all, "reason.thinking.completed"), 1)
}

func TestASessionBelongsToTheAPIThatMadeIt(t *testing.T) {
	_, c := serve(t, Config{})
	ofAGI := c.create("script")
	r := runs{&caller{t: t, base: c.base + "/everruns/v1", http: c.http}}
	at := r.at()
	id := strings.TrimPrefix(at, "/sessions/")

	for _, call := range []string{"GET /v1/sessions/{id}", "POST /v1/sessions/{id}/message", "GET /v1/sessions/{id}/messages", "POST /v1/sessions/{id}/cancel"} {
		code, answer := c.call(method(call), path(call, id), `{"message":"finish ok"}`)
		require.Equal(t, http.StatusNotFound, code, "%s: %s", call, answer)
	}
	var list []sessionJSON
	c.ok("GET", "/v1/sessions", nil, &list)
	require.Len(t, list, 1)
	require.Equal(t, ofAGI, list[0].SessionID)
	var page struct{ Total int }
	r.ok("GET", "/sessions", nil, &page)
	require.Equal(t, 1, page.Total)
	code, _ := r.call("GET", "/sessions/"+ofAGI, "")
	require.Equal(t, http.StatusBadRequest, code)

	var deleted struct{ Deleted bool }
	c.ok("DELETE", "/v1/sessions/"+id, nil, &deleted)
	require.False(t, deleted.Deleted)
	c.ok("DELETE", "/v1/sessions", nil, nil)
	require.Equal(t, "started", r.status(at), "a delete of all is of the own API's")
	code, _ = c.call("GET", "/session/"+id, "")
	require.Equal(t, http.StatusOK, code, "the page is for all")
}

func TestEverrunsTellsUsersApart(t *testing.T) {
	_, ann := serveRuns(t, Config{Keys: []Key{{Value: "evr_pat_a", User: "ann"}, {Value: "evr_pat_b", User: "bob"}, {Value: "evr_pat_o", Revoked: true}}, RequestsPerSecond: 0.001, Burst: 8})
	with := func(authorization, path string) (code int, retryAfter string) {
		req, err := http.NewRequest("GET", ann.base+path, nil)
		require.NoError(t, err)
		req.Header.Set("Authorization", authorization)
		res, err := ann.http.Do(req)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		return res.StatusCode, res.Header.Get("Retry-After")
	}
	req, err := http.NewRequest("POST", ann.base+"/sessions", strings.NewReader("{}"))
	require.NoError(t, err)
	req.Header.Set("Authorization", "evr_pat_a")
	res, err := ann.http.Do(req)
	require.NoError(t, err)
	var s struct {
		ID      string
		ViewURL string `json:"view_url"`
	}
	require.NoError(t, json.NewDecoder(res.Body).Decode(&s))
	require.NoError(t, res.Body.Close())
	require.Contains(t, s.ViewURL, "token=")

	for authorization, code := range map[string]int{
		"evr_pat_a": 200, "ApiKey evr_pat_a": 200, "bearer evr_pat_a": 200, "evr_pat_b": 404, "evr_pat_o": 403, "evr_pat_x": 401, "": 401, "Basic evr_pat_a": 401,
	} {
		got, _ := with(authorization, "/sessions/"+s.ID)
		require.Equal(t, code, got, authorization)
	}
	for range 10 {
		_, _ = with("evr_pat_a", "/agents")
	}
	code, retryAfter := with("evr_pat_a", "/agents")
	require.Equal(t, http.StatusTooManyRequests, code)
	require.NotEmpty(t, retryAfter)
}

func TestFaultsHitEverrunsInItsOwnWords(t *testing.T) {
	rule := func(kind faults.Kind, on ...string) faults.Rule {
		return faults.Rule{On: on, Fault: kind, Times: 1}
	}
	for _, profile := range []EverrunsProfile{"given", "current"} {
		t.Run(string(profile), func(t *testing.T) {
			plan, err := faults.New(faults.Config{Rules: []faults.Rule{
				rule(faults.InternalError, "get"), rule(faults.TooMany, "timeline"), rule(faults.LostAfter, "message"),
				rule(faults.Cut, "delete"), {Fault: faults.DropStream, AfterEvents: 2, Times: 1}, rule(faults.Vanish, "messages"),
			}})
			require.NoError(t, err)
			file := filepath.Join(t.TempDir(), "truth.jsonl")
			_, c := serveRuns(t, Config{Faults: plan, Truth: file, Everruns: EverrunsOptions{Profile: profile}})
			at := c.at()
			code, answer := c.call("GET", at, "")
			require.Equal(t, 500, code)
			limited := c.request("GET", at+"/events", "")
			require.Equal(t, 429, limited.StatusCode)
			require.Equal(t, "1", limited.Header.Get("Retry-After"))
			var problem struct {
				Status            int
				RetryAfterSeconds int `json:"retry_after_seconds"`
			}
			if profile == "given" {
				require.Empty(t, answer)
			} else {
				require.NoError(t, json.NewDecoder(limited.Body).Decode(&problem))
				require.Equal(t, []int{429, 1}, []int{problem.Status, problem.RetryAfterSeconds})
			}
			require.NoError(t, limited.Body.Close())

			req, err := http.NewRequest("POST", c.base+at+"/messages", strings.NewReader(said("finish ok")))
			require.NoError(t, err)
			res, err := c.http.Do(req)
			if err == nil {
				_ = res.Body.Close()
			}
			require.Error(t, err, "the answer is lost")
			all := c.until(at, "session.idled", 1)
			require.Len(t, ofType(all, "input.message"), 1, "and the message is there")

			stream := c.caller.events(at + "/sse")
			require.Len(t, stream.rest(), 2)

			other := c.at()
			code, _ = c.call("GET", other+"/messages", "")
			require.Equal(t, 404, code, "it vanished")

			req, err = http.NewRequest("DELETE", c.base+at, nil)
			require.NoError(t, err)
			res, err = (&http.Transport{}).RoundTrip(req)
			if err == nil {
				_ = res.Body.Close()
			}
			require.Error(t, err, "an answer without a body has no half")
			code, _ = c.call("DELETE", at, "")
			require.Equal(t, 404, code, "but it is done")
			require.Empty(t, plan.Report().Idle)

			log := readTruth(t, file)
			require.Equal(t, []string{
				"created script",
				"fault 500 get", "fault 429 timeline",
				"fault lost-after message", "message goal finish ok #1", `done "ok" #2`,
				"fault drop-stream events",
				"fault cut delete", "deleting none client", "deleted none client", "missed none client",
			}, told(factsOf(log, at)))
		})
	}
}

func TestAQueuedMessageIsOneInTheTruth(t *testing.T) {
	file := filepath.Join(t.TempDir(), "truth.jsonl")
	_, c := serveRuns(t, Config{Truth: file})
	at := c.at()
	c.send(at, "wait 50ms; finish one")
	c.send(at, "finish two")
	c.until(at, "turn.completed", 2)
	require.Equal(t, []string{
		"created script", "message goal wait 50ms; finish one #1", "message queued finish two #2", `done "one" #3`, `done "two" #4`,
	}, told(factsOf(readTruth(t, file), at)))
}

func TestAgentsThatClientsMadeAreKept(t *testing.T) {
	dir := t.TempDir()
	first, c := serveRuns(t, Config{Dir: dir})
	type agent struct {
		ID, Name, Status string
		SystemPrompt     string `json:"system_prompt"`
	}
	made := map[string]agent{}
	for _, name := range []string{"script", "a clerk"} {
		var a agent
		require.Equal(t, 201, c.json("POST", "/agents", `{"name":"`+name+`","system_prompt":"x"}`, &a))
		made[a.ID] = a
	}
	var own agent // one of the server's own can be changed as well
	require.Equal(t, 200, c.json("PATCH", "/agents/agent_115b6f2cae87be5f436dad6e423f9e16", `{"system_prompt":"y"}`, &own))
	require.Equal(t, "reader", own.Name)
	made[own.ID] = own
	again := `{"id":"` + own.ID + `","name":"reads","system_prompt":"z"}`
	require.Equal(t, 201, c.json("POST", "/agents", again, &own), "an id that is known changes its agent")
	made[own.ID] = own
	require.NoError(t, first.Close(t.Context()))

	_, c = serveRuns(t, Config{Dir: dir})
	for id, a := range made {
		var kept agent
		c.ok("GET", "/agents/"+id, nil, &kept)
		require.Equal(t, a, kept)
	}
	for id, a := range made {
		var s struct {
			ID      string
			AgentID string `json:"agent_id"`
		}
		require.Equal(t, 201, c.json("POST", "/sessions", `{"agent_id":"`+id+`"}`, &s))
		require.Equal(t, id, s.AgentID)
		if a.Name == "script" { // works like the server's agent of that name
			c.send("/sessions/"+s.ID, "finish ok")
			require.Equal(t, []string{"ok"}, spoken(c.until("/sessions/"+s.ID, "turn.completed", 1)))
		}
	}
}

func TestAStreamEndsWithItsSession(t *testing.T) {
	_, c := serveRuns(t, Config{})
	at := c.at()
	stream := c.caller.events(at + "/sse")
	connected, ok := stream.next()
	require.True(t, ok)
	require.Equal(t, "connected", connected.event)
	code, answer := c.call("DELETE", at, "")
	require.Equal(t, 204, code, answer)
	require.Empty(t, stream.rest())
}

func TestAStreamSaysThatTheServerCloses(t *testing.T) {
	s, c := serveRuns(t, Config{})
	stream := c.caller.events(c.at() + "/sse")
	require.NoError(t, s.Close(t.Context()))
	frames := stream.rest()
	require.JSONEq(t, `{"reason":"server_maintenance","retry_ms":100}`, frames[len(frames)-1].data)
}
