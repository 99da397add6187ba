package provider

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/errand-dev/errand/apiclient/agi"
)

func FuzzWatermark(f *testing.F) {
	f.Fuzz(func(t *testing.T, text string) {
		id, err := agiMessageID(Watermark(text))
		if err != nil {
			require.True(t, IsKind(err, ErrorInvalid))
			require.Zero(t, id)
			return
		}
		again, err := agiMessageID(agiWatermark(id))
		require.NoError(t, err)
		require.Equal(t, id, again)
	})
}

// Whatever messages a vendor gives, there is an outcome, something that may
// yet become one, or neither.
func FuzzOutcome(f *testing.F) {
	f.Fuzz(func(t *testing.T, answer, status string) {
		var list agi.MessageList
		if json.Unmarshal([]byte(answer), &list) != nil {
			return
		}
		outcome, pending := agiOutcome(list.Messages, agiState(status))
		require.False(t, outcome != nil && pending != nil)
		switch {
		case outcome == nil:
		case outcome.Kind == OutcomeFinished:
			require.True(t, json.Valid(outcome.Result))
		default:
			require.Contains(t, []OutcomeKind{OutcomeQuestion, OutcomeFailed}, outcome.Kind)
			require.Empty(t, outcome.Result)
		}
	})
}
