package reader

import (
	"bytes"
	"encoding/json"
	"image"
	"image/color"
	"image/jpeg"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"
	"github.com/stretchr/testify/require"

	"github.com/errand-dev/errand/sessionserver/agent"
	"github.com/errand-dev/errand/sessionserver/internal/agenttest"
)

// screen gives the screen of a session that keeps its worker.
func screen(s *agenttest.Session) agent.Screen {
	s.Worker = s.Open()
	return s.Worker.(agent.Screen)
}

func shoot(t *testing.T, s agent.Screen) agent.Screenshot {
	t.Helper()
	shot, err := s.Screenshot(t.Context())
	require.NoError(t, err)
	require.Equal(t, []int{1280, 800}, []int{shot.Width, shot.Height})
	picture := decoded(t, shot.JPEG)
	require.Equal(t, image.Rect(0, 0, 1280, 800), picture.Bounds())
	return shot
}

func decoded(t *testing.T, data []byte) image.Image {
	t.Helper()
	picture, err := jpeg.Decode(bytes.NewReader(data))
	require.NoError(t, err)
	return picture
}

// dark counts the pixels in a part of a picture that are neither paper nor shade.
func dark(picture image.Image, part image.Rectangle) int {
	n := 0
	for y := part.Min.Y; y < part.Max.Y; y++ {
		for x := part.Min.X; x < part.Max.X; x++ {
			if color.GrayModel.Convert(picture.At(x, y)).(color.Gray).Y < 0xb0 {
				n++
			}
		}
	}
	return n
}

func TestBeforeAnyPageTheScreenSaysSo(t *testing.T) {
	s := session(t)
	shot := shoot(t, screen(s))
	require.Empty(t, shot.URL)
	require.Empty(t, shot.Title)
	require.Positive(t, dark(decoded(t, shot.JPEG), image.Rect(0, bar, width, height/2)), "it says something")
	require.False(t, s.Worker.(agent.Sleeper).Awake())
	require.Nil(t, s.State, "looking changes nothing")
}

func TestAPageThatIsOpenedIsTheOneToRead(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/old" {
			http.Redirect(w, r, "/new?a=1", http.StatusMovedPermanently)
			return
		}
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<title>The page "+r.URL.Path+"</title>")
	}))
	defer server.Close()
	s := session(t)
	at, err := screen(s).Navigate(t.Context(), server.URL+"/old")
	require.NoError(t, err)
	require.Equal(t, server.URL+"/new?a=1", at)
	require.True(t, s.Worker.(agent.Sleeper).Awake())
	shot := shoot(t, s.Worker.(agent.Screen))
	require.Equal(t, []string{at, "The page /new"}, []string{shot.URL, shot.Title})
	require.Equal(t, facts{title: "The page /new"}, s.Send("title", "", false).Content)

	require.Equal(t, facts{title: "The page /b"}, s.Send("title", server.URL+"/b", false).Content)
	require.Equal(t, server.URL+"/b", shoot(t, s.Worker.(agent.Screen)).URL, "the screen follows the task")
	_, err = s.Worker.(agent.Screen).Navigate(t.Context(), server.URL+"/c")
	require.NoError(t, err)

	again := screen(s) // in another life of the server
	require.False(t, s.Worker.(agent.Sleeper).Awake(), "those who watch fetch nothing")
	require.Equal(t, server.URL+"/c", shoot(t, again).URL)
	require.Equal(t, facts{title: "The page /c"}, s.Send("title", "", false).Content)
}

func TestAPageThatCannotBeOpenedIsNotTheOneToRead(t *testing.T) {
	base, s := site(t, map[string]string{"/a": "<title>A</title>"})
	on := screen(s)
	_, err := on.Navigate(t.Context(), base+"/a")
	require.NoError(t, err)
	_, err = on.Navigate(t.Context(), base+"/none")
	require.EqualError(t, err, "the page "+base+"/none does not exist (404 Not Found)")
	require.Equal(t, "A", shoot(t, on).Title)
	require.Equal(t, agent.Done, s.Send("title", "", false).Type)

	require.Equal(t, agent.Error, s.Send("title", base+"/none", false).Type)
	_, err = on.Screenshot(t.Context())
	require.ErrorContains(t, err, "does not exist (404 Not Found)", "the task's own page cannot be shown")
}

func TestAPageOpenedWhileTheReaderWorksIsReadNext(t *testing.T) {
	asked, release := make(chan struct{}), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			close(asked)
			<-release
		}
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<title>"+r.URL.Path+"</title>")
	}))
	defer server.Close()
	s := session(t)
	on, over := screen(s), make(chan agent.Outcome)
	go func() { over <- s.Send("title", server.URL+"/slow", false) }()
	<-asked
	_, err := on.Navigate(t.Context(), server.URL+"/b")
	require.NoError(t, err)
	close(release)
	require.Equal(t, facts{title: "/slow"}, (<-over).Content, "the task is not disturbed")
	require.Equal(t, "/b", shoot(t, on).Title)
	require.JSONEq(t, `{"url":"`+server.URL+`/b","goal":"title"}`, string(s.State))
	require.Equal(t, facts{title: "/b"}, s.Send("title", "", false).Content)
}

func TestAnAnswerIsGivenOnThePageThatWasOpenedMeanwhile(t *testing.T) {
	base, s := site(t, map[string]string{
		"/a": script(shirt), "/b": script(strings.ReplaceAll(shirt, `"price":14`, `"price":13`)),
	})
	on := screen(s)
	require.Equal(t, agent.Question, s.Send("price", base+"/a", false).Type)
	_, err := on.Navigate(t.Context(), base+"/b")
	require.NoError(t, err)
	require.Equal(t, facts{price: json.Number("13"), currency: "EUR"}, s.Send("medium", "", true).Content)
}

func TestAStateThatCannotBeReadIsTold(t *testing.T) {
	base, s := site(t, map[string]string{"/a": "<title>A</title>"})
	s.State = json.RawMessage(`[]`)
	_, err := screen(s).Screenshot(t.Context())
	require.ErrorContains(t, err, "the reader cannot read what it remembered")
	_, err = s.Worker.(agent.Screen).Navigate(t.Context(), base+"/a")
	require.ErrorContains(t, err, "the reader cannot read what it remembered")
}

func TestNoPasswordIsShown(t *testing.T) {
	base, s := site(t, map[string]string{"/a": "<title>A</title>"})
	with := strings.Replace(base, "http://", "http://me:secret@", 1)
	at, err := screen(s).Navigate(t.Context(), with+"/a")
	require.NoError(t, err)
	require.NotContains(t, at, "secret")
	require.NotContains(t, shoot(t, s.Worker.(agent.Screen)).URL, "secret")
	require.Contains(t, string(s.State), "secret", "the next reading needs it")
}

// read makes a page of HTML.
func read(t *testing.T, html string) *page {
	t.Helper()
	doc, err := goquery.NewDocumentFromReader(strings.NewReader(html))
	require.NoError(t, err)
	return newPage(&url.URL{Scheme: "http", Host: "shop.example", Path: "/p"}, doc)
}

func TestWhatIsSeenOfAPage(t *testing.T) {
	many := `[` + strings.TrimSuffix(strings.Repeat(mug+",", 20), ",") + `]`
	many = strings.ReplaceAll(many, `"name":"Mug"`, `"name":"Mug `) // told apart below
	for i := 1; strings.Contains(many, `"Mug ,`); i++ {
		many = strings.Replace(many, `"Mug ,`, `"Mug `+strings.Repeat("I", i)+`",`, 1)
	}
	for name, tt := range map[string]struct {
		html string
		rows []row
	}{
		"a product": {script(`{"@type":"Product",` + teapot + `}`),
			[]row{{"name", "Teapot"}, {"price", "24.50"}, {"currency", "EUR"}, {"availability", "InStock"}}},
		"a product in variants": {script(shirt),
			[]row{{"name", "Shirt"}, {"brand", "Loom"}, {"variant", "Small: 12 EUR"}, {"variant", "Medium: 14 EUR"}}},
		"two products": {script(`[` + mug + `,{"@type":"Product",` + teapot + `}]`),
			[]row{{"product", "Mug: 9 EUR"}, {"product", "Teapot: 24.50 EUR"}}},
		"no product":     {`<title>Page</title><meta name="description" content="Who we are."><body>text`, []row{{"description", "Who we are."}}},
		"a bare page":    {`<title>Page</title>text`, nil},
		"many, to a sum": {script(many), nil},
	} {
		t.Run(name, func(t *testing.T) {
			s := see(read(t, tt.html))
			require.Equal(t, []string{"http://shop.example/p", "Page", "text"}, []string{s.url, s.title, s.text})
			if name == "many, to a sum" {
				require.Len(t, s.rows, maxRows+1)
				require.Equal(t, row{"", "… and 8 more"}, s.rows[maxRows])
				return
			}
			require.Equal(t, tt.rows, s.rows)
		})
	}
	require.Equal(t, "A bc d", see(read(t, "<p>A</p><div>b<i>c</i><br>d</div>")).text)
	require.Len(t, []rune(see(read(t, "<p>"+strings.Repeat("ä", maxText+1))).text), maxText)
}

func TestAPictureStaysInItsMargins(t *testing.T) {
	long := strings.Repeat("A long word: "+strings.Repeat("w", 300)+" ", 40)
	s := &sight{url: "http://a.example/" + strings.Repeat("x", 1980), title: long, text: long}
	for range maxRows {
		s.rows = append(s.rows, row{"description", long})
	}
	data, err := draw(s)
	require.NoError(t, err)
	picture := decoded(t, data)
	require.Zero(t, dark(picture, image.Rect(width-margin+1, 0, width, height)))
	require.Zero(t, dark(picture, image.Rect(0, 0, margin-1, height)))
	require.Positive(t, dark(picture, image.Rect(margin, 0, width-margin, bar)), "the address")
	require.Positive(t, dark(picture, image.Rect(margin, bar, width-margin, bar+130)), "the title")
	require.Positive(t, dark(picture, image.Rect(margin+column, bar+130, width-margin, height)), "the facts")
}

func TestThePictureOfAProductPage(t *testing.T) {
	file := os.Getenv("READER_TEST_SCREENSHOT")
	body := "<body><h1>Shirt</h1><p>" + strings.Repeat("A shirt of good cotton, made to last, in two sizes. Größe, čeština, Ελληνικά. ", 60)
	data, err := draw(see(read(t, strings.Replace(script(shirt), "<body>text</body>", body, 1))))
	require.NoError(t, err)
	picture := decoded(t, data)
	require.Positive(t, dark(picture, image.Rect(margin, height-60, width-margin, height)), "the text goes down to the end")
	again, err := draw(see(read(t, strings.Replace(script(shirt), "<body>text</body>", body, 1))))
	require.NoError(t, err)
	require.Equal(t, data, again, "who has seen it need not get it again")
	if file != "" {
		require.NoError(t, os.WriteFile(file, data, 0o600))
	}
}
