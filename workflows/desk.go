package workflows

import (
	"errors"
	"fmt"
)

// desk is where answers are checked: against the question that is open, and
// against those that were answered before.
type desk struct {
	open    *Question
	answers []Answer
}

// check refuses an answer that does not fit, and says why.
func (d desk) check(in AnswerInput) error {
	if err := in.Validate(); err != nil {
		return err
	}
	if _, had := d.had(in); had {
		return nil
	}
	q := d.open
	if q != nil && (in.QuestionID == "" || in.QuestionID == q.ID) {
		if q.Kind == QuestionDelivery && in.Text != DeliverySent && in.Text != DeliveryResend {
			return fmt.Errorf("question %s takes the answer %q or %q", q.ID, DeliverySent, DeliveryResend)
		}
		return nil
	}
	for _, a := range d.answers {
		if a.QuestionID == in.QuestionID {
			return fmt.Errorf("question %s was already answered by %s", a.QuestionID, a.By)
		}
	}
	switch {
	case q != nil:
		return fmt.Errorf("question %s is not open, %s is: %s", in.QuestionID, q.ID, q.Text)
	case len(d.answers) > 0 && in.QuestionID == "":
		last := d.answers[len(d.answers)-1]
		return fmt.Errorf("no question is open; the last one, %s, was answered by %s", last.QuestionID, last.By)
	case in.QuestionID == "":
		return errors.New("no question is open")
	default:
		return fmt.Errorf("question %s is not open", in.QuestionID)
	}
}

// had finds an answer that its sender sends again.
func (d desk) had(in AnswerInput) (Answer, bool) {
	for _, a := range d.answers {
		if in.ID != "" && a.ID == in.ID && (in.QuestionID == "" || in.QuestionID == a.QuestionID) {
			return a, true
		}
	}
	return Answer{}, false
}

// bySomeone names a sender who gave no name.
func bySomeone(in AnswerInput) AnswerInput {
	if in.By == "" {
		in.By = "someone"
	}
	return in
}
