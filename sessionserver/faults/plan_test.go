package faults

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestANilPlanFiresNothing(t *testing.T) {
	var p *Plan
	p.OnVanish(func(string) {})
	p.NoHeader()
	require.False(t, p.Turn("script", "a"))
	require.Equal(t, 1, p.Webhook("a"))
	require.Empty(t, p.Report().Rules)
	res, err := serve(t, p).call(t, "/status/a", "500")
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, 201, res.StatusCode)
}

func TestSkipAndTimesBoundARule(t *testing.T) {
	p := plan(t, `{"fault":"stuck","skip":1,"times":2}`)
	var fired []bool
	for range 5 {
		fired = append(fired, p.Turn("script", "a"))
	}
	require.Equal(t, []bool{false, true, true, false, false}, fired)
}

func TestARuleCanBeForOneAgentOrSession(t *testing.T) {
	p := plan(t, `{"fault":"stuck","agent":"script","session":"a"}`)
	require.False(t, p.Turn("reader", "a"))
	require.False(t, p.Turn("script", "b"))
	require.True(t, p.Turn("script", "a"))
}

func TestTheFirstRuleThatFiresWins(t *testing.T) {
	p := plan(t, `{"fault":"drop-webhook","times":1},{"fault":"double-webhook","times":1}`)
	require.Equal(t, []int{0, 2, 1}, []int{p.Webhook("a"), p.Webhook("a"), p.Webhook("a")})
}

func TestTheSeedDecidesAndOtherRulesShiftNothing(t *testing.T) {
	const half = `{"fault":"stuck","probability":0.5}`
	turns := func(p *Plan) (all []bool) {
		for range 64 {
			all = append(all, p.Turn("script", "a"))
		}
		return all
	}
	alone := turns(plan(t, half))
	require.Contains(t, alone, true)
	require.Contains(t, alone, false)
	require.Equal(t, alone, turns(plan(t, half)))
	require.Equal(t, alone, turns(plan(t, `{"fault":"stuck","probability":0},`+half)))
	require.Equal(t, alone, turns(plan(t, half+`,{"fault":"stuck","probability":0}`)))

	other, err := New(Config{Seed: 8, Rules: plan(t, half).configured()})
	require.NoError(t, err)
	require.NotEqual(t, alone, turns(other))
}

// configured gives the rules that a plan was made of.
func (p *Plan) configured() (rules []Rule) {
	for _, s := range p.rules {
		rules = append(rules, s.Rule)
	}
	return rules
}

func TestTheReportTellsWhatNeverFired(t *testing.T) {
	p := plan(t, `{"fault":"stuck"},{"on":["message"],"fault":"lost-after"}`)
	require.True(t, p.Turn("script", "a"))
	require.Equal(t, "rule 1: stuck on *: seen 1, fired 1\nrule 2: lost-after on message: seen 0, fired 0 (never)\nstuck: fired 1\n", p.Report().String())
	w := httptest.NewRecorder()
	p.ServeHTTP(w, httptest.NewRequest("GET", "/faults", nil))
	require.JSONEq(t, `{"rules":[{"on":null,"fault":"stuck","seen":1,"fired":1},{"on":["message"],"fault":"lost-after","seen":0,"fired":0}],
		"fired":{"stuck":1},"idle":[2]}`, w.Body.String())
}

func TestPlansComeFromJSONAndTOML(t *testing.T) {
	for name, text := range map[string]string{
		"plan.json": `{"seed":42,"rules":[{"on":["status"],"fault":"slow","delay":"2s","probability":0.25,"times":3}]}`,
		"plan.toml": "seed = 42\n[[rules]]\non = [\"status\"]\nfault = \"slow\"\ndelay = \"2s\"\nprobability = 0.25\ntimes = 3\n",
	} {
		path := filepath.Join(t.TempDir(), name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		p, err := Load(path)
		require.NoError(t, err, name)
		quarter := 0.25
		require.Equal(t, []Rule{{On: []string{"status"}, Fault: Slow, Times: 3, Probability: &quarter, Delay: Duration(2e9)}}, p.configured(), name)
	}
	_, err := Load(filepath.Join(t.TempDir(), "missing.json"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestPlansWithAMistakeAreRefused(t *testing.T) {
	const good = `{"on":["get"],"fault":"500"}`
	tests := []struct{ name, rule, want string }{
		{"an unknown field", `{"on":["get"],"fault":"500","colour":1}`, "allowed are on, fault, skip"},
		{"an unknown fault", `{"on":["get"],"fault":"503"}`, "only 500, 502, 429"},
		{"no fault", `{"on":["get"]}`, "only 500, 502, 429"},
		{"an unknown operation", `{"on":["fetch"],"fault":"500"}`, "only on create, list"},
		{"no operation", `{"fault":"500"}`, `"on" is missing`},
		{"an operation the fault cannot hit", `{"on":["events"],"fault":"cut"}`, "fault cut cannot be on"},
		{"a negative number", `{"on":["get"],"fault":"500","skip":-1}`, "skip must not be negative"},
		{"a negative delay", `{"on":["get"],"fault":"slow","delay":"-1s"}`, "delay must not be negative"},
		{"a delay without a unit", `{"on":["get"],"fault":"slow","delay":"2"}`, "missing unit"},
		{"an unlikely probability", `{"on":["get"],"fault":"500","probability":1.5}`, "between 0 and 1"},
		{"a delay of nothing", `{"on":["get"],"fault":"500","delay":"1s"}`, "slow alone"},
		{"an agent of a request", `{"on":["get"],"fault":"500","agent":"script"}`, "stuck alone"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := parse([]byte(`{"rules":[` + good + `,` + tt.rule + `]}`))
			require.Nil(t, p)
			require.ErrorContains(t, err, "rule 2: ")
			require.ErrorContains(t, err, tt.want)
		})
	}
	for _, text := range []string{`{"rule":[]}`, `{"seed":-1}`, `{} {}`, ``} {
		_, err := parse([]byte(text))
		require.ErrorContains(t, err, "allowed are seed and rules", text)
	}
}

func TestTheManualsExampleIsAPlan(t *testing.T) {
	manual, err := os.ReadFile("../../docs/faults.md")
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(manual), "```toml\n")
	require.True(t, found)
	example, _, _ := strings.Cut(rest, "```")
	path := filepath.Join(t.TempDir(), "plan.toml")
	require.NoError(t, os.WriteFile(path, []byte(example), 0o600))
	p, err := Load(path)
	require.NoError(t, err)
	require.Len(t, p.Report().Rules, 3)
}
