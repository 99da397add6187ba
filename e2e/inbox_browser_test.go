//go:build browser

package e2e

import (
	"context"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"
)

// ctrl is the key of that name, as the DevTools protocol counts them.
const ctrl = 2

// browser is a headless Chromium in which a person looks at the inbox.
type browser struct {
	t      *testing.T
	ctx    context.Context
	mu     sync.Mutex
	faults []string // what the page complained of: scripts, styles, policies
}

func openBrowser(t *testing.T) *browser {
	t.Helper()
	program, err := exec.LookPath("chromium")
	require.NoError(t, err, "these tests need Chromium: apt-get install chromium")
	ctx, cancel := chromedp.NewContext(longer(t),
		chromedp.WithAllocatorOptions(
			chromedp.ExecPath(program), chromedp.UserDataDir(t.TempDir()), chromedp.WindowSize(1000, 900),
			chromedp.NoSandbox, // it needs rights that containers do not give
			chromedp.Flag("disable-gpu", true), chromedp.Flag("disable-component-update", true),
		),
		chromedp.WithErrorf(func(string, ...any) {})) // unknown events of a newer Chromium
	b := &browser{t: t, ctx: ctx}
	t.Cleanup(func() {
		_ = chromedp.Cancel(ctx) // what is left dies with the test
		cancel()
	})
	b.do(chromedp.Navigate("about:blank"))
	go func() {
		for m, err := range chromedp.Console(ctx) {
			if err != nil {
				return // the browser is closed
			}
			if m.Type == chromedp.ConsoleException || m.Type == "error" {
				b.mu.Lock()
				b.faults = append(b.faults, m.Text)
				b.mu.Unlock()
			}
		}
	}()
	return b
}

func (b *browser) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	require.NoError(b.t, chromedp.Do(b.ctx, steps...))
}

func eval[T any](b *browser, expression string) T {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression))
	require.NoError(b.t, err, expression)
	return v
}

// until waits until an expression is true.
func (b *browser) until(expression string) {
	b.t.Helper()
	require.Eventually(b.t, func() bool {
		v, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](expression))
		return err == nil && v // an error is that of a page that is on its way
	}, patience, 50*time.Millisecond, expression)
}

// reads waits until the page has those words.
func (b *browser) reads(words string) {
	b.t.Helper()
	b.until(`document.body.innerText.includes(` + quoted(words) + `)`)
}

func quoted(s string) string { return "decodeURIComponent('" + url.PathEscape(s) + "')" }

func (b *browser) text() string { return eval[string](b, `document.body.innerText`) }

// press presses keys, one after the other.
func (b *browser) press(keys string, options ...chromedp.KeyOption) {
	b.t.Helper()
	b.do(chromedp.KeyEvent(keys, options...))
}

// look emulates a screen.
func (b *browser) look(width, height int64, scheme string) {
	b.t.Helper()
	b.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
			Width: width, Height: height, DeviceScaleFactor: 1, Mobile: width < 500,
		})
		if err == nil {
			_, err = cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
				Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
			})
		}
		return err
	}))
}

// picture takes one, into the folder that ERRAND_PICTURES names.
func (b *browser) picture(name string) {
	b.t.Helper()
	dir := os.Getenv("ERRAND_PICTURES")
	if dir == "" {
		return
	}
	png, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	require.NoError(b.t, err)
	require.NoError(b.t, os.WriteFile(filepath.Join(dir, name+".png"), png, 0o600))
}

// requireQuiet fails if the browser had anything to complain of.
func (b *browser) requireQuiet() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	require.Empty(b.t, b.faults)
}

// member is a browser that has followed the link.
func (h *home) member() (*browser, string) {
	h.t.Helper()
	h.dev()
	link := h.web()
	b := openBrowser(h.t)
	b.do(chromedp.Navigate(link))
	b.reads("Inbox")
	return b, link
}

func TestBrowserIsRefusedWithoutTheLink(t *testing.T) {
	h := newHome(t)
	h.dev()
	link, err := url.Parse(h.web())
	require.NoError(t, err)
	h.start("run", "--id", "secret", "--agent", "script", "ask What is the code?; finish 1").says("What is the code?")
	b := openBrowser(t)
	site := "http://" + link.Host

	b.do(chromedp.Navigate(site + "/tasks/secret"))
	require.Contains(t, b.text(), "You are not logged in")
	require.NotContains(t, eval[string](b, `document.documentElement.outerHTML`), "What is the code?")
	require.Equal(t, http.StatusUnauthorized, eval[int](b, `performance.getEntriesByType("navigation")[0].responseStatus`))

	b.do(chromedp.Navigate(link.String()))
	b.reads("What is the code?")
	require.Equal(t, site+"/", eval[string](b, `location.href`), "the token is not in the address")
	require.Empty(t, eval[string](b, `document.cookie`), "scripts cannot read the cookie")
}

func TestInTheBrowserAQuestionComesWithoutAReloadAndIsAnswered(t *testing.T) {
	h := newHome(t)
	b, _ := h.member()
	b.look(1000, 900, "light")
	b.reads("Nothing waits for you")
	b.picture("empty-light")
	eval[int](b, `window.samePage = 1`)

	run := h.start("run", "--id", "tee", "--url", "http://shop.localhost/tshirt", "Report the name and price of the t-shirt")
	h.start("run", "--id", "order-42", "--agent", "script", "--question-timeout", "3h", "--default-answer", "no",
		"think The parcel is packed; ask Ship order 42 by express for 12.50 EUR?; finish 1").says("Ship order")
	b.reads("Which variant do you mean?")
	b.reads("Ship order 42 by express")
	require.Equal(t, 1, eval[int](b, `window.samePage`), "it came without a reload")
	b.until(`document.title === "2 wait for you · Errand"`)
	b.look(1000, 500, "light")
	b.picture("inbox-light")
	b.look(1000, 500, "dark")
	b.picture("inbox-dark")
	b.look(1000, 1200, "light")

	b.do(chromedp.Click(`#w-agent-task-tee`))
	b.reads("What the agent said last")
	b.reads("Found product data")
	require.Equal(t, "text", eval[string](b, `document.activeElement.id`), "one can begin to type")
	b.picture("task-light")
	b.press("Medium")
	b.do(chromedp.Click(`form.answer button`))
	b.reads("Answered: q-1 of tee")
	require.Equal(t, 0, run.wait())
	require.Contains(t, run.out.String(), "14.00")
	require.Equal(t, "Medium", h.show("tee").Answers[0].Text)
	b.until(`!document.querySelector("#w-agent-task-tee")`)

	b.do(chromedp.NavigateBack())
	b.reads("Session deleted")
	b.reads("Result")
	b.picture("ended-light")
	b.requireQuiet()
}

func TestInTheBrowserWhatOneTypesStaysWhenSomebodyElseAnswers(t *testing.T) {
	h := newHome(t)
	b, link := h.member()
	run := h.start("run", "--id", "tee", "--agent", "script", `ask Which size?; wait 4s; ask Which colour?; finish 1`)
	b.reads("Which size?")
	b.do(chromedp.Click(`#w-agent-task-tee`))
	b.until(`document.activeElement.id === "text"`)
	b.press("I was thinking of")

	call[map[string]any](t, link, http.MethodPost, "/api/tasks/tee/answer", `{"text":"L","by":"bob"}`)
	b.reads("This question was answered by bob: L")
	require.Equal(t, "I was thinking of", eval[string](b, `document.querySelector("#text").value`))
	require.Equal(t, "text", eval[string](b, `document.activeElement.id`))
	b.press(" M")
	b.press(kb.Enter, chromedp.KeyModifiers(ctrl))
	b.reads("Question q-1 was already answered by bob")
	require.Equal(t, "I was thinking of M", eval[string](b, `document.querySelector(".unsent").innerText`))
	run.says("Which colour?")
	b.until(`document.querySelector("#asked-text")?.innerText === "Which colour?"`)
	require.Empty(t, eval[string](b, `document.querySelector("#text").value`), "nobody answers one question with the answer to another")
}

func TestInTheBrowserTheKeyboardIsEnough(t *testing.T) {
	h := newHome(t)
	b, _ := h.member()
	run := h.start("run", "--id", "tee", "--agent", "script", `ask Which size?; finish "{{answer}}"`)
	b.reads("Which size?")
	b.tabTo(`w-agent-task-tee`)
	require.NotEqual(t, "none", eval[string](b, `getComputedStyle(document.activeElement, "::after").outlineStyle`), "one sees where one is")
	b.press(kb.Enter)
	b.until(`document.activeElement.id === "text"`)
	b.press("M")
	b.press(kb.Enter, chromedp.KeyModifiers(ctrl))
	b.reads("Answered: q-1 of tee")
	require.Equal(t, 0, run.wait())
	require.Equal(t, "M", h.show("tee").Answers[0].Text)

	h.start("run", "--id", "slow", "--agent", "script", `ask Go on?; finish 1`).says("Go on?")
	b.until(`!!document.querySelector("#w-agent-task-slow")`)
	b.tabTo(`w-agent-task-slow`)
	b.press(kb.Enter)
	b.reads("Go on?")
	b.tabTo("hold")
	b.press(kb.Enter)
	b.until(`document.querySelector("#hold")?.innerText === "Resume"`)
	require.Equal(t, "paused", h.show("slow").Status)
	b.tabTo("hold")
	b.press(kb.Enter)
	b.until(`document.querySelector("#hold")?.innerText === "Pause"`)
	b.tab(`document.activeElement.tagName === "SUMMARY"`)
	b.press(kb.Enter)
	b.tab(`document.activeElement.className === "danger"`)
	b.press(kb.Enter)
	b.reads("Session deleted")
	require.Equal(t, "cancelled", h.show("slow").Status)
	b.requireQuiet()
}

func (b *browser) tabTo(id string) {
	b.t.Helper()
	b.tab(`document.activeElement.id === "` + id + `"`)
}

// tab presses Tab until the focus is where it shall be.
func (b *browser) tab(there string) {
	b.t.Helper()
	for range 30 {
		if eval[bool](b, there) {
			return
		}
		b.press(kb.Tab)
	}
	require.Fail(b.t, "the keyboard does not lead there", there)
}

func TestInTheBrowserOfAPhoneThePagesFitInLightAndDark(t *testing.T) {
	h := newHome(t)
	b, link := h.member()
	site, err := url.Parse(link)
	require.NoError(t, err)
	h.start("run", "--id", "tee", "--url", "http://shop.localhost/tshirt", "Report the name and price of the t-shirt").says("Which variant")
	for _, scheme := range []string{"light", "dark"} {
		b.look(375, 812, scheme)
		for name, path := range map[string]string{"inbox": "/", "task": "/tasks/tee", "missing": "/tasks/nobody"} {
			b.do(chromedp.Navigate("http://" + site.Host + path))
			b.until(`document.readyState === "complete"`)
			require.LessOrEqual(t, eval[int](b, `document.documentElement.scrollWidth`), 375, "%s scrolls sideways", path)
			small := eval[int](b, `[...document.querySelectorAll("button")].filter(e => e.checkVisibility() && e.offsetHeight < 44).length`)
			require.Zero(t, small, "buttons are large enough for a finger")
			require.GreaterOrEqual(t, eval[float64](b, leastContrast), 4.5, "%s %s can be read", scheme, path)
			unnamed := eval[int](b, `[...document.querySelectorAll("input:not([type=hidden]), textarea")].filter(e => !e.labels.length).length`)
			require.Zero(t, unnamed, "every field has a label")
			b.picture(name + "-phone-" + scheme)
		}
	}
}

// leastContrast is the lowest contrast of a text on the page, by the formula of
// WCAG 2.
const leastContrast = `(() => {
	const channels = (c) => c.match(/[\d.]+/g).map(Number);
	const light = ([r, g, b]) => [r, g, b].map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
		.reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
	const behind = (e) => {
		for (; e; e = e.parentElement) {
			const c = channels(getComputedStyle(e).backgroundColor);
			if (c.length < 4 || c[3] > 0) return c;
		}
		return [255, 255, 255];
	};
	let least = 21;
	for (const e of document.querySelectorAll("main *, header *")) {
		if (!e.checkVisibility() || ![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())) continue;
		const [a, b] = [light(channels(getComputedStyle(e).color)), light(behind(e))].sort((x, y) => y - x);
		least = Math.min(least, (a + 0.05) / (b + 0.05));
	}
	return least;
})()`
