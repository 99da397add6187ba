package workflows

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"
)

// inquest is a workflow in the test environment that knows Ask.
func inquest(t *testing.T) *story {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(quiet{})
	s := &story{TestWorkflowEnvironment: suite.NewTestWorkflowEnvironment(), t: t}
	s.SetTestTimeout(patience)
	s.RegisterWorkflow(Ask)
	return s
}

func (s *story) inquiry() Inquiry {
	s.t.Helper()
	value, err := s.QueryWorkflow(QueryInquiry)
	require.NoError(s.t, err)
	var i Inquiry
	require.NoError(s.t, value.Get(&i))
	return i
}

func (s *story) answer() (Answer, error) {
	s.t.Helper()
	require.True(s.t, s.IsWorkflowCompleted())
	if err := s.GetWorkflowError(); err != nil {
		return Answer{}, err
	}
	var a Answer
	require.NoError(s.t, s.GetWorkflowResult(&a))
	return a, nil
}

func TestAnAgentTaskSaysWhatItAsks(t *testing.T) {
	s := newStory(t)
	s.turn(time.Minute, question("3", "Which size?"), nil)
	s.turn(time.Minute, finished("7", `1`), nil)
	var before, asking, paused, after Inquiry
	s.at(time.Second, func() { before = s.inquiry() })
	s.at(time.Hour, func() { asking = s.inquiry(); s.update(UpdatePause) })
	s.at(2*time.Hour, func() { paused = s.inquiry(); s.update(UpdateAnswer, AnswerInput{Text: "M"}) })
	s.at(3*time.Hour, func() { after = s.inquiry(); s.update(UpdateResume) })

	_, err := s.run(task())

	require.NoError(t, err)
	require.Nil(t, before.Question)
	require.Equal(t, "Report the price", asking.Subject)
	require.Equal(t, "https://vendor.example/s-1", asking.ViewURL)
	require.Equal(t, "Which size?", asking.Question.Text)
	require.Equal(t, StatusWaiting, asking.Status)
	require.Equal(t, StatusPaused, paused.Status)
	require.Equal(t, "q-1", paused.Question.ID, "a paused task's question can be answered")
	require.Nil(t, after.Question)
}

func TestAQuestionRefusesWhatDoesNotFitAndReturnsTheFirstAnswerThatDoes(t *testing.T) {
	s := inquest(t)
	var asked Inquiry
	var replies []*reply
	s.at(72*time.Hour, func() {
		asked = s.inquiry()
		id := asked.Question.ID
		replies = append(replies,
			s.update(UpdateAnswer, AnswerInput{QuestionID: "q-x", Text: "yes"}),
			s.update(UpdateAnswer, AnswerInput{QuestionID: id, Text: " "}),
			s.update(UpdateAnswer, AnswerInput{QuestionID: id, Text: "yes", By: "ada", ID: "a"}))
	})
	s.ExecuteWorkflow(Ask, AskInput{Text: "Ship it?", Subject: "order 42"})

	got, err := s.answer()
	require.NoError(t, err)
	require.Equal(t, StatusWaiting, asked.Status)
	require.Equal(t, "order 42", asked.Subject)
	require.Equal(t, "Ship it?", asked.Question.Text)
	require.Nil(t, asked.Question.Deadline)
	replies[0].requireRefused(t, "q-x is not open")
	replies[1].requireRefused(t, "the answer is empty")
	replies[2].requireTaken(t)
	require.Equal(t, "yes", got.Text)
	require.Equal(t, "ada", got.By)
	require.Equal(t, asked.Question.AskedAt.Add(72*time.Hour), got.At)
}

func TestAQuestionTakesASignalToo(t *testing.T) {
	s := inquest(t)
	s.at(time.Hour, func() {
		s.SignalWorkflow(SignalAnswer, AnswerInput{QuestionID: "q-x", Text: "stale"})
		s.SignalWorkflow(SignalAnswer, AnswerInput{Text: "yes", By: "ada"})
		s.SignalWorkflow(SignalAnswer, AnswerInput{Text: "no", By: "bob"})
	})
	s.ExecuteWorkflow(Ask, AskInput{Text: "Ship it?"})

	got, err := s.answer()
	require.NoError(t, err)
	require.Equal(t, "yes", got.Text)
	require.Equal(t, "ada", got.By)
}

func TestNobodyAnswersAQuestion(t *testing.T) {
	t.Run("and the default answer is taken", func(t *testing.T) {
		s := inquest(t)
		s.ExecuteWorkflow(Ask, AskInput{Text: "Ship it?", Timeout: 3 * time.Hour, DefaultAnswer: "no"})
		got, err := s.answer()
		require.NoError(t, err)
		require.Equal(t, "no", got.Text)
		require.Equal(t, ByDefault, got.By)
	})
	t.Run("and it fails", func(t *testing.T) {
		s := inquest(t)
		s.ExecuteWorkflow(Ask, AskInput{Text: "Ship it?", Timeout: 3 * time.Hour})
		_, err := s.answer()
		requireType(t, err, ErrTypeQuestionTimeout)
		require.ErrorContains(t, err, "within 3h0m0s: Ship it?")
	})
}

func TestAnAnswerAtTheDeadlineOfAQuestionIsTakenOnce(t *testing.T) {
	for _, by := range []string{"update", "signal"} {
		s := inquest(t)
		var late *reply
		s.at(3*time.Hour, func() {
			in := AnswerInput{Text: "yes", By: "ada"}
			if by == "signal" {
				s.SignalWorkflow(SignalAnswer, in)
				return
			}
			late = s.update(UpdateAnswer, in)
		})
		s.ExecuteWorkflow(Ask, AskInput{Text: "Ship it?", Timeout: 3 * time.Hour, DefaultAnswer: "no"})
		got, err := s.answer()
		require.NoError(t, err)
		if late != nil && late.done && late.err == nil {
			require.Equal(t, "yes", got.Text, "who was told that the answer is taken may rely on it")
		}
		require.Contains(t, map[string]string{ByDefault: "no", "ada": "yes"}, got.By)
		require.Equal(t, map[string]string{ByDefault: "no", "ada": "yes"}[got.By], got.Text)
	}
}

func TestACancelledQuestionIsTakenBack(t *testing.T) {
	s := inquest(t)
	s.at(time.Hour, s.CancelWorkflow)
	s.ExecuteWorkflow(Ask, AskInput{Text: "Ship it?"})
	_, err := s.answer()
	require.True(t, temporal.IsCanceledError(err), "%v", err)
}

func TestAQuestionKeepsItsIDAndDeadlineInASecondRun(t *testing.T) {
	first := inquest(t)
	first.at(time.Hour, func() {
		first.SetContinueAsNewSuggested(true)
		first.SignalWorkflow(SignalAnswer, AnswerInput{QuestionID: "q-x", Text: "stale"})
	})
	first.ExecuteWorkflow(Ask, AskInput{Text: "Ship it?", Timeout: 24 * time.Hour, DefaultAnswer: "no"})
	var next *workflow.ContinueAsNewError
	require.ErrorAs(t, first.GetWorkflowError(), &next)
	var carried AskInput
	require.NoError(t, converter.GetDefaultDataConverter().FromPayloads(next.Input, &carried))

	second := inquest(t)
	second.SetStartTime(carried.Carried.Question.AskedAt.Add(2 * time.Hour))
	var asked Inquiry
	second.at(time.Hour, func() { asked = second.inquiry() })
	second.ExecuteWorkflow(Ask, carried)
	got, err := second.answer()
	require.NoError(t, err)
	require.Equal(t, carried.Carried.Question.ID, asked.Question.ID)
	require.Equal(t, ByDefault, got.By)
	require.WithinDuration(t, carried.Carried.Question.AskedAt.Add(24*time.Hour), got.At, time.Second)
}

// deployment asks as workflows of other people do.
func deployment(ctx workflow.Context) ([]string, error) {
	var said []string
	for _, text := range []string{"Deploy?", "Sure?"} { // one after the other, under one id
		a, err := AskHuman(ctx, AskInput{Text: text})
		if err != nil {
			return nil, err
		}
		said = append(said, a.Text)
	}
	both := make([]string, 2) // and two at once
	wg := workflow.NewWaitGroup(ctx)
	for i, id := range []string{"east", "west"} {
		wg.Add(1)
		workflow.Go(ctx, func(ctx workflow.Context) {
			defer wg.Done()
			a, err := AskHuman(ctx, AskInput{ID: id, Text: "Region " + id + "?", Timeout: time.Hour, DefaultAnswer: "skip"})
			both[i] = a.Text
			if err != nil {
				both[i] = err.Error()
			}
		})
	}
	wg.Wait(ctx)
	return append(said, both...), nil
}

func TestAWorkflowAsksOneQuestionAfterTheOtherAndSeveralAtOnce(t *testing.T) {
	s := inquest(t)
	s.RegisterWorkflow(deployment)
	asker := "default-test-workflow-id"
	answer := func(id, text string) {
		require.NoError(t, s.SignalWorkflowByID(id, SignalAnswer, AnswerInput{Text: text}))
	}
	s.at(time.Minute, func() { answer(AskWorkflowID(asker, ""), "yes") })
	s.at(2*time.Minute, func() { answer(AskWorkflowID(asker, ""), "quite") })
	s.at(3*time.Minute, func() { answer(AskWorkflowID(asker, "west"), "go") })
	s.ExecuteWorkflow(deployment)

	require.NoError(t, s.GetWorkflowError())
	var said []string
	require.NoError(t, s.GetWorkflowResult(&said))
	require.Equal(t, []string{"yes", "quite", "skip", "go"}, said)
}

func TestWhatAskHumanReturnsKeepsItsType(t *testing.T) {
	for name, c := range map[string]struct {
		in        AskInput
		errorType string
	}{
		"nobody answers": {AskInput{Text: "Deploy?", Timeout: time.Hour}, ErrTypeQuestionTimeout},
		"a bad question": {AskInput{Text: " "}, ErrTypeInvalidInput},
	} {
		t.Run(name, func(t *testing.T) {
			s := inquest(t)
			s.ExecuteWorkflow(func(ctx workflow.Context) error {
				_, err := AskHuman(ctx, c.in)
				return err
			})
			requireType(t, s.GetWorkflowError(), c.errorType)
		})
	}
	t.Run("cancelled", func(t *testing.T) {
		s := inquest(t)
		s.at(time.Minute, s.CancelWorkflow)
		s.ExecuteWorkflow(func(ctx workflow.Context) error {
			_, err := AskHuman(ctx, AskInput{Text: "Deploy?"})
			return err
		})
		require.True(t, temporal.IsCanceledError(s.GetWorkflowError()), "%v", s.GetWorkflowError())
	})
}

func TestAQuestionThatMakesNoSenseIsRefused(t *testing.T) {
	good := AskInput{ID: "a 1", Text: "Deploy?", Subject: "v2", Timeout: time.Hour, DefaultAnswer: "no"}
	require.NoError(t, good.Validate())
	for want, change := range map[string]func(*AskInput){
		"the question is empty":         func(in *AskInput) { in.Text = "" },
		"question id":                   func(in *AskInput) { in.ID = "'" },
		"the subject is empty":          func(in *AskInput) { in.Subject = " " },
		"the timeout is negative":       func(in *AskInput) { in.Timeout = -1 },
		"a default answer needs a":      func(in *AskInput) { in.Timeout = 0 },
		"the default answer has 10001 ": func(in *AskInput) { in.DefaultAnswer = strings.Repeat("x", MaxText+1) },
	} {
		in := good
		change(&in)
		require.ErrorContains(t, in.Validate(), want)
	}
}
