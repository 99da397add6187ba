package e2e

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/errand-dev/errand/provider"
	"github.com/errand-dev/errand/sessionserver/truth"
)

// trade is a home whose only vendor is the session server, behind the face of
// that vendor.
type trade struct {
	*home
	provider.Vendor
	facts func() *truth.Log
}

// faces are the vendors, with where the session server has their APIs.
var faces = map[string]string{"agi": "", "everruns": "/everruns", "agen": "/agen"}

// trades tries each vendor in turn, with an engine that runs.
func trades(t *testing.T, faults string, test func(*testing.T, *trade)) {
	for _, vendor := range provider.Vendors() {
		t.Run(vendor.Name, func(t *testing.T) {
			tr := openTrade(t, vendor, faults)
			tr.dev()
			test(t, tr)
		})
	}
}

func openTrade(t *testing.T, vendor provider.Vendor, faults string) *trade {
	t.Helper()
	require.Contains(t, faces, vendor.Name, "a vendor without a face is not tested")
	h := newHome(t)
	flags := []string{"sessions", "serve", "--listen", "127.0.0.1:0", "--truth", "truth.jsonl"}
	if faults != "" {
		h.write("faults.toml", faults)
		flags = append(flags, "--faults", "faults.toml")
	}
	server := h.start(flags...)
	server.says("serving sessions at http://")
	url := regexp.MustCompile(`http://127\.0\.0\.1:\d+`).FindString(server.errs.String() + server.out.String())
	h.write("errand.toml", fmt.Sprintf("[connections.shop]\nprovider = %q\nbase_url = %q\nagent = \"script\"\nsettle_time = \"1s\"\n",
		vendor.Name, url+faces[vendor.Name]))
	return &trade{home: h, Vendor: vendor, facts: func() *truth.Log {
		h.t.Helper()
		log, err := truth.Read(filepath.Join(h.dir, "truth.jsonl"))
		require.NoError(h.t, err)
		return log
	}}
}

// does runs a task to its end, which must be a good one.
func (tr *trade) does(prompt string, flags ...string) task {
	tr.t.Helper()
	got := parse[task](tr.t, tr.must(append([]string{"run", prompt, "-o", "json"}, flags...)...))
	require.Equal(tr.t, "completed", got.Status)
	tr.settled(got)
	return got
}

// settled expects that a task which has ended left nothing behind, except where
// the vendor has no call for it, and says so.
func (tr *trade) settled(got task) {
	tr.t.Helper()
	require.NotNil(tr.t, got.Session)
	require.Equal(tr.t, tr.Capabilities.Delete, got.Session.Deleted)
	require.Equal(tr.t, !tr.Capabilities.Delete, got.Session.Remains)
	left := 0
	for _, s := range parse[[]struct{ ID string }](tr.t, tr.must("sessions", "list", "-o", "json")) {
		if s.ID == got.Session.ID {
			left++
		}
	}
	if tr.Capabilities.Delete {
		require.Zero(tr.t, left)
	} else {
		require.Equal(tr.t, 1, left)
	}
}

// sent are the messages that have reached agents, in order.
func (tr *trade) sent() []string {
	tr.t.Helper()
	var texts []string
	for _, f := range tr.facts().Of(truth.Message) {
		texts = append(texts, f.Text)
	}
	return texts
}

// ask starts a task that will wait for an answer, and waits until it does.
func (tr *trade) ask(id, script string, flags ...string) task {
	tr.t.Helper()
	tr.must(append([]string{"run", script, "--id", id, "--detach"}, flags...)...)
	return tr.waits(id)
}

func (tr *trade) waits(id string) task {
	tr.t.Helper()
	var got task
	require.Eventually(tr.t, func() bool {
		got = tr.show(id)
		return got.Status == "waiting"
	}, patience, 100*time.Millisecond)
	return got
}

func TestEveryVendorDoesTheSameErrands(t *testing.T) {
	long(t)
	trades(t, "", func(t *testing.T, tr *trade) {
		for _, errand := range []struct {
			name string
			try  func(*testing.T, *trade)
		}{
			{"a result", func(t *testing.T, tr *trade) {
				got := tr.does(`think looking; finish {"price":"19.50"}`)
				require.JSONEq(t, `{"price":"19.50"}`, string(got.Result))
				require.LessOrEqual(t, got.History.Events, int64(32))
			}},
			{"a result that is plain words", func(t *testing.T, tr *trade) {
				require.JSONEq(t, `"all in stock"`, string(tr.does(`finish all in stock`).Result))
			}},
			{"the main job, from a page", func(t *testing.T, tr *trade) {
				p := newPage(t)
				p.serve(200, product("24.50", "InStock"))
				got := tr.does("Report the product's name and price", "--agent", "reader", "--url", p.URL)
				require.Contains(t, string(got.Result), "24.50")
			}},
			{"an answer from elsewhere", func(t *testing.T, tr *trade) {
				waiting := tr.ask("q", `think first; ask Which size?; finish {"done":true}`)
				require.Equal(t, "Which size?", waiting.Question.Text)
				refused := tr.start("answer", "q", "--question", "q-9", "S")
				require.Equal(t, 1, refused.wait())
				tr.must("answer", "q", "--by", "ada", "M")
				got := parse[task](t, tr.must("run", "--id", "q", "-o", "json"))
				require.Equal(t, "completed", got.Status)
				require.JSONEq(t, `{"done":true}`, string(got.Result))
				require.Equal(t, "ada", got.Answers[0].By)
				require.Equal(t, 2, got.Turns)
				require.LessOrEqual(t, got.History.Events, int64(38), "a task with one question")
				require.Equal(t, "M", tr.sent()[len(tr.sent())-1])
				tr.settled(got)
			}},
			{"answers given ahead, then the default", func(t *testing.T, tr *trade) {
				got := tr.does(`ask Size?; ask Colour?; ask Sure?; finish 1`, "--answer", "M", "--answer", "red", "--default-answer", "yes")
				require.Equal(t, []string{"M", "red", "yes"}, tr.sent()[len(tr.sent())-3:])
				require.Len(t, got.Answers, 3)
			}},
			{"a question that nobody answers in time", func(t *testing.T, tr *trade) {
				out, status := tr.run("run", `ask Size?; finish 1`, "--question-timeout", "1s", "-o", "json")
				require.Equal(t, 4, status)
				got := parse[task](t, out)
				require.Equal(t, "QuestionTimeout", got.Error.Type)
				tr.settled(got)
			}},
			{"follow-ups in the same session", func(t *testing.T, tr *trade) {
				got := tr.does(`finish 1`, "--follow-up", "finish 2", "--follow-up", "finish 3")
				require.JSONEq(t, `3`, string(got.Result))
				require.Equal(t, 3, got.Turns)
				require.Equal(t, 1, got.SessionsCreated)
				require.Equal(t, []string{"finish 1", "finish 2", "finish 3"}, tr.sent()[len(tr.sent())-3:])
			}},
			{"the agent's own error, in its words", func(t *testing.T, tr *trade) {
				out, status := tr.run("run", `think trying; fail the shop is closed`, "-o", "json")
				require.Equal(t, 1, status)
				got := parse[task](t, out)
				require.Equal(t, "AgentError", got.Error.Type)
				require.Contains(t, got.Error.Message, "the shop is closed")
				tr.settled(got)
			}},
			{"a turn that takes too long", func(t *testing.T, tr *trade) {
				out, status := tr.run("run", `wait 1h; finish 1`, "--turn-timeout", "1s", "-o", "json")
				require.Equal(t, 4, status)
				tr.settled(parse[task](t, out))
			}},
			{"a result that does not fit its schema", func(t *testing.T, tr *trade) {
				tr.write("schema.json", `{"type":"object","required":["price"]}`)
				out, status := tr.run("run", `finish {"name":"x"}`, "--result-schema", "schema.json", "-o", "json")
				require.Equal(t, 1, status)
				require.Contains(t, parse[task](t, out).Error.Message, "price")
			}},
			{"a cancel while the agent works", func(t *testing.T, tr *trade) {
				tr.must("run", `think busy; wait 1h; finish 1`, "--id", "c", "--detach")
				require.Eventually(t, func() bool { return slices.Contains(tr.sent(), `think busy; wait 1h; finish 1`) }, patience, 50*time.Millisecond)
				cancel := tr.start("cancel", "c")
				require.Equal(t, 0, cancel.wait())
				got := tr.show("c")
				require.Equal(t, "cancelled", got.Status)
				tr.settled(got)
				if !tr.Capabilities.Delete {
					require.Contains(t, cancel.errs.String(), tr.Title+" cannot stop an agent or delete a session: session "+got.Session.ID+" remains there")
				}
			}},
			{"a pause and a resume", func(t *testing.T, tr *trade) {
				tr.must("run", `wait 2s; finish 1`, "--follow-up", "finish 2", "--id", "p", "--detach")
				require.Eventually(t, func() bool { return tr.show("p").Session != nil }, patience, 50*time.Millisecond)
				pause := tr.start("pause", "p")
				require.Equal(t, 0, pause.wait())
				require.Equal(t, "paused", tr.show("p").Status)
				if !tr.Capabilities.Pause {
					require.Contains(t, pause.errs.String(), tr.Title+" cannot pause an agent: it goes on to the end of its turn, and the task stops there")
				}
				tr.must("resume", "p")
				got := parse[task](t, tr.must("run", "--id", "p", "-o", "json"))
				require.Equal(t, "completed", got.Status)
				require.JSONEq(t, `2`, string(got.Result))
			}},
			{"what its agent says, as it says it", func(t *testing.T, tr *trade) {
				tr.ask("w", `think here I am; ask Well?; finish 1`)
				watch := tr.start("watch", "w", "-o", "jsonl")
				watch.says("here I am")
				watch.says("Well?")
				tr.must("answer", "w", "go on")
				require.Equal(t, 0, watch.wait())
				types := map[string]bool{}
				for line := range strings.Lines(watch.out.String()) {
					types[parse[struct{ Type string }](t, line).Type] = true
				}
				for _, want := range []string{"thought", "question", "user", "done"} {
					require.True(t, types[want], "%s: %s", want, watch.out)
				}
			}},
			{"the inbox", func(t *testing.T, tr *trade) {
				tr.must("run", `ask Buy it?; finish 1`, "--id", "i", "--detach")
				open := tr.inbox(1)[0]
				require.Equal(t, "i", open.TaskID)
				require.Equal(t, "Buy it?", open.Text)
				tr.must("answer", "i", "yes")
				tr.inbox(0)
				require.Equal(t, "completed", parse[task](t, tr.must("run", "--id", "i", "-o", "json")).Status)
			}},
			{"a batch", func(t *testing.T, tr *trade) {
				tr.write("items.jsonl", `{"k":"a","do":"finish {\"n\":1}"}`+"\n"+`{"k":"b","do":"fail no such thing"}`+"\n"+`{"k":"c","do":"wait 500ms; finish 3"}`+"\n")
				out, status := tr.run("batch", "run", "items.jsonl", "--key", "k", "--prompt", "{{.do}}", "--concurrency", "2", "--id", "b1", "-o", "json")
				require.Equal(t, 1, status)
				got := parse[batch](t, out)
				require.Equal(t, 2, got.Completed)
				require.Equal(t, 1, got.Failed)
				results := tr.results("b1")
				require.JSONEq(t, `{"n":1}`, string(results[0].Result))
				require.Contains(t, results[1].Error.Message, "no such thing")
				require.JSONEq(t, `3`, string(results[2].Result))
				out, status = tr.run("batch", "retry", "b1", "--failed", "-o", "json")
				require.Equal(t, 1, status, "it fails again: %s", out)
				require.Len(t, slices.DeleteFunc(tr.sent(), func(s string) bool { return s != "fail no such thing" }), 2)
			}},
			{"a batch with a question, and one that is cancelled", func(t *testing.T, tr *trade) {
				tr.write("ask.csv", "k\na\n")
				tr.must("batch", "run", "ask.csv", "--key", "k", "--prompt", "ask Which?; finish {{.k}}", "--id", "b2", "--detach")
				open := tr.inbox(1)[0]
				require.Equal(t, "b2.a", open.TaskID)
				require.Equal(t, 1, tr.until("b2", func(b batch) bool { return b.Waiting == 1 }).Waiting)
				tr.must("answer", "b2.a", "this")
				tr.until("b2", func(b batch) bool { return b.Status == "completed" })
				tr.write("long.csv", "k\na\nb\nc\n")
				tr.must("batch", "run", "long.csv", "--key", "k", "--prompt", "wait 1h; finish {{.k}}", "--concurrency", "2", "--id", "b3", "--detach")
				tr.until("b3", func(b batch) bool { return b.Running == 2 })
				tr.must("batch", "cancel", "b3")
				require.Equal(t, 3, tr.until("b3", func(b batch) bool { return b.Status == "cancelled" }).Cancelled)
			}},
			{"a monitor", func(t *testing.T, tr *trade) {
				p, e := newPage(t), newEars(t)
				p.serve(200, product("20.00", "InStock"))
				tr.must("monitor", "create", "teapot", "--every", "1h", "--agent", "reader", "--url", p.URL, "--watch", "price",
					"--notify", e.URL, "Report the product's name and price")
				p.serve(200, product("18.00", "InStock"))
				require.Equal(t, "changed", tr.trigger("teapot").Verdict)
				require.Len(t, e.alerts(), 1)
				tr.must("monitor", "delete", "teapot")
			}},
			{"what it can not do, refused before anything is created", func(t *testing.T, tr *trade) {
				before := len(tr.facts().Of(truth.Created))
				for flag, able := range map[string]bool{
					"--snapshot=memory": tr.Capabilities.Snapshot, "--restore-session=x": tr.Capabilities.Snapshot,
					"--title=x": tr.Takes(provider.OptionTitle), "--model=x": tr.Takes(provider.OptionModel),
					"--tag=x": tr.Takes(provider.OptionTag), "--capability=x": tr.Takes(provider.OptionCapability),
					"--branch=x": tr.Takes(provider.OptionBranch), "--auto-commit": tr.Takes(provider.OptionAutoCommit),
				} {
					if able {
						continue
					}
					p := tr.start("run", "finish 1", flag)
					require.Equal(t, 2, p.wait(), flag)
					require.Contains(t, p.errs.String(), tr.Title, flag)
				}
				require.Len(t, tr.facts().Of(truth.Created), before)
			}},
			{"an agent that is not there, in the vendor's words", func(t *testing.T, tr *trade) {
				out, status := tr.run("run", "finish 1", "--agent", "nobody", "-o", "json")
				require.Equal(t, 1, status)
				got := parse[task](t, out)
				require.Contains(t, []string{"InvalidRequest", "NotFound"}, got.Error.Type)
				require.Nil(t, got.Session)
				require.Regexp(t, "(?i)agent|model", got.Error.Message)
			}},
			{"the reaper", func(t *testing.T, tr *trade) {
				p := tr.start("sessions", "reap", "--grace", "1ms")
				if tr.Capabilities.Delete {
					require.Equal(t, 0, p.wait())
					return
				}
				require.Equal(t, 1, p.wait())
				require.Contains(t, p.errs.String(), "has no call that deletes a session")
			}},
		} {
			t.Run(errand.name, func(t *testing.T) {
				local := *tr.home
				local.t = t
				errand.try(t, &trade{home: &local, Vendor: tr.Vendor, facts: tr.facts})
			})
		}
	})
}

func TestAtEveryVendorNothingIsSentOrMadeTwiceWhenRepliesAreLost(t *testing.T) {
	long(t)
	const lost = `
[[rules]]
on = ["create"]
fault = "lost-after"
times = 1

[[rules]]
on = ["message", "answer"]
fault = "lost-after"
times = 2

[[rules]]
on = ["messages", "timeline", "get"]
fault = "500"
probability = 0.2
`
	trades(t, lost, func(t *testing.T, tr *trade) {
		got := tr.does(`think a; ask Size?; finish 7`, "--answer", "M")
		require.JSONEq(t, `7`, string(got.Result))
		require.Equal(t, []string{`think a; ask Size?; finish 7`, "M"}, tr.sent())
		created := len(tr.facts().Of(truth.Created))
		if tr.Capabilities.ClientRef {
			require.Equal(t, 1, got.SessionsCreated, "the session of the lost reply is found again")
			require.Equal(t, 1, created)
		} else {
			require.Equal(t, 2, got.SessionsCreated)
			require.Equal(t, 2, created)
		}
	})
}

func TestAtEveryVendorATaskStartsAgainWhenItsSessionDies(t *testing.T) {
	long(t)
	const dies = `
[[rules]]
on = ["messages", "timeline"]
fault = "vanish"
skip = 1
times = 1
`
	trades(t, dies, func(t *testing.T, tr *trade) {
		got := parse[task](t, tr.must("run", `wait 2s; finish 7`, "--restarts", "1", "-o", "json"))
		require.Equal(t, "completed", got.Status)
		require.JSONEq(t, `7`, string(got.Result))
		require.Equal(t, 2, got.SessionsCreated)
		require.Equal(t, []string{`wait 2s; finish 7`, `wait 2s; finish 7`}, tr.sent())
	})
}

func TestAtEveryVendorATaskGoesOnAfterKill9(t *testing.T) {
	long(t)
	for _, vendor := range provider.Vendors() {
		t.Run(vendor.Name, func(t *testing.T) {
			t.Parallel()
			tr := openTrade(t, vendor, "")
			const script = `think a; wait 3s; ask Size?; finish 7`
			run := tr.start("run", script, "--id", "k", "--answer", "M")
			require.Eventually(t, func() bool { return len(tr.sent()) == 1 }, patience, 20*time.Millisecond)
			run.kill()

			got := parse[task](t, tr.must("run", "--id", "k", "-o", "json"))

			require.Equal(t, "completed", got.Status)
			require.JSONEq(t, `7`, string(got.Result))
			require.Equal(t, []string{script, "M"}, tr.sent(), "each message once")
			require.Equal(t, 1, got.SessionsCreated)
			tr.settled(got)
		})
	}
}
