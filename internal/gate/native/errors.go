package native

import (
	"time"

	"github.com/anser-im/anser/internal/core"
	"github.com/anser-im/anser/internal/gate/rpc"
	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/wire"
)

// reasons are what ends a link, by code.
var reasons = map[im.Code]string{
	im.CodeVersion:         wire.ReasonVersion,
	im.CodeMalformed:       wire.ReasonMalformed,
	im.CodeFrameSize:       wire.ReasonTooLarge,
	im.CodeSilent:          wire.ReasonSilent,
	im.CodeSlow:            wire.ReasonSlow,
	im.CodeReplaced:        wire.ReasonReplaced,
	im.CodeKicked:          wire.ReasonKicked,
	im.CodeDraining:        wire.ReasonDrain,
	im.CodeUnauthenticated: wire.ReasonToken,
	im.CodeExpired:         wire.ReasonToken,
	im.CodeRevoked:         wire.ReasonToken,
	im.CodeOtherDevice:     wire.ReasonToken,
	im.CodeDoor:            wire.ReasonToken,
	im.CodeInvalid:         wire.ReasonMalformed, // of HELLO: a device id that is none
	im.CodeTooLarge:        wire.ReasonTooLarge,
	im.CodeSchema:          wire.ReasonMalformed,
	im.CodeNoType:          wire.ReasonMalformed,
	im.CodeNotFound:        wire.ReasonToken, // no such app, or the user is gone
	im.CodeConflict:        wire.ReasonReplaced,
	im.CodeUnsupported:     wire.ReasonVersion,
	im.CodeDenied:          wire.ReasonKicked,
	im.CodeNotAccepted:     wire.ReasonKicked,
	im.CodeMuted:           wire.ReasonKicked,
	im.CodeRole:            wire.ReasonKicked,
	im.CodeNotListed:       wire.ReasonKicked,
	im.CodeTooLate:         wire.ReasonKicked,
	im.CodeLimited:         wire.ReasonOverload,
	im.CodeBusy:            wire.ReasonOverload,
	im.CodeUnavailable:     wire.ReasonOverload,
	im.CodeReadOnly:        wire.ReasonOverload,
	im.CodeInternal:        wire.ReasonOverload,
}

// ending is why a link ends, for its last words.
type ending struct {
	reason    string
	code      uint32
	text      string
	resumable bool
	retry     time.Duration
	closing   uint16 // code of a WebSocket's close frame; 0 = by the reason
	raw       []byte // said instead of GOAWAY, to who does not speak our protocol
	why       why    // for the counters
}

// refused is the ending that answers an error of a login.
func refused(e *im.Error) ending {
	code := im.Code(rpc.CodeOf(e))
	end := ending{reason: reasons[code], code: uint32(code), text: e.Text, retry: e.Retry}
	if end.reason == "" {
		end.reason = wire.ReasonOverload
	}
	end.why = whyOf(end.reason)
	return end
}

// ended is the ending that core asks for.
func ended(e core.End) ending {
	end := ending{reason: reasons[e.Code], code: uint32(e.Code), text: e.Text, resumable: e.Resumable, retry: e.RetryAfter}
	if end.reason == "" {
		end.reason = wire.ReasonOverload
	}
	end.why = whyOf(end.reason)
	return end
}

// broken is the ending for bytes that break the protocol.
func broken(e *wire.Error) ending {
	end := ending{reason: e.Reason(), code: e.Code, text: e.Text}
	if e.Code == wire.CodeBusy {
		end.resumable, end.retry = true, time.Second
	}
	end.why = whyOf(end.reason)
	return end
}

func malformed(text string) ending {
	return ending{reason: wire.ReasonMalformed, code: wire.CodeMalformed, text: text, why: whyMalformed}
}
