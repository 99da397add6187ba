package batchstore

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"

	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"

	"github.com/errand-dev/errand/activities"
)

// Results implements [activities.BatchStore]. It holds one segment at a time.
func (s *Store) Results(ctx context.Context, b activities.BatchRef) iter.Seq2[activities.ItemResult, error] {
	return func(yield func(activities.ItemResult, error) bool) {
		for segment, err := range s.segments(ctx, b) {
			if err != nil {
				yield(activities.ItemResult{}, err)
				return
			}
			for line := range bytes.Lines(segment.lines) {
				var result activities.ItemResult
				if err := json.Unmarshal(line, &result); err != nil {
					yield(result, fmt.Errorf("%s in %s is damaged: %w", segment.key, s, err))
					return
				}
				if !yield(result, nil) {
					return
				}
			}
		}
	}
}

// segment is one object of results.
type segment struct {
	key   string
	lines []byte
}

// segments reads all segments of a batch, one after the other.
func (s *Store) segments(ctx context.Context, b activities.BatchRef) iter.Seq2[segment, error] {
	return func(yield func(segment, error) bool) {
		bucket, keys, err := s.segmentKeys(ctx, b)
		if err != nil {
			yield(segment{}, err)
			return
		}
		for _, key := range keys {
			lines, err := bucket.ReadAll(ctx, key)
			if err != nil {
				yield(segment{}, s.explain("read", err))
				return
			}
			if !yield(segment{key, lines}, nil) {
				return
			}
		}
	}
}

// relists is how often a listing may begin anew: that of a folder breaks off
// where a file vanishes under it, as those do that are being written.
const relists = 100

func (s *Store) segmentKeys(ctx context.Context, b activities.BatchRef) (*blob.Bucket, []string, error) {
	bucket, err := s.open(ctx)
	if err != nil {
		return nil, nil, err
	}
	dir, err := folder(b)
	if err != nil {
		return nil, nil, err
	}
	var keys []string
	for range relists {
		if keys, err = listLines(ctx, bucket, dir+"/"+resultsFolder); gcerrors.Code(err) != gcerrors.NotFound {
			break
		}
	}
	return bucket, keys, s.explain("list", err)
}

func listLines(ctx context.Context, bucket *blob.Bucket, prefix string) ([]string, error) {
	var keys []string
	list := bucket.List(&blob.ListOptions{Prefix: prefix})
	for {
		object, err := list.Next(ctx)
		if errors.Is(err, io.EOF) {
			return keys, nil
		}
		if err != nil {
			return nil, err
		}
		if strings.HasSuffix(object.Key, linesSuffix) { // else a write that was cut off
			keys = append(keys, object.Key)
		}
	}
}
