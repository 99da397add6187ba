package provider

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/errand-dev/errand/apiclient/everruns"
)

// everrunsReply is what an answer names: the calls of a tool that the session
// waits for, or a task and its request for input.
type everrunsReply struct {
	calls   []string
	task    string
	request string
}

func (r everrunsReply) String() string {
	if r.task != "" {
		return "task:" + url.QueryEscape(r.task) + "/" + url.QueryEscape(r.request)
	}
	escaped := make([]string, len(r.calls))
	for i, id := range r.calls {
		escaped[i] = url.QueryEscape(id)
	}
	return "tool:" + strings.Join(escaped, ",")
}

// parseEverrunsReply reads Message.ReplyTo. Without one, it is a plain message.
func parseEverrunsReply(text string) (everrunsReply, error) {
	var r everrunsReply
	if text == "" {
		return r, nil
	}
	var failed error
	unescape := func(s string) string {
		value, err := url.QueryUnescape(s)
		if err != nil || value == "" {
			failed = errors.New("not an id")
		}
		return value
	}
	if calls, ok := strings.CutPrefix(text, "tool:"); ok {
		for id := range strings.SplitSeq(calls, ",") {
			r.calls = append(r.calls, unescape(id))
		}
	} else if names, ok := strings.CutPrefix(text, "task:"); ok {
		task, request, _ := strings.Cut(names, "/")
		r.task, r.request = unescape(task), unescape(request)
	} else {
		failed = errors.New("of no kind")
	}
	if failed != nil {
		return everrunsReply{}, &Error{Kind: ErrorInvalid, Op: "send message", Message: "the answer names no question of this vendor: " + strconv.Quote(text)}
	}
	return r, nil
}

// answerCalls gives the answer as the result of each call. A session that does
// not wait for the calls refuses it (409): where they are no longer open, an
// earlier try or someone else has answered, or the turn is over, and reading
// will tell what came of it. Tools that want a result of their own form refuse
// words (400, 422), which then go as a message: the vendor takes that for the
// answer of a user who would rather type.
func (p *everrunsProvider) answerCalls(ctx context.Context, sessionID string, m Message, calls []string) error {
	const op = "send answer"
	results := make([]everruns.ToolResult, len(calls))
	for i, id := range calls {
		results[i] = everruns.ToolResult{ToolCallID: id, Result: everrunsResult(m.Text)}
	}
	reply, err := p.client.SubmitToolResults(ctx, sessionID, results)
	answer, answered := errors.AsType[*everruns.Error](err)
	switch {
	case err == nil && (reply.Accepted == nil || *reply.Accepted > 0):
		return nil
	case err == nil:
		err = &Error{Kind: ErrorBusy, Op: op, Message: "the vendor took none of the results"}
	case answered && (answer.StatusCode == http.StatusBadRequest || answer.StatusCode == http.StatusUnprocessableEntity):
		return p.say(ctx, sessionID, m)
	case !answered || answer.StatusCode != http.StatusConflict:
		return everrunsError(op, err)
	default:
		err = everrunsError(op, err)
	}
	events, listErr := p.client.ListEvents(ctx, sessionID, everruns.ListEventsOptions{Exclude: everrunsNoise})
	if listErr != nil {
		return err
	}
	open := everrunsOpen(calls, events)
	switch {
	case len(open) == 0:
		return nil
	case len(open) < len(calls):
		return p.answerCalls(ctx, sessionID, m, open)
	}
	return err
}

// everrunsResult is an answer as a tool's result, any JSON value: a structure
// as it is, everything else as the words that it is.
func everrunsResult(text string) json.RawMessage {
	trimmed := strings.TrimSpace(text)
	if (strings.HasPrefix(trimmed, "{") || strings.HasPrefix(trimmed, "[")) && json.Valid([]byte(trimmed)) {
		return json.RawMessage(trimmed)
	}
	quoted, err := json.Marshal(text)
	if err != nil {
		panic("a string is always JSON: " + err.Error())
	}
	return quoted
}

// everrunsOpen are those of the calls that nobody has answered, in turns that
// are not over.
func everrunsOpen(calls []string, events []everruns.Event) []string {
	open := slices.Clone(calls)
	turnOf := map[string]string{}
	for _, e := range events {
		facts := factsOf(e)
		for _, call := range facts.requested {
			turnOf[call.ID] = facts.turn
		}
		open = slices.DeleteFunc(open, func(id string) bool {
			turn, requested := turnOf[id]
			return id == facts.completed || (facts.end && requested && (facts.turn == "" || facts.turn == turn))
		})
	}
	return open
}

// answerTask gives a task what it asks for. A task that refuses it (409) and
// does not ask for it any more has been answered.
func (p *everrunsProvider) answerTask(ctx context.Context, sessionID string, m Message, reply everrunsReply) error {
	err := p.client.CreateTaskMessage(ctx, sessionID, reply.task, everruns.TaskMessageRequest{Text: m.Text, InReplyTo: reply.request})
	if answer, ok := errors.AsType[*everruns.Error](err); ok && answer.StatusCode == http.StatusConflict {
		if task, err := p.client.Task(ctx, sessionID, reply.task); err == nil && !everrunsAsks(task, reply.request) {
			return nil
		}
	}
	return everrunsError("send answer", err)
}

func everrunsAsks(task everruns.Task, request string) bool {
	return task.State == everruns.TaskAwaitingInput && task.InputRequest != nil && task.InputRequest.ID == request
}

// Find knows a message by its key, and an answer by the question, which nobody
// can answer twice.
func (p *everrunsProvider) Find(ctx context.Context, sessionID string, m Message, after Watermark) (Arrival, error) {
	const op = "look for message"
	mark, err := parseEverrunsMark(after)
	if err != nil {
		return "", err
	}
	reply, err := parseEverrunsReply(m.ReplyTo)
	if err != nil {
		return "", err
	}
	events, err := p.client.ListEvents(ctx, sessionID, everruns.ListEventsOptions{SinceID: mark.event, Exclude: everrunsNoise})
	if err != nil {
		return "", everrunsError(op, err)
	}
	events = mark.behind(events)
	switch {
	case slices.ContainsFunc(events, func(e everruns.Event) bool { return everrunsIs(e, m) }):
		return Arrived, nil
	case len(reply.calls) > 0:
		return p.findAnswer(ctx, sessionID, reply.calls, events, mark)
	case reply.task != "":
		task, err := p.client.Task(ctx, sessionID, reply.task)
		if answer, ok := errors.AsType[*everruns.Error](err); ok && answer.StatusCode == http.StatusNotFound {
			return Doubtful, nil // the task is gone, and with it what it was told
		}
		if err != nil {
			return "", everrunsError(op, err)
		}
		if everrunsAsks(task, reply.request) {
			return Missing, nil
		}
		return Arrived, nil
	case m.Key == "":
		return Missing, nil
	}
	// A message that waits in a queue may have no event yet.
	messages, err := p.client.ListMessages(ctx, sessionID)
	if err != nil {
		return "", everrunsError(op, err)
	}
	for _, got := range messages {
		if key, mine := everrunsMine(got, nil, nil); mine && key == m.Key {
			return Arrived, nil
		}
	}
	return Missing, nil
}

// everrunsIs reports whether an event is the arrival of a message. One without
// a key is known by its words.
func everrunsIs(e everruns.Event, m Message) bool {
	if e.Type != everruns.EventInputMessage {
		return false
	}
	data, _ := everruns.DataOf[everruns.MessageData](e)
	key, mine := everrunsMine(data.Message, e.Tags, e.Metadata)
	return mine && key == m.Key && (key != "" || data.Message.Content.Text() == m.Text)
}

// findAnswer finds an answer that is a tool's result: where the session waits
// no more, it has one.
func (p *everrunsProvider) findAnswer(ctx context.Context, sessionID string, calls []string, events []everruns.Event, mark everrunsMark) (Arrival, error) {
	ended := slices.ContainsFunc(events, func(e everruns.Event) bool {
		facts := factsOf(e)
		return facts.end && mark.turn != "" && facts.turn == mark.turn
	})
	if ended || len(everrunsOpen(calls, events)) == 0 {
		return Arrived, nil
	}
	session, err := p.client.Session(ctx, sessionID)
	if err != nil {
		return "", everrunsError("look for message", err)
	}
	switch everrunsState(session.Status) {
	case StateWaiting:
		return Missing, nil
	case StateWorking, StateIdle:
		return Arrived, nil
	default:
		return Doubtful, nil
	}
}
