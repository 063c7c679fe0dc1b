package client

import (
	"context"
	"errors"
	"time"

	"github.com/anser-im/anser/wire"
)

// maxBatch is how many events the application is given at once.
const maxBatch = 256

// delivering is the batch that OnEvents has now.
type delivering struct {
	tx    Tx
	sends []*entry // queued by SendIn
}

// batch is what follows from some items of the inbox: events for the application, what
// the store is to keep, and what to do when both are done.
type batch struct {
	events []Event
	convs  map[string]*convo // to be kept; nil = to be removed
	puts   ops
	after  []func()
}

func (b *batch) event(e Event)    { b.events = append(b.events, e) }
func (b *batch) later(f func())   { b.after = append(b.after, f) }
func (b *batch) keep(cv *convo)   { b.convs[cv.addr] = cv }
func (b *batch) drop(addr string) { b.convs[addr] = nil }
func (b *batch) empty() bool      { return len(b.events) == 0 && len(b.convs) == 0 && len(b.puts) == 0 }

// deliverLoop is the one goroutine that gives the application what arrives and keeps
// how far it has got. It ends with ctx, or with the error of a store that failed.
func (c *Client) deliverLoop(ctx context.Context) error {
	for {
		items := c.inbox.take(maxBatch)
		if len(items) == 0 && !c.searchDirty() {
			select {
			case <-c.inbox.wake:
				continue
			case <-ctx.Done():
				return nil
			}
		}
		b := &batch{convs: make(map[string]*convo)}
		c.mu.Lock()
		for i := range items {
			c.apply(&items[i], b)
		}
		c.keepSearches(b)
		c.mu.Unlock()
		if err := c.commit(ctx, b); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		for _, f := range b.after {
			f()
		}
		for _, it := range items {
			if it.done != nil {
				close(it.done)
			}
		}
	}
}

// commit gives the application the events of b in a transaction that keeps how far they
// got. It tries until the application takes them.
func (c *Client) commit(ctx context.Context, b *batch) error {
	if b.empty() {
		return nil
	}
	failures := 0
	for try := 0; ; try++ {
		err := c.commitOnce(b)
		if err == nil {
			return nil
		}
		var se storeError
		if errors.As(err, &se) {
			if failures++; failures == 3 {
				c.log.Error("the store fails", "err", se.error)
				return se.error
			}
		}
		c.log.Warn("events were not taken; trying again", "err", err)
		t := time.NewTimer(backoffFirst + backoff(try))
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		}
	}
}

// storeError is a failure of the store, not of the application.
type storeError struct{ error }

func (e storeError) Unwrap() error { return e.error }

func (c *Client) commitOnce(b *batch) (err error) {
	tx, err := c.opt.Store.Begin()
	if err != nil {
		return storeError{err}
	}
	d := &delivering{tx: tx}
	c.mu.Lock()
	c.delivering = d
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		c.delivering = nil
		c.mu.Unlock()
		if err != nil {
			tx.Rollback()
		}
		for _, e := range d.sends {
			c.enqueued(e, err)
		}
	}()
	switch {
	case len(b.events) == 0:
	case c.opt.OnEvents != nil:
		for e := b.events; len(e) > 0 && err == nil; e = e[min(len(e), maxBatch):] {
			err = c.opt.OnEvents(tx, e[:min(len(e), maxBatch)])
		}
		if err != nil {
			return err
		}
	case c.opt.OnEvent != nil:
		for ; len(b.events) > 0; b.events = b.events[1:] { // not again if the commit fails
			c.opt.OnEvent(b.events[0])
		}
	}
	c.mu.Lock()
	puts := b.puts
	for addr, cv := range b.convs {
		if cv == nil {
			puts = append(puts, op{keyConv + addr, nil})
		} else {
			puts = append(puts, op{keyConv + addr, cv.record()})
		}
	}
	c.mu.Unlock()
	for _, p := range puts {
		if p.value == nil {
			err = tx.Delete(p.key)
		} else {
			err = tx.Set(p.key, p.value)
		}
		if err != nil {
			return storeError{err}
		}
	}
	if err = tx.Commit(); err != nil {
		return storeError{err}
	}
	return nil
}

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
		c.applySync(it.sync, b)
	case it.meet != nil:
		c.meet(it.meet, b)
	case it.gone != "":
		if cv := c.convs[it.gone]; cv != nil && !cv.met { // heard of, and never in it
			delete(c.convs, it.gone)
			b.drop(it.gone)
			c.todo.drop(it.gone)
			return
		}
		c.forget(it.gone, b)
	case it.page != nil:
		c.applyPage(it.l, it.page, b)
	case it.changes != nil:
		c.applyChanges(it.changes, b)
	case it.own != nil:
		// The server does not push a change to the session that made it.
		if cv := c.convs[it.own.conv]; cv != nil {
			cv.change(it.own.ver, nil, c.out(cv, b))
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
		if m.Sender == c.user && c.accepted[outKey(cv.addr, m.ID)] {
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
			return
		}
		b.event(Event{Kind: EventMessage, Conv: cv.addr, Message: m})
	}
}

// convo finds or begins what is held of a conversation.
func (c *Client) convo(addr string) *convo {
	cv := c.convs[addr]
	if cv == nil {
		cv = newConvo(addr)
		cv.met = addr == "me" // its changes are asked for from the first
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
		if m := e.State.Mine; m != nil && cv.met {
			cv.skipTo(m.From, c.out(cv, b))
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
	kind := EventChange
	if cv.addr == "me" {
		kind = EventSelf
	}
	b.event(Event{Kind: kind, Conv: cv.addr, Change: ch})
}

// applySent notes that a message of ours has been accepted. Its number is settled: the
// sending session is not sent it again.
func (c *Client) applySent(o *outcome, b *batch) {
	if !o.e.status {
		b.puts.Delete(orderKey(o.e.order))
	}
	delete(c.accepted, outKey(o.sent.Conv, o.sent.ID))
	b.event(Event{Kind: EventSent, Conv: o.sent.Conv, Sent: &o.sent})
	if o.sent.Seq == 0 {
		return
	}
	cv := c.convo(o.sent.Conv)
	cv.unhold(o.sent.Seq) // it came as a message too
	cv.settle(o.sent.Seq, c.out(cv, b))
	c.want(cv, gapGrace)
}

// applySync takes one answer of Sync.
func (c *Client) applySync(r *wire.SyncResponse, b *batch) {
	for _, addr := range r.Left {
		c.forget(addr, b)
	}
	for _, w := range r.Conversations {
		c.meet(w, b)
	}
	c.syncTok = r.Token
	b.puts.Set(keyToken, []byte(r.Token))
}

// meet takes what the server says of a conversation: on Sync, or because it is new here.
func (c *Client) meet(w *wire.Conversation, b *batch) {
	if w.Conv == "" {
		return
	}
	if w.Mine.GetLeft() {
		c.forget(w.Conv, b)
		return
	}
	cv := c.convo(w.Conv)
	head := min(w.Head.GetSeq(), maxNumber)
	if w.Conv != "me" {
		b.event(Event{Kind: EventConversation, Conv: w.Conv, Conversation: conversationOf(w)})
	}
	if !cv.met {
		cv.begin(c.begins(cv, w, head)-1, min(w.Head.GetVer(), maxNumber))
	}
	out := c.out(cv, b)
	cv.head = max(cv.head, head)
	cv.headVer = max(cv.headVer, min(w.Head.GetVer(), maxNumber))
	cv.skipTo(w.Mine.GetFrom(), out)
	if p := w.Page; p != nil {
		cv.page(p.From, p.To, messagesOf(w.Conv, p.Messages), out)
	}
	cv.advance(out)
	c.want(cv, 0)
}

// begins is the first number that is delivered of a conversation that is new here: what
// the user has not read, and the newest page, which came along; after the server began
// anew, everything.
func (c *Client) begins(cv *convo, w *wire.Conversation, head uint64) uint64 {
	first := head + 1
	if w.Page != nil && w.Page.From > 0 {
		first = min(first, w.Page.From)
	}
	first = min(first, w.Mine.GetRead()+1)
	if cv.rebuilt {
		first = 1
	}
	if n := c.opt.Backlog; n > 0 && head > uint64(n) {
		first = max(first, head-uint64(n)+1)
	}
	return max(first, w.Mine.GetFrom(), 1)
}

// forget drops a conversation that this user is no longer in.
func (c *Client) forget(addr string, b *batch) {
	if c.convs[addr] != nil {
		delete(c.convs, addr)
		b.drop(addr)
	}
	c.todo.drop(addr)
	b.event(Event{Kind: EventLeft, Conv: addr})
}

// applyPage takes the answer to a Page that filled a gap.
func (c *Client) applyPage(l *link, p *pageResult, b *batch) {
	cv := c.convs[p.conv]
	if cv == nil {
		return
	}
	out := c.out(cv, b)
	if h := p.r.Head; h != nil {
		cv.head = max(cv.head, min(h.Seq, maxNumber))
		cv.headVer = max(cv.headVer, min(h.Ver, maxNumber))
	}
	if r := p.r.Range; r != nil {
		cv.page(r.From, r.To, messagesOf(p.conv, r.Messages), out)
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
	}
	c.todo.reset()
	c.todo.syncNow()
	b.event(Event{Kind: EventReset})
}
