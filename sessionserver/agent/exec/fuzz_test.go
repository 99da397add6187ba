package exec

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func FuzzLines(f *testing.F) {
	const most = 64
	f.Fuzz(func(t *testing.T, output []byte) {
		r := bufio.NewReaderSize(iotest.OneByteReader(bytes.NewReader(output)), 16)
		var rest int
		for range bytes.Count(output, []byte("\n")) + 1 {
			line, err := readLine(r, most)
			if errors.Is(err, errLongLine) {
				require.Greater(t, longestLine(output), most)
				return
			}
			rest += len(line)
			require.LessOrEqual(t, len(line), most+1)
			require.LessOrEqual(t, rest, len(output))
			h := parse(line)
			require.True(t, utf8.ValidString(h.Text))
			if h.Type == plain {
				require.LessOrEqual(t, utf8.RuneCountInString(h.Text), 1000)
			}
			for _, value := range []json.RawMessage{h.Content, h.Result} {
				_, err := json.Marshal(h.said(value))
				require.NoError(t, err)
			}
			require.GreaterOrEqual(t, h.size(), len(h.Text))
			_, _ = h.screenshot() // an error for what is no base64
			if err != nil {
				return
			}
		}
		_, err := readLine(r, most)
		require.Error(t, err, "there is nothing behind the last line")
	})
}

func longestLine(output []byte) (longest int) {
	for line := range bytes.SplitSeq(output, []byte("\n")) {
		longest = max(longest, len(line))
	}
	return longest
}
