package auth

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestKeysAreReadALineEach(t *testing.T) {
	keys, err := Parse("# ours\none\n\n  ann  two \nrevoked three\n")
	require.NoError(t, err)
	require.Equal(t, []Key{{Value: "one"}, {Value: "two", User: "ann"}, {Value: "three", Revoked: true}}, keys)
}

func TestALineThatIsNoKeyIsNamedAndNotRepeated(t *testing.T) {
	_, err := Parse("one\nann two secret")
	require.EqualError(t, err, "line 2 has 3 words: a line is KEY, USER KEY or revoked KEY")
	_, err = Parse("# nothing\n")
	require.EqualError(t, err, "there is no key")
}

func TestWhatAKeyIsGoodFor(t *testing.T) {
	keys, err := NewKeys([]Key{{Value: "one"}, {Value: "two", User: "ann"}, {Value: "three", User: "ann", Revoked: true}})
	require.NoError(t, err)
	tests := []struct {
		key, user string
		verdict   Verdict
	}{
		{"two", "ann", Accepted},
		{"three", "ann", Revoked},
		{"tw", "", Unknown},
		{"", "", Unknown},
	}
	for _, tt := range tests {
		user, verdict := keys.Check(tt.key)
		require.Equal(t, tt.user, user, tt.key)
		require.Equal(t, tt.verdict, verdict, tt.key)
	}
	alone, verdict := keys.Check("one")
	require.Equal(t, Accepted, verdict)
	require.Regexp(t, "^key-[0-9a-f]{12}$", alone)
}

func TestKeysThatCannotBeAreRefused(t *testing.T) {
	_, err := NewKeys([]Key{{Value: ""}})
	require.ErrorContains(t, err, "empty")
	_, err = NewKeys([]Key{{Value: "secret"}, {Value: "secret", User: "ann"}})
	require.ErrorContains(t, err, "twice")
	require.NotContains(t, err.Error(), "secret")
}

func TestAKeyIsNeverPrinted(t *testing.T) {
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		require.NotContains(t, fmt.Sprintf(verb, Key{Value: "secret", User: "ann"}), "secret")
		require.NotContains(t, fmt.Sprintf(verb, []Key{{Value: "secret"}}), "secret")
	}
}

func TestEachUserHasALimitOfTheirOwn(t *testing.T) {
	l := NewLimits(0.001, 2)
	require.Zero(t, l.Wait("ann"))
	require.Zero(t, l.Wait("ann"))
	require.Positive(t, l.Wait("ann"))
	require.Zero(t, l.Wait("bob"))
	free := NewLimits(0, 0)
	for range 100 {
		require.Zero(t, free.Wait("ann"))
	}
}
