// Package sessionserver serves agent sessions on this machine: the default of
// an Errand without a vendor account, and the double of a vendor in tests.
//
// One engine holds the sessions; the HTTP API of each vendor is a face on it:
//
//	/v1/…            the AGI Agent Sessions API
//	/everruns/v1/…   the Everruns API
//	/agen/api/v1/…   the Agen API
//
// A session is known to the API that it was made with, and to no other. Besides,
// there are
//
//	/session/{id}   a live page for people, with the agent's screen if it has
//	                one: the vnc_url or view_url of a session
//	/shop/          a small demo shop, also at http://shop.localhost/ for the
//	                reader agent and for browsers (with the port)
//	/healthz        200 as long as the server lives, no key needed
//
// The agents that come with it are reader (also by the names of the vendor's
// agents), which reads a page and answers from what is written there, and
// script, which does what the message says step by step. Neither has a model
// behind it. Any program can be a further one, see package agent/exec.
//
// Everything is kept below Config.Dir and survives the death of the process:
// sessions go on where they were, questions can still be answered, and a task
// whose program was lost says so. A deleted session can leave a snapshot of its
// working directory, which another one begins with.
//
// With Config.Faults the server fails on purpose; /faults then tells how often.
// With Config.Truth it writes down what really happened, for those who check.
package sessionserver
