package faults

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Header asks for a fault in one request, from this machine alone:
//
//	X-Errand-Fault: slow; delay=2s
const Header = "X-Errand-Fault"

// wanted gives the fault that the request itself asks for, or nil. What is
// asked for and not granted is an error: a fault that is silently left out
// would make a rehearsal pass that never was.
func (p *Plan) wanted(r *http.Request, op string) (*state, error) {
	text := r.Header.Get(Header)
	if text == "" {
		return nil, nil
	}
	if p.noHeader {
		return nil, fmt.Errorf("%s is switched off here", Header)
	}
	if !local(r) {
		return nil, fmt.Errorf("%s is for callers on the server's own machine", Header)
	}
	rule, err := parseHeader(text)
	if err == nil {
		err = rule.check()
	}
	if err == nil && !slices.Contains(rule.Fault.operations(), op) {
		err = fmt.Errorf("fault %s cannot be on %s", rule.Fault, op)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", Header, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.byHeader[rule.Fault]++
	return &state{Rule: rule}, nil
}

// local says whether the caller is on this machine. Behind a proxy on this
// machine everyone would seem to be.
func local(r *http.Request) bool {
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Real-Ip"} {
		if r.Header.Get(name) != "" {
			return false
		}
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	ip := net.ParseIP(host)
	return err == nil && ip != nil && ip.IsLoopback()
}

func parseHeader(text string) (Rule, error) {
	kind, rest, _ := strings.Cut(text, ";")
	rule := Rule{On: []string{anywhere}, Fault: Kind(strings.TrimSpace(kind))}
	for part := range strings.SplitSeq(rest, ";") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		var err error
		switch name {
		case "delay":
			err = rule.Delay.UnmarshalText([]byte(value))
		case "retry_after":
			err = rule.RetryAfter.UnmarshalText([]byte(value))
		case "after_events":
			rule.AfterEvents, err = strconv.Atoi(value)
		default:
			err = errors.New("allowed are delay, retry_after and after_events")
		}
		if err != nil {
			return Rule{}, fmt.Errorf("%q: %w", part, err)
		}
	}
	return rule, nil
}
