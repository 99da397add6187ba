package activities

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/errand-dev/errand/provider"
)

// board knows one target, and signs.
type board struct {
	url    string
	secret provider.Secret
	err    error
}

func (b board) Target(string) (string, provider.Secret, error) { return b.url, b.secret, b.err }

// hook answers every POST so, and keeps the latest.
type hook struct {
	*httptest.Server
	posts  int
	header http.Header
	body   string
}

func newHook(t *testing.T, status int, header ...string) *hook {
	t.Helper()
	h := &hook{}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		h.posts++
		h.header, h.body = r.Header, r.Method+" "+string(body)
		if len(header) > 0 {
			w.Header().Set(header[0], header[1])
		}
		w.WriteHeader(status)
	}))
	t.Cleanup(h.Close)
	return h
}

var news = NotifyInput{Target: "ops", ID: "alert_1", Body: json.RawMessage(`{"kind":"change"}`)}

func TestATargetIsToldByTheRulesOfStandardWebhooks(t *testing.T) {
	for name, test := range map[string]struct {
		secret provider.Secret
		key    string
	}{
		"plain":  {"a secret", "a secret"},
		"base64": {"whsec_" + provider.Secret(base64.StdEncoding.EncodeToString([]byte("a key"))), "a key"},
		"none":   {"", ""},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHook(t, http.StatusNoContent)
			env := environment(&Activities{Notifications: board{url: h.URL, secret: test.secret}})
			out, err := perform[NotifyOutput](t, env, (*Activities)(nil).Notify, news)
			require.NoError(t, err)
			require.Equal(t, NotifyOutput{Status: http.StatusNoContent}, out)
			require.Equal(t, `POST {"kind":"change"}`, h.body)
			require.Equal(t, "application/json", h.header.Get("Content-Type"))
			require.Equal(t, "alert_1", h.header.Get("webhook-id"))
			if test.secret == "" {
				require.Empty(t, h.header.Get("webhook-signature"))
				return
			}
			mac := hmac.New(sha256.New, []byte(test.key))
			mac.Write([]byte("alert_1." + h.header.Get("webhook-timestamp") + `.{"kind":"change"}`))
			require.Equal(t, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)), h.header.Get("webhook-signature"))
		})
	}
}

func TestTheSignatureIsThatOfTheStandardsOwnExample(t *testing.T) {
	h := http.Header{}
	sign(h, "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	require.Equal(t, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", h.Get("webhook-signature"))
}

func TestWhatATargetAnswersDecidesWhetherItIsToldAgain(t *testing.T) {
	for status, again := range map[int]bool{
		http.StatusInternalServerError: true, http.StatusBadGateway: true, http.StatusServiceUnavailable: true,
		http.StatusTooManyRequests: true, http.StatusRequestTimeout: true,
		http.StatusBadRequest: false, http.StatusUnauthorized: false, http.StatusNotFound: false, http.StatusGone: false,
		http.StatusFound: false,
	} {
		h := newHook(t, status, "Location", "http://elsewhere.example/")
		env := environment(&Activities{})
		_, err := perform[NotifyOutput](t, env, (*Activities)(nil).Notify, NotifyInput{Target: h.URL + "/T0KEN?key=canary", ID: "a", Body: news.Body})
		require.Error(t, err)
		for _, errType := range []string{ErrTypeUnavailable, ErrTypeRateLimited, ErrTypeInvalidRequest} {
			if IsType(err, errType) {
				requireType(t, err, errType, again)
			}
		}
		require.NotContains(t, err.Error(), "canary")
		require.NotContains(t, err.Error(), "T0KEN")
	}
}

func TestATargetMayAskForPatience(t *testing.T) {
	for text, want := range map[string]time.Duration{"7": 7 * time.Second, "100000": 10 * time.Minute, "-1": 0, "soon": 0} {
		h := newHook(t, http.StatusTooManyRequests, "Retry-After", text)
		_, err := perform[NotifyOutput](t, environment(&Activities{}), (*Activities)(nil).Notify, NotifyInput{Target: h.URL, ID: "a", Body: news.Body})
		require.Equal(t, want, requireType(t, err, ErrTypeRateLimited, true).NextRetryDelay(), text)
	}
}

func TestATargetThatIsNotThereIsTriedAgain(t *testing.T) {
	h := newHook(t, http.StatusOK)
	h.Close()
	_, err := perform[NotifyOutput](t, environment(&Activities{}), (*Activities)(nil).Notify, NotifyInput{Target: h.URL + "/T0KEN", ID: "a", Body: news.Body})
	require.NotContains(t, requireType(t, err, ErrTypeUnavailable, true).Message(), "T0KEN", "the path may be a secret")

	unknown := &Activities{Notifications: board{err: errors.New("there is no such target")}}
	_, err = perform[NotifyOutput](t, environment(unknown), (*Activities)(nil).Notify, news)
	require.Contains(t, requireType(t, err, ErrTypeUnavailable, true).Message(), "there is no such target")
}

func TestATargetIsAnAddressOrAName(t *testing.T) {
	for _, target := range []string{"ops", "Ops-1_b", "http://127.0.0.1:8080/hook", "https://hooks.example/a?b=c"} {
		require.NoError(t, CheckTarget(target), target)
	}
	for _, target := range []string{"", "ops room", "ftp://a.example/", "https://", "mailto:a@b.example", "https://u@a.example/", "https://u:p@a.example/",
		"https://a.example/" + strings.Repeat("x", 2000), "https://a b/", "-x"} {
		err := CheckTarget(target)
		require.Error(t, err, target)
		require.NotContains(t, err.Error(), "u:p")
	}
}
