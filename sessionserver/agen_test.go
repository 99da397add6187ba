package sessionserver

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/errand-dev/errand/sessionserver/agent"
	"github.com/errand-dev/errand/sessionserver/faults"
)

// agenCaller calls the Agen API of a server.
type agenCaller struct{ *caller }

func (c agenCaller) do(method, path, body string, into any) int {
	c.t.Helper()
	req, err := http.NewRequest(method, c.base+"/agen/api/v1"+path, strings.NewReader(body))
	require.NoError(c.t, err)
	if c.key != "" {
		req.Header.Set("x-api-key", c.key)
	}
	res, err := c.http.Do(req)
	require.NoError(c.t, err)
	defer func() { _ = res.Body.Close() }()
	data, err := io.ReadAll(res.Body)
	require.NoError(c.t, err)
	if into != nil {
		require.NoError(c.t, json.Unmarshal(data, into), string(data))
	}
	return res.StatusCode
}

type agenEventJSON struct {
	ID        string         `json:"id"`
	Type      string         `json:"type"`
	Status    string         `json:"status"`
	Payload   map[string]any `json:"payload"`
	CreatedAt string         `json:"created_at"`
	UpdatedAt string         `json:"updated_at"`
}

// session makes a session with the model and gives the path of it.
func (c agenCaller) session(model string) string {
	c.t.Helper()
	var s struct{ ID string }
	require.Equal(c.t, http.StatusOK, c.do("POST", "/sessions", `{"branch_name":null,"model":"`+model+`"}`, &s))
	return "/sessions/" + s.ID
}

func (c agenCaller) send(at, message string) (e agenEventJSON) {
	c.t.Helper()
	body, err := json.Marshal(map[string]string{"message": message})
	require.NoError(c.t, err)
	require.Equal(c.t, http.StatusOK, c.do("POST", at+"/messages", string(body), &e))
	return e
}

// until waits until the timeline is of these types and statuses, and gives it.
func (c agenCaller) until(at string, want ...string) (events []agenEventJSON) {
	c.t.Helper()
	var got []string
	require.Eventually(c.t, func() bool {
		events, got = nil, nil
		c.do("GET", at+"/events", "", &events)
		for _, e := range events {
			got = append(got, e.Type+" "+e.Status)
		}
		return strings.Join(got, ",") == strings.Join(want, ",")
	}, patience, pollEvery, "%v", &got)
	return events
}

func TestATimelineOfAgenIsTheSameAfterARestart(t *testing.T) {
	dir := t.TempDir()
	cmd, first := child(t, dir)
	c := agenCaller{first}
	at, asked := c.session("script"), c.session("script")
	c.send(at, "think one; wait 1s; finish two")
	c.send(asked, `ask Which size?; finish {{answer}}`)
	c.until(asked, "user_message completed", "agent_ask_user processing")
	c.until(at, "user_message processing", "agent_plan_execution_update completed")
	queued := c.send(at, "finish three")
	before := c.until(at, "user_message processing", "agent_plan_execution_update completed", "user_message queued")
	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait()

	_, second := child(t, dir)
	c = agenCaller{second}
	all := c.until(at,
		"user_message completed", "agent_plan_execution_update completed", "user_message completed",
		"agent_message completed", "session_finished completed", "agent_message completed", "session_finished completed")
	for i, e := range before {
		require.Equal(t, []string{e.ID, e.CreatedAt}, []string{all[i].ID, all[i].CreatedAt})
	}
	require.Equal(t, queued.ID, all[2].ID)
	require.Greater(t, all[2].UpdatedAt, queued.UpdatedAt)
	require.Equal(t, "three", all[5].Payload["message"])

	require.Equal(t, "user_ask_user_response", c.send(asked, "XL").Type)
	all = c.until(asked, "user_message completed", "agent_ask_user completed", "user_ask_user_response completed",
		"agent_message completed", "session_finished completed")
	require.Equal(t, "XL", all[3].Payload["message"])
}

// agenStepper tells of two steps, and of one that nobody is to see, when it may.
type agenStepper struct{ goOn chan struct{} }

func (s agenStepper) work(ctx context.Context, t *agent.Turn) agent.Outcome {
	for _, page := range []string{"https://shop.example/", "https://shop.example/p/42"} {
		if err := t.Step(ctx, page); err != nil {
			return agent.Failed(err.Error())
		}
		select {
		case <-s.goOn:
		case <-ctx.Done():
		}
	}
	if err := t.Say(ctx, agent.Saying{Type: agent.Log, Content: "prompt", Hidden: true}); err != nil {
		return agent.Failed(err.Error())
	}
	return agent.Finished(map[string]any{"steps": 2})
}

func TestAStepOfAnAgentIsUnderWayUntilTheNext(t *testing.T) {
	s := agenStepper{make(chan struct{})}
	_, base := serve(t, Config{Agents: map[string]agent.Agent{"stepper": agent.PerTurn(s.work)}})
	c := agenCaller{base}
	at := c.session("stepper")
	c.send(at, "go")
	c.until(at, "user_message processing", "agent_web_browse processing")
	s.goOn <- struct{}{}
	all := c.until(at, "user_message processing", "agent_web_browse completed", "agent_web_browse processing")
	require.Equal(t, map[string]any{"type": "agent_web_browse", "text": "https://shop.example/p/42"}, all[2].Payload)
	s.goOn <- struct{}{}
	all = c.until(at, "user_message completed", "agent_web_browse completed", "agent_web_browse completed",
		"agent_message completed", "session_finished completed")
	require.Equal(t, `{"steps":2}`, all[3].Payload["message"])
}

func TestASessionOfAgenIsKnownToItsOwnerAndItsAPIAlone(t *testing.T) {
	_, base := serve(t, Config{Keys: []Key{{Value: "k-ann", User: "ann"}, {Value: "k-bob", User: "bob"}, {Value: "k-old", Revoked: true}}})
	base.key = "k-ann"
	ann := agenCaller{base}
	at := ann.session("script")
	require.Equal(t, http.StatusOK, ann.do("GET", at, "", nil))
	require.Equal(t, http.StatusNotFound, agenCaller{&caller{t, base.base, "k-bob", base.http}}.do("GET", at+"/events", "", nil))
	require.Equal(t, http.StatusForbidden, agenCaller{&caller{t, base.base, "k-old", base.http}}.do("GET", at, "", nil))

	code, _ := base.call("GET", "/v1"+at, "")
	require.Equal(t, http.StatusNotFound, code, "to AGI it is unknown")
	var page struct{ Items []struct{ ID string } }
	agi := base.create("script")
	require.Equal(t, http.StatusNotFound, ann.do("GET", "/sessions/"+agi, "", nil))
	require.Equal(t, http.StatusOK, ann.do("GET", "/sessions", "", &page))
	require.Len(t, page.Items, 1)
}

func TestTheAPIOfAgenFailsOnPurposeToo(t *testing.T) {
	plan, err := faults.New(faults.Config{Rules: []faults.Rule{{On: []string{"timeline"}, Fault: faults.InternalError, Times: 1}}})
	require.NoError(t, err)
	_, base := serve(t, Config{Faults: plan})
	c := agenCaller{base}
	at := c.session("script")
	var e struct{ StatusCode int }
	require.Equal(t, http.StatusInternalServerError, c.do("GET", at+"/events", "", &e))
	require.Equal(t, http.StatusInternalServerError, e.StatusCode)
	require.Equal(t, http.StatusOK, c.do("GET", at+"/events", "", nil))
}

func TestAServerRefusesOptionsOfAgenThatAreNone(t *testing.T) {
	for says, o := range map[string]AgenOptions{
		`create_status is 204, it can be 200, 201`:                                 {CreateStatus: 204},
		`error_body is "xml", it can be full, message, error`:                      {ErrorBody: "xml"},
		`page_size is -1, it must be positive`:                                     {PageSize: -1},
		`thoughts is "none", it can be agent_plan_execution_update, agent_message`: {Thoughts: "none"},
		`finish is "never", it can be event, message`:                              {Finish: "never"},
		`order is "random", it can be oldest_first, newest_first`:                  {Order: "random"},
	} {
		_, err := New(Config{Dir: t.TempDir(), Agen: o})
		require.ErrorContains(t, err, "Agen options")
		require.ErrorContains(t, err, says)
	}
}
