package reader

import (
	"encoding/json"
	"html"
	"regexp"
	"slices"
	"strings"
)

// isA says whether a node has one of the types, in any spelling of schema.org.
func isA(n map[string]any, types ...string) bool {
	for _, v := range list(n["@type"]) {
		for t := range strings.FieldsSeq(text(v)) {
			if i := strings.LastIndexAny(t, "/#:"); i >= 0 {
				t = t[i+1:]
			}
			if slices.Contains(types, t) {
				return true
			}
		}
	}
	return false
}

// text is a value as text: of a list its first, of a node its name or value.
func text(v any) string {
	for range maxDepth {
		switch t := v.(type) {
		case string:
			return clean(html.UnescapeString(t))
		case json.Number:
			return t.String()
		case []any:
			if len(t) == 0 {
				return ""
			}
			v = t[0]
		case map[string]any:
			if v = t["@value"]; v == nil {
				v = t["name"]
			}
		default:
			return ""
		}
	}
	return ""
}

var (
	figure      = regexp.MustCompile(`^[^\d.,-]{0,5}(\d[\d.,'\s]*)[^\d.,]{0,5}$`)
	plainNumber = regexp.MustCompile(`^(?:0|[1-9]\d*)(?:\.\d+)?$`)
)

// number reads a price or rating: a json.Number if it can be read as one, else
// the text; nil if there is nothing.
func number(v any) any {
	raw := text(v)
	m := figure.FindStringSubmatch(raw)
	if m == nil {
		if raw == "" {
			return nil
		}
		return raw
	}
	s := strings.NewReplacer(" ", "", "\u00a0", "", "'", "").Replace(m[1])
	comma, point := strings.LastIndex(s, ","), strings.LastIndex(s, ".")
	switch {
	case comma > point && (point >= 0 || len(s)-comma != 4) && strings.Count(s, ",") == 1:
		s = strings.ReplaceAll(strings.ReplaceAll(s, ".", ""), ",", ".")
	case strings.Count(s, ".") > 1:
		s = strings.ReplaceAll(s, ".", "")
	default:
		s = strings.ReplaceAll(s, ",", "")
	}
	s = strings.TrimRight(s, ".")
	if s = strings.TrimLeft(s, "0"); s == "" || s[0] == '.' {
		s = "0" + s
	}
	if !plainNumber.MatchString(s) {
		return raw
	}
	return json.Number(s)
}

// shortAvailability is the last part of a schema.org availability, and the
// same word for the spellings of OpenGraph.
func shortAvailability(s string) string {
	if i := strings.LastIndexAny(s, "/#:"); i >= 0 {
		s = s[i+1:]
	}
	switch strings.ToLower(strings.NewReplacer(" ", "", "_", "", "-", "").Replace(s)) {
	case "instock", "available":
		return "InStock"
	case "outofstock", "oos":
		return "OutOfStock"
	case "preorder":
		return "PreOrder"
	case "backorder", "availablefororder":
		return "BackOrder"
	}
	return s
}
