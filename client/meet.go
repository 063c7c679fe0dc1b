package client

import (
	"github.com/anser-im/anser/wire"
)

// applySync takes one answer of Sync.
func (c *Client) applySync(r *wire.SyncResponse, floors map[string]uint64, b *batch) {
	for _, addr := range r.Left {
		c.forget(addr, b)
	}
	for _, w := range r.Conversations {
		c.meet(w, floors[w.Conv], b)
	}
	c.syncTok = r.Token
	b.puts.Set(keyToken, []byte(r.Token))
}

// meet takes what the server says of a conversation: on Sync, or because it is new here.
// floor is how far it had been delivered when it was asked for.
func (c *Client) meet(w *wire.Conversation, floor uint64, b *batch) {
	if w.Conv == "" {
		return
	}
	if w.Mine.GetLeft() {
		c.forget(w.Conv, b)
		return
	}
	head := min(w.Head.GetSeq(), maxNumber)
	if w.Head != nil && head < floor {
		c.restart(w.Conv, b)
	}
	cv := c.convo(w.Conv)
	b.keep(cv)
	cv.untold = false
	if w.Conv != "me" {
		b.event(Event{Kind: EventConversation, Conv: w.Conv, Conversation: conversationOf(w)})
	}
	if m := mineOf(w.Mine); m != nil && w.Head != nil && w.Conv != "me" {
		fresh := cv.unread.tells(m, w.Head.Seq)
		cv.untold = !fresh || cv.unread.doubts != cv.unread.asked // it came from before the last doubt
	}
	c.withdrawn(cv, w.Mine, b) // of what was delivered before
	if !cv.met {
		cv.begin(c.begins(cv, w, head)-1, min(w.Head.GetVer(), maxNumber))
	}
	out := c.out(cv, b)
	cv.head = max(cv.head, head)
	cv.headVer = max(cv.headVer, min(w.Head.GetVer(), maxNumber))
	cv.skipTo(w.Mine.GetFrom(), out)
	c.withdrawn(cv, w.Mine, b) // what was not is settled
	if p := w.Page; p != nil {
		cv.page(p.From, p.To, attach(messagesOf(w.Conv, p.Messages), p.Extras), out)
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

// restart drops what is known of a conversation of which the server has less than it
// once told, under the same epoch: its data was put back. Everything is delivered anew.
func (c *Client) restart(addr string, b *batch) *convo {
	c.log.Warn("the server has less of a conversation than it told: it is fetched again", "conv", addr)
	cv := newConvo(addr)
	cv.rebuilt = true
	c.convs[addr] = cv
	b.keep(cv)
	c.void(addr, b)
	b.event(Event{Kind: EventReset, Conv: addr})
	return cv
}

// forget drops a conversation that this user is no longer in.
func (c *Client) forget(addr string, b *batch) {
	if c.convs[addr] != nil {
		delete(c.convs, addr)
		b.drop(addr)
	}
	c.void(addr, b)
	c.todo.drop(addr)
	b.event(Event{Kind: EventLeft, Conv: addr})
}
