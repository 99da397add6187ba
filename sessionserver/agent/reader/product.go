package reader

import (
	"maps"
	"net/url"
	"reflect"
	"slices"
	"strings"
)

// product is a product, or a variant or an offer of one.
type product struct {
	label    string // how a person tells it from the others
	facts    facts
	variants []product
}

func (f facts) text(name field) string { s, _ := f[name].(string); return s }

// leaves gives what there is to choose from: the variants, each with what it
// shares with the others; or the product itself, if it has none or if the
// asked fields are the same for all variants.
func (p product) leaves(fields []field) []facts {
	if len(p.variants) == 0 || p.shares(fields) {
		return []facts{p.facts}
	}
	var all []facts
	for _, v := range p.variants {
		leaf := maps.Clone(p.facts)
		maps.Copy(leaf, v.facts)
		all = append(all, leaf)
	}
	return all
}

// shares says that fields were asked for and none of them is the variants' own.
func (p product) shares(fields []field) bool {
	for _, f := range fields {
		if slices.Contains([]field{price, currency, availability, sku}, f) {
			return false
		}
	}
	return len(fields) > 0
}

// resolve makes the addresses of p and its variants absolute.
func (p product) resolve(base *url.URL) {
	if u, err := base.Parse(p.facts.text(location)); err == nil && p.facts[location] != nil {
		p.facts[location] = u.String()
	}
	for _, v := range p.variants {
		v.resolve(base)
	}
}

// Bounds on what a page can make the reader do.
const (
	maxDepth   = 32  // of nodes inside nodes; references can make circles
	maxOptions = 200 // products on a page, variants and offers of a product
)

// product reads one product node.
func (g graph) product(n map[string]any) product {
	p := g.describe(n)
	variants := g.nodes(n["hasVariant"])
	if len(variants) > 0 {
		p.variants = nil
	}
	for _, v := range variants[:min(maxOptions, len(variants))] {
		variant := g.describe(v)
		if variant.label == "" || variant.label == p.label {
			variant.label = distinction(v)
		}
		// A variant's offers are not told apart any further.
		for _, o := range variant.variants[:min(1, len(variant.variants))] {
			maps.Copy(variant.facts, o.facts)
		}
		variant.variants = nil
		p.variants = append(p.variants, variant)
	}
	return p
}

// distinction is what sets a variant apart that has its group's name.
func distinction(n map[string]any) string {
	var parts []string
	for _, key := range []string{"size", "color", "material", "pattern", "sku"} {
		if s := text(n[key]); s != "" {
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, ", ")
}

// describe reads a node's own facts and its offers: one offer adds to the
// facts, several with differences become variants.
func (g graph) describe(n map[string]any) product {
	p := product{label: text(n["name"]), facts: facts{}}
	p.facts.set(name, p.label)
	p.facts.set(description, text(n["description"]))
	p.facts.set(brand, text(g.first(n["brand"])))
	p.facts.set(brand, text(g.first(n["manufacturer"])))
	p.facts.set(sku, text(n["sku"]))
	p.facts.set(location, text(n["url"]))
	if r, ok := g.first(n["aggregateRating"]).(map[string]any); ok {
		p.facts.set(rating, number(r["ratingValue"]))
	}
	offers := g.offers(n["offers"], 0)
	if n["price"] != nil {
		offers = append(offers, g.offer(n))
	}
	if len(offers) == 0 {
		return p
	}
	for _, o := range offers[1:] {
		if !reflect.DeepEqual(o.facts, offers[0].facts) {
			p.variants = offers
			return p
		}
	}
	for name, value := range offers[0].facts {
		p.facts.set(name, value)
	}
	return p
}

// first is the first value, its reference followed.
func (g graph) first(v any) any {
	if nodes := g.nodes(v); len(nodes) > 0 {
		return nodes[0]
	}
	return v
}

// offers reads offers; those inside an aggregate count one by one.
func (g graph) offers(v any, depth int) []product {
	var all []product
	for _, n := range g.nodes(v) {
		inner := n["offers"]
		switch {
		case len(all) >= maxOptions:
			return all
		case inner != nil && depth < maxDepth:
			all = append(all, g.offers(inner, depth+1)...)
		case n["lowPrice"] != nil && n["price"] == nil:
			all = append(all, g.span(n)...)
		default:
			all = append(all, g.offer(n))
		}
	}
	return all
}

// span reads an aggregate offer that has only its lowest and highest price.
func (g graph) span(n map[string]any) []product {
	low := maps.Clone(n)
	low["price"], low["name"] = n["lowPrice"], "Lowest price"
	if n["highPrice"] == nil || reflect.DeepEqual(number(n["lowPrice"]), number(n["highPrice"])) {
		return []product{g.offer(low)}
	}
	high := maps.Clone(n)
	high["price"], high["name"] = n["highPrice"], "Highest price"
	return []product{g.offer(low), g.offer(high)}
}

func (g graph) offer(n map[string]any) product {
	o := product{facts: facts{}}
	o.facts.set(price, number(n["price"]))
	o.facts.set(currency, text(n["priceCurrency"]))
	for _, spec := range g.nodes(n["priceSpecification"]) {
		o.facts.set(price, number(spec["price"]))
		o.facts.set(currency, text(spec["priceCurrency"]))
	}
	o.facts.set(availability, shortAvailability(text(n["availability"])))
	o.facts.set(sku, text(n["sku"]))
	for _, v := range []any{n["name"], g.first(n["itemOffered"]), n["sku"], g.first(n["seller"])} {
		if o.label == "" {
			o.label = text(v)
		}
	}
	if o.label == "" {
		o.label = clean(text(n["price"]) + " " + text(n["priceCurrency"]))
	}
	return o
}
