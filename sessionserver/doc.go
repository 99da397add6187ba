// Package sessionserver serves agent sessions on this machine: the default of
// an Errand without a vendor account, and the double of a vendor in tests.
//
// One engine holds the sessions; the HTTP API of each vendor is a face on it.
// The AGI Agent Sessions API is served at /v1/…. Besides, there are
//
//	/session/{id}   a live page for people, the vnc_url of a session
//	/shop/          a small demo shop, also at http://shop.localhost/ for the
//	                reader agent and for browsers (with the port)
//	/healthz        200 as long as the server lives, no key needed
//
// The agents that come with it are reader (also agi-0 and agi-0-fast), which
// reads a page and answers from what is written there, and script, which does
// what the message says step by step. Neither has a model behind it.
//
// Everything is kept below Config.Dir and survives the death of the process:
// sessions go on where they were, questions can still be answered.
package sessionserver
