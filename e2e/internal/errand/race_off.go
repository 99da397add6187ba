//go:build !race

package errand

// Race says whether this program has the race detector.
const Race = false
