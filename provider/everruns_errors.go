package provider

import (
	"errors"
	"strings"
)

// everrunsHints say what to check where the vendor's words do not. The first
// that fits counts.
var everrunsHints = []struct {
	op     string // begins so; empty: any
	status int
	says   string // the vendor's words, in lower case, hold it; empty: whatever they are
	kind   ErrorKind
	hint   string
}{
	{"", 400, "organi", ErrorInvalid, everrunsOrgHint},
	{"", 400, "org-id", ErrorInvalid, everrunsOrgHint},
	{"", 400, "org_", ErrorInvalid, everrunsOrgHint},
	{"", 403, "scope", ErrorUnauthorized, "give the key the scope for it"},
	{"", 403, "", ErrorUnauthorized, "check the key's scopes and the organization of the connection"},
	{"", 401, "", ErrorUnauthorized, "check that the key is whole, without \"Bearer\" before it, and that the base URL is that of its server"},
	{"create", 400, "archived", ErrorInvalid, "choose another agent"},
	{"create", 409, "archived", ErrorInvalid, "choose another agent"},
	{"create", 422, "archived", ErrorInvalid, "choose another agent"},
	{"create", 400, "", ErrorInvalid, "check that the agent exists in this organization and is not archived, and the model and capabilities that were asked for"},
	{"create", 404, "", ErrorInvalid, "check the agent and the model that were asked for, the organization and the base URL"},
	{"create", 422, "", ErrorInvalid, "check the agent, and the model and capabilities that were asked for"},
	{"list", 404, "", ErrorInvalid, "check the base URL: it ends before /v1"},
	{"send", 413, "", ErrorInvalid, "shorten the message"},
	{"", 400, "bad request", ErrorInvalid, "check the session id, session_ and 32 digits"},
}

const everrunsOrgHint = "check the organization of the connection: a key that reaches several must name one, org_ and 32 digits"

// everrunsError is [fromClient] with what to check beside the vendor's words,
// many of which are none at all.
func everrunsError(op string, err error) error {
	err = fromClient(op, err)
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return err
	}
	words := strings.ToLower(e.Message)
	for _, h := range everrunsHints {
		if h.status == e.Status && strings.HasPrefix(op, h.op) && strings.Contains(words, h.says) {
			e.Kind = h.kind
			e.Message += ": " + h.hint
			break
		}
	}
	return e
}
