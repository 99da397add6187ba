package reader

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/PuerkitoBio/goquery"
	"golang.org/x/net/html"
)

// A node is a thing in schema.org terms, whatever markup it came in: a
// map[string]any with "@type" and properties, each a string, a json.Number, a
// node, or a list of these.

// jsonLD gives the nodes of the page's JSON-LD scripts. A script that is not
// JSON is passed over, as search engines do.
func jsonLD(doc *goquery.Document) []any {
	var nodes []any
	doc.Find(`script[type^="application/ld+json"]`).Each(func(_ int, s *goquery.Selection) {
		if v := decodeJSONLD(s.Text()); v != nil {
			nodes = append(nodes, v)
		}
	})
	return nodes
}

// decodeJSONLD decodes a script's text, nil if it is not JSON.
func decodeJSONLD(text string) any {
	// Old pages hide scripts from old browsers.
	text = strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(text), "<!--"), "-->")
	dec := json.NewDecoder(bytes.NewReader([]byte(text)))
	dec.UseNumber()
	var v any
	if dec.Decode(&v) != nil {
		return nil
	}
	return v
}

// microdata gives the page's outermost items as nodes.
func microdata(doc *goquery.Document) []any {
	var nodes []any
	for _, n := range doc.Nodes {
		items(n, nil, func(item map[string]any) { nodes = append(nodes, item) })
	}
	return nodes
}

// items walks the elements below n, which belong to the item owner (nil: to
// none), and reports the items that belong to none.
func items(n *html.Node, owner map[string]any, report func(map[string]any)) {
	props, isProp := attribute(n, "itemprop")
	isProp = isProp && owner != nil
	_, isItem := attribute(n, "itemscope")
	inside := owner
	if isItem {
		kind, _ := attribute(n, "itemtype")
		inside = map[string]any{"@type": kind}
	}
	if isItem && !isProp {
		report(inside)
	}
	if isProp {
		var value any = inside
		if !isItem {
			value = propValue(n)
		}
		for name := range strings.FieldsSeq(props) {
			owner[name] = append(list(owner[name]), value)
		}
	}
	for c := range n.ChildNodes() {
		items(c, inside, report)
	}
}

// propValue is the value of an itemprop element that is no item itself, by the
// rules of the HTML standard.
func propValue(n *html.Node) string {
	for _, key := range []string{"content", "href", "src", "datetime", "value"} {
		if v, ok := attribute(n, key); ok {
			return v
		}
	}
	return clean(goquery.NewDocumentFromNode(n).Text())
}

func attribute(n *html.Node, key string) (value string, ok bool) {
	for _, a := range n.Attr {
		if a.Key == key {
			return clean(a.Val), true
		}
	}
	return "", false
}

// list is v as a list.
func list(v any) []any {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		return v
	default:
		return []any{v}
	}
}

// openGraph gives the product that the page's OpenGraph properties tell of.
func openGraph(doc *goquery.Document) []any {
	first := func(keys ...string) any {
		for _, key := range keys {
			if v := meta(doc, key); v != "" {
				return v
			}
		}
		return nil
	}
	amount := first("product:price:amount", "og:price:amount", "product:sale_price:amount")
	if amount == nil && !strings.Contains(meta(doc, "og:type"), "product") {
		return nil
	}
	return []any{map[string]any{
		"@type":       "Product",
		"name":        first("og:title"),
		"description": first("og:description"),
		"url":         first("og:url"),
		"brand":       first("product:brand", "og:brand"),
		"sku":         first("product:retailer_item_id"),
		"offers": map[string]any{
			"@type":         "Offer",
			"price":         amount,
			"priceCurrency": first("product:price:currency", "og:price:currency", "product:sale_price:currency"),
			"availability":  first("product:availability", "og:availability"),
		},
	}}
}
