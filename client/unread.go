package client

import (
	"slices"

	"github.com/anser-im/anser/wire"
)

// tally is how much of a conversation this user has not read. The server tells absolute
// values as of a number; what comes above it is counted here, so that the application
// always has absolute values and the server need not tell each message twice. What cannot
// be counted here (a recall of something that may have been read elsewhere) is asked for.
type tally struct {
	mine  Mine
	upTo  uint64 // messages up to this number are in mine
	known bool
	moved bool // since the application was told

	doubts, asked int // how often it was in doubt; how often when the server was asked last
}

// tells takes what the server says of the user's row, as of the head seq. False says that
// more has been counted than it knew of.
func (t *tally) tells(m *Mine, seq uint64) bool {
	if t.known && seq < t.upTo && m.Read < t.upTo {
		return false
	}
	t.mine, t.upTo, t.known, t.moved = *m, max(seq, m.Read), true, false
	return true
}

// count takes the next message.
func (t *tally) count(m *Message, user string) {
	if !t.known || m.Seq <= t.upTo {
		return
	}
	t.upTo = m.Seq
	switch {
	case m.Sender == user && m.Device != "": // a device of his sent it: he has read up to it
		t.reads(m.Seq)
		return
	case m.Sender == user || m.Flags&wire.FlagCount == 0 || m.Recalled:
		return
	}
	t.mine.Unread++
	if len(m.To) == 0 && m.MentionsAll {
		t.mine.UnreadAll++
	}
	if slices.Contains(m.Mentions, user) {
		t.mine.Mentions = min(t.mine.Mentions+1, 100)
	}
	t.moved = true
}

// reads takes that this user has read up to seq, which is the newest that he was given.
func (t *tally) reads(seq uint64) {
	if !t.known || seq <= t.mine.Read {
		return
	}
	t.moved = t.moved || t.mine.Unread+t.mine.UnreadAll+t.mine.Mentions > 0 || t.mine.Settings.Marked
	t.upTo = max(t.upTo, seq)
	t.mine.Read, t.mine.Unread, t.mine.UnreadAll, t.mine.Mentions, t.mine.Settings.Marked = seq, 0, 0, 0, false
}

// doubt says that a message above the read mark has changed in a way that moves what is
// unread: the server is asked.
func (cv *convo) doubt(seq uint64) bool {
	if cv.addr == "me" || cv.unread.known && seq <= cv.unread.mine.Read {
		return false
	}
	cv.untold = true
	cv.unread.doubts++
	return true
}

// answered takes the row that a verb of this device was answered with. It does not say as
// of which number: where something above may be missing in it, the server is asked.
func (c *Client) answered(cv *convo, m *Mine) {
	if m.Unread != 0 || m.Read < cv.head || !cv.unread.tells(m, m.Read) {
		if m.Read >= cv.unread.upTo {
			cv.unread.reads(m.Read)
		}
		cv.untold = true
		cv.unread.doubts++
		return
	}
	cv.unread.moved = true
}

// doubtful says whether a change may move what is unread.
func doubtful(ch *Change) bool {
	switch ch.Kind {
	case wire.ChangeRecall, wire.ChangeDelete, wire.ChangeRestore, wire.ChangeEdit:
		return true
	}
	return false
}

// tellUnread tells the application what the messages of this batch made of its counts,
// once for each conversation.
func (c *Client) tellUnread(b *batch) {
	for addr, cv := range b.convs {
		if cv == nil || !cv.unread.moved {
			continue
		}
		cv.unread.moved = false
		mine := cv.unread.mine
		b.event(Event{Kind: EventInfo, Conv: addr, Info: &Info{Mine: &mine}})
	}
}
