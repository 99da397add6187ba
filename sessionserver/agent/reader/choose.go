package reader

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// labelsOf gives the names that tell products or variants apart.
func labelsOf(options []product) []string {
	labels := make([]string, len(options))
	for i, o := range options {
		labels[i] = o.label
		if labels[i] == "" {
			labels[i] = fmt.Sprintf("Option %d", i+1)
		}
	}
	for i := range labels {
		if n := slices.Index(labels[:i], labels[i]); n >= 0 {
			labels[i] = fmt.Sprintf("%s (%d)", labels[i], i+1)
		}
	}
	return labels
}

// priceTags adds to each label the price, where there is one.
func priceTags(labels []string, options []product) []string {
	tagged := slices.Clone(labels)
	for i, o := range options {
		if p, ok := o.facts[price]; ok {
			tagged[i] = strings.TrimRight(fmt.Sprintf("%s: %v %s", labels[i], p, o.facts.text(currency)), " ")
		}
	}
	return tagged
}

// numbered lists options for a question.
func numbered(options []string) string {
	var b strings.Builder
	for i, o := range options {
		fmt.Fprintf(&b, "%d. %s\n", i+1, o)
	}
	b.WriteString("Answer with the number or the name.")
	return b.String()
}

// choose finds the option that an answer means: its name, its number, the
// beginning of a word or any part of its name that no other has, or a sentence
// with its name.
func choose(answer string, labels []string) (string, bool) {
	answer = strings.ToLower(clean(answer))
	for _, l := range labels {
		if strings.ToLower(l) == answer {
			return l, true
		}
	}
	if n, err := strconv.Atoi(strings.Trim(answer, "#.() ")); err == nil && n >= 1 && n <= len(labels) {
		return labels[n-1], true
	}
	if answer == "" {
		return "", false
	}
	beginning := " " + strings.TrimSpace(spaced(answer))
	if l, ok := only(labels, func(l string) bool { return strings.Contains(spaced(l), beginning) }); ok {
		return l, true
	}
	if l, ok := only(labels, func(l string) bool { return strings.Contains(strings.ToLower(l), answer) }); ok {
		return l, true
	}
	if i, ok := mentioned(answer, labels); ok {
		return labels[i], true
	}
	return "", false
}

// only is the one label that matches.
func only(labels []string, match func(string) bool) (string, bool) {
	i := slices.IndexFunc(labels, match)
	if i < 0 || slices.ContainsFunc(labels[i+1:], match) {
		return "", false
	}
	return labels[i], true
}

// mentioned finds the one label that a text contains in whole words. A label
// of one or two letters would be found by accident and does not count.
func mentioned(text string, labels []string) (int, bool) {
	text = spaced(text)
	found := -1
	for i, l := range labels {
		if utf8.RuneCountInString(l) < 3 || !strings.Contains(text, spaced(l)) {
			continue
		}
		// "Extra Large" also mentions "Large".
		if found < 0 || strings.Contains(spaced(l), spaced(labels[found])) {
			found = i
		} else if !strings.Contains(spaced(labels[found]), spaced(l)) {
			return 0, false
		}
	}
	return found, found >= 0
}

// spaced writes a text as lower-case words with a space around each.
func spaced(s string) string {
	isBreak := func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }
	return " " + strings.Join(strings.FieldsFunc(strings.ToLower(s), isBreak), " ") + " "
}
