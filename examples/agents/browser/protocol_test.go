package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
)

// fake is an agent whose every task goes by the given function.
type fake struct {
	task func(ctx context.Context, t *task) (any, error)
}

func (f fake) restore(state json.RawMessage) error {
	if string(state) != `"good"` {
		return errors.New("that is not mine")
	}
	return nil
}
func (f fake) work(ctx context.Context, t *task) (any, error)       { return f.task(ctx, t) }
func (f fake) save(context.Context) (any, error)                    { return "good", nil }
func (f fake) navigate(_ context.Context, u string) (string, error) { return u + "/", nil }
func (f fake) screenshot(context.Context) (picture, error) {
	return picture{}, errors.New("it is dark")
}

// conversation is a server's side of serve.
type conversation struct {
	t     *testing.T
	stdin *io.PipeWriter
	lines *bufio.Scanner
	ended chan error
}

func converse(t *testing.T, f func(ctx context.Context, t *task) (any, error)) *conversation {
	t.Helper()
	agentIn, in := io.Pipe()
	out, agentOut := io.Pipe()
	c := &conversation{t: t, stdin: in, lines: bufio.NewScanner(out), ended: make(chan error, 1)}
	go func() {
		err := serve(context.Background(), agentIn, agentOut, fake{f})
		agentOut.Close()
		c.ended <- err
	}()
	t.Cleanup(func() {
		in.Close()
		out.Close()
	})
	return c
}

func (c *conversation) say(line string) {
	c.t.Helper()
	_, err := io.WriteString(c.stdin, line+"\n")
	require.NoError(c.t, err)
}

func (c *conversation) hear(want string) {
	c.t.Helper()
	require.True(c.t, c.lines.Scan(), "the agent says no more")
	require.JSONEq(c.t, want, c.lines.Text())
}

func (c *conversation) end() {
	c.t.Helper()
	require.NoError(c.t, c.stdin.Close())
	require.False(c.t, c.lines.Scan(), "unexpected line: %s", c.lines.Text())
	require.NoError(c.t, <-c.ended)
}

const readyLine = `{"type":"ready","can":["screenshot","navigate","save"]}`

func TestATaskEndsWithItsResultOrItsError(t *testing.T) {
	c := converse(t, func(_ context.Context, t *task) (any, error) {
		t.think("on %s", t.startURL)
		if t.text == "fail" {
			return nil, errors.New("no luck")
		}
		return map[string]string{"said": t.text}, nil
	})
	c.say(`{"type":"start","unknown":[1]}`)
	c.hear(readyLine)
	c.say(`{"type":"nobody knows"}`)
	c.say(`{"type":"message","id":1,"text":"hello","start_url":"http://a"}`)
	c.hear(`{"type":"thought","text":"on http://a"}`)
	c.hear(`{"type":"done","result":{"said":"hello"}}`)
	c.say(`{"type":"message","id":3,"text":"fail"}`)
	c.hear(`{"type":"thought","text":"on "}`)
	c.hear(`{"type":"error","text":"no luck"}`)
	c.end()
}

func TestAQuestionWaitsForItsOwnAnswerAndOtherRequestsPass(t *testing.T) {
	c := converse(t, func(ctx context.Context, t *task) (any, error) { return t.ask(ctx, "Which?") })
	c.say(`{"type":"message","text":"a"}`)
	c.hear(`{"type":"question","text":"Which?"}`)
	c.say(`{"type":"save"}`)
	c.hear(`{"type":"state","state":"good"}`)
	c.say(`{"type":"screenshot"}`)
	c.hear(`{"type":"failed","request":"screenshot","text":"it is dark"}`)
	c.say(`{"type":"navigate","url":"http://b"}`)
	c.hear(`{"type":"navigated","url":"http://b/"}`)
	c.say(`{"type":"message","text":"and be quick"}`)
	c.hear(`{"type":"log","text":"This agent does one thing at a time and goes on with what it does."}`)
	c.say(`{"type":"answer","text":"this","question_id":2}`)
	c.hear(`{"type":"done","result":"this"}`)
	c.say(`{"type":"answer","text":"that","question_id":2}`)
	c.hear(`{"type":"error","text":"The page that the question was about is no longer open. Send the task again."}`)
	c.end()
}

func TestACancelledTaskSaysSoAndTheNextOneWorks(t *testing.T) {
	c := converse(t, func(ctx context.Context, t *task) (any, error) {
		if t.text == "next" {
			return "fine", nil
		}
		return t.ask(ctx, "Which?")
	})
	c.say(`{"type":"message","text":"a"}`)
	c.hear(`{"type":"question","text":"Which?"}`)
	c.say(`{"type":"cancel"}`)
	c.hear(`{"type":"cancelled"}`)
	c.say(`{"type":"cancel"}`) // nothing to cancel, nothing to say
	c.say(`{"type":"message","text":"next"}`)
	c.hear(`{"type":"done","result":"fine"}`)
	c.end()
}

func TestWhatCannotBeUndoneIsNotCalledCancelled(t *testing.T) {
	c := converse(t, func(ctx context.Context, t *task) (any, error) {
		_, err := t.ask(ctx, "Which?")
		return nil, errors.New("nobody knows whether it was bought: " + err.Error())
	})
	c.say(`{"type":"message","text":"a"}`)
	c.hear(`{"type":"question","text":"Which?"}`)
	c.say(`{"type":"cancel"}`)
	c.hear(`{"type":"error","text":"nobody knows whether it was bought: context canceled"}`)
	c.end()
}

func TestAStateIsRestoredOrRefused(t *testing.T) {
	for state, want := range map[string]string{
		`"good"`: readyLine,
		`null`:   readyLine,
		`"bad"`:  `{"type":"ready","cannot_restore":"that is not mine"}`,
	} {
		c := converse(t, nil)
		c.say(`{"type":"start","state":` + state + `}`)
		c.hear(want)
		c.end()
	}
}

func TestTheEndOfStdinEndsATaskUnderWay(t *testing.T) {
	c := converse(t, func(ctx context.Context, t *task) (any, error) { return t.ask(ctx, "Which?") })
	c.say(`{"type":"message","text":"a"}`)
	c.hear(`{"type":"question","text":"Which?"}`)
	c.end()
}

func TestALineThatIsNoJSONEndsTheAgent(t *testing.T) {
	c := converse(t, nil)
	c.say(`hello`)
	require.False(t, c.lines.Scan())
	require.ErrorContains(t, <-c.ended, "cannot be read")
}
