package agi

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestScreenshotImageIsReadFromADataURLOrAlone(t *testing.T) {
	for encoded, want := range map[string]string{
		"data:image/jpeg;base64,/9g=": "image/jpeg",
		"data:image/png;base64,/9g=":  "image/png",
		"/9g=":                        "",
	} {
		image, mediaType, err := Screenshot{Screenshot: encoded}.Image()
		require.NoError(t, err, encoded)
		require.Equal(t, []byte{0xFF, 0xD8}, image)
		require.Equal(t, want, mediaType)
	}
	for encoded, want := range map[string]string{
		"data:image/svg+xml,<svg/>": "not in base64",
		"data:image/jpeg;base64,?":  "illegal base64 data",
		"":                          "no picture",
	} {
		_, _, err := Screenshot{Screenshot: encoded}.Image()
		require.ErrorContains(t, err, want, encoded)
	}
}
