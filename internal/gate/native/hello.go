package native

import (
	"bytes"
	"context"
	"time"

	"github.com/anser-im/anser/internal/core"
	"github.com/anser-im/anser/internal/gate"
	"github.com/anser-im/anser/internal/gate/rpc"
	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/wire"
)

// handshake makes TLS, within the time for HELLO.
func (c *conn) handshake() bool {
	c.l.SetDeadline(time.Now().Add(c.d.cfg.HelloTimeout))
	if err := c.tls.HandshakeContext(c.d.ctx); err != nil {
		c.log().Debug("no TLS", "err", err)
		c.note(ending{why: whyError})
		return false
	}
	c.l.SetWriteDeadline(time.Time{})
	return true
}

// hello reads HELLO from a stream, signs the client in and welcomes it. What was read
// behind HELLO is in c.first.
func (c *conn) hello() bool {
	if c.tls == nil {
		c.l.SetReadDeadline(time.Now().Add(c.d.cfg.HelloTimeout))
	}
	b, f, rest, ok := c.readHello(gate.Buffer())
	defer gate.Release(b)
	if !ok {
		return false
	}
	var h wire.Hello
	if err := c.f.Decode(f, &h); err != nil {
		c.broken(err)
		return false
	}
	if len(rest) > 0 {
		c.first = bytes.Clone(rest)
	}
	if !c.login(&h) {
		return false
	}
	c.l.SetReadDeadline(time.Time{})
	return true
}

// readHello reads the first frame: at most 64 KiB, and nothing but HELLO. The frame and
// the rest lie in what b has become.
func (c *conn) readHello(b []byte) (_ []byte, f wire.Frame, rest []byte, ok bool) {
	var src interface{ Read([]byte) (int, error) } = c.l
	if c.tls != nil {
		src = c.tls
	}
	for {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		n, err := src.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if len(b) > 0 {
			if b[0] != byte(wire.TypeHello) {
				c.stranger(b)
				return b, f, nil, false
			}
			f, size, err := wire.Next(b, wire.MaxFirstFrame)
			if err == nil {
				return b, f, b[size:], true
			}
			if err != wire.ErrShort {
				c.broken(err)
				return b, f, nil, false
			}
		}
		if err != nil {
			if isTimeout(err) {
				c.end(ending{reason: wire.ReasonSilent, code: wire.CodeSilent, text: "no HELLO came in time", why: whySilent})
			} else {
				c.note(ending{why: whyClient})
			}
			return b, f, nil, false
		}
	}
}

// stranger answers a first byte that is none of ours, in a way that who sent it has a
// chance to understand.
func (c *conn) stranger(b []byte) {
	e := malformed("the first frame has to be HELLO: byte 0x03")
	switch word, _, _ := bytes.Cut(b[:min(len(b), 16)], []byte(" ")); {
	case b[0] == 0x16: // a TLS ClientHello: answer alert 70, protocol_version (RFC 8446 §6.2)
		e.raw = []byte{0x15, 0x03, 0x01, 0x00, 0x02, 0x02, 0x46}
	case bytes.EqualFold(word, []byte("EHLO")), bytes.EqualFold(word, []byte("HELO")):
		e.raw = []byte("554 this is no mail server\r\n")
	case b[0] >= 'A' && b[0] <= 'Z' || b[0] >= 'a' && b[0] <= 'z':
		e.raw = []byte("HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n" +
			"This port speaks Anser's own protocol, not HTTP. WebSocket and HTTP have a port of their own.\n")
	}
	c.end(e)
}

// login signs the client in and welcomes it, or says why not.
func (c *conn) login(h *wire.Hello) bool {
	if h.Version != wire.Version {
		c.end(ending{reason: wire.ReasonVersion, code: wire.CodeVersion, why: whyVersion,
			text: "this server speaks version 1 of the protocol"})
		return false
	}
	if c.d.draining.Load() {
		c.end(drained())
		return false
	}
	// What core keeps must not hang on the buffer.
	l := core.Login{
		Token: h.Token, Door: "native", Addr: c.l.Addr(), Background: h.Background,
		Network: clone(h.Network), Locale: clone(h.Locale), Ordered: true, Wake: c.l.Wake, Ended: c.endedByCore,
	}
	if dev := h.Device; dev != nil {
		l.Device, l.Class = im.DeviceID(clone(dev.Id)), im.Class(clone(dev.Class))
		l.OS, l.SDK = clone(dev.Os), clone(dev.Sdk)
	}
	if r := h.Resume; r != nil {
		l.Resume, l.LastPush = clone(r.Session), r.LastPush
	}
	c.core = c.d.pick(h.App)
	if c.core == nil {
		c.end(refused(im.Errorf(im.NotFound, "this server has no app of that name")))
		return false
	}
	limits := c.core.Limits()
	c.inMax, c.maxFrame = limits.MaxFrame, wire.MaxFrame
	if caps := h.Caps; caps != nil {
		c.zstd, c.fragments = caps.Zstd && c.f == wire.Binary, caps.Fragments && c.f == wire.Binary
		if caps.MaxFrame > 0 {
			c.maxFrame = int(min(caps.MaxFrame, wire.MaxFrame))
		}
		if least := limits.MaxBody + limits.MaxBody/2 + im.MaxExpansionBytes + 16<<10; c.maxFrame < least {
			// Base64 and what stands around a body included: a message has to fit.
			c.end(refused(im.Errorf(im.Invalid, "caps.max_frame is %d: a message may need up to %d", c.maxFrame, least)))
			return false
		}
	}
	c.credit = int32(min(limits.SendCredit, 1<<30))
	c.done = c.sendDone

	ctx, cancel := context.WithTimeout(c.d.ctx, c.d.cfg.HelloTimeout)
	sess, err := c.core.Login(ctx, l)
	cancel()
	if err != nil {
		e := im.AsError(err)
		if e.Kind == im.Internal {
			c.log().Error("login failed", "err", err, "cause", e.Unwrap())
		} else {
			c.log().Debug("login refused", "code", e.Code, "text", e.Text)
		}
		c.end(refused(e))
		return false
	}
	c.sess = sess
	c.l.SignedIn()
	c.d.count.signedIn.Add(1)
	if sess.Resumed() {
		c.d.count.resumed.Add(1)
	}
	c.welcome(h, limits)
	if c.d.cfg.Log.Enabled(ctx, levelInfo) {
		c.log().Info("signed in", "resumed", sess.Resumed())
	}
	return true
}

// pick is the core of an app.
func (d *Door) pick(app string) *core.Core {
	if d.cfg.Core == nil {
		return nil
	}
	return d.cfg.Core(clone(app))
}

func (c *conn) welcome(h *wire.Hello, limits im.Limits) {
	s := c.sess
	w := &wire.Welcome{
		Session: s.ID(), Epoch: c.core.Epoch().String(), ServerTime: c.core.Now().UnixMilli(),
		Node: c.d.cfg.Node, Resumed: s.Resumed(), Heartbeat: c.d.cfg.Heartbeat.wire(),
		WindowEvents: windowEvents, WindowBytes: windowBytes, SendCredit: uint32(max(limits.SendCredit, 0)),
		MaxFrame: uint32(limits.MaxFrame),
		Limits: &wire.Limits{MaxBody: uint32(limits.MaxBody), SendRate: max(limits.SendRate, 0), SendBurst: uint32(max(limits.SendBurst, 0)),
			SignalRate: max(limits.SignalRate, 0), Outstanding: uint32(max(limits.Outstanding, 0)),
			MaxMentions: uint32(max(limits.MaxMentions, 0)), MaxGroup: uint32(max(limits.MaxGroup, 0))},
		Nodes: c.d.cfg.Nodes, User: string(s.User()), Device: string(s.Device()), Features: features,
	}
	if t := s.Expires(); !t.IsZero() {
		w.TokenExpires = t.UnixMilli()
	}
	c.mu.Lock()
	c.append(w)
	c.welcomed = true
	c.mu.Unlock()
	c.l.Expect(c.d.cfg.Heartbeat.patience(h.NextS))
	c.l.Wake()
}

var features = []string{wire.FeatureZstd}

// endedByCore is core's word that the session is over: replaced, kicked, drained.
func (c *conn) endedByCore(e core.End) { c.end(ended(e)) }

// goAway is the frame of an ending.
func goAway(e ending, nodes []string) *wire.GoAway {
	return &wire.GoAway{Reason: e.reason, Code: e.code, Message: e.text, Resumable: e.resumable,
		RetryAfterMs: rpc.RetryMillis(e.retry), Nodes: nodes}
}

var _ gate.Owner = (*conn)(nil)
