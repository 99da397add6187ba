package activities

import (
	"context"

	"github.com/errand-dev/errand/provider"
)

// SendMessageInput is a message and the watermark that stood before it.
type SendMessageInput struct {
	Connection string             `json:"connection"`
	SessionID  string             `json:"session_id"`
	Text       string             `json:"text"`
	StartURL   string             `json:"start_url,omitempty"`
	After      provider.Watermark `json:"after,omitempty"`
}

// SendMessageOutput says how the message came to be there.
type SendMessageOutput struct {
	Found bool `json:"found,omitempty"` // a former try had delivered it
}

// SendMessage is for workflows that began before turns sent their own
// messages. It sends what it does not find behind the watermark.
func (a *Activities) SendMessage(ctx context.Context, in SendMessageInput) (SendMessageOutput, error) {
	p, err := a.Connections.Provider(in.Connection)
	if err != nil {
		return SendMessageOutput{}, convertError(in.Connection, err)
	}
	m := provider.Message{Text: in.Text, StartURL: in.StartURL}
	arrival, err := p.Find(ctx, in.SessionID, m, in.After)
	if err != nil {
		return SendMessageOutput{}, convertError(in.Connection, err)
	}
	if arrival == provider.Arrived {
		return SendMessageOutput{Found: true}, nil
	}
	return SendMessageOutput{}, convertError(in.Connection, p.Send(ctx, in.SessionID, m))
}

// AwaitTurn is for the same workflows: it waits for a turn whose message is
// there. That turns which send have another name keeps workers of that time
// from taking them up, who would wait for what nobody has sent.
func (a *Activities) AwaitTurn(ctx context.Context, in TakeTurnInput) (Turn, error) {
	return a.TakeTurn(ctx, in)
}
