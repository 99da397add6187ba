package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCheck(t *testing.T) {
	tests := map[string]struct {
		compose string
		want    string // part of the one problem; empty: there is none
	}{
		"a sound file": {
			compose: `
services:
  built:
    build: {context: ., dockerfile: Dockerfile}
    ports: ["127.0.0.1:80:80"]
    volumes: ["./there:/there:ro", "data:/data"]
    depends_on: [pulled]
  pulled:
    image: registry.example:5000/name:1.2
volumes: {data: {}}
`,
		},
		"a Dockerfile that is not there": {
			compose: "services: {a: {build: {context: ., dockerfile: gone}}}",
			want:    "service a: Dockerfile",
		},
		"a build context that is not there": {
			compose: "services: {a: {build: {context: gone, dockerfile: ../Dockerfile}}}",
			want:    "service a: build context",
		},
		"a bind mount that is not there": {
			compose: `services: {a: {image: "a:1", volumes: ["./gone:/gone"]}}`,
			want:    "service a: bind mount",
		},
		"a config file that is not there": {
			compose: `{services: {a: {image: "a:1"}}, configs: {c: {file: gone}}}`,
			want:    "config c: config file",
		},
		"an image without a tag": {
			compose: "services: {a: {image: registry.example:5000/name}}",
			want:    "no fixed tag",
		},
		"an image that moves": {
			compose: `services: {a: {image: "name:latest"}}`,
			want:    "no fixed tag",
		},
		"a port on every interface": {
			compose: `services: {a: {image: "a:1", ports: ["80:80"]}}`,
			want:    "beyond loopback",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			project, err := load(writeProject(t, tt.compose), nil)
			require.NoError(t, err)
			problems := check(project)
			if tt.want == "" {
				require.Empty(t, problems)
				return
			}
			require.Len(t, problems, 1)
			require.Contains(t, problems[0], tt.want)
		})
	}
}

func TestLoadRefuses(t *testing.T) {
	tests := map[string]struct{ compose, want string }{
		"a depends_on that names no service": {
			compose: `services: {a: {image: "a:1", depends_on: [b]}}`,
			want:    "undefined service",
		},
		"an unknown key": {
			compose: `services: {a: {image: "a:1", imago: b}}`,
			want:    "imago",
		},
		"a required variable without a value": {
			compose: `services: {a: {image: "a:1", environment: {KEY: "${KEY:?write it into .env}"}}}`,
			want:    "write it into .env",
		},
		"a volume that is not declared": {
			compose: `services: {a: {image: "a:1", volumes: ["data:/data"]}}`,
			want:    "undefined volume",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := load(writeProject(t, tt.compose), nil)
			require.ErrorContains(t, err, tt.want)
		})
	}
}

// writeProject makes a folder with the Compose file, a Dockerfile and a folder
// "there".
func writeProject(t *testing.T, compose string) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "there"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte("FROM scratch\n"), 0o600))
	file := filepath.Join(dir, "docker-compose.yml")
	require.NoError(t, os.WriteFile(file, []byte(compose), 0o600))
	return file
}
