package provider

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/errand-dev/errand/apiclient/everruns"
)

// everrunsNoise is left out of all reading: what comes many times a second and
// is told whole later, and what repeats the whole conversation each time. All
// vintages of the API know these types, and refuse what they do not know.
var everrunsNoise = []everruns.EventType{everruns.EventOutputDelta, everruns.EventThinkingDelta, everruns.EventGeneration}

// Read asks for the state first, so that the events are never older than it.
func (p *everrunsProvider) Read(ctx context.Context, sessionID string, after Watermark) (Progress, error) {
	const op = "read events"
	mark, err := parseEverrunsMark(after)
	if err != nil {
		return Progress{}, err
	}
	session, err := p.client.Session(ctx, sessionID)
	if err != nil {
		return Progress{}, everrunsError(op, err)
	}
	state := everrunsState(session.Status)
	events, err := p.client.ListEvents(ctx, sessionID, everruns.ListEventsOptions{SinceID: mark.event, Exclude: everrunsNoise})
	if err != nil {
		return Progress{}, everrunsError(op, err)
	}
	turn := followEverruns(mark, mark.behind(events))
	if turn.outcome == nil && state == StateIdle && mark.event != "" && mark.sequence > 0 {
		// Ids are made before events are stored: one that came late may stand
		// before the mark by its id, and behind it by its number alone.
		if events, err = p.client.ListEvents(ctx, sessionID, everruns.ListEventsOptions{Exclude: everrunsNoise}); err != nil {
			return Progress{}, everrunsError(op, err)
		}
		turn = followEverruns(mark, mark.behind(events))
	}
	if err := p.conclude(ctx, sessionID, turn, state); err != nil {
		return Progress{}, everrunsError(op, err)
	}
	p.heard.note(sessionID, turn.mark.event)
	progress := Progress{
		State: state, RawState: string(session.Status), Entries: turn.entries(),
		Cursor: turn.mark.watermark(), Outcome: turn.outcome,
		Unsettled: turn.outcome == nil && (len(turn.pending) > 0 || state == StateIdle || state == StateWaiting),
	}
	if turn.outcome == nil && len(turn.pending) > 0 {
		progress.Cursor = turn.before.watermark() // to be read again, with the state to come
	}
	return progress, nil
}

// conclude asks for what the events alone do not tell: the words of a result
// that were read before, and the questions of tasks.
func (p *everrunsProvider) conclude(ctx context.Context, sessionID string, turn *everrunsTurn, state State) error {
	if turn.outcome != nil {
		if turn.outcome.Kind != OutcomeFinished {
			return nil
		}
		said, ok := turn.outputs.last[turn.ended]
		if !ok {
			events, err := p.client.ListEvents(ctx, sessionID, everruns.ListEventsOptions{Exclude: everrunsNoise})
			if err != nil {
				return err
			}
			said = turn.saidBefore(events)
		}
		turn.outcome.Text, turn.outcome.Result = said.text, resultOfText(said.text)
		return nil
	}
	if len(turn.pending) > 0 && state == StateWaiting {
		turn.ask()
		return nil
	}
	if !turn.mark.tasks || len(turn.pending) > 0 || !turn.ours("") {
		return nil
	}
	tasks, err := p.client.ListTasks(ctx, sessionID)
	if answer, ok := errors.AsType[*everruns.Error](err); ok && answer.StatusCode == http.StatusNotFound {
		turn.mark.tasks = false // events of tasks, and no such call
		return nil
	}
	if err != nil {
		return err
	}
	turn.askFor(tasks)
	return nil
}

// everrunsFacts is what an event says about turns and calls of tools.
type everrunsFacts struct {
	turn      string              // that it belongs to
	input     string              // message that the turn began on
	end       bool                // of the turn
	mine      bool                // a message of ours has arrived, which is input
	requested []everruns.ToolCall // whose results are asked for
	completed string              // call that has its result
}

func factsOf(e everruns.Event) everrunsFacts {
	f := everrunsFacts{turn: e.Context.TurnID, input: e.Context.InputMessageID}
	switch e.Type {
	case everruns.EventInputMessage:
		data, _ := everruns.DataOf[everruns.MessageData](e)
		// Its context may be that of a turn that is under way when it comes, and
		// behind which it waits: only a turn that begins on it is its turn.
		f.turn, f.input = "", cmp.Or(data.Message.ID, f.input)
		_, f.mine = everrunsMine(data.Message, e.Tags, e.Metadata)
	case everruns.EventToolCallRequested:
		data, _ := everruns.DataOf[everruns.ToolCallsData](e)
		f.requested = slices.DeleteFunc(data.ToolCalls, func(c everruns.ToolCall) bool { return c.ID == "" })
	case everruns.EventToolCompleted:
		data, _ := everruns.DataOf[everruns.ToolCompletedData](e)
		f.completed = data.ToolCallID
	case everruns.EventTurnCompleted, everruns.EventTurnFailed, everruns.EventTurnCancelled, everruns.EventTurnSealed:
		f.end = true
		fallthrough
	case everruns.EventTurnStarted, everruns.EventSessionActivated:
		data, _ := everruns.DataOf[everruns.TurnData](e)
		f.turn, f.input = cmp.Or(data.TurnID, f.turn), cmp.Or(data.InputMessageID, f.input)
	}
	return f
}

// everrunsTurn follows the turn that is waited for through its events.
type everrunsTurn struct {
	mark    everrunsMark // behind the last event
	news    []everruns.Event
	outputs everrunsOutputs

	pending []everrunsCall // calls of tools that wait for us
	before  everrunsMark   // ahead of the first of them

	outcome *Outcome
	ended   string // the turn that decided
}

type everrunsCall struct {
	everruns.ToolCall
	event string
}

// followEverruns looks for the outcome in the events behind a mark. Its result
// is missing words where it needs more than these events: see conclude.
func followEverruns(mark everrunsMark, news []everruns.Event) *everrunsTurn {
	t := &everrunsTurn{mark: mark.clone(), news: news, outputs: everrunsOutputs{running: mark.turn}}
	for _, e := range news {
		facts := factsOf(e)
		if t.outcome == nil {
			t.outputs.hear(e, facts)
			t.hear(e, facts)
		}
		t.mark.pass(e)
	}
	if t.outcome != nil {
		t.mark = everrunsMark{event: t.mark.event, sequence: t.mark.sequence}
	}
	return t
}

func (t *everrunsTurn) hear(e everruns.Event, facts everrunsFacts) {
	if facts.mine && facts.input != "" && !slices.Contains(t.mark.inputs, facts.input) {
		t.mark.inputs = append(t.mark.inputs, facts.input)
	}
	if facts.turn != "" && facts.input != "" && slices.Contains(t.mark.inputs, facts.input) {
		t.mark.turn = facts.turn
	}
	if strings.HasPrefix(string(e.Type), "task.") {
		t.mark.tasks = true
	}
	if facts.completed != "" {
		t.pending = slices.DeleteFunc(t.pending, func(c everrunsCall) bool { return c.ID == facts.completed })
	}
	if !t.ours(facts.turn) {
		return
	}
	if len(facts.requested) > 0 && len(t.pending) == 0 {
		t.before = t.mark.clone()
	}
	for _, call := range facts.requested {
		if !slices.ContainsFunc(t.pending, func(c everrunsCall) bool { return c.ID == call.ID }) {
			t.pending = append(t.pending, everrunsCall{call, e.ID})
		}
	}
	if facts.end {
		t.ended, t.outcome = facts.turn, everrunsEnd(e)
	}
}

// ours reports whether a turn is the one that is waited for. One that an event
// does not name is, once a message of ours has arrived.
func (t *everrunsTurn) ours(turn string) bool {
	if turn == "" {
		return t.mark.turn != "" || len(t.mark.inputs) > 0
	}
	return turn == t.mark.turn
}

// everrunsEnd is the outcome of a turn, by the event of its end alone: a failed
// turn has an output too, and an idle session says nothing.
func everrunsEnd(e everruns.Event) *Outcome {
	data, _ := everruns.DataOf[everruns.TurnData](e)
	switch e.Type {
	case everruns.EventTurnCompleted:
		return &Outcome{Kind: OutcomeFinished, ID: e.ID}
	case everruns.EventTurnFailed:
		text := cmp.Or(data.Error, "the turn failed")
		if data.ErrorCode != "" {
			text += " (" + data.ErrorCode + ")"
		}
		return &Outcome{Kind: OutcomeFailed, Text: text, ID: e.ID}
	case everruns.EventTurnSealed:
		return &Outcome{Kind: OutcomeFailed, Text: withReason("the vendor ended the turn", data.Reason), ID: e.ID}
	default:
		return &Outcome{Kind: OutcomeFailed, Text: withReason("the turn was cancelled", data.Reason), ID: e.ID}
	}
}

func withReason(text, reason string) string {
	if reason == "" {
		return text
	}
	return text + ": " + reason
}

// saidBefore are the last words of the turn that has ended, out of all events.
func (t *everrunsTurn) saidBefore(events []everruns.Event) everrunsWords {
	var all everrunsOutputs
	for _, e := range (everrunsMark{}).behind(events) {
		if e.ID == t.outcome.ID {
			break
		}
		all.hear(e, factsOf(e))
	}
	return all.last[t.ended]
}

// ask makes one question of all calls that wait for us: the vendor goes on once
// it has the results of them all, and an answer is given to each.
func (t *everrunsTurn) ask() {
	var reply everrunsReply
	var texts []string
	for _, call := range t.pending {
		reply.calls = append(reply.calls, call.ID)
		texts = append(texts, everrunsQuestion(call.ToolCall))
	}
	t.question(t.pending[0].event, numbered(texts), reply.String())
}

func (t *everrunsTurn) question(id, text, replyTo string) {
	t.outcome = &Outcome{Kind: OutcomeQuestion, Text: text, ID: id, ReplyTo: replyTo}
	t.mark.inputs = nil // the turn goes on with the answer
}

// askFor asks the first question of a task that was not asked yet. The others
// are asked when that one is answered.
func (t *everrunsTurn) askFor(tasks []everruns.Task) {
	var waiting []string
	for _, task := range tasks {
		if task.State != everruns.TaskAwaitingInput || task.InputRequest == nil || task.ID == "" || task.InputRequest.ID == "" {
			continue
		}
		reply := everrunsReply{task: task.ID, request: task.InputRequest.ID}.String()
		waiting = append(waiting, reply)
		if t.outcome == nil && !slices.Contains(t.mark.asked, reply) {
			t.mark.asked = append(t.mark.asked, reply)
			t.question(task.InputRequest.ID, cmp.Or(task.InputRequest.Prompt, "the task "+task.ID+" asks for input"), reply)
		}
	}
	t.mark.asked = slices.DeleteFunc(t.mark.asked, func(reply string) bool { return !slices.Contains(waiting, reply) })
	t.mark.tasks = len(waiting) > 0
}

// everrunsOutputs are the last words of the agent in each turn.
type everrunsOutputs struct {
	running string // the turn under way
	last    map[string]everrunsWords
}

type everrunsWords struct {
	text  string
	event string
}

func (o *everrunsOutputs) hear(e everruns.Event, facts everrunsFacts) {
	switch e.Type {
	case everruns.EventTurnStarted, everruns.EventSessionActivated:
		o.running = facts.turn
	case everruns.EventOutputCompleted, everruns.EventOutputReplaced:
		data, err := everruns.DataOf[everruns.MessageData](e)
		if err != nil || (e.Type == everruns.EventOutputReplaced && len(data.Message.Content) == 0) {
			return
		}
		if o.last == nil {
			o.last = map[string]everrunsWords{}
		}
		o.last[cmp.Or(facts.turn, o.running)] = everrunsWords{data.Message.Content.Text(), e.ID}
	}
}
