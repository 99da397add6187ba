package agen

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAPayloadIsTextForPeople(t *testing.T) {
	for payload, want := range map[string]string{
		`{"type":"user_message","message":"Add a retry"}`: "Add a retry",
		`{"type":"agent_ask_user","question":"Which?"}`:   "Which?",
		`{"text":"c","message":"b","question":"a"}`:       "a",
		`{"text":"c","message":"b"}`:                      "b",
		`{"text":"c"}`:                                    "c",
		`{"question":"","message":"b"}`:                   "b",
		`{"question":["a"],"text":"c"}`:                   "c",
		`{"question": ["a"]}`:                             `{"question":["a"]}`,
		`{"path": "main.go"}`:                             `{"path":"main.go"}`,
		`"plain"`:                                         "plain",
		`[1, 2]`:                                          "[1,2]",
		`7`:                                               "7",
		`{"type":"session_finished"}`:                     "",
		`{}`:                                              "",
		`null`:                                            "",
		``:                                                "",
		`{"message":`:                                     "",
	} {
		require.Equal(t, want, PayloadText(json.RawMessage(payload)), payload)
		require.Equal(t, want, SessionEvent{Payload: json.RawMessage(payload)}.Text(), payload)
	}
}
