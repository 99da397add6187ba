package inbox

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/errand-dev/errand/starter"
	"github.com/errand-dev/errand/workflows"
)

func writeJSON(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		status, b = http.StatusInternalServerError, []byte(`{"error":"the answer cannot be written as JSON"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n')) // nobody to tell if the caller is gone
}

// reply answers a program with what it asked for, or with why not.
func (s *server) reply(w http.ResponseWriter, v any, err error) {
	if err != nil {
		writeJSON(w, statusOf(err), map[string]string{"error": err.Error()})
		return
	}
	writeJSON(w, http.StatusOK, v)
}

// apiWaiting answers with a WaitingPage.
func (s *server) apiWaiting(w http.ResponseWriter, r *http.Request) {
	p := starter.Page{Status: workflows.Status(r.URL.Query().Get("status")), After: r.URL.Query().Get("after")}
	if size := r.URL.Query().Get("size"); size != "" {
		var err error
		if p.Size, err = strconv.Atoi(size); err != nil || p.Size < 1 || p.Size > starter.MaxPageSize {
			writeJSON(w, http.StatusUnprocessableEntity, map[string]string{"error": "size is a number from 1 to " + strconv.Itoa(starter.MaxPageSize)})
			return
		}
	}
	page, err := s.Tasks.Waiting(r.Context(), p)
	s.reply(w, page, err)
}

// apiTask answers with an AgentTask, or with a Waiting for what is none.
func (s *server) apiTask(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	task, err := s.Tasks.AgentTask(r.Context(), id)
	if !errors.Is(err, starter.ErrUnknownTask) {
		s.reply(w, task, err)
		return
	}
	waiting, err := s.Tasks.WhatWaits(r.Context(), id)
	s.reply(w, waiting, err)
}

func (s *server) apiTimeline(w http.ResponseWriter, r *http.Request) {
	moments, err := s.Tasks.Timeline(r.Context(), r.PathValue("id"))
	s.reply(w, moments, err)
}

// apiMessages answers with what the session said last.
func (s *server) apiMessages(w http.ResponseWriter, r *http.Request) {
	task, err := s.Tasks.AgentTask(r.Context(), r.PathValue("id"))
	messages := []Message{}
	if err == nil {
		messages = append(messages, s.lastMessages(r.Context(), task)...)
	}
	s.reply(w, messages, err)
}

// apiAnswer takes an AnswerInput and answers with the Answer that was accepted.
func (s *server) apiAnswer(w http.ResponseWriter, r *http.Request) {
	var in workflows.AnswerInput
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		writeJSON(w, http.StatusUnprocessableEntity, map[string]string{
			"error": `an answer is {"question_id","text","by","id"}: ` + strings.TrimPrefix(err.Error(), "json: "),
		})
		return
	}
	if in.By == "" {
		in.By = s.Name
	}
	if wrong := checkName(in.By); wrong != "" {
		writeJSON(w, http.StatusUnprocessableEntity, map[string]string{"error": "by: " + wrong})
		return
	}
	accepted, err := s.Tasks.Answer(r.Context(), r.PathValue("id"), in)
	s.reply(w, accepted, err)
}

// apiCommand answers with the status that the task has then.
func (s *server) apiCommand(do command) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		status, err := do(r.Context(), r.PathValue("id"))
		s.reply(w, map[string]any{"id": r.PathValue("id"), "status": status}, err)
	}
}
