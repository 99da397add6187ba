package batchfile

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/errand-dev/errand/workflows"
)

func openText(t *testing.T, name, text string) *File {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	f, err := Open(path, "", nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, f.Close()) })
	return f
}

func plan(t *testing.T, prompt, url, key string) *Plan {
	t.Helper()
	p, err := NewPlan(prompt, url, key)
	require.NoError(t, err)
	return p
}

func anything(workflows.BatchItem) error { return nil }

func TestTheSameItemsComeOutOfBothFormats(t *testing.T) {
	p := plan(t, `Price of {{.name}}{{if ne .note ""}} ({{.note}}){{end}}`, "http://shop.example/{{.sku}}", "sku")
	for name, text := range map[string]string{
		"items.jsonl":  `{"sku":"a","name":"Pot, blue","note":""}` + "\n\n" + `  {"sku": "b/1", "name": "Mug \"M\"", "note": "two` + `\n` + `lines"}` + "\r\n",
		"items.ndjson": "\ufeff" + `{"sku":"a","name":"Pot, blue","note":""}` + "\n" + `{"sku":"b/1","name":"Mug \"M\"","note":"two\nlines"}`,
		"items.csv":    "sku,name,note\na,\"Pot, blue\",\n\nb/1,\"Mug \"\"M\"\"\",\"two\nlines\"\n",
		"ITEMS.CSV":    "\ufeffsku,name,note\r\na,\"Pot, blue\",\r\nb/1,\"Mug \"\"M\"\"\",\"two\nlines\"\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			f := openText(t, name, text)
			checked, err := f.Check(p, "flags", anything)
			require.NoError(t, err)
			require.Equal(t, 2, checked.Total)
			var items []workflows.BatchItem
			require.NoError(t, f.Write(p, "flags", checked, func(item workflows.BatchItem) error { items = append(items, item); return nil }))
			require.Equal(t, workflows.BatchItem{
				Index: 0, Key: "a", Name: "a", Item: []byte(`{"sku":"a","name":"Pot, blue","note":""}`),
				Prompt: "Price of Pot, blue", URL: "http://shop.example/a",
			}, items[0])
			require.Equal(t, "b/1", items[1].Key)
			require.Equal(t, "h-"+shortHash([]byte("b/1")), items[1].Name, "a key that is no word is hashed")
			require.Equal(t, "Price of Mug \"M\" (two\nlines)", items[1].Prompt)
			require.JSONEq(t, `{"sku":"b/1","name":"Mug \"M\"","note":"two\nlines"}`, string(items[1].Item))
		})
	}
}

func TestNumbersKeepTheirDigits(t *testing.T) {
	f := openText(t, "items.jsonl", `{"id":12345678901234567890,"price":24.50}`)
	for item, err := range f.Items(plan(t, "{{.id}} for {{.price}}", "", "id")) {
		require.NoError(t, err)
		require.Equal(t, "12345678901234567890 for 24.50", item.Prompt)
		require.Equal(t, "12345678901234567890", item.Key)
		require.JSONEq(t, `{"id":12345678901234567890,"price":24.50}`, string(item.Item))
	}
}

func TestWhatIsWrongWithAFileIsToldWithItsLines(t *testing.T) {
	good := `{"k":"a","x":"1"}` + "\n"
	for _, tt := range []struct {
		name, file, text string
		problems         []string
	}{
		{"no JSON", "f.jsonl", good + "k=b\n" + `{"k":}`, []string{"line 2: it is no JSON: invalid character 'k'", "line 3: it is no JSON"}},
		{"no object", "f.jsonl", "[1]\n\"a\"\n7\n", []string{"line 1: it is JSON, but no object", "line 2: it is JSON, but no object", "line 3: it is JSON, but no object"}},
		{"two objects in a line", "f.jsonl", good + `{"k":"b","x":"1"} {"k":"c","x":"1"}`, []string{"line 2: there is something behind the object"}},
		{"a line that breaks off", "f.jsonl", good + `{"k":"b","x":"1`, []string{"line 2: the JSON breaks off"}},
		{"a field twice", "f.jsonl", `{"k":"a","x":"1","x":"2"}`, []string{`line 1: the field "x" is there twice`}},
		{"no UTF-8", "f.jsonl", "{\"k\":\"a\",\"x\":\"\xff\"}", []string{"line 1: it is not valid UTF-8"}},
		{"a line that is too long", "f.jsonl", `{"k":"` + strings.Repeat("a", maxRecord) + "\"}\n" + good + good, []string{
			"line 1: it has more than 1048576 bytes", `line 3: the key "a" is that of line 2 already`}},
		{"no key", "f.jsonl", `{"x":"1"}` + "\n" + `{"k":"","x":"1"}` + "\n" + `{"k":[1],"x":"1"}`, []string{
			`line 1: the key's field "k" is missing (there is x)`, `line 2: the key's field "k" is empty`, `line 3: the key's field "k" is neither a text nor a number`}},
		{"a key twice", "f.jsonl", good + "\n" + good, []string{`line 3: the key "a" is that of line 1 already`}},
		{"a field that is missing", "f.jsonl", `{"k":"a","z":1}`, []string{`line 1: --prompt: the item has no field "x" (there is k, z)`}},
		{"a field that is null", "f.jsonl", `{"k":"a","x":null}`, []string{"line 1: --prompt: a field that it names is null"}},
		{"wrong in two ways", "f.jsonl", good + `{"k":"a","y":"1"}`, []string{`line 2: --prompt: the item has no field "x"`, `line 2: the key "a" is that of line 1 already`}},
		{"nothing", "f.jsonl", "\n \n", []string{"the file has no items"}},
		{"no header", "f.csv", "", []string{"it has no header"}},
		{"a header alone", "f.csv", "k,x\n", []string{"the file has no items"}},
		{"a header with a name twice", "f.csv", "k,x,x\na,1,2\n", []string{`line 1: the header has the field "x" twice`}},
		{"a header without a name", "f.csv", "k,,x\na,1,2\n", []string{"line 1: column 2 of the header has no name"}},
		{"fields too many and too few", "f.csv", "k,x\na,1\nb\nc,1,2\nd,4\n", []string{"line 3: it has 1 fields, the header has 2", "line 4: it has 3 fields, the header has 2"}},
		{"a quote in the middle", "f.csv", "k,x\na,6\" pot\nb,2\na,1\na,2\n", []string{"line 2: there is a quote in a field that is not quoted", `line 5: the key "a" is that of line 4 already`}},
		{"a quote without an end", "f.csv", "k,x\na,1\nb,\"2\nc,3\n", []string{"line 3: a quoted field"}},
		{"a quote without an end in a large file", "f.csv", "k,x\na,1\nb,\"2\n" + strings.Repeat("c,3\n", maxRecord/3), []string{"has more than 1048576 bytes: a quote may have no end"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := openText(t, tt.file, tt.text).Check(plan(t, "say {{.x}}", "", "k"), nil, anything)
			var problems *Problems
			require.ErrorAs(t, err, &problems)
			require.Equal(t, len(tt.problems), problems.Count, "%v", problems.First)
			for i, want := range tt.problems {
				require.ErrorContains(t, problems.First[i], want)
			}
		})
	}
}

func TestOnlyTheFirstOfVeryManyProblemsAreKept(t *testing.T) {
	_, err := openText(t, "f.jsonl", strings.Repeat("no\n", 1000)).Check(plan(t, "x", "", ""), nil, anything)
	var problems *Problems
	require.ErrorAs(t, err, &problems)
	require.Equal(t, 1000, problems.Count)
	require.Len(t, problems.First, MostProblems)
}

func TestWithoutAKeyItemsAreTheirContents(t *testing.T) {
	p := plan(t, "x", "", "")
	_, err := openText(t, "f.jsonl", `{"a":1,"b":2}`+"\n"+`{"a":1,"b":3}`+"\n"+`{ "b":2, "a":1 }`).Check(p, nil, anything)
	require.ErrorContains(t, err, "line 3: it is the same as line 1: leave one out, or tell them apart with --key")
}

func TestTheDigestIsThatOfAllThatABatchIsMadeOf(t *testing.T) {
	digest := func(text, prompt, key string, common any) string {
		checked, err := openText(t, "f.jsonl", text).Check(plan(t, prompt, "", key), common, anything)
		require.NoError(t, err)
		return checked.Digest
	}
	base := digest(`{"a":1}`, "p", "a", 1)
	require.Equal(t, base, digest("\n"+`{ "a" : 1 }`+"\r\n", "p", "a", 1), "spaces between make no other batch")
	for _, other := range []string{digest(`{"a":2}`, "p", "a", 1), digest(`{"a":1}`, "q", "a", 1), digest(`{"a":1}`, "p", "", 1), digest(`{"a":1}`, "p", "a", 2)} {
		require.NotEqual(t, base, other)
	}
}

func TestAFileThatChangesBetweenTheTwoReadingsIsRefused(t *testing.T) {
	p := plan(t, "x", "", "a")
	f := openText(t, "f.jsonl", `{"a":1}`)
	checked, err := f.Check(p, nil, anything)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(f.file.Name(), []byte(`{"a":2}`), 0o600))
	err = f.Write(p, nil, checked, anything)
	require.ErrorContains(t, err, "the file was changed while it was read")
}

func TestATemplateThatIsNoneOrRunsWildIsRefused(t *testing.T) {
	_, err := NewPlan("{{.x", "", "")
	require.ErrorContains(t, err, "--prompt is no template: ")
	_, err = NewPlan("x", "{{nosuch .x}}", "")
	require.ErrorContains(t, err, `--url is no template: --url:1: function "nosuch" not defined`)
	_, err = plan(t, "{{range 100000000}}x{{end}}", "", "").Render(Record{})
	require.ErrorContains(t, err, "--prompt: the text is far too long")
}

func TestTheFormatIsKnownOrAskedFor(t *testing.T) {
	_, err := Open("items.txt", "", nil)
	require.ErrorContains(t, err, "items.txt does not end in .jsonl, .ndjson or .csv: say which it is with --format")
	_, err = Open("-", "", nil)
	require.ErrorContains(t, err, "say with --format what comes in on stdin")
	_, err = Open("-", "xml", nil)
	require.ErrorContains(t, err, `unknown format "xml"`)
	_, err = Open(t.TempDir(), CSV, nil)
	require.ErrorContains(t, err, "is a folder")
	f, err := Open("-", CSV, strings.NewReader("a\n1\n"))
	require.NoError(t, err)
	for range 2 { // what comes in once can be read twice
		checked, err := f.Check(plan(t, "{{.a}}", "", ""), nil, anything)
		require.NoError(t, err)
		require.Equal(t, 1, checked.Total)
	}
	spooled := f.file.Name()
	require.NoError(t, f.Close())
	require.NoFileExists(t, spooled)
}

func FuzzWhateverAFileHoldsIsReadOrTold(f *testing.F) {
	f.Add([]byte(`{"a":1}`+"\n"), true)
	f.Add([]byte("a,b\n1,\"2\n"), false)
	f.Fuzz(func(t *testing.T, text []byte, lines bool) {
		read := readCSV
		if lines {
			read = readJSONL
		}
		before := 0
		read(strings.NewReader(string(text)), func(r Record, err error) bool {
			if e, ok := errors.AsType[*LineError](err); ok {
				require.Positive(t, e.Line)
			} else if err == nil {
				require.Greater(t, r.Line, before, "%q", text)
				before = r.Line
				_, err := parseObject(r.JSON)
				require.NoError(t, err, "%s", r.JSON)
			}
			return true
		})
	})
}
