package everruns

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/errand-dev/errand/sessionserver/internal/face"
	"github.com/errand-dev/errand/sessionserver/internal/sessions"
)

// number reads a whole number out of a query.
func number(q url.Values, name string, missing, least, most int) (int, error) {
	if q.Get(name) == "" {
		return missing, nil
	}
	n, err := strconv.Atoi(q.Get(name))
	if err != nil || n < least || n > most {
		return 0, invalid("%s should be a number from %d to %d", name, least, most)
	}
	return n, nil
}

// largest bounds an offset.
const largest = 1 << 30

func (f *Face) list(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	offset, err := number(q, "offset", 0, 0, largest)
	limit, err2 := number(q, "limit", 20, 1, 100)
	if err = errors.Join(err, err2); err == nil && q.Get("agent_id") != "" {
		err = f.checkID(agentID, q.Get("agent_id"))
	}
	if err != nil {
		f.fail(w, r, err)
		return
	}
	all := slices.DeleteFunc(f.Owned(r), func(s *sessions.Session) bool { return !f.wanted(q, s) })
	slices.Reverse(all)
	page := pageBody{Data: []sessionBody{}, Total: len(all), Offset: offset, Limit: limit}
	end := min(offset+limit, len(all))
	for _, s := range all[min(offset, len(all)):end] {
		page.Data = append(page.Data, f.body(r, s))
	}
	if f.Profile == Current {
		if end < len(all) {
			page.NextURL = f.pageURL(r, q, end)
		}
		if offset > 0 {
			page.PrevURL = f.pageURL(r, q, max(0, offset-limit))
		}
	}
	writeJSON(w, http.StatusOK, page)
}

func (f *Face) pageURL(r *http.Request, q url.Values, offset int) string {
	q.Set("offset", strconv.Itoa(offset))
	return face.BaseURL(r) + f.Prefix + r.URL.Path + "?" + q.Encode()
}

// wanted says whether a list is to have the session. The current profile can
// search for words of its title and tags.
func (f *Face) wanted(q url.Values, s *sessions.Session) bool {
	note := noteOf(s)
	if id := q.Get("agent_id"); id != "" && id != note.AgentID {
		return false
	}
	search := strings.ToLower(q.Get("search"))
	if search == "" || f.Profile == Given {
		return true
	}
	words := slices.Clone(note.Tags)
	if note.Title != nil {
		words = append(words, *note.Title)
	}
	return slices.ContainsFunc(words, func(word string) bool { return strings.Contains(strings.ToLower(word), search) })
}

type statsBody struct {
	Total   int `json:"total"`
	Started int `json:"started"`
	Active  int `json:"active"`
	Idle    int `json:"idle"`
	Waiting int `json:"waiting_for_tool_results"`
}

func (f *Face) stats(w http.ResponseWriter, r *http.Request) {
	var b statsBody
	for _, s := range f.Owned(r) {
		b.Total++
		switch f.status(s.Status(), noteOf(s).Questions) {
		case "started":
			b.Started++
		case "active":
			b.Active++
		case "idle":
			b.Idle++
		default:
			b.Waiting++
		}
	}
	writeJSON(w, http.StatusOK, b)
}
