package watch

import (
	"errors"
	"fmt"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

// decimal is a number in its shortest plain form, such as -1299.5. Equal
// numbers are equal texts.
type decimal string

// maxDigits bounds a number: what has more is none that anybody watches.
const maxDigits = 30

var plainDecimal = regexp.MustCompile(`^-?\d+(\.\d+)?$`)

// parseDecimal reads a plain number, as JSON and command lines write it.
func parseDecimal(s string) (decimal, error) {
	if strings.ContainsAny(s, "eE") {
		f, err := strconv.ParseFloat(s, 64)
		if err != nil {
			return "", fmt.Errorf("%q is no number", cut(s, 40))
		}
		s = strconv.FormatFloat(f, 'f', -1, 64)
	}
	if !plainDecimal.MatchString(s) {
		return "", fmt.Errorf("%q is no number", cut(s, 40))
	}
	unsigned, negative := strings.CutPrefix(s, "-")
	whole, fraction, _ := strings.Cut(unsigned, ".")
	return newDecimal(negative, whole, fraction)
}

func newDecimal(negative bool, whole, fraction string) (decimal, error) {
	whole, fraction = strings.TrimLeft(whole, "0"), strings.TrimRight(fraction, "0")
	if len(whole)+len(fraction) > maxDigits {
		return "", fmt.Errorf("a number of more than %d digits", maxDigits)
	}
	d := whole
	if whole == "" {
		d = "0"
	}
	if fraction != "" {
		d += "." + fraction
	}
	if negative && d != "0" {
		d = "-" + d
	}
	return decimal(d), nil
}

// compare is -1, 0 or 1.
func (d decimal) compare(other decimal) int {
	a, okA := new(big.Rat).SetString(string(d))
	b, okB := new(big.Rat).SetString(string(other))
	if !okA || !okB { // only made by newDecimal, so never
		return strings.Compare(string(d), string(other))
	}
	return a.Cmp(b)
}

// amount is a number as a text had it, with the currencies that its sign may
// mean; none if it had no sign.
type amount struct {
	number   decimal
	currency []string
}

// maxWords is how many words may stand around a number without a currency
// sign: in a sentence, a number may mean anything.
const maxWords = 3

// parseAmount finds the one number that a text is about: the only one, or the
// only one with a currency sign.
func parseAmount(text string) (amount, error) {
	s := []rune(text)
	var all, priced []amount
	var broken error
	words := 0
	for i := 0; i < len(s); {
		switch {
		case digit(s[i]) >= 0:
			token, end := scanNumber(s, i)
			a, err := token.read()
			before, after := signBefore(s, i), signAfter(s, end)
			switch {
			case err == nil && i > 0 && unicode.IsLetter(s[i-1]) && before == nil:
				err = fmt.Errorf("%q is no number", cut(text, 60))
			case err == nil:
				a.currency = before
				if before == nil {
					a.currency = after
				}
				if negativeAt(s, i, before) && a.number != "0" {
					a.number = "-" + a.number
				}
			}
			if err != nil {
				broken = err
			} else {
				all = append(all, a)
				if a.currency != nil {
					priced = append(priced, a)
				}
			}
			i = end
		case unicode.IsLetter(s[i]):
			words++
			for i < len(s) && unicode.IsLetter(s[i]) {
				i++
			}
		default:
			i++
		}
	}
	switch {
	case len(priced) == 1:
		return priced[0], nil
	case broken != nil:
		return amount{}, broken
	case len(all) == 0:
		return amount{}, fmt.Errorf("%q has no number", cut(text, 60))
	case len(all) > 1:
		return amount{}, fmt.Errorf("%q has several numbers", cut(text, 60))
	case words > maxWords:
		return amount{}, fmt.Errorf("%q is a sentence with a number, no number", cut(text, 60))
	}
	return all[0], nil
}

// numberToken is a run of digits in groups, and what parts them.
type numberToken struct {
	groups []string
	seps   []rune
}

// scanNumber reads the number that begins at a digit. A space parts groups of
// three digits alone.
func scanNumber(s []rune, i int) (t numberToken, end int) {
	for {
		var group strings.Builder
		for i < len(s) && digit(s[i]) >= 0 {
			group.WriteByte('0' + byte(digit(s[i])))
			i++
		}
		t.groups = append(t.groups, group.String())
		if i+1 >= len(s) || digit(s[i+1]) < 0 {
			return t, i
		}
		sep := separator(s[i])
		if sep == 0 || (sep == ' ' && !spaced(s, i, t)) {
			return t, i
		}
		t.seps = append(t.seps, sep)
		i++
	}
}

// spaced reports whether the space at i parts thousands.
func spaced(s []rune, i int, t numberToken) bool {
	n := 0
	for i+1+n < len(s) && digit(s[i+1+n]) >= 0 {
		n++
	}
	for _, sep := range t.seps {
		if sep != ' ' {
			return false
		}
	}
	return n == 3 && len(t.groups[len(t.groups)-1]) <= 3
}

// separator is the plain form of a rune that may part digits, 0 for any other.
func separator(r rune) rune {
	switch r {
	case '.', '٫':
		return '.'
	case ',', '،', '٬':
		return ','
	case '\'', '’', '‘', '´':
		return '\''
	case ' ', '\u00a0', '\u202f', '\u2009', '\u2007':
		return ' '
	}
	return 0
}

// digit is the value of a decimal digit of any script that Go knows to be in
// blocks of ten, -1 for any other rune.
func digit(r rune) int {
	switch {
	case r >= '0' && r <= '9':
		return int(r - '0')
	case r >= '٠' && r <= '٩':
		return int(r - '٠')
	case r >= '０' && r <= '９':
		return int(r - '０')
	}
	return -1
}

var errGroups = errors.New("its digits are not grouped as those of a number")

// read makes a number of the groups. One separator before three last digits
// parts thousands, unless a zero leads: 1.299 and 1,299 are 1299, and 0.299 is
// not.
func (t numberToken) read() (amount, error) {
	last := len(t.seps) - 1
	if last < 0 {
		return t.amount(t.groups[0], "")
	}
	first, tail := t.groups[0], t.groups[len(t.groups)-1]
	mixed := false
	for _, sep := range t.seps[:last] {
		mixed = mixed || sep != t.seps[last]
	}
	point := t.seps[last] == '.' || t.seps[last] == ','
	lone := last == 0 && (len(tail) != 3 || len(first) > 3 || first[0] == '0')
	if point && (mixed || lone) {
		whole := numberToken{groups: t.groups[:len(t.groups)-1], seps: t.seps[:last]}
		if !whole.thousands() {
			return amount{}, errGroups
		}
		return t.amount(strings.Join(whole.groups, ""), tail)
	}
	if !t.thousands() {
		return amount{}, errGroups
	}
	return t.amount(strings.Join(t.groups, ""), "")
}

func (t numberToken) amount(whole, fraction string) (amount, error) {
	n, err := newDecimal(false, whole, fraction)
	return amount{number: n}, err
}

// thousands reports whether the groups are thousands, or lakhs and crores.
func (t numberToken) thousands() bool {
	for i, group := range t.groups {
		indian := t.lakhs() && i < len(t.groups)-1 && len(group) == 2
		switch {
		case i == 0 && (len(group) < 1 || (len(t.groups) > 1 && len(group) > 3)):
			return false
		case i > 0 && len(group) != 3 && !indian:
			return false
		case i > 0 && i < len(t.seps) && t.seps[i] != t.seps[0]:
			return false
		}
	}
	return true
}

func (t numberToken) lakhs() bool {
	return len(t.groups) > 2 && t.seps[0] == ',' && len(t.groups[0]) <= 2
}

// negativeAt reports whether a minus stands before the number at i, or before
// its currency sign.
func negativeAt(s []rune, i int, before []string) bool {
	i--
	if before != nil {
		for i >= 0 && unicode.IsSpace(s[i]) {
			i--
		}
		for i >= 0 && (unicode.IsLetter(s[i]) || unicode.Is(unicode.Sc, s[i]) || s[i] == '.') {
			i--
		}
	}
	if i < 0 || (s[i] != '-' && s[i] != '−') {
		return false
	}
	return i == 0 || unicode.IsSpace(s[i-1]) || s[i-1] == '('
}

func hasLetter(s string) bool { return strings.ContainsFunc(s, unicode.IsLetter) }
