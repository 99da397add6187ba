package reader

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"
	"github.com/stretchr/testify/require"
)

// Any page, any goal, any answers: the reader comes to facts that are JSON, to
// an error, or to a question about labels that tell its options apart.
func FuzzPage(f *testing.F) {
	address, err := url.Parse("http://shop.example/p")
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, html, goal, answer string) {
		doc, err := goquery.NewDocumentFromReader(strings.NewReader(html))
		if err != nil {
			return
		}
		p := newPage(address, doc)
		require.NotEmpty(t, p.summary())
		fields := fieldsIn(goal)
		st := &state{Goal: goal}
		for range 3 { // a product, a variant, and no more
			found, question := p.find(fields, st)
			if question == "" {
				result, missing := p.result(fields, found)
				_, err := json.Marshal(result)
				require.NoError(t, err)
				if len(missing) > 0 {
					require.Error(t, p.lacks(missing, found))
				}
				return
			}
			require.Greater(t, len(st.Options), 1)
			if label, ok := choose(answer, st.Options); ok {
				require.Contains(t, st.Options, label)
			}
			for _, option := range st.Options { // a label in full is its option
				label, ok := choose(option, st.Options)
				require.True(t, ok, "%q of %q", option, st.Options)
				require.Equal(t, strings.ToLower(clean(option)), strings.ToLower(clean(label)))
			}
			st.Chosen, st.Options = append(st.Chosen, st.Options[0]), nil
		}
		require.Fail(t, "asked a third time")
	})
}
