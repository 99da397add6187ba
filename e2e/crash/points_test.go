package crash

import (
	"fmt"
	"testing"

	"github.com/errand-dev/errand/e2e/internal/mortal"
	"github.com/errand-dev/errand/e2e/internal/wire"
	"github.com/errand-dev/errand/sessionserver/truth"
)

// point is where in a call the worker dies.
type point string

const (
	beforeRequest point = "before the request reaches the vendor"
	beforeReply   point = "before the reply reaches the worker"
	beforeReport  point = "before the completion reaches Temporal"
	afterReport   point = "after the completion was accepted"
)

var (
	atVendor   = []point{beforeRequest, beforeReply}
	atTemporal = []point{beforeReport, afterReport}
	everywhere = []point{beforeRequest, beforeReply, beforeReport, afterReport}
)

// call is a call that an agent task makes.
type call struct {
	name   string
	story  story
	points []point

	request wire.Call
	after   int    // messages that the vendor has had before the request that is meant
	tells   string // what the vendor's answer says, if only such an answer is meant
	lost    int    // send whose reply is lost before, so that the task looks for its message

	report string // type of activity, or mortal.Heartbeat
	nth    int    // of the requests and of the reports; 0 is the first
}

// calls are those that tasks make. A turn is one activity: the reads after a
// message are where its worker has sent and told nobody.
var calls = []call{
	{name: "create session", story: asking, points: everywhere, request: wire.Create, report: "CreateSession"},
	{name: "send prompt", story: asking, points: atVendor, request: wire.Send},
	{name: "look for prompt", story: asking, points: atVendor, request: wire.Find, lost: 1},
	{name: "first read after prompt", story: asking, points: atVendor, request: wire.Read, after: 1},
	{name: "heartbeat", story: thinking, points: atTemporal, report: mortal.Heartbeat},
	{name: "await question", story: asking, points: everywhere, request: wire.Read, tells: "QUESTION", report: "TakeTurn"},
	{name: "send answer", story: asking, points: atVendor, request: wire.Send, nth: 2},
	{name: "look for answer", story: asking, points: atVendor, request: wire.Find, lost: 2},
	{name: "first read after answer", story: asking, points: atVendor, request: wire.Read, after: 2},
	{name: "await finish", story: asking, points: everywhere, request: wire.Read, tells: "DONE", report: "TakeTurn", nth: 2},
	{name: "delete", story: asking, points: everywhere, request: wire.Delete, report: "DeleteSession"},
	{name: "delete with snapshot", story: keeping, points: everywhere, request: wire.Delete, report: "DeleteSession"},
	{name: "pause", story: pausing, points: everywhere, request: wire.Pause, report: "PauseSession"},
	{name: "resume", story: pausing, points: everywhere, request: wire.Resume, report: "ResumeSession"},
	{name: "cancel", story: cancelling, points: everywhere, request: wire.Cancel, report: "CancelSession"},
}

func TestAWorkerMayDieAtEveryPoint(t *testing.T) {
	t.Parallel()
	for _, call := range calls {
		for _, p := range call.points {
			t.Run(fmt.Sprintf("%s, %s", call.name, p), func(t *testing.T) {
				t.Parallel()
				c := newCell(t)
				c.man(call.at(p))
				c.play(call.story)
			})
		}
	}
}

// The second worker dies over the same call, which it makes again or finds done.
func TestASecondWorkerMayDieAsWell(t *testing.T) {
	t.Parallel()
	again := func(k call) call {
		k.nth = 1 // of the second worker's
		return k
	}
	named := map[string]call{}
	for _, k := range calls {
		named[k.name] = k
	}
	for _, tt := range []struct {
		first    string
		at       point
		second   call
		secondAt point
	}{
		{"create session", beforeRequest, named["create session"], beforeReply},
		{"send prompt", beforeReply, named["look for prompt"].found(), beforeReply},
		{"await question", beforeReport, again(named["await question"]), beforeReport},
		{"send answer", beforeRequest, again(named["send answer"]), beforeReply},
		{"send answer", beforeReply, named["look for answer"].found(), beforeReply},
		{"first read after answer", beforeRequest, named["look for answer"].found(), beforeReply},
		{"await finish", beforeReply, again(named["await finish"]), afterReport},
		{"delete", beforeReply, named["delete"], beforeReport},
		{"pause", beforeReport, named["resume"], beforeReply},
	} {
		t.Run(fmt.Sprintf("%s, %s, and %s, %s", tt.first, tt.at, tt.second.name, tt.secondAt), func(t *testing.T) {
			t.Parallel()
			c := newCell(t)
			c.man(named[tt.first].at(tt.at), tt.second.at(tt.secondAt))
			c.play(named[tt.first].story)
		})
	}
}

// at is the death at that point of the call.
func (k call) at(p point) death {
	return func(c *cell) *mortal.Death {
		switch p {
		case beforeRequest:
			k.lay(c, c.killing(wire.LoseRequest))
		case beforeReply:
			k.lay(c, c.killing(wire.LoseReply))
		default:
			return &mortal.Death{Report: k.report, Nth: k.nth, Accepted: p == afterReport}
		}
		return nil
	}
}

// lay lays the fault in the way of the request that is meant.
func (k call) lay(c *cell, f wire.Fault) {
	if k.lost > 0 {
		c.wire.Spoil(wire.Send, wire.Nth(k.lost, wire.LoseReply))
	}
	if k.tells != "" {
		f = wire.Telling(`"`+k.tells+`"`, f)
	}
	f = wire.Nth(k.nth, f)
	c.wire.Spoil(k.request, func(x *wire.Exchange) bool { return len(c.log().Of(truth.Message)) >= k.after && f(x) })
}

// found is the call of a worker before which another has lost a reply already.
func (k call) found() call {
	k.lost = 0
	return k
}

// killing kills the worker when the fault has struck.
func (c *cell) killing(f wire.Fault) wire.Fault {
	return func(x *wire.Exchange) bool {
		struck := f(x)
		if struck {
			c.current().Kill()
		}
		return struck
	}
}
