package config

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTargetsOfMonitorsStayWithTheWorker(t *testing.T) {
	env := emptyHome(t, "OPS_URL=https://hooks.example/"+canary, "HOOK_SECRET="+canary)
	write(t, "errand.toml", "[monitors]\nwebhook_secret = \"env:HOOK_SECRET\"\n[monitors.targets]\nops = \"env:OPS_URL\"\nnight = \"env:NO_SUCH_URL\"\n")
	c, err := Load(Sources{Env: env})
	require.NoError(t, err)

	url, secret, err := c.Monitors.Target("ops")
	require.NoError(t, err)
	require.Equal(t, "https://hooks.example/"+canary, url)
	require.Equal(t, canary, string(secret))
	url, secret, err = c.Monitors.Target("http://a.example/b")
	require.NoError(t, err)
	require.Equal(t, "http://a.example/b", url)
	require.Equal(t, canary, string(secret))

	_, _, err = c.Monitors.Target("day")
	require.EqualError(t, err, `there is no target "day" in [monitors.targets] here`)
	_, _, err = c.Monitors.Target("night")
	require.EqualError(t, err, "monitors.targets.night: the environment variable NO_SUCH_URL is not set")
}

func TestWithoutConfigurationAlertsAreNotSigned(t *testing.T) {
	c, err := Load(Sources{Env: emptyHome(t)})
	require.NoError(t, err)
	_, secret, err := c.Monitors.Target("http://a.example/b")
	require.NoError(t, err)
	require.Empty(t, string(secret))
}

func TestAWrongTargetIsToldWithItsLine(t *testing.T) {
	for name, test := range map[string]struct{ file, want string }{
		"a literal secret": {"[monitors]\nwebhook_secret = \"" + canary + "\"", "line 2: monitors.webhook_secret: must say where"},
		"a literal URL":    {"[monitors.targets]\nops = \"https://hooks.example/" + canary + "\"", "line 2: monitors.targets.ops: must say where the URL is"},
		"a bad name":       {"[monitors.targets]\n\"a b\" = \"env:A\"", `monitors.targets."a b": is no name for a target`},
		"an unknown key":   {"[monitors]\nsecret = \"env:A\"", "is not a setting of errand"},
	} {
		t.Run(name, func(t *testing.T) {
			env := emptyHome(t)
			write(t, "errand.toml", test.file)
			_, err := Load(Sources{Env: env})
			require.ErrorContains(t, err, test.want)
			require.NotContains(t, err.Error(), canary)
		})
	}
}
