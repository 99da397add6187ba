// Package agents holds example agents for the local session server: programs
// that speak the JSON-lines protocol of docs/agents.md. README.md tells how to
// run them.
package agents
