// Package batchstore keeps batches: their items, and what has come of them, in
// a folder or a bucket that all workers and clients of a namespace share.
//
// A batch is some objects below ID/DIGEST/: items in chunks, results in
// segments of JSON lines, and one that says how far the batch has come.
package batchstore

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"sync"
	"time"

	"github.com/google/uuid"
	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"

	"github.com/errand-dev/errand/activities"
	"github.com/errand-dev/errand/internal/blobs"
)

// Store is a store of batches. It is safe for concurrent use, by any number of
// processes.
type Store struct {
	place string

	mu     sync.Mutex
	bucket *blob.Bucket // once it is used
}

var _ activities.BatchStore = (*Store)(nil)

// At is the store at a place: a folder, made if it is missing, or the URL of a
// bucket whose driver the program has linked in (gocloud.dev/blob). It is
// opened when it is used.
func At(place string) *Store { return &Store{place: place} }

// String says where the store is.
func (s *Store) String() string { return blobs.Redacted(s.place) }

// Close closes the store, if it was used.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bucket == nil {
		return nil
	}
	err := s.bucket.Close()
	s.bucket = nil
	return err
}

func (s *Store) open(ctx context.Context) (*blob.Bucket, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bucket != nil {
		return s.bucket, nil
	}
	bucket, err := blobs.Open(context.WithoutCancel(ctx), s.place)
	if err != nil {
		return nil, s.explain("open", err)
	}
	s.bucket = bucket
	return bucket, nil
}

func (s *Store) explain(op string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %s: %w", op, s, err)
}

var keyPart = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// folder is where the objects of a batch are.
func folder(b activities.BatchRef) (string, error) {
	for _, part := range []string{b.ID, b.Digest} {
		if !keyPart.MatchString(part) {
			return "", fmt.Errorf("%q is no part of a batch's place in the store", part)
		}
	}
	return path.Join(b.ID, b.Digest), nil
}

// The objects of a batch.
const (
	manifestName  = "manifest.json"
	progressName  = "progress.json"
	chunksFolder  = "items/"
	resultsFolder = "results/"
	linesSuffix   = ".jsonl"
)

func (s *Store) write(ctx context.Context, b activities.BatchRef, name string, raw []byte) error {
	bucket, err := s.open(ctx)
	if err != nil {
		return err
	}
	dir, err := folder(b)
	if err != nil {
		return err
	}
	return s.explain("write", bucket.WriteAll(ctx, path.Join(dir, name), raw, &blob.WriterOptions{ContentType: "application/json"}))
}

// ErrUnknownBatch means that the store has no batch of that id and digest.
var ErrUnknownBatch = errors.New("the store has no such batch")

func (s *Store) read(ctx context.Context, b activities.BatchRef, name string) ([]byte, error) {
	bucket, err := s.open(ctx)
	if err != nil {
		return nil, err
	}
	dir, err := folder(b)
	if err != nil {
		return nil, err
	}
	raw, err := bucket.ReadAll(ctx, path.Join(dir, name))
	if gcerrors.Code(err) == gcerrors.NotFound {
		return nil, fmt.Errorf("%w: %s/%s in %s", ErrUnknownBatch, dir, name, s)
	}
	return raw, s.explain("read", err)
}

// AddResults implements [activities.BatchStore]. Each call makes one segment.
// Segments are listed in the order of their names, which is that of time.
func (s *Store) AddResults(ctx context.Context, b activities.BatchRef, results []activities.ItemResult) error {
	var lines bytes.Buffer
	if err := writeLines(&lines, results); err != nil {
		return err
	}
	name := resultsFolder + time.Now().UTC().Format("20060102T150405.000000000") + "-" + uuid.NewString()[:8] + linesSuffix
	return s.write(ctx, b, name, lines.Bytes())
}

func writeLines[T any](w io.Writer, values []T) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	for _, v := range values {
		if err := e.Encode(v); err != nil {
			return err
		}
	}
	return nil
}

// SetProgress implements [activities.BatchStore].
func (s *Store) SetProgress(ctx context.Context, b activities.BatchRef, p activities.BatchProgress) error {
	raw, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return s.write(ctx, b, progressName, raw)
}

// Progress implements [activities.BatchStore].
func (s *Store) Progress(ctx context.Context, b activities.BatchRef) (p activities.BatchProgress, err error) {
	raw, err := s.read(ctx, b, progressName)
	if errors.Is(err, ErrUnknownBatch) {
		return p, nil
	}
	if err != nil {
		return p, err
	}
	err = json.Unmarshal(raw, &p)
	return p, err
}
