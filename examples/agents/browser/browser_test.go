//go:build examples

package main

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"image/jpeg"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/errand-dev/errand/examples/agents/internal/agenttest"
)

// shop serves product pages that a script draws, and counts the orders.
type shop struct {
	*httptest.Server
	orders atomic.Int32
	silent chan struct{} // closed at the end: /mute keeps its promise until then
}

// drawn is a page that is empty until its script has run.
const drawn = `<!doctype html><title>Shop</title><style>body{font:24px sans-serif;background:#fed}</style>
<main id="main">Loading</main><script>setTimeout(() => { document.getElementById("main").innerHTML = %s }, 300)</script>`

const withClasses = "`<p>Thank you for your visit</p><h2 class=product-name>Blue Teapot</h2><p class=price>24,50 €</p><button id=b>Buy now</button><p role=status id=s></p>`; " +
	`document.getElementById("b").onclick = async () => {
		document.getElementById("s").textContent = await (await fetch("%s", {method: "POST"})).text() }`

const withJSONLD = "`<h1>Lamp</h1>`; const ld = document.createElement('script'); ld.type = 'application/ld+json';" +
	`ld.textContent = '{"@graph":[{"@type":"Product","name":"Lamp","offers":[{"price":1024.50,"priceCurrency":"EUR"}]}]}'; document.body.append(ld)`

const withItemprops = "`<div itemscope itemtype=https://schema.org/Product><b itemprop=name>Mug</b>" +
	"<i itemprop=price content=9.90>9,90</i><i itemprop=priceCurrency content=CHF></i><form method=post action=/order><button>Order</button></form></div><p>Thank you for your visit</p>`"

func openShop(t *testing.T) *shop {
	t.Helper()
	s := &shop{silent: make(chan struct{})}
	mux := http.NewServeMux()
	for path, script := range map[string]string{
		"/teapot": fmt.Sprintf(withClasses, "/order"),
		"/mute":   fmt.Sprintf(withClasses, "/never"),
		"/lamp":   withJSONLD,
		"/mug":    withItemprops,
		"/about":  "`<h1>About us</h1>`",
	} {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, drawn, script) })
	}
	mux.HandleFunc("POST /order", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, "<h1>Thank you, this is order %d.</h1>", s.orders.Add(1))
	})
	mux.HandleFunc("POST /never", func(http.ResponseWriter, *http.Request) {
		s.orders.Add(1)
		<-s.silent
	})
	mux.HandleFunc("GET /login", func(w http.ResponseWriter, _ *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "visit", Value: "session"})
		http.SetCookie(w, &http.Cookie{Name: "member", Value: "stays", MaxAge: 3600})
		fmt.Fprint(w, "<h1>Hello</h1>")
	})
	mux.HandleFunc("GET /club", func(w http.ResponseWriter, r *http.Request) {
		names := ""
		for _, c := range r.Cookies() {
			names += c.Name + " "
		}
		fmt.Fprintf(w, "<h1 class=product-name>For: %s</h1><p class=price>1</p>", names)
	})
	s.Server = httptest.NewServer(mux)
	t.Cleanup(func() { close(s.silent); s.Close() })
	return s
}

// start starts the agent and lets it say what it can.
func start(t *testing.T, dir string, state any) *agenttest.Agent {
	t.Helper()
	_, err := find(os.Getenv("CHROMIUM_PATH"))
	require.NoError(t, err, "this test needs Chromium: apt-get install chromium")
	a := startAgent(t, dir, state)
	require.Empty(t, a.Wait("ready").Text("cannot_restore"))
	return a
}

func ask(a *agenttest.Agent, url, text string) {
	a.Send(line{"type": "message", "id": 1, "text": text, "start_url": url})
}

func answer(a *agenttest.Agent, text string) {
	a.Send(line{"type": "answer", "id": 3, "question_id": 2, "text": text})
}

// requirePicture checks that a line carries a real picture of a page.
func requirePicture(t *testing.T, l line) []byte {
	t.Helper()
	data, err := base64.StdEncoding.DecodeString(l.Text("jpeg"))
	require.NoError(t, err)
	img, err := jpeg.Decode(bytes.NewReader(data))
	require.NoError(t, err)
	require.EqualValues(t, img.Bounds().Dx(), l["width"])
	require.EqualValues(t, img.Bounds().Dy(), l["height"])
	require.Greater(t, img.Bounds().Dx(), 800)
	require.Greater(t, img.Bounds().Dy(), 400)
	colours := map[uint32]bool{}
	for y := range img.Bounds().Dy() {
		for x := range img.Bounds().Dx() {
			r, g, b, _ := img.At(x, y).RGBA()
			colours[r>>12<<8|g>>12<<4|b>>12] = true
		}
	}
	require.Greater(t, len(colours), 5, "the picture is of one colour, or nearly so")
	return data
}

func TestProductsAreReadOnceTheScriptHasDrawnThem(t *testing.T) {
	shop := openShop(t)
	a := start(t, t.TempDir(), nil)
	for path, want := range map[string]map[string]any{
		"/teapot": {"name": "Blue Teapot", "price": "24,50", "currency": "€"},
		"/lamp":   {"name": "Lamp", "price": "1024.50", "currency": "EUR"},
		"/mug":    {"name": "Mug", "price": "9.90", "currency": "CHF"},
	} {
		ask(a, shop.URL+path, "Report name and price")
		want["url"] = shop.URL + path
		require.Equal(t, want, a.Wait("done")["result"])
	}
	a.Send(line{"type": "message", "id": 9, "text": "See " + shop.URL + "/lamp."})
	require.Equal(t, "Lamp", a.Wait("done")["result"].(map[string]any)["name"])
	a.Send(line{"type": "message", "id": 11, "text": "And once more the same page"})
	require.Equal(t, "Lamp", a.Wait("done")["result"].(map[string]any)["name"])
	require.NoError(t, a.End())
}

func TestNothingIsBoughtBeforeTheYes(t *testing.T) {
	shop := openShop(t)
	a := start(t, t.TempDir(), nil)
	ask(a, shop.URL+"/teapot", "Buy the teapot")
	require.Equal(t, "Buy Blue Teapot for 24,50 €? (yes/no)", a.Wait("question").Text("text"))
	require.Zero(t, shop.orders.Load())
	a.Send(line{"type": "screenshot"})
	picture := a.Wait("screenshot")
	require.Equal(t, shop.URL+"/teapot", picture.Text("url"))
	require.Equal(t, "Shop", picture.Text("title"))
	data := requirePicture(t, picture)
	if file := os.Getenv("BROWSER_TEST_SCREENSHOT"); file != "" {
		require.NoError(t, os.WriteFile(file, data, 0o600))
	}
	answer(a, "hm")
	a.Wait("question")
	require.Zero(t, shop.orders.Load())
	answer(a, "Yes!")
	require.Equal(t, map[string]any{
		"name": "Blue Teapot", "price": "24,50", "currency": "€", "url": shop.URL + "/teapot",
		"bought": true, "confirmation": "<h1>Thank you, this is order 1.</h1>",
	}, a.Wait("done")["result"])
	require.EqualValues(t, 1, shop.orders.Load())
	require.NoError(t, a.End())
}

func TestAConfirmationMayBeAPageOfItsOwn(t *testing.T) {
	shop := openShop(t)
	a := start(t, t.TempDir(), nil)
	ask(a, shop.URL+"/mug", "Order one")
	a.Wait("question")
	answer(a, "y")
	result := a.Wait("done")["result"].(map[string]any)
	require.Equal(t, "Thank you, this is order 1.", result["confirmation"])
	require.EqualValues(t, 1, shop.orders.Load())
	require.NoError(t, a.End())
}

func TestANoBuysNothing(t *testing.T) {
	shop := openShop(t)
	a := start(t, t.TempDir(), nil)
	ask(a, shop.URL+"/teapot", "Buy the teapot")
	a.Wait("question")
	answer(a, "no")
	require.Equal(t, false, a.Wait("done")["result"].(map[string]any)["bought"])
	require.Zero(t, shop.orders.Load())
	require.NoError(t, a.End())
}

func TestAPageThatChangedSinceTheQuestionIsNotBoughtFrom(t *testing.T) {
	shop := openShop(t)
	a := start(t, t.TempDir(), nil)
	ask(a, shop.URL+"/teapot", "Buy the teapot")
	a.Wait("question")
	a.Send(line{"type": "navigate", "url": shop.URL + "/mug#here"})
	require.Equal(t, shop.URL+"/mug#here", a.Wait("navigated").Text("url"))
	answer(a, "yes")
	require.Contains(t, a.Wait("error").Text("text"), "nothing was bought")
	require.Zero(t, shop.orders.Load())
	require.NoError(t, a.End())
}

func TestACancelStopsTheTaskAndKeepsTheBrowser(t *testing.T) {
	shop := openShop(t)
	a := start(t, t.TempDir(), nil)
	ask(a, shop.URL+"/about", "Report the price") // waits for a product in vain
	a.Wait("screenshot")
	before := chromiums(t, a)
	a.Send(line{"type": "cancel"})
	a.Wait("cancelled")
	ask(a, shop.URL+"/teapot", "Buy it")
	a.Wait("question")
	a.Send(line{"type": "cancel"})
	a.Wait("cancelled")
	ask(a, shop.URL+"/teapot", "Report the price")
	a.Wait("done")
	require.Equal(t, before[0], chromiums(t, a)[0], "another Chromium was started")
	require.Zero(t, shop.orders.Load())
	require.NoError(t, a.End())
}

func TestACancelAfterTheClickSaysThatTheOrderIsUnknown(t *testing.T) {
	shop := openShop(t)
	a := start(t, t.TempDir(), nil)
	ask(a, shop.URL+"/mute", "Buy it")
	a.Wait("question")
	answer(a, "yes")
	require.Eventually(t, func() bool { return shop.orders.Load() == 1 }, 30*time.Second, 10*time.Millisecond)
	a.Send(line{"type": "cancel"})
	require.Contains(t, a.Wait("error").Text("text"), "whether Blue Teapot was bought is unknown")
	require.NoError(t, a.End())
}

func TestAPageWithoutAProductIsAnErrorThatSaysSo(t *testing.T) {
	shop := openShop(t)
	a := start(t, t.TempDir(), nil)
	ask(a, shop.URL+"/about", "Report the price")
	require.Contains(t, a.Wait("error").Text("text"), shop.URL+"/about shows no product: within 20s")
	ask(a, shop.URL+"/lamp", "Buy it")
	require.Contains(t, a.Wait("error").Text("text"), "no button to buy it")
	ask(a, "http://127.0.0.1:1/", "Report the price")
	require.Contains(t, a.Wait("error").Text("text"), "cannot be opened")
	require.NoError(t, a.End())
}

func TestAPauseStopsChromiumAndTheTaskGoesOnAfterIt(t *testing.T) {
	shop := openShop(t)
	dir := t.TempDir()
	a := start(t, dir, nil)
	ask(a, shop.URL+"/teapot", "Buy it")
	a.Wait("question")
	for _, p := range processes(t) {
		if strings.Contains(p.command, "--user-data-dir="+dir) {
			require.Equal(t, a.Group(), p.group, "outside the agent's process group: %s", p.command)
		}
	}
	a.Signal(syscall.SIGSTOP)
	require.Eventually(t, func() bool {
		for _, p := range processes(t) {
			if p.group == a.Group() && p.state != "T" && p.state != "Z" {
				return false
			}
		}
		return true
	}, 10*time.Second, 10*time.Millisecond, "something in the group still runs")
	require.NotEmpty(t, chromiums(t, a))
	answer(a, "yes")
	require.Zero(t, shop.orders.Load())
	a.Signal(syscall.SIGCONT)
	require.Equal(t, true, a.Wait("done")["result"].(map[string]any)["bought"])
	require.NoError(t, a.End())
}

func TestTheDeathOfChromiumFailsTheTaskAndTheNextOneHasANewOne(t *testing.T) {
	shop := openShop(t)
	a := start(t, t.TempDir(), nil)
	for _, page := range []struct{ path, sign string }{
		{"/about", "screenshot"}, // in the middle of its work
		{"/teapot", "question"},  // while a person thinks
	} {
		ask(a, shop.URL+page.path, "Buy it")
		a.Wait(page.sign)
		require.NoError(t, syscall.Kill(chromiums(t, a)[0], syscall.SIGKILL))
		require.Equal(t, errGone.Error(), a.Wait("error").Text("text"))
	}
	ask(a, shop.URL+"/teapot", "Report the price")
	a.Wait("done")
	require.NoError(t, a.End())
}

func TestTheEndOfTheAgentIsTheEndOfChromium(t *testing.T) {
	shop := openShop(t)
	for _, end := range []func(*agenttest.Agent){
		func(a *agenttest.Agent) { require.NoError(t, a.End()) },
		func(a *agenttest.Agent) { require.NoError(t, syscall.Kill(a.Group(), syscall.SIGKILL)) },
	} {
		a := start(t, t.TempDir(), nil)
		ask(a, shop.URL+"/teapot", "Buy it")
		a.Wait("question")
		end(a)
		require.Eventually(t, func() bool { return len(chromiums(t, a)) == 0 }, 10*time.Second, 10*time.Millisecond)
	}
}

func TestCookiesAndPageComeBackFromTheState(t *testing.T) {
	shop := openShop(t)
	a := start(t, t.TempDir(), nil)
	a.Send(line{"type": "navigate", "url": shop.URL + "/login"})
	a.Wait("navigated")
	a.Send(line{"type": "navigate", "url": shop.URL + "/club"})
	a.Wait("navigated")
	a.Send(line{"type": "save"})
	state := a.Wait("state")["state"]
	require.NoError(t, a.End())

	b := start(t, t.TempDir(), state)
	b.Send(line{"type": "save"}) // before it was ever needed
	require.Equal(t, state, b.Wait("state")["state"])
	b.Send(line{"type": "message", "id": 1, "text": "Report the price"})
	result := b.Wait("done")["result"].(map[string]any)
	require.Equal(t, shop.URL+"/club", result["url"])
	require.Contains(t, result["name"], "visit")
	require.Contains(t, result["name"], "member")
	require.NoError(t, b.End())
}

func TestAProfileCopiedWithItsLockStillHasItsLogIn(t *testing.T) {
	shop := openShop(t)
	a := start(t, t.TempDir(), nil)
	a.Send(line{"type": "navigate", "url": shop.URL + "/login"})
	a.Wait("navigated")
	require.NoError(t, a.End())
	profile := filepath.Join(a.Dir, "chromium")
	require.NoError(t, os.Symlink("elsewhere-1", filepath.Join(profile, "SingletonLock")))

	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS(a.Dir)))
	b := start(t, dir, nil)
	ask(b, shop.URL+"/club", "Report the price")
	require.Equal(t, "For: member", b.Wait("done")["result"].(map[string]any)["name"])
	require.NoError(t, b.End())
}

// process is what the kernel tells of one.
type process struct {
	pid, parent, group int
	state, command     string
}

func processes(t *testing.T) []process {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	require.NoError(t, err)
	var all []process
	for _, file := range stats {
		stat, err := os.ReadFile(file)
		if err != nil {
			continue // it has just ended
		}
		command, _ := os.ReadFile(filepath.Join(filepath.Dir(file), "cmdline"))
		// pid (name) state parent group …, and the name may hold anything
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		rest := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		parent, _ := strconv.Atoi(rest[1])
		group, _ := strconv.Atoi(rest[2])
		all = append(all, process{pid, parent, group, rest[0], strings.ReplaceAll(string(command), "\x00", " ")})
	}
	return all
}

// chromiums gives the process ids of the agent's living Chromium, the one that
// the agent has started first.
func chromiums(t *testing.T, a *agenttest.Agent) []int {
	t.Helper()
	var pids []int
	for _, p := range processes(t) {
		if !strings.Contains(p.command, "--user-data-dir="+a.Dir) || p.state == "Z" {
			continue
		}
		if p.parent == a.Group() {
			pids = append([]int{p.pid}, pids...)
		} else {
			pids = append(pids, p.pid)
		}
	}
	return pids
}
