package native

import (
	"strings"
	"sync"

	"github.com/anser-im/anser/internal/core"
	"github.com/anser-im/anser/internal/gate"
	"github.com/anser-im/anser/internal/gate/rpc"
	"github.com/anser-im/anser/wire"
)

// turn is what Fill works with, used again and again.
type turn struct {
	items  []core.Item
	bodies [][]byte // of the events of a PUSH: shared ones, or pieces of buf
	buf    []byte
}

var turns = sync.Pool{New: func() any { return new(turn) }}

// messages are encoded and used again.
var messages = sync.Pool{New: func() any { return new(wire.Message) }}

// Fill is gate.Owner's: answers first, then as many events as the window has room
// for, then, at the end, the last words.
func (c *conn) Fill(b []byte) []byte {
	c.mu.Lock()
	out, n := c.out, c.frames
	c.out, c.frames = nil, 0
	c.letGo()
	e := c.ending
	take := c.welcomed && e == nil
	speak := e != nil && !c.said
	c.said = e != nil
	c.mu.Unlock()

	start := len(b)
	b = append(c.between(b), out...)
	gate.Release(out)
	switch {
	case take:
		b, n = c.events(b, n)
	case speak && e.raw != nil:
		b = append(b, e.raw...)
	case speak && e.reason != "":
		b, n = c.add(b, n, goAway(*e, c.d.cfg.Nodes))
	}
	if n == 0 && (e == nil || e.raw == nil) {
		b = b[:start]
	}
	if n > 0 {
		c.d.count.framesOut.Add(uint64(n))
		c.d.count.bytesOut.Add(uint64(len(b)))
	}
	if speak && c.tls == nil && c.ws == nil {
		c.l.Close()
	} else if speak && len(b) == 0 { // top would not be called
		c.hangUp()
	}
	return b
}

// writeTLS is the link's top over TLS: it makes records of what Fill gave.
func (c *conn) writeTLS(b []byte) error {
	_, err := c.tls.Write(b)
	if err == nil && c.isSaid() {
		c.hangUp()
	}
	return err
}

// hangUp closes what lies above the link, and the link when all is written.
func (c *conn) hangUp() {
	switch {
	case c.ws != nil:
		c.ws.hangUp()
	case c.tls != nil:
		c.tls.CloseWrite()
	}
	c.l.Close()
}

func (c *conn) isSaid() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.said
}

// add appends a frame; n is how many there are.
func (c *conn) add(b []byte, n int, m wire.Body) ([]byte, int) {
	out, err := c.f.Append(b, m)
	if err != nil {
		c.log().Error("a frame cannot be encoded", "err", err)
		return b, n
	}
	return c.between(out), n + 1
}

// events takes what core has for the client, up to maxTurn bytes of it.
func (c *conn) events(b []byte, n int) ([]byte, int) {
	t := turns.Get().(*turn)
	defer turns.Put(t)
	for start := len(b); ; {
		var first uint64
		t.items, first = c.sess.Take(t.items[:0], pushEvents, maxPush)
		if len(t.items) == 0 {
			return b, n
		}
		b, n = c.push(b, n, t, first)
		clear(t.items)
		if len(b)-start > maxTurn {
			c.l.Wake() // the rest at the next turn: others wait
			return b, n
		}
	}
}

// push appends what was taken at once: a PUSH, or more if it is large, and then the
// SIGNALs, which have no number.
func (c *conn) push(b []byte, n int, t *turn, first uint64) ([]byte, int) {
	size, signals := 0, 0
	number := first - 1 // of the last in bodies
	flush := func() {
		if len(t.bodies) > 0 {
			b, n = c.pushFrame(b, n, number, t.bodies)
			clear(t.bodies)
			t.bodies, t.buf, size = t.bodies[:0], t.buf[:0], 0
		}
	}
	for i := range t.items {
		it := &t.items[i]
		if it.Signal != nil {
			signals++
			continue
		}
		body := c.event(t, it)
		if size > 0 && size+len(body) > maxPush {
			flush()
		}
		t.bodies = append(t.bodies, body)
		size += len(body)
		number++
	}
	flush()
	c.d.count.pushed.Add(uint64(len(t.items) - signals))
	if cap(t.buf) > 256<<10 {
		t.buf = nil
	}
	if signals > 0 {
		for i := range t.items {
			if s := t.items[i].Signal; s != nil {
				b, n = c.add(b, n, &wire.Signal{Conv: string(t.items[i].Addr), Kind: s.Kind, Body: s.Body,
					TtlMs: uint32(s.TTL), Sender: string(s.Sender), Device: string(s.Device)})
			}
		}
	}
	return b, n
}

func (c *conn) pushFrame(b []byte, n int, number uint64, bodies [][]byte) ([]byte, int) {
	if !c.zstd && !c.fragments {
		return c.between(c.f.AppendPush(b, number, bodies)), n + 1
	}
	at := len(b)
	b = c.f.AppendPush(b, number, bodies)
	if len(b)-at > wire.CompressOver && c.zstd || len(b)-at > wire.FragmentSize {
		frame := append(gate.Buffer(), b[at:]...)
		b = c.shape(b[:at], frame)
		gate.Release(frame)
	}
	return b, n + 1
}

// event answers the body of an Event. What does not depend on the receiver is encoded
// once and shared: the whole of it in a group, whose address is the same for all, the
// message alone in other conversations.
func (c *conn) event(t *turn, it *core.Item) []byte {
	slot := core.NativeBinary
	if c.f == wire.JSON {
		slot = core.NativeJSON
	}
	switch {
	case it.State != nil, it.Sync, it.Hidden, it.Change == nil && it.Msg == nil:
		return c.body(t, rpc.Event(it.Addr, it.Event))
	case strings.HasPrefix(string(it.Addr), "g/"):
		return it.Encoded(slot, func(e *core.Event) []byte { return c.encode(rpc.Event(it.Addr, e)) })
	case it.Msg != nil:
		m := it.Encoded(slot, func(e *core.Event) []byte {
			w := messages.Get().(*wire.Message)
			rpc.Fill(w, e.Msg)
			b := c.encode(w)
			w.Reset()
			messages.Put(w)
			return b
		})
		at := len(t.buf)
		t.buf = c.f.AppendMessageEvent(t.buf, string(it.Addr), uint64(it.Seq), m)
		return t.buf[at:len(t.buf):len(t.buf)]
	}
	return c.body(t, rpc.Event(it.Addr, it.Event))
}

// body appends the encoding of m to t.buf. Growing leaves pieces handed out before
// where they are.
func (c *conn) body(t *turn, m wire.Body) []byte {
	at := len(t.buf)
	b, err := c.f.AppendBody(t.buf, m)
	if err != nil {
		c.log().Error("an event cannot be encoded", "err", err)
		return nil
	}
	t.buf = b
	return b[at:len(b):len(b)]
}

// encode is an encoding of its own, to be shared.
func (c *conn) encode(m wire.Body) []byte {
	b, err := c.f.MarshalBody(m)
	if err != nil {
		c.log().Error("an event cannot be encoded", "err", err)
	}
	return b
}
