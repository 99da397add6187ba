package provider

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAResultInTextIsTheJSONThatItHolds(t *testing.T) {
	for text, result := range map[string]string{
		`{"price":"24.50"}`:                     `{"price":"24.50"}`,
		" [1, 2]\n":                             `[1, 2]`,
		"42":                                    `42`,
		"```json\n{\"price\": 3}\n```":          `{"price": 3}`,
		"```\n[]\n```\n":                        `[]`,
		"Blue Teapot, 24.50":                    `"Blue Teapot, 24.50"`,
		"":                                      `""`,
		"{not json}":                            `"{not json}"`,
		"```json\n{\"a\": }\n```":               "\"```json\\n{\\\"a\\\": }\\n```\"",
		"```go\n1\n```":                         "\"```go\\n1\\n```\"",
		"Here:\n```json\n{\"a\":1}\n```":        "\"Here:\\n```json\\n{\\\"a\\\":1}\\n```\"",
		"```json\n1\n```\nand\n```json\n2\n```": "\"```json\\n1\\n```\\nand\\n```json\\n2\\n```\"",
		"\xff":                                  `"\ufffd"`,
	} {
		require.Equal(t, result, string(resultOfText(text)), text)
	}
}
