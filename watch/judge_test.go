package watch

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// seen is one result, and what is to come of it: the verdict, the value, and
// whether it alerts.
type seen struct {
	result  string
	verdict Verdict
	value   string // JSON; of a bad result, a part of the reason
	alert   bool
}

func price(p string) string { return `{"name": "Teapot", "price": ` + p + `}` }

// TestWhatIsSeenOneAfterTheOther is the table of transitions.
func TestWhatIsSeenOneAfterTheOther(t *testing.T) {
	const (
		alerts = true
		quiet  = false
	)
	for _, test := range []struct {
		name string
		rule Rule
		seen []seen
	}{
		{"a price in changing formats", Rule{Field: "price"}, []seen{
			{price(`"1.299,00 €"`), First, "1299", quiet},
			{price(`"€1,299.00"`), Same, "1299", quiet},
			{price(`1299`), Same, "1299", quiet},
			{price(`"EUR 1299"`), Same, "1299", quiet},
			{price(`"1 299,– €"`), Same, "1299", quiet},
			{price(`"1.199,00 €"`), Differs, "1199", alerts},
			{price(`"1,199.00"`), Same, "1199", quiet},
			{price(`"$1,199.00"`), Bad, "the currency is another than before (USD, not EUR)", quiet},
			{price(`"1.199,00 €"`), Same, "1199", quiet},
		}},
		{"a dollar is any dollar until it is told", Rule{Field: "price"}, []seen{
			{price(`"$5"`), First, "5", quiet},
			{price(`"C$5"`), Same, "5", quiet},
			{price(`"$5"`), Same, "5", quiet},
			{price(`"US$5"`), Bad, "(USD, not CAD)", quiet},
		}},
		{"a currency of its own field", Rule{Field: "price"}, []seen{
			{`{"price": "5", "currency": "EUR"}`, First, "5", quiet},
			{`{"price": "5", "currency": "USD"}`, Bad, "(USD, not EUR)", quiet},
		}},
		{"a price that cannot be read", Rule{Field: "price"}, []seen{
			{price(`"24.50"`), First, "24.5", quiet},
			{price(`"on request"`), Bad, `price: "on request" has no number`, quiet},
			{price(`["24.50"]`), Bad, "a list, not a number", quiet},
			{price(`true`), Bad, "true or false, not a number", quiet},
			{price(`null`), Bad, "price is null", quiet},
			{price(`""`), Bad, "price is empty", quiet},
			{`{"name": "Teapot", "cost": 3}`, Bad, "the result has no field price: there is cost, name", quiet},
			{price(`24.5`), Same, "24.5", quiet},
		}},
		{"pages that are none", Rule{Field: "title", Type: Text}, []seen{
			{`{"title": "Teapot"}`, First, `"Teapot"`, quiet},
			{`{"title": "Just a moment..."}`, Bad, "reads like that of another page", quiet},
			{`{"title": "Access Denied | shop.example"}`, Bad, "reads like that of another page", quiet},
			{`{"title": "504 Gateway Time-out"}`, Bad, "reads like that of another page", quiet},
			{`{"title": "Teapot", "description": "Please verify you are human"}`, Bad, "reads like that of another page", quiet},
			{`{"title": ""}`, Bad, "the result is empty", quiet},
			{`{}`, Bad, "the result is empty", quiet},
			{`null`, Bad, "the result is empty", quiet},
			{`""`, Bad, "the result is empty", quiet},
			{``, Bad, "the result is empty", quiet},
			{`{"title": "Teapot", "error": "could not load"}`, Bad, "the result has error: could not load", quiet},
			{`{"title": "Teapot", "captcha": true}`, Bad, "the result has captcha: true", quiet},
			{`{"title": "Teapot", "status": 503}`, Bad, "the page answered 503", quiet},
			{`{"title": "Teapot", "status": "in stock", "error": null, "captcha": false}`, Same, `"Teapot"`, quiet},
			{`{"title": "Kettle"}`, Differs, `"Kettle"`, alerts},
		}},
		{"below, at the edge alone", Rule{Field: "price", When: "below:20"}, []seen{
			{price(`24`), First, "24", quiet},
			{price(`20`), Differs, "20", quiet},
			{price(`19.99`), Differs, "19.99", alerts},
			{price(`15`), Differs, "15", quiet},
			{price(`null`), Bad, "price is null", quiet},
			{price(`15`), Same, "15", quiet},
			{price(`21`), Differs, "21", quiet},
			{price(`"19,00 €"`), Differs, "19", alerts},
		}},
		{"below from the beginning", Rule{Field: "price", When: "below:20"}, []seen{
			{price(`10`), First, "10", quiet},
			{price(`9`), Differs, "9", quiet},
			{price(`30`), Differs, "30", quiet},
			{price(`9`), Differs, "9", alerts},
		}},
		{"above", Rule{Field: "price", When: "above:-1.5"}, []seen{
			{price(`-2`), First, "-2", quiet},
			{price(`-1.5`), Differs, "-1.5", quiet},
			{price(`-1`), Differs, "-1", alerts},
		}},
		{"disappears", Rule{Field: "price", When: Disappears}, []seen{
			{price(`24`), First, `"24"`, quiet},
			{price(`25`), Differs, `"25"`, quiet},
			{`{"title": "Are you a robot?"}`, Bad, "reads like that of another page", quiet},
			{`{}`, Bad, "the result is empty", quiet},
			{`"gone"`, Bad, `the result has no field price: there is a text`, quiet},
			{price(`""`), Bad, "price is empty", quiet},
			{price(`null`), Differs, "null", alerts},
			{`{"name": "Teapot"}`, Same, "null", quiet},
			{price(`24`), Differs, `"24"`, quiet},
			{price(`"Sold out"`), Differs, "null", alerts},
		}},
		{"appears", Rule{Field: "availability", When: Appears}, []seen{
			{`{"availability": "https://schema.org/OutOfStock"}`, First, "null", quiet},
			{`{"availability": "Out of stock"}`, Same, "null", quiet},
			{`{"availability": "InStock"}`, Differs, `"InStock"`, alerts},
			{`{"availability": "InStock"}`, Same, `"InStock"`, quiet},
			{`{"name": "Access denied"}`, Bad, "reads like that of another page", quiet},
			{`{"availability": false}`, Differs, "null", quiet},
			{`{"availability": true}`, Differs, `"true"`, alerts},
		}},
		{"a list of slots appears", Rule{Field: "slots", When: Appears}, []seen{
			{`{"city": "Graz", "slots": []}`, First, "null", quiet},
			{`{"city": "Graz", "slots": ["Mon 9:00"]}`, Differs, `["Mon 9:00"]`, alerts},
			{`{"city": "Graz", "slots": []}`, Differs, "null", quiet},
		}},
		{"appears below something that is not there", Rule{Field: "offers.price", When: Appears}, []seen{
			{`{"name": "Teapot"}`, First, "null", quiet},
			{`{"name": "Teapot", "offers": null}`, Same, "null", quiet},
			{`{"name": "Teapot", "offers": "none"}`, Bad, "the result has no field offers.price: there is a text", quiet},
			{`{"name": "Teapot", "offers": {"price": 5}}`, Differs, `"5"`, alerts},
		}},
		{"text, whitespace aside", Rule{Field: "items[0].name"}, []seen{
			{`{"items": [{"name": "Blue  Teapot\n"}]}`, First, `"Blue Teapot"`, quiet},
			{`{"items": [{"name": "Blue\u00a0Teapot\u200b"}]}`, Same, `"Blue Teapot"`, quiet},
			{`{"items": [{"name": "Red Teapot"}]}`, Differs, `"Red Teapot"`, alerts},
			{`{"items": []}`, Bad, "the result is empty", quiet},
		}},
		{"a set, order aside", Rule{Field: "sizes"}, []seen{
			{`{"sizes": ["S", "M", "L"]}`, First, `["L","M","S"]`, quiet},
			{`{"sizes": ["L", " M ", "S", "S"]}`, Same, `["L","M","S"]`, quiet},
			{`{"sizes": ["S", "M"]}`, Differs, `["M","S"]`, alerts},
			{`{"n": 1, "sizes": []}`, Bad, "sizes is empty", quiet},
			{`{"sizes": "S, M"}`, Bad, "a text, not a list", quiet},
		}},
		{"a set out of a list of objects", Rule{Field: "items[*].name"}, []seen{
			{`{"items": [{"name": "a"}, {"name": "b"}]}`, First, `["a","b"]`, quiet},
			{`{"items": [{"name": "b"}, {"name": "a"}, {}]}`, Same, `["a","b"]`, quiet},
		}},
		{"signs that JSON may escape", Rule{Field: "name"}, []seen{
			{`{"name": "Kettle & <Co>"}`, First, `"Kettle & <Co>"`, quiet},
			{`{"name": "Kettle \u0026 <Co>"}`, Same, `"Kettle & <Co>"`, quiet},
		}},
		{"the whole result, in a text", Rule{Field: "."}, []seen{
			{`"ready"`, First, `"ready"`, quiet},
			{`"ready "`, Same, `"ready"`, quiet},
			{`"done"`, Differs, `"done"`, alerts},
		}},
		{"JSON in a text", Rule{Field: "price"}, []seen{
			{`"{\"price\": 5}"`, First, "5", quiet},
			{`{"price": 5}`, Same, "5", quiet},
		}},
		{"flip and flop", Rule{Field: "price"}, []seen{
			{price(`5`), First, "5", quiet},
			{price(`6`), Differs, "6", alerts},
			{price(`5`), Differs, "5", alerts},
			{price(`null`), Bad, "null", quiet},
			{price(`5`), Same, "5", quiet},
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			require.NoError(t, test.rule.Validate())
			var memory Memory
			for i, s := range test.seen {
				j := Judge(test.rule, memory, json.RawMessage(s.result))
				require.Equal(t, s.verdict, j.Verdict, "%d: %s: %s", i, s.result, j.Reason)
				require.Equal(t, s.alert, j.Alert, "%d: %s", i, s.result)
				if s.verdict == Bad {
					require.Contains(t, j.Reason, s.value, "%d", i)
					require.Equal(t, memory, j.Memory, "a bad result overwrites nothing")
				} else {
					require.JSONEq(t, s.value, string(j.Value), "%d", i)
				}
				memory = throughJSON(t, j).Memory
			}
		})
	}
}

// throughJSON is a judgement as it comes out of a history.
func throughJSON(t *testing.T, j Judgement) Judgement {
	t.Helper()
	text, err := json.Marshal(j)
	require.NoError(t, err)
	var back Judgement
	require.NoError(t, json.Unmarshal(text, &back))
	require.Equal(t, j, back, "%s", text)
	return back
}

func TestWhatLooksLikeAnErrorAndIsAProduct(t *testing.T) {
	for _, name := range []string{
		"Captcha, a novel", "Just a Moment (Vinyl)", "Access Denied (DVD, 1998)", "Error Coins of the World",
		"Security Check-Out Bag", "Loading Dock Bumper", "Please Wait to be Seated Sign", "Forbidden Planet", "Blocked Drain Remover",
		"Service manual 503", "Model 504 Gatewood", "Waiting for Godot", "404 Ink", "Maintenance kit",
		strings.Repeat("A long story. ", 20) + "It says: verify you are human.",
	} {
		text, err := json.Marshal(map[string]string{"name": name, "price": "5 €"})
		require.NoError(t, err)
		j := Judge(Rule{Field: "price"}, Memory{}, text)
		require.Equal(t, First, j.Verdict, "%s: %s", name, j.Reason)
	}
}

func TestAValueThatIsTooLargeIsNoValue(t *testing.T) {
	text, err := json.Marshal(map[string]string{"text": strings.Repeat("x", MaxValue)})
	require.NoError(t, err)
	j := Judge(Rule{Field: "text"}, Memory{}, text)
	require.Equal(t, Bad, j.Verdict)
	require.Contains(t, j.Reason, "at most 8192 can be watched")
}

func TestARuleThatMakesNoSenseIsTold(t *testing.T) {
	for _, test := range []struct {
		rule Rule
		want string
	}{
		{Rule{}, "is no path into a result"},
		{Rule{Field: "a..b"}, "is no path"},
		{Rule{Field: "a."}, "is no path"},
		{Rule{Field: ".a"}, "is no path"},
		{Rule{Field: "a[x]"}, "is no path"},
		{Rule{Field: "a[-1]"}, "is no path"},
		{Rule{Field: "a[0"}, "is no path"},
		{Rule{Field: "a[0]b"}, "is no path"},
		{Rule{Field: strings.Repeat("a", 201)}, "is no path"},
		{Rule{Field: "a", Type: "price"}, `"price" is no type: choose number, text or set`},
		{Rule{Field: "a", When: "rises"}, `"rises" is no condition`},
		{Rule{Field: "a", When: "below"}, `"below" needs a plain number`},
		{Rule{Field: "a", When: "changed:3"}, `"changed:3" is no condition`},
		{Rule{Field: "a", When: "below:cheap"}, `"below:cheap" needs a plain number, such as below:19.99`},
		{Rule{Field: "a", When: "below:1,5"}, "needs a plain number"},
		{Rule{Field: "a", When: "above:1", Type: Text}, "below and above compare numbers"},
	} {
		require.ErrorContains(t, test.rule.Validate(), test.want, "%+v", test.rule)
	}
	for _, field := range []string{"price", "offers.price", "items[0].name", "[0]", "items[*]", `["a.b"].c`, `a["b]"]`, "größe", "."} {
		require.NoError(t, Rule{Field: field}.Validate(), field)
	}
}

func FuzzJudge(f *testing.F) {
	f.Add("price", "below:20", `{"price": "1.299,00 €"}`, `{"price": 5}`)
	f.Add("items[*].name", "changed", `{"items": [{"name": "a"}]}`, `"{}"`)
	f.Add(`["a.b"][0]`, "disappears", `{"a.b": [null]}`, `{"a.b": ["Sold out"]}`)
	f.Add(".", "appears", `"x"`, `[1, [2]]`)
	f.Fuzz(func(t *testing.T, field, when, first, second string) {
		rule := Rule{Field: field, When: When(when)}
		if rule.Validate() != nil {
			t.Skip()
		}
		one := Judge(rule, Memory{}, json.RawMessage(first))
		require.False(t, one.Alert, "nothing to compare with")
		two := Judge(rule, throughJSON(t, one).Memory, json.RawMessage(second))
		again := Judge(rule, throughJSON(t, two).Memory, json.RawMessage(second))
		require.False(t, again.Alert, "the same twice is no news")
		require.NotEqual(t, Differs, again.Verdict)
		if two.Verdict == Bad {
			require.Equal(t, one.Memory, two.Memory)
			require.NotEmpty(t, two.Reason)
			require.False(t, two.Alert)
		} else {
			require.Equal(t, two.Value, two.Memory.Value)
			require.True(t, json.Valid(two.Value), "%s", two.Value)
		}
	})
}

func FuzzAmount(f *testing.F) {
	for _, text := range []string{"1.299,00 €", "CHF 1'299.–", "Rs. 1,23,456.00", "27.11.2026", "-€5", "1 299,00 kr", "３"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a, err := parseAmount(text)
		if err != nil {
			return
		}
		plain, err := parseDecimal(string(a.number))
		require.NoError(t, err)
		require.Equal(t, a.number, plain)
		again, err := parseAmount(string(a.number) + " EUR")
		require.NoError(t, err)
		if _, fraction, _ := strings.Cut(string(a.number), "."); len(fraction) != 3 { // which reads as thousands
			require.Equal(t, a.number, again.number)
		}
	})
}
