package reader

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"
	"github.com/stretchr/testify/require"
)

func TestFieldsThatAGoalAsksFor(t *testing.T) {
	for goal, want := range map[string][]field{
		"Report the product's name and price":        {name, price},
		"How much is it, and is it in stock?":        {price, availability},
		"What does it cost? Which brand? Any stars?": {price, rating, brand},
		"Title and description, please":              {title, description},
		"currency, SKU, canonical link":              {currency, sku, location},
		"Look at http://a.example/name?price=1":      nil,
		"Who is the username?":                       nil,
		"Tell me everything":                         nil,
	} {
		require.Equal(t, want, fieldsIn(goal), goal)
	}
}

func TestAddressesInAGoal(t *testing.T) {
	for goal, want := range map[string]string{
		"see http://a.example/x.":           "http://a.example/x",
		"(https://a.example/x?y=1), thanks": "https://a.example/x?y=1",
		"<http://a.example>":                "http://a.example",
		"ftp://a.example":                   "",
		"nothing":                           "",
	} {
		require.Equal(t, want, urlIn(goal), goal)
	}
}

func TestAnswersToAQuestion(t *testing.T) {
	sizes := []string{"Small", "Large", "Extra Large", "38"}
	tests := []struct {
		name, answer string
		labels       []string
		want         string // empty: not understood
	}{
		{"the number", "2", sizes, "Large"},
		{"the number, dressed up", " #2. ", sizes, "Large"},
		{"the name", "small", sizes, "Small"},
		{"a name that is part of another", "LARGE", sizes, "Large"},
		{"a name that is a number", "38", sizes, "38"},
		{"a part that only one has", "extra", sizes, "Extra Large"},
		{"a letter that only one has", "sm", sizes, "Small"},
		{"the beginning of a word that only one has", "s", sizes, "Small"},
		{"the beginning of a word inside a name", "m", []string{"Shirt, Small", "Shirt, Medium"}, "Shirt, Medium"},
		{"a part that two have", "lar", sizes, ""},
		{"signs without a word", "?!", sizes, ""},
		{"a sentence with a name", "I'd take the small one, please", sizes, "Small"},
		{"a sentence with the longer name", "the extra large, please", sizes, "Extra Large"},
		{"a sentence with two names", "small or large", sizes, ""},
		{"a number that is too high", "9", sizes, ""},
		{"zero", "0", sizes, ""},
		{"nothing", "  ", sizes, ""},
		{"something else", "blue", sizes, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := choose(tt.answer, tt.labels)
			require.Equal(t, tt.want, got)
			require.Equal(t, tt.want != "", ok)
		})
	}
}

func TestOptionsHaveDifferentLabels(t *testing.T) {
	require.Equal(t, []string{"Cup", "Cup (2)", "Option 3"}, labelsOf([]product{{label: "Cup"}, {label: "Cup"}, {}}))
}

func TestNumbers(t *testing.T) {
	for text, want := range map[any]any{
		"24.50":           json.Number("24.50"),
		"24,50 €":         json.Number("24.50"),
		"1,299.00":        json.Number("1299.00"),
		"1.299,00":        json.Number("1299.00"),
		"1,299":           json.Number("1299"),
		"1.299.000":       json.Number("1299000"),
		"1 299,5":         json.Number("1299.5"),
		"CHF 1'299.-":     json.Number("1299"),
		"USD 12":          json.Number("12"),
		"$.99":            "$.99",
		"0.99":            json.Number("0.99"),
		"007":             json.Number("7"),
		"0":               json.Number("0"),
		"from 10 to 20":   "from 10 to 20",
		"on request":      "on request",
		"":                nil,
		json.Number("12"): json.Number("12"),
		nil:               nil,
	} {
		require.Equal(t, want, number(text), "%v", text)
	}
}

func TestAvailabilities(t *testing.T) {
	for text, want := range map[string]string{
		"https://schema.org/InStock": "InStock", "http://schema.org/OutOfStock": "OutOfStock", "schema:PreOrder": "PreOrder",
		"in stock": "InStock", "instock": "InStock", "oos": "OutOfStock", "out of stock": "OutOfStock",
		"available for order": "BackOrder", "LimitedAvailability": "LimitedAvailability", "": "",
	} {
		require.Equal(t, want, shortAvailability(text), text)
	}
}

func TestCirclesAndCrowdsEnd(t *testing.T) {
	decoded := func(s string) []any { return []any{decodeJSONLD(s)} }
	many := strings.Repeat(`{"@id":"#a"},`, 500) + `{"@id":"#a"}`
	products(decoded(`{"@type":"Product","name":"x","offers":{"@id":"#a"},"x":{"@id":"#a","offers":[` + many + `]}}`))
	products(decoded(`{"@type":"ProductGroup","@id":"#a","name":"x","hasVariant":[` + many + `]}`))
	products(decoded(strings.Repeat(`{"a":`, 5000) + `1` + strings.Repeat(`}`, 5000)))
	found := products(decoded(`[` + strings.Repeat(`{"@type":"Product","name":"x","offers":{"price":1}},`, 1000) + `{"@type":"Product"}]`))
	require.Len(t, found, 1)
}

func FuzzJSONLD(f *testing.F) {
	for _, seed := range []string{
		`{"@type":"Product",` + teapot + `}`, `[` + shirt + `,` + mug + `]`, `{"@graph":[{"@id":"#a","@type":"Product","offers":{"@id":"#a"}}]}`,
		`{"@type":["Product"],"name":["a"],"offers":[[],{}]}`, `{"@type":"ProductGroup","hasVariant":{"@id":"x"},"@id":"x"}`, `<!-- 1 -->`, `null`, `{"@type":"Offer","itemOffered":[]}`,
		`{"@type":"Product","offers":{"lowPrice":"1","highPrice":[]},"aggregateRating":[{"ratingValue":{}}]}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data string) {
		for _, p := range products([]any{decodeJSONLD(data)}) {
			for _, leaf := range p.leaves(nil) {
				_, err := json.Marshal(leaf)
				require.NoError(t, err)
			}
		}
	})
}

func FuzzMicrodata(f *testing.F) {
	f.Add(`<div itemscope itemtype="https://schema.org/Product"><b itemprop="name price">1</b><i itemprop=offers itemscope><u itemprop=price>2`)
	f.Add(`<a itemprop=name><b itemscope itemprop>`)
	f.Fuzz(func(t *testing.T, page string) {
		doc, err := goquery.NewDocumentFromReader(strings.NewReader(page))
		if err != nil {
			return
		}
		products(microdata(doc))
		products(openGraph(doc))
	})
}
