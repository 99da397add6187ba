package rest

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTimestampNeverCostsTheAnswerAroundIt(t *testing.T) {
	at := time.Date(2026, 1, 15, 9, 30, 0, 250_000_000, time.UTC)
	for raw, want := range map[string]time.Time{
		`"2026-01-15T09:30:00.250Z"`:         at,
		`"2026-01-15T10:30:00.250+01:00"`:    at,
		`"2026-01-15T09:30:00.250000"`:       at,
		`"2026-01-15 09:30:00.250"`:          at,
		`"2026-01-15 09:30:00.250000+00:00"`: at,
		`"yesterday"`:                        {},
		`1768469400`:                         {},
		`null`:                               {},
	} {
		t.Run(raw, func(t *testing.T) {
			got := Timestamp{Time: time.Unix(1, 0)}
			require.NoError(t, json.Unmarshal([]byte(raw), &got))
			require.True(t, want.Equal(got.Time), got)
		})
	}
}
