package sessions

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/errand-dev/errand/sessionserver/agent"
)

// ErrPaused is the answer for what a paused agent cannot do.
var ErrPaused = errors.New("the session is paused")

// anyAge is more than the age of any picture.
const anyAge = math.MaxInt64

// shown is what an agent showed, and when.
type shown struct {
	agent.Screenshot
	at time.Time
}

// facts is the session as its agent knows it.
func (s *Session) facts() agent.Session {
	return agent.Session{
		ID:              s.ID,
		Dir:             s.engine.workDir(s.ID),
		Goal:            s.Goal,
		MaxSteps:        s.MaxSteps,
		CDPURL:          s.CDPURL,
		EnvironmentType: s.EnvironmentType,
		Model:           s.Model,
		Past:            s.past,
		Amend:           s.amend,
		Gone:            s.gone,
	}
}

// opened gives the session's worker, a new one if it has none. A session that
// is being deleted opens none: nobody would close it.
func (s *Session) opened() (agent.Worker, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.leaving || s.deleted:
		return nil, ErrNotFound
	case s.engine.ctx.Err() != nil:
		return nil, ErrClosed
	case s.worker == nil:
		s.worker = s.agent.Open(s.facts())
	}
	return s.worker, nil
}

// dismiss takes the worker from the session, for the caller to close.
func (s *Session) dismiss() agent.Worker {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.worker
	s.worker = nil
	if s.booting != nil {
		s.booting.Stop()
	}
	return w
}

// past is what a worker gets to know that acts between turns. What a turn is
// about to tell it is not past yet.
func (s *Session) past() ([]agent.Message, json.RawMessage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	position := len(s.events)
	if s.status.Phase == Running {
		position = s.turn
	}
	return s.history(position), s.agentState
}

// amend changes the agent's state outside of its turns. A turn that has saved a
// state and not written it would undo the change: both are changed.
func (s *Session) amend(change func(json.RawMessage) (any, error)) error {
	changed := func(state json.RawMessage) (json.RawMessage, error) {
		v, err := change(state)
		if err != nil {
			return nil, err
		}
		return marshal(v)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	state, err := changed(s.agentState)
	if err != nil {
		return err
	}
	if r := s.run; r != nil && r.unsaved != nil {
		unsaved, err := changed(r.unsaved)
		if err != nil {
			return err
		}
		r.unsaved = unsaved
	}
	if bytes.Equal(state, s.agentState) {
		return nil
	}
	return s.commit(record{AgentState: state})
}

// gone is told by a worker that what it kept alive has ended. Only an open
// question minds: a turn that is under way finds out by itself, and the next
// task begins anew.
func (s *Session) gone(reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.leaving:
	case s.run != nil:
		s.run.gone = reason // its question may be on its way
	case s.status.Phase == Waiting:
		s.fail(reason)
		s.proceed()
	}
}

func (s *Session) show(shot agent.Screenshot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.screen = &shown{shot, time.Now()}
}

func (s *Session) lastSeen(maxAge time.Duration) (agent.Screenshot, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.screen == nil || time.Since(s.screen.at) >= maxAge {
		return agent.Screenshot{}, false
	}
	return s.screen.Screenshot, true
}

func (s *Session) picture(ctx context.Context, screen agent.Screen) (agent.Screenshot, error) {
	shot, err := screen.Screenshot(ctx)
	if err != nil {
		return agent.Screenshot{}, s.unseen(err)
	}
	s.show(shot)
	return shot, nil
}

// unseen tells why a screen could not be looked at: what has happened to the
// session meanwhile says more than what that did to its agent.
func (s *Session) unseen(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.leaving || s.deleted:
		return ErrNotFound
	case s.engine.ctx.Err() != nil:
		return ErrClosed
	case s.status.Paused:
		return ErrPaused
	}
	return err
}

// Screenshot takes a picture of the agent's screen; of a paused agent it gives
// the last one. It returns [agent.ErrNoScreen] if the agent has no screen.
func (s *Session) Screenshot(ctx context.Context) (agent.Screenshot, error) {
	paused := s.Status().Paused
	if shot, ok := s.lastSeen(anyAge); ok && paused {
		return shot, nil
	}
	screen, err := s.looked(paused)
	if err != nil {
		return agent.Screenshot{}, err
	}
	return s.picture(ctx, screen)
}

// Seen gives what people who watch the session get to see: the last picture,
// or a new one if that is older than maxAge and the agent is awake to take one.
func (s *Session) Seen(ctx context.Context, maxAge time.Duration) (agent.Screenshot, error) {
	if shot, ok := s.lastSeen(maxAge); ok {
		return shot, nil
	}
	s.mu.Lock()
	screen, awake := s.worker.(agent.Screen)
	awake = awake && !s.status.Paused && !s.leaving && !s.deleted
	last := s.screen
	s.mu.Unlock()
	if sleeper, ok := screen.(agent.Sleeper); ok && awake {
		awake = sleeper.Awake()
	}
	if awake {
		if shot, err := s.picture(ctx, screen); err == nil {
			return shot, nil
		}
	}
	if last == nil {
		return agent.Screenshot{}, agent.ErrNoScreen
	}
	return last.Screenshot, nil
}

// Navigate makes the agent's browser open a page, and tells where that led. It
// returns [agent.ErrNoScreen] if the agent has none.
func (s *Session) Navigate(ctx context.Context, url string) (string, error) {
	screen, err := s.looked(s.Status().Paused)
	if err != nil {
		return "", err
	}
	current, err := screen.Navigate(ctx, url)
	if err != nil {
		return "", s.unseen(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return current, s.mark(Step, fmt.Sprintf("Opened %s", current))
}

// looked gives the worker as a screen.
func (s *Session) looked(paused bool) (agent.Screen, error) {
	worker, err := s.opened()
	screen, ok := worker.(agent.Screen)
	switch {
	case err != nil:
		return nil, err
	case !ok:
		return nil, agent.ErrNoScreen
	case paused:
		return nil, ErrPaused
	}
	return screen, nil
}
