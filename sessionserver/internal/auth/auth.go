// Package auth checks API keys.
package auth

import (
	"crypto/sha256"
	"crypto/subtle"
)

// Keys is a set of accepted API keys. Only hashes are held, so a key cannot be
// printed by accident and every comparison takes the same time.
type Keys [][sha256.Size]byte

// NewKeys makes a set of keys.
func NewKeys(keys []string) Keys {
	set := make(Keys, len(keys))
	for i, k := range keys {
		set[i] = sha256.Sum256([]byte(k))
	}
	return set
}

// Required says whether a key is asked for at all.
func (k Keys) Required() bool { return len(k) > 0 }

// Accept says whether key is in the set.
func (k Keys) Accept(key string) bool {
	sum := sha256.Sum256([]byte(key))
	found := 0
	for _, known := range k {
		found |= subtle.ConstantTimeCompare(sum[:], known[:])
	}
	return found == 1
}

// Equal compares two secrets in a time that does not depend on their content.
func Equal(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}
