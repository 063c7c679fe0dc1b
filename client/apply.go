package client

import (
	"slices"
	"time"

	"github.com/anser-im/anser/wire"
)

// apply works out what follows from an item. Called with mu held.
func (c *Client) apply(it *item, b *batch) {
	switch {
	case it.welcome != nil:
		c.begin(it.welcome, b)
	case it.push != nil:
		for _, e := range it.push.Events {
			c.applyEvent(e, b)
		}
		l, number, n, bytes := it.l, it.push.Number, len(it.push.Events), it.bytes
		b.later(func() { l.acks.took(number, n, bytes) })
	case it.sent != nil:
		c.applySent(it.sent, b)
	case it.failed != nil:
		if e := it.failed.e; !e.status {
			b.puts.Delete(orderKey(e.order))
		}
		b.event(Event{Kind: EventFailed, Conv: it.failed.e.frame.Conv, Err: it.failed.err,
			Sent: &Sent{ID: it.failed.e.frame.Id, Conv: it.failed.e.frame.Conv}})
	case it.sync != nil:
		c.applySync(it.sync, it.floors, b)
	case it.meet != nil:
		c.meet(it.meet, it.floors[it.meet.Conv], b)
	case it.gone != "":
		if cv := c.convs[it.gone]; cv != nil && !cv.met { // heard of, and never in it
			delete(c.convs, it.gone)
			b.drop(it.gone)
			c.todo.drop(it.gone)
			return
		}
		c.forget(it.gone, b)
	case it.page != nil:
		c.applyPage(it.l, it.page, it.floors[it.page.conv], b)
	case it.changes != nil:
		c.applyChanges(it.changes, b)
	case it.own != nil:
		// The server does not push a change to the session that made it.
		if cv := c.convs[it.own.conv]; cv != nil {
			if it.own.many || c.opt.Keep > 0 { // read it: what is kept here follows
				cv.headVer = max(cv.headVer, min(it.own.ver, maxNumber))
			} else {
				cv.change(it.own.ver, nil, c.out(cv, b))
				if cv.unread.mine.Unread > 0 {
					cv.doubt(cv.unread.mine.Read + 1)
				}
			}
			c.want(cv, 0)
		}
	case it.mine != nil:
		if cv := c.convs[it.mine.conv]; cv != nil {
			b.keep(cv)
			c.withdrawn(cv, it.mine.mine, b)
			if m := mineOf(it.mine.mine); m != nil {
				c.answered(cv, m)
			}
			c.want(cv, gapGrace)
		}
	case it.synced:
		if c.todo.quiet() {
			b.event(Event{Kind: EventSynced})
			l := it.l
			b.later(func() {
				c.mu.Lock()
				defer c.mu.Unlock()
				if c.link == l {
					c.setState(func(s *State) { s.Synced = true })
				}
			})
		} else {
			c.todo.announce = true // something came in between: later
		}
	}
}

// out gives messages of cv to the application as they come out in order.
func (c *Client) out(cv *convo, b *batch) give {
	b.keep(cv)
	return func(m *Message) {
		at := len(b.puts)
		cv.unread.count(m, c.user)
		if !cv.unread.known && cv.addr != "me" {
			cv.untold = true
		}
		c.keep(m, b)
		c.expects(m, b)
		if k := outKey(cv.addr, m.ID); m.Sender == c.user && c.accepted[k] != nil {
			c.accepted[k].came = m
			return // its SENDACK is behind this in the queue, and tells it
		}
		if e := c.box.find(cv.addr, m.ID); e != nil && m.Sender == c.user {
			// Our own message, whose SENDACK got lost: it stands for it.
			s := Sent{ID: m.ID, Conv: cv.addr, Seq: m.Seq, N: m.N, Time: m.Time, Duplicate: true}
			c.box.remove(e)
			b.later(func() {
				c.mu.Lock()
				delete(c.pending, outKey(cv.addr, s.ID))
				c.mu.Unlock()
				e.pending.finish(s, nil)
				poke(c.pumpNow)
			})
			if !e.status {
				b.puts.Delete(orderKey(e.order))
			}
			b.event(Event{Kind: EventSent, Conv: cv.addr, Sent: &s})
			c.tellSince(m, b)
			return
		}
		b.event(Event{Kind: EventMessage, Conv: cv.addr, Message: m})
		c.markConvo(cv, b, at)
	}
}

// convo finds or begins what is held of a conversation.
func (c *Client) convo(addr string) *convo {
	cv := c.convs[addr]
	if cv == nil {
		cv = newConvo(addr)
		cv.met = addr == "me" // its changes are asked for from the first
		cv.untold = addr != "me"
		c.convs[addr] = cv
	}
	return cv
}

// applyEvent takes one event of a push.
func (c *Client) applyEvent(e *wire.Event, b *batch) {
	if e.Sync {
		c.todo.syncNow()
		return
	}
	if e.Conv == "" {
		return
	}
	if e.Message != nil && e.Seq == 0 && e.Message.Seq == 0 {
		b.event(Event{Kind: EventStatus, Conv: e.Conv, Message: messageOf(e.Conv, e.Message)})
		return
	}
	if e.State != nil && e.State.GetMine().GetLeft() {
		c.forget(e.Conv, b)
		return
	}
	cv := c.convo(e.Conv)
	switch {
	case e.Message != nil:
		m := messageOf(e.Conv, e.Message)
		if m.Seq == 0 {
			m.Seq = e.Seq
		}
		cv.message(m, c.out(cv, b))
	case e.Hidden:
		cv.settle(e.Seq, c.out(cv, b))
	case e.Ver != 0 || e.Change != nil:
		c.applyChange(cv, max(e.Ver, e.Change.GetVer()), e.Change, b)
	case e.State != nil:
		if h := e.State.Head; h != nil {
			cv.head = max(cv.head, min(h.Seq, maxNumber))
			cv.headVer = max(cv.headVer, min(h.Ver, maxNumber))
			b.keep(cv)
		}
		if m := e.State.Mine; m != nil && e.State.Head != nil {
			cv.unread.tells(mineOf(m), e.State.Head.Seq)
		} else if m != nil {
			cv.doubt(m.Read + 1)
		}
		if m := e.State.Mine; m != nil && cv.met {
			cv.skipTo(m.From, c.out(cv, b))
			c.withdrawn(cv, m, b)
		}
		if e.Conv != "me" {
			b.event(Event{Kind: EventInfo, Conv: e.Conv, Info: infoOf(e.State)})
		}
	}
	c.want(cv, gapGrace)
}

// applyChange takes change number ver of cv; w is nil if it is not for this user.
func (c *Client) applyChange(cv *convo, ver uint64, w *wire.Change, b *batch) {
	var ch *Change
	if w != nil {
		ch = changeOf(cv.addr, w)
	}
	if cv.change(ver, ch, c.out(cv, b)) {
		c.tellChange(cv, ch, b)
	}
}

func (c *Client) tellChange(cv *convo, ch *Change, b *batch) {
	at := len(b.puts)
	c.alterKept(ch, cv.addr, b)
	switch {
	case ch.note != nil:
		b.event(Event{Kind: EventNoted, Note: ch.note})
	case cv.addr == "me":
		b.event(Event{Kind: EventSelf, Conv: cv.addr, Change: ch})
	default:
		if ch.Kind == wire.ChangeDelete {
			c.undue(cv.addr, ch.Seq, ch.Seq, b)
		} else if ch.Message != nil {
			c.expects(ch.Message, b)
		}
		if doubtful(ch) {
			cv.doubt(ch.Seq)
		}
		if cv.toldSince(ch) {
			return
		}
		b.event(Event{Kind: EventChange, Conv: cv.addr, Change: ch})
	}
	c.markConvo(cv, b, at)
}

// markConvo notes that the last event is all that cv has told up to now, and that what
// is put from the at-th put on belongs to it.
func (c *Client) markConvo(cv *convo, b *batch, at int) {
	if c.opt.OnEvent != nil {
		b.mark(append(slices.Clone(b.puts[at:]), op{keyConv + cv.addr, cv.record()}))
	}
}

// applySent notes that a message of ours has been accepted. Its number is settled: the
// sending session is not sent it again.
func (c *Client) applySent(o *outcome, b *batch) {
	if !o.e.status {
		b.puts.Delete(orderKey(o.e.order))
	}
	key := outKey(o.sent.Conv, o.sent.ID)
	came := c.accepted[key].message()
	delete(c.accepted, key)
	cv := c.convs[o.sent.Conv]
	if cv != nil && o.sent.Seq > 0 && o.sent.Seq <= o.e.floor && !o.sent.Duplicate {
		c.restart(o.sent.Conv, b) // a new message has the number of an old one
	}
	gone := false
	if seq := o.sent.Seq; cv != nil && seq != 0 && o.sent.Duplicate && came == nil {
		// An earlier SENDACK got lost. What became of the message since may have come.
		came = cv.held[seq]
		gone = came == nil && cv.met && (seq <= cv.done || cv.covered.has(seq))
	}
	at := len(b.puts)
	switch {
	case came != nil:
		c.keep(came, b)
		c.expects(came, b)
	case !gone:
		c.keepSent(o, b)
	}
	if p := o.e.frame.Options; p != nil && p.Expires != 0 && o.sent.Seq != 0 && !gone && came == nil {
		c.expects(&Message{Conv: o.sent.Conv, Seq: o.sent.Seq, Expires: timeOf(p.Expires)}, b)
	}
	b.event(Event{Kind: EventSent, Conv: o.sent.Conv, Sent: &o.sent})
	if o.sent.Seq == 0 {
		return
	}
	cv = c.convo(o.sent.Conv)
	cv.unhold(o.sent.Seq) // it came as a message too
	if c.opt.OnEvent != nil && !o.e.status && o.sent.Seq <= maxNumber {
		b.mark(append(slices.Clone(b.puts[at:]), op{orderKey(o.e.order), nil}, op{keyConv + cv.addr, cv.record(o.sent.Seq)}))
	}
	if came != nil {
		c.tellSince(came, b)
	}
	if gone {
		b.event(Event{Kind: EventChange, Conv: cv.addr, Change: &Change{Seq: o.sent.Seq, Kind: wire.ChangeDelete}})
		cv.tellsSince(o.sent.Seq, 0)
	}
	cv.settle(o.sent.Seq, c.out(cv, b))
	if cv.done >= o.sent.Seq {
		cv.unread.reads(o.sent.Seq)
	} else {
		cv.doubt(o.sent.Seq) // what stands before it has not been given yet
	}
	c.want(cv, gapGrace)
}

// tellSince tells what became of a message of this device before it was known to have
// been accepted: EventSent tells of it as it was sent.
func (c *Client) tellSince(m *Message, b *batch) {
	if m.Ver == 0 {
		return
	}
	ch := &Change{Ver: m.Ver, Seq: m.Seq, Kind: wire.ChangeEdit, By: m.Sender, Message: m}
	if m.Recalled {
		ch.Kind, ch.By = wire.ChangeRecall, m.RecalledBy
	}
	b.event(Event{Kind: EventChange, Conv: m.Conv, Change: ch})
	if cv := c.convs[m.Conv]; cv != nil && m.Ver > cv.ver {
		cv.tellsSince(m.Seq, m.Ver)
	}
}

// maxSince is how many messages of a conversation are remembered as told ahead of the log.
const maxSince = 256

// tellsSince notes that what became of message seq has been told ahead of the change log.
func (cv *convo) tellsSince(seq, ver uint64) {
	if cv.since == nil || len(cv.since) >= maxSince { // then one may be told twice
		cv.since = make(map[uint64]uint64)
	}
	cv.since[seq] = ver
}

// toldSince says whether ch, which comes from the change log, has been told ahead of it.
func (cv *convo) toldSince(ch *Change) bool {
	ver, ok := cv.since[ch.Seq]
	if !ok {
		return false
	}
	if ver == 0 {
		delete(cv.since, ch.Seq)
		return ch.Kind == wire.ChangeDelete
	}
	if ch.Ver >= ver {
		delete(cv.since, ch.Seq)
	}
	return ch.Ver <= ver
}

// applyPage takes the answer to a Page that filled a gap.
func (c *Client) applyPage(l *link, p *pageResult, floor uint64, b *batch) {
	cv := c.convs[p.conv]
	if cv == nil {
		return
	}
	if h := p.r.Head; h != nil && h.Seq < floor {
		c.want(c.restart(p.conv, b), 0)
		return
	}
	out := c.out(cv, b)
	if h := p.r.Head; h != nil {
		cv.head = max(cv.head, min(h.Seq, maxNumber))
		cv.headVer = max(cv.headVer, min(h.Ver, maxNumber))
	}
	if r := p.r.Range; r != nil {
		cv.page(r.From, r.To, attach(messagesOf(p.conv, r.Messages), r.Extras), out)
	}
	done := cv.done
	b.later(func() { l.acks.pull(p.conv, done) })
	c.want(cv, 0)
}

func messagesOf(conv string, in []*wire.Message) []*Message {
	out := make([]*Message, len(in))
	for i, m := range in {
		out[i] = messageOf(conv, m)
	}
	return out
}

// applyChanges takes the answer to a Changes that filled a gap.
func (c *Client) applyChanges(r *wire.ChangesResponse, b *batch) {
	cv := c.convs[r.Conv]
	if cv == nil {
		return
	}
	b.keep(cv)
	if r.Reset_ {
		c.void(r.Conv, b)
		cv.ver = r.Ver
		cv.headVer = max(cv.headVer, r.Ver)
		b.event(Event{Kind: EventReset, Conv: r.Conv})
	} else {
		for _, w := range r.Changes {
			if w.Ver <= cv.ver {
				continue
			}
			ch := changeOf(r.Conv, w)
			cv.ver = w.Ver
			if cv.alter(ch, c.out(cv, b)) {
				c.tellChange(cv, ch, b)
			}
		}
		cv.ver = max(cv.ver, r.ToVer)
		cv.headVer = max(cv.headVer, cv.ver)
		if r.More {
			cv.headVer = max(cv.headVer, cv.ver+1)
		}
	}
	c.want(cv, 0)
}

// begin follows from a new link: whose store it is, and whether what is known still
// holds. Messages that wait to be sent hold in any case.
func (c *Client) begin(w *wire.Welcome, b *batch) {
	if c.user != w.User && w.User != "" {
		c.user = w.User
		b.puts.Set(keyUser, []byte(w.User))
	}
	if c.device != w.Device && w.Device != "" && c.opt.Device.ID == "" {
		c.device = w.Device
		b.puts.Set(keyDevice, []byte(w.Device))
	}
	if w.ServerTime != 0 {
		c.clock(time.Since(timeOf(w.ServerTime)), b)
	}
	if c.epoch == w.Epoch {
		return
	}
	known := c.epoch != ""
	c.epoch = w.Epoch
	b.puts.Set(keyEpoch, []byte(w.Epoch))
	if !known {
		return
	}
	c.log.Warn("the server began anew: everything is fetched again", "epoch", w.Epoch)
	c.syncTok = ""
	b.puts.Delete(keyToken)
	for addr := range c.convs {
		cv := newConvo(addr)
		cv.rebuilt = true
		cv.met = addr == "me"
		c.convs[addr] = cv
		b.keep(cv)
		c.void(addr, b)
	}
	c.todo.reset()
	c.todo.syncNow()
	b.event(Event{Kind: EventReset})
}
