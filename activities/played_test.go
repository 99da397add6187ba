package activities

import (
	"cmp"
	"context"
	"encoding/json"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/worker"

	"github.com/errand-dev/errand/provider"
)

// moment is something that happens in a played session.
type moment struct {
	at    time.Duration      // after the play began
	state provider.State     // from now on; empty: as before
	say   provider.EntryType // empty: nothing
	text  string             // of what is said; JSON if that is a result
	err   error              // of all reads from now on; nil: none
	hang  bool               // all reads from now on hang for as long as they may
}

// played is a session that follows a script by the clock.
type played struct {
	provider.Provider
	script []moment
	began  time.Time
	poll   time.Duration
	watch  func(ctx context.Context, wake func()) error // nil: no stream

	mu    sync.Mutex
	reads []readAt
}

type readAt struct {
	at    time.Duration
	after provider.Watermark
}

func play(script ...moment) *played {
	return &played{script: script, began: time.Now(), poll: 2 * time.Second}
}

func (p *played) Capabilities() provider.Capabilities {
	return provider.Capabilities{Stream: p.watch != nil, PollInterval: p.poll}
}

func (p *played) Watch(ctx context.Context, _ string, wake func(), _ ...provider.EntryType) error {
	return p.watch(ctx, wake)
}

// Read numbers what is said from 1. As the contract wants it, a question that
// the state does not agree with yet stays ahead of the cursor.
func (p *played) Read(ctx context.Context, _ string, after provider.Watermark) (provider.Progress, error) {
	now := time.Since(p.began)
	p.mu.Lock()
	p.reads = append(p.reads, readAt{at: now, after: after})
	p.mu.Unlock()

	last, _ := strconv.Atoi(string(after))
	got := provider.Progress{State: provider.StateWorking, Cursor: after}
	var question *provider.Outcome
	id, before := 0, after
	var err error
	var hang bool
	for _, m := range p.script {
		if m.at > now {
			break
		}
		err, hang = m.err, m.hang
		if m.state != "" {
			got.State = m.state
		}
		if m.say == "" {
			continue
		}
		if id++; id <= last {
			continue
		}
		e := provider.Entry{ID: strconv.Itoa(id), Type: m.say, Text: m.text, At: p.began.Add(m.at)}
		got.Entries = append(got.Entries, e)
		switch m.say {
		case provider.EntryDone:
			got.Outcome = &provider.Outcome{Kind: provider.OutcomeFinished, Text: m.text, Result: json.RawMessage(m.text), ID: e.ID}
		case provider.EntryQuestion:
			question, before = &provider.Outcome{Kind: provider.OutcomeQuestion, Text: m.text, ID: e.ID}, got.Cursor
		}
		got.Cursor = provider.Watermark(e.ID)
	}
	if hang {
		<-ctx.Done()
		err = &provider.Error{Kind: provider.ErrorUnavailable, Op: "read messages", Message: "no answer"}
	}
	if err != nil {
		return provider.Progress{}, err
	}
	got.RawState = string(got.State)
	switch {
	case got.Outcome != nil || question == nil:
	case got.State == provider.StateWaiting:
		got.Outcome = question
	default:
		got.Unsettled, got.Cursor = true, before
	}
	return got, nil
}

// readTimes are the times of all reads so far.
func (p *played) readTimes() []time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	times := make([]time.Duration, len(p.reads))
	for i, r := range p.reads {
		times[i] = r.at
	}
	return times
}

// host is the worker around one TakeTurn.
type host struct {
	worker.Options
	heartbeatTimeout time.Duration // zero: none
	details          *turnProgress // of the attempt before
	attempt          int32         // zero: the first
	stop             chan struct{} // closed: the worker is stopping
	transcripts      Transcripts

	began time.Time
	beats []beat
}

// left is what the attempt leaves to the next.
func (h *host) left() turnProgress {
	if len(h.beats) == 0 {
		return turnProgress{}
	}
	return h.beats[len(h.beats)-1].turnProgress
}

type beat struct {
	at time.Duration
	turnProgress
}

// await runs TakeTurn against a play until it ends, and tells when that was.
func (h *host) await(t *testing.T, p provider.Provider, in TakeTurnInput) (Turn, time.Duration, error) {
	t.Helper()
	h.began = time.Now()
	env := environment(&Activities{Connections: only{p}, Transcripts: h.transcripts})
	h.Interceptors = []interceptor.WorkerInterceptor{&hostInterceptor{host: h}}
	env.SetWorkerOptions(h.Options)
	if h.details != nil {
		env.SetHeartbeatDetails(*h.details)
	}
	if h.stop != nil {
		env.SetWorkerStopChannel(h.stop)
	}
	in.TaskID, in.Connection, in.SessionID = "t-1", connection, cmp.Or(in.SessionID, "s-1")
	if in.Deadline.IsZero() {
		in.Deadline = h.began.Add(9 * time.Minute) // before the environment's own, of ten
	}
	turn, err := perform[Turn](t, env, acts.TakeTurn, in)
	return turn, time.Since(h.began), err
}

// hostInterceptor gives the activity its heartbeat timeout, which the test
// environment cannot, and writes down its heartbeats, which it throttles.
type hostInterceptor struct {
	interceptor.WorkerInterceptorBase
	interceptor.ActivityInboundInterceptorBase
	interceptor.ActivityOutboundInterceptorBase
	host *host
}

func (i *hostInterceptor) InterceptActivity(_ context.Context, next interceptor.ActivityInboundInterceptor) interceptor.ActivityInboundInterceptor {
	i.ActivityInboundInterceptorBase.Next = next
	return i
}

func (i *hostInterceptor) Init(outbound interceptor.ActivityOutboundInterceptor) error {
	i.ActivityOutboundInterceptorBase.Next = outbound
	return i.ActivityInboundInterceptorBase.Init(i)
}

func (i *hostInterceptor) GetInfo(ctx context.Context) activity.Info {
	info := i.ActivityOutboundInterceptorBase.GetInfo(ctx)
	info.HeartbeatTimeout = i.host.heartbeatTimeout
	info.Attempt = max(info.Attempt, i.host.attempt)
	return info
}

func (i *hostInterceptor) RecordHeartbeat(ctx context.Context, details ...any) {
	if progress, ok := details[0].(turnProgress); ok {
		i.host.beats = append(i.host.beats, beat{at: time.Since(i.host.began), turnProgress: progress})
	}
	i.ActivityOutboundInterceptorBase.RecordHeartbeat(ctx, details...)
}

// requireAbout checks a time that varies by some polls.
func requireAbout(t *testing.T, want, got, later time.Duration) {
	t.Helper()
	require.GreaterOrEqual(t, got, want)
	require.LessOrEqual(t, got, want+later)
}
