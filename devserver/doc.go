// Package devserver runs a Temporal server inside this process: all four
// services, SQLite on disk, and the Temporal Web UI if asked for.
//
// It is the engine of a single machine. The file survives a clean stop as well
// as kill -9, and a server started on it later goes on with every workflow. The
// settings (dynamicconfig.go) are tuned for that one machine; the limits on
// histories and payloads are Temporal's own, so what runs here runs on a cluster.
//
// One process at a time may have a server on a folder. The package does not
// guard that itself, its caller holds a lock.
//
// The server writes to neither stdout nor stderr, installs no signal handlers
// and never ends the process. Importing the package links the whole Temporal
// server, well over 100 MB, so only commands and tests should.
package devserver
