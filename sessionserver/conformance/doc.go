// Package conformance holds what is known of the vendors' APIs, a table of tests
// for each, that run against any server of that API:
//
//	go test ./sessionserver/conformance
//	go test -v ./sessionserver/conformance -run AGI -base-url https://api.agi.tech -api-key env:AGI_API_KEY
//	go test -v ./sessionserver/conformance -run Everruns -everruns-url https://app.everruns.com/api -everruns-key env:EVERRUNS_API_KEY
//
// Without a URL the server is the local one, in this process. Against another
// server the rows that need what only the local one has (the script agent, an
// empty account) are listed as not run, and every session that was made is
// deleted at the end. The rows speak plain HTTP and not through Errand's own
// clients, whose mistakes they must not share.
package conformance
