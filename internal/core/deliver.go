package core

import (
	"github.com/anser-im/anser/internal/hub"
	"github.com/anser-im/anser/internal/im"
)

// deliver offers a durable message to who is to see it. It is called in the order of
// commits and does not block.
func (c *Core) deliver(snd *Send) {
	c.spread(snd.s, snd.l.addr, &snd.at, &hub.Event{Conv: snd.op.At, Seq: snd.op.Seq, Msg: snd.Msg})
}

// spread offers a message of s: in direct conversations at once, in groups in turn.
func (c *Core) spread(s *Session, addr im.Address, at *access, ev *hub.Event) {
	if at.kind != im.Direct {
		c.fans.offer(ev.Conv, job{ev: ev, from: s.owner()})
		return
	}
	if at.peer != s.user {
		c.offerPeer(at.peer, s.self, ev)
	}
	c.hub.Offer(s.user, addr, ev, s.owner())
}

// offerPeer offers a direct message to the one it is for, or wakes him.
func (c *Core) offerPeer(peer im.UserID, addr im.Address, ev *hub.Event) {
	if !ev.Msg.VisibleTo(peer) {
		if ev.Seq != 0 {
			c.hub.Offer(peer, addr, &hub.Event{Conv: ev.Conv, Seq: ev.Seq, Hidden: true}, nil)
		}
		return
	}
	if !c.hub.Offer(peer, addr, ev, nil) && ev.Seq != 0 {
		c.wake(peer, ev)
	}
}

// wake tells push that an absent user has something new to see.
func (c *Core) wake(u im.UserID, ev *hub.Event) {
	if c.cfg.Waker != nil && ev.Msg.Shown() && ev.Msg.Sender != u {
		c.cfg.Waker.Wake(u, ev.Conv, ev.Msg)
	}
}

// tellConv offers ev to everybody who is in conv and online here, in order with its
// messages: in direct conversations at once, in groups in turn. Who may not see the
// message of a change is told that its number is settled.
func (c *Core) tellConv(conv im.ConvID, ev *hub.Event, except *Session) {
	head, ok := c.st.Head(conv)
	if !ok {
		return
	}
	if head.Kind != im.Direct {
		c.fans.offer(conv, job{ev: ev, from: except.owner()})
		return
	}
	v := variants{ev: ev}
	for i := range head.Sides {
		if u := head.Sides[i].User; u != "" {
			if ev := v.of(c, u, 1); ev != nil {
				c.hub.Offer(u, addressOf(&head, u), ev, except.owner())
			}
		}
	}
}

// variants are an event as those who may see it are told, and as others are.
type variants struct {
	ev, unseen *hub.Event
}

// of is what u is told, who sees a conversation from a number on; nil = nothing.
func (v *variants) of(c *Core, u im.UserID, from im.Seq) *hub.Event {
	ev := v.ev
	switch {
	case ev.Msg != nil && ev.Msg.VisibleTo(u):
		return ev
	case ev.Msg != nil && ev.Seq == 0:
		return nil
	case ev.Msg != nil:
		if v.unseen == nil {
			v.unseen = &hub.Event{Conv: ev.Conv, Seq: ev.Seq, Hidden: true}
		}
		return v.unseen
	case ev.Change != nil && ev.Change.Msg != nil:
		if m := ev.Change.Msg; m.Seq >= from && m.VisibleTo(u) && !c.expired(m) {
			return ev
		}
		if v.unseen == nil {
			v.unseen = &hub.Event{Conv: ev.Conv, Ver: ev.Ver}
		}
		return v.unseen
	case ev.Signal != nil && ev.Signal.Sender == u:
		return nil
	}
	return ev
}
