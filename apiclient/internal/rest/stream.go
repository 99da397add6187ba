package rest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"mime"
	"net/http"
	"time"
)

// defaultMaxEvent bounds one event when the options name no bound.
const defaultMaxEvent = 1 << 20

var errStreamClosed = errors.New("event stream is closed")

// streamHeader refuses compression: it delays events and costs a window of
// memory for every stream.
var streamHeader = http.Header{
	"Accept":          {"text/event-stream"},
	"Accept-Encoding": {"identity"},
}

// StreamOptions bounds an event stream.
type StreamOptions struct {
	// IdleTimeout is the longest silence to wait through, while connecting and
	// between any two bytes; comments count as bytes. Zero waits for ever.
	IdleTimeout time.Duration
	// MaxEventSize is in bytes; zero means 1 MiB.
	MaxEventSize int
}

// Stream is an open event stream. It owns a connection until it is closed.
type Stream struct {
	ctx     context.Context
	parent  context.Context
	cancel  context.CancelCauseFunc
	resp    *http.Response
	body    idleReader
	maxSize int
}

// Stream opens an event stream that lives as long as the context. A silent
// server gives an error that wraps [ErrStreamIdle], here as in [Stream.Events].
func (c *Client) Stream(ctx context.Context, req Request, opts StreamOptions) (*Stream, error) {
	streamCtx, cancel := context.WithCancelCause(ctx)
	watch := newIdleWatch(opts.IdleTimeout, func() { cancel(ErrStreamIdle) })

	watch.start()
	resp, err := c.send(streamCtx, c.streams, req, streamHeader)
	watch.stop()
	if err != nil {
		if failed, ok := errors.AsType[*TransportError](err); ok && errors.Is(context.Cause(streamCtx), ErrStreamIdle) {
			failed.Err = ErrStreamIdle
		}
		cancel(err)
		return nil, err
	}
	mediaType, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if mediaType != "text/event-stream" {
		err := newBodyError(resp, fmt.Errorf("content type %q is not an event stream", mediaType))
		cancel(err)
		resp.Body.Close()
		return nil, err
	}
	if opts.MaxEventSize <= 0 {
		opts.MaxEventSize = defaultMaxEvent
	}
	return &Stream{
		ctx:     streamCtx,
		parent:  ctx,
		cancel:  cancel,
		resp:    resp,
		body:    idleReader{from: resp.Body, watch: watch},
		maxSize: opts.MaxEventSize,
	}, nil
}

// Events yields the events as they come, and an error as the last item when
// the stream breaks. It ends without one when the server ends the stream or
// Close is called. It can be ranged over once, and the stream is closed when
// the loop is left.
func (s *Stream) Events() iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		defer s.Close()
		for event, err := range readEvents(&s.body, s.maxSize) {
			if err != nil {
				if err = s.reason(err); err != nil {
					yield(Event{}, err)
				}
				return
			}
			if !yield(event, nil) {
				return
			}
		}
	}
}

// reason prefers the cause that we know to what the torn connection says.
func (s *Stream) reason(err error) error {
	cause := context.Cause(s.ctx)
	switch {
	case errors.Is(cause, errStreamClosed):
		return nil
	case s.parent.Err() != nil:
		err = s.parent.Err()
	case errors.Is(cause, ErrStreamIdle):
		err = ErrStreamIdle
	}
	return &StreamError{Method: s.resp.Request.Method, Path: s.resp.Request.URL.EscapedPath(), Err: err}
}

// Close ends the stream; it may be called twice, and while another goroutine
// is ranging over the events. A connection whose stream was read to its end
// stays open for the next call.
func (s *Stream) Close() error {
	s.cancel(errStreamClosed)
	return s.resp.Body.Close()
}

// idleWatch calls a function when a wait lasts longer than the timeout.
type idleWatch struct {
	timer   *time.Timer // nil waits for ever
	timeout time.Duration
}

func newIdleWatch(timeout time.Duration, expired func()) idleWatch {
	if timeout <= 0 {
		return idleWatch{}
	}
	timer := time.AfterFunc(timeout, expired)
	timer.Stop()
	return idleWatch{timer: timer, timeout: timeout}
}

func (w idleWatch) start() {
	if w.timer != nil {
		w.timer.Reset(w.timeout)
	}
}

func (w idleWatch) stop() {
	if w.timer != nil {
		w.timer.Stop()
	}
}

// idleReader watches each read, and not the reader's work between two reads.
type idleReader struct {
	from  io.Reader
	watch idleWatch
}

func (r *idleReader) Read(p []byte) (int, error) {
	r.watch.start()
	defer r.watch.stop()
	return r.from.Read(p)
}
