package everruns

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// openapiVariable names the vendor's OpenAPI file of the older profile, which
// is not kept here.
const openapiVariable = "EVERRUNS_OPENAPI"

type openapi struct {
	Paths map[string]map[string]struct {
		Parameters []struct {
			Name string `json:"name"`
			In   string `json:"in"`
		} `json:"parameters"`
	} `json:"paths"`
	Components struct {
		Schemas map[string]*schema `json:"schemas"`
	} `json:"components"`
}

type schema struct {
	Ref        string             `json:"$ref"`
	Type       any                `json:"type"`
	Properties map[string]*schema `json:"properties"`
	Required   []string           `json:"required"`
	Items      *schema            `json:"items"`
	Enum       []string           `json:"enum"`
	OneOf      []*schema          `json:"oneOf"`
	AllOf      []*schema          `json:"allOf"`
}

func readOpenAPI(t *testing.T) openapi {
	t.Helper()
	path := os.Getenv(openapiVariable)
	if path == "" {
		t.Skip("not checked against the vendor's OpenAPI file: name it in " + openapiVariable)
	}
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	var api openapi
	require.NoError(t, json.Unmarshal(raw, &api))
	return api
}

// resolve follows references, and null|something to something.
func (api openapi) resolve(s *schema) *schema {
	for s != nil {
		switch {
		case s.Ref != "":
			s = api.Components.Schemas[s.Ref[strings.LastIndex(s.Ref, "/")+1:]]
			continue
		case len(s.OneOf) == 2 && s.OneOf[0].Type == "null":
			s = s.OneOf[1]
			continue
		}
		break
	}
	return s
}

// merged is a schema with the properties of all that it is made of.
func (api openapi) merged(s *schema) *schema {
	s = api.resolve(s)
	out := &schema{Type: s.Type, Properties: maps.Clone(s.Properties), Required: slices.Clone(s.Required)}
	if out.Properties == nil {
		out.Properties = map[string]*schema{}
	}
	for _, part := range s.AllOf {
		part = api.merged(part)
		maps.Copy(out.Properties, part.Properties)
		out.Required = append(out.Required, part.Required...)
	}
	for i, part := range s.OneOf { // required is what each of them requires
		part = api.merged(part)
		maps.Copy(out.Properties, part.Properties)
		if i == 0 {
			out.Required = part.Required
		}
		out.Required = slices.DeleteFunc(out.Required, func(name string) bool { return !slices.Contains(part.Required, name) })
	}
	return out
}

// goField is a field as JSON sees it.
type goField struct {
	kind     reflect.Type
	optional bool
}

func fieldsOf(t *testing.T, value any) map[string]goField {
	t.Helper()
	fields := map[string]goField{}
	for _, f := range reflect.VisibleFields(reflect.TypeOf(value)) {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name != "" && name != "-" {
			fields[name] = goField{f.Type, strings.Contains(options, "omit")}
		}
	}
	require.NotEmpty(t, fields)
	return fields
}

// fits reports whether the Go type can hold what the schema describes.
func (api openapi) fits(kind reflect.Type, s *schema) bool {
	s = api.resolve(s)
	if kind == reflect.TypeFor[json.RawMessage]() {
		return true
	}
	if kind.Kind() == reflect.Pointer {
		kind = kind.Elem()
	}
	types := []string{}
	switch named := s.Type.(type) {
	case string:
		types = append(types, named)
	case []any:
		for _, name := range named {
			types = append(types, name.(string))
		}
	}
	switch {
	case kind == reflect.TypeFor[Timestamp]():
		return slices.Contains(types, "string")
	case len(s.Enum) > 0 || slices.Contains(types, "string"):
		return kind.Kind() == reflect.String
	case slices.Contains(types, "integer"):
		return kind.Kind() == reflect.Int || kind.Kind() == reflect.Int64
	case slices.Contains(types, "boolean"):
		return kind.Kind() == reflect.Bool
	case slices.Contains(types, "array"):
		return kind.Kind() == reflect.Slice && (s.Items == nil || kind == reflect.TypeFor[Content]() || api.fits(kind.Elem(), s.Items))
	case slices.Contains(types, "object") || len(s.AllOf) > 0 || len(s.OneOf) > 0:
		return kind.Kind() == reflect.Struct || kind.Kind() == reflect.Map
	}
	return false // a schema that says nothing needs json.RawMessage
}

// Of fields that the older profile does not have, and of what it requires and
// is left out all the same.
var (
	currentFields = map[string]string{
		"CreateSessionRequest": "agent_name harness_id harness_name locale max_iterations parallel_tool_calls system_prompt tools workspace_id",
		"Session":              "harness_id owner_principal_id workspace_id self_url view_url ui_link allowed_actions",
		"Message":              "session_id sequence", // of the list alone
	}
	leftOut = map[string]string{
		"CreateSessionRequest": "agent_id", // in whose place the current profile takes agent_name
	}
)

func TestTypesAreThoseOfTheOpenAPIFile(t *testing.T) {
	api := readOpenAPI(t)
	for name, value := range map[string]any{
		"CreateSessionRequest": CreateSessionRequest{}, "UpdateSessionRequest": UpdateSessionRequest{}, "Session": Session{},
		"AgentCapabilityConfig": CapabilityRef{}, "TokenUsage": TokenUsage{}, "CancelTurnResponse": CancelResult{},
		"CreateMessageRequest": CreateMessageRequest{}, "InputMessage": InputMessage{}, "Controls": Controls{},
		"ReasoningConfig": ReasoningConfig{}, "Message": Message{}, "ContentPart": ContentPart{},
		"Event": Event{}, "EventContext": EventContext{},
		"Agent": Agent{}, "CreateAgentRequest": CreateAgentRequest{}, "LlmModelWithProvider": Model{},
		"ReasonCompletedData": ReasonCompletedData{}, "ReasonThinkingCompletedData": ThinkingData{},
		"ReasonThinkingDeltaData": DeltaData{}, "OutputMessageDeltaData": DeltaData{}, "ToolCall": ToolCall{},
		"ToolStartedData": ToolStartedData{}, "ToolCompletedData": ToolCompletedData{}, "ActCompletedData": ActCompletedData{},
		"OutputMessageCompletedData": MessageData{},
	} {
		t.Run(name, func(t *testing.T) {
			described := api.merged(api.Components.Schemas[name])
			require.NotEmpty(t, described.Properties)
			fields := fieldsOf(t, value)
			for property, s := range described.Properties {
				field, there := fields[property]
				require.True(t, there, "no field for %s", property)
				require.True(t, api.fits(field.kind, s), "%s is %s", property, field.kind)
				required := slices.Contains(described.Required, property)
				if !slices.Contains(strings.Fields(leftOut[name]), property) {
					require.Equal(t, !required, field.optional, "whether %s is optional", property)
				}
				delete(fields, property)
			}
			for known := range strings.FieldsSeq(currentFields[name]) {
				require.Contains(t, fields, known)
				require.True(t, fields[known].optional, known)
				delete(fields, known)
			}
			require.Empty(t, fields, "fields of no vintage")
		})
	}
	// One Go type for several payloads holds what each of them has.
	for _, name := range []string{
		"TurnStartedData", "TurnCompletedData", "TurnFailedData", "TurnCancelledData", "SessionActivatedData", "SessionIdledData",
	} {
		fields := fieldsOf(t, TurnData{})
		for property, s := range api.merged(api.Components.Schemas[name]).Properties {
			require.Contains(t, fields, property, name)
			require.True(t, api.fits(fields[property].kind, s), "%s of %s", property, name)
		}
	}
	require.Contains(t, api.merged(api.Components.Schemas["ActStartedData"]).Properties, "tool_calls")
	require.Contains(t, api.merged(api.Components.Schemas["InputMessageData"]).Properties, "message")
}

func TestTheWordsAreThoseOfTheOpenAPIFile(t *testing.T) {
	api := readOpenAPI(t)
	for name, words := range map[string][]string{
		"SessionStatus":   {string(SessionStarted), string(SessionActive), string(SessionIdle)},
		"MessageRole":     {string(RoleSystem), string(RoleUser), string(RoleAgent), string(RoleToolResult)},
		"CancelStatus":    {string(CancelCancelled), string(CancelNoOp)},
		"AgentStatus":     {string(AgentActive), string(AgentArchived)},
		"LlmModelSource":  {string(SourceManual), string(SourceDiscovered), string(SourcePredefined)},
		"LlmModelStatus":  {string(ModelActive), string(ModelDisabled)},
		"ReasoningEffort": {string(EffortNone), string(EffortMinimal), string(EffortLow), string(EffortMedium), string(EffortHigh), string(EffortXHigh)},
	} {
		require.ElementsMatch(t, api.Components.Schemas[name].Enum, words, name)
	}
}

func TestCallsAreThoseOfTheOpenAPIFile(t *testing.T) {
	api := readOpenAPI(t)
	type operation struct {
		template *regexp.Regexp
		method   string
		queries  []string
	}
	var operations []operation
	for path, methods := range api.Paths {
		for method, described := range methods {
			var queries []string
			for _, p := range described.Parameters {
				if p.In == "query" {
					queries = append(queries, p.Name)
				}
			}
			template := regexp.MustCompile("^" + regexp.MustCompile(`\{[^}]*\}`).ReplaceAllString(path, `[^/]+`) + "$")
			operations = append(operations, operation{template, strings.ToUpper(method), queries})
		}
	}
	current := map[string]bool{ // calls that the current profile has added
		"list models": true, "list events of the current profile": true, "submit tool results": true,
		"list tasks": true, "list all tasks": true, "get a task": true, "cancel a task": true, "answer a task": true,
	}
	ofCurrent := []string{"search"} // queries that it has added
	for name, test := range apiCalls(t) {
		if current[name] || strings.Contains(test.sent, "%2F") {
			continue
		}
		t.Run(name, func(t *testing.T) {
			var sent *http.Request
			client, err := New(Config{HTTPClient: &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
				sent = r
				return &http.Response{StatusCode: http.StatusNoContent, Body: http.NoBody, Request: r}, nil
			})}})
			require.NoError(t, err)
			_, err = test.call(context.WithoutCancel(t.Context()), client)
			require.NoError(t, err)
			if sent.Body != nil {
				_, _ = io.Copy(io.Discard, sent.Body)
			}
			at := slices.IndexFunc(operations, func(o operation) bool {
				return o.method == sent.Method && o.template.MatchString(strings.TrimPrefix(sent.URL.Path, "/api"))
			})
			require.GreaterOrEqual(t, at, 0, "%s %s", sent.Method, sent.URL.Path)
			for query := range sent.URL.Query() {
				require.Contains(t, append(ofCurrent, operations[at].queries...), query)
			}
		})
	}
}
