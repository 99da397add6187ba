package inbox

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/errand-dev/errand/starter"
	"github.com/errand-dev/errand/workflows"
)

const (
	// lastMessages is how much of what the agent said stands on a task's page.
	lastMessages = 8

	// messagesPatience is what reading it gets: a page is not held up by a vendor.
	messagesPatience = 2 * time.Second

	// mostName bounds the name of who answers, in characters.
	mostName = 100
)

// taskView is a task, or another workflow that asks, for its page.
type taskView struct {
	ID         string
	WorkflowID string
	Subject    string
	Asker      string
	Agent      bool              // it is an agent task: there is an agent to stop
	Task       starter.AgentTask // zero for what is no agent task
	Status     workflows.Status
	Question   *workflows.Question
	ViewURL    string
	Messages   []Message
	Moments    []starter.Moment
	Trouble    string

	Asked string // id of the question that the page shows a form for
	Form  form
	Live  livePart
}

// form is what a person has filled in so far.
type form struct {
	AnswerID string // by which a form that is sent twice is known
	Text     string
	By       string
	Error    string
	Unsent   string // what was written to a question that is not open any more
}

// Title is that of the page.
func (v taskView) Title() string { return v.ID + " · Errand" }

// Open says that the task goes on.
func (v taskView) Open() bool { return !v.Status.Closed() }

// HasResult says that the agent has finished with something.
func (v taskView) HasResult() bool {
	return len(v.Task.Result) > 0 && string(v.Task.Result) != "null"
}

// Paused says that a person has stopped it.
func (v taskView) Paused() bool { return v.Status == workflows.StatusPaused }

// Opened says that there is a question for which the page has no form yet.
func (v taskView) Opened() bool { return v.Question != nil && v.Asked == "" }

// Path is the address of what belongs to the task.
func (v taskView) Path() string { return pathOf(v.ID) }

// Settled says what became of the question that the page shows, if it is not
// open any more.
func (v taskView) Settled() string {
	if v.Asked == "" || (v.Question != nil && v.Question.ID == v.Asked) || v.Trouble != "" {
		return ""
	}
	for _, m := range slices.Backward(v.Moments) {
		if m.Kind == starter.MomentAnswer && m.ID == v.Asked {
			return "This question was answered by " + m.By + ": " + short(200, m.Text)
		}
	}
	return "This question is not open any more."
}

func (s *server) showTask(w http.ResponseWriter, r *http.Request) {
	v, err := s.load(r.Context(), r.PathValue("id"))
	if err != nil {
		s.sayFailure(w, r, err)
		return
	}
	s.sendTask(w, r, http.StatusOK, v)
}

// sendTask renders a task's page, with a form for the question that is open now.
func (s *server) sendTask(w http.ResponseWriter, r *http.Request, status int, v taskView) {
	if v.Question != nil {
		v.Asked = v.Question.ID
	}
	v.Form.AnswerID = cmp.Or(v.Form.AnswerID, uuid.NewString())
	v.Form.By = cmp.Or(v.Form.By, s.nameOf(r))
	var err error
	if v.Live, err = s.pages.live("live", v.Path()+"/live", "#asked", v); err != nil {
		s.sayFailure(w, r, err)
		return
	}
	s.pages.render(w, r, status, "task.html", v)
}

func (s *server) showLive(w http.ResponseWriter, r *http.Request) {
	v, err := s.load(r.Context(), r.PathValue("id"))
	if err != nil {
		s.sayFailure(w, r, err)
		return
	}
	v.Asked = r.URL.Query().Get("asked")
	v.Form = form{AnswerID: "", By: s.nameOf(r)}
	if v.Live, err = s.pages.live("live", v.Path()+"/live", "#asked", v); err != nil {
		s.sayFailure(w, r, err)
		return
	}
	v.Live.News = v.withAnswerID()
	s.sendNews(w, r, v.Live)
}

// withAnswerID gives the form an id, which is another each time and so no part
// of what is compared.
func (v taskView) withAnswerID() taskView {
	v.Form.AnswerID = uuid.NewString()
	return v
}

// load reads all that the page of a task shows.
func (s *server) load(ctx context.Context, id string) (taskView, error) {
	task, err := s.Tasks.AgentTask(ctx, id)
	if errors.Is(err, starter.ErrUnknownTask) {
		return s.loadOther(ctx, id)
	}
	v := taskView{
		ID: id, Agent: true, WorkflowID: task.WorkflowID, Subject: task.Prompt, Task: task,
		Status: task.Status, Question: task.Question, Trouble: task.Trouble,
	}
	if err := unlessNoWorker(err, &v.Trouble); err != nil {
		return taskView{}, err
	}
	if task.Session != nil && !task.Session.Deleted {
		v.ViewURL = task.Session.ViewURL
	}
	v.Messages = s.lastMessages(ctx, task)
	v.Moments, err = s.Tasks.Timeline(ctx, id)
	return v, err
}

// loadOther is load for a workflow that is no agent task.
func (s *server) loadOther(ctx context.Context, id string) (taskView, error) {
	w, err := s.Tasks.WhatWaits(ctx, id)
	v := taskView{
		ID: id, WorkflowID: w.WorkflowID, Subject: cmp.Or(w.Subject, w.Asker, id), Asker: w.Asker,
		Status: w.Status, Question: w.Question, ViewURL: w.ViewURL,
	}
	if err := unlessNoWorker(err, &v.Trouble); err != nil {
		return taskView{}, err
	}
	v.Moments, err = s.Tasks.Timeline(ctx, id)
	return v, err
}

func (s *server) lastMessages(ctx context.Context, task starter.AgentTask) []Message {
	if s.Messages == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, messagesPatience)
	defer cancel()
	messages, err := s.Messages.Last(ctx, task, lastMessages)
	if err != nil {
		s.Logger.Debug("messages not read", "task", task.ID, "error", err)
	}
	return messages
}

// nameCookie keeps the name under which a person answered last.
const nameCookie = "errand_name"

// nameOf is the name under which a person answers unless another is given.
func (s *server) nameOf(r *http.Request) string {
	if c, err := r.Cookie(nameCookie); err == nil {
		if name, err := url.QueryUnescape(c.Value); err == nil && checkName(name) == "" {
			return name
		}
	}
	return s.Name
}

// checkName says what is wrong with a name, if anything is.
func checkName(name string) string {
	switch {
	case strings.TrimSpace(name) == "":
		return "Say who answers."
	case utf8.RuneCountInString(name) > mostName || !utf8.ValidString(name):
		return "The name is too long."
	}
	return ""
}

func (s *server) postAnswer(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	if err := r.ParseForm(); err != nil {
		s.sayError(w, r, http.StatusBadRequest, "This cannot be read", "An answer has at most 10,000 characters.")
		return
	}
	filled := form{
		AnswerID: r.PostFormValue("answer_id"),
		Text:     strings.ReplaceAll(r.PostFormValue("text"), "\r\n", "\n"), // as browsers send lines
		By:       strings.TrimSpace(r.PostFormValue("by")),
	}
	asked := r.PostFormValue("question_id")
	if filled.Error = checkName(filled.By); filled.Error != "" {
		s.sendForm(w, r, http.StatusUnprocessableEntity, filled)
		return
	}
	s.setCookie(w, r, nameCookie, url.QueryEscape(filled.By), 365*24*time.Hour)
	accepted, err := s.Tasks.Answer(r.Context(), id, workflows.AnswerInput{
		QuestionID: asked, Text: filled.Text, By: filled.By, ID: filled.AnswerID,
	})
	if err != nil {
		filled.Error = sentence(err)
		s.sendForm(w, r, statusOf(err), filled)
		return
	}
	http.Redirect(w, r, "/?"+url.Values{"answered": {accepted.QuestionID + " of " + id}}.Encode(), http.StatusSeeOther)
}

// sendForm shows the page again with what the person has written, and why it was
// not taken.
func (s *server) sendForm(w http.ResponseWriter, r *http.Request, status int, filled form) {
	v, err := s.load(r.Context(), r.PathValue("id"))
	if err != nil {
		s.sayFailure(w, r, err)
		return
	}
	if v.Question == nil || v.Question.ID != r.PostFormValue("question_id") {
		filled.Unsent, filled.Text, filled.AnswerID = filled.Text, "", "" // it is not for what is asked now
	}
	v.Form = filled
	s.sendTask(w, r, status, v)
}

// command is something that a person may do with a task besides answering.
type command func(ctx context.Context, id string) (workflows.Status, error)

func (s *server) pause(ctx context.Context, id string) (workflows.Status, error) {
	return s.Tasks.Pause(ctx, id)
}

func (s *server) resume(ctx context.Context, id string) (workflows.Status, error) {
	return s.Tasks.Resume(ctx, id)
}

// cancel does not wait until the task has ended.
func (s *server) cancel(ctx context.Context, id string) (workflows.Status, error) {
	return "cancelling", s.Tasks.Cancel(ctx, id)
}

func (s *server) postCommand(do command) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		id := r.PathValue("id")
		if _, err := do(r.Context(), id); err != nil {
			s.sayFailure(w, r, err)
			return
		}
		http.Redirect(w, r, pathOf(id), http.StatusSeeOther)
	}
}
