package wire

import "slices"

// BinaryFormat is the protobuf encoding. Use Binary.
type BinaryFormat struct{}

// Binary is the protobuf encoding.
var Binary BinaryFormat

// Subprotocol is SubprotocolBinary.
func (BinaryFormat) Subprotocol() string { return SubprotocolBinary }

// Each is Next over a unit that ends where a frame ends; see Format.
func (BinaryFormat) Each(unit []byte, max int, do func(Frame) error) error {
	for len(unit) > 0 {
		f, n, err := Next(unit, max)
		if err == ErrShort {
			return malformed("the message ends in the middle of a frame")
		}
		if err != nil {
			return err
		}
		if err := do(f); err != nil {
			return err
		}
		unit = unit[n:]
	}
	return nil
}

// Decode reads a frame's body; see Format. m aliases f.Body. Nothing is allocated
// but what hangs on m by pointers. A frame that is cut or compressed is refused: give
// it to a Reassembler first.
func (BinaryFormat) Decode(f Frame, m Body) error {
	if f.Flags != 0 {
		return malformed("a %v frame is still cut or compressed", f.Type)
	}
	if err := Binary.UnmarshalBody(f.Body, m); err != nil {
		return err
	}
	if p, ok := m.(*Pong); ok {
		p.Health = uint32(f.Health)
	}
	return nil
}

// Append appends a whole frame; see Format. Nothing is allocated when dst has room.
func (BinaryFormat) Append(dst []byte, m Body) ([]byte, error) {
	switch m := m.(type) {
	case nil:
		return dst, errNoFrame
	case *Ping:
		if m == nil {
			return AppendPing(dst), nil
		}
	case *Pong:
		return appendPong(dst, m), nil
	}
	t := TypeOf(m)
	if t == 0 {
		return dst, errNoFrame
	}
	return AppendFrame(dst, t, 0, m), nil
}

var errNoFrame = &Error{Code: CodeMalformed, Text: "this message is not the body of a frame"}

func appendPong(dst []byte, p *Pong) []byte {
	if p == nil || p.Health == 0 {
		return AppendFrame(dst, TypePong, 0, p)
	}
	health := Flags(min(p.Health, 15))
	if p.Time == 0 && p.ServerTime == 0 {
		return AppendPong(dst, Health(health))
	}
	return AppendFrame(dst, TypePong, health, &Pong{Time: p.Time, ServerTime: p.ServerTime})
}

// UnmarshalBody reads a message from its protobuf bytes; see Format. m aliases b.
func (BinaryFormat) UnmarshalBody(b []byte, m Body) error {
	m.Reset()
	parts := 0
	if err := tableOf(m).check(b, &parts); err != nil {
		return err
	}
	if err := m.UnmarshalVTUnsafe(b); err != nil {
		return &Error{Code: CodeMalformed, Text: err.Error(), cause: err}
	}
	return nil
}

// AppendBody appends a message's protobuf bytes; see Format.
func (BinaryFormat) AppendBody(dst []byte, m Body) ([]byte, error) {
	return appendSized(dst, m.SizeVT(), m), nil
}

// MarshalBody gives a message's protobuf bytes; see Format.
func (BinaryFormat) MarshalBody(m Body) ([]byte, error) {
	return Binary.AppendBody(nil, m)
}

// Tags of the fields that are written by hand below; a test holds them against the
// generated code.
const (
	tagEventConv    = 1<<3 | 2
	tagEventSeq     = 2 << 3
	tagEventMessage = 3<<3 | 2
	tagPushNumber   = 1 << 3
	tagPushEvents   = 2<<3 | 2
)

// AppendMessageEvent appends the body of an Event; see Format. Nothing is allocated
// when dst has room.
func (BinaryFormat) AppendMessageEvent(dst []byte, conv string, seq uint64, message []byte) []byte {
	if conv != "" {
		dst = appendUvarint(append(dst, tagEventConv), uint64(len(conv)))
		dst = append(dst, conv...)
	}
	if seq != 0 {
		dst = appendUvarint(append(dst, tagEventSeq), seq)
	}
	dst = appendUvarint(append(dst, tagEventMessage), uint64(len(message)))
	return append(dst, message...)
}

// AppendPush appends a PUSH frame; see Format. Nothing is allocated when dst has
// room.
func (BinaryFormat) AppendPush(dst []byte, number uint64, events [][]byte) []byte {
	size := 0
	if number != 0 {
		size += 1 + sizeUvarint(number)
	}
	for _, e := range events {
		size += 1 + sizeUvarint(uint64(len(e))) + len(e)
	}
	dst = slices.Grow(dst, 5+size)
	dst = appendHeader(dst, TypePush, 0, size)
	if number != 0 {
		dst = appendUvarint(append(dst, tagPushNumber), number)
	}
	for _, e := range events {
		dst = appendUvarint(append(dst, tagPushEvents), uint64(len(e)))
		dst = append(dst, e...)
	}
	return dst
}
