package everruns

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/errand-dev/errand/sessionserver/internal/sessions"
)

type sendRequest struct {
	Message *struct {
		Role    string          `json:"role"`
		Content json.RawMessage `json:"content"`
	} `json:"message"`
	Controls json.RawMessage `json:"controls"`
	Metadata json.RawMessage `json:"metadata"`
	Tags     []string        `json:"tags"`
}

// note checks the request and gives what is kept of it, and its text.
func (f *Face) note(req sendRequest) (n messageNote, text string, err error) {
	if req.Message == nil {
		return n, "", f.unfit("message is missing")
	}
	if role := req.Message.Role; role != "" && role != "user" {
		return n, "", f.unfit("message.role is %q, only user messages can be created", role)
	}
	if text, err = f.textOf(req.Message.Content); err != nil {
		return n, "", err
	}
	if f.MaxMessage > 0 && len(text) > f.MaxMessage {
		return n, "", wrong{code: http.StatusRequestEntityTooLarge, text: "The message is too large"}
	}
	n = messageNote{Content: req.Message.Content, Tags: req.Tags}
	for _, part := range []struct {
		name     string
		from, to *json.RawMessage
	}{{"controls", &req.Controls, &n.Controls}, {"metadata", &req.Metadata, &n.Metadata}} {
		if none(*part.from) {
			continue
		}
		var object map[string]json.RawMessage
		if json.Unmarshal(*part.from, &object) != nil {
			return n, "", f.unfit("%s should be an object", part.name)
		}
		*part.to = *part.from
	}
	return n, text, nil
}

// none says whether there is nothing, or null.
func none(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }

// textOf is the text of a message's content, a paragraph for each text part.
func (f *Face) textOf(content json.RawMessage) (string, error) {
	var parts []struct {
		Type    string  `json:"type"`
		Text    *string `json:"text"`
		URL     *string `json:"url"`
		Base64  *string `json:"base64"`
		ImageID *string `json:"image_id"`
	}
	if json.Unmarshal(content, &parts) != nil || len(parts) == 0 {
		return "", f.unfit("content should be a list of parts")
	}
	var texts []string
	for i, p := range parts {
		switch {
		case p.Type == "text" && p.Text != nil:
			texts = append(texts, *p.Text)
		case p.Type == "image" && (p.URL != nil || p.Base64 != nil), p.Type == "image_file" && p.ImageID != nil:
			// The agents here look at no pictures; the message keeps them.
		default:
			return "", f.unfit("part %d of the content should be a text, an image or an image_file with what belongs to it", i+1)
		}
	}
	return strings.Join(texts, "\n\n"), nil
}

func (f *Face) send(w http.ResponseWriter, r *http.Request, s *sessions.Session) {
	var req sendRequest
	if err := f.decode(r, &req); err != nil {
		f.fail(w, r, err)
		return
	}
	note, text, err := f.note(req)
	if err != nil {
		f.fail(w, r, err)
		return
	}
	m := sessions.UserMessage{Text: text}
	m.Queue, m.IfIdle = f.whileActive(noteOf(s).Questions)
	if m.Note, err = json.Marshal(note); err != nil {
		f.fail(w, r, err)
		return
	}
	told, err := s.Post(m)
	if err != nil {
		f.fail(w, r, err)
		return
	}
	body, _ := userMessage(s.ID, told)
	writeJSON(w, http.StatusCreated, body)
}

// whileActive says what the engine does with a message to a session that is
// active. A message answers a question only where questions are messages.
func (f *Face) whileActive(asks Asking) (q sessions.Queue, ifIdle bool) {
	byMessage := asks == ByMessage
	switch {
	case f.WhileActive == Queue && byMessage:
		return sessions.AfterTurn, false
	case f.WhileActive == Queue:
		return sessions.AfterTask, false
	case f.WhileActive == Steer && byMessage:
		return "", false
	case f.WhileActive == Steer:
		return sessions.Unasked, false
	case byMessage:
		return "", true
	}
	return sessions.AfterTask, true
}

func (f *Face) messages(w http.ResponseWriter, _ *http.Request, s *sessions.Session) {
	writeJSON(w, http.StatusOK, listBody[listedMessage]{append([]listedMessage{}, timelineOf(s).messages...)})
}
