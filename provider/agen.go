package provider

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/errand-dev/errand/apiclient/agen"
)

// agenProvider adapts the Agen API, whose timeline comes whole each time and is
// edited in place. The vendor documents no words for the states of a session
// and not how a task ends; what is read into its events here is the careful
// reading: nothing but session_finished is success at once.
type agenProvider struct {
	client *agen.Client
	model  string // where a task names none
	settle time.Duration

	// rest is how long a session must have said nothing, by the vendor's clock,
	// before the agent's last message counts as its result, or an alert as its
	// failure, although nothing says that the agent has ended; 0: it never does.
	rest time.Duration

	listOnly atomic.Bool // the API turned out to have no call for one session
}

const (
	agenSettleTime = 30 * time.Second

	// agenRest is less than a turn may look idle, and more than an agent thinks
	// between two events, as a rule.
	agenRest = time.Minute

	agenReadScopes  = "sessions:read, sessions:all, all:read, all:all"
	agenWriteScopes = "sessions:write, sessions:all, all:write, all:all"
)

var agenVendor = Vendor{
	Name: "agen", Title: "Agen",
	KeyVariable: "AGEN_API_KEY",
	Capabilities: Capabilities{
		Options:      []Option{OptionModel, OptionBranch, OptionAutoCommit},
		PollInterval: time.Second, PollAtMost: 5 * time.Second, SettleTime: agenSettleTime,
	},
}

func init() {
	register(adapter{agenVendor, func(c Connection, http *http.Client) (Provider, error) {
		client, err := agen.New(agen.Config{BaseURL: c.BaseURL, APIKey: string(c.APIKey), HTTPClient: http})
		if err != nil {
			return nil, err
		}
		return NewAgen(client, c.Agent, c.SettleTime), nil
	}})
}

// NewAgen returns a provider on that client; model is for tasks that name none,
// settle its SettleTime, 0 for the adapter's own.
func NewAgen(client *agen.Client, model string, settle time.Duration) Provider {
	return &agenProvider{client: client, model: model, settle: cmp.Or(settle, agenSettleTime), rest: agenRest}
}

func (p *agenProvider) Capabilities() Capabilities {
	c := agenVendor.Capabilities
	c.SettleTime = p.settle
	return c
}

// Create takes the model as the agent or as the option.
func (p *agenProvider) Create(ctx context.Context, in CreateRequest) (Session, error) {
	const op = "create session"
	if in.Agent != "" && in.Options.Model != "" && in.Agent != in.Options.Model {
		return Session{}, &Error{Kind: ErrorInvalid, Op: op, Message: fmt.Sprintf(
			"at Agen the agent is the model, and here are two, agent %q and model %q: leave one out", in.Agent, in.Options.Model)}
	}
	request := agen.CreateSessionRequest{
		AutoCommit: in.Options.AutoCommit,
		Model:      cmp.Or(in.Agent, in.Options.Model, p.model),
	}
	if in.Options.Branch != "" {
		request.BranchName = &in.Options.Branch
	}
	s, err := p.client.CreateSession(ctx, request)
	if err != nil {
		return Session{}, agenError(op, err, agenWriteScopes)
	}
	return agenSession(s), nil
}

func (p *agenProvider) Sessions(ctx context.Context) (Listing, error) {
	list, err := p.client.ListAllSessions(ctx, agen.ListOptions{})
	if err != nil {
		return Listing{}, agenError("list sessions", err, agenReadScopes)
	}
	sessions := make([]Session, len(list.Sessions))
	for i, s := range list.Sessions {
		sessions[i] = agenSession(s)
	}
	return Listing{Sessions: sessions, At: list.Date}, nil
}

func (p *agenProvider) Send(ctx context.Context, sessionID string, m Message) error {
	_, err := p.client.SendMessage(ctx, sessionID, agen.SendMessageRequest{Message: m.Text, ClientID: m.Key})
	return agenError("send message", err, agenWriteScopes)
}

// Find looks for our key, and for our words where the vendor shows a message
// without one. A message that was canceled has arrived: somebody wants it so.
func (p *agenProvider) Find(ctx context.Context, sessionID string, m Message, after Watermark) (Arrival, error) {
	marks, err := readAgenMarks(after)
	if err != nil {
		return "", err
	}
	timeline, err := p.client.Timeline(ctx, sessionID)
	if err != nil {
		return "", agenError("look for message", err, agenReadScopes)
	}
	for _, e := range agenSorted(timeline.Events) {
		switch {
		case !agenByUser(e):
		case e.ClientID != "":
			if e.ClientID == m.Key {
				return Arrived, nil
			}
		case !marks.Turn.before(e) && strings.TrimSpace(e.Text()) == strings.TrimSpace(m.Text):
			return Arrived, nil
		}
	}
	return Missing, nil
}

func (p *agenProvider) Read(ctx context.Context, sessionID string, after Watermark) (Progress, error) {
	marks, err := readAgenMarks(after)
	if err != nil {
		return Progress{}, err
	}
	timeline, err := p.client.Timeline(ctx, sessionID)
	if err != nil {
		return Progress{}, agenError("read timeline", err, agenReadScopes)
	}
	events := agenSorted(timeline.Events)
	turn := agenTurn(events, marks.Turn)
	outcome, maybe := agenOutcome(turn)

	var progress Progress
	if outcome == nil {
		s, err := p.session(ctx, sessionID)
		if err != nil {
			return Progress{}, err
		}
		progress.State, progress.RawState = agenState(s), agenRawState(s)
		if p.counts(maybe, progress.State, agenQuiet(turn, timeline.Date)) {
			outcome = maybe
		}
		progress.Unsettled = outcome == nil && agenUnsettled(progress.State, maybe)
	} else {
		progress.State, progress.RawState = agenStateAfter(outcome.Kind)
	}
	progress.Outcome = outcome
	progress.Entries, progress.Cursor = agenNews(events, marks, outcome)
	return progress, nil
}

// session asks for one session, and looks for it in the list where the API has
// no such call. The timeline is what counts, so a session that cannot be found
// is one of which nothing is known.
func (p *agenProvider) session(ctx context.Context, sessionID string) (agen.Session, error) {
	if !p.listOnly.Load() {
		s, err := p.client.Session(ctx, sessionID)
		var answer *agen.Error
		missing := errors.As(err, &answer) &&
			slices.Contains([]int{http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotImplemented}, answer.StatusCode)
		if !missing {
			return s, agenError("read session", err, agenReadScopes)
		}
	}
	list, err := p.client.ListAllSessions(ctx, agen.ListOptions{})
	switch {
	case errors.Is(err, agen.ErrRepeatedPage):
		return agen.Session{}, nil
	case err != nil:
		return agen.Session{}, agenError("read session", err, agenReadScopes)
	}
	for _, s := range list.Sessions {
		if s.ID == sessionID {
			p.listOnly.Store(true)
			return s, nil
		}
	}
	return agen.Session{}, nil
}

// counts reports whether what may be the outcome is it, in a session of that
// state that has been quiet for so long. An agent that is said to work, or to
// wait for something, goes on; a failure counts at once where the state agrees.
func (p *agenProvider) counts(maybe *Outcome, state State, quiet time.Duration) bool {
	if maybe == nil {
		return false
	}
	switch state {
	case StateFailed, StateIdle, StateGone:
		if maybe.Kind == OutcomeFailed {
			return true
		}
	case StateUnknown:
	default:
		return false
	}
	return p.rest > 0 && quiet >= p.rest
}

// Watch is not there: the API has no stream.
func (p *agenProvider) Watch(context.Context, string, func(), ...EntryType) error {
	return ErrUnsupported
}

// Pause is not there, like Resume, Cancel and Delete.
func (p *agenProvider) Pause(context.Context, string) error { return ErrUnsupported }

func (p *agenProvider) Resume(context.Context, string) error { return ErrUnsupported }

func (p *agenProvider) Cancel(context.Context, string) error { return ErrUnsupported }

// Delete is not there: the session remains at the vendor.
func (p *agenProvider) Delete(context.Context, string, DeleteRequest) (Deletion, error) {
	return Deletion{}, ErrUnsupported
}

// agenOutcome reads the outcome of a turn from its events, or else what may
// yet turn out to be it: a message of the agent that is its last word, or
// something that needs attention and that the agent may get over.
func agenOutcome(turn []agen.SessionEvent) (outcome, maybe *Outcome) {
	var first, canceled *agen.SessionEvent // of the user's messages
	var word, question, trouble, notice *agen.SessionEvent
	for i := range turn {
		switch e := &turn[i]; {
		case e.Status == agen.EventCanceled:
			if agenByUser(*e) {
				canceled = cmp.Or(canceled, e)
			}
		case agenByUser(*e):
			first = cmp.Or(first, e)
			word, question, trouble = nil, nil, nil // answered, perhaps by someone else
		case e.Type == agen.EventAgentMessage:
			word = e
		case e.Type == agen.EventSystemMessage:
			notice = e
		case e.Type == agen.EventAgentAskUser && e.Status != agen.EventQueued:
			question = e // even if there was an alert before it
		case e.Type == agen.EventAgentAlertCreated, e.Type == agen.EventMergeRequestClosed:
			question, trouble = nil, e
		case e.Type == agen.EventSessionFinished && agenFinishes(e, first) && (first != nil || canceled == nil):
			return agenFinished(e, agenLastWord(turn, e)), nil
		case e.Type == agen.EventSessionClosed:
			return agenFailed(e, notice), nil
		}
	}
	switch {
	case first == nil && canceled != nil:
		return &Outcome{Kind: OutcomeFailed, Text: "the message was canceled at the vendor", ID: canceled.ID}, nil
	case question != nil:
		return &Outcome{Kind: OutcomeQuestion, Text: cmp.Or(question.Text(), string(question.Type)), ID: question.ID}, nil
	case trouble != nil:
		return nil, agenFailed(trouble, notice)
	case word != nil && !slices.ContainsFunc(turn, agenOpen):
		return nil, agenFinished(word, word)
	}
	return nil, nil
}

// agenFinishes reports whether a session_finished ends the turn that began with
// that message. One that the agent wrote before it took up the message, which
// was queued meanwhile, ended an earlier turn.
func agenFinishes(finish, first *agen.SessionEvent) bool {
	switch {
	case agenOpen(*finish):
		return false
	case first == nil:
		return true
	case first.Status == agen.EventQueued:
		return false
	case first.Status == agen.EventProcessing:
		return !first.UpdatedAt.After(finish.CreatedAt.Time)
	}
	return true
}

// agenLastWord is the last message of the agent that is not later than the finish,
// by time alone: two events of one moment have no order.
func agenLastWord(turn []agen.SessionEvent, finish *agen.SessionEvent) (word *agen.SessionEvent) {
	for i := range turn {
		e := &turn[i]
		if e.Type == agen.EventAgentMessage && e.Status != agen.EventCanceled && !e.CreatedAt.After(finish.CreatedAt.Time) {
			word = e
		}
	}
	return word
}

// agenFinished is the outcome of a turn whose end is told by an event. Its
// result is what that event calls so, or else the agent's last message, or else
// what the event has to say.
func agenFinished(end, word *agen.SessionEvent) *Outcome {
	o := &Outcome{Kind: OutcomeFinished, Result: json.RawMessage("null"), ID: end.ID}
	var payload struct {
		Result  json.RawMessage `json:"result"`
		Summary string          `json:"summary"`
	}
	_ = json.Unmarshal(end.Payload, &payload) // which may have any shape
	switch said := agenSaid(end); {
	case len(payload.Result) > 0 && !bytes.Equal(payload.Result, []byte("null")):
		o.Text = agen.PayloadText(payload.Result)
		o.Result = payload.Result
		if payload.Result[0] == '"' {
			o.Result = resultOfText(o.Text)
		}
	case word != nil:
		o.Text = word.Text()
		o.Result = resultOfText(o.Text)
	case cmp.Or(said, payload.Summary) != "":
		o.Text = cmp.Or(said, payload.Summary)
		o.Result = resultOfText(o.Text)
	}
	return o
}

// agenSaid is what an event says in words, empty where its payload is only data.
func agenSaid(e *agen.SessionEvent) string {
	text := e.Text()
	if strings.HasPrefix(text, "{") && json.Valid([]byte(text)) {
		return ""
	}
	return text
}

// agenFailed is the outcome of a turn that came to something which needs
// attention. The reason is in the event, in the system's last message, or
// nowhere.
func agenFailed(e, notice *agen.SessionEvent) *Outcome {
	o := &Outcome{Kind: OutcomeFailed, ID: e.ID, Text: agenSaid(e)}
	if o.Text == "" && notice != nil {
		o.Text = notice.Text()
	}
	switch e.Type {
	case agen.EventSessionClosed:
		o.Text = agenBecause("the session was closed before the agent had finished", o.Text)
	case agen.EventMergeRequestClosed:
		o.Text = agenBecause("the merge request was closed without a merge", o.Text)
	default:
		o.Text = cmp.Or(o.Text, e.Text(), string(e.Type))
	}
	return o
}

func agenBecause(what, why string) string {
	if why == "" {
		return what
	}
	return what + ": " + why
}

// agenTurn are the events of the turn that began behind the mark: from the
// message on that it began with, so that what the turn before still had to say
// is left out.
func agenTurn(events []agen.SessionEvent, mark agenMark) []agen.SessionEvent {
	var turn []agen.SessionEvent
	for _, e := range events {
		if !mark.before(e) {
			turn = append(turn, e)
		}
	}
	return turn[max(0, slices.IndexFunc(turn, agenByUser)):]
}

// agenQuiet is how long the turn has said nothing, 0 if the vendor tells no time.
func agenQuiet(turn []agen.SessionEvent, now time.Time) time.Duration {
	var last time.Time
	for _, e := range turn {
		for _, at := range []time.Time{e.CreatedAt.Time, e.UpdatedAt.Time} {
			if at.After(last) {
				last = at
			}
		}
	}
	if now.IsZero() || last.IsZero() {
		return 0
	}
	return now.Sub(last)
}

func agenUnsettled(state State, maybe *Outcome) bool {
	switch state {
	case StateIdle, StateFailed, StateWaiting:
		return true
	case StateWorking:
		return false
	}
	return maybe != nil
}

// agenNews are the entries that were not told yet, and where to read on. What
// the agent says is told once it stands, unless the agent has gone on without
// it; what it does is told as soon as it begins.
func agenNews(events []agen.SessionEvent, marks agenMarks, outcome *Outcome) ([]Entry, Watermark) {
	told := len(events)
	if outcome == nil {
		told = agenTold(events)
	}
	var entries []Entry
	last := -1
	for i, e := range events[:told] {
		if marks.Told.before(e) {
			continue
		}
		entry := agenEntry(e)
		if outcome != nil && e.ID == outcome.ID && entry.Text == string(e.Type) {
			entry.Text = cmp.Or(outcome.Text, entry.Text)
		}
		entries, last = append(entries, entry), i
	}
	if last >= 0 {
		marks.Told = agenMarkBehind(events[:last+1])
	}
	if outcome != nil {
		marks.Turn = marks.Told
	}
	return entries, marks.watermark()
}

// agenTold is how many of the events can be told.
func agenTold(events []agen.SessionEvent) int {
	last := -1 // event of the agent that stands
	for i, e := range events {
		if !agenByUser(e) && !agenOpen(e) {
			last = i
		}
	}
	for i := last + 1; i < len(events); i++ {
		if agenOpen(events[i]) && agenSays(events[i]) {
			return i
		}
	}
	return len(events)
}

func agenEntry(e agen.SessionEvent) Entry {
	return Entry{ID: e.ID, Type: agenEntryType(e.Type), Text: cmp.Or(e.Text(), string(e.Type)), Content: e.Payload, At: e.CreatedAt.Time}
}

func agenEntryType(t agen.EventType) EntryType {
	switch t {
	case agen.EventUserMessage, agen.EventUserAskUserResponse:
		return EntryUser
	case agen.EventAgentMessage, agen.EventPlanExecutionUpdate:
		return EntryThought
	case agen.EventAgentAskUser:
		return EntryQuestion
	case agen.EventSessionFinished:
		return EntryDone
	case agen.EventAgentAlertCreated:
		return EntryError
	default:
		return EntryLog
	}
}

func agenByUser(e agen.SessionEvent) bool {
	return e.Type == agen.EventUserMessage || e.Type == agen.EventUserAskUserResponse
}

// agenOpen says that an event will be edited.
func agenOpen(e agen.SessionEvent) bool {
	return e.Status == agen.EventQueued || e.Status == agen.EventProcessing
}

// agenSays tells the agent's words, which may grow in place, from its doings.
func agenSays(e agen.SessionEvent) bool {
	t := agenEntryType(e.Type)
	return !agenByUser(e) && (t != EntryLog || e.Type == agen.EventSystemMessage)
}

func agenSession(s agen.Session) Session {
	return Session{ID: s.ID, Agent: s.Model, State: agenState(s), RawState: agenRawState(s), CreatedAt: s.CreatedAt.Time}
}

// agenState guesses at the words of the vendor, which lists none. Only that a
// session is closed ends anything.
func agenState(s agen.Session) State {
	if s.Status == "closed" {
		return StateGone
	}
	switch s.AgentStatus {
	case "idle":
		return StateIdle
	case "working":
		return StateWorking
	case "waiting_for_user":
		return StateWaiting
	case "error":
		return StateFailed
	case "":
		if s.Status == "finished" || s.Status == "merged" {
			return StateIdle
		}
	}
	return StateUnknown
}

func agenRawState(s agen.Session) string {
	if s.AgentStatus == "" {
		return string(s.Status)
	}
	return string(s.Status) + "/" + string(s.AgentStatus)
}

// agenStateAfter is the state of a session whose turn has ended so: there is no
// need to ask.
func agenStateAfter(kind OutcomeKind) (state State, raw string) {
	switch kind {
	case OutcomeQuestion:
		return StateWaiting, string(agen.EventAgentAskUser)
	case OutcomeFinished:
		return StateIdle, string(agen.EventSessionFinished)
	default:
		return StateFailed, string(kind)
	}
}

// agenError says which scopes a key may lack that the vendor refuses.
func agenError(op string, err error, scopes string) error {
	err = fromClient(op, err)
	var e *Error
	if !errors.As(err, &e) || e.Kind != ErrorUnauthorized {
		return err
	}
	told := *e
	told.Message = fmt.Sprintf("%s (the key must be valid and have one of the scopes %s)", e.Message, scopes)
	return &told
}

// agenMarks are the watermark: where the turn began, from where its outcome is
// read each time, and how far its entries were told.
type agenMarks struct {
	Turn agenMark `json:"turn,omitzero"`
	Told agenMark `json:"told,omitzero"`
}

// agenMark is a place in the sorted timeline. Ids name the events of its very
// moment that are before it: one that is written in the same moment comes
// behind, whatever its id.
type agenMark struct {
	At  int64    `json:"at,omitempty"` // microseconds
	IDs []string `json:"ids,omitempty"`
}

// IsZero says that the mark stands before everything.
func (m agenMark) IsZero() bool { return m.At == 0 && len(m.IDs) == 0 }

// agenMarkIDs bounds a watermark. Of more events in one moment none is told
// apart from the others.
const agenMarkIDs = 64

func (m agenMark) before(e agen.SessionEvent) bool {
	at := agenTime(e)
	return at < m.At || (at == m.At && slices.Contains(m.IDs, e.ID))
}

// agenMarkBehind is the mark behind the last of some sorted events.
func agenMarkBehind(events []agen.SessionEvent) agenMark {
	m := agenMark{At: agenTime(events[len(events)-1])}
	for _, e := range slices.Backward(events) {
		if agenTime(e) != m.At {
			break
		}
		m.IDs = append(m.IDs, e.ID)
	}
	if m.At > 0 && len(m.IDs) > agenMarkIDs {
		return agenMark{At: m.At + 1}
	}
	return m
}

func (m agenMarks) watermark() Watermark {
	if m.Turn.IsZero() && m.Told.IsZero() {
		return ""
	}
	encoded, err := json.Marshal(m)
	if err != nil {
		panic("numbers and strings are always JSON: " + err.Error())
	}
	return Watermark(encoded)
}

func readAgenMarks(w Watermark) (m agenMarks, err error) {
	if w == "" {
		return m, nil
	}
	decoder := json.NewDecoder(strings.NewReader(string(w)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&m); err != nil || (m.Turn.IsZero() && m.Told.IsZero()) || decoder.More() {
		return agenMarks{}, &Error{Kind: ErrorInvalid, Op: "read watermark", Message: fmt.Sprintf("not a place in a timeline: %q", w)}
	}
	return m, nil
}

// agenTime is when an event was made, in microseconds, 0 if that is not told.
func agenTime(e agen.SessionEvent) int64 {
	if e.CreatedAt.IsZero() {
		return 0
	}
	return max(0, e.CreatedAt.UnixMicro())
}

// agenSorted are the events in order, each once, as it was last edited. An
// event without a time belongs to the one before it.
func agenSorted(events []agen.SessionEvent) []agen.SessionEvent {
	sorted := slices.Clone(events)
	for i := range sorted {
		if i > 0 && sorted[i].CreatedAt.IsZero() {
			sorted[i].CreatedAt = sorted[i-1].CreatedAt
		}
	}
	slices.SortStableFunc(sorted, func(a, b agen.SessionEvent) int {
		return cmp.Or(cmp.Compare(a.ID, b.ID), b.UpdatedAt.Compare(a.UpdatedAt.Time))
	})
	sorted = slices.CompactFunc(sorted, func(a, b agen.SessionEvent) bool { return a.ID == b.ID })
	slices.SortStableFunc(sorted, func(a, b agen.SessionEvent) int { return cmp.Compare(agenTime(a), agenTime(b)) })
	return sorted
}
