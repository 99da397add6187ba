package exec

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"github.com/errand-dev/errand/sessionserver/agent"
)

// heard is one line from the program. A line that is no JSON object has the
// type that is empty, and its text.
type heard struct {
	Type          string          `json:"type"`
	Text          string          `json:"text"`
	Content       json.RawMessage `json:"content"`
	Result        json.RawMessage `json:"result"`
	State         json.RawMessage `json:"state"`
	Hidden        bool            `json:"hidden"`
	Can           []string        `json:"can"`
	CannotRestore *string         `json:"cannot_restore"`
	JPEG          string          `json:"jpeg"`
	URL           string          `json:"url"`
	Title         string          `json:"title"`
	Width         int             `json:"width"`
	Height        int             `json:"height"`
	Request       string          `json:"request"`
}

// plain is the type of a line that is not for the server.
const plain = ""

// parse reads a line.
func parse(line []byte) heard {
	var h heard
	if bytes.HasPrefix(line, []byte("{")) && json.Valid(line) {
		if err := json.Unmarshal(line, &h); err == nil {
			if h.Type == plain {
				h.Type = "unknown"
			}
			if string(h.State) == "null" {
				h.State = nil
			}
			return h
		}
	}
	return heard{Text: cut(strings.ToValidUTF8(string(line), "\uFFFD"), 1000)}
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

// said is the content of a message: the first value that is there, or the text.
func (h heard) said(value json.RawMessage) any {
	if len(value) > 0 && string(value) != "null" {
		return value
	}
	return h.Text
}

// size is the length of what the line has to be kept.
func (h heard) size() int {
	return max(len(h.Text), len(h.Content), len(h.Result), len(h.State))
}

func (h heard) screenshot() (agent.Screenshot, error) {
	jpeg, err := base64.StdEncoding.DecodeString(h.JPEG)
	if err != nil {
		return agent.Screenshot{}, errors.New("the agent's picture is not written in base64")
	}
	return agent.Screenshot{JPEG: jpeg, URL: h.URL, Title: h.Title, Width: h.Width, Height: h.Height}, nil
}

// The lines for the program. Each has its type first.
type (
	startLine struct {
		Type            string          `json:"type"`
		SessionID       string          `json:"session_id"`
		Agent           string          `json:"agent"`
		Dir             string          `json:"dir"`
		Goal            string          `json:"goal,omitempty"`
		MaxSteps        int             `json:"max_steps,omitempty"`
		CDPURL          string          `json:"cdp_url,omitempty"`
		EnvironmentType string          `json:"environment_type,omitempty"`
		Model           string          `json:"model,omitempty"`
		History         []pastMessage   `json:"history"`
		State           json.RawMessage `json:"state,omitempty"`
	}
	pastMessage struct {
		ID      int               `json:"id"`
		Type    agent.MessageType `json:"type"`
		Content json.RawMessage   `json:"content"`
	}
	messageLine struct {
		Type     string          `json:"type"`
		ID       int             `json:"id"`
		Text     string          `json:"text"`
		StartURL string          `json:"start_url,omitempty"`
		Config   json.RawMessage `json:"config,omitempty"`
		Context  json.RawMessage `json:"context,omitempty"`
	}
	answerLine struct {
		Type       string `json:"type"`
		ID         int    `json:"id"`
		Text       string `json:"text"`
		QuestionID int    `json:"question_id"`
	}
	plainLine struct {
		Type string `json:"type"`
		URL  string `json:"url,omitempty"`
	}
)

func start(name string, s agent.Session, history []agent.Message, state json.RawMessage) startLine {
	line := startLine{
		Type: "start", SessionID: s.ID, Agent: name, Dir: s.Dir, Goal: s.Goal, MaxSteps: s.MaxSteps, CDPURL: s.CDPURL,
		EnvironmentType: s.EnvironmentType, Model: s.Model, History: []pastMessage{}, State: state,
	}
	for _, m := range history {
		line.History = append(line.History, pastMessage{m.ID, m.Type, m.Content})
	}
	return line
}

func message(m agent.Message) messageLine {
	return messageLine{"message", m.ID, m.Text(), m.StartURL, m.Config, m.Context}
}

// opening is the line that begins a turn.
func opening(t *agent.Turn) any {
	if !t.Answering {
		return message(t.Message)
	}
	question := 0
	for _, m := range t.History {
		if m.Type == agent.Question {
			question = m.ID
		}
	}
	return answerLine{"answer", t.Message.ID, t.Message.Text(), question}
}

// errLongLine is the error of a line beyond the limit.
var errLongLine = errors.New("line too long")

// readLine reads a line without its end, of at most so many bytes. A last line
// without an end counts.
func readLine(r *bufio.Reader, most int) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case len(line) > most+1:
			return nil, errLongLine
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF) && len(line) > 0:
			return bytes.TrimSpace(line), nil
		default:
			return bytes.TrimSpace(line), err
		}
	}
}
