// Package rest is the request core that the vendor clients share: JSON calls,
// typed errors and server-sent event streams over one HTTP client.
//
// It retries nothing, holds no state between calls and has no opinion about an
// answer. What went wrong is told apart by what the caller may conclude:
//
//   - [ErrInvalidRequest]: the request could not be built; nothing was sent.
//   - [*TransportError]: there is no answer. Sent says whether the server may
//     have received the request.
//   - [*Error]: the server answered with a status other than 2xx.
//   - [*BodyError]: the server answered 2xx, so the act has happened, but the
//     body cannot be read.
//   - [*StreamError]: an event stream broke after it had been opened.
package rest
