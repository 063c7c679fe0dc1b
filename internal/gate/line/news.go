package line

import (
	"context"
	"fmt"
	"strings"

	"github.com/anser-im/anser/internal/core"
	"github.com/anser-im/anser/internal/im"
)

// news shows what comes, until ctx ends or the link does.
func (c *conn) news(ctx context.Context) {
	var items []core.Item
	for {
		var first uint64
		items, first = c.sess.Take(items[:0], 100, 32<<10)
		if len(items) == 0 {
			select {
			case <-c.wake:
				continue
			case <-ctx.Done():
				return
			}
		}
		var lines []string
		heads := map[im.Address]im.Seq{} // of groups whose messages have to be fetched
		missed := false
		for _, it := range items {
			switch {
			case it.Sync:
				missed = true
			case it.State != nil && it.State.Head != nil && it.State.Mine == nil && it.State.Head.Seq > c.given[it.Addr]:
				heads[it.Addr] = it.State.Head.Seq
			default:
				if l := c.show(it); l != "" {
					lines = append(lines, l)
				}
			}
		}
		if !c.write(lines...) {
			return
		}
		c.shown(items, first)
		if missed {
			c.catchUp(ctx)
		}
		for addr, head := range heads {
			c.fetch(ctx, addr, head)
		}
		clear(items)
	}
}

// fetch shows the newest of what a large or lively group told only the head of.
func (c *conn) fetch(ctx context.Context, addr im.Address, head im.Seq) {
	from := c.given[addr]
	if from == 0 { // nothing of it was shown since the login
		conv, err := c.sess.Conversation(ctx, addr)
		if err != nil {
			return // gone meanwhile
		}
		from = conv.Mine.Read
	}
	if head <= from {
		return
	}
	limit := min(c.d.cfg.MissedLines, 200)
	page, _, err := c.sess.Page(ctx, core.PageQuery{Conv: addr, From: head, To: from + 1, Backward: true, Limit: limit})
	if err != nil {
		c.write("* something was missed: see HISTORY " + string(addr))
		return
	}
	m := core.Missed{}
	if page.From > from+1 {
		m.More = int(page.From - from - 1)
	}
	for _, msg := range page.Messages {
		m.Messages = append(m.Messages, core.Item{Addr: addr, Event: &core.Event{Seq: msg.Seq, Msg: msg}})
	}
	c.showMissed(m)
}

// shown acknowledges what was written, or notes it until READ does. Signals have no
// push number.
func (c *conn) shown(items []core.Item, first uint64) {
	c.amu.Lock()
	defer c.amu.Unlock()
	for _, it := range items {
		if it.Signal != nil {
			continue
		}
		a := awaited{push: first}
		first++
		if c.ackOn && it.Msg != nil && it.Msg.Shown() {
			a.addr, a.seq = it.Addr, it.Seq
		}
		c.unacked = append(c.unacked, a) // never more than the session's window
	}
	c.settle()
}

// settle acknowledges the pushes before the first that waits for READ. c.amu is held.
func (c *conn) settle() {
	i := 0
	for i < len(c.unacked) && c.unacked[i].seq == 0 {
		i++
	}
	if i > 0 {
		c.sess.Ack(c.unacked[i-1].push, nil)
		c.unacked = c.unacked[i:]
	}
}

// taken notes that READ, or ACK OFF (conv "", all of it), took messages up to seq.
func (c *conn) taken(conv im.Address, seq im.Seq) {
	c.amu.Lock()
	defer c.amu.Unlock()
	for i := range c.unacked {
		if a := &c.unacked[i]; conv == "" || a.addr == conv && a.seq <= seq {
			a.seq = 0
		}
	}
	c.settle()
	if conv != "" && c.ackOn {
		c.sess.Ack(0, []core.Pulled{{Conv: conv, Seq: seq}})
	}
}

// welcome says who this is and what waits, then shows what was missed.
func (c *conn) welcome(ctx context.Context) error {
	m, err := c.sess.Missed(ctx, c.d.cfg.MissedLines)
	if err != nil {
		return err
	}
	var total uint64
	var each []string
	for _, u := range m.Unread {
		total += u.Mine.Unread
		each = append(each, fmt.Sprintf("%s %d", u.Addr, u.Mine.Unread))
	}
	text := fmt.Sprintf("+OK %s/%s, %d unread", c.sess.User(), c.sess.Device(), total)
	if len(each) > 20 {
		each = append(each[:20], fmt.Sprintf("and %d more conversations", len(each)-20))
	}
	if len(each) > 0 {
		text += ": " + strings.Join(each, ", ")
	}
	c.write(text)
	return c.showMissed(m)
}

// catchUp shows what was missed because more came than could be queued.
func (c *conn) catchUp(ctx context.Context) {
	m, err := c.sess.Missed(ctx, c.d.cfg.MissedLines)
	if err == nil {
		err = c.showMissed(m)
	}
	if err != nil {
		c.write("* something was missed: see HISTORY")
	}
}

func (c *conn) showMissed(m core.Missed) error {
	var lines []string
	if m.More > 0 {
		lines = append(lines, fmt.Sprintf("* %d older messages are in HISTORY", m.More))
	}
	upTo := map[im.Address]im.Seq{}
	for _, it := range m.Messages {
		if l := c.show(it); l != "" {
			lines = append(lines, l)
		}
		upTo[it.Addr] = max(upTo[it.Addr], it.Seq)
	}
	if !c.write(lines...) {
		return nil
	}
	c.amu.Lock()
	defer c.amu.Unlock()
	if c.ackOn {
		return nil
	}
	pulled := make([]core.Pulled, 0, len(upTo))
	for addr, seq := range upTo {
		pulled = append(pulled, core.Pulled{Conv: addr, Seq: seq})
	}
	if len(pulled) > 0 {
		c.sess.Ack(0, pulled)
	}
	return nil
}

// show is the line for an event; "" for what was shown already.
func (c *conn) show(it core.Item) string {
	if it.Msg != nil && it.Seq != 0 {
		if it.Seq <= c.given[it.Addr] {
			return ""
		}
		c.given[it.Addr] = it.Seq
	}
	return describe(c.sess.User(), it, c.sess.Digest)
}

// describe is the line for an event; "" for what a line cannot tell or need not.
func describe(me im.UserID, it core.Item, of func(*im.Message) string) string {
	switch {
	case it.Msg != nil && (it.Msg.Shown() || it.Msg.Flags&im.Status != 0):
		return fmt.Sprintf("<%s> %s", who(it.Addr, it.Msg.Sender, me), digest(it.Msg, of))
	case it.Change != nil && it.Change.Msg != nil && it.Change.Msg.Shown():
		switch it.Change.Kind {
		case im.Recall:
			return fmt.Sprintf("* %s#%d was recalled by %s", it.Addr, it.Change.Seq, it.Change.By)
		case im.Edit:
			return fmt.Sprintf("* %s#%d now says: %s", it.Addr, it.Change.Seq, digest(it.Change.Msg, of))
		}
	case it.State != nil && it.State.Mine != nil && it.State.Mine.Left:
		return fmt.Sprintf("* you are no longer in %s", it.Addr)
	}
	return ""
}

// who names a sender: bob in the conversation with bob, g/devs/carol in a group. What
// one sent from another device shows where it went.
func who(addr im.Address, sender, me im.UserID) string {
	if peer, ok := strings.CutPrefix(string(addr), "u/"); ok {
		if sender == me && peer != string(me) {
			return string(me) + " to " + peer
		}
		return string(sender)
	}
	return string(addr) + "/" + string(sender)
}
