package engine

import (
	"os"
	"runtime/debug"
	"sync"
)

// Go lets a heap double before it collects it. With thousands of waiting tasks
// that is hundreds of megabytes of garbage, while on a small heap it is too
// little for a busy server. So the heap grows by less, but of a size that has
// the ballast in it: memory that is never touched and so takes up none.
const (
	gcPercent   = 30
	ballastSize = 200 << 20 // bytes
)

var ballast []byte //nolint:unused // it is there to be counted, not to be read

// TuneProcess sets how this process uses memory, unless GOGC says how. It is
// for programs that are nothing but an engine, as the errand command.
func TuneProcess() { tuneOnce() }

var tuneOnce = sync.OnceFunc(func() {
	if os.Getenv("GOGC") != "" {
		return
	}
	ballast = make([]byte, ballastSize)
	debug.SetGCPercent(gcPercent)
})
