package sessionserver

import (
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestATaskThatAsksAndFinishes(t *testing.T) {
	_, c := serve(t, Config{})
	id := c.create("script")
	c.send(id, "think looking\nask Which size?\nfinish {\"size\":\"{{answer}}\"}")

	m := c.until(id, "waiting_for_input")
	require.Equal(t, []string{
		"1 USER think looking\nask Which size?\nfinish {\"size\":\"{{answer}}\"}",
		"2 THOUGHT looking",
		"3 QUESTION Which size?",
	}, m.lines())
	require.True(t, m.HasAgent)

	c.send(id, `M "slim"`)
	m = c.until(id, "finished")
	require.Equal(t, map[string]any{"size": `M "slim"`}, m.last().Content)
	require.Equal(t, "DONE", m.last().Type)

	var after messagesJSON
	c.ok("GET", "/v1/sessions/"+id+"/messages?after_id=3", nil, &after)
	require.Len(t, after.Messages, 2)
	require.Equal(t, 4, after.Messages[0].ID)
}

func TestAFollowUpIsANewTaskInTheSameSession(t *testing.T) {
	_, c := serve(t, Config{})
	id := c.create("script")
	c.send(id, "finish one")
	c.until(id, "finished")
	c.send(id, "fail two")
	require.Equal(t, []string{"1 USER finish one", "2 DONE one", "3 USER fail two", "4 ERROR two"}, c.until(id, "error").lines())
	c.send(id, "finish three")
	require.Equal(t, "three", c.until(id, "finished").last().Content)
}

func TestAMessageWhileTheAgentWorksIsExtraInformation(t *testing.T) {
	_, c := serve(t, Config{})
	id := c.create("script")
	c.send(id, "think busy\nwait 1h\nfinish never")
	c.untilSaid(id, "THOUGHT busy")
	c.send(id, "by the way")
	m := c.messages(id)
	require.Equal(t, "running", m.Status)
	require.Equal(t, "USER", m.last().Type)
	require.Equal(t, "by the way", m.last().Content)
}

func TestPauseHoldsTheAgentAndResumeLetsItGoOn(t *testing.T) {
	_, c := serve(t, Config{})
	id := c.create("script")
	c.send(id, "ask Go?\nthink going\nfinish ok")
	c.until(id, "waiting_for_input")

	c.ok("POST", "/v1/sessions/"+id+"/pause", nil, nil)
	c.send(id, "yes")
	var s sessionJSON
	c.ok("GET", "/v1/sessions/"+id, nil, &s)
	require.Equal(t, "paused", s.Status)
	m := c.messages(id)
	require.Equal(t, "paused", m.Status)
	require.Equal(t, "USER", m.last().Type, "a paused agent says nothing")

	c.ok("POST", "/v1/sessions/"+id+"/pause", nil, nil)
	c.ok("POST", "/v1/sessions/"+id+"/resume", nil, nil)
	require.Equal(t, "ok", c.until(id, "finished").last().Content)
	c.ok("POST", "/v1/sessions/"+id+"/resume", nil, nil)
}

func TestCancelGivesUpTheTaskAndKeepsTheSession(t *testing.T) {
	for name, script := range map[string]struct{ text, status string }{
		"while the agent works": {"wait 1h\nfinish never", "running"},
		"while the agent waits": {"ask Well?\nfinish never", "waiting_for_input"},
	} {
		t.Run(name, func(t *testing.T) {
			_, c := serve(t, Config{})
			id := c.create("script")
			c.send(id, script.text)
			before := c.until(id, script.status)
			c.ok("POST", "/v1/sessions/"+id+"/cancel", nil, nil)
			m := c.messages(id)
			require.Equal(t, "ready", m.Status)
			require.Equal(t, before.lines(), m.lines(), "a cancel adds no message")

			c.send(id, "finish next")
			m = c.until(id, "finished")
			require.Equal(t, "next", m.last().Content)
		})
	}
}

func TestCancelWhilePausedEndsThePause(t *testing.T) {
	_, c := serve(t, Config{})
	id := c.create("script")
	c.send(id, "wait 1h")
	c.ok("POST", "/v1/sessions/"+id+"/pause", nil, nil)
	c.ok("POST", "/v1/sessions/"+id+"/cancel", nil, nil)
	require.Equal(t, "ready", c.messages(id).Status)
	c.send(id, "finish ok")
	c.until(id, "finished")
}

func TestTheReaderReadsTheShopWithoutAPortOrANetwork(t *testing.T) {
	_, c := serve(t, Config{})
	id := c.createWith(map[string]any{}).SessionID // agi-0 by default
	c.sendURL(id, "Report the product's name and price", "http://shop.localhost/teapot")
	m := c.until(id, "finished")
	require.Equal(t, map[string]any{"name": "Blue Teapot", "price": 24.5, "currency": "EUR"}, m.last().Content)
	require.Equal(t, []string{
		"1 USER Report the product's name and price",
		"2 THOUGHT Opening http://shop.localhost/teapot",
		"3 THOUGHT Found product data (JSON-LD): Blue Teapot",
	}, m.lines()[:3])

	code, body := c.call("POST", "/shop/admin/price", `{"product":"teapot","price":"19.50"}`)
	require.Equal(t, http.StatusOK, code, body)
	c.send(id, "And what is the price now?")
	require.Equal(t, map[string]any{"price": 19.5, "currency": "EUR"}, c.until(id, "finished").last().Content)
}

func TestTheReaderAsksWhichProductAndWhichVariant(t *testing.T) {
	_, c := serve(t, Config{})
	id := c.create("reader")
	c.sendURL(id, "Report name, price and availability", "http://shop.localhost/")
	q := c.until(id, "waiting_for_input").last().Content.(string)
	require.Contains(t, q, "Which product")
	require.Contains(t, q, "1. Blue Teapot: 24.50 EUR")

	c.send(id, "the purple one")
	require.Contains(t, c.until(id, "waiting_for_input").last().Content, "cannot tell")
	c.send(id, "t-shirt")
	require.Contains(t, c.until(id, "waiting_for_input").last().Content, "Which variant")
	c.send(id, "3")
	m := c.until(id, "finished")
	require.Equal(t, map[string]any{"name": "Plain T-Shirt, Large", "price": 16.0, "currency": "EUR", "availability": "OutOfStock"}, m.last().Content)
}

func TestTheReaderFailsInPlainWords(t *testing.T) {
	_, c := serve(t, Config{})
	for path, want := range map[string]string{
		"about":   "has no product data",
		"clock":   "missing: price",
		"captcha": "captcha",
		"down":    "503",
		"nowhere": "does not exist (404 Not Found)",
	} {
		t.Run(path, func(t *testing.T) {
			id := c.create("reader")
			c.sendURL(id, "Report name and price", "http://shop.localhost/"+path)
			require.Contains(t, c.until(id, "error").last().Content, want)
		})
	}
}

func TestTheReaderFindsTheShopOnAListenerOfSomeoneElse(t *testing.T) {
	s, err := New(Config{Dir: t.TempDir()})
	require.NoError(t, err)
	host := httptest.NewServer(s.Handler())
	defer host.Close()
	defer func() { require.NoError(t, s.Close(t.Context())) }()
	c := newCaller(t, host.URL)
	id := c.create("reader")
	c.sendURL(id, "name", "http://shop.localhost/mug")
	require.Equal(t, map[string]any{"name": "Camping Mug"}, c.until(id, "finished").last().Content)
}

func TestCloseDoesNotWaitForAConnectionThatAsksNothing(t *testing.T) {
	s, c := serve(t, Config{})
	silent, err := net.Dial("tcp", c.base[len("http://"):])
	require.NoError(t, err)
	defer func() { require.NoError(t, silent.Close()) }()
	c.ok("GET", "/healthz", nil, nil) // by now the silent one is accepted
	start := time.Now()
	require.NoError(t, s.Close(t.Context()))
	require.Less(t, time.Since(start), 4*time.Second)
}
