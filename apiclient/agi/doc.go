// Package agi is a client for the AGI Agent Sessions API of AGI, Inc.
//
// It maps the vendor's API one to one: a method per endpoint, the vendor's
// names, and no retries, defaults or conclusions of its own. A new task, an
// answer to a question and a remark in mid-task are all a [Client.SendMessage];
// [Client.Status] and [Client.Messages] tell how the agent gets on, and
// [Client.Events] follows it live. What the API posts to a webhook URL is read
// by [ParseWebhook].
//
// [Client.Follow] alone does more than one call: it follows a session over
// broken connections and tells each event once, to the end of the task.
//
// Every call is bounded by its context alone. The vendor's documentation
// advises a timeout of 30 seconds per request and a poll every 1 to 3 seconds.
//
// # Errors
//
// What a caller may conclude from a failed call is told by the error's type:
//
//   - [ErrInvalidRequest]: nothing was sent, and nothing would be.
//   - [*TransportError]: there is no answer; Sent says whether the request may
//     have arrived all the same.
//   - [*Error]: the API answered with a status other than 2xx. Message is one
//     line for people, whichever form the body has, and Fields is what a 422
//     says about single fields.
//   - [*BodyError]: the API answered 2xx but the body is unreadable, so the act
//     has most likely happened.
//   - [*StreamError]: an open event stream broke.
//
// The API has no idempotency key. After a POST that failed with a
// TransportError whose Sent is true, or with a BodyError, read the sessions or
// the messages before sending it again.
//
// # Unknown values
//
// The API is known from documentation and SDKs of different age. A field that
// only some of them have says so and is left out of a request unless it is set.
// Statuses and types are strings, and a value that this package does not name
// is kept as it came.
package agi
