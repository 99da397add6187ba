package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"image/jpeg"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/storage"
	"github.com/chromedp/chromedp"
)

// pageJS is an object of functions that look at a page.
//
//go:embed page.js
var pageJS string

var (
	errNoPage = errors.New("no page is open yet")
	errGone   = errors.New("the Chromium of this session has ended unexpectedly")
)

const (
	width, height = 1280, 800 // of the window, in pixels
	loadTime      = 30 * time.Second
	wakeTime      = 5 * time.Second // for the page of a restored session, before a picture
	closeTime     = 2 * time.Second
)

// memory is what can be carried into another session besides the profile on
// disk: cookies that end with the browser are not on disk at all.
type memory struct {
	URL     string                 `json:"url,omitempty"`
	Cookies []*network.CookieParam `json:"cookies,omitempty"`
}

// browser is one Chromium with one page, started when it is first needed. Its
// methods may be called at the same time.
type browser struct {
	path    string // of the program; empty: found in PATH
	profile string // folder, in the session's working directory

	loading sync.Mutex // one page at a time

	mu       sync.Mutex // of all below
	tab      context.Context
	restored memory // to begin with
}

// open loads the page, starting Chromium if it does not run, and tells where
// that led.
func (b *browser) open(ctx context.Context, url string) (string, error) {
	b.loading.Lock()
	defer b.loading.Unlock()
	if err := b.start(); err != nil {
		return "", err
	}
	if err := b.load(ctx, url); err != nil {
		return "", err
	}
	return b.location(ctx)
}

// load needs the lock of loading.
func (b *browser) load(ctx context.Context, url string) error {
	ctx, cancel := patience(ctx, loadTime, fmt.Errorf("%s has not loaded within %s", url, loadTime))
	defer cancel()
	_, err := run(ctx, b, chromedp.Navigate(url))
	if failed := (*chromedp.LoadError)(nil); errors.As(err, &failed) {
		return fmt.Errorf("%s cannot be opened: %s", url, strings.TrimPrefix(failed.ErrorText, "net::"))
	}
	return err
}

// reopen brings back the page of a restored session, if there is one and no
// other has been opened. It tells the address, empty if no page is open.
func (b *browser) reopen(ctx context.Context) (string, error) {
	if url, fresh := b.beginning(); fresh && url != "" {
		if err := b.wake(ctx); err != nil {
			return "", err
		}
	}
	url, err := b.location(ctx)
	if errors.Is(err, errNoPage) {
		return "", nil
	}
	return url, err
}

// beginning tells what page a restored session begins with, and whether
// Chromium has not been started yet.
func (b *browser) beginning() (url string, fresh bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.restored.URL, b.tab == nil
}

// wake starts Chromium if that was never needed yet, with the page of a
// restored session if there is one.
func (b *browser) wake(ctx context.Context) error {
	if _, fresh := b.beginning(); !fresh {
		return nil
	}
	b.loading.Lock()
	defer b.loading.Unlock()
	url, fresh := b.beginning()
	if !fresh { // it was needed for another page meanwhile
		return nil
	}
	if err := b.start(); err != nil || url == "" {
		return err
	}
	return b.load(ctx, url)
}

// location is the address of the page, errNoPage if there is none.
func (b *browser) location(ctx context.Context) (string, error) {
	url, err := run(ctx, b, chromedp.Location())
	if err == nil && url == "about:blank" {
		err = errNoPage
	}
	return url, err
}

// look makes a call to page.js; its result is T or, as null, nil.
func look[T any](ctx context.Context, b *browser, call string) (*T, error) {
	return run(ctx, b, chromedp.Evaluate[*T]("("+pageJS+")."+call))
}

// await looks until there is something to see. A page that is just being
// replaced cannot be looked at, so errors only count at the end.
func await[T any](ctx context.Context, b *browser, call string) (*T, error) {
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for {
		seen, _ := look[T](ctx, b, call)
		if seen != nil {
			return seen, nil
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// click clicks on the element that a call to page.js gives, with the mouse.
func (b *browser) click(ctx context.Context, call string) error {
	_, err := run(ctx, b, chromedp.Click(chromedp.JSPath("("+pageJS+")."+call)))
	return err
}

// screenshot takes a picture of what the window shows: nothing before the first
// page, and of a restored session's page as much as is there in time.
func (b *browser) screenshot(ctx context.Context) (picture, error) {
	brief, stop := patience(ctx, wakeTime, fmt.Errorf("the page has not loaded within %s", wakeTime))
	err := b.wake(brief)
	slow := brief.Err() != nil
	stop()
	if err != nil && !slow {
		return picture{}, err
	}
	url, err := run(ctx, b, chromedp.Location())
	if err != nil {
		return picture{}, err
	}
	title, err := run(ctx, b, chromedp.Title())
	if err != nil {
		return picture{}, err
	}
	data, err := run(ctx, b, func(ctx context.Context, t *chromedp.Target) ([]byte, error) {
		quality := int64(75)
		shot := page.CaptureScreenshotParams{Format: page.CaptureScreenshotFormatJpeg, Quality: &quality}
		res, err := cdp.Call(ctx, t, page.CaptureScreenshot, shot)
		return res.Data, err
	})
	if err != nil {
		return picture{}, err
	}
	size, err := jpeg.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return picture{}, fmt.Errorf("the picture is no JPEG: %w", err)
	}
	return picture{JPEG: data, URL: url, Title: title, Width: size.Width, Height: size.Height}, nil
}

// restore takes what save gave in another session.
func (b *browser) restore(state json.RawMessage) error {
	var m memory
	if err := json.Unmarshal(state, &m); err != nil {
		return fmt.Errorf("the state is not that of a browser: %w", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.restored = m
	return nil
}

// save gives the page's address and all cookies, to restore from.
func (b *browser) save(ctx context.Context) (any, error) {
	b.mu.Lock()
	kept, fresh := b.restored, b.tab == nil
	b.mu.Unlock()
	if fresh {
		return kept, nil
	}
	url, err := b.location(ctx)
	if err != nil && !errors.Is(err, errNoPage) {
		return nil, err
	}
	found, err := run(ctx, b, func(ctx context.Context, t *chromedp.Target) (storage.GetCookiesResult, error) {
		return cdp.Call(ctx, t, storage.GetCookies, storage.GetCookiesParams{})
	})
	if err != nil {
		return nil, err
	}
	m := memory{Cookies: make([]*network.CookieParam, len(found.Cookies))}
	if url != "about:blank" {
		m.URL = url
	}
	for i, c := range found.Cookies {
		m.Cookies[i] = &network.CookieParam{
			Name: c.Name, Value: c.Value, Domain: c.Domain, Path: c.Path, Secure: c.Secure, HTTPOnly: c.HTTPOnly,
			SameSite: c.SameSite, Priority: c.Priority, SourceScheme: c.SourceScheme, SourcePort: c.SourcePort,
			PartitionKey: c.PartitionKey,
		}
		if !c.Session {
			m.Cookies[i].Expires = cdp.TimeSinceEpoch(c.Expires)
		}
	}
	return m, nil
}

// bind gives a context that ends with the browser, too.
func (b *browser) bind(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.tab == nil {
		return ctx, func() { cancel(nil) }
	}
	stop := context.AfterFunc(b.tab, func() { cancel(errGone) })
	return ctx, func() { stop(); cancel(nil) }
}

// run does one action on the page. A free function, as methods have no type
// parameters.
func run[T any](ctx context.Context, b *browser, action chromedp.Action[T]) (T, error) {
	var none T
	b.mu.Lock()
	tab := b.tab
	b.mu.Unlock()
	if tab == nil {
		return none, errNoPage
	}
	// chromedp wants a context that comes from the tab's; it ends with ours.
	inner, cancel := context.WithCancel(tab)
	defer cancel()
	defer context.AfterFunc(ctx, cancel)()
	result, err := chromedp.Run(inner, action)
	switch {
	case err == nil:
		return result, nil
	case ctx.Err() != nil:
		return none, context.Cause(ctx)
	case tab.Err() != nil:
		return none, errGone
	}
	return none, err
}

// start starts Chromium if it does not run, with the restored cookies.
func (b *browser) start() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.tab != nil && b.tab.Err() == nil {
		return nil
	}
	program, err := find(b.path)
	if err != nil {
		return err
	}
	profile, err := filepath.Abs(b.profile)
	if err != nil {
		return err
	}
	// A profile that was copied out of a running session still has the lock of
	// a Chromium on another machine or with another process id.
	for _, lock := range []string{"SingletonLock", "SingletonSocket", "SingletonCookie"} {
		if err := os.Remove(filepath.Join(profile, lock)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("the profile is locked: %w", err)
		}
	}
	// The allocator's way to start Chromium leaves it in our process group, so
	// that a pause and a kill reach it, and lets it die with us.
	tab, cancel := chromedp.NewContext(context.Background(),
		chromedp.WithAllocatorOptions(
			chromedp.ExecPath(program),
			chromedp.UserDataDir(profile),
			chromedp.WindowSize(width, height),
			chromedp.NoSandbox, // it needs rights that containers do not give
			chromedp.Flag("disable-gpu", true),
			chromedp.Flag("disable-quic", true),
			chromedp.Flag("disable-component-update", true),
			chromedp.Flag("disable-crash-reporter", true),
		),
		chromedp.WithErrorf(func(string, ...any) {}), // unknown events of a newer Chromium
	)
	cookies := storage.SetCookiesParams{Cookies: b.restored.Cookies}
	err = chromedp.Do(tab, chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		if len(cookies.Cookies) == 0 {
			return nil
		}
		_, err := cdp.Call(ctx, t, storage.SetCookies, cookies)
		return err
	}))
	if err != nil {
		cancel()
		return fmt.Errorf("%s cannot be started: %w", program, err)
	}
	b.tab = tab
	return nil
}

// find gives the path of Chromium.
func find(path string) (string, error) {
	names := []string{"chromium", "chromium-browser", "google-chrome"}
	if path != "" {
		names = []string{path}
	}
	for _, name := range names {
		if found, err := exec.LookPath(name); err == nil {
			return found, nil
		}
	}
	return "", fmt.Errorf("there is no Chromium (looked for %s): install it (apt-get install chromium) or name it in CHROMIUM_PATH",
		strings.Join(names, ", "))
}

// close ends Chromium. It lets it write its profile, but not for long.
func (b *browser) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.tab == nil || b.tab.Err() != nil {
		return
	}
	ctx, cancel := context.WithTimeout(b.tab, closeTime)
	defer cancel()
	_ = chromedp.Cancel(ctx) // what is left dies with this process
}

// patience ends a context after so much time of ours. A deadline would go on
// while the process is paused; a ticker misses those ticks.
func patience(ctx context.Context, limit time.Duration, cause error) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		const step = 100 * time.Millisecond
		tick := time.NewTicker(step)
		defer tick.Stop()
		for range limit / step {
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
		cancel(cause)
	}()
	return ctx, func() { cancel(nil) }
}
