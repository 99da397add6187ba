package inbox

import (
	"cmp"
	"context"
	"encoding/json"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/errand-dev/errand/starter"
	"github.com/errand-dev/errand/workflows"
)

const token = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

// fakeTasks is one task, tee, that asks as question says.
type fakeTasks struct {
	id       string // of another task than tee
	question *workflows.Question
	moments  []starter.Moment
	answers  []workflows.AnswerInput
	commands []string
	fail     error
	next     string
	paused   starter.WaitingPage
	count    int64
	asked    []starter.Page
}

func (f *fakeTasks) waiting() starter.Waiting {
	return starter.Waiting{
		ID: cmp.Or(f.id, "tee"), WorkflowID: "agent-task-tee", Type: workflows.AgentTaskType,
		Status: workflows.StatusWaiting, Subject: "Buy a shirt", Question: f.question,
	}
}

func (f *fakeTasks) Waiting(_ context.Context, p starter.Page) (starter.WaitingPage, error) {
	f.asked = append(f.asked, p)
	if p.Status == workflows.StatusPaused {
		return f.paused, f.fail
	}
	page := starter.WaitingPage{Items: []starter.Waiting{}, Next: f.next}
	if f.question != nil {
		page.Items = append(page.Items, f.waiting())
	}
	return page, f.fail
}

func (f *fakeTasks) CountWaiting(context.Context) (int64, error) { return f.count, f.fail }

func (f *fakeTasks) WhatWaits(_ context.Context, id string) (starter.Waiting, error) {
	return starter.Waiting{}, starter.ErrUnknownTask
}

func (f *fakeTasks) AgentTask(_ context.Context, id string) (starter.AgentTask, error) {
	if id != cmp.Or(f.id, "tee") {
		return starter.AgentTask{}, starter.ErrUnknownTask
	}
	return starter.AgentTask{
		ID: id, Prompt: "Buy a shirt", Status: workflows.StatusWaiting, Question: f.question,
		Session: &workflows.Session{ID: "s-1", ViewURL: "javascript:alert(1)", Remains: true},
	}, f.fail
}

func (f *fakeTasks) Timeline(context.Context, string) ([]starter.Moment, error) {
	return f.moments, f.fail
}

func (f *fakeTasks) Answer(_ context.Context, id string, in workflows.AnswerInput) (workflows.Answer, error) {
	if f.fail == nil {
		f.answers = append(f.answers, in)
	}
	return workflows.Answer{QuestionID: in.QuestionID, Text: in.Text, By: in.By}, f.fail
}

func (f *fakeTasks) Pause(_ context.Context, id string) (workflows.Status, error) {
	f.commands = append(f.commands, "pause "+id)
	return workflows.StatusPaused, f.fail
}

func (f *fakeTasks) Resume(_ context.Context, id string) (workflows.Status, error) {
	f.commands = append(f.commands, "resume "+id)
	return workflows.StatusWaiting, f.fail
}

func (f *fakeTasks) Cancel(_ context.Context, id string) error {
	f.commands = append(f.commands, "cancel "+id)
	return f.fail
}

// person is a browser, logged in or not.
type person struct {
	t       *testing.T
	tasks   *fakeTasks
	site    string
	client  *http.Client
	headers map[string]string
}

func stranger(t *testing.T) *person {
	t.Helper()
	tasks := &fakeTasks{question: &workflows.Question{ID: "q-1", Text: "Which <b>size</b>?", AskedAt: time.Now().Add(-90 * time.Minute)}}
	site := httptest.NewServer(New(Options{Tasks: tasks, Token: token, Name: "ada"}))
	t.Cleanup(site.Close)
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	return &person{t: t, tasks: tasks, site: site.URL, client: &http.Client{Jar: jar}, headers: map[string]string{}}
}

func member(t *testing.T) *person {
	t.Helper()
	p := stranger(t)
	status, _ := p.get("/login?token=" + token)
	require.Equal(t, http.StatusOK, status)
	return p
}

// reply is what the inbox answered.
type reply struct {
	status  int
	header  http.Header
	cookies []*http.Cookie
	body    string
}

func (p *person) do(method, path, contentType, body string) reply {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), method, p.site+path, strings.NewReader(body))
	require.NoError(p.t, err)
	r.Header.Set("Content-Type", contentType)
	for k, v := range p.headers {
		r.Header.Set(k, v)
	}
	response, err := p.client.Do(r)
	require.NoError(p.t, err)
	defer func() { _ = response.Body.Close() }()
	b, err := io.ReadAll(response.Body)
	require.NoError(p.t, err)
	return reply{response.StatusCode, response.Header, response.Cookies(), string(b)}
}

func (p *person) get(path string) (int, string) {
	p.t.Helper()
	r := p.do(http.MethodGet, path, "", "")
	return r.status, r.body
}

func (p *person) post(path string, fields url.Values) (int, string) {
	p.t.Helper()
	r := p.do(http.MethodPost, path, "application/x-www-form-urlencoded", fields.Encode())
	return r.status, r.body
}

func answerForm(text, by string) url.Values {
	return url.Values{"question_id": {"q-1"}, "answer_id": {"a-1"}, "text": {text}, "by": {by}}
}

func TestNobodyComesInWithoutTheLink(t *testing.T) {
	for name, prepare := range map[string]func(*person){
		"without a cookie": func(*person) {},
		"with a wrong token": func(p *person) {
			status, _ := p.get("/login?token=" + strings.Repeat("A", len(token)))
			require.Equal(p.t, http.StatusUnauthorized, status)
		},
		"with a wrong bearer": func(p *person) { p.headers["Authorization"] = "Bearer nonsense" },
		"with the token as a cookie": func(p *person) {
			p.headers["Cookie"] = newLogin(token).name + "=" + token
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := stranger(t)
			prepare(p)
			var said []string
			for _, path := range []string{"/", "/waiting", "/tasks/tee", "/tasks/nobody", "/tasks/tee/live", "/nothing"} {
				status, body := p.get(path)
				require.Equal(t, http.StatusUnauthorized, status, path)
				said = append(said, body)
			}
			for _, body := range said {
				require.Equal(t, said[0], body, "a refusal tells nothing, not even what exists")
				require.Contains(t, body, "errand web")
			}
			status, body := p.get("/api/waiting")
			require.Equal(t, http.StatusUnauthorized, status)
			require.Contains(t, body, `"error"`)
			status, _ = p.post("/tasks/tee/answer", answerForm("M", "eve"))
			require.Equal(t, http.StatusUnauthorized, status)
			require.Empty(t, p.tasks.answers)
			require.Empty(t, p.tasks.asked)
		})
	}
	t.Run("where there is no link", func(t *testing.T) {
		site := httptest.NewServer(New(Options{Tasks: &fakeTasks{}}))
		defer site.Close()
		for _, path := range []string{"/login?token=", "/login"} {
			response, err := http.Get(site.URL + path)
			require.NoError(t, err)
			require.NoError(t, response.Body.Close())
			require.Equal(t, http.StatusUnauthorized, response.StatusCode)
		}
	})
}

func TestTheLinkLogsInAndLeadsToAnAddressWithoutTheToken(t *testing.T) {
	p := stranger(t)
	p.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	response := p.do(http.MethodGet, "/login?token="+token, "", "")
	require.Equal(t, http.StatusSeeOther, response.status)
	require.Equal(t, "/", response.header.Get("Location"))
	c := response.cookies[0]
	require.True(t, c.HttpOnly)
	require.Equal(t, http.SameSiteStrictMode, c.SameSite)
	require.False(t, c.Secure, "this is plain HTTP")
	require.NotContains(t, c.Value, token)

	p.headers["X-Forwarded-Proto"] = "https"
	response = p.do(http.MethodGet, "/login?token="+token, "", "")
	require.True(t, response.cookies[0].Secure)

	p.headers["Sec-Fetch-Site"] = "cross-site" // the link was followed from a chat
	response = p.do(http.MethodGet, "/login?token="+token, "", "")
	require.Equal(t, http.StatusOK, response.status, "a redirect would come without the strict cookie")
	require.Contains(t, response.body, `content="0;url=/"`)
}

func TestEveryAnswerHasTheHeadersThatKeepOthersOut(t *testing.T) {
	p := member(t)
	for _, path := range []string{"/", "/tasks/tee", "/api/waiting", "/login", "/nothing"} {
		response := p.do(http.MethodGet, path, "", "")
		h, body := response.header, response.body
		require.Equal(t, policy, h.Get("Content-Security-Policy"), path)
		require.Equal(t, "no-store", h.Get("Cache-Control"))
		require.Equal(t, "nosniff", h.Get("X-Content-Type-Options"))
		require.Equal(t, "DENY", h.Get("X-Frame-Options"))
		require.Equal(t, "same-origin", h.Get("Referrer-Policy"))
		require.NotContains(t, body, "<style")
		require.NotContains(t, body, "style=")
		require.NotRegexp(t, `<script[^>]*>[^<]`, body)
		require.NotRegexp(t, `\son[a-z]+=`, body)
	}
	require.NotContains(t, policy, "unsafe")
}

func TestWhatAgentsWriteIsTextAndNothingElse(t *testing.T) {
	p := member(t)
	p.tasks.moments = []starter.Moment{{Kind: starter.MomentQuestion, Text: `<img src=x onerror=alert(1)>`}}
	for _, path := range []string{"/", "/tasks/tee"} {
		_, body := p.get(path)
		require.Contains(t, body, "Which &lt;b&gt;size&lt;/b&gt;?", path)
		require.NotContains(t, body, "<img")
		require.NotContains(t, body, "javascript:")
	}
}

func TestAPageSaysThatTheSessionOfATaskRemains(t *testing.T) {
	_, body := member(t).get("/tasks/tee")
	require.Contains(t, body, "its session remains at the vendor, which deletes none")
}

func TestAnAnswerIsTakenOnceAndTheNameRemembered(t *testing.T) {
	p := member(t)
	_, page := p.get("/tasks/tee")
	require.Contains(t, page, `name="by" value="ada"`, "the user of this machine, until told otherwise")

	status, body := p.post("/tasks/tee/answer", answerForm("two\r\nlines", "Grace H."))

	require.Equal(t, http.StatusOK, status)
	require.Contains(t, body, "Answered: q-1 of tee")
	require.Equal(t, []workflows.AnswerInput{{QuestionID: "q-1", Text: "two\nlines", By: "Grace H.", ID: "a-1"}}, p.tasks.answers)
	_, page = p.get("/tasks/tee")
	require.Contains(t, page, `name="by" value="Grace H."`)
}

func TestAnAnswerThatIsNotTakenIsNotLost(t *testing.T) {
	t.Run("because somebody was quicker", func(t *testing.T) {
		p := member(t)
		p.tasks.question = nil
		p.tasks.fail = nil
		refusing := &refusingTasks{fakeTasks: p.tasks}
		site := httptest.NewServer(New(Options{Tasks: refusing, Token: token}))
		defer site.Close()
		p.site = site.URL
		p.get("/login?token=" + token)
		status, body := p.post("/tasks/tee/answer", answerForm("a long thought", "ada"))
		require.Equal(t, http.StatusConflict, status)
		require.Contains(t, body, "Question q-1 was already answered by bob.")
		require.Contains(t, body, `<pre class="unsent">a long thought</pre>`)
	})
	t.Run("because nobody signs it", func(t *testing.T) {
		p := member(t)
		status, body := p.post("/tasks/tee/answer", answerForm("a long thought", " "))
		require.Equal(t, http.StatusUnprocessableEntity, status)
		require.Contains(t, body, "Say who answers.")
		require.Contains(t, body, ">a long thought</textarea>")
		require.Empty(t, p.tasks.answers)
	})
	t.Run("because it is longer than anything", func(t *testing.T) {
		p := member(t)
		status, _ := p.post("/tasks/tee/answer", answerForm(strings.Repeat("x", mostBody), "ada"))
		require.Equal(t, http.StatusBadRequest, status)
		require.Empty(t, p.tasks.answers)
	})
}

type refusingTasks struct{ *fakeTasks }

func (refusingTasks) Answer(context.Context, string, workflows.AnswerInput) (workflows.Answer, error) {
	return workflows.Answer{}, &starter.RefusedError{Reason: "question q-1 was already answered by bob"}
}

func TestFormsOfOtherSitesAreRefused(t *testing.T) {
	for name, headers := range map[string]map[string]string{
		"as browsers say it":       {"Sec-Fetch-Site": "cross-site"},
		"as older ones say it":     {"Origin": "https://evil.example"},
		"from a port of this host": {"Sec-Fetch-Site": "same-site"},
	} {
		t.Run(name, func(t *testing.T) {
			p := member(t)
			p.headers = headers
			for _, path := range []string{"/tasks/tee/answer", "/tasks/tee/cancel", "/api/tasks/tee/pause"} {
				status, _ := p.post(path, answerForm("M", "eve"))
				require.Equal(t, http.StatusForbidden, status)
			}
			require.Empty(t, p.tasks.answers)
			require.Empty(t, p.tasks.commands)
		})
	}
}

func TestCommandsDoWhatTheySay(t *testing.T) {
	p := member(t)
	for _, command := range []string{"pause", "resume", "cancel"} {
		status, _ := p.post("/tasks/tee/"+command, nil)
		require.Equal(t, http.StatusOK, status)
		status, body := p.post("/api/tasks/tee/"+command, nil)
		require.Equal(t, http.StatusOK, status)
		require.Contains(t, body, `"status"`)
	}
	require.Equal(t, []string{"pause tee", "pause tee", "resume tee", "resume tee", "cancel tee", "cancel tee"}, p.tasks.commands)
	status, _ := p.get("/tasks/tee/cancel")
	require.Equal(t, http.StatusNotFound, status, "a link changes nothing")
}

func TestNothingIsSentWhereThereIsNothingNew(t *testing.T) {
	p := member(t)
	_, page := p.get("/")
	sum := between(t, page, `id="waiting-seen" value="`, `"`)
	status, _ := p.get("/waiting?seen=" + sum)
	require.Equal(t, http.StatusNoContent, status)

	p.tasks.question = nil
	status, body := p.get("/waiting?seen=" + sum)
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, body, "<title>Nothing waits for you · Errand</title>")
	require.Contains(t, body, `hx-swap-oob="innerHTML">Nothing waits for you</p>`)
}

func TestATaskPageHearsOfANewQuestionAndOfAnAnswerButKeepsTheForm(t *testing.T) {
	p := member(t)
	_, page := p.get("/tasks/tee")
	sum := between(t, page, `id="live-seen" value="`, `"`)
	status, _ := p.get("/tasks/tee/live?asked=q-1&seen=" + sum)
	require.Equal(t, http.StatusNoContent, status)

	_, body := p.get("/tasks/tee/live?asked=&seen=")
	require.Contains(t, body, `<section id="ask" hx-swap-oob="outerHTML"`, "there was no form yet")
	require.Contains(t, body, "Your answer")

	p.tasks.question = nil
	p.tasks.moments = []starter.Moment{{Kind: starter.MomentAnswer, ID: "q-1", By: "bob", Text: "L"}}
	_, body = p.get("/tasks/tee/live?asked=q-1&seen=" + sum)
	require.Contains(t, body, "This question was answered by bob: L")
	require.NotContains(t, body, "<textarea", "what a person types stays as it is")
}

func TestAnIDMayHoldAnyCharacter(t *testing.T) {
	p := member(t)
	p.tasks.id = "a/b c?&'é"
	_, body := p.get("/")
	path := html.UnescapeString(between(t, body, `class="card-link" href="`, `"`))
	status, body := p.get(path)
	require.Equal(t, http.StatusOK, status, path)
	action := html.UnescapeString(between(t, body, `<form method="post" action="`, `"`))
	status, _ = p.post(action, answerForm("M", "ada"))
	require.Equal(t, http.StatusOK, status, action)
	require.Len(t, p.tasks.answers, 1)
}

func TestAQuestionThatHasTwoAnswersShowsThem(t *testing.T) {
	p := member(t)
	p.tasks.question.Kind = workflows.QuestionDelivery
	_, page := p.get("/tasks/tee")
	require.Contains(t, page, `<button name="text" value="sent">`)
	require.Contains(t, page, `<button name="text" value="resend">`)
	require.NotContains(t, page, "<textarea")
	require.Regexp(t, `<button disabled hidden></button>\s+<label`, page, "Enter in a field chooses no answer")
}

func TestWhatIsPausedStandsBehindWhatAsks(t *testing.T) {
	p := member(t)
	p.tasks.paused = starter.WaitingPage{Next: "more", Items: []starter.Waiting{
		{ID: "slow", WorkflowID: "agent-task-slow", Type: workflows.AgentTaskType, Status: workflows.StatusPaused, Subject: "Sell a shirt"},
	}}
	_, body := p.get("/")
	require.Less(t, strings.Index(body, "Buy a shirt"), strings.Index(body, "Sell a shirt"))
	require.Contains(t, body, "2 wait for you")
	require.Contains(t, body, "errand list --status paused")
	_, body = p.get("/?after=abc")
	require.NotContains(t, body, "Sell a shirt")
}

func TestPagesGoOn(t *testing.T) {
	p := member(t)
	p.tasks.next, p.tasks.count = "abc", 10_000
	_, body := p.get("/")
	require.Contains(t, body, "10,000 wait for you")
	require.Contains(t, body, `href="/?after=abc"`)
	p.get("/?after=abc")
	require.Equal(t, "abc", p.tasks.asked[len(p.tasks.asked)-1].After)
}

func TestTheAPIOfTheInbox(t *testing.T) {
	p := stranger(t)
	p.headers["Authorization"] = "Bearer " + token
	status, body := p.get("/api/waiting?size=10")
	require.Equal(t, http.StatusOK, status)
	var page starter.WaitingPage
	require.NoError(t, json.Unmarshal([]byte(body), &page))
	require.Equal(t, "tee", page.Items[0].ID)
	require.Equal(t, 10, p.tasks.asked[0].Size)

	response := p.do(http.MethodPost, "/api/tasks/tee/answer", "application/json", `{"question_id":"q-1","text":"M","by":"bot","id":"7"}`)
	require.Equal(t, http.StatusOK, response.status)
	require.Contains(t, response.body, `"by":"bot"`)
	require.Equal(t, "7", p.tasks.answers[0].ID)

	for path, want := range map[string]int{
		"/api/tasks/nobody": http.StatusNotFound, "/api/waiting?size=0": http.StatusUnprocessableEntity,
		"/api/nothing": http.StatusNotFound, "/api/tasks/tee": http.StatusOK,
		"/api/tasks/tee/timeline": http.StatusOK, "/api/tasks/tee/messages": http.StatusOK,
	} {
		status, body := p.get(path)
		require.Equal(t, want, status, path)
		require.True(t, json.Valid([]byte(body)), "%s: %s", path, body)
	}
	response = p.do(http.MethodPost, "/api/tasks/tee/answer", "application/json", `{"answer":"M"}`)
	require.Equal(t, http.StatusUnprocessableEntity, response.status)
	require.Contains(t, response.body, "unknown field")
	for err, want := range map[error]int{
		&starter.RefusedError{Reason: "no"}: http.StatusConflict, &starter.NoWorkerError{Queue: "errand"}: http.StatusServiceUnavailable,
		&starter.InvalidInputError{Err: io.EOF}: http.StatusUnprocessableEntity, io.EOF: http.StatusBadGateway,
	} {
		p.tasks.fail = err
		response := p.do(http.MethodPost, "/api/tasks/tee/answer", "application/json", `{"text":"M"}`)
		require.Equal(t, want, response.status)
	}
}

func TestTheTokenIsKeptAndOnlyForItsUser(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data", "inbox-token")
	first, err := LoadToken(path)
	require.NoError(t, err)
	require.Len(t, first, tokenLength)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	again, err := LoadToken(path)
	require.NoError(t, err)
	require.Equal(t, first, again)
	left, err := filepath.Glob(filepath.Join(filepath.Dir(path), ".token-*"))
	require.NoError(t, err)
	require.Empty(t, left)

	require.NoError(t, os.WriteFile(path, []byte("short"), 0o600))
	_, err = LoadToken(path)
	require.ErrorContains(t, err, "holds no token")
}

func between(t *testing.T, s, before, after string) string {
	t.Helper()
	_, s, ok := strings.Cut(s, before)
	require.True(t, ok, "no %s", before)
	s, _, _ = strings.Cut(s, after)
	return s
}
