package reader

import (
	"maps"
	"reflect"
	"slices"
)

// graph is a set of nodes whose references to each other can be followed.
type graph struct {
	byID map[string]map[string]any
}

// products finds the products in a page's nodes, in the page's order.
func products(nodes []any) []product {
	g := graph{byID: map[string]map[string]any{}}
	g.index(nodes, 0)
	var found []map[string]any
	g.collect(nodes, 0, &found)
	var all []product
	for _, n := range g.gather(found) {
		p := g.product(n)
		if !slices.ContainsFunc(all, func(o product) bool { return reflect.DeepEqual(o, p) }) {
			all = append(all, p)
		}
	}
	return all
}

// gather puts the variants that stand beside their group into it, whether the
// group points to them or they to the group.
func (g graph) gather(found []map[string]any) []map[string]any {
	pointedTo := map[string]bool{} // ids of variants
	members := map[string][]any{}  // variants by the id of their group
	groups := map[string]bool{}    // ids of groups
	for _, n := range found {
		for _, v := range list(n["hasVariant"]) {
			if v, ok := v.(map[string]any); ok {
				pointedTo[text(v["@id"])] = true
			}
		}
		for _, id := range groupIDs(n) {
			groups[id] = true
		}
	}
	var tops []map[string]any
	for _, n := range found {
		switch id := text(n["@id"]); {
		case id != "" && pointedTo[id]:
		case groups[groupOf(n)]:
			members[groupOf(n)] = append(members[groupOf(n)], n)
		default:
			tops = append(tops, n)
		}
	}
	for i, n := range tops {
		for _, id := range groupIDs(n) {
			if n["hasVariant"] == nil && members[id] != nil {
				n = maps.Clone(n)
				n["hasVariant"] = members[id]
				tops[i] = n
			}
		}
	}
	return tops
}

// groupIDs are the ids by which variants can name a product group.
func groupIDs(n map[string]any) []string {
	if !isA(n, "ProductGroup") {
		return nil
	}
	ids := []string{text(n["@id"]), text(n["productGroupID"])}
	return slices.DeleteFunc(ids, func(id string) bool { return id == "" })
}

// groupOf is the id of the product group that a variant says it belongs to.
func groupOf(n map[string]any) string {
	for _, v := range list(n["isVariantOf"]) {
		if group, ok := v.(map[string]any); ok {
			if id := text(group["@id"]); id != "" {
				return id
			}
			return text(group["productGroupID"])
		}
	}
	return text(n["inProductGroupWithID"])
}

func (g graph) index(v any, depth int) {
	if depth > maxDepth {
		return
	}
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			g.index(e, depth+1)
		}
	case map[string]any:
		if id := text(v["@id"]); id != "" && len(v) > 1 && g.byID[id] == nil {
			g.byID[id] = v
		}
		for _, key := range slices.Sorted(maps.Keys(v)) {
			g.index(v[key], depth+1)
		}
	}
}

// collect finds the outermost products. An offer that names its item counts as
// that item with this offer.
func (g graph) collect(v any, depth int, found *[]map[string]any) {
	if depth > maxDepth || len(*found) >= maxOptions {
		return
	}
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			g.collect(e, depth+1, found)
		}
	case map[string]any:
		if isA(v, "Product", "ProductGroup", "IndividualProduct", "ProductModel") {
			*found = append(*found, v)
			return
		}
		if offered := g.nodes(v["itemOffered"]); isA(v, "Offer", "AggregateOffer") && len(offered) > 0 {
			n := maps.Clone(offered[0])
			if n["offers"] == nil {
				n["offers"] = withoutItem(v)
			}
			*found = append(*found, n)
			return
		}
		for _, key := range slices.Sorted(maps.Keys(v)) {
			g.collect(v[key], depth+1, found)
		}
	}
}

func withoutItem(offer map[string]any) map[string]any {
	o := maps.Clone(offer)
	delete(o, "itemOffered")
	return o
}

// nodes gives the nodes in a value, references followed.
func (g graph) nodes(v any) []map[string]any {
	var nodes []map[string]any
	for _, e := range list(v) {
		n, ok := e.(map[string]any)
		if !ok {
			continue
		}
		if target := g.byID[text(n["@id"])]; len(n) == 1 && target != nil {
			n = target
		}
		nodes = append(nodes, n)
	}
	return nodes
}
