package everruns

import (
	"net/http"
)

// modelName is what events call the model. None of the agents has one; the
// vendor's own server has a model of that name that only pretends.
const modelName = "llmsim"

// theModel is the one model there is.
var theModel = modelBody{
	ID:           modelID.named(modelName),
	ProviderID:   providerID.named(modelName),
	ModelID:      modelName,
	DisplayName:  "Simulated model",
	Capabilities: []string{},
	IsDefault:    true,
	Status:       "active",
	Source:       "predefined",
	CreatedAt:    timestamp(epoch),
	UpdatedAt:    timestamp(epoch),
	ProviderName: "Simulator",
	ProviderType: modelName,
}

type modelBody struct {
	ID           string   `json:"id"`
	ProviderID   string   `json:"provider_id"`
	ModelID      string   `json:"model_id"`
	DisplayName  string   `json:"display_name"`
	Capabilities []string `json:"capabilities"`
	IsDefault    bool     `json:"is_default"`
	IsFavorite   bool     `json:"is_favorite"`
	Status       string   `json:"status"`
	Source       string   `json:"source"`
	CreatedAt    string   `json:"created_at"`
	UpdatedAt    string   `json:"updated_at"`
	ProviderName string   `json:"provider_name"`
	ProviderType string   `json:"provider_type"`
}

func (f *Face) listModels(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, listBody[modelBody]{[]modelBody{theModel}})
}

func (f *Face) showModel(w http.ResponseWriter, r *http.Request) {
	err := f.checkID(modelID, r.PathValue("model"))
	if err == nil && r.PathValue("model") != theModel.ID {
		err = wrong{http.StatusNotFound, "Model not found", "not_found"}
	}
	if err != nil {
		f.fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, theModel)
}

type capabilityBody struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	Description string `json:"description"`
	Status      string `json:"status"`
}

// capabilities are those that a client can name. They change nothing: what an
// agent can do here is up to the agent.
var capabilities = []capabilityBody{
	{"noop", "No-Op", "Adds nothing.", "available"},
	{askUser, "Ask the user", "Lets the agent ask, in the way that the server's options say.", "available"},
}

func (f *Face) listCapabilities(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, listBody[capabilityBody]{capabilities})
}

func (f *Face) showCapability(w http.ResponseWriter, r *http.Request) {
	for _, c := range capabilities {
		if c.ID == r.PathValue("capability") {
			writeJSON(w, http.StatusOK, c)
			return
		}
	}
	f.tell(w, r, wrong{http.StatusNotFound, "Capability not found", "not_found"})
}
