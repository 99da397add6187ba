package blobs

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAPlaceIsToldWithoutItsSecrets(t *testing.T) {
	require.Equal(t, "/var/lib/errand", Redacted("/var/lib/errand"))
	require.Equal(t, "s3://bucket/folder", Redacted("s3://bucket/folder?endpoint=x"))
	require.NotContains(t, Redacted("s3://user:hunter22@bucket"), "hunter22")
}

func TestAFolderIsMadeWhereItIsMissing(t *testing.T) {
	dir := t.TempDir() + "/a/b"
	bucket, err := Open(t.Context(), dir)
	require.NoError(t, err)
	require.NoError(t, bucket.WriteAll(t.Context(), "x/y", []byte("z"), nil))
	require.NoError(t, bucket.Close())
	require.FileExists(t, dir+"/x/y")
}
