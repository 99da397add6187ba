// Package engine runs what Errand needs when the user has none of it: a Temporal
// server and a local session server, one of each per data directory.
//
// Any number of processes may open one data directory at a time. Each server has
// a lock file there: the process that holds it runs the server, the others use
// it. When that process ends, however it ends, one of the others takes the lock
// and starts the server again on the same port, so that clients simply connect
// again and workflows go on.
//
// Files in the data directory, where NAME is temporal or sessions:
//
//	NAME.lock      held by the process that runs the server
//	NAME.json      who runs it and where, with the ports to use next time
//	temporal.db    the Temporal server's database
//	sessions.key   the key of the local session server, mode 0600
//	sessions/      the local session server's own
package engine
