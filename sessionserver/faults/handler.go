package faults

import (
	"cmp"
	"encoding/json"
	"math"
	"net/http"
	"strconv"
	"time"
)

// gatewayPage is what a proxy says when the server behind it does not answer.
const gatewayPage = "<html>\n<head><title>502 Bad Gateway</title></head>\n<body><h1>502 Bad Gateway</h1></body>\n</html>\n"

// API is what a plan has to know of an API.
type API interface {
	// Operation names what a request asks for and the session it is about;
	// requests without a name pass untouched.
	Operation(*http.Request) (name, sessionID string)
	// Spoiled answers with an error as the API writes it.
	Spoiled(w http.ResponseWriter, r *http.Request, code int, text string)
}

// Handler puts the plan before next, which serves that API.
func (p *Plan) Handler(next http.Handler, api API) http.Handler {
	if p == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		op, session := api.Operation(r)
		if op == "" {
			next.ServeHTTP(w, r)
			return
		}
		s, err := p.wanted(r, op)
		if err != nil {
			refuse(w, http.StatusBadRequest, err.Error())
			return
		}
		if s == nil {
			s = p.fire(op, session, "")
		}
		if s == nil {
			next.ServeHTTP(w, r)
			return
		}
		p.spoil(s, Fired{s.Fault, op, session}, next, api, w, r)
	})
}

func (p *Plan) spoil(s *state, fired Fired, next http.Handler, api API, w http.ResponseWriter, r *http.Request) {
	if s.Fault != DropStream { // which has yet to find its occasion
		p.tell(fired)
	}
	switch s.Fault {
	case InternalError:
		api.Spoiled(w, r, http.StatusInternalServerError, "Internal server error")
	case BadGateway:
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusBadGateway)
		_, _ = w.Write([]byte(gatewayPage))
	case TooMany:
		wait := cmp.Or(time.Duration(s.RetryAfter), time.Second)
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
		api.Spoiled(w, r, http.StatusTooManyRequests, "Rate limit exceeded")
	case Slow:
		timer := time.NewTimer(cmp.Or(time.Duration(s.Delay), time.Second))
		defer timer.Stop()
		select {
		case <-timer.C:
			next.ServeHTTP(w, r)
		case <-r.Context().Done(): // the caller has gone
		}
	case Cut:
		answer := &answer{header: http.Header{}}
		next.ServeHTTP(answer, r)
		answer.half(w)
	case LostBefore:
		panic(http.ErrAbortHandler)
	case LostAfter:
		next.ServeHTTP(&answer{header: http.Header{}}, r)
		panic(http.ErrAbortHandler)
	case DropStream:
		next.ServeHTTP(&torn{ResponseWriter: w, left: s.AfterEvents, tell: func() { p.tell(fired) }}, r)
		p.takeBack(s) // the stream ended by itself before
	case Vanish:
		p.vanish(fired.SessionID)
		next.ServeHTTP(w, r)
	}
}

// takeBack uncounts a fault that found no occasion.
func (p *Plan) takeBack(s *state) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s.random == nil { // by a header
		p.byHeader[s.Fault]--
		return
	}
	s.fired--
}

// refuse answers a request that asks for what cannot be, in the plan's own words.
func refuse(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(map[string]string{"detail": text})
}
