// Package auth tells callers apart by their API keys.
package auth

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// Key is an API key and whose it is.
type Key struct {
	Value string
	// User owns the sessions that are made with the key. Keys of one user share
	// them; a key without a user is a user of its own.
	User string
	// Revoked keys are known and refused.
	Revoked bool
}

// Format implements [fmt.Formatter]: a key is never printed.
func (k Key) Format(f fmt.State, _ rune) { _, _ = fmt.Fprintf(f, "key of %q", k.User) }

// Parse reads keys from lines such as
//
//	KEY
//	USER KEY
//	revoked KEY
//
// Empty lines and those that begin with # are skipped. Errors name the line
// and not what is in it.
func Parse(text string) ([]Key, error) {
	var keys []Key
	for i, line := range strings.Split(text, "\n") {
		words := strings.Fields(line)
		switch {
		case len(words) == 0 || strings.HasPrefix(words[0], "#"):
		case len(words) == 1:
			keys = append(keys, Key{Value: words[0]})
		case len(words) == 2 && words[0] == "revoked":
			keys = append(keys, Key{Value: words[1], Revoked: true})
		case len(words) == 2:
			keys = append(keys, Key{Value: words[1], User: words[0]})
		default:
			return nil, fmt.Errorf("line %d has %d words: a line is KEY, USER KEY or revoked KEY", i+1, len(words))
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("there is no key")
	}
	return keys, nil
}

// Verdict is what a key is good for.
type Verdict int

// The verdicts.
const (
	Unknown Verdict = iota
	Revoked
	Accepted
)

// Keys is a set of API keys. Only hashes are held, so a key cannot be printed
// by accident and every comparison takes the same time.
type Keys []hashed

type hashed struct {
	sum     [sha256.Size]byte
	user    string
	revoked bool
}

// NewKeys makes a set of keys.
func NewKeys(keys []Key) (Keys, error) {
	set := make(Keys, len(keys))
	seen := map[[sha256.Size]byte]bool{}
	for i, k := range keys {
		if k.Value == "" {
			return nil, errors.New("an API key of the session server must not be empty")
		}
		sum := sha256.Sum256([]byte(k.Value))
		if seen[sum] {
			return nil, errors.New("an API key of the session server is there twice")
		}
		seen[sum] = true
		if k.User == "" {
			k.User = "key-" + hex.EncodeToString(sum[:6])
		}
		set[i] = hashed{sum, k.User, k.Revoked}
	}
	return set, nil
}

// Required says whether a key is asked for at all.
func (k Keys) Required() bool { return len(k) > 0 }

// Check says what a key is good for, and whose it is.
func (k Keys) Check(key string) (user string, v Verdict) {
	sum := sha256.Sum256([]byte(key))
	found := -1
	for i, known := range k {
		found = subtle.ConstantTimeSelect(subtle.ConstantTimeCompare(sum[:], known.sum[:]), i, found)
	}
	switch {
	case found < 0:
		return "", Unknown
	case k[found].revoked:
		return k[found].user, Revoked
	}
	return k[found].user, Accepted
}

// Equal compares two secrets in a time that does not depend on their content.
func Equal(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}
