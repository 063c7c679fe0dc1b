package wire

import (
	"errors"
	"fmt"
)

// Codes, as they stand in Res.code, SendAck.code, GoAway.code and Error.Code. 0 is
// success. Thousands are classes: 1 link, 2 who you are, 3 the request, 4 not
// allowed, 5 too much, 6 the server.
const (
	CodeOK = 0

	CodeVersion   = 1001 // no version in common
	CodeMalformed = 1002 // the bytes are no frame, or a frame out of order
	CodeFrameSize = 1003 // a frame above the limit
	CodeSilent    = 1004 // no byte within the announced beat
	CodeSlow      = 1005 // took no byte for the stall time; resumable
	CodeReplaced  = 1006 // the same device signed in elsewhere
	CodeKicked    = 1007 // ended by the user, an administrator or a policy
	CodeDraining  = 1008 // the node is shutting down; resumable

	CodeUnauthenticated = 2000 // no valid token
	CodeExpired         = 2001 // the token's time is over
	CodeRevoked         = 2002 // the token was revoked
	CodeOtherDevice     = 2003 // the token is bound to another device
	CodeDoor            = 2004 // the token is not good for this door

	CodeInvalid     = 3000 // malformed, out of range, or without meaning
	CodeTooLarge    = 3001 // over a size limit, which the text names
	CodeSchema      = 3002 // the body is not as the type's schema says; the text names the field
	CodeNoType      = 3003 // the type is not registered, or not for clients to send
	CodeNotFound    = 3004 // absent, or not for this user to know of
	CodeConflict    = 3009 // the same client id with another content, or a name that is taken
	CodeUnsupported = 3010 // this server does not do that

	CodeDenied      = 4000 // known, but not allowed
	CodeNotAccepted = 4001 // the receiver does not accept it
	CodeMuted       = 4002 // the sender is muted there
	CodeRole        = 4003 // the role does not allow it
	CodeNotListed   = 4004 // the receiver takes messages only from those on their list
	CodeTooLate     = 4005 // the time in which it was allowed is over

	CodeLimited = 5000 // too fast; retry_ms says how long to wait
	CodeBusy    = 5001 // a queue is full; nothing was done

	CodeUnavailable = 6000 // the outcome is not known: repeat under the same client id
	CodeReadOnly    = 6002 // the store takes no writes now; nothing was done
	CodeInternal    = 6009 // a fault of the server
)

// Retryable says whether a client repeats the same request by itself, with backoff:
// the codes 5000 to 6999. CodeInternal is repeated three times at most.
func Retryable(code uint32) bool { return code >= 5000 && code < 7000 }

// ErrShort says that the bytes so far are the beginning of a frame and more are
// needed.
var ErrShort = errors.New("wire: the frame is not complete yet")

// Error says why bytes were refused. In a frame it ends the link: GoAway with
// Reason and Code. In the body of a Req it only refuses the request, with
// CodeInvalid.
type Error struct {
	Code  uint32 // CodeMalformed, CodeFrameSize or CodeBusy
	Text  string // English, for whoever writes the other side
	cause error
}

func (e *Error) Error() string { return "wire: " + e.Text }

// Unwrap gives the codec's own error, if there was one.
func (e *Error) Unwrap() error { return e.cause }

// Reason is the reason for a GoAway that tells of this error.
func (e *Error) Reason() string {
	switch e.Code {
	case CodeFrameSize:
		return ReasonTooLarge
	case CodeBusy:
		return ReasonOverload
	}
	return ReasonMalformed
}

func malformed(format string, args ...any) *Error {
	return &Error{Code: CodeMalformed, Text: fmt.Sprintf(format, args...)}
}

func tooLarge(format string, args ...any) *Error {
	return &Error{Code: CodeFrameSize, Text: fmt.Sprintf(format, args...)}
}
