// Package ledger keeps the record of the sessions that Errand creates: one
// small object for each try, in a folder or a bucket that all workers of a
// connection share.
package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"strings"

	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"

	"github.com/errand-dev/errand/activities"
	"github.com/errand-dev/errand/internal/blobs"
)

// Ledger is an open ledger. It is safe for concurrent use, by any number of
// processes.
type Ledger struct {
	bucket *blob.Bucket
	where  string
}

var _ activities.Ledger = (*Ledger)(nil)

// Open opens the ledger at a place: a folder, made if it is missing, or the URL
// of a bucket whose driver the program has linked in (gocloud.dev/blob).
func Open(ctx context.Context, place string) (*Ledger, error) {
	bucket, err := blobs.Open(ctx, place)
	if err != nil {
		return nil, fmt.Errorf("ledger of sessions: %w", err)
	}
	return &Ledger{bucket: bucket, where: blobs.Redacted(place)}, nil
}

// Close closes the ledger.
func (l *Ledger) Close() error { return l.bucket.Close() }

// String says where the ledger is.
func (l *Ledger) String() string { return l.where }

const suffix = ".json"

// key is CONNECTION/SHARD/REF.TRY.json. To list the tries for one session is to
// list a small folder, and there are not more folders than shards.
func key(e activities.LedgerEntry) (string, error) {
	prefix, err := prefixOf(e.Connection, e.Ref)
	if err == nil {
		err = check(e.Try)
	}
	return prefix + e.Try + suffix, err
}

func prefixOf(connection, ref string) (string, error) {
	if err := errors.Join(check(connection), check(ref)); err != nil {
		return "", err
	}
	return path.Join(connection, ref[max(0, len(ref)-2):], ref) + ".", nil
}

var keyPart = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

func check(part string) error {
	if !keyPart.MatchString(part) {
		return fmt.Errorf("ledger of sessions: %q is no part of a key", part)
	}
	return nil
}

// Put implements [activities.Ledger].
func (l *Ledger) Put(ctx context.Context, e activities.LedgerEntry) error {
	k, err := key(e)
	if err != nil {
		return err
	}
	raw, err := json.Marshal(e)
	if err != nil {
		return err
	}
	return l.explain("write", l.bucket.WriteAll(ctx, k, raw, &blob.WriterOptions{ContentType: "application/json"}))
}

// Tries implements [activities.Ledger].
func (l *Ledger) Tries(ctx context.Context, connection, ref string) ([]activities.LedgerEntry, error) {
	prefix, err := prefixOf(connection, ref)
	if err != nil {
		return nil, err
	}
	return l.read(ctx, prefix)
}

// Entries implements [activities.Ledger].
func (l *Ledger) Entries(ctx context.Context, connection string) ([]activities.LedgerEntry, error) {
	if err := check(connection); err != nil {
		return nil, err
	}
	return l.read(ctx, connection+"/")
}

// rereads is how often a listing may begin anew: that of a folder breaks off
// where a file vanishes under it.
const rereads = 100

func (l *Ledger) read(ctx context.Context, prefix string) (entries []activities.LedgerEntry, err error) {
	for range rereads {
		if entries, err = l.readOnce(ctx, prefix); gcerrors.Code(err) != gcerrors.NotFound {
			return entries, err
		}
	}
	return nil, err
}

// readOnce reads all entries below a prefix. One that vanishes meanwhile was
// forgotten; one that cannot be read is an error, as who decides by the ledger
// must have all of it.
func (l *Ledger) readOnce(ctx context.Context, prefix string) ([]activities.LedgerEntry, error) {
	var entries []activities.LedgerEntry
	list := l.bucket.List(&blob.ListOptions{Prefix: prefix})
	for {
		object, err := list.Next(ctx)
		if errors.Is(err, io.EOF) {
			return entries, nil
		}
		if err != nil {
			return nil, l.explain("list", err)
		}
		if !strings.HasSuffix(object.Key, suffix) { // a write that was cut off
			continue
		}
		raw, err := l.bucket.ReadAll(ctx, object.Key)
		if gcerrors.Code(err) == gcerrors.NotFound {
			continue
		}
		if err != nil {
			return nil, l.explain("read", err)
		}
		var e activities.LedgerEntry
		if err := json.Unmarshal(raw, &e); err != nil {
			return nil, fmt.Errorf("ledger of sessions: %s in %s is damaged: %w", object.Key, l.where, err)
		}
		entries = append(entries, e)
	}
}

// Forget implements [activities.Ledger].
func (l *Ledger) Forget(ctx context.Context, e activities.LedgerEntry) error {
	k, err := key(e)
	if err != nil {
		return err
	}
	err = l.bucket.Delete(ctx, k)
	if gcerrors.Code(err) == gcerrors.NotFound {
		return nil
	}
	return l.explain("write", err)
}

func (l *Ledger) explain(op string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %s: %w", op, l.where, err)
}
