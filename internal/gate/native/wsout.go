package native

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/klauspost/compress/flate"

	"github.com/anser-im/anser/internal/gate"
	"github.com/anser-im/anser/wire"
)

const (
	wsDeflate = 256       // a message of fewer bytes is not compressed
	wsUnit    = 256 << 10 // bytes of a message of ours, one frame at least
	frameSep  = 0         // stands between JSON frames on their way out: no JSON has it
)

// writeWS is the link's top over WebSocket: it makes messages of what Fill gave.
func (c *conn) writeWS(b []byte) error {
	var err error
	if c.f == wire.JSON {
		err = c.ws.writeJSON(b)
	} else {
		err = c.ws.writeBinary(b)
	}
	if err == nil && c.isSaid() {
		c.hangUp()
	}
	return err
}

// writeBinary writes whole frames, as many to a message as are at hand.
func (s *socket) writeBinary(b []byte) error {
	for len(b) > wsUnit {
		n := 0
		for n < wsUnit {
			_, size, err := wire.Next(b[n:], 1<<27)
			if err != nil || n > 0 && n+size > wsUnit {
				break
			}
			n += size
		}
		if n == 0 || n == len(b) {
			break
		}
		if err := s.write(opBinary, b[:n]); err != nil {
			return err
		}
		b = b[n:]
	}
	if len(b) == 0 {
		return nil
	}
	return s.write(opBinary, b)
}

// writeJSON writes frames, each of which has a frameSep before and after it: one
// alone, or several as an array.
func (s *socket) writeJSON(b []byte) error {
	for len(b) > 1 {
		end, frames := 0, 0 // of the unit: b[0] and b[end] are separators
		for end < len(b)-1 {
			n := bytes.IndexByte(b[end+1:], frameSep) + 1
			if frames > 0 && end+n > wsUnit {
				break
			}
			if frames++; frames > 1 {
				b[end] = ','
			}
			end += n
		}
		unit := b[1:end]
		if frames > 1 {
			b[0], b[end] = '[', ']'
			unit = b[:end+1]
		}
		if err := s.write(opText, unit); err != nil {
			return err
		}
		b = b[end:]
	}
	return nil
}

// write writes one message, compressed if that was agreed on and pays.
func (s *socket) write(op byte, p []byte) error {
	first := wsFin | op
	if s.deflate && len(p) >= wsDeflate {
		b := deflate(gate.Buffer(), p)
		defer gate.Release(b)
		if len(b) < len(p) {
			first |= wsPacked
			p = b
		}
	}
	b := appendWSFrame(gate.Buffer(), first, p)
	_, err := s.below.Write(b)
	gate.Release(b)
	return err
}

// control writes a control frame. Any goroutine may call it.
func (s *socket) control(op byte, p []byte) error {
	b := appendWSFrame(gate.Buffer(), wsFin|op, p)
	_, err := s.below.Write(b)
	gate.Release(b)
	return err
}

// appendWSFrame appends an unmasked frame (RFC 6455 §5.2).
func appendWSFrame(b []byte, first byte, payload []byte) []byte {
	switch n := len(payload); {
	case n <= 125:
		b = append(b, first, byte(n))
	case n <= 0xffff:
		b = binary.BigEndian.AppendUint16(append(b, first, 126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, first, 127), uint64(n))
	}
	return append(b, payload...)
}

// closeCodes are the codes of RFC 6455 §7.4 for what ends a link. The GOAWAY before it
// says more.
var closeCodes = map[string]uint16{
	wire.ReasonDrain: 1001, wire.ReasonRedirect: 1001,
	wire.ReasonMalformed: 1002, wire.ReasonVersion: 1002,
	wire.ReasonTooLarge: 1009,
	wire.ReasonOverload: 1013,
	wire.ReasonKicked:   1008, wire.ReasonReplaced: 1008, wire.ReasonToken: 1008, wire.ReasonSilent: 1008, wire.ReasonSlow: 1008,
}

// hangUp writes the close frame.
func (s *socket) hangUp() {
	s.c.mu.Lock()
	reason, code := s.c.ending.reason, s.c.ending.closing
	s.c.mu.Unlock()
	if code == 0 {
		if code = closeCodes[reason]; code == 0 {
			code = 1000
		}
	}
	s.control(opClose, append(binary.BigEndian.AppendUint16(nil, code), reason...))
	if t, ok := s.below.(*tls.Conn); ok {
		t.CloseWrite()
	}
}

// permessage-deflate (RFC 7692). No side keeps a window between messages: 62 KB a
// connection otherwise.

const deflateAgreed = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"

// deflateOffered says whether an offer can be agreed to as deflateAgreed: one that asks
// for a smaller window of ours cannot (§7.1.2.1).
func deflateOffered(h http.Header) bool {
	for _, line := range h.Values("Sec-WebSocket-Extensions") {
		for _, offer := range strings.Split(line, ",") {
			name, params, _ := strings.Cut(offer, ";")
			if strings.TrimSpace(name) == "permessage-deflate" && !strings.Contains(params, "server_max_window_bits") {
				return true
			}
		}
	}
	return false
}

// deflateTail ends what a message leaves out (§7.2.2), and the stream.
var deflateTail = []byte{0, 0, 0xff, 0xff, 1, 0, 0, 0xff, 0xff}

var (
	inflaters = sync.Pool{New: func() any { return flate.NewReader(nil) }}
	deflaters = sync.Pool{New: func() any {
		w, err := flate.NewWriter(nil, flate.BestSpeed)
		if err != nil {
			panic("native: " + err.Error()) // a level that does not exist
		}
		return w
	}}
)

// errBomb says that a message is too large when it is decompressed.
var errBomb = errors.New("native: a message above the limit when decompressed")

// inflate appends what p stands for to dst, at most limit bytes.
func inflate(dst, p []byte, limit int) ([]byte, error) {
	r := inflaters.Get().(io.ReadCloser)
	defer inflaters.Put(r)
	r.(flate.Resetter).Reset(io.MultiReader(bytes.NewReader(p), bytes.NewReader(deflateTail)), nil)
	for {
		if len(dst) == cap(dst) {
			dst = append(dst, 0)[:len(dst)]
		}
		n, err := r.Read(dst[len(dst):min(cap(dst), limit+1)])
		dst = dst[:len(dst)+n]
		switch {
		case len(dst) > limit:
			return dst, errBomb
		case err == io.EOF:
			return dst, nil
		case err != nil:
			return dst, err
		}
	}
}

// deflate appends p to dst, compressed.
func deflate(dst, p []byte) []byte {
	w := deflaters.Get().(*flate.Writer)
	defer deflaters.Put(w)
	out := bytes.NewBuffer(dst)
	w.Reset(out)
	w.Write(p) // a Buffer has no errors to give
	w.Flush()
	return bytes.TrimSuffix(out.Bytes(), deflateTail[:4])
}
