package workflows

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"github.com/errand-dev/errand/provider"
)

// plan is one story before it is played: the task, the vendor's moods and what
// people do. Whatever a plan does not say goes well.
type plan struct {
	Task   AgentTaskInput
	Vendor vendorPlan
	People []visit
}

// vendorPlan is how the vendor and its agent behave. Each list is used up one
// call, message or delay after the other.
type vendorPlan struct {
	CanPause, CanDelete bool
	HasRefs             bool // a session whose create had no reply is found again

	Agent   []move
	Delays  []time.Duration // over and over
	Sends   []sendFate
	Creates []callFate
	Keeps   []callFate // deletes with a snapshot
	Deletes []callFate
	Pauses  []callFate
	Resumes []callFate
	Stops   []callFate
}

// move is what the agent does with a message that finds it idle.
type move struct {
	After time.Duration
	Does  deed
	Text  string // of a question or an error
}

type deed string

const (
	finishes deed = "finishes"
	asks     deed = "asks"
	errs     deed = "says an error"
	stalls   deed = "stalls"
	dies     deed = "dies" // its session does
)

// callFate is what becomes of one try of a call.
type callFate string

const (
	well    callFate = "well"
	away    callFate = "away"    // no effect, to be tried again
	lost    callFate = "lost"    // its effect is there, its reply is not
	refused callFate = "refused" // for good
)

// sendFate is what becomes of one try to send a message.
type sendFate string

const (
	arrives   sendFate = "arrives"
	busy      sendFate = "busy"                   // no effect, to be tried again
	replyLost sendFate = "arrives without reply"  // found by the next try
	dropped   sendFate = "dropped without reply"  // missed by the next try
	doubted   sendFate = "arrives, nobody knows"  // the session does not tell
	vanishes  sendFate = "dropped, nobody knows"  // nor does it here
	forbidden sendFate = "refused"                // for good
	handedOn  sendFate = "arrives, worker leaves" // and another worker goes on
)

// visit is what happens at one moment, one thing right after the other.
type visit struct {
	After time.Duration // the visit before
	Acts  []act
}

type act struct {
	Does   actKind
	Text   string
	Signal bool // not an update
	ID     bool // an answer with an id of its sender's
}

type actKind string

const (
	answers      actKind = "answer"
	answersAny   actKind = "answer without a question id"
	answersStale actKind = "answer the question before"
	answersWrong actKind = "answer a question that never was"
	answersTwice actKind = "send the last answer again"
	pauses       actKind = "pause"
	resumes      actKind = "resume"
	cancels      actKind = "cancel"
	grows        actKind = "history grows long"
	expires      actKind = "session expires"
)

// GoString is how a failed test shows its plan.
func (p plan) GoString() string {
	var s strings.Builder
	fmt.Fprintf(&s, "\ntask   %+v\nvendor %+v\n", p.Task, p.Vendor)
	for _, v := range p.People {
		fmt.Fprintf(&s, "after %s: %+v\n", v.After, v.Acts)
	}
	return s.String()
}

// Few different texts, so that messages repeat, and few different times, so
// that things meet.
var (
	words  = rapid.SampledFrom([]string{"M", "red"})
	speech = rapid.SampledFrom([]string{"Size?", "Colour?"})
	works  = rapid.SampledFrom([]time.Duration{moment, 5 * moment, 10 * time.Minute, time.Hour})
	breaks = rapid.SampledFrom([]time.Duration{moment, 2 * moment, 5 * moment, 10 * time.Minute, 5 * time.Hour})
	delays = rapid.SampledFrom([]time.Duration{moment, 2 * moment, 5 * moment})
)

func plans() *rapid.Generator[plan] {
	return rapid.Custom(func(t *rapid.T) plan {
		return plan{
			Task:   tasks().Draw(t, "task"),
			Vendor: vendorPlans().Draw(t, "vendor"),
			People: rapid.SliceOfN(visits(), 0, 12).Draw(t, "people"),
		}
	})
}

func tasks() *rapid.Generator[AgentTaskInput] {
	return rapid.Custom(func(t *rapid.T) AgentTaskInput {
		in := task()
		in.FollowUps = rapid.SliceOfN(words, 0, 2).Draw(t, "follow-ups")
		in.Answers = rapid.SliceOfN(words, 0, 2).Draw(t, "answers")
		in.DefaultAnswer = rapid.SampledFrom([]string{"", "", "fine"}).Draw(t, "default answer")
		in.QuestionTimeout = oneOf(t, "question timeout", 0, time.Hour+aBitMore, 20*time.Hour+aBitMore)
		in.Timeout = oneOf(t, "timeout", 0, 0, 2*time.Hour+aBit, 30*time.Hour+aBit)
		in.TurnTimeout = oneOf(t, "turn timeout", 0, 0, 30*time.Minute)
		in.MaxRestarts = oneOf(t, "restarts", 0, 1, 2, 2)
		in.OnAmbiguousSend = oneOf(t, "on ambiguous send", "", AmbiguousSendAsk, AmbiguousSendResend, AmbiguousSendResend, AmbiguousSendFail)
		in.RestoreSession = oneOf(t, "restore", "", "s-before")
		in.Snapshot.Mode = oneOf(t, "snapshot", "", provider.SnapshotNone, provider.SnapshotMemory, provider.SnapshotFilesystem)
		in.Snapshot.SaveAsDefault = in.Snapshot.wanted() && rapid.Bool().Draw(t, "as default")
		return in
	})
}

func vendorPlans() *rapid.Generator[vendorPlan] {
	calls := mostly(well, away, away, away, lost, lost, lost, refused)
	sends := mostly(arrives, busy, replyLost, replyLost, dropped, doubted, vanishes, forbidden, handedOn)
	return rapid.Custom(func(t *rapid.T) vendorPlan {
		return vendorPlan{
			CanPause:  oneOf(t, "can pause", true, true, false),
			CanDelete: oneOf(t, "can delete", true, true, true, false),
			HasRefs:   rapid.Bool().Draw(t, "has refs"),
			Agent:     rapid.SliceOfN(moves(), 0, 7).Draw(t, "agent"),
			Delays:    rapid.SliceOfN(delays, 1, 4).Draw(t, "delays"),
			Sends:     rapid.SliceOfN(oneOf(t, "doubt", sends, sends, sends, sends, rapid.Just(doubted)), 0, 6).Draw(t, "sends"),
			Creates:   rapid.SliceOfN(calls, 0, 3).Draw(t, "creates"),
			Keeps:     rapid.SliceOfN(calls, 0, 3).Draw(t, "keeps"),
			Deletes:   rapid.SliceOfN(calls, 0, 3).Draw(t, "deletes"),
			Pauses:    rapid.SliceOfN(calls, 0, 3).Draw(t, "pauses"),
			Resumes:   rapid.SliceOfN(calls, 0, 3).Draw(t, "resumes"),
			Stops:     rapid.SliceOfN(calls, 0, 3).Draw(t, "stops"),
		}
	})
}

func moves() *rapid.Generator[move] {
	return rapid.Custom(func(t *rapid.T) move {
		m := move{After: works.Draw(t, "after"), Does: oneOf(t, "does", finishes, finishes, asks, asks, asks, asks, asks, asks, errs, stalls, dies, dies)}
		if m.Does == asks {
			m.Text = speech.Draw(t, "text")
		}
		return m
	})
}

func visits() *rapid.Generator[visit] {
	return rapid.Custom(func(t *rapid.T) visit {
		v := visit{After: breaks.Draw(t, "after"), Acts: rapid.SliceOfN(actions(), 1, 3).Draw(t, "acts")}
		// What an act has begun in this instant has or has not yet begun for the
		// next, which matters to these two.
		slices.SortStableFunc(v.Acts, func(a, b act) int { return order(b) - order(a) })
		return v
	})
}

func order(a act) int {
	if a.Does == expires || a.Does == cancels {
		return 1
	}
	return 0
}

func actions() *rapid.Generator[act] {
	return rapid.Custom(func(t *rapid.T) act {
		a := act{Does: oneOf(t, "does",
			answers, answers, answers, answers, answers, answersAny, answersStale, answersWrong, answersTwice,
			pauses, pauses, pauses, pauses, resumes, resumes, resumes, grows, grows, grows, expires, cancels)}
		switch a.Does {
		case answers, answersAny, answersStale, answersWrong:
			a.Text = oneOf(t, "text", "M", "red", DeliverySent, DeliveryResend, " ")
			a.Signal, a.ID = rapid.Bool().Draw(t, "signal"), rapid.Bool().Draw(t, "id")
		case answersTwice, pauses, resumes:
			a.Signal = rapid.Bool().Draw(t, "signal")
		}
		return a
	})
}

func oneOf[T any](t *rapid.T, label string, values ...T) T {
	return rapid.SampledFrom(values).Draw(t, label)
}

// mostly is the first value three times out of four.
func mostly[T any](first T, others ...T) *rapid.Generator[T] {
	usual := rapid.Just(first)
	return rapid.OneOf(usual, usual, usual, rapid.SampledFrom(others))
}
