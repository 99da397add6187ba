package activities

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// MaxResult is the largest result of a turn, in bytes of JSON. A result is
// kept twice in a history and Temporal refuses payloads above 2 MiB, some of
// them without a word to the caller.
const MaxResult = 1 << 20

func compileSchema(raw json.RawMessage) (*jsonschema.Schema, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	const name = "errand:///result-schema.json" // absolute, or the worker's directory would stand in errors
	c := jsonschema.NewCompiler()
	c.UseLoader(noLoader{})
	if err := c.AddResource(name, doc); err != nil {
		return nil, err
	}
	return c.Compile(name)
}

// noLoader keeps a schema from reading files of the worker's machine.
type noLoader struct{}

func (noLoader) Load(url string) (any, error) {
	return nil, fmt.Errorf("%s: a result schema must stand alone, without references to other documents", url)
}

// CheckSchema reports why raw is not a JSON Schema.
func CheckSchema(raw json.RawMessage) error {
	_, err := compileSchema(raw)
	return err
}

func checkResult(schema *jsonschema.Schema, result json.RawMessage) error {
	if len(result) > MaxResult {
		return finalError(ErrTypeResultTooLarge, fmt.Sprintf(
			"the agent's result has %d bytes, more than the %d that a task may return: ask it for less", len(result), MaxResult))
	}
	if schema == nil {
		return nil
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(result))
	if err != nil {
		return finalError(ErrTypeResultMismatch, "the agent's result is not JSON: "+err.Error())
	}
	if err := schema.Validate(value); err != nil {
		return finalError(ErrTypeResultMismatch, "the agent's result does not fit the result schema: "+err.Error())
	}
	return nil
}
