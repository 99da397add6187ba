package sessionserver

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"image"
	"image/jpeg"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/errand-dev/errand/sessionserver/agent"
)

// browser is an agent with a screen.
type browser struct{ picture []byte }

func (b browser) Open(agent.Session) agent.Worker { return b }
func (b browser) Close()                          {}
func (b browser) Run(ctx context.Context, turn *agent.Turn) agent.Outcome {
	if err := errors.Join(
		turn.Say(ctx, agent.Saying{Type: agent.Log, Content: "the prompt", Hidden: true}),
		turn.Say(ctx, agent.Saying{Type: agent.Thought, Content: []any{"look", map[string]any{"type": "image", "data": "x"}}}),
		turn.Step(ctx, "Clicked"),
	); err != nil {
		return agent.Failed(err.Error())
	}
	turn.Show(agent.Screenshot{JPEG: b.picture})
	return agent.Finished("ok")
}

func (b browser) Screenshot(context.Context) (agent.Screenshot, error) {
	return agent.Screenshot{JPEG: b.picture, URL: "http://a.example/", Title: "A", Width: 4, Height: 3}, nil
}

func (b browser) Navigate(_ context.Context, url string) (string, error) {
	if url == "http://down.example/" {
		return "", errors.New("the page does not answer")
	}
	return url + "moved", nil
}

func serveBrowser(t *testing.T) (*caller, sessionJSON, []byte) {
	t.Helper()
	var picture bytes.Buffer
	require.NoError(t, jpeg.Encode(&picture, image.NewGray(image.Rect(0, 0, 4, 3)), nil))
	_, c := serve(t, Config{Agents: map[string]agent.Agent{"browser": browser{picture.Bytes()}}})
	s := c.createWith(map[string]any{"agent_name": "browser"})
	return c, s, picture.Bytes()
}

func TestAnAgentWithAScreenNavigatesAndShowsIt(t *testing.T) {
	c, s, picture := serveBrowser(t)
	at := "/v1/sessions/" + s.SessionID
	var went map[string]string
	c.ok("POST", at+"/navigate", map[string]any{"url": "http://a.example/"}, &went)
	require.Equal(t, map[string]string{"current_url": "http://a.example/moved"}, went)
	code, body := c.call("POST", at+"/navigate", `{"url":"http://down.example/"}`)
	require.Equal(t, http.StatusBadRequest, code)
	require.JSONEq(t, `{"detail":"the page does not answer"}`, body)

	var shot map[string]any
	c.ok("GET", at+"/screenshot", nil, &shot)
	require.Equal(t, map[string]any{
		"screenshot": "data:image/jpeg;base64," + base64.StdEncoding.EncodeToString(picture),
		"url":        "http://a.example/", "title": "A", "width": 4.0, "height": 3.0,
	}, shot)
}

func TestSanitizingLeavesOutPromptsAndImages(t *testing.T) {
	c, s, _ := serveBrowser(t)
	at := "/v1/sessions/" + s.SessionID
	c.send(s.SessionID, "go")
	c.until(s.SessionID, "finished")
	require.Equal(t, []string{"1 USER go", "3 THOUGHT [look]", "4 DONE ok"}, c.messages(s.SessionID).lines())
	var all messagesJSON
	c.ok("GET", at+"/messages?sanitize=false", nil, &all)
	require.Equal(t, []string{"1 USER go", "2 LOG the prompt", "3 THOUGHT [look map[data:x type:image]]", "4 DONE ok"}, all.lines())
	_, page := c.call("GET", "/session/"+s.SessionID, "")
	require.Contains(t, page, "look")
	require.NotContains(t, page, "the prompt")
	require.NotContains(t, page, "image")
	var names []string
	for _, f := range c.events(at + "/events").rest() {
		names = append(names, f.event)
	}
	require.Equal(t, []string{"user", "thought", "step", "done"}, names)
}

func TestThePageShowsTheScreenOnceThereIsOne(t *testing.T) {
	c, s, picture := serveBrowser(t)
	screen := "/session/" + s.SessionID + "/screen"
	code, _ := c.call("GET", screen, "")
	require.Equal(t, http.StatusNotFound, code, "looking starts nothing")
	c.send(s.SessionID, "go")
	c.until(s.SessionID, "finished")
	res := c.request("GET", screen, "")
	var got bytes.Buffer
	_, err := got.ReadFrom(res.Body)
	require.NoError(t, errors.Join(err, res.Body.Close()))
	require.Equal(t, picture, got.Bytes())
	require.Equal(t, "image/jpeg", res.Header.Get("Content-Type"))
	req, err := http.NewRequest("GET", c.base+screen, nil)
	require.NoError(t, err)
	req.Header.Set("If-None-Match", res.Header.Get("ETag"))
	again, err := c.http.Do(req)
	require.NoError(t, err)
	require.NoError(t, again.Body.Close())
	require.Equal(t, http.StatusNotModified, again.StatusCode)
}
