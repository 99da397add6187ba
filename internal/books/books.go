// Package books checks, when all has come to rest, whether a run of agent
// tasks kept Errand's promises: no session is left behind, no message is sent
// twice, nothing is completed that is not done. It compares what the tasks say
// of themselves with the truth log of the session server, which knows better.
package books

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/errand-dev/errand/sessionserver/truth"
	"github.com/errand-dev/errand/starter"
	"github.com/errand-dev/errand/workflows"
)

// Run is what is known of a run. Its tasks have unique texts: prompts, answers
// and follow-ups of one are not those of another.
type Run struct {
	Log   *truth.Log
	Tasks []starter.AgentTask
	// Scripts say how tasks must end, by task id. A task without one may end
	// as it likes, if it keeps the promises.
	Scripts map[string]Script
	// Reaped are the ids of the sessions that the reaper says to have deleted;
	// nil if that is not known.
	Reaped []string
	// Faults are the kinds that must have fired for the run to mean anything.
	Faults []string
}

// Script is what a task was made for.
type Script struct {
	Status workflows.Status
	Result json.RawMessage // nil: any
	Error  string          // type of the task's error; empty: any
	// FollowUps are the task's, for accounts that were read from JSON and do
	// not have them.
	FollowUps []string
}

// Promise is what a violation breaks.
type Promise string

// The promises.
const (
	NoneLeft       Promise = "I1" // each session was deleted, and it is known why
	OneSpoken      Promise = "I2" // of the sessions made for a task one at most got a message
	SentOnce       Promise = "I3" // each message reached the agent exactly once
	AnsweredOnce   Promise = "I4" // each answer reached the question that it is for, once
	NotTooEarly    Promise = "I5" // no session is deleted before its task has ended
	DoneAsSaid     Promise = "I6" // what is completed was done, with that result
	AllEnded       Promise = "I7" // each task has ended
	AsScripted     Promise = "outcome"
	HonestAccount  Promise = "account" // what a task says of its session is so
	SomethingToSee Promise = "happened"
)

// promises are all of them, with what finds their violations.
var promises = []struct {
	name  Promise
	check func(*run, report)
}{
	{NoneLeft, noneLeft},
	{OneSpoken, oneSpoken},
	{SentOnce, sentOnce},
	{AnsweredOnce, answeredOnce},
	{NotTooEarly, notTooEarly},
	{DoneAsSaid, doneAsSaid},
	{AllEnded, allEnded},
	{AsScripted, asScripted},
	{HonestAccount, honestAccount},
	{SomethingToSee, somethingToSee},
}

// report takes a violation, in words.
type report func(format string, args ...any)

// Violation is a promise that was not kept.
type Violation struct {
	Promise Promise
	Text    string
}

func (v Violation) String() string { return string(v.Promise) + ": " + v.Text }

// Fate is what became of a session.
type Fate string

// The fates of sessions.
const (
	Open     Fate = "open"
	ByTask   Fate = "deleted by their task"
	Reaped   Fate = "reaped"
	ByOthers Fate = "deleted by others" // orphans that the reaper does not name
	Vanished Fate = "vanished"          // by a fault
	Aged     Fate = "aged"              // the server ended them
)

// Books are the counts of a run.
type Books struct {
	Tasks    map[workflows.Status]int
	Sessions map[Fate]int
	Orphans  int // sessions of no task, see Run.Check

	Messages, Questions, Results int

	Faults map[string]int // fired, by kind
	Starts int            // of the session server
}

// String is the books for people.
func (b Books) String() string {
	return fmt.Sprintf("tasks: %s\nsessions: %s; orphans among them: %d\nmessages: %d, questions: %d, results: %d\n"+
		"faults: %s\nstarts of the session server: %d\n",
		tally(b.Tasks), tally(b.Sessions), b.Orphans, b.Messages, b.Questions, b.Results, tally(b.Faults), b.Starts)
}

func tally[K ~string](counts map[K]int) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%d %s", counts[name], name))
	}
	return cmp.Or(strings.Join(parts, ", "), "none")
}

// Check gives the books of a run and all its violations. A session belongs to
// the task whose account names it or whose prompt it got; all others are
// orphans, such as a create leaves whose answer was lost.
func (r Run) Check() (Books, []Violation) {
	run := relate(r)
	var violations []Violation
	for _, p := range promises {
		p.check(run, func(format string, args ...any) {
			violations = append(violations, Violation{p.name, fmt.Sprintf(format, args...)})
		})
	}
	return run.books(), violations
}

// ReadTasks reads accounts as `errand show -o json` prints them, one after the
// other.
func ReadTasks(r io.Reader) ([]starter.AgentTask, error) {
	var tasks []starter.AgentTask
	for d := json.NewDecoder(r); ; {
		var t starter.AgentTask
		switch err := d.Decode(&t); {
		case errors.Is(err, io.EOF):
			return tasks, nil
		case err != nil:
			return nil, fmt.Errorf("account of task %d: %w", len(tasks)+1, err)
		}
		tasks = append(tasks, t)
	}
}
