package activities

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const priceSchema = `{
	"$schema": "https://json-schema.org/draft/2020-12/schema",
	"type": "object",
	"properties": {"price": {"$ref": "#/$defs/money"}},
	"required": ["price"],
	"$defs": {"money": {"type": "number", "minimum": 0}}
}`

func TestAResultMustFitItsSchema(t *testing.T) {
	for name, test := range map[string]struct {
		schema, result string
		errType        string // empty: it fits
		message        string
	}{
		"no schema, any result":      {result: `[1,"two",null]`},
		"a result that fits":         {schema: priceSchema, result: `{"price":42,"name":"lamp"}`},
		"a draft-07 schema":          {schema: `{"$schema":"http://json-schema.org/draft-07/schema#","type":"string"}`, result: `"sold out"`},
		"true fits all":              {schema: `true`, result: `null`},
		"a field is missing":         {schema: priceSchema, result: `{"name":"lamp"}`, errType: ErrTypeResultMismatch, message: "missing property 'price'"},
		"a field has the wrong type": {schema: priceSchema, result: `{"price":"42"}`, errType: ErrTypeResultMismatch, message: "at '/price': got string, want number"},
		"a string is no object":      {schema: priceSchema, result: `"{\"price\":42}"`, errType: ErrTypeResultMismatch, message: "got string, want object"},
		"false fits nothing":         {schema: `false`, result: `null`, errType: ErrTypeResultMismatch, message: "does not fit the result schema"},
		"it is not JSON":             {schema: priceSchema, result: `price: 42`, errType: ErrTypeResultMismatch, message: "the agent's result is not JSON"},
		"there is JSON and more":     {schema: priceSchema, result: `{"price":42} or so`, errType: ErrTypeResultMismatch, message: "the agent's result is not JSON"},
		"as large as may be":         {result: `"` + strings.Repeat("x", MaxResult-2) + `"`},
		"too large": {result: `"` + strings.Repeat("x", MaxResult-1) + `"`, errType: ErrTypeResultTooLarge,
			message: "the agent's result has 1048577 bytes, more than the 1048576 that a task may return: ask it for less"},
	} {
		t.Run(name, func(t *testing.T) {
			schema, err := compileSchema(json.RawMessage(test.schema))
			require.NoError(t, err)
			err = checkResult(schema, json.RawMessage(test.result))
			if test.errType == "" {
				require.NoError(t, err)
				return
			}
			require.Contains(t, requireType(t, err, test.errType, false).Message(), test.message)
		})
	}
}

func TestASchemaMustBeOneAndStandAlone(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret.json")
	require.NoError(t, os.WriteFile(secret, []byte(`{"const":"sesame"}`), 0o600))
	for name, test := range map[string]struct{ schema, want string }{
		"not JSON":                     {`type: object`, "invalid character"},
		"JSON and more":                {`{} {}`, "invalid character"},
		"no schema":                    {`{"type": "thing"}`, "/type"},
		"a pattern that is none":       {`{"pattern": "("}`, "/pattern"},
		"a reference to a file":        {`{"$ref": "file://` + secret + `"}`, "a result schema must stand alone"},
		"a reference to a path":        {`{"properties": {"a": {"$ref": "` + secret + `"}}}`, "a result schema must stand alone"},
		"a reference to the web":       {`{"$ref": "https://vendor.invalid/schema.json"}`, "a result schema must stand alone"},
		"a dialect from the web":       {`{"$schema": "https://vendor.invalid/dialect"}`, "a result schema must stand alone"},
		"a reference under another id": {`{"$id": "file:///etc/", "$ref": "passwd"}`, "a result schema must stand alone"},
	} {
		t.Run(name, func(t *testing.T) {
			err := CheckSchema(json.RawMessage(test.schema))
			require.ErrorContains(t, err, test.want)
			require.NotContains(t, err.Error(), "sesame")
		})
	}
	require.NoError(t, CheckSchema(json.RawMessage(priceSchema)))
	require.NoError(t, CheckSchema(nil), "no schema is no fault")
}
