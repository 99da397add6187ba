package agi

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"

	"github.com/errand-dev/errand/apiclient/internal/rest"
)

// Model is an agent model that the key may use. The vendor's Node SDK expects
// a bare name, which is the ID here; its C# SDK expects the whole object.
type Model struct {
	ID           string          `json:"id"`
	Name         string          `json:"name,omitempty"`
	Description  string          `json:"description,omitempty"`
	Capabilities json.RawMessage `json:"capabilities,omitempty"`
}

// UnmarshalJSON reads a model in either form.
func (m *Model) UnmarshalJSON(raw []byte) error {
	*m = Model{}
	if json.Unmarshal(raw, &m.ID) == nil {
		return nil
	}
	type plain Model
	return json.Unmarshal(raw, (*plain)(m))
}

// ModelsOptions selects models. The zero value gives them all.
type ModelsOptions struct {
	Filter ModelFilter
}

// Models lists the models. The vendor's documentation also uses this call to
// check a key, as it changes nothing.
func (c *Client) Models(ctx context.Context, opts ModelsOptions) ([]Model, error) {
	query := url.Values{}
	if opts.Filter != "" {
		query.Set("filter", string(opts.Filter))
	}
	var reply struct {
		Models []Model `json:"models"`
	}
	err := c.rest.Do(ctx, rest.Request{
		Method: http.MethodGet,
		Path:   []string{"v1", "models"},
		Query:  query,
	}, &reply)
	return reply.Models, err
}
