package devserver

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/server/common/dynamicconfig"
)

func TestASettingOfTheCallersStandsAboveTheProfile(t *testing.T) {
	key := dynamicconfig.FrontendRPS.Key()
	require.Equal(t, unlimited, dynamicConfig(nil).GetValue(key)[0].Value)
	require.Equal(t, 7, dynamicConfig(map[string]any{"frontend.RPS": 7}).GetValue(key)[0].Value)
}
