package config

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

const profiles = `
[profile.default]
address = "file:1"
namespace = "from-file"

[profile.other]
address = "other:1"
`

func TestTemporalIsNamedByFlagThenEnvironmentThenProfile(t *testing.T) {
	env := emptyHome(t)
	load := func(env Environment, f TemporalFlags) Temporal {
		t.Helper()
		c, err := Load(Sources{Env: env, Temporal: f})
		require.NoError(t, err)
		return c.Temporal
	}
	got := load(env, TemporalFlags{})
	require.False(t, got.Named)
	require.Equal(t, "default", got.Namespace)

	env = append(env, "TEMPORAL_CONFIG_FILE="+write(t, filepath.Join(t.TempDir(), "temporal.toml"), profiles))
	got = load(env, TemporalFlags{})
	require.True(t, got.Named)
	require.Equal(t, "file:1", got.Options().HostPort)
	require.Equal(t, "from-file", got.Options().Namespace)

	got = load(env, TemporalFlags{Profile: "other"})
	require.Equal(t, "other:1", got.Options().HostPort)
	require.Equal(t, "default", got.Options().Namespace)

	env = append(env, "TEMPORAL_ADDRESS=env:1", "TEMPORAL_NAMESPACE=from-env")
	got = load(env, TemporalFlags{})
	require.Equal(t, "env:1", got.Options().HostPort)
	require.Equal(t, "from-env", got.Namespace)

	got = load(env, TemporalFlags{Address: "flag:1", Namespace: "from-flag"})
	require.Equal(t, "flag:1", got.Options().HostPort)
	require.Equal(t, "from-flag", got.Options().Namespace)
}

func TestANamespaceAloneNamesNoServer(t *testing.T) {
	c, err := Load(Sources{Env: emptyHome(t), Temporal: TemporalFlags{Namespace: "mine"}})
	require.NoError(t, err)
	require.False(t, c.Temporal.Named)
	require.Equal(t, "mine", c.Temporal.Namespace)
}

func TestFlagsOfAServerNeedOne(t *testing.T) {
	yes := true
	for flag, f := range map[string]TemporalFlags{
		"--api-key":                       {APIKey: canary},
		"--tls":                           {TLS: &yes},
		"--tls-cert-path":                 {TLSCertPath: "x"},
		"--tls-key-path":                  {TLSKeyPath: "x"},
		"--tls-ca-path":                   {TLSCAPath: "x"},
		"--tls-server-name":               {TLSServerName: "x"},
		"--tls-disable-host-verification": {TLSDisableHostVerification: &yes},
	} {
		_, err := Load(Sources{Env: emptyHome(t), Temporal: f})
		require.ErrorContains(t, err, flag+" is of no use without a Temporal server")
		require.NotContains(t, err.Error(), canary)
	}
}

func TestTLSIsAsTheFlagsSay(t *testing.T) {
	yes, no := true, false
	load := func(f TemporalFlags, entries ...string) Temporal {
		t.Helper()
		f.Address = "host:1"
		c, err := Load(Sources{Env: emptyHome(t, entries...), Temporal: f})
		require.NoError(t, err)
		return c.Temporal
	}
	require.Nil(t, load(TemporalFlags{}).Options().ConnectionOptions.TLS)
	require.NotNil(t, load(TemporalFlags{TLS: &yes}).Options().ConnectionOptions.TLS)
	require.NotNil(t, load(TemporalFlags{APIKey: canary}).Options().ConnectionOptions.TLS, "a key goes over TLS alone")
	require.Nil(t, load(TemporalFlags{TLS: &no}, "TEMPORAL_TLS=true").Options().ConnectionOptions.TLS, "the flag wins")
	require.Equal(t, "name", load(TemporalFlags{TLSServerName: "name"}).Options().ConnectionOptions.TLS.ServerName)
	require.True(t, load(TemporalFlags{TLSDisableHostVerification: &yes}).Options().ConnectionOptions.TLS.InsecureSkipVerify)
}

func TestWhatIsWrongWithTheSettingsOfTemporalIsTold(t *testing.T) {
	for name, test := range map[string]struct {
		flags TemporalFlags
		want  string
	}{
		"a profile that is not there": {TemporalFlags{Profile: "nobody"}, "settings of Temporal: unable to find profile nobody"},
		"a certificate without a key": {TemporalFlags{Address: "host:1", TLSCertPath: "x"}, "if either client cert or key path is present"},
		"a CA that is not there":      {TemporalFlags{Address: "host:1", TLSCAPath: "/missing"}, "/missing: no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Load(Sources{Env: emptyHome(t), Temporal: test.flags})
			require.ErrorContains(t, err, test.want)
		})
	}
}
