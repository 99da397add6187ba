package rest

import (
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
	"github.com/tmaxmax/go-sse"
)

func readAll(r io.Reader, maxSize int) (events []Event, err error) {
	for event, failed := range readEvents(r, maxSize) {
		if failed != nil {
			return events, failed
		}
		events = append(events, event)
	}
	return events, nil
}

func TestReadEventsGivesTheReadersErrorAsItIs(t *testing.T) {
	torn := errors.New("torn")
	events, err := readAll(io.MultiReader(strings.NewReader("data: a\n\ndata: b"), iotest.ErrReader(torn)), 1<<10)
	require.Len(t, events, 1)
	require.ErrorIs(t, err, torn)
}

func TestReadEventsBoundsAnEventAndNotTheStream(t *testing.T) {
	line := "data: " + strings.Repeat("x", 50) + "\n"
	events, err := readAll(strings.NewReader(strings.Repeat(line+"\n", 1000)), 64)
	require.NoError(t, err)
	require.Len(t, events, 1000)

	for name, input := range map[string]string{
		"by one line":            "data: " + strings.Repeat("x", 100) + "\n\n",
		"by several lines":       line + line + "\n",
		"by comments":            strings.Repeat(":\n", 50) + "\n",
		"by a line without end":  strings.Repeat("x", 100),
		"after one that fits":    line + "\n" + line + line,
		"in an end of many bits": line + strings.Repeat("id\r", 3) + "data: x\n\n",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := readAll(iotest.OneByteReader(strings.NewReader(input)), 64)
			require.ErrorIs(t, err, ErrEventTooLarge)
		})
	}
}

func TestReadEventsDoesNotWaitForTheByteAfterACR(t *testing.T) {
	near, far := io.Pipe()
	go func() { _, _ = io.WriteString(far, "data: a\r\r") }()
	for event, err := range readEvents(near, 1<<10) {
		require.NoError(t, err)
		require.Equal(t, "a", string(event.Data))
		break
	}
	require.NoError(t, near.Close())
}

// pieces gives a string in reads of odd sizes.
type pieces struct {
	rest string
	rand *rand.Rand
}

func (p *pieces) Read(into []byte) (int, error) {
	if p.rest == "" {
		return 0, io.EOF
	}
	n := copy(into, p.rest[:min(1+p.rand.IntN(8), len(p.rest))])
	p.rest = p.rest[n:]
	return n, nil
}

// What a stream says does not depend on how its bytes arrive, and another
// reader of event streams understands the same.
func FuzzReadEvents(f *testing.F) {
	for _, seed := range []string{
		"id: 7\nevent: question\ndata: {\"text\":\"Which size?\",\"message_id\":7}\n\n",
		"data: a\r\ndata: b\r\n\r\n: comment\r\n\r\nevent: done\r\ndata:\r\n\r\n",
		"\xEF\xBB\xBFdata: bom\r\rid\r\rdata: x",
		"data\n\n\n\ndata: \x00\xff\n\n",
		"data: " + strings.Repeat("x", 300) + "\n\n",
	} {
		f.Add(seed, uint64(len(seed)))
	}
	f.Fuzz(func(t *testing.T, input string, seed uint64) {
		whole, wholeErr := readAll(strings.NewReader(input), 256)
		split, splitErr := readAll(&pieces{input, rand.New(rand.NewPCG(seed, 0))}, 256)
		require.Equal(t, whole, split)
		require.Equal(t, wholeErr, splitErr)
		const mark = "\uFEFF" // the other one takes it off behind blank lines too, which the standard does not
		if wholeErr != nil || (!strings.HasPrefix(input, mark) && strings.HasPrefix(strings.TrimLeft(input, "\r\n"), mark)) {
			return
		}
		var theirs []Event
		for event, err := range sse.Read(strings.NewReader(input), nil) {
			require.NoError(t, err)
			if event.Type != "" || event.Data != "" {
				theirs = append(theirs, Event{ID: event.LastEventID, Type: event.Type, Data: []byte(event.Data)})
			}
		}
		require.Len(t, whole, len(theirs))
		for i, event := range whole {
			if event.ID == "" {
				theirs[i].ID = "" // that of an earlier event
			}
			require.Equal(t, theirs[i], event)
		}
	})
}
