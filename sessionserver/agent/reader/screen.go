package reader

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/errand-dev/errand/sessionserver/agent"
)

// sight is what is kept of a page to draw it.
type sight struct {
	url, title string
	rows       []row
	text       string
}

// row is a fact on the screen.
type row struct{ name, value string }

// Bounds on what is kept of a page; more does not fit on the screen.
const (
	maxRows = 12
	maxText = 3000 // characters
)

// see makes a page fit for the screen.
func see(p *page) *sight {
	s := &sight{url: p.at.Redacted(), title: p.facts.text(title), text: cut(p.text, maxText)}
	switch {
	case len(p.products) == 1:
		product := p.products[0]
		s.facts(product.facts)
		s.options("variant", product.variants)
	case len(p.products) > 1:
		s.options("product", p.products)
	default:
		s.facts(facts{description: p.facts[description]})
	}
	if more := len(s.rows) - maxRows; more > 0 {
		s.rows = append(s.rows[:maxRows:maxRows], row{"", fmt.Sprintf("… and %d more", more)})
	}
	return s
}

func (s *sight) facts(known facts) {
	for _, v := range vocabulary {
		if value := known[v.field]; value != nil {
			s.rows = append(s.rows, row{string(v.field), fmt.Sprint(value)})
		}
	}
}

func (s *sight) options(kind string, options []product) {
	for _, tag := range priceTags(labelsOf(options), options) {
		s.rows = append(s.rows, row{kind, tag})
	}
}

// cut shortens a text to so many characters.
func cut(text string, most int) string {
	n := 0
	for i := range text {
		if n == most {
			return text[:i]
		}
		n++
	}
	return text
}

// turnTo makes a page the one to read.
func (w *worker) turnTo(address string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at = address
}

// look opens the page to read. The screen shows it, unless another one was
// opened meanwhile; a page that cannot be opened leaves nothing to show.
func (w *worker) look(ctx context.Context, address string) (*page, error) {
	p, err := w.open(ctx, address)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.at != address {
		return p, err
	}
	if w.seen = nil; err == nil {
		w.seen = see(p)
	}
	return p, err
}

// Navigate implements [agent.Screen]: it makes a page the one to read.
func (w *worker) Navigate(ctx context.Context, url string) (string, error) {
	p, err := w.open(ctx, url)
	if err != nil {
		return "", err
	}
	at := p.at.String()
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.session.Amend(func(saved json.RawMessage) (any, error) {
		st, err := recall(saved)
		st.URL = at
		return st, err
	}); err != nil {
		return "", err
	}
	w.at, w.seen = at, see(p)
	return p.at.Redacted(), nil
}

// Screenshot implements [agent.Screen]. A page that this life of the server has
// not seen yet is fetched.
func (w *worker) Screenshot(ctx context.Context) (agent.Screenshot, error) {
	seen, at, err := w.sight()
	if err != nil {
		return agent.Screenshot{}, err
	}
	switch {
	case seen != nil:
	case at == "":
		seen = &sight{title: "No page yet", text: "Open one with navigate, or send a message with a start URL."}
	default:
		p, err := w.look(ctx, at)
		if err != nil {
			return agent.Screenshot{}, err
		}
		seen = see(p)
	}
	picture, err := draw(seen)
	if err != nil {
		return agent.Screenshot{}, fmt.Errorf("the page cannot be drawn: %w", err)
	}
	shot := agent.Screenshot{JPEG: picture, URL: seen.url, Width: width, Height: height}
	if seen.url != "" {
		shot.Title = seen.title
	}
	return shot, nil
}

// sight is what the reader sees, or else the page to fetch for that.
func (w *worker) sight() (*sight, string, error) {
	_, saved := w.session.Past()
	st, err := recall(saved)
	if err != nil {
		return nil, "", err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.at == "" {
		w.at = st.URL
	}
	return w.seen, w.at, nil
}

// Awake implements [agent.Sleeper]: those who only watch fetch nothing.
func (w *worker) Awake() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seen != nil
}
