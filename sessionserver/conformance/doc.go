// Package conformance holds what is known of the AGI Agent Sessions API as a
// table of tests that run against any server of it:
//
//	go test ./sessionserver/conformance
//	go test -v ./sessionserver/conformance -base-url https://api.agi.tech -api-key env:AGI_API_KEY
//
// Without -base-url the server is the local one, in this process. Against
// another server the rows that need what only the local one has (the script
// agent, an empty account) are listed as not run, and every session that was
// made is deleted at the end. The rows speak plain HTTP and not through
// Errand's own client, whose mistakes they must not share.
package conformance
