package cli

// The kinds of buckets that a ledger can be in, besides a folder.
import (
	_ "gocloud.dev/blob/gcsblob" // gs://
	_ "gocloud.dev/blob/s3blob"  // s3://, with s3's flags also for what speaks like it
)
