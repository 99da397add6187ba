package provider

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/errand-dev/errand/apiclient/agi"
)

// busyVendor answers 429 while it has too much to do, and writes down when it
// was asked. It is a transport, so that the clock of a test bubble drives it.
type busyVendor struct {
	busy   time.Duration // from the start
	header http.Header   // of its refusals

	mu    sync.Mutex
	began time.Time
	asked []time.Duration
}

func (v *busyVendor) RoundTrip(r *http.Request) (*http.Response, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	at := time.Since(v.began)
	v.asked = append(v.asked, at)
	answer := &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Date": {time.Now().UTC().Format(http.TimeFormat)}}, Request: r,
		Body: io.NopCloser(strings.NewReader(`{"messages":[],"status":"running"}`)),
	}
	if at < v.busy {
		answer.StatusCode, answer.Body = http.StatusTooManyRequests, io.NopCloser(strings.NewReader(`{"detail":"slow down"}`))
		maps.Copy(answer.Header, v.header)
	}
	return answer, nil
}

// after are the times at which it was asked from then on.
func (v *busyVendor) after(at time.Duration) []time.Duration {
	v.mu.Lock()
	defer v.mu.Unlock()
	var later []time.Duration
	for _, t := range v.asked {
		if t > at {
			later = append(later, t)
		}
	}
	return later
}

// readMany has that many sessions of one connection read once a second, or when
// they were told to come again, until each has been answered.
func (v *busyVendor) readMany(t *testing.T, sessions int) (refused []*Error) {
	t.Helper()
	v.began = time.Now()
	client, err := agi.New(agi.Config{APIKey: testKey, HTTPClient: &http.Client{Transport: v}})
	require.NoError(t, err)
	p := &held{Provider: NewAGI(client, "", 0)}
	var mu sync.Mutex
	var all sync.WaitGroup
	for i := range sessions {
		all.Go(func() {
			for {
				_, err := p.Read(t.Context(), fmt.Sprintf("s-%d", i), "")
				if err == nil {
					return
				}
				var e *Error
				if !errors.As(err, &e) {
					t.Error(err)
					return
				}
				mu.Lock()
				refused = append(refused, e)
				mu.Unlock()
				select {
				case <-time.After(e.RetryAfter):
				case <-t.Context().Done():
					return
				}
			}
		})
	}
	all.Wait()
	return refused
}

func TestTooManyRequestsHoldTheWholeConnection(t *testing.T) {
	start := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) // of every test bubble
	for name, test := range map[string]struct {
		header http.Header
		busy   time.Duration
		silent time.Duration // nothing may be asked in this time after the first refusal
		over   time.Duration // by when each has its answer
		asked  int           // at most, beside the answers and the first crowd
	}{
		"seconds":              {http.Header{"Retry-After": {"30"}}, 30 * time.Second, 30 * time.Second, 45 * time.Second, 0},
		"a short time":         {http.Header{"Retry-After": {"2"}}, 2 * time.Second, 2 * time.Second, 3 * time.Second, 0},
		"a date":               {http.Header{"Retry-After": {start.Add(40 * time.Second).Format(http.TimeFormat)}}, 40 * time.Second, 40 * time.Second, time.Minute, 0},
		"nothing":              {nil, 20 * time.Second, time.Second, time.Minute, 200},
		"no time at all":       {http.Header{"Retry-After": {"soon"}}, 20 * time.Second, time.Second, time.Minute, 200},
		"a time in the past":   {http.Header{"Retry-After": {"-5"}}, 20 * time.Second, time.Second, time.Minute, 200},
		"zero":                 {http.Header{"Retry-After": {"0"}}, 20 * time.Second, time.Second, time.Minute, 200},
		"longer than the hold": {http.Header{"Retry-After": {"10"}}, 25 * time.Second, 10 * time.Second, time.Minute, 200},
		"three hundred years":  {http.Header{"Retry-After": {"9e9"}}, time.Minute, time.Hour, 76 * time.Minute, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const sessions = 40
				v := &busyVendor{busy: test.busy, header: test.header}
				refused := v.readMany(t, sessions)
				require.NotEmpty(t, refused)
				require.LessOrEqual(t, time.Since(v.began), test.over)
				for _, at := range v.after(0) {
					require.GreaterOrEqual(t, at, test.silent)
				}
				require.LessOrEqual(t, len(v.after(0)), sessions+test.asked)
				for _, e := range refused {
					require.Equal(t, ErrorRateLimited, e.Kind)
					require.False(t, e.Ambiguous, "nothing was done")
					require.LessOrEqual(t, e.RetryAfter, 75*time.Minute)
				}
			})
		})
	}
}

func TestCallsOfAllKindsAreHeldBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &busyVendor{busy: time.Minute, header: http.Header{"Retry-After": {"60"}}, began: time.Now()}
		client, err := agi.New(agi.Config{APIKey: testKey, HTTPClient: &http.Client{Transport: v}})
		require.NoError(t, err)
		p := &held{Provider: NewAGI(client, "", 0)}
		_, err = p.Create(t.Context(), CreateRequest{})
		require.True(t, IsKind(err, ErrorRateLimited), "%v", err)
		for name, call := range map[string]func(context.Context) error{
			"create":   func(ctx context.Context) error { _, err := p.Create(ctx, CreateRequest{}); return err },
			"sessions": func(ctx context.Context) error { _, err := p.Sessions(ctx); return err },
			"send":     func(ctx context.Context) error { return p.Send(ctx, "s", Message{Text: "go"}) },
			"find":     func(ctx context.Context) error { _, err := p.Find(ctx, "s", Message{Text: "go"}, ""); return err },
			"read":     func(ctx context.Context) error { _, err := p.Read(ctx, "s", ""); return err },
			"watch":    func(ctx context.Context) error { return p.Watch(ctx, "s", func() {}) },
			"pause":    func(ctx context.Context) error { return p.Pause(ctx, "s") },
			"resume":   func(ctx context.Context) error { return p.Resume(ctx, "s") },
			"cancel":   func(ctx context.Context) error { return p.Cancel(ctx, "s") },
			"delete":   func(ctx context.Context) error { _, err := p.Delete(ctx, "s", DeleteRequest{}); return err },
		} {
			err := call(t.Context())
			require.True(t, IsKind(err, ErrorRateLimited), "%s: %v", name, err)
			require.ErrorContains(t, err, "not sent: the vendor had too many requests and takes none for 1m0s", name)
		}
		require.Len(t, v.asked, 1)
	})
}

func TestACallThatCannotWaitIsRefusedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &held{Provider: &counted{}, until: time.Now().Add(4 * time.Second)}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		began := time.Now()
		_, err := p.Sessions(ctx)
		require.True(t, IsKind(err, ErrorRateLimited), "%v", err)
		require.Zero(t, time.Since(began))

		_, err = p.Sessions(t.Context())
		require.NoError(t, err)
		require.GreaterOrEqual(t, time.Since(began), 4*time.Second)
	})
}

func TestACancelledCallDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &held{Provider: &counted{}, until: time.Now().Add(4 * time.Second)}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		began := time.Now()
		_, err := p.Sessions(ctx)
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, time.Second, time.Since(began))
	})
}
