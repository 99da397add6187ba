package inbox

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// LoadToken returns the token of the login link that is kept in a file, and
// makes one that nobody can guess where there is none. Only the user who runs
// this may read the file.
func LoadToken(path string) (string, error) {
	b, err := os.ReadFile(path)
	token := strings.TrimSpace(string(b))
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return "", err
	case len(token) < tokenLength:
		return "", fmt.Errorf("%s holds no token: delete it, and it is made anew", path)
	default:
		return token, nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", err
	}
	// Linked into place, so that of two who make one at once both get the same.
	f, err := os.CreateTemp(filepath.Dir(path), ".token-*") // 0600
	if err != nil {
		return "", err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	_, err = f.WriteString(rand.Text() + "\n")
	if err = errors.Join(err, f.Close()); err != nil {
		return "", err
	}
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	return LoadToken(path)
}

// tokenLength is that of rand.Text: 130 random bits.
const tokenLength = 26

// LoginURL is the link that lets a person into the inbox at base, an URL without
// a path.
func LoginURL(base, token string) string {
	return base + "/login?" + url.Values{"token": {token}}.Encode()
}

// login knows who may come in. Only sums of secrets are compared: their length
// and the time it takes tell nothing.
type login struct {
	open   bool
	token  [sha256.Size]byte
	cookie string
	name   string // of the cookie: browsers tell no ports apart
}

func newLogin(token string) login {
	sum := sha256.Sum256([]byte("errand inbox cookie\n" + token))
	value := hex.EncodeToString(sum[:])
	name := sha256.Sum256([]byte(value))
	return login{
		open:   token != "",
		token:  sha256.Sum256([]byte(token)),
		cookie: value,
		name:   "errand_" + hex.EncodeToString(name[:4]),
	}
}

func (l login) knows(token string) bool {
	sum := sha256.Sum256([]byte(token))
	return l.open && subtle.ConstantTimeCompare(sum[:], l.token[:]) == 1
}

func (l login) allows(r *http.Request) bool {
	if bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		return l.knows(bearer)
	}
	c, err := r.Cookie(l.name)
	if err != nil {
		return false
	}
	got, want := sha256.Sum256([]byte(c.Value)), sha256.Sum256([]byte(l.cookie))
	return l.open && subtle.ConstantTimeCompare(got[:], want[:]) == 1
}

// loginAge is how long a browser stays logged in.
const loginAge = 30 * 24 * time.Hour

// logIn takes the login link, and leads on to an address without the token.
func (s *server) logIn(w http.ResponseWriter, r *http.Request) {
	if !s.login.knows(r.URL.Query().Get("token")) {
		s.refuse(w, r)
		return
	}
	s.setCookie(w, r, s.login.name, s.login.cookie, loginAge)
	if r.Header.Get("Sec-Fetch-Site") == "cross-site" {
		// Followed from a page elsewhere, a redirect would come without the cookie.
		s.pages.render(w, r, http.StatusOK, "welcome.html", nil)
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// setCookie sets a cookie that only the inbox itself ever gets back.
func (s *server) setCookie(w http.ResponseWriter, r *http.Request, name, value string, age time.Duration) {
	http.SetCookie(w, &http.Cookie{
		Name: name, Value: value, Path: "/", MaxAge: int(age.Seconds()),
		HttpOnly: true, SameSite: http.SameSiteStrictMode,
		Secure: r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https",
	})
}

// onlyLoggedIn lets nobody else through.
func (s *server) onlyLoggedIn(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.login.allows(r) {
			s.refuse(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// refuse says the same to everyone who is not logged in, whatever they asked.
func (s *server) refuse(w http.ResponseWriter, r *http.Request) {
	s.sayError(w, r, http.StatusUnauthorized, "You are not logged in",
		"Open the link that errand dev or errand web has printed, on its line that begins with Inbox.")
}
