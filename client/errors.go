package client

import (
	"errors"
	"fmt"
	"time"

	"github.com/anser-im/anser/wire"
)

// Error is a refusal by the server. Code is one of wire.CodeInvalid and so on; show
// people a text of your own by it.
type Error struct {
	Code       uint32
	Message    string        // English
	RetryAfter time.Duration // 0 = not told
}

func (e *Error) Error() string {
	if e.Message == "" {
		return fmt.Sprintf("anser: refused with code %d", e.Code)
	}
	return fmt.Sprintf("anser: %s (code %d)", e.Message, e.Code)
}

// IsCode says whether err is a refusal with that code.
func IsCode(err error, code uint32) bool {
	var e *Error
	return errors.As(err, &e) && e.Code == code
}

func refusal(code uint32, message string, retryMillis uint32) *Error {
	return &Error{Code: code, Message: message, RetryAfter: time.Duration(retryMillis) * time.Millisecond}
}

// StopError says why the client will not come back by itself: the device signed in
// elsewhere, it was thrown out, or its token is not good. Start it again when that has
// been seen to.
type StopError struct {
	Reason  string // wire.ReasonReplaced, ReasonKicked, ReasonToken, ReasonVersion; "user" = the store is another user's
	Code    uint32
	Message string
}

func (e *StopError) Error() string {
	if e.Message == "" {
		return fmt.Sprintf("anser: signed out: %s", e.Reason)
	}
	return fmt.Sprintf("anser: signed out: %s: %s", e.Reason, e.Message)
}

// Errors that do not come from the server.
var (
	ErrClosed     = errors.New("anser: the client is closed")
	ErrOffline    = errors.New("anser: not connected")
	ErrOutboxFull = errors.New("anser: too many messages wait to be sent")
	ErrTooOld     = errors.New("anser: the message waited for more than 6 days and was not sent")
	ErrPoison     = errors.New("anser: the message was given up: three connections in a row broke while it was under way")
	ErrCancelled  = errors.New("anser: the message was given up by the application")
	ErrUnknown    = errors.New("anser: the connection broke before the answer came; the outcome is not known")
	ErrLocked     = errors.New("anser: another program uses this store")
)

// retryable says whether the client repeats by itself what was refused with code.
// Codes of the link and of who one is say nothing of the message: it waits.
func retryable(code uint32) bool {
	return wire.Retryable(code) || code >= 1000 && code < 3000
}
