package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/errand-dev/errand/sessionserver"
	"github.com/errand-dev/errand/sessionserver/agent/exec"

	"github.com/errand-dev/errand/provider"
)

// canary is a key that must never be seen outside Secret.
const canary = "sk-canary-5f2b"

// emptyHome is an environment in which nothing is configured.
func emptyHome(t *testing.T, entries ...string) Environment {
	t.Helper()
	t.Chdir(t.TempDir())
	home := t.TempDir()
	return append(Environment{"HOME=" + home, "XDG_CONFIG_HOME=" + filepath.Join(home, ".config")}, entries...)
}

func write(t *testing.T, path, text string) string {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestTheFileIsFoundInOrder(t *testing.T) {
	env := emptyHome(t)
	config := func(name string) string {
		return "[connections." + name + "]\nprovider = \"agi\"\n"
	}
	found := func(s Sources) []string {
		t.Helper()
		c, err := Load(s)
		require.NoError(t, err)
		return c.Names()
	}
	require.Equal(t, []string{"local"}, found(Sources{Env: env}))

	write(t, filepath.Join(env.Get("XDG_CONFIG_HOME"), "errand", "errand.toml"), config("user"))
	require.Equal(t, []string{"local", "user"}, found(Sources{Env: env}))

	write(t, "errand.toml", config("here"))
	require.Equal(t, []string{"here", "local"}, found(Sources{Env: env}))

	env = append(env, "ERRAND_CONFIG="+write(t, "named.toml", config("env")))
	require.Equal(t, []string{"env", "local"}, found(Sources{Env: env}))

	flag := write(t, "flag.toml", config("flag"))
	require.Equal(t, []string{"flag", "local"}, found(Sources{Env: env, File: flag}))
}

func TestAFileThatWasAskedForMustBeThere(t *testing.T) {
	env := emptyHome(t)
	_, err := Load(Sources{Env: env, File: "missing.toml"})
	require.ErrorContains(t, err, "--config: stat missing.toml")

	_, err = Load(Sources{Env: append(env, "ERRAND_CONFIG=missing.toml")})
	require.ErrorContains(t, err, "ERRAND_CONFIG: stat missing.toml")
}

func TestAConnectionHasWhatTheFileSays(t *testing.T) {
	env := emptyHome(t, "SOME_KEY= "+canary+"\n")
	write(t, "errand.toml", `
default = "work"

[connections.work]
provider = "agi"
base_url = "https://agi.example"
api_key = "env:SOME_KEY"
agent = "agi-0-fast"
max_sessions = 20
requests_per_second = 2.5
`)
	c, err := Load(Sources{Env: env})
	require.NoError(t, err)
	got, err := c.Choose("")
	require.NoError(t, err)
	require.Equal(t, 20, got.MaxSessions)
	opened, err := got.Open()
	require.NoError(t, err)
	require.Equal(t, provider.Connection{
		Name: "work", Provider: "agi", BaseURL: "https://agi.example", APIKey: canary, Agent: "agi-0-fast", RequestsPerSecond: 2.5, MaxSessions: 20,
	}, opened)
}

func TestWhatIsWrongWithAFileIsToldWithItsLine(t *testing.T) {
	for _, test := range []struct{ name, file, want string }{
		{"an unknown key", "[connections.a]\nprovider = \"agi\"\nretries = 3", "errand.toml line 3: connections.a.retries: is not a setting"},
		{"an agent without a command", "[agents.a]\nenv = [\"X\"]", `errand.toml: agents.a.command: must name the program`},
		{"an agent with a secret for a variable", "[agents.a]\ncommand = [\"x\"]\nenv = [\"A=" + canary + "\"]", "errand.toml line 3: agents.a.env: has names of environment variables"},
		{"an agent with a negative limit", "[agents.a]\ncommand = [\"x\"]\ntask_time = \"-1s\"", "errand.toml line 3: agents.a.task_time: must be a time"},
		{"an agent's name with a blank", "[agents.\"a b\"]\ncommand = [\"x\"]", "is no name for an agent"},
		{"a negative limit of the session server", "[session_server]\nttl = \"-1s\"", "errand.toml line 1: session_server: has a negative number"},
		{"an option that is none", "[session_server.agi]\nerror_body = \"xml\"", `session_server: agi: error_body is "xml", it can be detail, message, error`},
		{"an option of Agen that is none", "[session_server.agen]\nfinish = \"never\"", `session_server: agen: finish is "never", it can be event, message`},
		{"a fault plan that is not there", "[session_server]\nfaults = \"none.toml\"", "errand.toml line 1: session_server: read fault plan"},
		{"a literal webhook secret", "[session_server]\nwebhook_secret = \"" + canary + "\"", "errand.toml line 2: session_server.webhook_secret: must say where the key is"},
		{"an unknown table", "\n[webhooks]\nurl = \"x\"", "errand.toml line 2: webhooks: is not a setting"},
		{"a literal key", "[connections.a]\nprovider = \"agi\"\n\napi_key = \"" + canary + "\"", `errand.toml line 4: connections.a.api_key: must say where the key is, not what it is: write "env:NAME"`},
		{"a literal key behind env:", "[connections.a]\nprovider = \"agi\"\napi_key = \"env:" + canary + "\"", "line 3: connections.a.api_key: must say where"},
		{"an empty key", "[connections.a]\nprovider = \"agi\"\napi_key = \"\"", "line 3: connections.a.api_key: must say where"},
		{"a key without quotes", "[connections.a]\nprovider = \"agi\"\napi_key = " + canary, "errand.toml: line 3, at or after connections.a.api_key: not valid TOML"},
		{"a key of the wrong type", "[connections.a]\nprovider = \"agi\"\napi_key = [\"" + canary + "\"]", "api_key"},
		{"no provider", "[connections.a]\nagent = \"x\"", `line 1: connections.a: names no provider: write provider = "agi"`},
		{"an unknown provider", "[connections.a]\nprovider = \"acme\"", `line 2: connections.a.provider: "acme" is unknown: choose ` + strings.Join(provider.Names(), " or ")},
		{"an organization where there is none", "[connections.a]\nprovider = \"agi\"\norganization = \"org_1\"", `line 3: connections.a.organization: AGI knows none: leave it out`},
		{"a negative number of sessions", "[connections.a]\nprovider = \"agi\"\nmax_sessions = -1", "line 3: connections.a.max_sessions: -1 is negative"},
		{"a negative rate", "[connections.a]\nprovider = \"agi\"\nrequests_per_second = -0.5", "line 3: connections.a.requests_per_second: -0.5 is not"},
		{"a rate that is no number", "[connections.a]\nprovider = \"agi\"\nrequests_per_second = nan", "line 3: connections.a.requests_per_second: NaN is not"},
		{"a relative URL", "[connections.a]\nprovider = \"agi\"\nbase_url = \"api.agi.tech\"", "line 3: connections.a.base_url: must be an absolute http or https URL"},
		{"a URL with a password", "[connections.a]\nprovider = \"agi\"\nbase_url = \"https://me:" + canary + "@agi.example\"", "line 3: connections.a.base_url: must not hold a user or a password"},
		{"a name with a space", "[connections.\"a b\"]\nprovider = \"agi\"", "is no name for a connection"},
		{"a default that is not there", "default = \"b\"\n[connections.a]\nprovider = \"agi\"", `line 1: default: there is no connection "b", there is a, local`},
		{"a text for a number", "[connections.a]\nprovider = \"agi\"\nmax_sessions = \"many\"", "max_sessions"},
		{"no TOML", "connections: {}", "errand.toml: line 1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			env := emptyHome(t)
			write(t, "errand.toml", test.file)
			_, err := Load(Sources{Env: env})
			require.ErrorContains(t, err, test.want)
			require.NotContains(t, err.Error(), canary)
		})
	}
}

func TestAConnectionIsChosenByNameByDefaultOrBecauseItIsTheOnlyOne(t *testing.T) {
	two := "[connections.a]\nprovider = \"agi\"\n[connections.b]\nprovider = \"agi\"\n"
	for _, test := range []struct{ name, file, env, ask, want, err string }{
		{name: "nothing is configured", want: "local"},
		{name: "the environment has a key", env: "AGI_API_KEY=" + canary, want: "agi"},
		{name: "an empty key is none", env: "AGI_API_KEY=", want: "local"},
		{name: "there is one", file: "[connections.a]\nprovider = \"agi\"\n", want: "a"},
		{name: "the file beats the environment", file: "[connections.a]\nprovider = \"agi\"\n", env: "AGI_API_KEY=" + canary, want: "a"},
		{name: "several and a default", file: "default = \"b\"\n" + two, want: "b"},
		{name: "several and a default that is local", file: "default = \"local\"\n" + two, want: "local"},
		{name: "several and no default", file: two, err: "there are several connections (a, b, local): choose one with --connection"},
		{name: "by name", file: two, ask: "b", want: "b"},
		{name: "local by name", file: two, ask: "local", want: "local"},
		{name: "unknown", file: two, ask: "c", err: `there is no connection "c" here (there is a, b, local)`},
	} {
		t.Run(test.name, func(t *testing.T) {
			env := emptyHome(t, test.env)
			if test.file != "" {
				write(t, "errand.toml", test.file)
			}
			c, err := Load(Sources{Env: env})
			require.NoError(t, err)
			got, err := c.Choose(test.ask)
			if test.err != "" {
				require.ErrorContains(t, err, test.err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, test.want, got.Name)
			require.Equal(t, test.want == "local", got.Embedded)
		})
	}
}

func TestAFileMayGiveTheNameLocalToAnother(t *testing.T) {
	env := emptyHome(t)
	write(t, "errand.toml", "[connections.local]\nprovider = \"agi\"\nbase_url = \"http://127.0.0.1:1\"")
	c, err := Load(Sources{Env: env})
	require.NoError(t, err)
	got, err := c.Choose("local")
	require.NoError(t, err)
	require.False(t, got.Embedded)
	require.Equal(t, "http://127.0.0.1:1", got.BaseURL)
}

func TestAMissingKeyIsToldWhenItsConnectionIsChosen(t *testing.T) {
	for _, test := range []struct{ name, ref, want string }{
		{"no such variable", "env:NO_SUCH_KEY", `connection "a" has no key: the environment variable NO_SUCH_KEY is not set`},
		{"a variable of blanks", "env:BLANK_KEY", `the environment variable BLANK_KEY is not set`},
		{"no such file", "file:missing", "missing: no such file"},
		{"an empty file", "file:empty", "empty is empty"},
	} {
		t.Run(test.name, func(t *testing.T) {
			env := emptyHome(t, "BLANK_KEY= \n")
			write(t, "empty", "\n")
			write(t, "errand.toml", "[connections.a]\nprovider = \"agi\"\napi_key = \""+test.ref+"\"\n[connections.b]\nprovider = \"agi\"")
			c, err := Load(Sources{Env: env})
			require.NoError(t, err)
			_, err = c.Choose("a")
			require.ErrorContains(t, err, test.want)
			_, err = c.Choose("b")
			require.NoError(t, err)
		})
	}
}

func TestAKeyFileIsFoundBesideTheConfiguration(t *testing.T) {
	env := emptyHome(t)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "agi.key"), canary+"\n")
	path := write(t, filepath.Join(dir, "my.toml"), "[connections.a]\nprovider = \"agi\"\napi_key = \"file:agi.key\"")
	c, err := Load(Sources{Env: env, File: path})
	require.NoError(t, err)
	key, err := c.Connections["a"].Secret()
	require.NoError(t, err)
	require.Equal(t, canary, string(key))
}

func TestNothingPrintsAKey(t *testing.T) {
	env := emptyHome(t, "AGI_API_KEY="+canary, "TEMPORAL_ADDRESS=localhost:1", "TEMPORAL_API_KEY="+canary, "TEMPORAL_GRPC_META_AUTHORIZATION="+canary)
	c, err := Load(Sources{Env: env})
	require.NoError(t, err)
	chosen, err := c.Choose("")
	require.NoError(t, err)
	opened, err := chosen.Open()
	require.NoError(t, err)
	require.Equal(t, canary, string(opened.APIKey), "the key must be there to be hidden")
	for _, v := range []any{c, *c, chosen, &chosen, chosen.Key, opened, c.Temporal, &c.Temporal} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
			require.NotContains(t, fmt.Sprintf(verb, v), canary, "%s of a %T", verb, v)
		}
	}
}

func TestTheDataDirectoryIsFoundInOrder(t *testing.T) {
	env := emptyHome(t)
	dir := func(s Sources) string {
		t.Helper()
		c, err := Load(s)
		require.NoError(t, err)
		return c.DataDir
	}
	require.Equal(t, filepath.Join(env.Get("HOME"), ".local/state/errand"), dir(Sources{Env: env}))

	env = append(env, "XDG_STATE_HOME=/state")
	require.Equal(t, "/state/errand", dir(Sources{Env: env}))
	require.Equal(t, filepath.Join(env.Get("HOME"), ".local/state/errand"), dir(Sources{Env: append(env, "XDG_STATE_HOME=relative")}),
		"the XDG specification has relative paths ignored")

	env = append(env, "ERRAND_DATA_DIR=/data")
	require.Equal(t, "/data", dir(Sources{Env: env}))

	here, err := os.Getwd()
	require.NoError(t, err)
	require.Equal(t, filepath.Join(here, "mine"), dir(Sources{Env: env, DataDir: "mine"}))
}

func TestTheLineOfAKeyIsFound(t *testing.T) {
	const text = "a = 1\n\n[connections.x]\na = 2\n  \"quoted\" = 3\n[connections . y]\na=4"
	for _, test := range []struct {
		key  []string
		want int
	}{
		{[]string{"a"}, 1},
		{[]string{"connections", "x"}, 3},
		{[]string{"connections", "x", "a"}, 4},
		{[]string{"connections", "x", "quoted"}, 5},
		{[]string{"connections", "y", "a"}, 0},
		{[]string{"missing"}, 0},
	} {
		require.Equal(t, test.want, lineOf(text, test.key), "%v", test.key)
	}
}

func TestTheFilesOfAnAgentCountFromItsConfiguration(t *testing.T) {
	dir := t.TempDir()
	path := write(t, filepath.Join(dir, "my.toml"), "[agents.notes]\ncommand = [\"python3\", \"./notes.py\", \"x/y\"]\nenv = [\"HOME\"]\nmemory_mib = 64\ntask_time = \"90s\"")
	c, err := Load(Sources{File: path})
	require.NoError(t, err)
	require.Equal(t, map[string]exec.Config{"notes": {
		Command:  []string{"python3", filepath.Join(dir, "notes.py"), "x/y"},
		Env:      []string{"HOME"},
		Memory:   64 << 20,
		TaskTime: 90 * time.Second,
	}}, c.SessionServer.Programs)
}

func TestHowTheSessionServerServes(t *testing.T) {
	dir := t.TempDir()
	path := write(t, filepath.Join(dir, "my.toml"), `
[session_server]
boot = "1s"
ttl = "2h"
list_terminated = true
snapshot_max_age = "720h"
snapshot_max_count = 100
requests_per_second = 5
burst = 10
truth = "logs/truth.jsonl"

[session_server.agi]
strict = true
after_cancel = "finished"

[session_server.agen]
finish = "message"
page_size = 2`)
	c, err := Load(Sources{File: path})
	require.NoError(t, err)
	require.Equal(t, sessionserver.Config{
		Programs: map[string]exec.Config{},
		Boot:     time.Second, TTL: 2 * time.Hour, ListTerminated: true,
		Snapshots:         sessionserver.Retention{MaxAge: 720 * time.Hour, MaxCount: 100},
		RequestsPerSecond: 5, Burst: 10,
		AGI:   sessionserver.AGIOptions{Strict: true, AfterCancel: "finished"},
		Agen:  sessionserver.AgenOptions{Finish: "message", PageSize: 2},
		Truth: filepath.Join(dir, "logs", "truth.jsonl"),
	}, c.SessionServer)
}

func TestTheEnvironmentMakesAConnectionOfEachVendorWhoseKeyItHas(t *testing.T) {
	c, err := Load(Sources{Env: Environment{
		"HOME=" + t.TempDir(), "EVERRUNS_API_KEY=evr_pat_1", "EVERRUNS_API_URL=http://127.0.0.1:9000", "EVERRUNS_ORG_ID=org_1", "AGEN_API_KEY=k",
	}})
	require.NoError(t, err)
	everruns := c.Connections["everruns"]
	require.Equal(t, "http://127.0.0.1:9000", everruns.BaseURL)
	opened, err := everruns.Open()
	require.NoError(t, err)
	require.Equal(t, "org_1", opened.Organization)
	require.Equal(t, "evr_pat_1", string(opened.APIKey))
	_, err = c.Choose("")
	require.ErrorContains(t, err, "there are several connections (agen, everruns, local): choose one with --connection")

	c, err = Load(Sources{Env: Environment{"HOME=" + t.TempDir(), "AGEN_API_KEY=k", "AGI_API_KEY=k"}})
	require.NoError(t, err)
	usual, err := c.Choose("")
	require.NoError(t, err)
	require.Equal(t, "agi", usual.Provider)

	_, err = Load(Sources{Env: Environment{"HOME=" + t.TempDir(), "EVERRUNS_API_KEY=k", "EVERRUNS_API_URL=app.everruns.com"}})
	require.ErrorContains(t, err, "connection everruns of the environment: base_url must be an absolute http or https URL")
}
