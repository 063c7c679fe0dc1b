package bench

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	mrand "math/rand/v2"
	"net/http"
	"strings"

	"github.com/anser-im/anser/wire"
)

// The client's side of WebSocket (RFC 6455), as far as a load needs it. The frames of
// ours lie whole in messages, so the payloads in a row are the same stream as on TCP.

const (
	wsBinary = 2
	wsClose  = 8
	wsPing   = 9
	wsPong   = 10

	// wsRoom is the longest header of a client's frame: 2 bytes, 8 of length, 4 of mask.
	wsRoom = 14
)

// upgrade makes the opening handshake (RFC 6455 §4.1) and answers the bytes that came
// after it.
func upgrade(ctx context.Context, l *link, host, path string) (rest []byte, err error) {
	stop := context.AfterFunc(ctx, func() { l.tcp.Close() })
	defer stop()
	var nonce [16]byte
	rand.Read(nonce[:]) // never fails: crypto/rand ends the process instead
	key := base64.StdEncoding.EncodeToString(nonce[:])
	req := "GET " + path + " HTTP/1.1\r\nHost: " + host +
		"\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + key +
		"\r\nSec-WebSocket-Protocol: " + wire.SubprotocolBinary + "\r\n\r\n"
	if _, err := io.WriteString(l, req); err != nil {
		return nil, err
	}
	br := bufio.NewReader(l)
	res, err := http.ReadResponse(br, nil)
	if err != nil {
		return nil, fmt.Errorf("no answer to the WebSocket handshake: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusSwitchingProtocols {
		text, _ := io.ReadAll(io.LimitReader(res.Body, 200))
		return nil, fmt.Errorf("the WebSocket handshake was refused: %s: %s", res.Status, strings.TrimSpace(string(text)))
	}
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	if res.Header.Get("Sec-WebSocket-Accept") != base64.StdEncoding.EncodeToString(sum[:]) {
		return nil, errors.New("the WebSocket handshake was answered with a wrong Sec-WebSocket-Accept")
	}
	if p := res.Header.Get("Sec-WebSocket-Protocol"); p != wire.SubprotocolBinary {
		return nil, fmt.Errorf("the server chose the WebSocket subprotocol %q, not %q", p, wire.SubprotocolBinary)
	}
	rest, _ = br.Peek(br.Buffered())
	return rest, nil
}

// wsReader takes the server's frames apart.
type wsReader struct {
	left    uint64 // bytes of the present frame that are still to come
	control byte   // opcode of the present frame if it is a control frame, else 0
	payload []byte // of the present control frame so far
	header  []byte // of the next frame so far; at most 10 bytes
}

// strip moves the payload of the data frames in b to its beginning and answers it.
// control is called for each PING and CLOSE; its payload is valid during the call.
func (r *wsReader) strip(b []byte, control func(op byte, payload []byte) error) ([]byte, error) {
	out := 0 // b[:out] is payload
	in := b  // what is still to be read
	for len(in) > 0 {
		if r.left == 0 {
			n, done, err := r.readHeader(in)
			if err != nil {
				return nil, err
			}
			in = in[n:]
			if !done {
				break
			}
		}
		part := in[:min(uint64(len(in)), r.left)]
		in = in[len(part):]
		r.left -= uint64(len(part))
		if r.control == 0 {
			out += copy(b[out:], part)
			continue
		}
		r.payload = append(r.payload, part...)
		if r.left == 0 {
			op := r.control
			r.control = 0
			if err := control(op, r.payload); err != nil {
				return nil, err
			}
		}
	}
	return b[:out], nil
}

// readHeader reads a frame's header (RFC 6455 §5.2), which may come in pieces. done
// says that it is whole.
func (r *wsReader) readHeader(in []byte) (n int, done bool, err error) {
	for n < len(in) {
		r.header = append(r.header, in[n])
		n++
		h := r.header
		if len(h) < 2 {
			continue
		}
		need := 2
		switch h[1] & 0x7f {
		case 126:
			need = 4
		case 127:
			need = 10
		}
		if len(h) < need {
			continue
		}
		switch need {
		case 2:
			r.left = uint64(h[1] & 0x7f)
		case 4:
			r.left = uint64(binary.BigEndian.Uint16(h[2:]))
		default:
			r.left = binary.BigEndian.Uint64(h[2:])
		}
		op := h[0] & 0x0f
		r.header = r.header[:0]
		r.payload = r.payload[:0]
		switch {
		case h[0]&0x70 != 0 || h[1]&0x80 != 0:
			return n, false, errors.New("a WebSocket frame with reserved bits or a mask from the server")
		case op >= wsClose && (r.left > 125 || h[0]&0x80 == 0):
			return n, false, errors.New("a WebSocket control frame that is too long or cut")
		case op > wsBinary && op < wsClose || op > wsPong:
			return n, false, fmt.Errorf("a WebSocket frame with the unknown opcode %d", op)
		case op == 1:
			return n, false, errors.New("a WebSocket text message on a binary subprotocol")
		}
		r.control = 0
		if op >= wsClose {
			r.control = op
		}
		return n, true, nil
	}
	return n, false, nil
}

// wsWrap makes a masked frame of b[wsRoom:], in place, and answers it (RFC 6455 §5.3).
func wsWrap(b []byte, op byte) []byte {
	payload := b[wsRoom:]
	key := mrand.Uint32()
	mask(payload, key)
	at := wsRoom - 4
	binary.LittleEndian.PutUint32(b[at:], key)
	switch n := len(payload); {
	case n < 126:
		at -= 2
		b[at+1] = 0x80 | byte(n)
	case n < 1<<16:
		at -= 4
		b[at+1] = 0x80 | 126
		binary.BigEndian.PutUint16(b[at+2:], uint16(n))
	default:
		at -= 10
		b[at+1] = 0x80 | 127
		binary.BigEndian.PutUint64(b[at+2:], uint64(n))
	}
	b[at] = 0x80 | op
	return b[at:]
}

func mask(b []byte, key uint32) {
	k := uint64(key)<<32 | uint64(key)
	for len(b) >= 8 {
		binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)^k)
		b = b[8:]
	}
	for i := range b {
		b[i] ^= byte(k >> (8 * i))
	}
}
