package core

import (
	"github.com/anser-im/anser/internal/hub"
	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

const (
	feedTurns  = 8    // pieces before the next session's turn
	feedEvents = 256  // hidden numbers among them
	feedHole   = 1000 // numbers without a message that are not told one by one
)

// feed gives a session what it is behind in, until there is no room or it is somebody
// else's turn.
func (c *Core) feed(box *hub.Session) {
	for range feedTurns {
		w, ok := box.Next()
		if !ok {
			return
		}
		food, err := c.food(box.User, w)
		if err != nil {
			c.log.Warn("a session cannot be fed now", "user", box.User, "err", err)
			c.feeders.wait(box)
			return
		}
		box.Fed(w, food)
	}
	c.feeders.add(box)
}

// food reads what u lacks of a conversation, by the rules of every reader. Numbers
// that are not for him, or gone, are told as settled.
func (c *Core) food(u im.UserID, w hub.Work) (hub.Food, error) {
	head, row, err := c.standing(w.Conv, u)
	if err != nil {
		return hub.Food{}, err
	}
	f := hub.Food{Addr: addressOf(&head, u)}
	if !row.In() {
		f.Over = true
		f.State = &hub.Event{Conv: w.Conv, State: &im.State{Mine: &im.Mine{Left: true, MVer: row.MVer}}}
		return f, nil
	}
	if w.Seq != 0 {
		if err := c.numbers(&f, &head, &row, w.Seq); err != nil {
			return f, err
		}
	}
	if w.Ver != 0 && (w.Seq == 0 || f.Seq >= head.Seq) {
		if err := c.versions(&f, &head, &row, w.Ver); err != nil {
			return f, err
		}
	}
	if w.State {
		mine, err := c.mineOf(&head, &row)
		if err != nil {
			return f, err
		}
		h := headOf(&head)
		f.State = &hub.Event{Conv: w.Conv, State: &im.State{Head: &h, Mine: &mine, Peer: peerOf(&head, u)}}
	}
	return f, nil
}

// standing reads the head of conv and then u's row, as at does, also for his own log.
func (c *Core) standing(conv im.ConvID, u im.UserID) (store.Head, store.Row, error) {
	head, row, err := c.at(conv, u)
	if err == nil && head.Kind == im.Self {
		row = store.Row{Conv: conv, User: u, Role: im.Member, From: 1}
	}
	return head, row, err
}

// numbers adds the messages from a number on, and what is settled between them.
func (c *Core) numbers(f *hub.Food, head *store.Head, row *store.Row, from im.Seq) error {
	r, err := c.pageFor(row, head, from, head.Seq, false, hub.FeedEvents, hub.FeedBytes)
	if err != nil {
		return err
	}
	next := from
	hole := func(to im.Seq) bool { // settles next..to-1
		if to > next && to-next > feedHole { // the client sees that it lacks them, and asks
			h := headOf(head)
			f.Events = append(f.Events, &hub.Event{Conv: head.Conv, State: &im.State{Head: &h}})
			next = to
		}
		for ; next < to && len(f.Events) < feedEvents; next++ {
			f.Events = append(f.Events, &hub.Event{Conv: head.Conv, Seq: next, Hidden: true})
		}
		return next == to
	}
	for _, m := range r.Messages {
		if !hole(m.Seq) || len(f.Events) >= feedEvents {
			f.Seq = next - 1
			return nil
		}
		f.Events = append(f.Events, &hub.Event{Conv: head.Conv, Seq: m.Seq, Msg: m})
		next = m.Seq + 1
	}
	hole(max(r.To, from-1) + 1)
	f.Seq = next - 1
	return nil
}

// versions adds the changes from one on. Those that are not for him are told as
// settled.
func (c *Core) versions(f *hub.Food, head *store.Head, row *store.Row, from im.Ver) error {
	a, err := c.changesFor(row, head, from, hub.FeedEvents)
	if err != nil {
		return err
	}
	if a.Reset { // the client sees in the head that it lacks more than it was told, and asks
		h := headOf(head)
		f.Events = append(f.Events, &hub.Event{Conv: head.Conv, State: &im.State{Head: &h}})
		f.Ver = head.Ver
		return nil
	}
	next := from
	settle := func(to im.Ver) {
		for ; next < to; next++ {
			f.Events = append(f.Events, &hub.Event{Conv: head.Conv, Ver: next})
		}
	}
	for i := range a.Changes {
		ch := &a.Changes[i]
		settle(ch.Ver)
		f.Events = append(f.Events, &hub.Event{Conv: head.Conv, Ver: ch.Ver, Change: ch})
		next = ch.Ver + 1
	}
	settle(a.To + 1)
	f.Ver = next - 1
	return nil
}
