package inbox

import (
	"net/http"
	"net/url"
	"strconv"

	"github.com/errand-dev/errand/starter"
	"github.com/errand-dev/errand/workflows"
)

// inboxView is what waits, for its page.
type inboxView struct {
	Items    []starter.Waiting
	Next     string // address of the next page
	First    bool
	Total    int64 // of what waits, where it is more than is shown
	Answered string
	Live     livePart

	MorePaused bool // than are shown
}

// Title is that of the page, with how much waits.
func (v inboxView) Title() string { return v.Words() + " · Errand" }

// Words say how much waits.
func (v inboxView) Words() string {
	n := max(v.Total, int64(len(v.Items)))
	switch n {
	case 0:
		return "Nothing waits for you"
	case 1:
		return "1 waits for you"
	}
	return number(n) + " wait for you"
}

func (s *server) showInbox(w http.ResponseWriter, r *http.Request) {
	v, err := s.loadInbox(r)
	if err != nil {
		s.sayFailure(w, r, err)
		return
	}
	v.Answered = r.URL.Query().Get("answered")
	s.pages.render(w, r, http.StatusOK, "inbox.html", v)
}

func (s *server) showWaiting(w http.ResponseWriter, r *http.Request) {
	v, err := s.loadInbox(r)
	if err != nil {
		s.sayFailure(w, r, err)
		return
	}
	s.sendNews(w, r, v.Live)
}

func (s *server) loadInbox(r *http.Request) (inboxView, error) {
	after := r.URL.Query().Get("after")
	page, err := s.Tasks.Waiting(r.Context(), starter.Page{After: after})
	if err != nil {
		return inboxView{}, err
	}
	v := inboxView{Items: page.Items, First: after == ""}
	if v.First {
		paused, err := s.Tasks.Waiting(r.Context(), starter.Page{Status: workflows.StatusPaused})
		if err != nil {
			return inboxView{}, err
		}
		v.Items, v.MorePaused = append(v.Items, paused.Items...), paused.Next != ""
	}
	if page.Next != "" {
		v.Next = "/?" + url.Values{"after": {page.Next}}.Encode()
	}
	if v.Next != "" || !v.First {
		if v.Total, err = s.Tasks.CountWaiting(r.Context()); err != nil {
			return inboxView{}, err
		}
	}
	v.Live, err = s.pages.live("waiting", "/waiting?"+url.Values{"after": {after}}.Encode(), "", v)
	return v, err
}

// number writes a number so that people can read it.
func number(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
