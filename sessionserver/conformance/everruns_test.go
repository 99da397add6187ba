package conformance

import (
	"flag"
	"net/http"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/errand-dev/errand/sessionserver"
)

var (
	everrunsServer = place{
		url: flag.String("everruns-url", "", "`URL` of the Everruns server to test, without /v1; empty: the local one"),
		key: flag.String("everruns-key", "", "`env:NAME` or file:PATH of its key"),
	}
	everrunsProfile = flag.String("everruns-profile", "current", "the profile of that server, current or given")
)

// everruns is a row about the Everruns API being tried.
type everruns struct {
	*trial
	given bool // the profile; else it is the current one
}

func TestTheServerKeepsToTheEverrunsAPI(t *testing.T) {
	both := slices.Concat(runsAccessRows, runsSessionRows, runsAgentRows, runsMessageRows, runsEventRows, runsStreamRows)
	profiles := map[string][]row[*everruns]{
		"given":   append(slices.Clone(both), runsGivenRows...),
		"current": append(slices.Clone(both), runsCurrentRows...),
	}
	for profile, rows := range profiles {
		if *everrunsServer.url != "" && profile != *everrunsProfile {
			continue
		}
		t.Run(profile, func(t *testing.T) {
			s := everrunsServer.open(t, "/everruns", sessionserver.Config{Everruns: runsOptions(profile)})
			run(t, s, rows, func(t *trial) *everruns { return &everruns{t, profile == "given"} })
		})
	}
}

func runsOptions(profile string) (o sessionserver.EverrunsOptions) {
	o.Heartbeat, o.StreamCycle = 20*time.Millisecond, 300*time.Millisecond
	if profile == "given" {
		o.Profile = "given"
	}
	return o
}

// scripted gives the id of an agent by its name, and of any if the name is empty.
func (t *everruns) agent(name string) string {
	t.Helper()
	for _, a := range objects(t.ok("GET", "/v1/agents", nil)["data"]) {
		if name == "" || a["name"] == name {
			return a["id"].(string)
		}
	}
	require.Fail(t, "there is no agent", name)
	return ""
}

// create makes a session and deletes it when the row is done. Where nothing is
// said of an agent, any will do.
func (t *everruns) create(body object) object {
	t.Helper()
	if body["agent_id"] == nil {
		body["agent_id"] = t.agent("")
	}
	a := t.call("POST", "/v1/sessions", body)
	require.Equal(t, http.StatusCreated, a.code, a.body)
	s := a.object()
	t.isID("session", s["id"])
	t.undo("/v1/sessions/" + s["id"].(string))
	return s
}

// path gives the path of a new session; at makes it with the script agent and
// gives it a message.
func (t *everruns) path() string {
	t.Helper()
	return "/v1/sessions/" + t.create(object{})["id"].(string)
}

func (t *everruns) at(message string) string {
	t.Helper()
	at := "/v1/sessions/" + t.create(object{"agent_id": t.agent("script")})["id"].(string)
	if message != "" {
		t.send(at, message)
	}
	return at
}

func text(s string) object { return object{"type": "text", "text": s} }

// user is a message of the user's.
func user(s string) object { return object{"message": object{"content": []any{text(s)}}} }

func (t *everruns) send(at, message string) object {
	t.Helper()
	a := t.call("POST", at+"/messages", user(message))
	require.Equal(t, http.StatusCreated, a.code, a.body)
	return a.object()
}

func (t *everruns) events(path string) []object {
	t.Helper()
	list := t.ok("GET", path, nil)["data"]
	require.IsType(t, []any{}, list)
	return objects(list)
}

// until waits until the latest event is of this type, and gives all.
func (t *everruns) until(at, last string) []object {
	t.Helper()
	var all []object
	require.Eventually(t, func() bool {
		all = t.events(at + "/events")
		return len(all) > 0 && all[len(all)-1]["type"] == last
	}, patience, t.poll(), "event %s", last)
	return all
}

// of gives the events of a type.
func of(kind string, all []object) []object {
	return slices.DeleteFunc(slices.Clone(all), func(e object) bool { return e["type"] != kind })
}

// told is what an event tells, by the names of fields one in another.
func field(e object, names ...string) any {
	var v any = e
	for _, name := range names {
		o, _ := v.(object)
		v = o[name]
	}
	return v
}

// says is the text of a message.
func says(m any) string {
	o, _ := m.(object)
	var all string
	for _, part := range objects(o["content"]) {
		if s, ok := part["text"].(string); ok {
			all += s
		}
	}
	return all
}

func (t *everruns) isID(kind string, v any) {
	t.Helper()
	id, _ := v.(string)
	require.Regexp(t, "^"+regexp.QuoteMeta(kind)+"_[0-9a-f]{32}$", id)
}

func (t *everruns) isSession(s object) {
	t.Helper()
	t.isID("session", s["id"])
	t.isID("org", s["organization_id"])
	t.isID("agent", s["agent_id"])
	require.Contains(t, []any{"started", "active", "idle", "paused", "waitingfortoolresults", "waiting_for_tool_results"}, s["status"])
	t.isTime(s["created_at"])
	t.isTime(s["updated_at"])
	if t.given {
		return
	}
	t.isID("harness", s["harness_id"])
	t.isID("wsp", s["workspace_id"])
	t.isID("principal", s["owner_principal_id"])
	require.Regexp(t, "^https?://.*"+s["id"].(string), s["self_url"])
	require.Regexp(t, "^https?://", s["view_url"])
	require.NotEmpty(t, s["allowed_actions"])
}

// refused expects an error as the profile has it.
func (t *everruns) refused(a answer, code int) {
	t.Helper()
	require.Equal(t, code, a.code, a.body)
	if t.given {
		require.Empty(t, a.body)
		return
	}
	require.Contains(t, a.header.Get("Content-Type"), "application/problem+json")
	require.EqualValues(t, code, a.object()["status"])
	require.NotEmpty(t, a.object()["title"])
}

func (t *everruns) status(at, want string) {
	t.Helper()
	require.Equal(t, want, t.ok("GET", at, nil)["status"])
}
