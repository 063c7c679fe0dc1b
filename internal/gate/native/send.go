package native

import (
	"sync"
	"unsafe"

	"github.com/anser-im/anser/internal/core"
	"github.com/anser-im/anser/internal/gate/rpc"
	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/wire"
)

// What a SEND is read into and answered with, used again and again.
var (
	sendFrames = sync.Pool{New: func() any { return new(wire.Send) }}
	ackFrames  = sync.Pool{New: func() any { return new(wire.SendAck) }}
	sends      = sync.Pool{New: func() any { return new(core.Send) }}
)

// send queues a message in core, which answers through sendDone.
func (c *conn) send(f wire.Frame) error {
	w := sendFrames.Get().(*wire.Send)
	defer func() {
		w.Reset() // it points into the buffer
		sendFrames.Put(w)
	}()
	if err := c.f.Decode(f, w); err != nil {
		return c.broken(err)
	}
	c.d.count.sends.Add(1)
	c.ack(w.Ack)
	if c.addr != im.Address(w.Conv) {
		c.addr = im.Address(clone(w.Conv))
	}
	s := sends.Get().(*core.Send)
	m, wrong := message(w)
	s.To, s.Msg, s.Skip, s.Done = c.addr, m, im.ClientID(clone(w.Skip)), c.done
	s.HasFlags = w.Flags != nil
	s.Over = c.unacked.Add(1) > c.credit && c.credit >= 0
	if s.HasFlags {
		if *w.Flags > 0xff {
			wrong = rpc.FlagsError(*w.Flags)
		}
		s.Msg.Flags = im.Flags(*w.Flags)
	}
	if wrong != nil {
		s.Err = im.AsError(wrong)
		c.sendDone(s)
		return nil
	}
	c.sess.Send(s)
	return nil
}

// sendDone answers a SEND: core calls it once the outcome is durable, or refused.
func (c *conn) sendDone(s *core.Send) {
	a := ackFrames.Get().(*wire.SendAck)
	a.Id, a.Conv, a.Seq, a.Time, a.N, a.Duplicate = string(s.Msg.ID), string(s.To), uint64(s.Seq), s.Time, s.N, s.Dup
	a.Code, a.Message, a.RetryMs = 0, "", 0
	if e := s.Err; e != nil {
		a.Seq, a.Time, a.N, a.Duplicate = 0, 0, 0, false
		a.Code, a.Message, a.RetryMs = rpc.CodeOf(e), e.Text, rpc.RetryMillis(e.Retry)
		c.d.count.refused.Add(1)
		if e.Kind == im.Internal {
			c.log().Error("send failed", "err", e, "cause", e.Unwrap())
		}
	}
	s.Msg, s.Done, s.Err = nil, nil, nil
	sends.Put(s)
	c.unacked.Add(-1)
	c.mu.Lock()
	ok := c.append(a)
	c.mu.Unlock()
	if ok {
		c.l.Wake()
	}
	a.Id, a.Conv, a.Message = "", "", ""
	ackFrames.Put(a)
}

// message makes core's message of a SEND. One piece of memory holds its bytes, as the
// frame's go with the buffer. It is never nil; the error is what is wrong with it.
func message(w *wire.Send) (_ *im.Message, err error) {
	m := &im.Message{}
	o := w.Options
	n := len(w.Id) + len(w.Body)
	typ, known := knownTypes[w.Type]
	if !known {
		n += len(w.Type)
	}
	if o != nil {
		n += len(o.Digest) + len(o.Push)
	}
	b := make(pieces, 0, n)
	m.ID = im.ClientID(b.str(w.Id))
	if m.Type = typ; !known {
		m.Type = b.str(w.Type)
	}
	if o != nil {
		m.Digest, m.Push = b.str(o.Digest), b.str(o.Push)
		m.ReplyTo, m.Thread, m.Expires = im.Seq(o.ReplyTo), im.Seq(o.Thread), o.Expires
		m.Burn = o.BurnS
		m.Mentions, err = mentions(o.Mentions)
		if len(o.To) > 0 {
			m.To = userIDs(o.To)
		}
	}
	m.Body = b.bytes(w.Body)
	return m, err
}

// knownTypes need no copy of their own.
var knownTypes = map[string]string{"an:text": "an:text", "an:image": "an:image", "an:file": "an:file", "an:voice": "an:voice", "an:video": "an:video"}

// pieces is memory that is filled once and then read as strings; it never grows.
type pieces []byte

func (p *pieces) bytes(b []byte) []byte {
	at := len(*p)
	*p = append(*p, b...)
	return (*p)[at:len(*p):len(*p)]
}

func (p *pieces) str(s string) string {
	if s == "" {
		return ""
	}
	at := len(*p)
	*p = append(*p, s...)
	return unsafe.String(&(*p)[at], len(s))
}

func mentions(w *wire.Mentions) (*im.Mentions, error) {
	if w == nil {
		return nil, nil
	}
	roles, err := rpc.Roles(w.Roles)
	return &im.Mentions{All: w.All, Users: userIDs(w.Users), Roles: roles}, err
}

// userIDs copies ids out of the buffer.
func userIDs(w []string) []im.UserID {
	if len(w) == 0 {
		return nil
	}
	ids := make([]im.UserID, len(w))
	for i, s := range w {
		ids[i] = im.UserID(clone(s))
	}
	return ids
}
