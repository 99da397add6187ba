package everruns

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/errand-dev/errand/apiclient/internal/rest"
)

// Agent is the configuration that sessions are made of.
type Agent struct {
	ID           string      `json:"id"` // agent_ and 32 hexadecimal digits
	Name         string      `json:"name"`
	SystemPrompt string      `json:"system_prompt"`
	Status       AgentStatus `json:"status"`
	CreatedAt    Timestamp   `json:"created_at"`
	UpdatedAt    Timestamp   `json:"updated_at"`

	Description    string          `json:"description,omitempty"`
	DefaultModelID string          `json:"default_model_id,omitempty"`
	Tags           []string        `json:"tags,omitempty"`
	Capabilities   []CapabilityRef `json:"capabilities,omitempty"`
	Usage          *TokenUsage     `json:"usage,omitempty"`
}

// CreateAgentRequest describes the agent to create.
type CreateAgentRequest struct {
	Name         string `json:"name"`
	SystemPrompt string `json:"system_prompt"`

	// ID is the client's own choice; an agent of that id is replaced.
	ID             string          `json:"id,omitempty"`
	Description    string          `json:"description,omitempty"`
	DefaultModelID string          `json:"default_model_id,omitempty"`
	Tags           []string        `json:"tags,omitempty"`
	Capabilities   []CapabilityRef `json:"capabilities,omitempty"`
}

// ListAgents returns the organization's agents, without archived ones.
func (c *Client) ListAgents(ctx context.Context) ([]Agent, error) {
	var list dataList[Agent]
	err := c.rest.Do(ctx, rest.Request{
		Method: http.MethodGet,
		Path:   []string{"v1", "agents"},
	}, &list)
	return list.data, err
}

// CreateAgent creates an agent.
func (c *Client) CreateAgent(ctx context.Context, in CreateAgentRequest) (Agent, error) {
	return c.agent(ctx, rest.Request{
		Method: http.MethodPost,
		Path:   []string{"v1", "agents"},
		Body:   in,
	})
}

// ImportAgent creates an agent out of a file: Markdown with front matter, YAML,
// JSON or a bare prompt.
func (c *Client) ImportAgent(ctx context.Context, file string) (Agent, error) {
	return c.agent(ctx, rest.Request{
		Method: http.MethodPost,
		Path:   []string{"v1", "agents", "import"},
		Text:   file,
	})
}

// Agent returns one agent.
func (c *Client) Agent(ctx context.Context, agentID string) (Agent, error) {
	return c.agent(ctx, rest.Request{
		Method: http.MethodGet,
		Path:   []string{"v1", "agents", agentID},
	})
}

func (c *Client) agent(ctx context.Context, req rest.Request) (Agent, error) {
	var reply agentReply
	err := c.rest.Do(ctx, req, &reply)
	return reply.agent, err
}

// agentReply refuses an answer without an id: no session can be made of it.
type agentReply struct{ agent Agent }

func (r *agentReply) UnmarshalJSON(raw []byte) error {
	if err := json.Unmarshal(raw, &r.agent); err != nil {
		return err
	}
	if r.agent.ID == "" {
		return errors.New("id is missing")
	}
	return nil
}
