package client

import (
	"github.com/anser-im/anser/wire"
)

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
