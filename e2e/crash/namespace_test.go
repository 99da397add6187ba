package crash

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/errand-dev/errand/e2e/internal/errand"
)

// namespaces are those of the server that cells share. The server runs workers
// of its own for each, so there are no more than cells at once.
var namespaces struct {
	mu   sync.Mutex
	free []string
	made int
}

// lease gives the cell a namespace that nobody else has until it is over. That
// of a cell that failed is not given away again.
func lease(ctx context.Context, t *testing.T) string {
	t.Helper()
	name, isNew := nextNamespace()
	if isNew {
		makeNamespace(ctx, t, temporal, name)
	}
	t.Cleanup(func() {
		if t.Failed() {
			return
		}
		namespaces.mu.Lock()
		defer namespaces.mu.Unlock()
		namespaces.free = append(namespaces.free, name)
	})
	return name
}

func makeNamespace(ctx context.Context, t *testing.T, temporal *errand.Temporal, name string) {
	t.Helper()
	c, err := temporal.Namespace(ctx, name)
	require.NoError(t, err)
	c.Close()
}

func nextNamespace() (name string, isNew bool) {
	namespaces.mu.Lock()
	defer namespaces.mu.Unlock()
	if last := len(namespaces.free) - 1; last >= 0 {
		name, namespaces.free = namespaces.free[last], namespaces.free[:last]
		return name, false
	}
	namespaces.made++
	return fmt.Sprintf("cell-%d", namespaces.made), true
}
