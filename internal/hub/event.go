package hub

import (
	"sync/atomic"

	"github.com/anser-im/anser/internal/im"
)

// Event is one thing that sessions are told: exactly one of Msg, Hidden, Change,
// State, Signal and Sync, or a Ver alone (a change settled and not for this user). It
// is made once, shared by all who get it, and not altered after it was first offered.
type Event struct {
	Conv   im.ConvID
	Seq    im.Seq      // of Msg (0: a STATUS message), or the hidden number
	Ver    im.Ver      // of Change
	Msg    *im.Message // with Seq
	Hidden bool        // Seq is settled and not for this user
	Change *im.Change  // with Ver; Change.Msg is the message as it is now
	State  *im.State
	Signal *im.Signal
	Sync   bool // more was missed than can be told here: ask Sync

	enc [Encodings]atomic.Pointer[[]byte]
}

// Encodings is how many encodings of events are shared: a door takes the slots it was
// given by the constants below.
const Encodings = 4

// The slots of Encoded.
const (
	NativeBinary = iota
	NativeJSON
)

// Encoded answers the event in an encoding, made by encode at most a few times (once,
// but for races) and shared from then on. What it holds must not depend on the
// receiver.
func (e *Event) Encoded(slot int, encode func(*Event) []byte) []byte {
	if p := e.enc[slot].Load(); p != nil {
		return *p
	}
	b := encode(e)
	if !e.enc[slot].CompareAndSwap(nil, &b) {
		return *e.enc[slot].Load()
	}
	return b
}

// Size is what the event weighs in an outbox, in bytes.
func (e *Event) Size() int {
	switch {
	case e.Msg != nil:
		return e.Msg.Size()
	case e.Change != nil && e.Change.Msg != nil:
		return 64 + e.Change.Msg.Size()
	case e.Signal != nil:
		return 64 + len(e.Signal.Body)
	}
	return 64
}

// Item is an event with the address under which its receiver knows the conversation.
type Item struct {
	Addr im.Address
	*Event
}
