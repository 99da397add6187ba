package agi

import (
	"context"
	"net/http"

	"github.com/errand-dev/errand/apiclient/internal/rest"
)

// ActionResult is the answer to a message or a control call. Message is a
// sentence for people; do not decide by it.
type ActionResult struct {
	Success bool   `json:"success"`
	Message string `json:"message"`
}

// Pause halts the agent. The vendor's samples expect "already_paused" in the
// answer of a session that is paused already.
func (c *Client) Pause(ctx context.Context, sessionID string) (ActionResult, error) {
	return c.control(ctx, sessionID, "pause")
}

// Resume lets a paused agent go on. The vendor's samples expect "not_paused"
// in the answer of a session that is not paused.
func (c *Client) Resume(ctx context.Context, sessionID string) (ActionResult, error) {
	return c.control(ctx, sessionID, "resume")
}

// Cancel ends the current task. The session stays and takes new messages.
func (c *Client) Cancel(ctx context.Context, sessionID string) (ActionResult, error) {
	return c.control(ctx, sessionID, "cancel")
}

func (c *Client) control(ctx context.Context, sessionID, verb string) (ActionResult, error) {
	var result ActionResult
	err := c.rest.Do(ctx, rest.Request{
		Method: http.MethodPost,
		Path:   sessionPath(sessionID, verb),
	}, &result)
	return result, err
}

// Navigation is where a session's browser went.
type Navigation struct {
	// CurrentURL may differ from the URL asked for, after a redirect.
	CurrentURL string `json:"current_url"`
}

// Navigate sends the session's browser to an absolute http or https URL of up
// to 2,000 characters.
func (c *Client) Navigate(ctx context.Context, sessionID, url string) (Navigation, error) {
	var result Navigation
	err := c.rest.Do(ctx, rest.Request{
		Method: http.MethodPost,
		Path:   sessionPath(sessionID, "navigate"),
		Body: struct {
			URL string `json:"url"`
		}{url},
	}, &result)
	return result, err
}

// Screenshot is what a session's browser shows.
type Screenshot struct {
	// Screenshot is a data URL, data:image/jpeg;base64,…
	Screenshot string `json:"screenshot"`
	URL        string `json:"url"`
	Title      string `json:"title"`
}

// Screenshot takes a picture of the session's browser.
func (c *Client) Screenshot(ctx context.Context, sessionID string) (Screenshot, error) {
	var result Screenshot
	err := c.rest.Do(ctx, rest.Request{
		Method: http.MethodGet,
		Path:   sessionPath(sessionID, "screenshot"),
	}, &result)
	return result, err
}
