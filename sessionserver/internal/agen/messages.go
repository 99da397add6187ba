package agen

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"

	"github.com/errand-dev/errand/sessionserver/agent"
	"github.com/errand-dev/errand/sessionserver/internal/sessions"
)

func (f *Face) events(w http.ResponseWriter, _ *http.Request, s *sessions.Session) {
	t, _ := f.timelineOf(s)
	events := append([]*event{}, t.events...)
	if f.Order == "newest_first" {
		slices.Reverse(events)
	}
	writeJSON(w, http.StatusOK, events)
}

// sendRequest is the body of a message.
type sendRequest struct {
	message  string
	clientID *string
}

func decodeSend(r *http.Request) (req sendRequest, err error) {
	body, err := decode(r)
	if err == nil {
		err = body.read("message", "a string", &req.message)
	}
	if err == nil {
		err = body.read("client_id", "a string or null", &req.clientID)
	}
	if err == nil && req.message == "" {
		err = invalid("body/message must have at least 1 character")
	}
	return req, err
}

func (f *Face) send(w http.ResponseWriter, r *http.Request, s *sessions.Session) {
	req, err := decodeSend(r)
	if err != nil {
		f.fail(w, r, err)
		return
	}
	if f.DedupeClientIDs {
		f.closing.Lock()
		defer f.closing.Unlock()
		if e := f.sent(s, req.clientID); e != nil {
			writeJSON(w, f.CreateStatus, e)
			return
		}
	} else {
		f.closing.RLock()
		defer f.closing.RUnlock()
	}
	if noteOf(s).ClosedAt != nil {
		f.fail(w, r, errClosed)
		return
	}
	e, err := post(s, req)
	if err != nil {
		f.fail(w, r, err)
		return
	}
	t, _ := f.timelineOf(s)
	writeJSON(w, f.CreateStatus, t.byMessage[e.Message.ID])
}

// sent is the message that was sent with that client_id, nil if there is none.
func (f *Face) sent(s *sessions.Session, clientID *string) *event {
	t, _ := f.timelineOf(s)
	for _, e := range t.events {
		if clientID != nil && e.ClientID != nil && *e.ClientID == *clientID {
			return e
		}
	}
	return nil
}

// post gives the message to the agent: as the answer if it waits for one, for
// later if it is busy.
func post(s *sessions.Session, req sendRequest) (sessions.Event, error) {
	note, err := json.Marshal(messageNote{ClientID: req.clientID})
	if err != nil {
		return sessions.Event{}, err
	}
	for {
		m := sessions.UserMessage{Text: req.message, Note: note, Queue: sessions.AfterTask}
		if m.Answers = asked(s); m.Answers != 0 {
			m.Queue = ""
		}
		e, err := s.Post(m)
		if !errors.Is(err, sessions.ErrNotWaiting) { // else another was faster
			return e, err
		}
	}
}

// asked is the id of the question that the agent waits for an answer to, 0 if
// there is none.
func asked(s *sessions.Session) (id int) {
	view := s.Since(0)
	if view.Status.Phase != sessions.Waiting {
		return 0
	}
	for _, e := range view.Events {
		if e.Message.Type == agent.Question {
			id = e.Message.ID
		}
	}
	return id
}
