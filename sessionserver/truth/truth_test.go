package truth

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var noon = time.Date(2026, 11, 2, 12, 0, 0, 1, time.UTC)

func at(second int) time.Time { return noon.Add(time.Duration(second) * time.Second) }

// story has a fact of every kind.
var story = []Fact{
	{At: at(0), Kind: Started, Start: 1},
	{At: at(1), Kind: Created, Session: "a", Agent: "script", Owner: "ada", RestoredFrom: "z"},
	{At: at(2), Kind: Fault, Fault: "lost-after", Operation: "create"},
	{At: at(3), Kind: Created, Session: "b", Agent: "reader"},
	{At: at(4), Kind: Message, Session: "a", MessageID: 1, Text: "go <on>\n", As: Goal},
	{At: at(5), Kind: Question, Session: "a", MessageID: 2, Text: "Which?"},
	{At: at(6), Kind: Message, Session: "a", MessageID: 3, Text: "M", As: Answer},
	{At: at(7), Kind: Message, Session: "a", MessageID: 4, Text: "hurry", As: Information},
	{At: at(8), Kind: Paused, Session: "a"},
	{At: at(9), Kind: Resumed, Session: "a"},
	{At: at(10), Kind: Done, Session: "a", MessageID: 5, SHA256: "5d", Result: json.RawMessage(`{"a":1}`)},
	{At: at(11), Kind: Failed, Session: "b", MessageID: 1, Text: "no luck"},
	{At: at(12), Kind: Cancelled, Session: "b"},
	{At: at(13), Kind: Snapshot, Session: "a", Mode: "memory"},
	{At: at(14), Kind: Deleting, Session: "a", Mode: "memory", By: ByClient},
	{At: at(15), Kind: Deleted, Session: "a", Mode: "memory", By: ByClient},
	{At: at(16), Kind: Missed, Session: "a", Mode: "none", By: ByClient},
	{At: at(17), Kind: Deleting, Session: "b", Mode: "none", By: ByVanish},
}

// file makes a log of these facts.
func file(t testing.TB, facts ...Fact) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "truth.jsonl")
	w, before, err := Open(path)
	require.NoError(t, err)
	require.Empty(t, before.Facts)
	for _, f := range facts {
		require.NoError(t, w.Write(f))
	}
	require.NoError(t, w.Close())
	return path
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	log, err := Read(file(t, story...))
	require.NoError(t, err)
	require.Equal(t, story, log.Facts)
}

func TestALogIsReadBySession(t *testing.T) {
	log := Log{Facts: story}
	all := log.Sessions()
	require.Len(t, all, 2)
	require.Equal(t, []string{"a", "b"}, []string{all[0].ID, all[1].ID})
	require.Equal(t, []Fact{story[3], story[11], story[12], story[17]}, all[1].Facts)
	require.Equal(t, []Fact{story[4], story[6], story[7]}, all[0].Of(Message))
	require.Equal(t, []Fact{story[5], story[10], story[11]}, log.Of(Question, Done, Failed))
	require.Equal(t, []Fact{story[17]}, log.Undecided(), "the delete of a came out")
	require.Equal(t, []Fact{{At: at(9), Kind: Paused, Session: "a"}, {At: at(8), Kind: Paused, Session: "b"}},
		log.Lacking([]Fact{story[1], {At: at(9), Kind: Paused, Session: "a"}, story[5], {At: at(8), Kind: Paused, Session: "b"}}))
}

func TestALogGoesOnWhereItsServerWasKilled(t *testing.T) {
	whole, err := os.ReadFile(file(t, story...))
	require.NoError(t, err)
	last := len(whole) - strings.LastIndex(strings.TrimSuffix(string(whole), "\n"), "\n") - 1
	for cut := 1; cut <= last; cut++ {
		path := filepath.Join(t.TempDir(), "truth.jsonl")
		require.NoError(t, os.WriteFile(path, whole[:len(whole)-cut], 0o600))
		log, err := Read(path)
		require.NoError(t, err)
		require.Equal(t, story[:len(story)-1], log.Facts)

		w, before, err := Open(path)
		require.NoError(t, err)
		require.Equal(t, log, before)
		require.NoError(t, w.Write(story[len(story)-1]))
		require.NoError(t, w.Close())
		again, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, string(whole), string(again))
	}
}

func TestAFileOfAnotherKindIsLeftAlone(t *testing.T) {
	for name, content := range map[string]string{
		"a key":                     "sk-secret",
		"a key and a line's end":    "sk-secret\n",
		"a configuration":           "[session_server]\nfaults = \"x\"\n",
		"JSON of another kind":      `{"a":1}` + "\n",
		"an array":                  "[]",
		"a log damaged in between":  `{"at":"2026-11-02T12:00:00Z","fact":"started"}` + "\n?\n" + `{"at":"2026-11-02T12:00:00Z","fact":"started"}` + "\n",
		"a log that goes on as not": `{"at":"2026-11-02T12:00:00Z","fact":"started"}` + "\nhello",
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "file")
			require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
			_, err := Read(path)
			require.ErrorContains(t, err, "is none of such a log")
			_, _, err = Open(path)
			require.ErrorContains(t, err, "is none of such a log")
			require.NotContains(t, err.Error(), "sk-secret")
			left, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Equal(t, content, string(left))
		})
	}
	_, err := Read(filepath.Join(t.TempDir(), "none"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestALogHasOneWriter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "truth.jsonl")
	w, _, err := Open(path)
	require.NoError(t, err)
	_, _, err = Open(path)
	require.ErrorContains(t, err, "another session server writes")
	require.NoError(t, w.Close())
	require.NoError(t, w.Close(), "a second time")
	require.Error(t, w.Write(story[0]))
	w, _, err = Open(path)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), "the texts in it are private")
}

func TestADigestIsThatOfTheValueNotOfItsBytes(t *testing.T) {
	digest := func(text string) string {
		d, err := Digest(json.RawMessage(text))
		require.NoError(t, err, text)
		return d
	}
	require.Equal(t, digest(`{"a":[1,"<é>"],"b":null}`), digest("{ \"b\" : null,\n\"a\":[1, \"\\u003c\\u00e9\\u003e\"] }"))
	different := map[string]string{}
	for _, text := range []string{`1`, `1.0`, `"1"`, `null`, `[]`, `{}`, `[1]`, `12345678901234567890`, `12345678901234567891`} {
		d := digest(text)
		require.Empty(t, different[d], text)
		different[d] = text
	}
	for _, text := range []string{"", "{", "1 2", "nul"} {
		_, err := Digest(json.RawMessage(text))
		require.ErrorContains(t, err, "digest of a JSON value", text)
	}
}

func FuzzLogsAreReadUpToWhereTheyAreTorn(f *testing.F) {
	whole := func(facts []Fact) []byte {
		data, err := os.ReadFile(file(f, facts...))
		require.NoError(f, err)
		return data
	}
	f.Add(whole(story), uint(3))
	f.Add(whole(story[:1]), uint(0))
	f.Add([]byte("{\"at\":\"2026-11-02T12:00:00Z\",\"fact\":\"new\",\"more\":[1]}\n\n"), uint(1))
	f.Add([]byte("sk-secret"), uint(2))
	f.Fuzz(func(t *testing.T, data []byte, cut uint) {
		log, size, err := parse(data)
		if err != nil {
			return
		}
		require.LessOrEqual(t, size, len(data))
		require.Len(t, log.Facts, strings.Count(string(data[:size]), "\n"))
		for _, f := range log.Facts {
			require.NotEmpty(t, f.Kind)
		}
		total := 0
		for _, s := range log.Sessions() {
			total += len(s.Facts)
		}
		require.LessOrEqual(t, total, len(log.Facts))
		require.Empty(t, log.Lacking(log.Facts))

		for line := range bytes.Lines(data[:size]) {
			if !begins(line) { // what no server writes need not be read when torn
				return
			}
		}
		// A log that ends earlier, anywhere, has the same facts up to there.
		torn, _, err := parse(data[:size-int(cut%uint(size+1))])
		require.NoError(t, err)
		require.LessOrEqual(t, len(torn.Facts), len(log.Facts))
		for i, f := range torn.Facts {
			require.Equal(t, log.Facts[i], f)
		}
	})
}
