package im

import (
	"errors"
	"fmt"
	"time"
)

// Kind says what went wrong, in one of twelve ways. Each door has one table from
// Kind to its own code.
type Kind uint8

// The twelve kinds. Their numbers on the wire are what Kind.Code answers.
const (
	Internal        Kind = iota // a bug or a broken part of ours; the log has the cause
	Unauthenticated             // no valid token
	Invalid                     // malformed, out of range, or not meaningful
	TooLarge                    // over a size limit, which the text names
	NotFound                    // absent, or not for this user to know of
	Conflict                    // the same client id with another content, or a name already taken
	Unsupported                 // this server does not do that
	Denied                      // known, but not allowed
	Limited                     // too fast; Retry says how long to wait
	Busy                        // a queue is full; nothing was done
	Unavailable                 // the outcome is not known: repeat under the same client id
	ReadOnly                    // no space, or the store takes no writes; nothing was done
	numKinds
)

// Kinds lists all kinds, for the tests that hold each door's table complete.
func Kinds() []Kind {
	ks := make([]Kind, numKinds)
	for i := range ks {
		ks[i] = Kind(i)
	}
	return ks
}

var kindNames = [numKinds]string{
	"Internal", "Unauthenticated", "Invalid", "TooLarge", "NotFound", "Conflict",
	"Unsupported", "Denied", "Limited", "Busy", "Unavailable", "ReadOnly",
}

func (k Kind) String() string {
	if k < numKinds {
		return kindNames[k]
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// Code is a number for an error that clients on every door are shown and translate
// by: thousands are classes (1 link, 2 unauthenticated, 3 request, 4 denied, 5
// limits, 6 server).
type Code uint16

// Codes of the link. They end a connection and have no Kind of their own.
const (
	CodeVersion   Code = 1001 // no common protocol version
	CodeMalformed Code = 1002 // the bytes are no frame of ours
	CodeFrameSize Code = 1003 // a frame over the limit
	CodeSilent    Code = 1004 // no byte within the announced beat
	CodeSlow      Code = 1005 // took no byte for the stall time; resumable
	CodeReplaced  Code = 1006 // the same device signed in elsewhere
	CodeKicked    Code = 1007 // ended by the user, an admin or a policy
	CodeDraining  Code = 1008 // the node is shutting down; resumable elsewhere
)

// Codes that are finer than their kind.
const (
	CodeUnauthenticated Code = 2000
	CodeExpired         Code = 2001 // the token's time is over
	CodeRevoked         Code = 2002 // the token was revoked
	CodeOtherDevice     Code = 2003 // the token is bound to another device
	CodeDoor            Code = 2004 // the token is not good for this door
	CodeInvalid         Code = 3000
	CodeTooLarge        Code = 3001
	CodeSchema          Code = 3002 // the body is not as the type's schema says; the text names the field
	CodeNoType          Code = 3003 // the type is not registered here, or not for clients to send
	CodeNotFound        Code = 3004
	CodeConflict        Code = 3009
	CodeUnsupported     Code = 3010
	CodeDenied          Code = 4000
	CodeNotAccepted     Code = 4001 // the receiver does not accept it (blocked)
	CodeMuted           Code = 4002
	CodeRole            Code = 4003 // the role does not allow it
	CodeNotListed       Code = 4004 // the receiver takes messages only from those on their list
	CodeTooLate         Code = 4005 // the time in which it was allowed is over
	CodeLimited         Code = 5000
	CodeBusy            Code = 5001
	CodeUnavailable     Code = 6000
	CodeReadOnly        Code = 6002
	CodeInternal        Code = 6009
)

var kindCodes = [numKinds]Code{
	CodeInternal, CodeUnauthenticated, CodeInvalid, CodeTooLarge, CodeNotFound, CodeConflict,
	CodeUnsupported, CodeDenied, CodeLimited, CodeBusy, CodeUnavailable, CodeReadOnly,
}

// Code is the kind's own number, used where an Error carries no finer one.
func (k Kind) Code() Code {
	if k < numKinds {
		return kindCodes[k]
	}
	return CodeInternal
}

// Retryable says whether a client repeats the same request by itself: 5xxx and 6xxx.
func (c Code) Retryable() bool { return c >= 5000 && c < 7000 }

// Error is a refusal or a failure that any user may be told.
type Error struct {
	Kind  Kind
	Code  Code          // never 0
	Text  string        // English, for any user to read; holds no secret and no internals
	Retry time.Duration // how long to wait before repeating; 0 = the client's own backoff
	cause error         // for the log only
}

func (e *Error) Error() string { return e.Text }

// Unwrap gives the cause, which only logs may show.
func (e *Error) Unwrap() error { return e.cause }

// Errorf makes an Error of kind k. A %w verb becomes the hidden cause as well as
// part of the text, so use it only with errors that users may read; for others use
// Wrap.
func Errorf(k Kind, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Kind: k, Code: k.Code(), Text: err.Error(), cause: errors.Unwrap(err)}
}

// Wrap makes an Error of kind k whose text is for users and whose cause is for the
// log.
func Wrap(k Kind, cause error, text string) *Error {
	return &Error{Kind: k, Code: k.Code(), Text: text, cause: cause}
}

// WithCode gives the error a number finer than its kind's.
func (e *Error) WithCode(c Code) *Error {
	d := *e
	d.Code = c
	return &d
}

// WithRetry says how long to wait before repeating.
func (e *Error) WithRetry(d time.Duration) *Error {
	f := *e
	f.Retry = d
	return &f
}

// AsError finds the Error in err. Whatever is none becomes Internal with a plain
// sentence, err being the cause for the log. nil stays nil.
func AsError(err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return Wrap(Internal, err, "something went wrong on the server; it has been logged")
}

// IsKind says whether err is, or wraps, an Error of kind k.
func IsKind(err error, k Kind) bool {
	var e *Error
	return errors.As(err, &e) && e.Kind == k
}
