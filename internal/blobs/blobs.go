// Package blobs opens the places in which Errand keeps objects that several
// workers share: a folder, or a bucket of whatever cloud.
package blobs

import (
	"context"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"gocloud.dev/blob"
	"gocloud.dev/blob/fileblob"
)

// Open opens a place: a folder, made if it is missing, or the URL of a bucket
// whose driver the program has linked in (gocloud.dev/blob).
func Open(ctx context.Context, place string) (*blob.Bucket, error) {
	if strings.Contains(place, "://") {
		return blob.OpenBucket(ctx, place)
	}
	return openFolder(place)
}

// openFolder keeps temporary files beside the objects, so that each write is
// one rename.
func openFolder(dir string) (*blob.Bucket, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	return fileblob.OpenBucket(dir, &fileblob.Options{NoTempDir: true, Metadata: fileblob.MetadataDontWrite, DirFileMode: 0o700})
}

// Redacted is a place without what may be secret in it.
func Redacted(place string) string {
	u, err := url.Parse(place)
	if err != nil || u.Scheme == "" {
		return place
	}
	u.RawQuery = ""
	return u.Redacted()
}
