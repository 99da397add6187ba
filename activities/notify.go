package activities

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/errand-dev/errand/provider"
)

// Notifications finds where the targets of alerts are, and what signs the
// alerts. Secrets stay with the worker: a payload names a target.
type Notifications interface {
	// Target is the URL of a target that a monitor names, and the secret that
	// signs what it is told; empty: it is told unsigned. After an error it is
	// asked again: somebody may mend the configuration.
	Target(name string) (url string, secret provider.Secret, err error)
}

// NotifyInput says whom to tell what.
type NotifyInput struct {
	Target string          `json:"target"` // an http or https URL, or a name that Notifications knows
	ID     string          `json:"id"`     // of the alert, the same for each try
	Body   json.RawMessage `json:"body"`
}

// NotifyOutput says how the target answered.
type NotifyOutput struct {
	Status int `json:"status"` // HTTP, below 300
}

var targetName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$`)

// CheckTarget reports a target that cannot be told anything.
func CheckTarget(target string) error {
	if targetName.MatchString(target) {
		return nil
	}
	u, err := url.Parse(target)
	switch {
	case err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "":
		return errors.New("a target to notify is an absolute http or https URL, or a name in [monitors.targets]")
	case u.User != nil:
		return errors.New("a URL to notify must not hold a user or a password: name it in [monitors.targets]")
	case len(target) > 2000:
		return fmt.Errorf("a URL to notify has %d bytes; at most 2000 are allowed", len(target))
	}
	return nil
}

// notifyTimeout bounds one request, with room in its attempt to say how it went.
const notifyTimeout = 15 * time.Second

// notifyClient follows no redirect: it would make a GET of a POST, or hand an
// alert to a host that nobody named. Alerts are too seldom to keep connections.
var notifyClient = &http.Client{
	Timeout:       notifyTimeout,
	Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// Notify tells a target of an alert, by the rules of Standard Webhooks. A try
// whose worker died before it could tell of the target's answer is made again,
// with the same id, by which the target knows it.
func (a *Activities) Notify(ctx context.Context, in NotifyInput) (NotifyOutput, error) {
	address, secret, err := a.target(in.Target)
	if err != nil {
		return NotifyOutput{}, retryableError(ErrTypeUnavailable, err.Error(), 0)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(in.Body))
	if err != nil {
		return NotifyOutput{}, finalError(ErrTypeInvalidRequest, "the target's URL cannot be used")
	}
	sign(request.Header, in.ID, time.Now(), in.Body, secret)
	response, err := notifyClient.Do(request)
	if err != nil {
		return NotifyOutput{}, retryableError(ErrTypeUnavailable, fmt.Sprintf("%s cannot be reached: %s", request.URL.Host, causeOf(err)), 0)
	}
	defer response.Body.Close()
	return NotifyOutput{Status: response.StatusCode}, answerError(request.URL.Host, response)
}

func (a *Activities) target(name string) (string, provider.Secret, error) {
	if a.Notifications != nil {
		return a.Notifications.Target(name)
	}
	return name, "", CheckTarget(name)
}

// answerError is what a target's answer means for its alert.
func answerError(host string, response *http.Response) error {
	message := fmt.Sprintf("%s answered %d", host, response.StatusCode)
	switch status := response.StatusCode; {
	case status < 300:
		return nil
	case status == http.StatusTooManyRequests, status == http.StatusServiceUnavailable:
		return retryableError(ErrTypeRateLimited, message, retryAfter(response.Header))
	case status >= 500, status == http.StatusRequestTimeout, status == http.StatusTooEarly:
		return retryableError(ErrTypeUnavailable, message, 0)
	default:
		return finalError(ErrTypeInvalidRequest, message)
	}
}

// retryAfter is what a target asked to wait, at most ten minutes, and 0 if it
// did not.
func retryAfter(h http.Header) time.Duration {
	text := h.Get("Retry-After")
	wait := time.Duration(0)
	if seconds, err := strconv.Atoi(text); err == nil {
		wait = time.Duration(min(seconds, 3600)) * time.Second
	} else if at, err := http.ParseTime(text); err == nil {
		wait = time.Until(at)
	}
	return min(max(0, wait), 10*time.Minute)
}

// sign sets the headers of Standard Webhooks.
func sign(h http.Header, id string, at time.Time, body []byte, secret provider.Secret) {
	timestamp := strconv.FormatInt(at.Unix(), 10)
	h.Set("Content-Type", "application/json")
	h.Set("User-Agent", "errand")
	h.Set("webhook-id", id)
	h.Set("webhook-timestamp", timestamp)
	if secret == "" {
		return
	}
	mac := hmac.New(sha256.New, webhookKey(secret))
	_, _ = fmt.Fprintf(mac, "%s.%s.%s", id, timestamp, body) // a hash takes whatever it is given
	h.Set("webhook-signature", "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
}

// webhookKey is the key in a secret: behind whsec_ in base64, else the secret
// itself.
func webhookKey(secret provider.Secret) []byte {
	if encoded, ok := strings.CutPrefix(string(secret), "whsec_"); ok {
		if key, err := base64.StdEncoding.DecodeString(encoded); err == nil {
			return key
		}
	}
	return []byte(secret)
}

// causeOf is why a request failed, without its URL, which may be a secret.
func causeOf(err error) string {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err.Error()
	}
	return "the request failed"
}
