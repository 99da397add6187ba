package activities

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
)

func FuzzResultSchema(f *testing.F) {
	f.Fuzz(func(t *testing.T, schema, result string) {
		compiled, err := compileSchema(json.RawMessage(schema))
		if err != nil {
			return
		}
		if err := checkResult(compiled, json.RawMessage(result)); err != nil {
			app, ok := errors.AsType[*temporal.ApplicationError](err)
			require.True(t, ok)
			require.True(t, app.NonRetryable())
			require.Equal(t, ErrTypeResultMismatch, app.Type())
			require.LessOrEqual(t, len(app.Message()), maxMessage+len("…"))
		}
	})
}
