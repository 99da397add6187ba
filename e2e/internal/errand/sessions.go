package errand

import (
	"context"
	"regexp"

	"github.com/errand-dev/errand/e2e/internal/process"
)

// Sessions is `errand sessions serve`, the vendor of a rehearsal.
type Sessions struct {
	Server
	Address string // host:port
}

var sessionsReady = regexp.MustCompile(`serving sessions at http://(\S+)`)

// Sessions starts a session server with its data in dir.
func (c Command) Sessions(ctx context.Context, dir string, flags ...string) (*Sessions, error) {
	s := &Sessions{Address: "127.0.0.1:0"}
	var err error
	s.Server, err = serve(ctx, func(ctx context.Context) (*process.Process, error) {
		p, said, err := c.launch(ctx, dir, sessionsReady, append([]string{"sessions", "serve", "--listen", s.Address}, flags...)...)
		if err == nil {
			s.Address = said[1]
		}
		return p, err
	})
	return s, err
}

// URL is the server's base URL.
func (s *Sessions) URL() string { return "http://" + s.Address }
