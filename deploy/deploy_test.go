// Package deploy_test holds the files of this folder to the code they serve.
package deploy_test

import (
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/server/common/dynamicconfig"

	"github.com/errand-dev/errand/workflows"
)

func TestDynamicConfigHasOnlySettingsThatTheServerKnows(t *testing.T) {
	result := dynamicconfig.LoadYamlFile([]byte(read(t, "dynamicconfig/errand.yaml")))
	require.Empty(t, result.Errors)
	require.Empty(t, result.Warnings)
	require.NotEmpty(t, result.Map)
}

func TestNamespaceSetUpRegistersEverySearchAttributeOfTheWorkflows(t *testing.T) {
	registered := map[string]string{}
	for _, m := range regexp.MustCompile(`--name (\w+) --type (\w+)`).FindAllStringSubmatch(read(t, "temporal/setup-namespace.sh"), -1) {
		registered[m[1]] = m[2]
	}
	wanted := map[string]string{}
	for _, key := range []temporal.SearchAttributeKey{
		workflows.AttributeStatus, workflows.AttributeConnection, workflows.AttributeBatch, workflows.AttributeLabels,
	} {
		wanted[key.GetName()] = key.GetValueType().String()
	}
	require.Equal(t, wanted, registered)
}

func TestImagesHaveTheVersionsThatTheCommandEmbeds(t *testing.T) {
	module, compose, dockerfile := read(t, "../go.mod"), read(t, "../docker-compose.yml"), read(t, "Dockerfile")
	server := find(t, module, `go\.temporal\.io/server v(\S+)`)
	require.Equal(t, server, find(t, compose, `temporalio/server:\$\{TEMPORAL_VERSION:-(.+)\}`))
	require.Equal(t, server, find(t, compose, `temporalio/admin-tools:\$\{TEMPORAL_ADMIN_TOOLS_VERSION:-(.+)\}`))
	require.Equal(t, find(t, module, `temporalio/ui-server/v2 v(\S+)`), find(t, compose, `temporalio/ui:\$\{TEMPORAL_UI_VERSION:-(.+)\}`))
	require.Equal(t, find(t, module, `\ngo (\S+)`), find(t, dockerfile, `FROM golang:(\S+)-bookworm`))
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	return string(text)
}

func find(t *testing.T, text, pattern string) string {
	t.Helper()
	match := regexp.MustCompile(pattern).FindStringSubmatch(text)
	require.NotNil(t, match, "no %s", pattern)
	return match[1]
}
