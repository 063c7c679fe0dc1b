package native

import (
	"errors"
	"log/slog"
	"os"
	"strings"
	"sync"

	"github.com/anser-im/anser/internal/core"
	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/wire"
)

const levelInfo = slog.LevelInfo

// clone copies a string out of the buffer that it was read into.
func clone(s string) string { return strings.Clone(s) }

func isTimeout(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }

var acks = sync.Pool{New: func() any { return new(wire.Ack) }}

// ackFrame carries out an ACK.
func (c *conn) ackFrame(f wire.Frame) error {
	a := acks.Get().(*wire.Ack)
	defer acks.Put(a)
	if err := c.f.Decode(f, a); err != nil {
		return c.broken(err)
	}
	c.ack(a)
	return nil
}

// ack tells core what the client has taken; nil is nothing.
func (c *conn) ack(a *wire.Ack) {
	if a == nil {
		return
	}
	c.pulled = c.pulled[:0]
	for _, p := range a.Pulled {
		c.pulled = append(c.pulled, core.Pulled{Conv: im.Address(clone(p.Conv)), Seq: im.Seq(p.Seq)})
	}
	c.sess.Ack(a.Push, c.pulled)
	if cap(c.pulled) > 16 {
		c.pulled = nil
	}
}

// state carries out a STATE.
func (c *conn) state(f wire.Frame) error {
	var s wire.ClientState
	if err := c.f.Decode(f, &s); err != nil {
		return c.broken(err)
	}
	c.ack(s.Ack)
	c.beat(s.NextS)
	if s.Background != nil || s.HoldSignals != nil || s.Network != "" {
		c.sess.SetState(core.ClientState{Background: s.Background, HoldSignals: s.HoldSignals, Network: clone(s.Network)})
	}
	return nil
}

// signal passes a SIGNAL on. There is no answer, also to one that is refused.
func (c *conn) signal(f wire.Frame) error {
	var s wire.Signal
	if err := c.f.Decode(f, &s); err != nil {
		return c.broken(err)
	}
	err := c.sess.Signal(im.Address(clone(s.Conv)), im.Signal{Kind: clone(s.Kind), Body: append([]byte(nil), s.Body...), TTL: int64(s.TtlMs)})
	if err != nil && c.d.cfg.Log.Enabled(c.d.ctx, slog.LevelDebug) {
		c.log().Debug("signal dropped", "err", err)
	}
	return nil
}
