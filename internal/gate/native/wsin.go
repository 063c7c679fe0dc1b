package native

import (
	"encoding/binary"
	"errors"
	"io"
	"time"
	"unicode/utf8"

	"github.com/anser-im/anser/internal/gate"
	"github.com/anser-im/anser/wire"
)

// socket is what a WebSocket has besides its conn. It reads frames in place, as they
// come, so that nothing is taken for a length that is only claimed; package gate lends
// the memory.
type socket struct {
	c       *conn
	below   io.Writer   // the link, or TLS over it
	deflate bool        // permessage-deflate was agreed on
	hello   *time.Timer // ends the wait for HELLO

	// Owned by whoever takes what comes.
	in     bool   // HELLO was taken
	op     byte   // of the message whose fragments come; 0 = none
	packed bool   // it is compressed
	msg    []byte // of it
	taken  int    // from the budget, for msg
	spared int    // of what was taken: not from the door's budget
}

// wsBudget is the door's budget of unfinished frames as a socket takes from it. What is
// there before HELLO is bounded by the places of the Gatekeeper: it must not use up what
// clients share who have signed in.
type wsBudget socket

// Take is gate.Budget's.
func (b *wsBudget) Take(n int) bool {
	if !b.in {
		b.spared += n
		return true
	}
	return b.c.d.budget.Take(n)
}

// Give is gate.Budget's.
func (b *wsBudget) Give(n int) {
	k := min(n, b.spared)
	b.spared -= k
	if n > k {
		b.c.d.budget.Give(n - k)
	}
}

// Opcodes of RFC 6455 §5.2.
const (
	opContinuation = 0x0
	opText         = 0x1
	opBinary       = 0x2
	opClose        = 0x8
	opPing         = 0x9
	opPong         = 0xa

	wsFin     = 0x80
	wsPacked  = 0x40 // RSV1: RFC 7692 §6
	wsMasked  = 0x80
	wsControl = 125 // bytes of a control frame at most
)

// wsHeader is the header of a frame.
type wsHeader struct {
	first byte // FIN, RSV and opcode
	mask  [4]byte
	size  uint64 // of the payload
	len   int    // of the header itself
}

// readHeader reads a header; ok is false while it is not complete. Only a length that
// is complete is believed.
func readHeader(b []byte) (h wsHeader, masked, ok bool) {
	if len(b) < 2 {
		return h, true, false
	}
	h.first, h.len, h.size = b[0], 2, uint64(b[1]&0x7f)
	masked = b[1]&wsMasked != 0
	switch h.size {
	case 126:
		h.len += 2
	case 127:
		h.len += 8
	}
	n := h.len
	if masked {
		h.len += 4
	}
	if len(b) < h.len {
		return h, masked, false
	}
	switch n {
	case 4:
		h.size = uint64(binary.BigEndian.Uint16(b[2:]))
	case 10:
		h.size = binary.BigEndian.Uint64(b[2:])
	}
	copy(h.mask[:], b[n:h.len])
	return h, masked, true
}

// Take handles the frames that are there; see gate.Taker.
func (s *socket) Take(b []byte) (used int, err error) {
	defer s.c.recovered("reading", func() { err = errEnding })
	for used < len(b) {
		if err := s.c.wait(); err != nil {
			return used, err
		}
		h, masked, ok := readHeader(b[used:])
		if e := s.check(h, masked, ok); e != nil {
			s.c.end(*e)
			return used, errEnding
		}
		if !ok || uint64(len(b)-used-h.len) < h.size {
			return used, nil
		}
		payload := b[used+h.len : used+h.len+int(h.size)]
		used += h.len + int(h.size)
		unmask(payload, h.mask)
		if err := s.frame(h, payload); err != nil {
			return used, err
		}
	}
	return used, nil
}

// check answers why a frame must not be read, as early as its header tells.
func (s *socket) check(h wsHeader, masked, whole bool) *ending {
	if h.len == 0 {
		return nil
	}
	op, fin := h.first&0x0f, h.first&wsFin != 0
	wrong := func(what string) *ending {
		e := malformed("the WebSocket's framing is wrong: " + what)
		return &e
	}
	switch {
	case !masked: // §5.1
		return wrong("a client's frames are masked")
	case h.first&0x30 != 0, h.first&wsPacked != 0 && (!s.deflate || op != opText && op != opBinary): // §5.2, RFC 7692 §6
		return wrong("a reserved bit is set")
	case op > opBinary && op < opClose || op > opPong:
		return wrong("an opcode that does not exist")
	case op >= opClose && (!fin || h.size > wsControl): // §5.5; 126 and 127 stand for longer ones
		return wrong("a control frame is cut or too long")
	case op >= opClose:
		return nil
	case op == opContinuation && s.op == 0, op != opContinuation && s.op != 0: // §5.4
		return wrong("a fragment is out of order")
	}
	limit := uint64(wire.MaxFirstFrame)
	if s.in {
		limit = uint64(s.c.inMax)
	}
	if whole && (h.size > limit || uint64(len(s.msg))+h.size > limit) {
		return &ending{reason: wire.ReasonTooLarge, code: wire.CodeFrameSize, text: "a message above the limit", why: whyTooLarge}
	}
	return nil
}

// frame takes one frame, whose payload is clear.
func (s *socket) frame(h wsHeader, p []byte) error {
	switch op := h.first & 0x0f; op {
	case opPing:
		return s.control(opPong, p)
	case opPong:
		return nil
	case opClose:
		s.closed(p)
		return errEnding
	case opText, opBinary:
		s.op, s.packed = op, h.first&wsPacked != 0
	}
	if h.first&wsFin == 0 {
		return s.keep(p)
	}
	if len(s.msg) > 0 {
		if err := s.keep(p); err != nil {
			return err
		}
		p = s.msg
	}
	op, packed := s.op, s.packed
	s.op = 0
	err := s.message(op, packed, p)
	s.drop()
	return err
}

// keep holds a fragment until the message is whole.
func (s *socket) keep(p []byte) error {
	need := len(s.msg) + len(p)
	if need > cap(s.msg) {
		size := max(need, 2*cap(s.msg), 512)
		if !(*wsBudget)(s).Take(size) {
			return gate.ErrNoRoom
		}
		msg := make([]byte, len(s.msg), size)
		copy(msg, s.msg)
		s.drop()
		s.msg, s.taken = msg, size
	}
	s.msg = append(s.msg, p...)
	return nil
}

func (s *socket) drop() {
	if s.taken > 0 {
		(*wsBudget)(s).Give(s.taken)
	}
	s.msg, s.taken = nil, 0
}

// message takes one whole message.
func (s *socket) message(op byte, packed bool, p []byte) error {
	c := s.c
	want := byte(opBinary)
	if c.f == wire.JSON {
		want = opText
	}
	if op != want {
		c.end(malformed("this subprotocol takes the other kind of message: binary or text"))
		return errEnding
	}
	limit := wire.MaxFirstFrame
	if s.in {
		limit = c.inMax
	}
	if packed {
		b, err := inflate(gate.Buffer(), p, limit)
		defer gate.Release(b)
		if err != nil {
			e := malformed("a message does not decompress")
			e.closing = 1007
			if err == errBomb {
				e = ending{reason: wire.ReasonTooLarge, code: wire.CodeFrameSize, text: "a message above the limit when decompressed", why: whyTooLarge}
			}
			c.end(e)
			return errEnding
		}
		p = b
	}
	if op == opText && !utf8.Valid(p) { // §8.1
		e := malformed("a text that is not UTF-8")
		e.closing = 1007
		c.end(e)
		return errEnding
	}
	return c.unit(p, limit)
}

// closed takes the client's close frame and answers it (§5.5.1, §7.4).
func (s *socket) closed(p []byte) {
	e := ending{why: whyClient, closing: 1000}
	switch {
	case len(p) == 0:
	case len(p) == 1:
		e.closing = 1002
	default:
		e.closing = binary.BigEndian.Uint16(p)
		switch n := e.closing; {
		case n < 1000, n >= 1004 && n <= 1006, n >= 1015 && n < 3000, n >= 5000:
			e.closing = 1002
		case !utf8.Valid(p[2:]):
			e.closing = 1007
		}
	}
	s.c.end(e)
}

// unit takes one whole unit: a frame or several.
func (c *conn) unit(b []byte, limit int) error {
	n := uint64(0)
	err := c.f.Each(b, limit, func(f wire.Frame) error {
		if err := c.wait(); err != nil {
			return err
		}
		if !c.ws.in {
			return c.helloWS(f)
		}
		if f.Flags != 0 || c.asm != nil {
			whole, ok, err := c.assemble(f)
			if err != nil || !ok {
				return err
			}
			f = whole
		}
		n++
		return c.frame(f)
	})
	c.d.count.framesIn.Add(n)
	var e *wire.Error
	if errors.As(err, &e) {
		return c.broken(err)
	}
	return err
}

// helloWS takes the first frame.
func (c *conn) helloWS(f wire.Frame) error {
	if f.Type != wire.TypeHello {
		c.end(malformed("the first frame has to be HELLO"))
		return errEnding
	}
	var h wire.Hello
	if err := c.f.Decode(f, &h); err != nil {
		return err
	}
	if !c.login(&h) {
		return errEnding
	}
	c.ws.hello.Stop()
	c.ws.in = true
	return nil
}

// Answered is gate.Taker's: whether b begins with a whole frame that is answered. What
// JSON says cannot be seen so easily.
func (s *socket) Answered(b []byte) bool {
	if s.c.f != wire.Binary || !s.in {
		return false
	}
	h, _, ok := readHeader(b)
	if !ok || h.first != wsFin|opBinary || h.size == 0 || uint64(len(b)-h.len) < h.size {
		return false
	}
	switch wire.Type((b[h.len] ^ h.mask[0]) & 0x0f) {
	case wire.TypePing, wire.TypeSend, wire.TypeReq:
		return true
	}
	return false
}

// unmask takes the mask off p (§5.3).
func unmask(p []byte, mask [4]byte) {
	m := uint64(binary.LittleEndian.Uint32(mask[:]))
	m |= m << 32
	for len(p) >= 8 {
		binary.LittleEndian.PutUint64(p, binary.LittleEndian.Uint64(p)^m)
		p = p[8:]
	}
	for i := range p {
		p[i] ^= mask[i&3]
	}
}
