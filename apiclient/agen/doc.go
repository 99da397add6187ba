// Package agen is a client for the API of Agen, whose coding agents work in
// git branches and sandboxes.
//
// It maps the vendor's API one to one: a method per endpoint, the vendor's
// names, and no retries, defaults or conclusions of its own. A session does
// nothing until its first [Client.SendMessage]; what was said and done in it
// since is its timeline, [Client.Timeline], and reading that again and again is
// how it is followed: the API has no stream and no webhooks.
//
// [Client.ListAllSessions] alone makes more than one call: it follows the
// cursor of [Client.ListSessions] to the end of the list.
//
// Every call is bounded by its context alone.
//
// # Errors
//
// What a caller may conclude from a failed call is told by the error's type:
//
//   - [ErrInvalidRequest]: nothing was sent, and nothing would be.
//   - [*TransportError]: there is no answer; Sent says whether the request may
//     have arrived all the same.
//   - [*Error]: the API answered with a status other than 2xx. Message is one
//     line for people, whichever form the body has.
//   - [*BodyError]: the API answered 2xx but the body is unreadable, so the act
//     has most likely happened.
//   - [ErrRepeatedPage]: a list that its cursor does not lead through.
//
// The API has no idempotency key. After a message whose sending failed with a
// TransportError whose Sent is true, or with a BodyError, look for its ClientID
// in the timeline before sending it again.
//
// # Unknown values
//
// The vendor documents create, list, update, send and the timeline, and the
// session's fields; of the statuses it says that they are strings, and of the
// payloads of events that they are objects. So statuses are strings here, types
// that this package does not name are kept as they came, and payloads are raw.
// What is an assumption says so: the method and path of [Client.UpdateSession],
// [Client.Session] as a whole, and the name of the cursor in a query.
package agen
