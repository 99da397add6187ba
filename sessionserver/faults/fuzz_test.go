package faults

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func FuzzPlan(f *testing.F) {
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text string, asTOML bool) {
		path := filepath.Join(dir, "plan.json")
		if asTOML {
			path = filepath.Join(dir, "plan.toml")
		}
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		p, err := Load(path)
		if err != nil {
			require.ErrorContains(t, err, path)
			return
		}
		for _, rule := range p.configured() {
			require.NoError(t, rule.check())
			again, err := json.Marshal(rule)
			require.NoError(t, err)
			_, err = parse([]byte(`{"rules":[` + string(again) + `]}`))
			require.NoError(t, err, "what a report shows can be asked for: %s", again)
		}
		p.Turn("script", "a")
		require.Contains(t, []int{0, 1, 2}, p.Webhook("a"))
		require.Len(t, p.Report().Rules, len(p.rules))
	})
}

func FuzzHeader(f *testing.F) {
	f.Fuzz(func(t *testing.T, text string) {
		rule, err := parseHeader(text)
		if err == nil && rule.check() == nil {
			require.Contains(t, kinds, rule.Fault)
			require.GreaterOrEqual(t, rule.Delay, Duration(0))
			require.GreaterOrEqual(t, rule.RetryAfter, Duration(0))
			require.GreaterOrEqual(t, rule.AfterEvents, 0)
		}
	})
}
