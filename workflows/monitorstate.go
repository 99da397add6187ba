package workflows

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"go.temporal.io/sdk/log"

	"github.com/errand-dev/errand/watch"
)

// MonitorState is all that a monitor remembers. A tick returns it, and the next
// one begins with it; a tick that was terminated returned none, so the next
// begins with that of the tick before.
type MonitorState struct {
	Memory   watch.Memory `json:"memory"`             // of the last good value
	GoodAt   *time.Time   `json:"good_at,omitempty"`  // when that was
	Snapshot string       `json:"snapshot,omitempty"` // session of the last good tick, to restore from
	Restored string       `json:"restored,omitempty"` // environment of that, which a session has that begins with it
	Stuck    int          `json:"stuck,omitempty"`    // ticks in a row that got no session with that
	Failures int          `json:"failures,omitempty"` // ticks in a row without a good value
	Failing  bool         `json:"failing,omitempty"`  // an alert has told so

	Alerts      int        `json:"alerts,omitempty"`      // there were so many, or one less that nobody knows of
	Undelivered []Delivery `json:"undelivered,omitempty"` // alerts that the next tick tries again to deliver
	Lost        []Delivery `json:"lost,omitempty"`        // those that were given up, the latest

	Count int    `json:"count"` // ticks so far
	Ticks Series `json:"ticks"` // the latest
}

// Verdicts of ticks, beside those of [watch.Verdict].
const (
	VerdictFailed    watch.Verdict = "failed"    // the errand failed
	VerdictCancelled watch.Verdict = "cancelled" // somebody ended it: counts neither way
)

// Tick is the record of one tick.
type Tick struct {
	At      time.Time       `json:"at"`              // when it was due
	Value   json.RawMessage `json:"value,omitempty"` // as in [watch.Memory], cut when long
	Verdict watch.Verdict   `json:"verdict"`
	Reason  string          `json:"reason,omitempty"` // why there is no good value
	Alerted []AlertKind     `json:"alerted,omitempty"`
	Note    string          `json:"note,omitempty"`    // such as why it started cold
	TaskID  string          `json:"task_id,omitempty"` // empty: MonitorTaskID of At
}

// AlertKind is what an alert is about.
type AlertKind string

// The kinds of alerts.
const (
	AlertChange    AlertKind = "change"    // the condition has come to hold
	AlertFailing   AlertKind = "failing"   // FailuresBeforeAlert ticks in a row had no good value
	AlertRecovered AlertKind = "recovered" // there is one again
)

// Alert is what the targets of a monitor are told. Its JSON is a contract.
type Alert struct {
	ID      string          `json:"id"` // the same whenever it is sent again
	Monitor string          `json:"monitor"`
	Kind    AlertKind       `json:"kind"`
	Field   string          `json:"field"`
	When    watch.When      `json:"when"`
	Old     json.RawMessage `json:"old"` // the last good value before
	New     json.RawMessage `json:"new"` // null where there is none
	Reason  string          `json:"reason,omitempty"`
	At      time.Time       `json:"at"` // of the tick
	TaskID  string          `json:"task_id"`
	URL     string          `json:"url"` // that the errand begins with
}

// Delivery is an alert on its way to one target.
type Delivery struct {
	Target string `json:"target"`
	Alert  Alert  `json:"alert"`
	Error  string `json:"error,omitempty"` // of the latest try
}

// Bounds of what a monitor remembers: it travels from tick to tick.
const (
	mostTicks       = 1000
	mostTickBytes   = 32 << 10 // of JSON, of all ticks
	mostTickValue   = 200      // bytes of JSON
	mostReason      = 200      // characters
	mostUndelivered = 64 << 10 // bytes of JSON, of all alerts
	mostLost        = 10
)

// tick is one run of a monitor.
type tick struct {
	in  MonitorInput
	s   MonitorState
	at  time.Time
	log log.Logger
}

// conclude takes what came of the errand into the state.
func (t *tick) conclude(o outcome, j watch.Judgement) {
	record := Tick{At: t.at, Verdict: j.Verdict, Reason: cutText(j.Reason, mostReason), Note: cutText(o.note, mostReason), Value: brief(j.Value)}
	if o.taskID != MonitorTaskID(t.in.Name, t.at) {
		record.TaskID = o.taskID
	}
	if o.stuck {
		t.s.Stuck++
	} else {
		t.s.Stuck = 0
	}
	alert := func(kind AlertKind, value json.RawMessage) {
		t.alert(kind, value, j.Reason, o.taskID)
		record.Alerted = append(record.Alerted, kind)
	}
	switch j.Verdict {
	case VerdictCancelled:
	case VerdictFailed, watch.Bad:
		t.s.Failures++
		if t.s.Failures >= FailuresBeforeAlert && !t.s.Failing {
			t.s.Failing = true
			alert(AlertFailing, nil)
		}
	default:
		if t.s.Failing {
			alert(AlertRecovered, j.Value)
		}
		if j.Alert {
			alert(AlertChange, j.Value)
		}
		at := t.at
		t.s.Memory, t.s.GoodAt, t.s.Failures, t.s.Failing = j.Memory, &at, 0, false
		if o.snapshot != "" {
			t.s.Snapshot, t.s.Restored = o.snapshot, o.environment
		}
	}
	t.s.Count++
	t.s.Ticks = append(t.s.Ticks, record).bounded()
}

// alert puts an alert on its way to each target.
func (t *tick) alert(kind AlertKind, value json.RawMessage, reason, taskID string) {
	t.s.Alerts++
	a := Alert{
		Monitor: t.in.Name, Kind: kind, Field: t.in.Watch.Field, When: t.in.Watch.When,
		Old: orNull(t.s.Memory.Value), New: orNull(value), Reason: cutText(reason, mostReason),
		At: t.at, TaskID: taskID, URL: t.in.Task.StartURL,
	}
	a.ID = alertID(t.in.UID, t.s.Alerts, a)
	for _, target := range t.in.Notify {
		t.s.Undelivered = append(t.s.Undelivered, Delivery{Target: target, Alert: a})
	}
}

// alertID is the same for the same news: a tick that was ended after it had
// told, and whose state is lost, does not make the next one tell it anew.
func alertID(uid string, number int, a Alert) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%d\n%s\n%s\n%s", uid, number, a.Kind, a.Old, a.New))
	return "alert_" + hex.EncodeToString(sum[:12])
}

// brief is a value that is short enough for the record of ticks.
func brief(value json.RawMessage) json.RawMessage {
	if len(value) <= mostTickValue {
		return value
	}
	text, err := json.Marshal(cutText(string(value), mostTickValue/4))
	if err != nil { // a text always can be
		return nil
	}
	return text
}

func orNull(value json.RawMessage) json.RawMessage {
	if value == nil {
		return json.RawMessage("null")
	}
	return value
}

func cutText(s string, n int) string {
	runes := []rune(s)
	if len(runes) <= n {
		return s
	}
	return string(runes[:n-1]) + "…"
}
