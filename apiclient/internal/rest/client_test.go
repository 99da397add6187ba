package rest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNewChecksTheConfiguration(t *testing.T) {
	for name, base := range map[string]string{
		"empty":             "",
		"no scheme":         "api.example.com",
		"host and port":     "localhost:8080",
		"wrong scheme":      "ftp://api.example.com",
		"no host":           "https:///v1",
		"not a URL":         "http://a b/",
		"user and password": "https://me:hunter22222@api.example.com",
		"query":             "https://api.example.com?key=hunter22222",
		"fragment":          "https://api.example.com#hunter22222",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := New(Config{BaseURL: base})
			require.ErrorContains(t, err, "base URL")
			require.NotContains(t, err.Error(), "hunter")
		})
	}
	t.Run("a key with a line break", func(t *testing.T) {
		_, err := New(Config{BaseURL: "https://api.example.com", Secret: testKey + "\n"})
		require.ErrorContains(t, err, "line break")
		require.NotContains(t, err.Error(), testKey)
	})
}

func TestDoSendsTheRequestAndDecodesTheAnswer(t *testing.T) {
	client := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		w.WriteHeader(http.StatusCreated)
		fmt.Fprintf(w, `{"got": %q}`, strings.Join([]string{
			r.Method, r.RequestURI, string(body),
			r.Header.Get("Content-Type"), r.Header.Get("Accept"), r.Header.Get("User-Agent"), r.Header.Get("X-Api-Key"),
		}, " | "))
	})

	var out struct{ Got string }
	err := client.Do(t.Context(), Request{
		Method: http.MethodPost,
		Path:   []string{"v1", "a/b c?d", "é"},
		Query:  url.Values{"q": {"x&y"}},
		Body:   map[string]int{"n": 1},
	}, &out)
	require.NoError(t, err)
	require.Equal(t, `POST | /v1/a%2Fb%20c%3Fd/%C3%A9?q=x%26y | {"n":1} | application/json | application/json | errand/0.1 | `+testKey, out.Got)

	require.NoError(t, client.Do(t.Context(), getThing, &out))
	require.Equal(t, "GET | /v1/thing |  |  | application/json | errand/0.1 | "+testKey, out.Got)
}

func TestDoKeepsThePathOfTheBaseURL(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%q", r.RequestURI)
	}))
	t.Cleanup(server.Close)
	client := clientOf(t, server.URL+"/api//", nil)

	var got string
	require.NoError(t, client.Do(t.Context(), getThing, &got))
	require.Equal(t, "/api/v1/thing", got)
}

func TestDoRefusesWhatItCannotBuildAndSendsNothing(t *testing.T) {
	client := serve(t, func(http.ResponseWriter, *http.Request) {
		t.Error("the request was sent")
	})
	for name, req := range map[string]Request{
		"empty id":          {Method: http.MethodDelete, Path: []string{"v1", "sessions", ""}},
		"dot":               {Method: http.MethodDelete, Path: []string{"v1", "sessions", "."}},
		"parent":            {Method: http.MethodDelete, Path: []string{"v1", "sessions", ".."}},
		"body without JSON": {Method: http.MethodPost, Path: []string{"v1"}, Body: func() {}},
		"bad method":        {Method: "GET IT", Path: []string{"v1"}},
	} {
		t.Run(name, func(t *testing.T) {
			require.ErrorIs(t, client.Do(t.Context(), req, nil), ErrInvalidRequest)
		})
	}
}

func TestDoTellsAnUnreadableSuccessFromAFailure(t *testing.T) {
	cutOff := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, `{"id":`)
	}
	answer := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	for name, test := range map[string]struct {
		handler http.HandlerFunc
		status  int
		is      error
		says    string
	}{
		"cut off":         {cutOff, 200, io.ErrUnexpectedEOF, "unexpected EOF"},
		"empty":           {answer(201, " \n"), 201, io.ErrUnexpectedEOF, "unexpected EOF"},
		"HTML":            {answer(200, "<html>sign in</html>"), 200, nil, "invalid character '<'"},
		"half an object":  {answer(200, `{"id":"a"`), 200, nil, "unexpected end of JSON input"},
		"two objects":     {answer(200, `{"id":"a"} {"id":"b"}`), 200, nil, "after top-level value"},
		"another type":    {answer(200, `[1]`), 200, nil, "cannot unmarshal array"},
		"wrong in a part": {answer(200, `{"id":7}`), 200, nil, "cannot unmarshal number"},
	} {
		t.Run(name, func(t *testing.T) {
			client := serve(t, test.handler)
			var out struct{ ID string }
			err := client.Do(t.Context(), Request{Method: http.MethodPost, Path: []string{"v1", "thing"}}, &out)

			var unreadable *BodyError
			require.ErrorAs(t, err, &unreadable)
			require.Equal(t, test.status, unreadable.StatusCode)
			require.Equal(t, "/v1/thing", unreadable.Path)
			require.ErrorContains(t, err, test.says)
			if test.is != nil {
				require.ErrorIs(t, err, test.is)
			}
		})
	}
	t.Run("204 needs no body", func(t *testing.T) {
		client := serve(t, answer(204, ""))
		out := struct{ ID string }{"kept"}
		require.NoError(t, client.Do(t.Context(), getThing, &out))
		require.Equal(t, "kept", out.ID)
	})
	t.Run("a body nobody asked for is not judged", func(t *testing.T) {
		require.NoError(t, serve(t, cutOff).Do(t.Context(), getThing, nil))
	})
}

func TestDoBoundsASuccessfulBody(t *testing.T) {
	client := clientOf(t, "http://agent.invalid", &http.Client{Transport: roundTripper(func(req *http.Request) (*http.Response, error) {
		body := io.NopCloser(strings.NewReader(`"` + strings.Repeat("x", maxBody) + `"`))
		return &http.Response{StatusCode: http.StatusOK, Body: body, Request: req}, nil
	})})
	var out string
	err := client.Do(t.Context(), getThing, &out)
	var unreadable *BodyError
	require.ErrorAs(t, err, &unreadable)
	require.ErrorContains(t, err, "larger than 33554432 bytes")
}

func TestDoEndsWithTheContextWhileTheBodyIsComing(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	client := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, `{"id":`)
		_ = http.NewResponseController(w).Flush()
		cancel(errors.New("changed my mind"))
		<-r.Context().Done()
	})
	var out struct{ ID string }
	err := client.Do(ctx, getThing, &out)

	require.ErrorIs(t, err, context.Canceled)
	// Which of the two it is depends on whether the header was seen in time.
	var unreadable *BodyError
	var unanswered *TransportError
	require.True(t, errors.As(err, &unreadable) || errors.As(err, &unanswered) && unanswered.Sent)
}

func TestClientAndItsPartsDoNotPrintTheKey(t *testing.T) {
	client := clientOf(t, "https://api.example.com", nil)
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x"} {
		require.NotContains(t, fmt.Sprintf(format, *client), testKey)
		require.NotContains(t, fmt.Sprintf(format, *client), fmt.Sprintf("%x", testKey))
	}
}
