// Package webhook delivers events by HTTP POST: fire and forget, three attempts,
// in order for each session as long as all goes well. It knows no vendor: the
// caller makes the body.
package webhook

import (
	"bytes"
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// What the vendor's documentation says of deliveries.
const (
	attempts  = 3
	timeout   = 10 * time.Second // of one attempt
	overall   = 30 * time.Second // of all attempts and the waits between them
	userAgent = "AgencyAPI-Webhooks/1.0"
)

// maxWaiting is how many events of one session may wait for their delivery.
// What comes on top is dropped: a receiver that is down for good must not fill
// the memory.
const maxWaiting = 1000

// SignatureHeader carries "t=SECONDS,v1=HEX" where a secret is set: the time of
// the attempt, and the HMAC-SHA256 of "SECONDS.BODY" with the secret.
const SignatureHeader = "X-Errand-Signature"

// Event is what is to be delivered.
type Event struct {
	SessionID string // events of one session are delivered one after the other
	URL       string
	Type      string
	Body      []byte // JSON
}

// Config says how to deliver.
type Config struct {
	// Secret signs each request; empty signs none, as the vendor does.
	Secret string
	// Backoff is the wait before the second attempt, twice that before the
	// third; 1 s if 0.
	Backoff time.Duration
	// Copies says how often an event of a session is delivered, for those who
	// let it go wrong on purpose; nil is once.
	Copies func(sessionID string) int
	Logger *slog.Logger // slog.Default() if nil
}

// Sender delivers events. It holds a goroutine for each session whose events
// are on their way, and none otherwise.
type Sender struct {
	Config
	client *http.Client
	ctx    context.Context // ends when what is on its way is given up
	cancel context.CancelFunc
	busy   sync.WaitGroup

	mu     sync.Mutex
	queues map[string][]Event // by session id; its first is on its way
	closed bool
}

// New makes a sender.
func New(c Config) *Sender {
	c.Backoff = cmp.Or(c.Backoff, time.Second)
	c.Logger = cmp.Or(c.Logger, slog.Default())
	s := &Sender{Config: c, queues: map[string][]Event{}}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.client = &http.Client{
		Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: 8, IdleConnTimeout: 30 * time.Second},
		Timeout:   timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse // a redirect is no delivery
		},
	}
	return s
}

// Send takes an event for delivery. It neither waits nor fails.
func (s *Sender) Send(e Event) {
	copies := 1
	if s.Copies != nil {
		copies = s.Copies(e.SessionID)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for range copies {
		s.enqueue(e)
	}
}

func (s *Sender) enqueue(e Event) {
	queue := s.queues[e.SessionID]
	if s.closed || len(queue) >= maxWaiting {
		s.Logger.Warn("webhook dropped", "session_id", e.SessionID, "event", e.Type, "waiting", len(queue))
		return
	}
	s.queues[e.SessionID] = append(queue, e)
	if len(queue) == 0 {
		s.busy.Go(func() { s.work(e.SessionID) })
	}
}

// work delivers the events of a session until none is left.
func (s *Sender) work(sessionID string) {
	for {
		s.mu.Lock()
		e := s.queues[sessionID][0]
		s.mu.Unlock()
		s.deliver(e)
		s.mu.Lock()
		rest := s.queues[sessionID][1:]
		if s.queues[sessionID] = rest; len(rest) == 0 {
			delete(s.queues, sessionID)
			s.mu.Unlock()
			return
		}
		s.mu.Unlock()
	}
}

func (s *Sender) deliver(e Event) {
	ctx, cancel := context.WithTimeout(s.ctx, overall)
	defer cancel()
	wait := s.Backoff
	for attempt := 1; ; attempt++ {
		err := s.post(ctx, e)
		if err == nil {
			return
		}
		if attempt == attempts || ctx.Err() != nil {
			s.Logger.Warn("webhook not delivered", "session_id", e.SessionID, "event", e.Type, "attempts", attempt, "error", err)
			return
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
		wait *= 2
	}
}

func (s *Sender) post(ctx context.Context, e Event) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.URL, bytes.NewReader(e.Body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Event-Type", e.Type)
	req.Header.Set("User-Agent", userAgent)
	if s.Secret != "" {
		req.Header.Set(SignatureHeader, sign(s.Secret, time.Now(), e.Body))
	}
	res, err := s.client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	// A body that is read lets the connection be used again.
	_, _ = io.CopyN(io.Discard, res.Body, 64<<10)
	if res.StatusCode/100 != 2 {
		return fmt.Errorf("the receiver answered %s", res.Status)
	}
	return nil
}

func sign(secret string, at time.Time, body []byte) string {
	seconds := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(seconds + "."))
	mac.Write(body)
	return "t=" + seconds + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}

// Close takes no more events and lets those that are on their way arrive, until
// ctx ends.
func (s *Sender) Close(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	defer s.client.CloseIdleConnections()
	defer s.cancel()
	done := make(chan struct{})
	go func() {
		s.busy.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		s.cancel()
		<-done
		return fmt.Errorf("webhooks not delivered: %w", ctx.Err())
	}
}
