package provider

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/errand-dev/errand/apiclient/everruns"
)

// everrunsProvider adapts the Everruns API. Its watermark is an
// [everrunsMark]. A task's messages carry a mark of ours, because only the turn
// that began on one of them is the task's: a session takes messages from others
// too. The vendor's SDKs wait 30 seconds for an answer, and it names no poll
// interval: its stream is the main path.
type everrunsProvider struct {
	client *everruns.Client
	agent  string // where a task names none
	settle time.Duration
	heard  everrunsHeard
}

const everrunsSettleTime = 30 * time.Second

var everrunsVendor = Vendor{
	Name: "everruns", Title: "Everruns",
	KeyVariable: "EVERRUNS_API_KEY", URLVariable: "EVERRUNS_API_URL", OrgVariable: "EVERRUNS_ORG_ID",
	Capabilities: Capabilities{
		Stream: true, Cancel: true, Delete: true, ClientRef: true, NeedsAgent: true,
		Options:      []Option{OptionTitle, OptionModel, OptionTag, OptionCapability},
		PollInterval: 1500 * time.Millisecond, SettleTime: everrunsSettleTime,
	},
}

func init() {
	register(adapter{everrunsVendor, func(c Connection, http *http.Client) (Provider, error) {
		client, err := everruns.New(everruns.Config{
			BaseURL: c.BaseURL, APIKey: string(c.APIKey), Organization: c.Organization, HTTPClient: http,
		})
		if err != nil {
			return nil, err
		}
		return &everrunsProvider{client: client, agent: c.Agent, settle: cmp.Or(c.SettleTime, everrunsSettleTime)}, nil
	}})
}

func (p *everrunsProvider) Capabilities() Capabilities {
	c := everrunsVendor.Capabilities
	c.SettleTime = p.settle
	return c
}

// What travels on sessions and messages, so that they are known again.
const (
	everrunsRefTag   = "errand-ref:"   // CreateRequest.ClientRef
	everrunsAgentTag = "errand-agent:" // CreateRequest.Agent, where it is no plain id
	everrunsKeyTag   = "errand-key:"   // Message.Key
	everrunsKeyField = "errand_key"    // the same in a message's metadata
)

func (p *everrunsProvider) Create(ctx context.Context, in CreateRequest) (Session, error) {
	const op = "create session"
	agent := cmp.Or(in.Agent, p.agent)
	request, err := everrunsAgent(agent)
	if err != nil {
		return Session{}, &Error{Kind: ErrorInvalid, Op: op, Message: err.Error()}
	}
	request.Title, request.ModelID, request.Tags = in.Options.Title, in.Options.Model, slices.Clone(in.Options.Tags)
	if agent != request.AgentID { // so that the session shows the agent that was asked for
		request.Tags = append(request.Tags, everrunsAgentTag+agent)
	}
	if in.ClientRef != "" {
		request.Tags = append(request.Tags, everrunsRefTag+in.ClientRef)
	}
	for _, c := range in.Options.Capabilities {
		request.Capabilities = append(request.Capabilities, everruns.CapabilityRef{Ref: c.Ref, Config: c.Config})
	}
	s, err := p.client.CreateSession(ctx, request)
	if err != nil {
		return Session{}, everrunsError(op, err)
	}
	return everrunsSession(s), nil
}

var everrunsAgentID = regexp.MustCompile(`^agent_[0-9a-f]{32}$`)

// everrunsAgent reads an agent as people write it: an id, or a name, which only
// the vendor's current API takes. Behind "id:" and "name:" stands whatever the
// vendor shall take for one.
func everrunsAgent(agent string) (everruns.CreateSessionRequest, error) {
	id, opaque := strings.CutPrefix(agent, "id:")
	name, named := strings.CutPrefix(agent, "name:")
	switch {
	case id == "" || name == "":
		return everruns.CreateSessionRequest{}, errors.New(
			"no agent is named: name one for the task or its connection, by its id, agent_ and 32 digits, or by its name")
	case opaque:
		return everruns.CreateSessionRequest{AgentID: id}, nil
	case named:
		return everruns.CreateSessionRequest{AgentName: name}, nil
	case everrunsAgentID.MatchString(agent):
		return everruns.CreateSessionRequest{AgentID: agent}, nil
	case strings.HasPrefix(agent, "agent_"):
		return everruns.CreateSessionRequest{}, fmt.Errorf(
			"agent %q is not agent_ and 32 digits from 0-9 and a-f: copy the id of the agent whole, or write \"id:\" or \"name:\" before it to send it as it is", agent)
	default:
		return everruns.CreateSessionRequest{AgentName: agent}, nil
	}
}

// Send sends a message, or the answer to a question where it belongs.
func (p *everrunsProvider) Send(ctx context.Context, sessionID string, m Message) error {
	reply, err := parseEverrunsReply(m.ReplyTo)
	switch {
	case err != nil:
		return err
	case len(reply.calls) > 0:
		return p.answerCalls(ctx, sessionID, m, reply.calls)
	case reply.task != "":
		return p.answerTask(ctx, sessionID, m, reply)
	default:
		return p.say(ctx, sessionID, m)
	}
}

func (p *everrunsProvider) say(ctx context.Context, sessionID string, m Message) error {
	_, err := p.client.CreateMessage(ctx, sessionID, everruns.CreateMessageRequest{
		Message:  everruns.InputMessage{Role: everruns.RoleUser, Content: everruns.TextContent(m.Text)},
		Metadata: map[string]any{everrunsKeyField: m.Key},
		Tags:     []string{everrunsKeyTag + m.Key},
	})
	return everrunsError("send message", err)
}

// Watch begins where reading has last been, so that a stream that is opened
// again does not tell the whole session again.
func (p *everrunsProvider) Watch(ctx context.Context, sessionID string, wake func(), types ...EntryType) error {
	stream, err := p.client.Events(ctx, sessionID, everruns.EventsOptions{
		SinceID: p.heard.last(sessionID), Exclude: everrunsNoise,
	})
	if err != nil {
		return everrunsError("open event stream", err)
	}
	defer stream.Close()
	wake()
	for event, err := range stream.Events() {
		switch {
		case err != nil:
			return everrunsError("event stream", err)
		case event.ID != "":
			p.heard.note(sessionID, event.ID)
			if len(types) == 0 || everrunsMayBe(event.Type, types) {
				wake()
			}
		case event.Type == everruns.EventDisconnecting: // the API ends each stream after some minutes
			return nil
		}
	}
	return nil
}

// everrunsMayBe reports whether an event may bring an entry of those types, or
// what makes one count.
func everrunsMayBe(kind everruns.EventType, types []EntryType) bool {
	switch kind {
	case everruns.EventTaskCreated, everruns.EventTaskUpdated:
		return slices.Contains(types, EntryQuestion)
	case everruns.EventSessionIdled:
		return slices.Contains(types, EntryDone) || slices.Contains(types, EntryError)
	}
	entry, said := everrunsEntryType(kind)
	return said && slices.Contains(types, entry)
}

func (p *everrunsProvider) Pause(context.Context, string) error { return ErrUnsupported }

func (p *everrunsProvider) Resume(context.Context, string) error { return ErrUnsupported }

// Cancel is as content where there was nothing to cancel.
func (p *everrunsProvider) Cancel(ctx context.Context, sessionID string) error {
	_, err := p.client.CancelSession(ctx, sessionID)
	return everrunsError("cancel session", err)
}

// Delete cancels first: it is not documented what becomes of a turn whose
// session is deleted. A turn that cannot be cancelled does not keep the session.
func (p *everrunsProvider) Delete(ctx context.Context, sessionID string, _ DeleteRequest) (Deletion, error) {
	err := p.Cancel(ctx, sessionID)
	if !IsKind(err, ErrorNotFound) {
		err = everrunsError("delete session", p.client.DeleteSession(ctx, sessionID))
	}
	switch {
	case IsKind(err, ErrorNotFound):
		p.heard.forget(sessionID)
		return Deletion{}, nil
	case err != nil:
		return Deletion{}, err
	}
	p.heard.forget(sessionID)
	return Deletion{Found: true}, nil
}

func everrunsSession(s everruns.Session) Session {
	out := Session{
		ID:        s.ID,
		Agent:     s.AgentID,
		State:     everrunsState(s.Status),
		RawState:  string(s.Status),
		CreatedAt: s.CreatedAt.Time,
	}
	for _, link := range []string{s.ViewURL, s.UILink} {
		if u, err := url.Parse(link); out.ViewURL == "" && err == nil && (u.Scheme == "https" || u.Scheme == "http") {
			out.ViewURL = link
		}
	}
	for _, tag := range s.Tags {
		if ref, ok := strings.CutPrefix(tag, everrunsRefTag); ok {
			out.ClientRef = ref
		}
		if name, ok := strings.CutPrefix(tag, everrunsAgentTag); ok {
			out.Agent = name
		}
	}
	return out
}

// everrunsState knows the words of all vintages. A session is never done, so
// idle says nothing about its last turn.
func everrunsState(status everruns.SessionStatus) State {
	switch status.Known() {
	case everruns.SessionStarted, everruns.SessionIdle:
		return StateIdle
	case everruns.SessionActive:
		return StateWorking
	case everruns.SessionWaitingForToolResults:
		return StateWaiting
	case everruns.SessionPaused:
		return StatePaused
	default:
		return StateUnknown
	}
}

// everrunsMine reports whether a message that has arrived is one of ours, and
// under which key.
func everrunsMine(m everruns.Message, tags []string, alsoMetadata json.RawMessage) (key string, mine bool) {
	for _, raw := range []json.RawMessage{m.Metadata, alsoMetadata} {
		var metadata map[string]json.RawMessage
		if json.Unmarshal(raw, &metadata) != nil {
			continue
		}
		if json.Unmarshal(metadata[everrunsKeyField], &key) == nil {
			return key, true
		}
	}
	for _, tag := range tags {
		if key, mine := strings.CutPrefix(tag, everrunsKeyTag); mine {
			return key, true
		}
	}
	return "", false
}
