package shop

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func FuzzPriceChange(f *testing.F) {
	f.Fuzz(func(t *testing.T, body string) {
		if _, price, err := readChange(strings.NewReader(body)); err == nil {
			require.Regexp(t, `^[0-9]{1,6}\.[0-9]{2}$`, price)
		}
	})
}
