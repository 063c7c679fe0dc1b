package core

import (
	"github.com/anser-im/anser/internal/hub"
	"github.com/anser-im/anser/internal/im"
)

// deliver offers a durable message to who is to see it. It is called in the order of
// commits and does not block.
func (c *Core) deliver(snd *Send) {
	c.spread(snd.s, snd.l.addr, &snd.at, &hub.Event{Conv: snd.op.At, Seq: snd.op.Seq, Msg: snd.Msg})
	if snd.Msg.Thread != 0 {
		c.wrote(snd.s, snd.l.addr, snd.Msg)
	}
}

// spread offers a message of s: in direct conversations at once, in groups in turn.
func (c *Core) spread(s *Session, addr im.Address, at *access, ev *hub.Event) {
	if at.kind != im.Direct {
		c.fans.offer(ev.Conv, job{ev: ev, from: s.owner()})
		return
	}
	if at.peer != s.user {
		c.offerPeer(at.peer, s.called(at.line), ev)
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

// wake tells push that an absent user has something new to see, if he wants to hear of
// it.
func (c *Core) wake(u im.UserID, ev *hub.Event) {
	if c.cfg.Waker != nil && ev.Msg.Shown() && ev.Msg.Sender != u {
		c.waking.add(u, ev)
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
		u := head.Sides[i].User
		if u == "" || len(c.hub.Sessions(u)) == 0 {
			continue
		}
		if ev := v.of(c, u, 1); ev != nil {
			c.hub.Offer(u, addressOf(&head, u), ev, except.owner())
		}
		if recounts(ev) {
			c.mineMoved(u, conv, nil)
		}
	}
}

// recounts says whether ev moves what people have not read: its message counted, or
// named somebody, and no longer does, or does again. They are told after it.
func recounts(ev *hub.Event) bool {
	if ev.Change == nil || ev.Change.Msg == nil {
		return false
	}
	switch ev.Change.Kind {
	case im.Recall, im.Delete, im.Restore:
		return true
	}
	return false
}

// variants are an event as those who may see it are told, and as others are.
type variants struct {
	ev     *hub.Event
	unseen *hub.Event // it is settled
	bare   *hub.Event // a deletion, without the message
	veiled *hub.Event // a vote, without whose it is
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
		return v.change(c, u, from)
	case ev.Signal != nil && ev.Signal.Sender == u:
		return nil
	}
	return ev
}

// change is what u is told of a change of a message.
func (v *variants) change(c *Core, u im.UserID, from im.Seq) *hub.Event {
	ev, ch := v.ev, v.ev.Change
	told, as := c.changeTold(ch, u, from)
	if as != asSettled && c.hidden(ev.Conv, u, ch.Seq) {
		as = asSettled
	}
	switch as {
	case asIs:
		return ev
	case asBare:
		return v.variant(&v.bare, told)
	case asVeiled:
		return v.variant(&v.veiled, told)
	}
	if v.unseen == nil {
		v.unseen = &hub.Event{Conv: ev.Conv, Ver: ev.Ver}
	}
	return v.unseen
}

// variant makes an event of ch once.
func (v *variants) variant(at **hub.Event, ch *im.Change) *hub.Event {
	if *at == nil {
		*at = &hub.Event{Conv: v.ev.Conv, Ver: v.ev.Ver, Change: ch}
	}
	return *at
}

// telling is how a user is told of a change.
type telling uint8

const (
	asSettled telling = iota // only that its number is
	asIs
	asBare   // without the message
	asVeiled // without who voted, and for what
)

// changeTold is what u is told of a change of a message, who sees a conversation from
// a number on. Deleted messages are nobody's to see: who could see one is told that it
// is gone. So is, of one that burns, who comes when it has burnt. What a message that
// is gone from the store was, nobody can tell any more: that it is gone, everybody is
// told. Votes in anonymous polls are told to others without who voted.
func (c *Core) changeTold(ch *im.Change, u im.UserID, from im.Seq) (*im.Change, telling) {
	m := ch.Msg
	switch {
	case ch.Seq < from:
		return nil, asSettled
	case m == nil:
		if ch.Kind != im.Delete && ch.Kind != im.Burn {
			return nil, asSettled
		}
		return &im.Change{Ver: ch.Ver, Seq: ch.Seq, Kind: ch.Kind, Time: ch.Time}, asBare
	case !m.VisibleTo(u):
		return nil, asSettled
	case ch.Kind == im.Delete, ch.Kind == im.Burn && (c.expired(m) || m.Deleted):
		bare := *ch
		bare.Msg = nil
		return &bare, asBare
	case m.Deleted, c.expired(m):
		return nil, asSettled
	case ch.Kind == im.React && ch.By != u && secretVotes(ch):
		veiled := *ch
		veiled.By, veiled.Device, veiled.ID = "", "", ""
		veiled.Added, veiled.Removed = withoutVotes(ch.Added), withoutVotes(ch.Removed)
		return &veiled, asVeiled
	}
	return ch, asIs
}
