package wire

// Format is one of the two encodings of the protocol, Binary or JSON. It has no
// state: any goroutine may use it.
type Format interface {
	// Subprotocol is the format's name on WebSocket.
	Subprotocol() string

	// Each calls do with every frame of unit, one whole transport unit such as a
	// WebSocket message, in order. A frame lies in one unit whole (a fragment is a
	// frame here). It ends with the first error of do, or with an *Error for what is
	// wrong with the bytes; frames before that have been handed over. max is the
	// limit of one frame's body in Binary, of the whole unit in JSON; 0 or less is
	// MaxFrame. Frame bodies alias unit. JSON frames of a kind that is unknown here
	// come as TypeExt.
	Each(unit []byte, max int, do func(Frame) error) error

	// Decode reads the body of a whole and decompressed frame into m, which is
	// emptied first and must be of the frame's type (see New). Unknown fields are
	// passed over. In Binary m's strings and bytes alias f.Body; in JSON they are
	// memory of their own. The error is an *Error.
	Decode(f Frame, m Body) error

	// Append appends m as a whole frame, neither cut nor compressed. It fails only
	// if m is no frame's body (see TypeOf), or, in JSON, if the body of a Req or Res
	// is no JSON.
	Append(dst []byte, m Body) ([]byte, error)

	// UnmarshalBody reads any message of the schema without a frame around it, as in
	// Req.Body and Res.Body; like Decode in all else. No bytes are the empty message.
	UnmarshalBody(b []byte, m Body) error

	// AppendBody appends any message of the schema without a frame around it: for
	// Req.Body and Res.Body, for the shared encoding of a Message, or for an Event
	// given to AppendPush. It fails as Append does.
	AppendBody(dst []byte, m Body) ([]byte, error)

	// MarshalBody is AppendBody into fresh memory of the right size.
	MarshalBody(m Body) ([]byte, error)

	// AppendMessageEvent appends the body of an Event that holds conv, seq and a
	// message that AppendBody has encoded: what differs between receivers is only
	// the address, so the message is encoded once and copied.
	AppendMessageEvent(dst []byte, conv string, seq uint64, message []byte) []byte

	// AppendPush appends a whole PUSH frame. Each of events is the body of an Event
	// by AppendBody or AppendMessageEvent in this format; number is that of the last.
	AppendPush(dst []byte, number uint64, events [][]byte) []byte
}

var (
	_ Format = Binary
	_ Format = JSON
)

// FormatOf is the format that a WebSocket subprotocol names; false if it is none of
// ours.
func FormatOf(subprotocol string) (Format, bool) {
	switch subprotocol {
	case SubprotocolBinary:
		return Binary, true
	case SubprotocolJSON:
		return JSON, true
	}
	return nil, false
}
