package rest

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestErrorReadsEveryShapeOfBody(t *testing.T) {
	for name, test := range map[string]struct {
		status      int
		contentType string
		body        string
		want        Error // StatusCode, Method, Path and Body are filled in
	}{
		"detail, a string": {status: 404, body: `{"detail":"Session not found"}`,
			want: Error{Message: "Session not found"}},
		"detail, a validation list": {status: 422,
			body: `{"detail":[{"loc":["body","agent_name"],"msg":"unknown agent","type":"value_error"},{"loc":["body","tags",0],"msg":"too long","type":"string"}]}`,
			want: Error{
				Message: "body.agent_name: unknown agent; body.tags.0: too long",
				Fields: []FieldError{
					{Path: "body.agent_name", Message: "unknown agent", Type: "value_error"},
					{Path: "body.tags.0", Message: "too long", Type: "string"},
				}}},
		"detail, a list of strings": {status: 400, body: `{"detail":["one","two"]}`,
			want: Error{Message: "one; two"}},
		"detail, an object": {status: 409, body: `{"detail":{"code":"already_paused","message":"Session is paused"}}`,
			want: Error{Message: "Session is paused", Code: "already_paused"}},
		"detail before message": {status: 400, body: `{"message":"second","detail":"first"}`,
			want: Error{Message: "first"}},
		"message": {status: 401, body: `{"message":"Bad key"}`,
			want: Error{Message: "Bad key"}},
		"message, error and statusCode": {status: 400, body: `{"statusCode":400,"error":"Bad Request","message":"branch_name is required"}`,
			want: Error{Message: "branch_name is required"}},
		"message, a list": {status: 400, body: `{"message":["a must be set","b must be set"],"error":"Bad Request"}`,
			want: Error{Message: "a must be set; b must be set"}},
		"error, a string": {status: 401, body: `{"error":"Unauthorized"}`,
			want: Error{Message: "Unauthorized"}},
		"error, an object": {status: 429, body: `{"error":{"code":"rate_limited","type":"limit","message":"Slow down"}}`,
			want: Error{Message: "Slow down", Code: "rate_limited", Type: "limit"}},
		"errors by field": {status: 422, body: `{"errors":{"url":["is too long","is not http"],"agent":["is unknown"]}}`,
			want: Error{
				Message: "agent: is unknown; url: is too long; is not http",
				Fields: []FieldError{
					{Path: "agent", Message: "is unknown"},
					{Path: "url", Message: "is too long; is not http"},
				}}},
		"errors beside a message": {status: 422, body: `{"message":"Validation failed","errors":[{"field":"url","message":"is too long","code":"max"}]}`,
			want: Error{
				Message: "Validation failed",
				Fields:  []FieldError{{Path: "url", Message: "is too long", Type: "max"}},
			}},
		"errors, a string": {status: 422, body: `{"errors":"Nothing fits"}`,
			want: Error{Message: "Nothing fits"}},
		"errors within detail": {status: 422, body: `{"detail":{"code":"invalid","errors":[{"loc":["query","after_id"],"msg":"not a number","type":"int_parsing"}]}}`,
			want: Error{
				Message: "query.after_id: not a number", Code: "invalid",
				Fields: []FieldError{{Path: "query.after_id", Message: "not a number", Type: "int_parsing"}},
			}},
		"detail by field": {status: 422, body: `{"detail":{"goal":["is empty"]}}`,
			want: Error{Message: "goal: is empty", Fields: []FieldError{{Path: "goal", Message: "is empty"}}}},
		"error within error": {status: 500, body: `{"error":{"error":{"message":"Out of browsers","code":"capacity"}}}`,
			want: Error{Message: "Out of browsers", Code: "capacity"}},
		"detail of unknown words": {status: 409, body: `{"detail":{"state":"busy"}}`,
			want: Error{Message: `{"detail":{"state":"busy"}}`}},
		"errors in the depth": {status: 500, body: `{"error":{"error":{"error":{"error":{"error":"far"}}}}}`,
			want: Error{Message: `{"error":{"error":{"error":{"error":{"error":"far"}}}}}`}},
		"a list without an object": {status: 422, body: `[{"loc":["body","goal"],"msg":"is empty","type":"missing"}]`,
			want: Error{
				Message: "body.goal: is empty",
				Fields:  []FieldError{{Path: "body.goal", Message: "is empty", Type: "missing"}},
			}},
		"problem document": {status: 429, contentType: "application/problem+json",
			body: `{"type":"about:blank","title":"Too Many Requests","status":429,"detail":"Budget used up","code":"budget_exhausted","retry_after_seconds":7}`,
			want: Error{Message: "Budget used up", Code: "budget_exhausted", Type: "about:blank",
				RetryAfter: 7 * time.Second, HasRetryAfter: true}},
		"problem document with a title alone": {status: 403, body: `{"title":"Forbidden zone","status":403}`,
			want: Error{Message: "Forbidden zone"}},
		"numeric code": {status: 400, body: `{"code":17,"message":"no"}`,
			want: Error{Message: "no", Code: "17"}},
		"a JSON string": {status: 500, body: `"on fire"`,
			want: Error{Message: "on fire"}},
		"unknown object": {status: 500, body: `{"oops": true}`,
			want: Error{Message: `{"oops": true}`}},
		"plain text": {status: 503, contentType: "text/plain", body: "upstream\n\tis  away\x1b[31m",
			want: Error{Message: "upstream is away [31m"}},
		"cut-off JSON": {status: 500, body: `{"detail":"half`,
			want: Error{Message: `{"detail":"half`}},
		"not UTF-8": {status: 500, body: "bad \xff byte",
			want: Error{Message: "bad \uFFFD byte"}},
		"HTML": {status: 502, contentType: "text/html; charset=utf-8", body: "<html><h1>502</h1><p>nginx</p></html>",
			want: Error{Message: "Bad Gateway"}},
		"HTML without a content type": {status: 504, body: "\n<!DOCTYPE html>",
			want: Error{Message: "Gateway Timeout"}},
		"empty":             {status: 404, want: Error{Message: "Not Found"}},
		"empty object":      {status: 404, body: `{}`, want: Error{Message: "Not Found"}},
		"null detail":       {status: 404, body: `{"detail":null,"message":"gone"}`, want: Error{Message: "gone"}},
		"status of no name": {status: 599, want: Error{Message: "HTTP 599"}},
		"echoes the key":    {status: 401, body: `{"detail":"unknown key ` + testKey + `"}`, want: Error{Message: "unknown key [redacted]"}},
	} {
		t.Run(name, func(t *testing.T) {
			client := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", test.contentType)
				w.WriteHeader(test.status)
				_, _ = io.WriteString(w, test.body)
			})
			err := client.Do(t.Context(), getThing, nil)

			var got *Error
			require.ErrorAs(t, err, &got)
			want := test.want
			want.StatusCode, want.Method, want.Path = test.status, "GET", "/v1/thing"
			want.Body = strings.ReplaceAll(strings.ToValidUTF8(test.body, "\uFFFD"), testKey, "[redacted]")
			require.Equal(t, want, *got)
			require.Contains(t, err.Error(), got.Message)
			require.NotContains(t, err.Error(), testKey)
		})
	}
}

func TestErrorTextNamesTheCall(t *testing.T) {
	e := &Error{StatusCode: 404, Message: "Session not found", Method: "GET", Path: "/v1/sessions/a"}
	require.EqualError(t, e, "GET /v1/sessions/a: 404 Not Found: Session not found")
	e.Message = "Not Found"
	require.EqualError(t, e, "GET /v1/sessions/a: 404 Not Found")
}

func TestErrorKeepsTheStatusOfACutOffBody(t *testing.T) {
	client := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		w.WriteHeader(http.StatusConflict)
		_, _ = io.WriteString(w, "busy")
	})
	var got *Error
	require.ErrorAs(t, client.Do(t.Context(), getThing, nil), &got)
	require.Equal(t, http.StatusConflict, got.StatusCode)
	require.Equal(t, "busy", got.Message)
}

func TestErrorIsBoundedHoweverMuchTheServerSays(t *testing.T) {
	client := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = io.WriteString(w, "a"+strings.Repeat("é", 1<<20))
	})
	var got *Error
	require.ErrorAs(t, client.Do(t.Context(), getThing, nil), &got)
	require.Len(t, got.Body, maxErrorBodyKept-1) // the last rune would not fit
	require.Len(t, got.Message, maxMessage-1)
	require.True(t, utf8.ValidString(got.Message+got.Body))
}

func TestRetryAfterIsReadInEveryForm(t *testing.T) {
	const date = "Thu, 15 Jan 2026 09:30:00 GMT"
	for name, test := range map[string]struct {
		header string
		want   time.Duration
		has    bool
	}{
		"absent":             {},
		"seconds":            {"60", time.Minute, true},
		"zero":               {"0", 0, true},
		"a fraction":         {"1.5", 1500 * time.Millisecond, true},
		"a date":             {"Thu, 15 Jan 2026 09:32:00 GMT", 2 * time.Minute, true},
		"a date gone by":     {"Thu, 15 Jan 2026 09:00:00 GMT", 0, true},
		"centuries":          {"1e30", 1<<63 - 1, true},
		"negative":           {"-1", 0, false},
		"infinite":           {"inf", 0, false},
		"not a number":       {"NaN", 0, false},
		"words":              {"soon", 0, false},
		"seconds with space": {" 5 ", 5 * time.Second, true},
	} {
		t.Run(name, func(t *testing.T) {
			client := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Date", date)
				if test.header != "" {
					w.Header().Set("Retry-After", test.header)
				}
				w.WriteHeader(http.StatusTooManyRequests)
			})
			var got *Error
			require.ErrorAs(t, client.Do(t.Context(), getThing, nil), &got)
			require.Equal(t, test.want, got.RetryAfter)
			require.Equal(t, test.has, got.HasRetryAfter)
		})
	}
	t.Run("a date from a server without a clock", func(t *testing.T) {
		delay, ok := retryAfter(http.Header{"Retry-After": {time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)}})
		require.True(t, ok)
		require.InDelta(t, time.Hour, delay, float64(time.Minute))
	})
}

func FuzzErrorBody(f *testing.F) {
	for _, seed := range []string{
		`{"detail":"Session not found"}`,
		`{"detail":[{"loc":["body",0],"msg":"bad","type":"t"}]}`,
		`{"error":{"code":1,"message":"x"},"errors":{"a":["b"]}}`,
		`{"errors":[[["deep"]]]}`, `{"detail":{"error":{"errors":{"a":["b"],"c":"d"}}}}`, `"text"`, `<html>`, "\xff\x1b[2J", ``,
	} {
		f.Add([]byte(seed), "application/json")
	}
	f.Fuzz(func(t *testing.T, raw []byte, mediaType string) {
		got := parseErrorBody(raw, mediaType)
		for _, text := range []string{got.message, got.code, got.kind} {
			require.LessOrEqual(t, len(text), maxMessage)
			require.Equal(t, clean(text), text) // one line of valid UTF-8 without control characters
		}
		for _, field := range got.fields {
			require.NotEqual(t, FieldError{}, field)
			require.Equal(t, FieldError{clean(field.Path), clean(field.Message), clean(field.Type)}, field)
		}
	})
}
