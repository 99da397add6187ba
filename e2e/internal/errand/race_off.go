//go:build !race

package errand

const race = false
