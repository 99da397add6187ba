package reader

import (
	"regexp"
	"strings"
)

// field is a fact that can be asked for, by its name in results.
type field string

// The fields that the reader knows.
const (
	name         field = "name"
	title        field = "title"
	price        field = "price"
	currency     field = "currency"
	availability field = "availability"
	rating       field = "rating"
	brand        field = "brand"
	sku          field = "sku"
	description  field = "description"
	location     field = "url"
)

// vocabulary has the words by which a goal asks for a field.
var vocabulary = []struct {
	field field
	words *regexp.Regexp
}{
	{name, words(`names?|called`)},
	{title, words(`titles?|headlines?`)},
	{price, words(`prices?|priced|costs?|how much`)},
	{currency, words(`currency|currencies`)},
	{availability, words(`availability|available|in stock|out of stock|stock|sold out`)},
	{rating, words(`ratings?|rated|stars|score`)},
	{brand, words(`brands?|manufacturer|maker|made by`)},
	{sku, words(`sku|article number|item number|product code|part number`)},
	{description, words(`descriptions?|describe|summary|summari[sz]e`)},
	{location, words(`url|link|canonical`)},
}

func words(alternatives string) *regexp.Regexp {
	return regexp.MustCompile(`(?i)\b(?:` + alternatives + `)\b`)
}

var address = regexp.MustCompile(`https?://[^\s<>"'` + "`" + `]+`)

// urlIn finds the first address in a goal, without the punctuation after it.
func urlIn(goal string) string {
	return strings.TrimRight(address.FindString(goal), ".,;:!?)]}")
}

// fieldsIn finds the fields that a goal asks for; none means whatever there is.
func fieldsIn(goal string) []field {
	goal = address.ReplaceAllString(goal, " ")
	var fields []field
	for _, v := range vocabulary {
		if v.words.MatchString(goal) {
			fields = append(fields, v.field)
		}
	}
	return fields
}
