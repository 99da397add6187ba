package everruns

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"
)

// Limits of agents, from the vendor's server.
const (
	maxAgentName        = 2 << 10
	maxAgentDescription = 10 << 10
	maxAgentPrompt      = 1 << 20
	maxCapabilities     = 250
	maxImport           = 3 << 20
)

// agentRequest is the body of a create or an update; what is missing in an
// update stays as it is.
type agentRequest struct {
	ID             *string         `json:"id"`
	Name           *string         `json:"name"`
	Description    *string         `json:"description"`
	SystemPrompt   *string         `json:"system_prompt"`
	DefaultModelID *string         `json:"default_model_id"`
	Tags           *[]string       `json:"tags"`
	Capabilities   json.RawMessage `json:"capabilities"`
	Status         *string         `json:"status"`
}

// apply changes an agent, within the limits.
func (f *Face) apply(req agentRequest, a agentBody) (agentBody, error) {
	a.Name = *cmp.Or(req.Name, &a.Name)
	a.Description = cmp.Or(req.Description, a.Description)
	a.SystemPrompt = *cmp.Or(req.SystemPrompt, &a.SystemPrompt)
	a.DefaultModelID = cmp.Or(req.DefaultModelID, a.DefaultModelID)
	a.Status = *cmp.Or(req.Status, &a.Status)
	if req.Tags != nil {
		a.Tags = *req.Tags
	}
	if !none(req.Capabilities) {
		a.Capabilities = req.Capabilities
	}
	if err := f.checkCapabilities(a.Capabilities); err != nil {
		return a, err
	}
	var list []json.RawMessage
	_ = json.Unmarshal(a.Capabilities, &list) // it was just checked
	switch {
	case a.Name == "":
		return a, f.unfit("name should not be empty")
	case a.Status != active && a.Status != archived:
		return a, f.unfit("status is %q, it can be active, archived", a.Status)
	case len(a.Name) > maxAgentName, a.Description != nil && len(*a.Description) > maxAgentDescription,
		len(a.SystemPrompt) > maxAgentPrompt, len(list) > maxCapabilities:
		return a, invalid("Input exceeds allowed limits")
	}
	a.UpdatedAt = timestamp(time.Now())
	return a, nil
}

// agent finds the agent that a request is about.
func (f *Face) agent(h func(http.ResponseWriter, *http.Request, agentBody)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := f.checkID(agentID, r.PathValue("agent")); err != nil {
			f.fail(w, r, err)
			return
		}
		a, ok := f.agents.byID(r.PathValue("agent"))
		if !ok {
			f.tell(w, r, wrong{http.StatusNotFound, "Agent not found", "not_found"})
			return
		}
		h(w, r, a)
	}
}

// linked is an agent with where it is, in the profile that says so.
func (f *Face) linked(r *http.Request, a agentBody) agentBody {
	if f.Profile == Current {
		a.urls = f.urls(r, "/v1/agents/"+a.ID, func(self string) []action {
			return []action{{"self", self, "GET"}, {"update", self, "PATCH"}, {"delete", self, "DELETE"}}
		})
	}
	return a
}

func (f *Face) listAgents(w http.ResponseWriter, r *http.Request) {
	all := f.agents.list()
	for i := range all {
		all[i] = f.linked(r, all[i])
	}
	writeJSON(w, http.StatusOK, listBody[agentBody]{all})
}

func (f *Face) showAgent(w http.ResponseWriter, r *http.Request, a agentBody) {
	writeJSON(w, http.StatusOK, f.linked(r, a))
}

func (f *Face) createAgent(w http.ResponseWriter, r *http.Request) {
	var req agentRequest
	err := f.decode(r, &req)
	if err == nil && (req.Name == nil || req.SystemPrompt == nil) {
		err = f.unfit("name and system_prompt are needed")
	}
	if err == nil && req.ID != nil {
		err = f.checkID(agentID, *req.ID)
	}
	if err != nil {
		f.fail(w, r, err)
		return
	}
	f.make(w, r, req)
}

// make keeps a new agent, or changes the one whose id the client has given.
func (f *Face) make(w http.ResponseWriter, r *http.Request, req agentRequest) {
	a := agentBody{Status: active, Tags: []string{}, Capabilities: json.RawMessage("[]"), CreatedAt: timestamp(time.Now())}
	var err error
	if req.ID != nil {
		a.ID = *req.ID
		if known, ok := f.agents.byID(a.ID); ok {
			a = known
		}
	} else {
		a.ID, err = agentID.fresh()
	}
	if err == nil {
		a, err = f.apply(req, a)
	}
	if err == nil {
		err = f.agents.put(a)
	}
	if err != nil {
		f.fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusCreated, f.linked(r, a))
}

func (f *Face) updateAgent(w http.ResponseWriter, r *http.Request, a agentBody) {
	var req agentRequest
	err := f.decode(r, &req)
	if err == nil {
		a, err = f.apply(req, a)
	}
	if err == nil {
		err = f.agents.put(a)
	}
	if err != nil {
		f.fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, f.linked(r, a))
}

// archiveAgent takes an agent out of the list. Its sessions go on.
func (f *Face) archiveAgent(w http.ResponseWriter, r *http.Request, a agentBody) {
	a.Status, a.UpdatedAt = archived, timestamp(time.Now())
	if err := f.agents.put(a); err != nil {
		f.fail(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// importAgent takes Markdown with a front matter, JSON, or a plain prompt.
func (f *Face) importAgent(w http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(r.Body)
	switch {
	case err != nil:
	case len(text) > maxImport:
		err = invalid("Input exceeds allowed limits")
	case !utf8.Valid(text) || strings.TrimSpace(string(text)) == "":
		err = invalid("There is no agent in the file")
	}
	var req agentRequest
	if err == nil {
		req, err = parseAgent(string(text))
	}
	if err != nil {
		f.fail(w, r, err)
		return
	}
	f.make(w, r, req)
}

// unnamed is the name of an imported agent that brings none.
const unnamed = "Imported agent"

// parseAgent reads an agent that was written to a file. Of YAML it understands
// what an export writes: a line for each key, and values that are JSON or bare.
func parseAgent(text string) (req agentRequest, err error) {
	name := unnamed
	req = agentRequest{Name: &name, SystemPrompt: &text}
	if strings.HasPrefix(strings.TrimSpace(text), "{") {
		req.SystemPrompt = nil
		if err := json.Unmarshal([]byte(text), &req); err != nil || req.SystemPrompt == nil {
			return req, invalid("The file should be JSON with a system_prompt")
		}
		req.ID = nil // an import is a new agent
		return req, nil
	}
	rest, ok := strings.CutPrefix(text, "---\n")
	if !ok {
		return req, nil
	}
	front, prompt, ok := strings.Cut(rest, "\n---\n")
	if !ok {
		return req, invalid("The front matter should end with a line ---")
	}
	prompt = strings.TrimSpace(prompt)
	req.SystemPrompt = &prompt
	for line := range strings.SplitSeq(front, "\n") {
		key, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		var text string
		if json.Unmarshal([]byte(value), &text) != nil {
			text = value
		}
		switch strings.TrimSpace(key) {
		case "name":
			req.Name = &text
		case "description":
			req.Description = &text
		case "tags":
			tags := []string{}
			if json.Unmarshal([]byte(value), &tags) == nil {
				req.Tags = &tags
			}
		case "capabilities":
			if json.Valid([]byte(value)) {
				req.Capabilities = json.RawMessage(value)
			}
		}
	}
	return req, nil
}

// exportAgent writes an agent as Markdown with a front matter.
func (f *Face) exportAgent(w http.ResponseWriter, r *http.Request, a agentBody) {
	var b strings.Builder
	b.WriteString("---\n")
	front := []struct {
		key   string
		value any
	}{{"name", a.Name}, {"description", a.Description}, {"tags", a.Tags}, {"capabilities", a.Capabilities}}
	for _, line := range front {
		value, err := json.Marshal(line.value)
		if err != nil {
			f.fail(w, r, err)
			return
		}
		if !none(value) {
			fmt.Fprintf(&b, "%s: %s\n", line.key, value)
		}
	}
	b.WriteString("---\n\n" + a.SystemPrompt + "\n")
	w.Header().Set("Content-Type", "text/markdown; charset=utf-8")
	_, _ = io.WriteString(w, b.String())
}
