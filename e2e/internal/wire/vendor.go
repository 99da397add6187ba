// Package wire stands between the parts of a rehearsal and spoils what passes:
// requests to a vendor one by one, connections to Temporal byte by byte.
package wire

import (
	"bytes"
	"context"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Vendor is a proxy in front of a vendor's API.
type Vendor struct {
	URL string // to be used as the vendor's base URL

	target *url.URL
	plain  *httputil.ReverseProxy
	server *http.Server
	client *http.Client

	mu       sync.Mutex
	rules    []*rule
	underWay int        // requests, with or without their caller
	idle     *sync.Cond // on mu: none is under way
}

type rule struct {
	call  Call
	fault Fault
	busy  bool // with a request; the others pass meanwhile
}

// Fault is what happens to a request. It reports whether it has struck: once
// it has, it is used up. A fault that does nothing lets the request pass.
type Fault func(*Exchange) (struck bool)

// NewVendor starts a proxy in front of the API at that base URL.
func NewVendor(target string) (*Vendor, error) {
	base, err := url.Parse(target)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{DisableKeepAlives: true} // a vendor that was killed leaves no dead connection
	v := &Vendor{
		URL:    "http://" + l.Addr().String(),
		target: base,
		client: &http.Client{Transport: transport},
		plain: &httputil.ReverseProxy{
			Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(base) },
			Transport:     transport,
			FlushInterval: -1,
			ErrorHandler:  func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
		},
	}
	v.idle = sync.NewCond(&v.mu)
	v.server = &http.Server{Handler: http.HandlerFunc(v.serve), ErrorLog: log.New(io.Discard, "", 0)}
	go func() { _ = v.server.Serve(l) }() // ends with Close
	return v, nil
}

// Close ends the proxy and all that passes.
func (v *Vendor) Close() {
	_ = v.server.Close()
	v.Settle()
}

// Settle waits until nothing is under way, even of what reaches the vendor late.
func (v *Vendor) Settle() {
	v.mu.Lock()
	defer v.mu.Unlock()
	for v.underWay > 0 {
		v.idle.Wait()
	}
}

func (v *Vendor) count(change int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.underWay += change; v.underWay == 0 {
		v.idle.Broadcast()
	}
}

// Spoil lays the fault in the way of the requests of a call, until it has
// struck. Faults that are laid for the same call strike one after the other.
func (v *Vendor) Spoil(c Call, f Fault) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.rules = append(v.rules, &rule{call: c, fault: f})
}

func (v *Vendor) serve(w http.ResponseWriter, r *http.Request) {
	call := callOf(r)
	if call == Watch || call == Other { // streams, and what no worker asks for
		v.plain.ServeHTTP(w, r)
		return
	}
	v.count(1)
	defer v.count(-1)
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	x := &Exchange{vendor: v, w: w, r: r, body: body}
	if rule := v.take(call); rule != nil {
		v.give(rule, rule.fault(x))
	}
	if !x.torn && !x.answered {
		x.pass()
	}
	if x.torn {
		panic(http.ErrAbortHandler)
	}
}

// take finds the rule that a request meets.
func (v *Vendor) take(c Call) *rule {
	v.mu.Lock()
	defer v.mu.Unlock()
	i := slices.IndexFunc(v.rules, func(r *rule) bool { return r.call == c })
	if i < 0 || v.rules[i].busy {
		return nil
	}
	v.rules[i].busy = true
	return v.rules[i]
}

// give puts a rule back unless it is used up.
func (v *Vendor) give(used *rule, struck bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	used.busy = false
	if struck {
		v.rules = slices.DeleteFunc(v.rules, func(r *rule) bool { return r == used })
	}
}

// Exchange is a request that has not reached the vendor yet.
type Exchange struct {
	vendor *Vendor
	w      http.ResponseWriter
	r      *http.Request
	body   []byte

	answered, torn bool
}

// Answer is the vendor's, read to its end.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// lateTimeout bounds a request that goes on without its caller.
const lateTimeout = time.Minute

// Forward brings the request to the vendor, whether its caller still waits or
// not, and returns the answer, of which the caller knows nothing yet.
func (x *Exchange) Forward() (*Answer, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(x.r.Context()), lateTimeout)
	defer cancel()
	to := *x.r.URL
	to.Scheme, to.Host = x.vendor.target.Scheme, x.vendor.target.Host
	request, err := http.NewRequestWithContext(ctx, x.r.Method, to.String(), bytes.NewReader(x.body))
	if err != nil {
		return nil, err
	}
	request.Header = x.r.Header.Clone()
	request.Header.Del("Accept-Encoding") // the answer is to be read here
	response, err := x.vendor.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	answer := &Answer{Status: response.StatusCode, Header: response.Header}
	answer.Body, err = io.ReadAll(response.Body)
	return answer, err
}

func (x *Exchange) pass() {
	answer, err := x.Forward()
	if err != nil {
		x.Tear()
		return
	}
	x.Reply(answer)
}

// Reply hands an answer to the caller.
func (x *Exchange) Reply(a *Answer) { x.reply(a, len(a.Body)) }

// ReplyHalf hands half an answer to the caller and tears the connection.
func (x *Exchange) ReplyHalf(a *Answer) {
	x.reply(a, len(a.Body)/2)
	_ = http.NewResponseController(x.w).Flush()
	x.Tear()
}

func (x *Exchange) reply(a *Answer, n int) {
	x.answered = true
	maps.Copy(x.w.Header(), a.Header)
	x.w.Header().Set("Content-Length", strconv.Itoa(len(a.Body)))
	x.w.WriteHeader(a.Status)
	_, _ = x.w.Write(a.Body[:n]) // a caller that has gone needs none
}

// Tear leaves the caller without an answer: once the fault returns, its
// connection is torn.
func (x *Exchange) Tear() { x.torn = true }

// Later tears the caller's connection, and brings the request to the vendor
// only after that long.
func (x *Exchange) Later(delay time.Duration) {
	x.Tear()
	x.vendor.count(1)
	time.AfterFunc(delay, func() {
		defer x.vendor.count(-1)
		_, _ = x.Forward() // nobody waits for the answer
	})
}

// Gone is closed once the caller has given up.
func (x *Exchange) Gone() <-chan struct{} { return x.r.Context().Done() }
