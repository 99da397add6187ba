package provider

import (
	"cmp"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/errand-dev/errand/apiclient/everruns"
)

// everrunsMark is a place in a session's events, and what is known there of the
// turn that is waited for. As a watermark it is words: the event's id or "-",
// then what else there is, as in "event_1 seq=7 turn=turn_1".
type everrunsMark struct {
	event    string   // the last one that was read
	sequence int64    // the largest that was read: ids are made before events are stored
	inputs   []string // ids of our messages whose turn has not been seen to begin
	turn     string   // of ours that is under way
	tasks    bool     // tasks of the session may await input
	asked    []string // questions of tasks that were asked, as replies name them
}

func (m everrunsMark) watermark() Watermark {
	if m.event == "" && m.sequence == 0 && len(m.inputs) == 0 && m.turn == "" && !m.tasks && len(m.asked) == 0 {
		return ""
	}
	words := []string{"-"}
	if m.event != "" {
		words[0] = url.QueryEscape(m.event)
	}
	add := func(name, value string) { words = append(words, name+"="+url.QueryEscape(value)) }
	if m.sequence > 0 {
		add("seq", strconv.FormatInt(m.sequence, 10))
	}
	if m.turn != "" {
		add("turn", m.turn)
	}
	for _, id := range m.inputs {
		add("input", id)
	}
	if m.tasks {
		words = append(words, "tasks")
	}
	for _, id := range m.asked {
		add("asked", id)
	}
	return Watermark(strings.Join(words, " "))
}

func parseEverrunsMark(w Watermark) (everrunsMark, error) {
	var m everrunsMark
	for i, word := range strings.Fields(string(w)) {
		name, escaped, _ := strings.Cut(word, "=")
		if i == 0 {
			name, escaped = "event", word
		}
		value, err := url.QueryUnescape(escaped)
		if err == nil && name == "seq" {
			m.sequence, err = strconv.ParseInt(value, 10, 64)
		}
		if err != nil || m.sequence < 0 {
			return everrunsMark{}, &Error{Kind: ErrorInvalid, Op: "read watermark", Message: "not a place in a session's events: " + strconv.Quote(string(w))}
		}
		switch {
		case name == "event" && value != "-":
			m.event = value
		case name == "turn":
			m.turn = value
		case name == "input" && value != "":
			m.inputs = append(m.inputs, value)
		case name == "tasks":
			m.tasks = true
		case name == "asked" && value != "":
			m.asked = append(m.asked, value)
		}
	}
	return m, nil
}

// pass moves the mark behind an event.
func (m *everrunsMark) pass(e everruns.Event) {
	if e.ID != "" {
		m.event = e.ID
	}
	m.sequence = max(m.sequence, e.Sequence)
}

// clone shares nothing with the mark.
func (m everrunsMark) clone() everrunsMark {
	m.inputs, m.asked = slices.Clone(m.inputs), slices.Clone(m.asked)
	return m
}

// behind leaves out what a server tells although it is not behind the mark, and
// puts the rest in order.
func (m everrunsMark) behind(events []everruns.Event) []everruns.Event {
	at := slices.IndexFunc(events, func(e everruns.Event) bool { return m.event != "" && e.ID == m.event })
	var news []everruns.Event
	numbered := true
	for i, e := range events {
		if known := e.Sequence > 0 && m.sequence > 0; (known && e.Sequence <= m.sequence) || (!known && i <= at) {
			continue
		}
		numbered = numbered && e.Sequence > 0
		news = append(news, e)
	}
	if numbered {
		slices.SortStableFunc(news, func(x, y everruns.Event) int { return cmp.Compare(x.Sequence, y.Sequence) })
	}
	return news
}
