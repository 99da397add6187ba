package wire

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// newVendor is a proxy in front of an API that counts what it has done.
func newVendor(t *testing.T) (v *Vendor, done *atomic.Int32) {
	t.Helper()
	done = &atomic.Int32{}
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		done.Add(1)
		_, _ = io.WriteString(w, `{"type":"DONE"}`)
	}))
	t.Cleanup(api.Close)
	v, err := NewVendor(api.URL)
	require.NoError(t, err)
	t.Cleanup(v.Close)
	return v, done
}

// send sends a message and returns the answer. Each call has a connection for
// itself, so that none is tried again by the client.
func send(t *testing.T, v *Vendor, within time.Duration) (string, error) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: within}
	response, err := client.Post(v.URL+"/v1/sessions/s/message", "application/json", strings.NewReader(`{}`))
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return string(body), err
}

func TestFaultsStrikeOnceAndTheNextRequestPasses(t *testing.T) {
	tests := []struct {
		name   string
		fault  Fault
		within time.Duration
		done   int32 // when the caller has given up
		later  int32 // when all has settled
	}{
		{"request lost", LoseRequest, soon, 0, 0},
		{"reply lost", LoseReply, soon, 1, 1},
		{"reply halved", HalveReply, soon, 1, 1},
		{"late", Late(3 * now), soon, 0, 1},
		{"reply held", HoldReply, 3 * now, 1, 1},
		{"request held", HoldRequest(3 * now), now, 0, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v, done := newVendor(t)
			v.Spoil(Create, LoseRequest) // of another call
			v.Spoil(Send, tt.fault)
			_, err := send(t, v, tt.within)
			require.Error(t, err)
			require.Equal(t, tt.done, done.Load())
			v.Settle()
			require.Equal(t, tt.later, done.Load())

			answer, err := send(t, v, soon)
			require.NoError(t, err)
			require.JSONEq(t, `{"type":"DONE"}`, answer)
			require.Equal(t, tt.later+1, done.Load())
		})
	}
}

func TestHalfAnAnswerIsHalfAnAnswer(t *testing.T) {
	v, _ := newVendor(t)
	v.Spoil(Send, HalveReply)
	answer, err := send(t, v, soon)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.Equal(t, `{"type"`, answer)
}

func TestFaultsWaitForTheRequestThatIsMeant(t *testing.T) {
	v, done := newVendor(t)
	v.Spoil(Send, Nth(3, LoseRequest))
	for range 2 {
		_, err := send(t, v, soon)
		require.NoError(t, err)
	}
	_, err := send(t, v, soon)
	require.Error(t, err)

	v.Spoil(Send, Telling("QUESTION", LoseRequest))
	_, err = send(t, v, soon)
	require.NoError(t, err)
	require.EqualValues(t, 3, done.Load(), "the caller has the answer that was looked at")
}

func TestCallsAreKnownByTheirRequests(t *testing.T) {
	for request, want := range map[string]Call{
		"POST /v1/sessions":                          Create,
		"GET /v1/sessions":                           Other,
		"GET /v1/sessions/s":                         Other,
		"DELETE /v1/sessions/s":                      Delete,
		"DELETE /v1/sessions":                        Other,
		"POST /v1/sessions/s/message":                Send,
		"GET /v1/sessions/s/messages?after_id=1":     Read,
		"GET /v1/sessions/s/messages?sanitize=false": Find,
		"GET /v1/sessions/s/events":                  Watch,
		"POST /v1/sessions/s/pause":                  Pause,
		"POST /v1/sessions/s/resume":                 Resume,
		"POST /v1/sessions/s/cancel":                 Cancel,
		"GET /healthz":                               Other,
	} {
		method, path, _ := strings.Cut(request, " ")
		require.Equal(t, want, callOf(httptest.NewRequest(method, path, nil)), request)
	}
}
