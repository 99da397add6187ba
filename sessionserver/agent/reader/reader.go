// Package reader is an agent that opens a page and answers from what is
// written there: the page's title, description and address, and the product
// data that shops put on their pages for search engines (schema.org as JSON-LD
// or microdata, OpenGraph). There is no model behind it: it looks for the
// words of the fields it knows in the goal, and it says so when the page does
// not have them.
//
// Its screen is a drawing of the page as it understands it.
package reader

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/errand-dev/errand/sessionserver/agent"
)

// Agent reads pages. It holds connections and should be told to
// CloseIdleConnections when it is no longer used.
type Agent struct {
	client *http.Client
}

// New makes a reader that connects with dial.
func New(dial func(ctx context.Context, network, addr string) (net.Conn, error)) *Agent {
	return &Agent{client: newClient(dial)}
}

// CloseIdleConnections closes the connections that no turn is using.
func (a *Agent) CloseIdleConnections() { a.client.CloseIdleConnections() }

// state is what a session's reader remembers: its page, and while it waits for
// an answer, what it was asked for and which options it has named.
type state struct {
	URL     string   `json:"url"`
	Goal    string   `json:"goal,omitempty"`
	Chosen  []string `json:"chosen,omitempty"`  // labels, product first, then variant
	Options []string `json:"options,omitempty"` // labels of the question asked
}

// recall reads a state; nil is that of a reader who has seen nothing.
func recall(data json.RawMessage) (st state, err error) {
	if data == nil {
		return state{}, nil
	}
	if err := json.Unmarshal(data, &st); err != nil {
		return state{}, fmt.Errorf("the reader cannot read what it remembered: %w", err)
	}
	return st, nil
}

// worker is the reader of one session. It holds a page for its screen alone:
// each turn reads anew.
type worker struct {
	*Agent
	session agent.Session

	mu   sync.Mutex
	at   string // the page to read, where this worker knows better than a turn's State
	seen *sight // nil: to be fetched, if there is a page
}

// Open implements [agent.Agent].
func (a *Agent) Open(s agent.Session) agent.Worker { return &worker{Agent: a, session: s} }

// Close implements [agent.Worker].
func (w *worker) Close() {}

// Run implements [agent.Worker].
func (w *worker) Run(ctx context.Context, t *agent.Turn) agent.Outcome {
	st, err := recall(t.State)
	if err != nil {
		return agent.Failed(sentence(err.Error()))
	}
	w.mu.Lock()
	if w.at != "" {
		st.URL = w.at
	}
	w.mu.Unlock()
	if t.Answering && len(st.Options) > 0 {
		label, ok := choose(t.Message.Text(), st.Options)
		if !ok {
			return agent.Ask(fmt.Sprintf("I cannot tell which one %q is.\n%s", t.Message.Text(), numbered(st.Options)))
		}
		st.Chosen, st.Options = append(st.Chosen, label), nil
		if t.Message.StartURL != "" {
			st.URL = t.Message.StartURL
		}
	} else {
		st = state{URL: pageURL(t, st.URL), Goal: t.Message.Text()}
	}
	if st.URL == "" {
		return agent.Failed("The reader needs a page: give a start URL, or put an http or https address into the message.")
	}
	outcome, err := w.work(ctx, t, &st)
	if err != nil {
		outcome = agent.Failed(sentence(err.Error()))
	}
	if err := w.save(t, st); err != nil {
		return agent.Failed(sentence(err.Error()))
	}
	return outcome
}

// save keeps what the turn has come to, but for the page if another one was
// opened meanwhile.
func (w *worker) save(t *agent.Turn, st state) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	st.URL = w.at
	return t.Save(st)
}

// pageURL finds the page to read: the one that came with the message, else one
// named in the goal if the session was never given a start URL, else the page
// read before.
func pageURL(t *agent.Turn, before string) string {
	if t.Message.StartURL != "" {
		return t.Message.StartURL
	}
	if named := urlIn(t.Message.Text()); named != "" && t.StartURL == "" {
		return named
	}
	if before != "" {
		return before
	}
	return t.StartURL
}

// work reads the page and answers. Its errors are meant for people.
func (w *worker) work(ctx context.Context, t *agent.Turn, st *state) (agent.Outcome, error) {
	w.turnTo(st.URL)
	if err := t.Think(ctx, "Opening "+redact(st.URL)); err != nil {
		return agent.Outcome{}, err
	}
	p, err := w.look(ctx, st.URL)
	if err != nil {
		return agent.Outcome{}, err
	}
	if err := t.Think(ctx, p.summary()); err != nil {
		return agent.Outcome{}, err
	}
	fields := fieldsIn(st.Goal)
	found, question := p.find(fields, st)
	if question != "" {
		return agent.Ask(question), nil
	}
	result, missing := p.result(fields, found)
	if len(missing) > 0 {
		return agent.Outcome{}, p.lacks(missing, found)
	}
	return agent.Finished(result), nil
}

// sentence makes an error text a sentence.
func sentence(s string) string {
	first, size := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(first)) + strings.TrimSuffix(s[size:], ".") + "."
}
