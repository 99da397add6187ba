package engine

import (
	"os"
	"runtime/debug"
)

// gcPercent lets the heap grow by less than Go's 100 % before it is collected.
// With thousands of waiting tasks half of the memory would be garbage.
const gcPercent = 60

// TuneProcess sets how the process of an engine uses memory, unless GOGC says
// how. It is for programs that are nothing but an engine, as the errand command.
func TuneProcess() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
}
