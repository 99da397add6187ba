package batchstore

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"slices"

	"gocloud.dev/blob"

	"github.com/errand-dev/errand/activities"
)

// Outcomes implements [activities.BatchStore]. Of each item it remembers where
// its result is; of the results it holds those of a few segments.
func (s *Store) Outcomes(ctx context.Context, b activities.BatchRef) iter.Seq2[activities.ItemOutcome, error] {
	return func(yield func(activities.ItemOutcome, error) bool) {
		index, err := s.index(ctx, b)
		if err != nil {
			yield(activities.ItemOutcome{}, err)
			return
		}
		for item, err := range s.Items(ctx, b, 0) {
			outcome := activities.ItemOutcome{BatchItem: item}
			if err == nil {
				outcome.Latest, err = index.result(ctx, item.Index)
			}
			if !yield(outcome, err) || err != nil {
				return
			}
		}
	}
}

// resultIndex says where the latest result of each item is.
type resultIndex struct {
	store  *Store
	bucket *blob.Bucket
	keys   []string // of segments
	places []place  // by item

	cached []cachedSegment // the latest used first
}

// place is a line of a segment. Attempt 0: there is none.
type place struct {
	segment, offset, length uint32
	attempt                 uint32
}

type cachedSegment struct {
	number uint32
	lines  []byte
}

// cachedSegments is how many segments are held: items close about in the order
// in which they were started.
const cachedSegments = 8

// index reads all segments once.
func (s *Store) index(ctx context.Context, b activities.BatchRef) (*resultIndex, error) {
	bucket, keys, err := s.segmentKeys(ctx, b)
	if err != nil {
		return nil, err
	}
	x := &resultIndex{store: s, bucket: bucket, keys: keys}
	for number := range keys {
		lines, err := bucket.ReadAll(ctx, keys[number])
		if err != nil {
			return nil, s.explain("read", err)
		}
		if err := x.add(uint32(number), lines); err != nil {
			return nil, fmt.Errorf("%s in %s is damaged: %w", keys[number], s, err)
		}
	}
	return x, nil
}

func (x *resultIndex) add(number uint32, lines []byte) error {
	offset := 0
	for line := range bytes.Lines(lines) {
		var head struct{ Index, Attempt int }
		if err := json.Unmarshal(line, &head); err != nil {
			return err
		}
		if head.Index < 0 || head.Attempt < 1 {
			return fmt.Errorf("a result of attempt %d at item %d", head.Attempt, head.Index)
		}
		if missing := head.Index + 1 - len(x.places); missing > 0 {
			x.places = append(x.places, make([]place, missing)...)
		}
		// Of one attempt the first result counts.
		if p := &x.places[head.Index]; uint32(head.Attempt) > p.attempt {
			*p = place{number, uint32(offset), uint32(len(line)), uint32(head.Attempt)}
		}
		offset += len(line)
	}
	return nil
}

// result is the latest result of an item, nil if it has none.
func (x *resultIndex) result(ctx context.Context, item int) (*activities.ItemResult, error) {
	if item >= len(x.places) || x.places[item].attempt == 0 {
		return nil, nil
	}
	p := x.places[item]
	lines, err := x.segment(ctx, p.segment)
	if err != nil {
		return nil, err
	}
	var result activities.ItemResult
	if err := json.Unmarshal(lines[p.offset:p.offset+p.length], &result); err != nil {
		return nil, fmt.Errorf("%s in %s is damaged: %w", x.keys[p.segment], x.store, err)
	}
	return &result, nil
}

func (x *resultIndex) segment(ctx context.Context, number uint32) ([]byte, error) {
	at := slices.IndexFunc(x.cached, func(c cachedSegment) bool { return c.number == number })
	if at > 0 {
		used := x.cached[at]
		x.cached = slices.Insert(slices.Delete(x.cached, at, at+1), 0, used)
	}
	if at >= 0 {
		return x.cached[0].lines, nil
	}
	lines, err := x.bucket.ReadAll(ctx, x.keys[number])
	if err != nil {
		return nil, x.store.explain("read", err)
	}
	if len(x.cached) == cachedSegments {
		x.cached = x.cached[:cachedSegments-1]
	}
	x.cached = slices.Insert(x.cached, 0, cachedSegment{number, lines})
	return lines, nil
}
