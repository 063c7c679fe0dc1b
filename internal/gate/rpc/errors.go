package rpc

import (
	"time"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/wire"
)

// codes are the kinds of error as the wire tells them where there is no finer code.
var codes = map[im.Kind]uint32{
	im.Unauthenticated: wire.CodeUnauthenticated,
	im.Invalid:         wire.CodeInvalid,
	im.TooLarge:        wire.CodeTooLarge,
	im.NotFound:        wire.CodeNotFound,
	im.Conflict:        wire.CodeConflict,
	im.Unsupported:     wire.CodeUnsupported,
	im.Denied:          wire.CodeDenied,
	im.Limited:         wire.CodeLimited,
	im.Busy:            wire.CodeBusy,
	im.Unavailable:     wire.CodeUnavailable,
	im.ReadOnly:        wire.CodeReadOnly,
	im.Internal:        wire.CodeInternal,
}

// fine are the codes that are passed on as they are.
var fine = map[im.Code]bool{
	im.CodeVersion: true, im.CodeMalformed: true, im.CodeFrameSize: true, im.CodeSilent: true,
	im.CodeSlow: true, im.CodeReplaced: true, im.CodeKicked: true, im.CodeDraining: true,
	im.CodeUnauthenticated: true, im.CodeExpired: true, im.CodeRevoked: true, im.CodeOtherDevice: true,
	im.CodeDoor: true, im.CodeInvalid: true, im.CodeTooLarge: true, im.CodeSchema: true, im.CodeNoType: true,
	im.CodeNotFound: true, im.CodeConflict: true, im.CodeUnsupported: true, im.CodeDenied: true,
	im.CodeNotAccepted: true, im.CodeMuted: true, im.CodeRole: true, im.CodeNotListed: true, im.CodeTooLate: true,
	im.CodeLimited: true, im.CodeBusy: true, im.CodeUnavailable: true, im.CodeReadOnly: true, im.CodeInternal: true,
}

// CodeOf is an error's code on the wire.
func CodeOf(e *im.Error) uint32 {
	if fine[e.Code] {
		return uint32(e.Code)
	}
	if c, ok := codes[e.Kind]; ok {
		return c
	}
	return wire.CodeInternal
}

// RetryMillis is how long to wait, rounded up so that it is not too early.
func RetryMillis(d time.Duration) uint32 {
	if d <= 0 {
		return 0
	}
	return uint32(min((d+time.Millisecond-1)/time.Millisecond, 1<<31))
}
