package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/errand-dev/errand/sessionserver"
	"github.com/errand-dev/errand/sessionserver/agent/exec"
)

// loaded is a configuration that readFile can fill.
func loaded() *Config {
	return &Config{Connections: map[string]Connection{}, SessionServer: sessionserver.Config{Programs: map[string]exec.Config{}}}
}

func FuzzErrandToml(f *testing.F) {
	path := filepath.Join(f.TempDir(), fileName)
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "faults") {
			return // would read any file of this machine
		}
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		c := loaded()
		if err := c.readFile(path, nil); err != nil {
			require.ErrorContains(t, err, path)
			return
		}
		for name, connection := range c.Connections {
			require.Regexp(t, connectionName, name)
			_, err := connection.check()
			require.NoError(t, err)
		}
		for name, program := range c.SessionServer.Programs {
			require.Regexp(t, agentName, name)
			require.NotEmpty(t, program.Command)
		}
		_, err := c.DefaultName()
		require.True(t, err == nil || len(c.Connections) > 1)
	})
}

// A key that somebody has written into the file, however wrong, is not told.
func FuzzAKeyInErrandToml(f *testing.F) {
	const canary = "81407755930218840267" // a number, too, so that more of the decoder is tried
	path := filepath.Join(f.TempDir(), fileName)
	f.Fuzz(func(t *testing.T, before, after string) {
		if strings.ContainsAny(before, "\n{") || strings.Contains(after, "faults") {
			return // then it is not the value of api_key any more
		}
		text := "[connections.shop]\nprovider = \"agi\"\napi_key = " + before + canary + after
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		if err := loaded().readFile(path, nil); err != nil {
			require.NotContains(t, err.Error(), canary)
		}
	})
}

func FuzzKeyRef(f *testing.F) {
	f.Fuzz(func(t *testing.T, text string) {
		ref, err := ParseKeyRef(text, "/dir", Environment{"NAME=key"})
		if err != nil {
			require.Equal(t, errLiteralKey, err)
			return
		}
		again, err := ParseKeyRef(ref.String(), "/dir", Environment{"NAME=key"})
		require.NoError(t, err)
		require.Equal(t, ref, again)
	})
}
