package agi

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"

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
	// Screenshot is a data URL, data:image/jpeg;base64,…; see [Screenshot.Image].
	Screenshot string `json:"screenshot"`
	URL        string `json:"url"`
	Title      string `json:"title"`
	// Width and Height are in pixels, and in the vendor's C# SDK only.
	Width  int `json:"width,omitempty"`
	Height int `json:"height,omitempty"`
}

// Image decodes the picture, and tells its media type as the data URL does.
// Base64 without a data URL around it is decoded too, its media type empty.
func (s Screenshot) Image() (image []byte, mediaType string, err error) {
	encoded := s.Screenshot
	if encoded == "" {
		return nil, "", errors.New("agi: screenshot: no picture")
	}
	if head, data, ok := strings.Cut(encoded, ","); ok {
		var isBase64 bool
		mediaType, isBase64 = strings.CutSuffix(strings.TrimPrefix(head, "data:"), ";base64")
		if !isBase64 {
			return nil, "", errors.New("agi: screenshot: not in base64")
		}
		encoded = data
	}
	image, err = base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, "", fmt.Errorf("agi: screenshot: %w", err)
	}
	return image, mediaType, nil
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
