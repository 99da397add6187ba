package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"sync"
)

// agent is what the protocol needs of one. Its methods may be called at the
// same time; only work is called once at a time. The texts of their errors are
// for people.
type agent interface {
	// restore takes the state that a former process gave. An error says that
	// this agent cannot go on from it.
	restore(state json.RawMessage) error
	// work does one task. The context ends when the task is cancelled.
	work(ctx context.Context, t *task) (result any, err error)
	screenshot(ctx context.Context) (picture, error)
	navigate(ctx context.Context, url string) (current string, err error)
	save(ctx context.Context) (state any, err error)
}

// request is a line from the server, of any type.
type request struct {
	Type     string          `json:"type"`
	Text     string          `json:"text"`
	StartURL string          `json:"start_url"`
	URL      string          `json:"url"`
	State    json.RawMessage `json:"state"`
}

// picture is what the screenshot line carries.
type picture struct {
	JPEG   []byte `json:"jpeg"` // base64 in JSON
	URL    string `json:"url,omitempty"`
	Title  string `json:"title,omitempty"`
	Width  int    `json:"width,omitempty"`
	Height int    `json:"height,omitempty"`
}

// voice writes lines to the server, from any goroutine.
type voice struct {
	mu  sync.Mutex
	enc *json.Encoder
}

type fields map[string]any

// say writes one line. A server that no longer listens closes stdin as well,
// which ends serve.
func (v *voice) say(kind string, f fields) {
	line := fields{"type": kind}
	maps.Copy(line, f)
	v.mu.Lock()
	defer v.mu.Unlock()
	_ = v.enc.Encode(line)
}

func (v *voice) picture(p picture) {
	v.say("screenshot", fields{"jpeg": p.JPEG, "url": p.URL, "title": p.Title, "width": p.Width, "height": p.Height})
}

// task is one message to work on, and the way to talk about it meanwhile.
type task struct {
	*voice
	text, startURL string
	answers        chan string
	cancel         context.CancelFunc
	cancelled      bool // read and written by serve alone
}

func (t *task) think(format string, args ...any) {
	t.say("thought", fields{"text": fmt.Sprintf(format, args...)})
}

// ask asks a person and waits for the answer, however long that takes.
func (t *task) ask(ctx context.Context, question string) (string, error) {
	select {
	case <-t.answers: // nobody's: it came before the question
	default:
	}
	t.say("question", fields{"text": question})
	select {
	case answer := <-t.answers:
		return answer, nil
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

// outcome is what a task came to.
type outcome struct {
	result any
	err    error
}

// serve speaks the protocol until the server closes stdin or ctx ends, and
// returns when all it started has ended. Lines are read on and answered while a
// task is under way; a task's last line is said here, so that whatever comes
// next finds the agent free.
func serve(ctx context.Context, stdin io.Reader, stdout io.Writer, a agent) error {
	ctx, stop := context.WithCancel(ctx)
	var started sync.WaitGroup
	defer started.Wait()
	defer stop()

	requests, broken := make(chan request), make(chan error, 1)
	go read(ctx, json.NewDecoder(stdin), requests, broken)
	v := &voice{enc: json.NewEncoder(stdout)}
	var current *task // nil: free
	finished := make(chan outcome)
	for {
		var r request
		select {
		case <-ctx.Done():
			return nil
		case err := <-broken:
			if errors.Is(err, io.EOF) {
				return nil
			}
			return fmt.Errorf("a line from the server cannot be read: %w", err)
		case o := <-finished:
			conclude(v, current, o)
			current = nil
			continue
		case r = <-requests:
		}
		switch r.Type {
		case "start":
			greet(v, a, r.State)
		case "message":
			if current != nil {
				v.say("log", fields{"text": "This agent does one thing at a time and goes on with what it does."})
				continue
			}
			work, cancel := context.WithCancel(ctx)
			t := &task{voice: v, text: r.Text, startURL: r.StartURL, answers: make(chan string, 1), cancel: cancel}
			current = t
			started.Go(func() {
				result, err := a.work(work, t)
				select {
				case finished <- outcome{result, err}:
				case <-ctx.Done():
				}
			})
		case "answer":
			if current == nil {
				v.say("error", fields{"text": "The page that the question was about is no longer open. Send the task again."})
				continue
			}
			select {
			case current.answers <- r.Text:
			default: // a question has one answer
			}
		case "cancel":
			if current != nil {
				current.cancelled = true
				current.cancel()
			}
		case "save", "screenshot", "navigate":
			started.Go(func() { reply(ctx, v, a, r) })
		}
	}
}

// read sends on the server's lines, and at last the error that ended them.
func read(ctx context.Context, lines *json.Decoder, requests chan<- request, broken chan<- error) {
	for {
		var r request
		if err := lines.Decode(&r); err != nil {
			broken <- err
			return
		}
		select {
		case requests <- r:
		case <-ctx.Done():
			return
		}
	}
}

// greet says what the agent can do, or that it cannot go on from the state.
func greet(v *voice, a agent, state json.RawMessage) {
	if len(state) > 0 && string(state) != "null" {
		if err := a.restore(state); err != nil {
			v.say("ready", fields{"cannot_restore": err.Error()})
			return
		}
	}
	v.say("ready", fields{"can": []string{"screenshot", "navigate", "save"}})
}

// conclude says how a task ended. A cancelled task may still have ended by itself.
func conclude(v *voice, t *task, o outcome) {
	t.cancel()
	switch {
	case o.err == nil:
		v.say("done", fields{"result": o.result})
	case t.cancelled && errors.Is(o.err, context.Canceled):
		v.say("cancelled", nil)
	default:
		v.say("error", fields{"text": o.err.Error()})
	}
}

// reply does what is asked for at any time, task or not.
func reply(ctx context.Context, v *voice, a agent, r request) {
	var err error
	switch r.Type {
	case "save":
		var state any
		if state, err = a.save(ctx); err == nil {
			v.say("state", fields{"state": state})
		}
	case "screenshot":
		var p picture
		if p, err = a.screenshot(ctx); err == nil {
			v.picture(p)
		}
	case "navigate":
		var current string
		if current, err = a.navigate(ctx, r.URL); err == nil {
			v.say("navigated", fields{"url": current})
		}
	}
	if err != nil {
		v.say("failed", fields{"request": r.Type, "text": err.Error()})
	}
}
