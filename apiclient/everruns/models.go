package everruns

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"

	"github.com/errand-dev/errand/apiclient/internal/rest"
)

// Model is a model that the organization has.
type Model struct {
	ID           string      `json:"id"`       // model_ and 32 hexadecimal digits
	ModelID      string      `json:"model_id"` // the model provider's own name for it
	DisplayName  string      `json:"display_name"`
	ProviderID   string      `json:"provider_id"`
	ProviderName string      `json:"provider_name"`
	ProviderType string      `json:"provider_type"`
	Capabilities []string    `json:"capabilities"`
	IsDefault    bool        `json:"is_default"`
	IsFavorite   bool        `json:"is_favorite"`
	Source       ModelSource `json:"source"`
	Status       ModelStatus `json:"status"`
	CreatedAt    Timestamp   `json:"created_at"`
	UpdatedAt    Timestamp   `json:"updated_at"`

	Profile json.RawMessage `json:"profile,omitempty"`
}

// ListModelsOptions selects models. The zero value gives them all.
type ListModelsOptions struct {
	Source        ModelSource
	IncludeStale  *bool // true by the API's default
	FavoritesOnly *bool // false by the API's default
}

// ListLLMModels lists the models of a server that follows the older OpenAPI
// file.
func (c *Client) ListLLMModels(ctx context.Context, opts ListModelsOptions) ([]Model, error) {
	return c.listModels(ctx, "llm-models", opts)
}

// ListModels lists the models of a server of the current profile, which has
// renamed the call.
func (c *Client) ListModels(ctx context.Context, opts ListModelsOptions) ([]Model, error) {
	return c.listModels(ctx, "models", opts)
}

func (c *Client) listModels(ctx context.Context, path string, opts ListModelsOptions) ([]Model, error) {
	query := url.Values{}
	setString(query, "source", string(opts.Source))
	setBool(query, "include_stale", opts.IncludeStale)
	setBool(query, "favorites_only", opts.FavoritesOnly)
	var list dataList[Model]
	err := c.rest.Do(ctx, rest.Request{
		Method: http.MethodGet,
		Path:   []string{"v1", path},
		Query:  query,
	}, &list)
	return list.data, err
}
