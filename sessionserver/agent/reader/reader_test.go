package reader

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/errand-dev/errand/sessionserver/agent"
	"github.com/errand-dev/errand/sessionserver/internal/agenttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// site serves pages by path and gives a session with a reader.
func site(t *testing.T, pages map[string]string) (base string, s *agenttest.Session) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		page, ok := pages[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, page)
	}))
	t.Cleanup(server.Close)
	return server.URL, session(t)
}

func session(t *testing.T) *agenttest.Session {
	t.Helper()
	a := New((&net.Dialer{}).DialContext)
	t.Cleanup(a.CloseIdleConnections)
	return &agenttest.Session{Agent: a, ID: "s"}
}

func script(data string) string {
	return `<html><head><title>Page</title><script type="application/ld+json">` + data + `</script></head><body>text</body></html>`
}

const teapot = `"name":"Teapot","offers":{"@type":"Offer","price":"24.50","priceCurrency":"EUR","availability":"https://schema.org/InStock"}`

func TestWhatIsReadFromAPage(t *testing.T) {
	tests := []struct {
		name, page, goal string
		result           string // JSON
	}{
		{"JSON-LD", script(`{"@context":"https://schema.org","@type":"Product",` + teapot + `}`),
			"Report the product's name and price", `{"name":"Teapot","price":24.50,"currency":"EUR"}`},
		{"JSON-LD in a @graph, types in a list",
			script(`{"@context":"https://schema.org","@graph":[{"@type":"WebSite","name":"Shop"},{"@type":["Thing","http://schema.org/Product"],` + teapot + `}]}`),
			"name, price, availability", `{"name":"Teapot","price":24.50,"currency":"EUR","availability":"InStock"}`},
		{"JSON-LD in a list, hidden in a comment", script(`<!-- [{"@type":"BreadcrumbList"},{"@type":"schema:Product",` + teapot + `}] -->`),
			"price", `{"price":24.50,"currency":"EUR"}`},
		{"a broken script beside a good one", script(`{"@type":"Product",}`) + script(`{"@type":"Product",`+teapot+`}`),
			"name", `{"name":"Teapot"}`},
		{"a product as the main entity of a page", script(`{"@type":"WebPage","mainEntity":{"@type":"Product",` + teapot + `}}`),
			"name", `{"name":"Teapot"}`},
		{"an offer that names its product", script(`{"@type":"Offer","price":5,"priceCurrency":"USD","itemOffered":{"@type":"Product","name":"Cup"}}`),
			"name and price", `{"name":"Cup","price":5,"currency":"USD"}`},
		{"an offer by reference", script(`{"@graph":[{"@type":"Product","name":"Cup","offers":{"@id":"#o"}},{"@id":"#o","@type":"Offer","price":5,"priceCurrency":"USD"}]}`),
			"price", `{"price":5,"currency":"USD"}`},
		{"a price specification", script(`{"@type":"Product","name":"Cup","offers":{"@type":"Offer","priceSpecification":[{"price":"7.00","priceCurrency":"CHF"}]}}`),
			"price", `{"price":7.00,"currency":"CHF"}`},
		{"an aggregate offer with one price", script(`{"@type":"Product","name":"Cup","offers":{"@type":"AggregateOffer","lowPrice":5,"highPrice":"5","priceCurrency":"USD"}}`),
			"price", `{"price":5,"currency":"USD"}`},
		{"offers that do not differ", script(`{"@type":"Product","name":"Cup","offers":[{"@type":"Offer","price":5},{"@type":"Offer","price":"5"}]}`),
			"price", `{"price":5}`},
		{"variants that do not differ in what is asked", script(`{"@type":"ProductGroup","name":"Shirt","brand":"Loom","hasVariant":[{"@type":"Product","name":"S","offers":{"price":1}},{"@type":"Product","name":"M","offers":{"price":2}}]}`),
			"the product's name and brand", `{"name":"Shirt","brand":"Loom"}`},
		{"everything known when nothing is named", script(`{"@type":"Product","name":"Cup &amp; Saucer","brand":{"@type":"Brand","name":"Kettle"},"sku":"C1","description":"Nice.","url":"/cup","aggregateRating":{"ratingValue":"4,5"}}`),
			"Tell me about it", `{"name":"Cup & Saucer","brand":"Kettle","sku":"C1","description":"Nice.","url":"BASE/cup","rating":4.5,"title":"Page"}`},
		{"microdata", `<title>Page</title><div itemscope itemtype="https://schema.org/Product"><h1 itemprop="name">Lamp</h1>
			<span itemprop="brand" itemscope itemtype="https://schema.org/Brand"><b itemprop="name">Lumen</b></span>
			<div itemprop="offers" itemscope itemtype="https://schema.org/Offer"><span itemprop="price" content="59.00">59 Euro</span>
			<meta itemprop="priceCurrency" content="EUR"><link itemprop="availability" href="https://schema.org/OutOfStock"></div></div>`,
			"name, brand, price, availability", `{"name":"Lamp","brand":"Lumen","price":59.00,"currency":"EUR","availability":"OutOfStock"}`},
		{"microdata with the price outside an offer", `<title>Page</title><div itemscope itemtype="http://schema.org/Product"><b itemprop="name">Lamp</b><i itemprop="price">1.299,00 €</i></div>`,
			"price", `{"price":1299.00}`},
		{"OpenGraph", `<head><title>Page</title><meta property="og:type" content="product"><meta property="og:title" content="Mug">
			<meta property="product:price:amount" content="9.90"><meta property="product:price:currency" content="EUR"><meta property="product:availability" content="in stock"></head>`,
			"name, price, availability", `{"name":"Mug","price":9.90,"currency":"EUR","availability":"InStock"}`},
		{"JSON-LD completed by OpenGraph", script(`{"@type":"Product","name":"Mug"}`) + `<meta property="product:price:amount" content="9.90"><meta property="product:price:currency" content="EUR">`,
			"name and price", `{"name":"Mug","price":9.90,"currency":"EUR"}`},
		{"a price that is no number", script(`{"@type":"Product","name":"Mug","offers":{"price":"on request"}}`),
			"price", `{"price":"on request"}`},
		{"a page without a product", `<html><head><title> About
			us </title><meta name="description" content="Who we are."><link rel="canonical" href="/about"></head><body>We are.</body></html>`,
			"Report title, description and canonical URL", `{"title":"About us","description":"Who we are.","url":"BASE/about"}`},
		{"a page without a title", `<html><body><h1>Hello</h1></body></html>`, "the title", `{"title":"Hello"}`},
		{"a shop page that has a captcha script", script(`{"@type":"Product",`+teapot+`}`) + `<div>protected by reCAPTCHA</div>`,
			"name", `{"name":"Teapot"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			base, s := site(t, map[string]string{"/": tt.page})
			outcome := s.Send(tt.goal, base+"/", false)
			require.Equal(t, agent.Done, outcome.Type, outcome.Content)
			got, err := json.Marshal(outcome.Content)
			require.NoError(t, err)
			require.JSONEq(t, strings.ReplaceAll(tt.result, "BASE", base), string(got))
			require.Equal(t, "think: Opening "+base+"/", s.Said[0])
		})
	}
}

func TestAPriceKeepsItsDigits(t *testing.T) {
	base, s := site(t, map[string]string{"/": script(`{"@type":"Product",` + teapot + `}`)})
	got, err := json.Marshal(s.Send("price", base, false).Content)
	require.NoError(t, err)
	require.Contains(t, string(got), `"price":24.50`)
}

const (
	shirt = `{"@type":"ProductGroup","name":"Shirt","brand":"Loom","hasVariant":[
		{"@type":"Product","name":"Shirt","size":"Small","offers":{"price":12,"priceCurrency":"EUR"}},
		{"@type":"Product","name":"Shirt","size":"Medium","offers":{"price":14,"priceCurrency":"EUR"}}]}`
	mug = `{"@type":"Product","name":"Mug","offers":{"price":9,"priceCurrency":"EUR"}}`
)

func TestAChoiceThatMakesADifferenceIsAsked(t *testing.T) {
	tests := []struct {
		name, data, goal string
		conversation     []string // question, answer, question, answer …
		result           string
	}{
		{"several products", `[` + mug + `,{"@type":"Product",` + teapot + `}]`, "name and price",
			[]string{"Which product do you mean?\n1. Mug: 9 EUR\n2. Teapot: 24.50 EUR\nAnswer with the number or the name.", "2"},
			`{"name":"Teapot","price":24.50,"currency":"EUR"}`},
		{"a product named in the goal", `[` + mug + `,{"@type":"Product",` + teapot + `}]`, "The price of the teapot",
			nil, `{"price":24.50,"currency":"EUR"}`},
		{"variants", shirt, "price",
			[]string{"Which variant do you mean?\n1. Small: 12 EUR\n2. Medium: 14 EUR\nAnswer with the number or the name.", "medium"},
			`{"price":14,"currency":"EUR"}`},
		{"first a product, then a variant", `{"@type":"ItemList","itemListElement":[{"@type":"ListItem","item":` + mug + `},{"@type":"ListItem","item":` + shirt + `}]}`, "price",
			[]string{"Which product", "shirt", "Which variant", "small"}, `{"price":12,"currency":"EUR"}`},
		{"variants beside their group, pointing to it",
			`{"@graph":[{"@type":"ProductGroup","@id":"#g","name":"Shirt"},
				{"@type":"Product","name":"Red","isVariantOf":{"@id":"#g"},"offers":{"price":1}},
				{"@type":"Product","name":"Blue","isVariantOf":{"@id":"#g"},"offers":{"price":2}}]}`, "price",
			[]string{"Which variant do you mean?\n1. Red: 1\n2. Blue: 2", "blue"}, `{"price":2}`},
		{"variants beside their group, pointed to",
			`{"@graph":[{"@type":"ProductGroup","name":"Shirt","hasVariant":[{"@id":"#r"},{"@id":"#b"}]},
				{"@type":"Product","@id":"#r","name":"Red","offers":{"price":1}},
				{"@type":"Product","@id":"#b","name":"Blue","offers":{"price":2}}]}`, "price",
			[]string{"Which variant do you mean?\n1. Red: 1\n2. Blue: 2", "1"}, `{"price":1}`},
		{"several offers", `{"@type":"Product","name":"Cup","offers":{"@type":"AggregateOffer","offers":[
				{"@type":"Offer","price":5,"priceCurrency":"USD","seller":{"name":"Anna's"}},
				{"@type":"Offer","price":6,"priceCurrency":"USD","seller":{"name":"Bert's"}}]}}`, "price",
			[]string{"Which variant do you mean?\n1. Anna's: 5 USD\n2. Bert's: 6 USD", "bert"}, `{"price":6,"currency":"USD"}`},
		{"a span of prices", `{"@type":"Product","name":"Cup","offers":{"@type":"AggregateOffer","lowPrice":5,"highPrice":9,"priceCurrency":"USD"}}`, "price",
			[]string{"1. Lowest price: 5 USD\n2. Highest price: 9 USD", "lowest"}, `{"price":5,"currency":"USD"}`},
		{"a useless answer is asked again", shirt, "price",
			[]string{"Which variant", "hm", `I cannot tell which one "hm" is.` + "\n1. Small\n2. Medium", "7", `I cannot tell which one "7" is.`, "1"},
			`{"price":12,"currency":"EUR"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			base, s := site(t, map[string]string{"/": script(tt.data)})
			outcome := s.Send(tt.goal, base+"/", false)
			for i := 0; i < len(tt.conversation); i += 2 {
				require.Equal(t, agent.Question, outcome.Type, outcome.Content)
				require.Contains(t, outcome.Content, tt.conversation[i])
				outcome = s.Send(tt.conversation[i+1], "", true)
			}
			require.Equal(t, agent.Done, outcome.Type, outcome.Content)
			got, err := json.Marshal(outcome.Content)
			require.NoError(t, err)
			require.JSONEq(t, tt.result, string(got))
		})
	}
}

func TestAnOptionThatWentAwayMeanwhileIsAskedAgain(t *testing.T) {
	pages := map[string]string{"/": script(`[` + mug + `,{"@type":"Product",` + teapot + `}]`)}
	base, s := site(t, pages)
	require.Equal(t, agent.Question, s.Send("price", base+"/", false).Type)
	pages["/"] = script(`[` + mug + `,{"@type":"Product","name":"Bowl","offers":{"price":3}}]`)
	outcome := s.Send("teapot", "", true)
	require.Equal(t, agent.Question, outcome.Type)
	require.Contains(t, outcome.Content, `"Teapot" is no longer there. Which product do you mean?`)
	require.Equal(t, facts{price: json.Number("3")}, s.Send("bowl", "", true).Content)
}

func TestPagesThatCannotAnswer(t *testing.T) {
	tests := []struct {
		name string
		page http.HandlerFunc
		want string
	}{
		{"without the price", write(200, "text/html", script(`{"@type":"Product","name":"Clock"}`)), "does not say everything about Clock, missing: price"},
		{"without a product", write(200, "text/html", "<title>About</title><p>us"), "has no product data, so the reader cannot tell: name, price"},
		{"not found", write(404, "text/html", "gone"), "does not exist (404 Not Found)"},
		{"broken", write(500, "text/html", "oops"), "its site has a problem (500 Internal Server Error)"},
		{"refused", write(403, "text/html", "no"), "was refused to the reader (403 Forbidden)"},
		{"empty", write(200, "text/html", " \n"), "is blank"},
		{"blank", write(200, "text/html", "<html><body><script>app()</script></body></html>"), "is blank"},
		{"captcha", write(200, "text/html", "<title>Wait</title><p>Please verify you are human"), "captcha"},
		{"a picture", write(200, "image/png", "\x89PNG"), "is not HTML but image/png"},
		{"unnamed text", write(200, "", "plain words"), "is not HTML but text/plain"},
		{"huge", write(200, "text/html", strings.Repeat("<p>x", maxPage/4+1)), "is larger than 5 MiB"},
		{"redirected for ever", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path+"x", http.StatusFound) }, "redirects more than 5 times"},
		{"cut off", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "<p>")
		}, "broke off"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := httptest.NewServer(tt.page)
			defer server.Close()
			outcome := session(t).Send("Report name and price", server.URL+"/", false)
			require.Equal(t, agent.Error, outcome.Type)
			require.Contains(t, outcome.Content, tt.want)
			require.True(t, strings.HasPrefix(outcome.Content.(string), "The page http://"), outcome.Content)
		})
	}
}

func write(code int, kind, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Content-Type"] = []string{kind}
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}
}

func TestAddressesThatCannotBeOpened(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	closed := "http://" + l.Addr().String()
	require.NoError(t, l.Close())
	for url, want := range map[string]string{
		"":                         "The reader needs a page",
		closed:                     "connection refused",
		"http://a b/":              "is not an address the reader can open",
		"http://u:secret@[::1]:1/": "u:xxxxx@[::1]:1/",
	} {
		outcome := session(t).Send("name", url, false)
		require.Equal(t, agent.Error, outcome.Type)
		require.Contains(t, outcome.Content, want)
		require.NotContains(t, outcome.Content, "secret")
	}
}

func TestTheReaderSaysWhoItIsAndFollowsRedirects(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/old" {
			http.Redirect(w, r, "/new", http.StatusMovedPermanently)
			return
		}
		w.Header().Set("Content-Type", "text/html")
		_, _ = fmt.Fprintf(w, "<title>%s</title>", r.UserAgent())
	}))
	defer server.Close()
	require.Equal(t, facts{title: "errand-reader/1", location: server.URL + "/new"},
		session(t).Send("title and url", server.URL+"/old", false).Content)
}

func TestOtherCharacterSetsAreRead(t *testing.T) {
	server := httptest.NewServer(write(200, "text/html; charset=iso-8859-1", "<title>Gr\xfc\xdfe</title>"))
	defer server.Close()
	require.Equal(t, facts{title: "Grüße"}, session(t).Send("title", server.URL, false).Content)
}

func TestWhichPageAMessageIsAbout(t *testing.T) {
	base, s := site(t, map[string]string{"/a": "<title>A</title>", "/b": "<title>B</title>", "/c": "<title>C</title>"})
	titleOf := func(o agent.Outcome) any {
		require.Equal(t, agent.Done, o.Type, o.Content)
		return o.Content.(facts)[title]
	}
	require.Equal(t, "A", titleOf(s.Send("The title of "+base+"/a.", "", false)), "a page named in the goal")
	require.Equal(t, "A", titleOf(s.Send("The title again", "", false)), "the page read before")
	require.Equal(t, "B", titleOf(s.Send("The title of "+base+"/b", "", false)), "another page named in the goal")
	require.Equal(t, "C", titleOf(s.Send("The title, not that of "+base+"/a", base+"/c", false)), "a start URL wins")
	require.Equal(t, "C", titleOf(s.Send("The title, not that of "+base+"/a", "", false)), "and stays")
}
