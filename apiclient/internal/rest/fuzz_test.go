package rest

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func FuzzTimestamp(f *testing.F) {
	f.Fuzz(func(t *testing.T, raw string) {
		var answer struct {
			At   Timestamp `json:"at"`
			Kept int       `json:"kept"`
		}
		text := []byte(`{"at":` + raw + `,"kept":1}`)
		if !json.Valid(text) {
			return
		}
		require.NoError(t, json.Unmarshal(text, &answer), "no date is a reason to lose the answer around it")
		require.Equal(t, 1, answer.Kept)
		if year := answer.At.Year(); year < 0 || year > 9999 {
			t.Fatalf("a year that no JSON can hold: %d", year)
		}
	})
}

func FuzzRetryAfter(f *testing.F) {
	f.Fuzz(func(t *testing.T, value, date string) {
		wait, ok := retryAfter(http.Header{"Retry-After": {value}, "Date": {date}})
		require.GreaterOrEqual(t, wait, time.Duration(0))
		require.True(t, ok || wait == 0)
	})
}
