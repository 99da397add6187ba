package provider

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// streamOnly is a provider of which only the event stream is used.
type streamOnly struct {
	Provider
	watch func(ctx context.Context, wake func()) error
	none  bool // the vendor has no stream
}

const pollOfStreamOnly = 2 * time.Second

func (p streamOnly) Capabilities() Capabilities {
	return Capabilities{Stream: !p.none, PollInterval: pollOfStreamOnly}
}

func (p streamOnly) Watch(ctx context.Context, _ string, wake func(), _ ...EntryType) error {
	return p.watch(ctx, wake)
}

// woken reports whether a wake-up is waiting once everything has come to rest.
func woken(w *Waker) bool {
	synctest.Wait()
	select {
	case <-w.C():
		return true
	default:
		return false
	}
}

func requireInterval(t *testing.T, w *Waker, want time.Duration) {
	t.Helper()
	seen := map[time.Duration]bool{}
	for range 100 {
		got := w.Interval(true)
		require.InDelta(t, want, got, float64(want/10)+1)
		seen[got] = true
	}
	require.Greater(t, len(seen), 1, "many waiters would read in step")
}

func TestWithoutAStreamAQuietSessionIsReadLessAndLessOften(t *testing.T) {
	w := &Waker{poll: time.Second, from: time.Second, most: 5 * time.Second}
	near := func(want time.Duration, news bool) {
		t.Helper()
		require.InDelta(t, want, w.Interval(news), float64(want/10)+1)
	}
	for _, want := range []float64{1, 1.5, 2.25, 3.375, 5, 5} {
		near(time.Duration(want*float64(time.Second)), false)
	}
	near(time.Second, true)
	near(1500*time.Millisecond, false)
}

func TestAWakerIsSilentWhereTheVendorHasNoStream(t *testing.T) {
	for name, test := range map[string]struct {
		none bool // says so in its capabilities
		asks int
	}{
		"and says so beforehand": {none: true, asks: 0},
		"and says so when asked": {none: false, asks: 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				asks := 0
				w := NewWaker(t.Context(), streamOnly{none: test.none, watch: func(context.Context, func()) error {
					asks++
					return ErrUnsupported
				}}, sessionID)
				<-time.After(time.Hour)
				require.False(t, woken(w))
				requireInterval(t, w, pollOfStreamOnly)
				require.Equal(t, test.asks, asks)
			})
		})
	}
}

func TestAWakerReadsSeldomWhileTheStreamIsOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		events, end := make(chan struct{}), make(chan struct{})
		w := NewWaker(t.Context(), streamOnly{watch: func(ctx context.Context, wake func()) error {
			wake()
			for {
				select {
				case <-events:
					wake()
				case <-end:
					return nil
				case <-ctx.Done():
					return ctx.Err()
				}
			}
		}}, sessionID)

		require.True(t, woken(w), "the stream has opened")
		requireInterval(t, w, pollBesideStream)
		require.False(t, woken(w), "nothing was said")

		events <- struct{}{}
		events <- struct{}{}
		require.True(t, woken(w), "something was said")
		require.False(t, woken(w), "two events before a look are one wake-up")

		end <- struct{}{}
		require.True(t, woken(w), "something may have been said while the stream ended")
		requireInterval(t, w, pollOfStreamOnly)

		<-time.After(2 * reopenAtFirst)
		require.True(t, woken(w), "the stream is open again")
		requireInterval(t, w, pollBesideStream)
	})
}

func TestAWakerBacksOffFromAStreamThatDoesNotLast(t *testing.T) {
	down := errors.New("down")
	for name, watch := range map[string]func(ctx context.Context, wake func()) error{
		"a stream that does not open": func(context.Context, func()) error { return down },
		"a stream that ends at once":  func(_ context.Context, wake func()) error { wake(); return nil },
		"a stream that breaks at its first word": func(_ context.Context, wake func()) error {
			wake()
			wake()
			return down
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var opened []time.Time
				NewWaker(t.Context(), streamOnly{watch: func(ctx context.Context, wake func()) error {
					opened = append(opened, time.Now())
					return watch(ctx, wake)
				}}, sessionID)

				<-time.After(4 * time.Minute)
				synctest.Wait()
				want := reopenAtFirst
				for i := range 7 {
					require.InDelta(t, want, opened[i+1].Sub(opened[i]), float64(want/10)+1, "reopening %d", i+1)
					want = min(2*want, reopenAtMost)
				}
			})
		})
	}
}

func TestAWakerReopensALongStreamSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const lasts = 5 * time.Minute
		var opened []time.Time
		NewWaker(t.Context(), streamOnly{watch: func(ctx context.Context, wake func()) error {
			opened = append(opened, time.Now())
			wake()
			select {
			case <-time.After(lasts):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}}, sessionID)

		<-time.After(time.Hour)
		synctest.Wait()
		require.Greater(t, len(opened), 10)
		for i := range opened[1:] {
			require.InDelta(t, lasts+reopenAtFirst, opened[i+1].Sub(opened[i]), float64(reopenAtFirst/10)+1)
		}
	})
}

func TestNoGoroutineOfAWakerOutlivesItsContext(t *testing.T) {
	for name, watch := range map[string]func(ctx context.Context, wake func()) error{
		"while the stream is open": func(ctx context.Context, _ func()) error { <-ctx.Done(); return ctx.Err() },
		"while it waits to reopen": func(context.Context, func()) error { return errors.New("down") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ended := make(chan struct{})
				ctx, cancel := context.WithCancel(t.Context())
				w := &Waker{c: make(chan struct{}, 1)}
				go func() {
					defer close(ended)
					w.run(ctx, streamOnly{watch: watch}, sessionID, nil)
				}()
				synctest.Wait()
				began := time.Now()
				cancel()
				<-ended
				require.Zero(t, time.Since(began))
			})
		})
	}
}
