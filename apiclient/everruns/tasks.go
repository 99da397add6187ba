package everruns

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"

	"github.com/errand-dev/errand/apiclient/internal/rest"
)

// Task is something that a session has set going beside its turn. Tasks are
// known from the current profile alone.
type Task struct {
	ID           string        `json:"id"`
	SessionID    string        `json:"session_id,omitempty"`
	Kind         string        `json:"kind,omitempty"`
	State        TaskState     `json:"state"`
	InputRequest *InputRequest `json:"input_request,omitempty"` // while it awaits input
	Error        *TaskError    `json:"error,omitempty"`         // of a failed one
	CreatedAt    Timestamp     `json:"created_at,omitzero"`
	UpdatedAt    Timestamp     `json:"updated_at,omitzero"`
}

// InputRequest is a task's question. Its answer is a message of the task that
// names its ID.
type InputRequest struct {
	ID       string          `json:"id"`
	Prompt   string          `json:"prompt"`
	Expected json.RawMessage `json:"expected,omitempty"`
}

// TaskError says why a task failed.
type TaskError struct {
	Kind    string `json:"kind,omitempty"`
	Message string `json:"message,omitempty"`
}

// ListTasks returns the tasks of a session.
func (c *Client) ListTasks(ctx context.Context, sessionID string) ([]Task, error) {
	var list dataList[Task]
	err := c.rest.Do(ctx, rest.Request{
		Method: http.MethodGet,
		Path:   sessionPath(sessionID, "tasks"),
	}, &list)
	return list.data, err
}

// Task returns one task of a session.
func (c *Client) Task(ctx context.Context, sessionID, taskID string) (Task, error) {
	var reply taskReply
	err := c.rest.Do(ctx, rest.Request{
		Method: http.MethodGet,
		Path:   sessionPath(sessionID, "tasks", taskID),
	}, &reply)
	return reply.task, err
}

// CancelTask asks a task to stop; it does so when it sees fit.
func (c *Client) CancelTask(ctx context.Context, sessionID, taskID string) error {
	return c.rest.Do(ctx, rest.Request{
		Method: http.MethodPost,
		Path:   sessionPath(sessionID, "tasks", taskID, "cancel"),
	}, nil)
}

// TaskMessageRequest is a message for a task, as text or as content.
type TaskMessageRequest struct {
	Text      string  `json:"text,omitempty"`
	Content   Content `json:"content,omitempty"`
	InReplyTo string  `json:"in_reply_to,omitempty"` // the id of the task's input request
}

// CreateTaskMessage gives a task a message.
func (c *Client) CreateTaskMessage(ctx context.Context, sessionID, taskID string, in TaskMessageRequest) error {
	return c.rest.Do(ctx, rest.Request{
		Method: http.MethodPost,
		Path:   sessionPath(sessionID, "tasks", taskID, "messages"),
		Body:   in,
	}, nil)
}

// ListAllTasksOptions selects tasks of all sessions. The zero value is the
// API's first 100.
type ListAllTasksOptions struct {
	State         TaskState
	Kind          string
	CreatedAfter  string // RFC 3339
	RootSessionID string
	Limit         int // up to 500
}

// ListAllTasks returns the tasks of all sessions.
func (c *Client) ListAllTasks(ctx context.Context, opts ListAllTasksOptions) ([]Task, error) {
	query := url.Values{}
	setString(query, "state", string(opts.State))
	setString(query, "kind", opts.Kind)
	setString(query, "created_after", opts.CreatedAfter)
	setString(query, "root_session_id", opts.RootSessionID)
	setInt(query, "limit", int64(opts.Limit))
	var list dataList[Task]
	err := c.rest.Do(ctx, rest.Request{
		Method: http.MethodGet,
		Path:   []string{"v1", "tasks"},
		Query:  query,
	}, &list)
	return list.data, err
}

// taskReply refuses an answer that is no task: it would read as one that waits
// for nothing.
type taskReply struct{ task Task }

func (r *taskReply) UnmarshalJSON(raw []byte) error {
	if err := json.Unmarshal(raw, &r.task); err != nil {
		return err
	}
	if r.task.State == "" {
		return errors.New("state is missing")
	}
	return nil
}
