package watch

import (
	"slices"
	"strings"
	"unicode"
)

// dollars are the currencies that a lone $ may mean.
var dollars = []string{"USD", "CAD", "AUD", "NZD", "SGD", "HKD", "MXN", "TWD", "ARS", "CLP", "COP"}

// signs are the currency signs of prices, with all that they may mean.
var signs = map[string][]string{
	"€": {"EUR"}, "$": dollars, "£": {"GBP"}, "¥": {"JPY", "CNY"}, "₹": {"INR"}, "₺": {"TRY"}, "₽": {"RUB"},
	"₩": {"KRW"}, "₪": {"ILS"}, "₫": {"VND"}, "₴": {"UAH"}, "฿": {"THB"}, "₱": {"PHP"}, "₦": {"NGN"},
	"us$": {"USD"}, "ca$": {"CAD"}, "c$": {"CAD"}, "au$": {"AUD"}, "a$": {"AUD"}, "nz$": {"NZD"}, "hk$": {"HKD"},
	"s$": {"SGD"}, "mx$": {"MXN"}, "nt$": {"TWD"}, "r$": {"BRL"},
	"kr": {"SEK", "NOK", "DKK", "ISK"}, "zł": {"PLN"}, "kč": {"CZK"}, "ft": {"HUF"}, "lei": {"RON"}, "лв": {"BGN"},
	"fr": {"CHF"}, "sfr": {"CHF"}, "rs": {"INR", "PKR", "LKR"}, "rp": {"IDR"}, "rm": {"MYR"}, "円": {"JPY"}, "元": {"CNY"},
	"euro": {"EUR"}, "euros": {"EUR"}, "dollars": dollars, "dollar": dollars,
}

// codes are the ISO 4217 codes that prices come with.
var codes = strings.Fields("EUR USD GBP CHF JPY CNY INR SEK NOK DKK ISK PLN CZK HUF RON BGN TRY RUB UAH KRW ILS " +
	"CAD AUD NZD SGD HKD MXN BRL ARS CLP COP ZAR TWD THB PHP MYR IDR VND AED SAR QAR KWD EGP NGN KES PKR LKR BDT")

// currenciesOf are the currencies that a word may mean, nil for any other word.
func currenciesOf(word string) []string {
	if upper := strings.ToUpper(word); slices.Contains(codes, upper) && (word == upper || word == strings.ToLower(word)) {
		return []string{upper}
	}
	return signs[strings.ToLower(word)]
}

// signBefore are the currencies of the sign that stands before the number at i.
func signBefore(s []rune, i int) []string {
	end := i
	for end > 0 && (unicode.IsSpace(s[end-1]) || s[end-1] == '-' || s[end-1] == '−' || s[end-1] == '.' || s[end-1] == ':') {
		end--
	}
	begin := end
	for begin > 0 && inSign(s[begin-1]) {
		begin--
	}
	return currenciesOf(string(s[begin:end]))
}

// signAfter are the currencies of the sign that stands behind the number that
// ends at i.
func signAfter(s []rune, i int) []string {
	for i < len(s) && (unicode.IsSpace(s[i]) || strings.ContainsRune(".,-–—", s[i])) { // 5.– and 5,- too
		i++
	}
	end := i
	for end < len(s) && inSign(s[end]) {
		end++
	}
	return currenciesOf(string(s[i:end]))
}

func inSign(r rune) bool { return unicode.IsLetter(r) || unicode.Is(unicode.Sc, r) }

// sameCurrency is what two signs may both mean. A value without a sign is of
// the other's currency.
func sameCurrency(a, b []string) ([]string, bool) {
	switch {
	case len(a) == 0:
		return b, true
	case len(b) == 0:
		return a, true
	}
	var both []string
	for _, c := range a {
		if slices.Contains(b, c) {
			both = append(both, c)
		}
	}
	return both, len(both) > 0
}
