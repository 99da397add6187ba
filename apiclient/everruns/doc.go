// Package everruns is a client for the Everruns API of agents and sessions.
//
// It maps the vendor's API one to one, as far as running a session goes: a
// method per endpoint, the vendor's names, and no retries, defaults or
// conclusions of its own. [Client.CreateSession] makes a session of an agent,
// [Client.CreateMessage] gives it work, [Client.ListEvents] tells what has
// happened since an event, and [Client.Events] follows it live. The calls that
// configure an organization (providers, MCP servers, schedules, files) are not
// here.
//
// A session never ends by itself, and idle does not mean that its work
// succeeded: that is told by the events of the turn, [EventTurnCompleted],
// [EventTurnFailed], [EventTurnCancelled] and [EventTurnSealed]. A failed turn
// says something too, so neither does an output message mean success.
//
// [Client.Follow] alone does more than one call: it follows a session over the
// connections that the API ends every few minutes, and tells each event once.
//
// Every call is bounded by its context alone. The vendor's SDKs wait 30 seconds
// for an answer.
//
// # Errors
//
// What a caller may conclude from a failed call is told by the error's type:
//
//   - [ErrInvalidRequest]: nothing was sent, and nothing would be.
//   - [*TransportError]: there is no answer; Sent says whether the request may
//     have arrived all the same.
//   - [*Error]: the API answered with a status other than 2xx. Message is one
//     line for people, whichever of its forms the body has.
//   - [*BodyError]: the API answered 2xx but the body is unreadable, so the act
//     has most likely happened.
//   - [*StreamError]: an open event stream broke.
//
// The API has no idempotency key. After a POST that failed with a
// TransportError whose Sent is true, or with a BodyError, look for what it may
// have made before sending it again: a tag of a session and the metadata of a
// message come back as they were given.
//
// # Vintages
//
// The API is known from two OpenAPI files of different age. Fields and calls
// that the older one lacks say "current profile" and are left out of a request
// unless they are set. Statuses and types are strings, and a value that this
// package does not name is kept as it came.
package everruns
