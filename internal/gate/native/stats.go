package native

import (
	"sync/atomic"

	"github.com/anser-im/anser/wire"
)

// Stats are counters of a Door, since it was made unless they say "now".
type Stats struct {
	Connections struct{ TCP, TLS, WebSocket int64 } // now, signed in or not
	Opened      uint64
	SignedIn    uint64 // logins that were welcomed
	Resumed     uint64 // of SignedIn
	FramesIn    uint64 // whole frames
	FramesOut   uint64
	BytesOut    uint64 // of frames, before TLS and WebSocket
	Sends       uint64 // SEND frames
	Refused     uint64 // of Sends
	Pushed      uint64 // events in PUSH frames
	Requests    uint64 // REQ frames
	Paused      uint64 // times a connection was not read because its answers waited

	// Ended counts links by why they ended: "client" (it closed), "error" (the
	// connection broke), or the reason of the GOAWAY.
	Ended map[string]uint64
}

// why a link ended, for the counters.
type why uint8

const (
	whyClient why = iota
	whyError
	whyDrain
	whyRedirect
	whyKicked
	whyReplaced
	whyOverload
	whyToken
	whySlow
	whySilent
	whyMalformed
	whyTooLarge
	whyVersion
	whys
)

var whyNames = [whys]string{
	"client", "error", wire.ReasonDrain, wire.ReasonRedirect, wire.ReasonKicked, wire.ReasonReplaced,
	wire.ReasonOverload, wire.ReasonToken, wire.ReasonSlow, wire.ReasonSilent, wire.ReasonMalformed,
	wire.ReasonTooLarge, wire.ReasonVersion,
}

func whyOf(reason string) why {
	for w, n := range whyNames {
		if n == reason {
			return why(w)
		}
	}
	return whyError
}

type counters struct {
	now       [transports]atomic.Int64
	opened    atomic.Uint64
	signedIn  atomic.Uint64
	resumed   atomic.Uint64
	framesIn  atomic.Uint64
	framesOut atomic.Uint64
	bytesOut  atomic.Uint64
	sends     atomic.Uint64
	refused   atomic.Uint64
	pushed    atomic.Uint64
	requests  atomic.Uint64
	paused    atomic.Uint64
	ended     [whys]atomic.Uint64
}

// Stats tells the counters.
func (d *Door) Stats() Stats {
	n := &d.count
	s := Stats{
		Opened: n.opened.Load(), SignedIn: n.signedIn.Load(), Resumed: n.resumed.Load(),
		FramesIn: n.framesIn.Load(), FramesOut: n.framesOut.Load(), BytesOut: n.bytesOut.Load(),
		Sends: n.sends.Load(), Refused: n.refused.Load(), Pushed: n.pushed.Load(),
		Requests: n.requests.Load(), Paused: n.paused.Load(),
		Ended: make(map[string]uint64, whys),
	}
	s.Connections.TCP, s.Connections.TLS, s.Connections.WebSocket =
		n.now[overTCP].Load(), n.now[overTLS].Load(), n.now[overWS].Load()
	for w, name := range whyNames {
		s.Ended[name] = n.ended[w].Load()
	}
	return s
}
