package workflows

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// peopleView is what the reference knows of the task's questions, and of what
// people asked of it.
type peopleView struct {
	question  *Question // that is open
	questions int
	answers   []Answer
	scripted  int        // answers of the input that were used
	memory    []exchange // what people answered in sessions that are gone
	fresh     []exchange // and in this one

	open        map[int]request
	quiet       bool // the task has said that it is paused, and nobody has asked to go on
	resumes     int  // that were asked for
	resumed     time.Time
	commanding  bool      // the vendor is being asked to pause or resume
	commanded   time.Time // when that was last done
	halted      string    // session whose agent the vendor has paused; empty: none
	agentHalted time.Time // when it said so last
}

// request is what someone waits for the outcome of.
type request struct {
	asked
	at      time.Time
	resumes int // that were asked for before
}

func (r *reference) ask(kind QuestionKind, text string) {
	r.questions++
	r.question = &Question{ID: fmt.Sprintf("q-%d", r.questions), Kind: kind, Text: text}
	if r.Task.QuestionTimeout > 0 {
		deadline := r.now.Add(r.Task.QuestionTimeout)
		r.question.Deadline = &deadline
	}
}

// answerFromInput gives the answer for which nobody has to be asked.
func (r *reference) answerFromInput() {
	for i, e := range r.memory {
		if e.Question == r.question.Text {
			r.memory = slices.Delete(slices.Clone(r.memory), i, i+1)
			r.answer(AnswerInput{Text: e.Answer, By: e.By})
			return
		}
	}
	switch {
	case r.scripted < len(r.Task.Answers):
		r.scripted++
		r.answer(AnswerInput{Text: r.Task.Answers[r.scripted-1], By: ByScript})
	case r.Task.DefaultAnswer != "" && r.Task.QuestionTimeout == 0:
		r.answer(AnswerInput{Text: r.Task.DefaultAnswer, By: ByDefault})
	}
}

func (r *reference) answer(in AnswerInput) Answer {
	q := *r.question
	r.question = nil
	a := Answer{QuestionID: q.ID, Text: in.Text, By: in.By, At: r.now, ID: in.ID}
	r.answers = append(r.answers, a)
	switch {
	case q.Kind == QuestionAgent:
		r.write(in.Text, "")
		r.next.replyTo = r.replyTo
		if in.By != ByScript && in.By != ByDefault && len(r.restarts) < r.Task.MaxRestarts {
			r.fresh = append(r.fresh, exchange{q.Text, in.Text, in.By})
		}
	case in.Text == DeliverySent:
		r.next.settled = true
	default:
		r.next.allowed++
	}
	return a
}

// judge is what the sender of an answer is to hear: the answer that counts, or
// words about why this one does not.
func (r *reference) judge(in AnswerInput) (Answer, string) {
	if strings.TrimSpace(in.Text) == "" {
		return Answer{}, "the answer is empty"
	}
	for _, a := range r.answers {
		if in.ID != "" && in.ID == a.ID && (in.QuestionID == "" || in.QuestionID == a.QuestionID) {
			return a, ""
		}
	}
	if q := r.question; q != nil && (in.QuestionID == "" || in.QuestionID == q.ID) {
		if q.Kind == QuestionDelivery && in.Text != DeliverySent && in.Text != DeliveryResend {
			return Answer{}, "takes the answer"
		}
		return r.answer(in), ""
	}
	for _, a := range r.answers {
		if a.QuestionID == in.QuestionID {
			return Answer{}, "already answered by " + a.By
		}
	}
	return Answer{}, "open"
}

func sameAnswer(a, b Answer) bool {
	return a.QuestionID == b.QuestionID && a.Text == b.Text && a.By == b.By && a.ID == b.ID && a.At.Equal(b.At)
}

func (r *reference) askedFor(a asked) {
	switch a.Act.Does {
	case grows:
		r.long = true
		return
	case cancels:
		r.cancel()
		return
	case pauses:
	case resumes:
		r.quiet, r.resumed = false, r.now
		r.resumes++
	default:
		if a.Act.Signal {
			r.judge(a.Answer)
		}
	}
	if !a.Act.Signal {
		r.open[a.Number] = request{a, r.now, r.resumes}
	}
}

func (r *reference) cancel() {
	switch {
	case r.over:
	case !r.done.IsZero() && r.resumed.Equal(r.now) && r.halted == "": // the task waited for this resume alone
		r.over = true
	default:
		r.end(ErrTypeCancelled, "")
	}
}

func (r *reference) told(t told) {
	a := r.open[t.Number]
	delete(r.open, t.Number)
	switch a.Act.Does {
	case pauses:
		r.quiet = t.Err == nil && t.Out == StatusPaused && a.resumes == r.resumes && !r.resuming()
		r.must(!r.quiet || !r.turnOpen || !r.agentHalted.Equal(r.now) || r.halted == r.session, "the task is paused, and its agent works on")
	case resumes:
	default:
		first, refusal := r.judge(a.Answer)
		if refusal != "" {
			r.must(t.Err != nil && strings.Contains(t.Err.Error(), refusal), "%+v is to be refused (%s), and is told %v", a.Answer, refusal, t.Err)
			return
		}
		r.must(t.Err == nil, "%+v is refused: %v", a.Answer, t.Err)
		r.must(sameAnswer(t.Out.(Answer), first), "%+v is told %+v, not %+v", a.Answer, t.Out, first)
	}
}

// resuming reports whether someone waits for a resume: it may come after a
// pause that was asked for later.
func (r *reference) resuming() bool {
	for _, a := range r.open {
		if a.Act.Does == resumes {
			return true
		}
	}
	return false
}
