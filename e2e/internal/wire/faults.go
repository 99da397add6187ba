package wire

import (
	"bytes"
	"time"
)

// Nth lets the first n-1 requests pass.
func Nth(n int, f Fault) Fault {
	seen := 0
	return func(x *Exchange) bool {
		seen++
		return seen >= n && f(x)
	}
}

// Telling lets requests pass until the vendor's answer has those words in it.
// To find out it asks, and f may ask once more, so it is for requests that only
// read.
func Telling(words string, f Fault) Fault {
	return func(x *Exchange) bool {
		answer, err := x.Forward()
		switch {
		case err != nil:
			x.Tear()
			return false
		case !bytes.Contains(answer.Body, []byte(words)):
			x.Reply(answer) // this one: the next may tell already
			return false
		}
		return f(x)
	}
}

// LoseRequest tears the connection; the vendor never hears of the request.
func LoseRequest(x *Exchange) bool {
	x.Tear()
	return true
}

// LoseReply tears the connection once the vendor has done what it was asked.
func LoseReply(x *Exchange) bool {
	_, err := x.Forward()
	x.Tear()
	return err == nil
}

// HalveReply tears the connection in the middle of the vendor's answer.
func HalveReply(x *Exchange) bool {
	answer, err := x.Forward()
	if err != nil {
		x.Tear()
		return false
	}
	x.ReplyHalf(answer)
	return true
}

// Late tears the connection, and the vendor hears of the request only after
// that long.
func Late(delay time.Duration) Fault {
	return func(x *Exchange) bool {
		x.Later(delay)
		return true
	}
}

// HoldReply keeps the vendor's answer back until the caller has given up.
func HoldReply(x *Exchange) bool {
	_, err := x.Forward()
	<-x.Gone()
	x.Tear()
	return err == nil
}

// HoldRequest keeps the request back until its caller has given up, and for
// that long after it. Then the vendor hears of it.
func HoldRequest(delay time.Duration) Fault {
	return func(x *Exchange) bool {
		<-x.Gone()
		x.Later(delay)
		return true
	}
}
