package agi

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestContentTextIsForPeople(t *testing.T) {
	for raw, want := range map[string]string{
		`"plain"`:                     "plain",
		`{"text":"in an object"}`:     "in an object",
		`["a",{"text":"b"},null,""]`:  "a\nb",
		`[{"type":"image","url":1}]`:  `{"type":"image","url":1}`,
		`{"price": 12.5, "name":"x"}`: `{"price":12.5,"name":"x"}`,
		`{"text": {"not": "text"}}`:   `{"text":{"not":"text"}}`,
		`{"text": null}`:              `{"text":null}`,
		`42`:                          "42",
		`null`:                        "",
		`[]`:                          "",
		``:                            "",
		`{"broken`:                    "",
	} {
		t.Run(raw, func(t *testing.T) {
			require.Equal(t, want, Message{Content: json.RawMessage(raw)}.Text())
		})
	}
}

func FuzzContentText(f *testing.F) {
	for _, seed := range []string{`"a"`, `{"text":"a"}`, `["a",{"text":"b"},[1]]`, `{"text":1}`, `null`, `{`, ``} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		text := ContentText(raw)
		if !json.Valid(raw) {
			require.Empty(t, text)
		}
		var plain string
		if json.Unmarshal(raw, &plain) == nil {
			require.Equal(t, plain, text)
		}
	})
}
