package reader

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/PuerkitoBio/goquery"
	"golang.org/x/net/html/charset"
)

// Limits of one page.
const (
	timeout      = 15 * time.Second
	maxPage      = 5 << 20 // bytes
	maxRedirects = 5
)

func newClient(dial func(ctx context.Context, network, addr string) (net.Conn, error)) *http.Client {
	return &http.Client{
		Timeout: timeout,
		Transport: &http.Transport{
			Proxy:                 proxy,
			DialContext:           dial,
			TLSHandshakeTimeout:   timeout,
			ResponseHeaderTimeout: timeout,
			ForceAttemptHTTP2:     true,
			MaxIdleConnsPerHost:   4,
			IdleConnTimeout:       30 * time.Second,
		},
		CheckRedirect: func(_ *http.Request, via []*http.Request) error {
			if len(via) > maxRedirects {
				return fmt.Errorf("it redirects more than %d times", maxRedirects)
			}
			return nil
		},
	}
}

// proxy is the environment's proxy, which cannot know names of this machine.
func proxy(r *http.Request) (*url.URL, error) {
	if strings.HasSuffix(r.URL.Hostname(), ".localhost") {
		return nil, nil
	}
	return http.ProxyFromEnvironment(r)
}

// open fetches a page and takes in what it says. Its errors are meant for people.
func (a *Agent) open(ctx context.Context, address string) (*page, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, fmt.Errorf("%q is not an address the reader can open", redact(address))
	}
	req.Header.Set("User-Agent", "errand-reader/1")
	req.Header.Set("Accept", "text/html,application/xhtml+xml")
	res, err := a.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("the page %s cannot be opened: %w", redact(address), reason(err))
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxPage+1))
	if err != nil {
		return nil, fmt.Errorf("the page %s broke off: %w", redact(address), reason(err))
	}
	if err := check(res, body); err != nil {
		return nil, fmt.Errorf("the page %s %w", redact(address), err)
	}
	text, err := charset.NewReader(bytes.NewReader(body), res.Header.Get("Content-Type"))
	if err != nil {
		return nil, fmt.Errorf("the page %s has a character set the reader does not know", redact(address))
	}
	doc, err := goquery.NewDocumentFromReader(text)
	if err != nil {
		return nil, fmt.Errorf("the page %s cannot be read as HTML", redact(address))
	}
	p := newPage(res.Request.URL, doc)
	switch {
	case len(p.products) > 0:
	case p.text == "" && p.facts[title] == nil:
		return nil, fmt.Errorf("the page %s is blank", redact(address))
	case guarded(p.text):
		return nil, errGuarded(address)
	}
	return p, nil
}

// check refuses an answer that is no page.
func check(res *http.Response, body []byte) error {
	kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if kind == "" {
		kind, _, _ = mime.ParseMediaType(http.DetectContentType(body))
	}
	code := res.StatusCode
	status := fmt.Sprintf("%d %s", code, http.StatusText(code))
	switch {
	case code == http.StatusNotFound || code == http.StatusGone:
		return fmt.Errorf("does not exist (%s)", status)
	case code >= 500:
		return fmt.Errorf("is not available, its site has a problem (%s)", status)
	case code >= 400:
		return fmt.Errorf("was refused to the reader (%s)", status)
	case code < 200 || code > 299:
		return fmt.Errorf("did not come (%s)", status)
	case len(body) > maxPage:
		return fmt.Errorf("is larger than %d MiB", maxPage>>20)
	case len(bytes.TrimSpace(body)) == 0:
		return errors.New("is blank")
	case kind != "text/html" && kind != "application/xhtml+xml":
		return fmt.Errorf("is not HTML but %s", kind)
	}
	return nil
}

var guard = regexp.MustCompile(`(?i)captcha|are you (a )?(human|robot)|not a robot|verify (that )?you are (a )?human|unusual traffic|checking your browser`)

// guarded says whether a short page without any product asks for proof that
// the visitor is human.
func guarded(text string) bool { return len(text) < 2000 && guard.MatchString(text) }

func errGuarded(address string) error {
	return fmt.Errorf("the page %s wants proof that the visitor is human (captcha), which the reader is not", redact(address))
}

// reason takes the address off a client error: the sentence names it already.
func reason(err error) error {
	var netErr net.Error
	if errors.As(err, &netErr) && netErr.Timeout() {
		return fmt.Errorf("it did not answer within %d seconds", timeout/time.Second)
	}
	if urlErr, ok := errors.AsType[*url.Error](err); ok {
		return urlErr.Err
	}
	return err
}

// redact takes a password out of an address.
func redact(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	return u.Redacted()
}
