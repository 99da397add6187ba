package batchstore

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"sort"

	"github.com/errand-dev/errand/activities"
)

// A chunk of items has at most so many, and no more once it has that many
// bytes.
const (
	chunkItems = 500
	chunkBytes = 1 << 20
)

// manifest says which chunks a batch has. It is written last.
type manifest struct {
	Total  int   `json:"total"`
	Chunks []int `json:"chunks"` // the index of the first item of each
}

func chunkName(n int) string { return fmt.Sprintf("%s%06d%s", chunksFolder, n, linesSuffix) }

// Writer writes the items of a batch. Writing the same batch once more changes
// nothing.
type Writer struct {
	store    *Store
	batch    activities.BatchRef
	manifest manifest
	chunk    bytes.Buffer
	items    int // in the chunk
}

// NewWriter begins to write a batch. It counts only once it is finished.
func (s *Store) NewWriter(b activities.BatchRef) *Writer { return &Writer{store: s, batch: b} }

// Add adds an item. The caller's indexes begin at 0 and leave none out.
func (w *Writer) Add(ctx context.Context, item activities.BatchItem) error {
	if item.Index != w.manifest.Total {
		return fmt.Errorf("item %d comes after item %d", item.Index, w.manifest.Total-1)
	}
	if w.items == 0 {
		w.manifest.Chunks = append(w.manifest.Chunks, item.Index)
	}
	if err := writeLines(&w.chunk, []activities.BatchItem{item}); err != nil {
		return err
	}
	w.items++
	w.manifest.Total++
	if w.items < chunkItems && w.chunk.Len() < chunkBytes {
		return nil
	}
	return w.flush(ctx)
}

func (w *Writer) flush(ctx context.Context) error {
	if w.items == 0 {
		return nil
	}
	err := w.store.write(ctx, w.batch, chunkName(len(w.manifest.Chunks)-1), w.chunk.Bytes())
	w.chunk.Reset()
	w.items = 0
	return err
}

// Finish writes what is left.
func (w *Writer) Finish(ctx context.Context) error {
	if err := w.flush(ctx); err != nil {
		return err
	}
	raw, err := json.Marshal(w.manifest)
	if err != nil {
		return err
	}
	return w.store.write(ctx, w.batch, manifestName, raw)
}

// Items implements [activities.BatchStore]. It holds one chunk at a time.
func (s *Store) Items(ctx context.Context, b activities.BatchRef, from int) iter.Seq2[activities.BatchItem, error] {
	return func(yield func(activities.BatchItem, error) bool) {
		raw, err := s.read(ctx, b, manifestName)
		var m manifest
		if err == nil {
			err = json.Unmarshal(raw, &m)
		}
		if err != nil {
			yield(activities.BatchItem{}, err)
			return
		}
		first := max(0, sort.SearchInts(m.Chunks, from+1)-1) // the last that does not begin behind it
		for n := first; n < len(m.Chunks) && from < m.Total; n++ {
			raw, err := s.read(ctx, b, chunkName(n))
			if err != nil {
				yield(activities.BatchItem{}, err)
				return
			}
			for line := range bytes.Lines(raw) {
				var item activities.BatchItem
				if err := json.Unmarshal(line, &item); err != nil {
					yield(item, fmt.Errorf("%s of batch %s in %s is damaged: %w", chunkName(n), b.ID, s, err))
					return
				}
				if item.Index >= from && !yield(item, nil) {
					return
				}
			}
		}
	}
}
