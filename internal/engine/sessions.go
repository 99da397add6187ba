package engine

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	keyFile = "sessions.key"
	// closeTimeout bounds how long the session server may take to finish its
	// requests and to end its agents, which have some seconds for that.
	closeTimeout = 15 * time.Second
)

// SessionServer is a local session server. Serve answers requests until Close and
// then returns nil or http.ErrServerClosed.
type SessionServer interface {
	Serve(net.Listener) error
	Close(context.Context) error
}

// sessionServer starts a SessionServer on a port of the loopback interface.
type sessionServer struct {
	dir        string // the data directory
	newSession func(dir, key string) (SessionServer, error)
	logger     *slog.Logger
}

func (s sessionServer) start(_ context.Context, last record) (record, stopFunc, error) {
	key, err := sessionKey(s.dir)
	if err != nil {
		return record{}, nil, err
	}
	listener, err := listenLoopback(stillFree(port(last.Address)))
	if err != nil {
		return record{}, nil, fmt.Errorf("start session server: %w", err)
	}
	server, err := s.newSession(filepath.Join(s.dir, "sessions"), key)
	if err != nil {
		return record{}, nil, errors.Join(fmt.Errorf("start session server: %w", err), listener.Close())
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		if err := server.Serve(listener); err != nil && !errors.Is(err, http.ErrServerClosed) {
			s.logger.Error("the session server has stopped serving", "error", err)
		}
	}()
	stop := func() error {
		ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
		defer cancel()
		err := server.Close(ctx)
		_ = listener.Close() // Close has done it, unless it failed
		<-served
		return err
	}
	return record{Address: listener.Addr().String()}, stop, nil
}

// ping is content with any answer.
func (sessionServer) ping(ctx context.Context, r record) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+r.Address, nil)
	if err != nil {
		return err
	}
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// sessionKey reads the key of the session server, or makes one. The process that
// runs the server does so first, under the lock.
func sessionKey(dir string) (string, error) {
	path := filepath.Join(dir, keyFile)
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if key := strings.TrimSpace(string(data)); key != "" {
		return key, nil
	}
	key := rand.Text()
	return key, writeFile(path, []byte(key+"\n"))
}
