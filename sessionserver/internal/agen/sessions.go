package agen

import (
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/errand-dev/errand/sessionserver/internal/face"
	"github.com/errand-dev/errand/sessionserver/internal/sessions"
)

// idPrefix is how the ids of sessions begin.
const idPrefix = "ses_"

// workspace is the one that all sessions of a server are in.
const workspace = "ws_local"

var errClosed = errors.New("the session is closed")

// sessionNote is what is kept with a session.
type sessionNote struct {
	BranchName *string    `json:"branch_name,omitempty"`
	AutoCommit bool       `json:"auto_commit,omitempty"`
	Title      *string    `json:"title,omitempty"` // that a client has given
	UpdatedAt  time.Time  `json:"updated_at,omitzero"`
	ClosedAt   *time.Time `json:"closed_at,omitempty"`
}

func noteOf(s *sessions.Session) (n sessionNote) {
	_ = json.Unmarshal(s.Note(), &n) // which is ours, or nothing
	return n
}

// createRequest is the body of a create.
type createRequest struct {
	branchName *string
	autoCommit bool
	model      string
}

func decodeCreate(r *http.Request) (req createRequest, err error) {
	body, err := decode(r)
	if err != nil {
		return req, err
	}
	if _, given := body["branch_name"]; !given {
		return req, invalid("body must have required property 'branch_name'")
	}
	return req, errors.Join(
		body.read("branch_name", "a string or null", &req.branchName),
		body.read("auto_commit", "a boolean", &req.autoCommit),
		body.read("model", "a string", &req.model),
	)
}

func (f *Face) create(w http.ResponseWriter, r *http.Request) {
	req, err := decodeCreate(r)
	o := sessions.CreateOptions{
		Face:  mark,
		Agent: cmp.Or(req.model, DefaultModel),
		Owner: face.Caller(r),
		Wish:  sessions.Wish{Model: req.model, BaseURL: face.BaseURL(r)},
	}
	if err == nil {
		o.ID, err = newID()
	}
	if err == nil {
		o.Note, err = json.Marshal(sessionNote{BranchName: req.branchName, AutoCommit: req.autoCommit})
	}
	var s *sessions.Session
	if err == nil {
		s, err = f.Engine.Create(r.Context(), o)
	}
	if errors.Is(err, sessions.ErrUnknownAgent) {
		err = f.unknownModel(req.model)
	}
	if err != nil {
		f.fail(w, r, err)
		return
	}
	writeJSON(w, f.CreateStatus, f.body(s))
}

// newID makes an id that is ordered by time.
func newID() (string, error) {
	id, err := uuid.NewV7()
	return idPrefix + hex.EncodeToString(id[:]), err
}

func (f *Face) unknownModel(name string) error {
	return invalid(fmt.Sprintf("Unknown model %q, this server has: %s", name, strings.Join(f.Engine.AgentNames(), ", ")))
}

func (f *Face) show(w http.ResponseWriter, _ *http.Request, s *sessions.Session) {
	writeJSON(w, http.StatusOK, f.body(s))
}

func (f *Face) body(s *sessions.Session) sessionBody {
	note := noteOf(s)
	t, now := f.timelineOf(s)
	b := sessionBody{
		ID:          s.ID,
		Title:       titleOf(t.first),
		WorkspaceID: workspace,
		UserID:      userID(s.Owner),
		BranchName:  note.BranchName,
		AutoCommit:  note.AutoCommit,
		Origin:      "api",
		CreatedAt:   timestamp(s.CreatedAt),
		UpdatedAt:   timestamp(t.touched),
		Model:       s.Agent,
	}
	b.Status, b.AgentStatus = statuses(now)
	if note.ClosedAt != nil {
		b.Status = closed
	}
	if note.Title != nil {
		b.Title = *note.Title
	}
	if note.UpdatedAt.After(t.touched) {
		b.UpdatedAt = timestamp(note.UpdatedAt)
	}
	if t.first != "" {
		sandbox := "sbx_" + strings.TrimPrefix(s.ID, idPrefix)
		b.SandboxID = &sandbox
	}
	return b
}

// userID is the id of a key's owner.
func userID(owner string) string { return "usr_" + cmp.Or(owner, "local") }

// list gives a page of the caller's sessions, the oldest first. What include
// asks for is not there.
func (f *Face) list(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	after, err := readCursor(q.Get(f.CursorQuery))
	if err != nil {
		f.fail(w, r, err)
		return
	}
	page := pageBody{Items: []sessionBody{}}
	var last *sessions.Session
	for _, s := range f.Owned(r) {
		if !after.before(s) || (q.Has("user_id") && q.Get("user_id") != userID(s.Owner)) {
			continue
		}
		b := f.body(s)
		if q.Has("status") && q.Get("status") != string(b.Status) {
			continue
		}
		if len(page.Items) == f.PageSize {
			next := cursorOf(last)
			page.NextCursor = &next
			break
		}
		page.Items, last = append(page.Items, b), s
	}
	writeJSON(w, http.StatusOK, page)
}

// cursor is a place in the list, behind a session that may be gone.
type cursor struct {
	At time.Time `json:"at"`
	ID string    `json:"id"`
}

func cursorOf(s *sessions.Session) string {
	text, _ := json.Marshal(cursor{s.CreatedAt, s.ID}) // a time of ours is always JSON
	return base64.RawURLEncoding.EncodeToString(text)
}

func readCursor(text string) (c cursor, err error) {
	if text == "" {
		return c, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil {
		err = json.Unmarshal(raw, &c)
	}
	if err != nil {
		return c, invalid("querystring/cursor is invalid")
	}
	return c, nil
}

func (c cursor) before(s *sessions.Session) bool {
	return cmp.Or(c.At.Compare(s.CreatedAt), strings.Compare(c.ID, s.ID)) < 0
}

// update takes the title, auto_commit, a model that is the session's own and, if
// that is allowed, the status closed.
func (f *Face) update(w http.ResponseWriter, r *http.Request, s *sessions.Session) {
	var (
		title, model, status *string
		autoCommit           *bool
	)
	body, err := decode(r)
	if err == nil {
		err = errors.Join(
			body.read("title", "a string", &title),
			body.read("auto_commit", "a boolean", &autoCommit),
			body.read("model", "a string", &model),
			body.read("status", "a string", &status),
		)
	}
	switch {
	case err != nil:
	case model != nil && !slices.Contains(f.Engine.AgentNames(), *model):
		err = f.unknownModel(*model)
	case model != nil && *model != s.Agent:
		err = invalid("body/model of a session cannot be changed on this server")
	case status != nil && (*status != string(closed) || !f.AllowClose):
		err = invalid("body/status cannot be set to " + *status)
	}
	if err == nil {
		err = f.change(s, func(n *sessionNote) {
			n.Title = cmp.Or(title, n.Title)
			n.AutoCommit = *cmp.Or(autoCommit, &n.AutoCommit)
			n.UpdatedAt = time.Now().UTC()
			if status != nil && n.ClosedAt == nil {
				n.ClosedAt = &n.UpdatedAt
			}
		})
	}
	if err == nil && status != nil {
		err = f.callOff(s)
	}
	if err != nil {
		f.fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, f.body(s))
}

// change changes the session's note while nobody sends.
func (f *Face) change(s *sessions.Session, change func(*sessionNote)) error {
	f.closing.Lock()
	defer f.closing.Unlock()
	return s.Annotate(func(raw json.RawMessage) (json.RawMessage, error) {
		var n sessionNote
		if err := json.Unmarshal(raw, &n); err != nil {
			return nil, err
		}
		change(&n)
		return json.Marshal(n)
	})
}

// callOff ends the work under way in a session that takes no more of it, and
// what is queued behind it.
func (f *Face) callOff(s *sessions.Session) error {
	for s.Status().Active() {
		if err := s.Cancel(); err != nil {
			return err
		}
	}
	return nil
}
