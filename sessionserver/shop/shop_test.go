package shop

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func open(t *testing.T, dir string) http.Handler {
	t.Helper()
	s, err := New(dir)
	require.NoError(t, err)
	return s.Handler("/shop")
}

func get(h http.Handler, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
	return w
}

func post(h http.Handler, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", "/shop/admin/price", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded") // as curl -d says of everything
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestPages(t *testing.T) {
	h := open(t, t.TempDir())
	tests := []struct {
		path string
		code int
		has  string
	}{
		{"/shop/", 200, `"itemListElement"`},
		{"/shop/teapot", 200, `"price":"24.50"`},
		{"/shop/tshirt", 200, `"hasVariant"`},
		{"/shop/lamp", 200, `itemprop="availability" href="https://schema.org/OutOfStock"`},
		{"/shop/mug", 200, `<meta property="product:price:amount" content="9.90">`},
		{"/shop/clock", 200, "Price on request"},
		{"/shop/about", 200, "About us"},
		{"/shop/captcha", 200, "captcha"},
		{"/shop/down", 503, "maintenance"},
		{"/shop/nothing", 404, "Not found"},
	}
	for _, tt := range tests {
		t.Run(tt.path, func(t *testing.T) {
			w := get(h, tt.path)
			require.Equal(t, tt.code, w.Code)
			require.Equal(t, "text/html; charset=utf-8", w.Header().Get("Content-Type"))
			require.Contains(t, w.Body.String(), tt.has)
		})
	}
}

func TestPricesAreChanged(t *testing.T) {
	for name, body := range map[string]string{
		"by JSON":               `{"product":"teapot","price":"19.5"}`,
		"by JSON with a number": `{"product":"teapot","price":19.5}`,
		"by a form":             "product=teapot&price=19.50",
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			h := open(t, dir)
			w := post(h, body)
			require.Equal(t, http.StatusOK, w.Code, w.Body)
			require.JSONEq(t, `{"product":"teapot","price":"19.50","currency":"EUR"}`, w.Body.String())
			require.Contains(t, get(h, "/shop/teapot").Body.String(), "EUR 19.50")
			require.Contains(t, get(open(t, dir), "/shop/teapot").Body.String(), "EUR 19.50", "in the next process too")
		})
	}
}

func TestPriceChangesThatAreRefused(t *testing.T) {
	h := open(t, t.TempDir())
	for body, want := range map[string]int{
		"":                                     400,
		"product=teapot":                       400,
		"product=teapot&price=cheap":           400,
		"product=teapot&price=-1":              400,
		"product=teapot&price=1.234":           400,
		"product=tshirt&price=1":               404,
		"product=car&price=1":                  404,
		`{"product":"teapot","price":"cheap"}`: 400,
		`{"product":`:                          400,
		"%zz":                                  400,
		"product=" + strings.Repeat("x", 5000): 400,
	} {
		w := post(h, body)
		require.Equal(t, want, w.Code, body)
		require.Contains(t, w.Body.String(), `"error"`, body)
	}
	require.Contains(t, get(h, "/shop/teapot").Body.String(), "EUR 24.50")
}

func TestADamagedPriceFileIsNotOverwritten(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "prices.json"), []byte("{"), 0o600))
	_, err := New(dir)
	require.ErrorContains(t, err, "delete the file")
}
