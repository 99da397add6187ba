package workflows

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/errand-dev/errand/provider"
)

// book is what happened in a story, in order. The vendor writes down what it
// was called for and what that did; the player, what people asked for and were
// told.
type book struct {
	sync.Mutex
	facts []fact
}

type fact struct {
	at   time.Time
	what any
}

func (b *book) add(at time.Time, what any) {
	b.Lock()
	defer b.Unlock()
	b.facts = append(b.facts, fact{at, what})
}

// The facts of the task's calls. What the workflow tries itself first, and puts
// off then, is called once more.
type (
	called struct {
		Name  string // of the activity
		First bool   // a local activity
		In    any
	}
	putOff struct {
		Name string
	}
	replied struct {
		Name string
		Out  any
		Err  error `json:"-"`
	}
)

// The facts at the vendor.
type (
	made     struct{ Session string }
	received struct{ Session, Text string }
	halted   struct{ Session string } // paused; empty: no one is any more
	deleted  struct {
		Session string
		Kept    provider.SnapshotMode
		Default bool
	}
)

// The facts of people. What came as a signal has no reply.
type (
	asked struct {
		Number int
		Act    act
		Answer AnswerInput
	}
	told struct {
		Number int
		Out    any
		Err    error `json:"-"`
	}
	observed struct {
		State  AgentTaskState
		Listed Status // by which lists find it
	}
)

// The facts of runs.
type (
	wentOn struct{} // in a new run
	ended  struct {
		Account AgentTaskResult
		Err     error `json:"-"`
	}
)

// tell tells the story up to the fact with that index.
func (b *book) tell(last int) string {
	var s strings.Builder
	for i, f := range b.facts[:last+1] {
		raw, err := json.Marshal(f.what)
		if err != nil {
			raw = []byte(err.Error())
		}
		name := strings.TrimPrefix(fmt.Sprintf("%T", f.what), "workflows.")
		fmt.Fprintf(&s, "%3d %11s %-8s %s", i, f.at.Sub(storyBegins), name, raw)
		if err := failureIn(f.what); err != nil {
			fmt.Fprintf(&s, " %s", err)
		}
		s.WriteString("\n")
	}
	return s.String()
}

func failureIn(what any) error {
	switch f := what.(type) {
	case replied:
		return f.Err
	case told:
		return f.Err
	case ended:
		return f.Err
	}
	return nil
}
