package reader

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"reflect"
	"strings"

	"github.com/PuerkitoBio/goquery"
	"golang.org/x/net/html"
)

// facts are what is known of a page, a product or a variant: a string or a
// json.Number for each field.
type facts map[field]any

// MarshalJSON writes the facts in the order in which people ask for them.
func (f facts) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for _, v := range vocabulary {
		value, ok := f[v.field]
		if !ok {
			continue
		}
		raw, err := json.Marshal(value)
		if err != nil {
			return nil, err
		}
		if b.Len() > 1 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%q:%s", v.field, raw)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// set notes a value, unless it is empty or the field has one.
func (f facts) set(name field, value any) {
	if _, known := f[name]; !known && value != nil && value != "" {
		f[name] = value
	}
}

// apart are the elements whose text does not run on into what follows.
const apart = "h1, h2, h3, h4, h5, h6, p, div, section, article, header, footer, nav, ul, ol, li, dt, dd, tr, td, th, br, button, option"

// page is what a page says.
type page struct {
	at       *url.URL // after all redirects
	facts    facts    // title, description, url
	text     string
	source   string // where the products were found
	products []product
}

func newPage(address *url.URL, doc *goquery.Document) *page {
	p := &page{at: address, facts: facts{}}
	for _, source := range []struct {
		name  string
		nodes []any
	}{
		{"JSON-LD", jsonLD(doc)},
		{"microdata", microdata(doc)},
		{"OpenGraph", openGraph(doc)},
	} {
		found := products(source.nodes)
		if len(p.products) == 0 && len(found) > 0 {
			p.source, p.products = source.name, found
			continue
		}
		// Shops often tell about one product in several ways, each with gaps.
		if len(p.products) == 1 && len(found) == 1 && len(p.products[0].variants) == 0 && len(found[0].variants) == 0 {
			for name, value := range found[0].facts {
				p.products[0].facts.set(name, value)
			}
		}
	}
	p.facts.set(title, clean(doc.Find("title").First().Text()))
	p.facts.set(title, meta(doc, "og:title"))
	p.facts.set(title, clean(doc.Find("h1").First().Text()))
	p.facts.set(description, meta(doc, "description"))
	p.facts.set(description, meta(doc, "og:description"))
	for _, product := range p.products {
		product.resolve(address)
	}
	canonical, _ := doc.Find(`link[rel~="canonical"]`).First().Attr("href")
	if u, err := address.Parse(canonical); err == nil && canonical != "" {
		p.facts.set(location, u.String())
	}
	p.facts.set(location, address.Redacted())
	doc.Find("script, style, noscript, template").Remove()
	doc.Find(apart).AppendNodes(&html.Node{Type: html.TextNode, Data: " "})
	p.text = clean(doc.Find("body").Text())
	return p
}

// summary tells in a sentence what was found on the page.
func (p *page) summary() string {
	switch len(p.products) {
	case 0:
		return fmt.Sprintf("There is no product data on the page %q", p.facts.text(title))
	case 1:
		return fmt.Sprintf("Found product data (%s): %s", p.source, p.products[0].label)
	default:
		return fmt.Sprintf("Found product data (%s): %d products", p.source, len(p.products))
	}
}

// find picks what the asked fields are about: nil if the page has no product,
// else a product or a variant. It gives a question if there is a choice that
// makes a difference; st gets the labels to choose from.
func (p *page) find(fields []field, st *state) (found facts, question string) {
	var all []facts
	for _, product := range p.products {
		all = append(all, product.leaves(fields)...)
	}
	if len(all) == 0 {
		return nil, ""
	}
	if p.same(fields, all) {
		return all[0], ""
	}
	chosen, i, question := pick("product", p.products, st.Goal, st.Chosen, st)
	if question != "" {
		return nil, question
	}
	leaves := p.products[i].leaves(fields)
	if p.same(fields, leaves) {
		return leaves[0], ""
	}
	_, i, question = pick("variant", p.products[i].variants, st.Goal, chosen, st)
	if question != "" {
		return nil, question
	}
	return leaves[i], ""
}

// same says whether all candidates give the same result.
func (p *page) same(fields []field, candidates []facts) bool {
	first, _ := p.result(fields, candidates[0])
	for _, c := range candidates[1:] {
		if r, _ := p.result(fields, c); !reflect.DeepEqual(first, r) {
			return false
		}
	}
	return true
}

// pick takes the option that was chosen before, or that the goal names, or the
// only one; rest are the choices left for the next pick. Else it asks.
func pick(kind string, options []product, goal string, chosen []string, st *state) (rest []string, index int, question string) {
	labels := labelsOf(options)
	var gone string
	if len(labels) == 1 {
		return chosen, 0, ""
	}
	if len(chosen) > 0 {
		for i, label := range labels {
			if label == chosen[0] {
				return chosen[1:], i, ""
			}
		}
		gone = fmt.Sprintf("%q is no longer there. ", chosen[0])
		st.Chosen = st.Chosen[:len(st.Chosen)-len(chosen)]
	} else if i, ok := mentioned(goal, labels); ok {
		st.Chosen = append(st.Chosen, labels[i])
		return nil, i, ""
	}
	st.Options = labels
	return nil, 0, fmt.Sprintf("%sWhich %s do you mean?\n%s", gone, kind, numbered(priceTags(labels, options)))
}

// result puts the asked fields together (all there are if none was asked) and
// names those that are missing. A price brings its currency along.
func (p *page) result(fields []field, found facts) (result facts, missing []field) {
	known := maps.Clone(p.facts)
	maps.Copy(known, found)
	if len(fields) == 0 {
		return known, nil
	}
	result = facts{}
	for _, f := range fields {
		if value, ok := known[f]; ok {
			result[f] = value
		} else {
			missing = append(missing, f)
		}
	}
	if _, priced := result[price]; priced && known[currency] != nil {
		result[currency] = known[currency]
	}
	return result, missing
}

// lacks says which of the asked fields the page does not have.
func (p *page) lacks(missing []field, found facts) error {
	words := make([]string, len(missing))
	for i, f := range missing {
		words[i] = string(f)
	}
	what := strings.Join(words, ", ")
	if found == nil {
		return fmt.Errorf("the page %s has no product data, so the reader cannot tell: %s", p.facts[location], what)
	}
	about := found.text(name)
	if about == "" {
		about = "the product"
	}
	return fmt.Errorf("the page %s does not say everything about %s, missing: %s", p.facts[location], about, what)
}

// clean takes surplus white space out of a text.
func clean(s string) string { return strings.Join(strings.Fields(s), " ") }

// meta is the content of the first meta element with this name or property.
func meta(doc *goquery.Document, key string) string {
	content, _ := doc.Find(fmt.Sprintf(`meta[name=%q], meta[property=%q]`, key, key)).First().Attr("content")
	return clean(content)
}
