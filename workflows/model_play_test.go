package workflows

import (
	"errors"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"pgregory.net/rapid"
)

// storyBegins is when every story does.
var storyBegins = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

const (
	tendEvery = 6 * time.Hour // how often someone looks after a task once the plan is over
	mostTends = 40            // after which it should have ended
	mostRuns  = 100
)

// player plays a plan, run after run, and writes the book.
type player struct {
	*testsuite.TestWorkflowEnvironment // of the run under way

	t      *rapid.T
	book   *book
	diary  *diary
	vendor *modelVendor

	visits    []visit   // to come
	due       time.Time // when the next is
	acts      []act     // to come in the visit under way
	commanded bool      // a pause or a resume may be under way
	asks      int
	last      AnswerInput // that someone gave
	tends     int
	listed    Status // that lists show
}

func play(t *rapid.T, p plan) *book {
	b, d := &book{}, &diary{taken: map[time.Time]bool{}}
	s := &player{
		t: t, book: b, diary: d, vendor: newModelVendor(p.Vendor, b, d),
		visits: p.People, due: storyBegins, listed: StatusRunning,
	}
	in, now := p.Task, storyBegins
	for range mostRuns {
		s.open(now)
		s.ExecuteWorkflow(AgentTask, in)
		now = s.Now()
		var next *workflow.ContinueAsNewError
		if err := s.GetWorkflowError(); !errors.As(err, &next) {
			account, err := accountOf(t, s.TestWorkflowEnvironment)
			b.add(now, ended{account, err})
			return b
		}
		b.add(now, wentOn{})
		in = nextRun(t, s.GetWorkflowError())
	}
	t.Fatalf("the task is still not at its end after %d runs", mostRuns)
	return nil
}

// open begins a run. It goes on with the visits where the run before ended.
func (p *player) open(now time.Time) {
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(quiet{})
	p.TestWorkflowEnvironment = suite.NewTestWorkflowEnvironment()
	p.SetStartTime(now)
	p.SetTestTimeout(time.Minute)
	p.SetWorkerOptions(worker.Options{
		DeadlockDetectionTimeout: time.Minute,
		Interceptors:             []interceptor.WorkerInterceptor{&calls{begin: p.vendor.call}},
	})
	p.RegisterWorkflow(AgentTask)
	p.OnUpsertTypedSearchAttributes(mock.Anything).Maybe().Run(func(args mock.Arguments) {
		if status, ok := args.Get(0).(temporal.SearchAttributes).GetKeyword(AttributeStatus); ok {
			p.listed = Status(status)
		}
	}).Return(nil)
	p.vendor.serve(p.TestWorkflowEnvironment)
	switch {
	case len(p.acts) > 0:
		p.RegisterDelayedCallback(p.begin, p.diary.wait(byPeople, now, 0))
	case p.due.After(now):
		p.RegisterDelayedCallback(p.visit, p.due.Sub(now))
	default:
		p.nextVisit()
	}
}

// nextVisit says when someone comes next.
func (p *player) nextVisit() {
	after := tendEvery
	if len(p.visits) > 0 {
		after = p.visits[0].After
	}
	wait := p.diary.wait(byPeople, p.Now(), after)
	p.due = p.Now().Add(wait)
	p.RegisterDelayedCallback(p.visit, wait)
}

// visit has someone look at the task and do what the plan says, or, when the
// plan is over, what the task waits for.
func (p *player) visit() {
	state := p.observe()
	p.commanded = p.vendor.commanding
	if len(p.visits) > 0 {
		p.acts, p.visits = p.visits[0].Acts, p.visits[1:]
	} else {
		p.acts = p.tend(state)
	}
	p.begin()
}

// begin has the acts of a visit done after the workflow task that a timer brings with it: a
// run that ends in that task would not see them.
func (p *player) begin() { p.RegisterDelayedCallback(p.act, 0) }

// tend is what gets a task on that waits for people.
func (p *player) tend(state AgentTaskState) []act {
	p.tends++
	switch {
	case state.Status == StatusPaused:
		return []act{{Does: resumes}}
	case state.Question == nil:
		return nil
	case state.Question.Kind == QuestionDelivery:
		return []act{{Does: answers, Text: DeliverySent}}
	default:
		return []act{{Does: answers, Text: "enough"}}
	}
}

// act does one thing and then, in the same instant, the next. What a run does
// not live to see is for the next.
func (p *player) act() {
	if len(p.acts) == 0 {
		if p.tends < mostTends {
			p.nextVisit()
		}
		return
	}
	a := p.acts[0]
	p.acts = p.acts[1:]
	switch a.Does {
	case grows:
		p.ask(asked{Act: a})
		p.SetContinueAsNewSuggested(true)
	case expires:
		p.vendor.expire()
	case cancels:
		p.ask(asked{Act: a})
		p.CancelWorkflow()
	case pauses:
		p.command(a, UpdatePause)
	case resumes:
		p.command(a, UpdateResume)
	default:
		p.answer(a)
	}
	p.begin()
}

// ask notes what someone asks for, under a number.
func (p *player) ask(what asked) int {
	p.asks++
	what.Number = p.asks
	p.book.add(p.Now(), what)
	return what.Number
}

// command pauses or resumes. A signal, and what comes as a signal after it,
// waits until those before it are done with; nobody but the task knows when.
func (p *player) command(a act, name string) {
	a.Signal = a.Signal && !p.commanded
	p.commanded = true
	number := p.ask(asked{Act: a})
	if a.Signal {
		p.SignalWorkflow(name, nil)
		return
	}
	p.UpdateWorkflow(name, "", &ear{p, number})
}

func (p *player) answer(a act) {
	in := p.answerInput(a)
	a.Signal = a.Signal && !p.commanded
	number := p.ask(asked{Act: a, Answer: in})
	switch {
	case !a.Signal:
		p.UpdateWorkflow(UpdateAnswer, "", &ear{p, number}, in)
	case p.wakesLater():
		p.SignalWorkflowSkippingWorkflowTask(SignalAnswer, in)
	default:
		p.SignalWorkflow(SignalAnswer, in)
	}
}

// wakesLater says that the workflow task of the next act finds a signal too. An
// update or a cancel would be seen before the signal.
func (p *player) wakesLater() bool {
	for _, a := range p.acts {
		if a.Does != grows && a.Does != expires {
			return a.Signal
		}
	}
	return false
}

func (p *player) answerInput(a act) AnswerInput {
	if a.Does == answersTwice && p.last.ID != "" {
		return p.last
	}
	state := p.state()
	in := AnswerInput{Text: a.Text, By: []string{"ada", "bob"}[p.asks%2]}
	if a.ID {
		in.ID = "id-" + in.By + a.Text
	}
	seen := state.Answers
	switch {
	case a.Does == answersWrong:
		in.QuestionID = "q-99"
	case a.Does == answersAny:
	case a.Does != answersStale && state.Question != nil:
		in.QuestionID = state.Question.ID
	case len(seen) > 0:
		in.QuestionID = seen[len(seen)-1].QuestionID
	}
	p.last = in
	return in
}

func (p *player) state() AgentTaskState {
	value, err := p.QueryWorkflow(QueryState)
	require.NoError(p.t, err)
	var state AgentTaskState
	require.NoError(p.t, value.Get(&state))
	return state
}

func (p *player) observe() AgentTaskState {
	state := p.state()
	p.book.add(p.Now(), observed{state, p.listed})
	return state
}

// ear hears what an update is told.
type ear struct {
	p      *player
	number int
}

func (e *ear) Accept()                   {}
func (e *ear) Reject(err error)          { e.Complete(nil, err) }
func (e *ear) Complete(v any, err error) { e.p.book.add(e.p.Now(), told{e.number, v, err}) }
