package provider

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/errand-dev/errand/apiclient/agi"
)

// agiProvider adapts the AGI Agent Sessions API. Its watermark is a message id
// in decimal. The vendor documents polling each 1 to 3 seconds, and advises to
// wait 30 seconds for an answer: what takes longer is not to be expected.
type agiProvider struct {
	client *agi.Client
	agent  string // agent_name where a task names none
	settle time.Duration
}

const agiSettleTime = 30 * time.Second

var agiVendor = Vendor{
	Name: "agi", Title: "AGI",
	KeyVariable: "AGI_API_KEY",
	Capabilities: Capabilities{
		Stream: true, Pause: true, Cancel: true, Delete: true, Snapshot: true, StartURL: true,
		PollInterval: 2 * time.Second, SettleTime: agiSettleTime,
	},
}

func init() {
	register(adapter{agiVendor, func(c Connection, http *http.Client) (Provider, error) {
		client, err := agi.New(agi.Config{BaseURL: c.BaseURL, APIKey: string(c.APIKey), HTTPClient: http})
		if err != nil {
			return nil, err
		}
		return NewAGI(client, c.Agent, c.SettleTime), nil
	}})
}

// NewAGI returns a provider on that client; agent is the agent_name for tasks
// that name none, settle its SettleTime, 0 for what the vendor's advice says.
func NewAGI(client *agi.Client, agent string, settle time.Duration) Provider {
	return &agiProvider{client: client, agent: agent, settle: cmp.Or(settle, agiSettleTime)}
}

func (p *agiProvider) Capabilities() Capabilities {
	c := agiVendor.Capabilities
	c.SettleTime = p.settle
	return c
}

func (p *agiProvider) Create(ctx context.Context, in CreateRequest) (Session, error) {
	s, err := p.client.CreateSession(ctx, agi.CreateSessionRequest{
		AgentName:                           cmp.Or(in.Agent, p.agent),
		RestoreFromSessionID:                in.RestoreSession,
		RestoreDefaultEnvironmentFromUserID: in.RestoreDefaultUser,
	})
	if err != nil {
		return Session{}, fromClient("create session", err)
	}
	return agiSession(s), nil
}

func (p *agiProvider) Sessions(ctx context.Context) (Listing, error) {
	list, err := p.client.ListSessions(ctx)
	if err != nil {
		return Listing{}, fromClient("list sessions", err)
	}
	sessions := make([]Session, len(list.Sessions))
	for i, s := range list.Sessions {
		sessions[i] = agiSession(s)
	}
	return Listing{Sessions: sessions, At: list.Date}, nil
}

func (p *agiProvider) Send(ctx context.Context, sessionID string, m Message) error {
	const op = "send message"
	result, err := p.client.SendMessage(ctx, sessionID, agi.SendMessageRequest{Message: m.Text, StartURL: m.StartURL})
	switch {
	case err != nil:
		return fromClient(op, err)
	case !result.Success:
		return agiNoSuccess(op, result.Message)
	}
	return nil
}

// agiNoSuccess is the error for a 2xx answer that says of itself that it is none.
func agiNoSuccess(op, message string) error {
	return &Error{Kind: ErrorUnavailable, Op: op, Message: "the vendor reported no success: " + message}
}

// Find asks for unsanitised messages, because the vendor does not say whether
// a user's messages survive sanitising. Where none is kept, an agent at work
// behind the watermark is the proof: one that was idle there works only on a
// message. Two things prove nothing: an agent that runs and has said nothing,
// and words behind the watermark in a session at rest, which may be late ones.
func (p *agiProvider) Find(ctx context.Context, sessionID string, m Message, after Watermark) (Arrival, error) {
	afterID, err := agiMessageID(after)
	if err != nil {
		return "", err
	}
	unsanitised := false
	list, err := p.client.Messages(ctx, sessionID, agi.MessagesOptions{AfterID: afterID, Sanitize: &unsanitised})
	if err != nil {
		return "", fromClient("look for message", err)
	}
	var worked, kept bool
	for _, got := range list.Messages {
		switch {
		case got.ID <= afterID:
		case got.Type == agi.MessageUser:
			if got.Text() == m.Text {
				return Arrived, nil
			}
			kept = true // someone else's, so ours would be too
		case got.Type != agi.MessageLog:
			worked = true
		}
	}
	running := list.Status == agi.ExecutionRunning
	switch {
	case kept || (!worked && !running):
		return Missing, nil
	case worked && running:
		return Arrived, nil
	default:
		return Doubtful, nil
	}
}

func (p *agiProvider) Read(ctx context.Context, sessionID string, after Watermark) (Progress, error) {
	afterID, err := agiMessageID(after)
	if err != nil {
		return Progress{}, err
	}
	list, err := p.client.Messages(ctx, sessionID, agi.MessagesOptions{AfterID: afterID})
	if err != nil {
		return Progress{}, fromClient("read messages", err)
	}
	progress := Progress{State: agiState(string(list.Status)), RawState: string(list.Status), Cursor: after}
	var news []agi.Message
	for _, m := range list.Messages {
		if m.ID <= afterID {
			continue // not asked for; never let a stale result in
		}
		news = append(news, m)
		progress.Cursor = agiWatermark(m.ID)
		progress.Entries = append(progress.Entries, Entry{
			ID:      strconv.FormatInt(m.ID, 10),
			Type:    agiEntryType(m.Type),
			Text:    m.Text(),
			Content: m.Content,
			At:      m.Timestamp.Time,
		})
	}
	outcome, pending := agiOutcome(news, progress.State)
	progress.Outcome = outcome
	switch {
	case outcome != nil:
	case pending != nil:
		progress.Unsettled = true
		progress.Cursor = agiWatermark(pending.ID - 1) // to be read again, with the status to come
	default:
		progress.Unsettled = agiEnded(list.Status)
	}
	return progress, nil
}

// agiEnded says that the agent does nothing until it is told something.
func agiEnded(status agi.ExecutionStatus) bool {
	return status == agi.ExecutionFinished || status == agi.ExecutionError || status == agi.ExecutionWaitingForInput
}

// agiOutcome reads the outcome of a turn from what was said in it, or else
// finds the first message that may yet be it. A result stands by itself; a
// question or an error counts once the state agrees, because an agent may go
// on after either.
func agiOutcome(news []agi.Message, state State) (outcome *Outcome, pending *agi.Message) {
	var question, failure *agi.Message
	for i := range news {
		m := &news[i]
		switch m.Type {
		case agi.MessageDone:
			result := m.Content
			if len(result) == 0 {
				result = json.RawMessage("null")
			}
			return agiOutcomeOf(OutcomeFinished, m, result), nil
		case agi.MessageQuestion:
			question = m
		case agi.MessageError:
			failure = m
		case agi.MessageUser:
			question, failure = nil, nil // answered, perhaps by someone else
		}
	}
	switch {
	case failure != nil && (state == StateFailed || state == StateIdle):
		return agiOutcomeOf(OutcomeFailed, failure, nil), nil
	case question != nil && state == StateWaiting:
		return agiOutcomeOf(OutcomeQuestion, question, nil), nil
	case question == nil || (failure != nil && failure.ID < question.ID):
		return nil, failure
	}
	return nil, question
}

func agiOutcomeOf(kind OutcomeKind, m *agi.Message, result json.RawMessage) *Outcome {
	return &Outcome{Kind: kind, Text: m.Text(), Result: result, ID: strconv.FormatInt(m.ID, 10)}
}

// Watch leaves the history out: a reused session would replay the result of an
// earlier turn, and whatever is new is read anyway once the stream is open.
func (p *agiProvider) Watch(ctx context.Context, sessionID string, wake func(), types ...EntryType) error {
	noHistory := false
	o := agi.EventsOptions{IncludeHistory: &noHistory}
	for _, t := range types {
		o.EventTypes = append(o.EventTypes, agi.EventType(t)) // the same words
	}
	stream, err := p.client.Events(ctx, sessionID, o)
	if err != nil {
		return fromClient("open event stream", err)
	}
	wake()
	for event, err := range stream.Events() {
		if err != nil {
			return fromClient("event stream", err)
		}
		if event.Type != agi.EventHeartbeat {
			wake()
		}
	}
	return nil
}

func (p *agiProvider) Pause(ctx context.Context, sessionID string) error {
	_, err := p.client.Pause(ctx, sessionID)
	return fromClient("pause session", unlessAlready(err, "already_paused"))
}

func (p *agiProvider) Resume(ctx context.Context, sessionID string) error {
	_, err := p.client.Resume(ctx, sessionID)
	return fromClient("resume session", unlessAlready(err, "not_paused"))
}

func (p *agiProvider) Cancel(ctx context.Context, sessionID string) error {
	_, err := p.client.Cancel(ctx, sessionID)
	return fromClient("cancel session", err)
}

// unlessAlready forgives the refusal of a call whose effect is there already.
// The vendor's samples look for the word in the body of whatever status.
func unlessAlready(err error, word string) error {
	var answer *agi.Error
	if errors.As(err, &answer) && strings.Contains(answer.Body, word) {
		return nil
	}
	return err
}

func (p *agiProvider) Delete(ctx context.Context, sessionID string, in DeleteRequest) (Deletion, error) {
	const op = "delete session"
	o := agi.DeleteOptions{SaveSnapshotMode: agi.SnapshotMode(cmp.Or(in.Snapshot, SnapshotNone))}
	if o.SaveSnapshotMode != agi.SnapshotNone {
		o.SaveAsDefault = in.SaveAsDefault
	}
	result, err := p.client.DeleteSession(ctx, sessionID, o)
	err = fromClient(op, err)
	switch {
	case IsKind(err, ErrorNotFound):
		return Deletion{}, nil
	case err != nil:
		return Deletion{}, err
	case !result.Success:
		return Deletion{}, agiNoSuccess(op, result.Message)
	}
	return Deletion{Found: result.Deleted}, nil
}

func agiSession(s agi.Session) Session {
	return Session{
		ID:        s.SessionID,
		Agent:     s.AgentName,
		State:     agiState(string(s.Status)),
		RawState:  string(s.Status),
		ViewURL:   s.VNCURL,
		CreatedAt: s.CreatedAt.Time,

		EnvironmentID: s.EnvironmentID,
	}
}

// agiState knows the words of both of the vendor's status axes.
func agiState(word string) State {
	switch word {
	case "initializing":
		return StateStarting
	case "ready", "completed", "finished":
		return StateIdle
	case "running":
		return StateWorking
	case "waiting_for_input":
		return StateWaiting
	case "paused":
		return StatePaused
	case "error":
		return StateFailed
	case "terminated":
		return StateGone
	default:
		return StateUnknown
	}
}

func agiEntryType(t agi.MessageType) EntryType {
	switch t {
	case agi.MessageThought:
		return EntryThought
	case agi.MessageQuestion:
		return EntryQuestion
	case agi.MessageUser:
		return EntryUser
	case agi.MessageDone:
		return EntryDone
	case agi.MessageError:
		return EntryError
	default:
		return EntryLog
	}
}

func agiWatermark(messageID int64) Watermark {
	return Watermark(strconv.FormatInt(messageID, 10))
}

func agiMessageID(w Watermark) (int64, error) {
	if w == "" {
		return 0, nil
	}
	id, err := strconv.ParseInt(string(w), 10, 64)
	if err != nil {
		return 0, &Error{Kind: ErrorInvalid, Op: "read watermark", Message: "not a message id: " + strconv.Quote(string(w))}
	}
	return id, nil
}
