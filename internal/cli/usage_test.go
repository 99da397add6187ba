package cli

import (
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"
)

func TestWrongUsageStartsNothing(t *testing.T) {
	long := strings.Repeat("ä", 10_001)
	for _, test := range []struct {
		name string
		args []string
		want string
	}{
		{"an unknown command", []string{"lsit"}, `there is no command "errand lsit", did you mean list: see errand --help`},
		{"an unknown command of a group", []string{"sessions", "lst"}, `there is no command "errand sessions lst", did you mean list`},
		{"an unknown flag", []string{"run", "--no-such-flag", "x"}, "unknown flag: --no-such-flag: see errand run --help"},
		{"no prompt", []string{"run"}, "PROMPT is missing"},
		{"two prompts", []string{"run", "Report", "the price"}, `unexpected argument "the price" (quote what belongs together)`},
		{"an empty prompt", []string{"run", " "}, "the prompt is empty"},
		{"an empty prompt on stdin", []string{"run", "-"}, "the prompt is empty"},
		{"a long prompt", []string{"run", long}, "the prompt has 10001 characters; at most 10000 are allowed"},
		{"a relative URL", []string{"run", "--url", "shop.example/p", "x"}, `--url "shop.example/p" is not an absolute http or https URL`},
		{"a URL of another kind", []string{"run", "--url", "file:///etc/passwd", "x"}, "is not an absolute http or https URL"},
		{"a long URL", []string{"run", "--url", "http://a.example/" + long[:2*1990], "x"}, "--url has 2007 characters; at most 2000 are allowed"},
		{"a default snapshot of nothing", []string{"run", "--save-as-default", "x"}, "saving as default needs a snapshot"},
		{"an unknown snapshot", []string{"run", "--snapshot", "disk", "x"}, `unknown snapshot mode "disk"`},
		{"an option that the vendor does not know", []string{"run", "--branch", "fix", "x"}, "connection local: AGI takes no branch: leave it out"},
		{"a capability that is configured with no JSON", []string{"run", "--capability", "shell={", "x"}, "--capability shell: what follows the = must be JSON"},
		{"an unknown connection", []string{"run", "--connection", "acme", "x"}, `there is no connection "acme" here (there is local)`},
		{"a negative duration", []string{"run", "--timeout", "-1s", "x"}, "the timeout is negative"},
		{"no duration", []string{"run", "--timeout", "soon", "x"}, `invalid argument "soon" for "--timeout"`},
		{"an empty answer", []string{"run", "--answer", "", "x"}, "answer 1 is empty"},
		{"an empty follow-up", []string{"run", "--follow-up", " ", "x"}, "follow-up 1 is empty"},
		{"a label without a value", []string{"run", "--label", "team", "x"}, `--label "team": write KEY=VALUE`},
		{"a label without a key", []string{"run", "--label", "=web", "x"}, `--label "=web": write KEY=VALUE`},
		{"a label with a line break", []string{"run", "--label", "a=b\nc", "x"}, `--label "a=b\nc": write KEY=VALUE, without control characters`},
		{"a label twice", []string{"run", "--label", "a=b", "--label", "a=c", "x"}, "--label a is given twice"},
		{"an empty id", []string{"run", "--id", "", "x"}, "a task id has 1 to 200 bytes, this one has 0"},
		{"an id with a control character", []string{"run", "--id", "a\x1b[2J", "x"}, `a task id has no spaces and no control characters: "a\x1b[2J"`},
		{"a long id", []string{"run", "--id", long[:201], "x"}, "a task id has 1 to 200 bytes, this one has 201"},
		{"a schema that is not there", []string{"run", "--result-schema", "missing.json", "x"}, "--result-schema: open missing.json"},
		{"an unknown output", []string{"list", "-o", "yaml"}, "--output yaml: choose text, json or jsonl"},
		{"an unknown log level", []string{"list", "--log-level", "loud"}, "--log-level loud: choose"},
		{"an unknown log format", []string{"list", "--log-format", "xml"}, "--log-format xml: choose text or json"},
		{"an unknown status", []string{"list", "--status", "done"}, "--status done: choose running, waiting"},
		{"a negative limit", []string{"list", "--limit", "-1"}, "--limit is negative"},
		{"no task to show", []string{"show"}, "TASK is missing: errand show TASK"},
		{"no task to pause", []string{"pause"}, "TASK is missing: errand pause TASK"},
		{"no answer and no terminal", []string{"answer", "t-1"}, "TEXT is missing, and there is no terminal to ask at"},
		{"an empty text", []string{"answer", "t-1", ""}, "the answer is empty"},
		{"a worker without a server", []string{"worker"}, "worker needs a Temporal server: name one with --address"},
		{"an inbox at no address", []string{"web", "--listen", "nowhere"}, "--listen nowhere cannot be used"},
		{"an inbox at no port", []string{"dev", "--port", "0", "--ui-port", "0", "--inbox-port", "70000"}, "--inbox-port 70000 cannot be used"},
		{"a flag of a server without one", []string{"list", "--tls"}, "--tls is of no use without a Temporal server"},
		{"a configuration that is not there", []string{"run", "--config", "missing.toml", "x"}, "--config: stat missing.toml"},
		{"sessions for all the world", []string{"sessions", "serve", "--listen", "0.0.0.0:0"}, "can be reached from other machines: ask for a key"},
		{"a literal key", []string{"sessions", "serve", "--api-key", "sk-canary"}, "--api-key: must say where the key is, not what it is"},
		{"a key that is not there", []string{"sessions", "serve", "--api-key", "env:NO_SUCH_KEY"}, "--api-key: the environment variable NO_SUCH_KEY is not set"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newShell(t)
			c := s.run(test.args...)
			require.Equal(t, exitUsage, c.status)
			require.Empty(t, c.out.String())
			said := c.err.String()
			require.True(t, strings.HasPrefix(said, "errand: "), said)
			require.Contains(t, said, test.want)
			require.Equal(t, 1, strings.Count(said, "\n"), "one line")
			require.NotContains(t, said, "sk-canary")
			require.NoDirExists(t, s.data)
		})
	}
}

func TestAWrongConfigurationStartsNothing(t *testing.T) {
	for _, test := range []struct {
		name, file string
		args       []string
		want       string
	}{
		{"a literal key", "[connections.a]\nprovider = \"agi\"\napi_key = \"sk-canary\"", []string{"list"}, "line 3: connections.a.api_key: must say where"},
		{"a missing key", "[connections.a]\nprovider = \"agi\"\napi_key = \"env:NO_SUCH_KEY\"", []string{"run", "x"}, `connection "a" has no key: the environment variable NO_SUCH_KEY is not set`},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newShell(t)
			s.env = append(s.env, "ERRAND_CONFIG="+s.file("errand.toml", test.file))
			c := s.run(test.args...)
			require.Equal(t, exitUsage, c.status)
			require.Contains(t, c.err.String(), test.want)
			require.NotContains(t, c.err.String(), "sk-canary")
			require.NoDirExists(t, s.data)
		})
	}
}

func TestASchemaMustBeOne(t *testing.T) {
	s := newShell(t)
	for name, test := range map[string]struct{ text, want string }{
		"no JSON":    {"{", "is not a JSON Schema"},
		"no schema":  {`{"type": "teapot"}`, "is not a JSON Schema"},
		"empty":      {"\n", "is empty"},
		"not itself": {`{"$ref": "file:///etc/passwd"}`, "is not a JSON Schema"},
	} {
		c := s.run("run", "--result-schema", s.file("schema.json", test.text), "x")
		require.Equal(t, exitUsage, c.status, name)
		require.Contains(t, c.err.String(), test.want, name)
	}
	require.NoDirExists(t, s.data)
}

func TestAServerThatCannotBeReachedIsToldAtOnce(t *testing.T) {
	c := newShell(t).run("list", "--address", "127.0.0.1:1")
	require.Equal(t, exitUsage, c.status)
	require.Contains(t, c.err.String(), "cannot reach Temporal at 127.0.0.1:1: ")
	require.Contains(t, c.err.String(), ": check --address or TEMPORAL_ADDRESS")
}

func TestADataDirectoryThatCannotBeUsedIsTold(t *testing.T) {
	s := newShell(t)
	c := s.run("run", "--data-dir", s.file("plain", "")+"/below", "x")
	require.Equal(t, exitUsage, c.status)
	require.Contains(t, c.err.String(), "plain")
}

func TestEveryCommandHelpsWithAnExampleThatIsValid(t *testing.T) {
	a := &app{err: newSwitchWriter(os.Stderr)}
	var visit func(c *cobra.Command)
	visit = func(c *cobra.Command) {
		for _, sub := range c.Commands() {
			visit(sub)
		}
		if c.HasSubCommands() && c.Parent() != nil {
			return // a group
		}
		require.NotEmpty(t, c.Short, c.CommandPath())
		require.NotEmpty(t, c.Example, c.CommandPath())
		for line := range strings.SplitSeq(c.Example, "\n") {
			args := shellWords(t, strings.TrimSpace(line))
			require.Equal(t, "errand", args[0])
			target, rest, err := a.root().Find(args[1:])
			require.NoError(t, err, line)
			if c.Parent() != nil {
				require.Equal(t, c.CommandPath(), target.CommandPath(), line)
			}
			require.NoError(t, target.ParseFlags(rest), line)
			require.NoError(t, target.ValidateArgs(target.Flags().Args()), line)
		}
		requireHelp(t, c.CommandPath())
	}
	visit(a.root())
}

// requireHelp asks for the help of a command, as a user does.
func requireHelp(t *testing.T, path string) {
	t.Helper()
	s := newShell(t)
	out := s.must(append(strings.Fields(path)[1:], "--help")...)
	require.Contains(t, out, "Example:")
	require.Contains(t, out, "Usage:\n  "+path)
	require.NoDirExists(t, s.data)
}

// shellWords splits a line as a shell does, as far as double quotes go.
func shellWords(t *testing.T, line string) []string {
	t.Helper()
	var words []string
	quoted := strings.Split(line, `"`)
	require.Len(t, quoted, len(quoted)/2*2+1, "quotes come in pairs: %s", line)
	for i, part := range quoted {
		if i%2 == 1 {
			words = append(words, part)
		} else {
			words = append(words, strings.Fields(part)...)
		}
	}
	return words
}

func TestTheVersionIsPrinted(t *testing.T) {
	s := newShell(t)
	require.Regexp(t, `^errand .+ go1\.`, s.must("version"))
	require.Equal(t, s.must("version"), s.must("--version"))
	require.Equal(t, []string{"version", "revision", "time", "modified", "go"}, keys(t, s.must("version", "-o", "json")))
	require.NoDirExists(t, s.data)
}

func TestCompletionIsGenerated(t *testing.T) {
	require.Contains(t, newShell(t).must("completion", "bash"), "__start_errand")
}
