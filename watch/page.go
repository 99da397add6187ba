package watch

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// The rules by which a result is that of no page. They go by what the agent
// reports, so they look at the result's own words.
//
//  1. The result is null, or holds nothing but nulls, empty texts and empty
//     lists.
//  2. It says so itself: a field error, errors, captcha or blocked that is not
//     empty or false, or a status or status_code from 400 to 599.
//  3. A text in it of at most maxPhrase characters has one of the phrases, or
//     is one of the titles, alone or before a punctuation mark.

// maxPhrase is the longest text, in characters, in which a phrase counts: a
// long description may quote anything.
const maxPhrase = 300

// phrases are what pages say that are not the page, wherever they say it.
var phrases = []string{
	"solve the captcha", "complete the captcha", "enter the captcha", "captcha required", "captcha challenge",
	"verify you are human", "verify that you are human", "verify you're human", "verifying you are human",
	"confirm you are human", "are you a human", "are you human", "are you a robot", "you are not a robot", "you're not a robot",
	"i'm not a robot", "i am not a robot",
	"unusual traffic", "automated access", "automated requests", "automated queries",
	"checking your browser", "checking if the site connection is secure", "enable javascript and cookies",
	"access to this page has been denied", "you don't have permission to access", "you do not have permission to access",
	"you have been blocked", "your request was blocked", "request has been blocked", "pardon our interruption",
	"internal server error", "bad gateway", "service unavailable", "service temporarily unavailable",
	"gateway time-out", "gateway timeout", "too many requests", "error code: 5", "origin is unreachable",
	"kein roboter", "ungewöhnlicher datenverkehr", "vous n'êtes pas un robot", "no eres un robot",
}

// titles are names of such pages that may also be words of a product.
var titles = []string{
	"captcha", "just a moment", "attention required", "security check", "access denied", "forbidden", "403 forbidden",
	"blocked", "robot check", "page not found", "not found", "404 not found", "404", "server error", "error",
	"an error occurred", "site maintenance", "down for maintenance", "maintenance", "please wait", "loading",
}

// admissions are fields by which a result says itself that it is none.
var admissions = []string{"error", "errors", "captcha", "blocked"}

// noPage reports why a result is that of no page, empty if it is that of one.
func noPage(result any) string {
	if hollow(result) {
		return "the result is empty"
	}
	if object, ok := result.(map[string]any); ok {
		for _, name := range admissions {
			if v, there := object[name]; there && !hollow(v) && v != false {
				return fmt.Sprintf("the result has %s: %s", name, cut(plainText(v), 120))
			}
		}
		for _, name := range []string{"status", "status_code"} {
			if code, err := strconv.Atoi(plainText(object[name])); err == nil && code >= 400 && code <= 599 {
				return fmt.Sprintf("the page answered %d", code)
			}
		}
	}
	return saysNoPage(result)
}

// hollow reports whether a value holds nothing.
func hollow(value any) bool {
	switch v := value.(type) {
	case nil:
		return true
	case string:
		return squeeze(v) == ""
	case []any:
		return !slices.ContainsFunc(v, func(e any) bool { return !hollow(e) })
	case map[string]any:
		for _, e := range v {
			if !hollow(e) {
				return false
			}
		}
		return true
	default:
		return false
	}
}

// saysNoPage looks for a phrase or a title in all texts of a value.
func saysNoPage(value any) string {
	switch v := value.(type) {
	case string:
		if phrase := phraseIn(v); phrase != "" {
			return fmt.Sprintf("the result reads like that of another page: %q", cut(squeeze(v), 120))
		}
	case []any:
		for _, e := range v {
			if reason := saysNoPage(e); reason != "" {
				return reason
			}
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if reason := saysNoPage(v[name]); reason != "" {
				return reason
			}
		}
	}
	return ""
}

var serverError = regexp.MustCompile(`\b(5\d\d|4(?:03|29))\b.{0,3}\b(error|server|service|gateway|forbidden|unavailable)`)

// afterTitle is what ends a title: nothing, a mark, or a dash with a space
// before it, which is none inside a word.
var afterTitle = regexp.MustCompile(`^( ?[.…!|:]| [-–—]|$)`)

func phraseIn(text string) string {
	s := strings.ToLower(squeeze(strings.NewReplacer("’", "'", "‘", "'").Replace(text)))
	if len([]rune(s)) > maxPhrase {
		return ""
	}
	for _, phrase := range phrases {
		if strings.Contains(s, phrase) {
			return phrase
		}
	}
	if found := serverError.FindString(s); found != "" {
		return found
	}
	for _, title := range titles {
		rest, begins := strings.CutPrefix(s, title)
		if !begins {
			continue
		}
		if afterTitle.MatchString(rest) {
			return title
		}
	}
	return ""
}

// absent are the words by which shops say that there is none, in lower case.
var absent = []string{
	"outofstock", "out of stock", "out-of-stock", "sold out", "soldout", "currently unavailable", "unavailable",
	"not available", "no longer available", "temporarily out of stock", "discontinued",
	"nicht verfügbar", "derzeit nicht verfügbar", "ausverkauft", "nicht lieferbar", "nicht auf lager", "nicht vorrätig",
	"épuisé", "rupture de stock", "en rupture de stock", "indisponible", "agotado", "no disponible", "esaurito",
	"non disponibile", "uitverkocht", "niet op voorraad", "slutsåld", "utsolgt", "udsolgt", "wyprzedane", "niedostępny",
}

// saysAbsent reports whether a value that is there says that there is none.
func saysAbsent(value any) bool {
	switch v := value.(type) {
	case nil:
		return true
	case bool:
		return !v
	case []any:
		return len(v) == 0
	case string:
		s := strings.ToLower(squeeze(v))
		for _, prefix := range []string{"https://schema.org/", "http://schema.org/", "schema:"} {
			s = strings.TrimPrefix(s, prefix)
		}
		return slices.Contains(absent, strings.Trim(s, ".!() "))
	}
	return false
}

// squeeze makes every run of whitespace one space, and drops what cannot be
// seen.
func squeeze(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\u200b' || r == '\u200c' || r == '\u200d' || r == '\u2060' || r == '\ufeff' || r == '\u00ad':
			return -1
		case unicode.IsControl(r) && !unicode.IsSpace(r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))
	return strings.Join(strings.Fields(s), " ")
}

// plainText is a value as a text: of a string what it says, of others their
// JSON, with sorted keys.
func plainText(value any) string {
	switch v := value.(type) {
	case string:
		return squeeze(v)
	case json.Number:
		return v.String()
	}
	text, err := json.Marshal(value)
	if err != nil { // it came out of JSON, so never
		return ""
	}
	return string(text)
}
