package core

import (
	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// What a conversation is to one user: the parts of a Conversation and of a State.

// headOf is the head as everyone in the conversation is told.
func headOf(h *store.Head) im.Head {
	return im.Head{Seq: h.Seq, Ver: h.Ver, MVer: h.MVer, N: h.N, NA: h.NA, Time: h.Time,
		LastShown: h.LastShown, Min: h.Min, Members: h.Members}
}

// peerOf is how far the other user of a direct conversation has got; nil in others.
func peerOf(h *store.Head, u im.UserID) *im.Peer {
	if h.Kind != im.Direct {
		return nil
	}
	side := h.Side(h.Peer(u))
	if side == nil {
		return nil
	}
	return &im.Peer{Read: side.Read, Delivered: side.Delivered}
}

const maxMine = 100 // mentions that are counted

// mineOf is what the conversation is to row.User. It reads the store for the
// mentions, and for the block in a direct conversation.
func (c *Core) mineOf(h *store.Head, row *store.Row) (im.Mine, error) {
	if !row.In() {
		return im.Mine{Left: true, MVer: row.MVer}, nil
	}
	m := im.Mine{From: row.From, Read: row.Read, Role: row.Role, MVer: row.MVer,
		Settings: row.Settings, Gone: row.Gone, Nick: row.Nick, MutedUntil: row.MutedUntil}
	m.Unread, m.UnreadAll = h.Unread(row)
	var err error
	if row.Read < h.Seq && h.Kind != im.Self {
		seqs, err := c.st.Mentions(row.User, h.Conv, row.Read, maxMine)
		if err != nil {
			return m, err
		}
		m.Mentions = len(seqs)
		for m.Mentions > 0 && seqs[m.Mentions-1] > h.Seq { // newer than what the rest is of
			m.Mentions--
		}
	}
	if h.Kind == im.Direct {
		m.Blocked, err = c.st.Blocked(row.User, h.Peer(row.User))
	}
	return m, err
}

// visible says whether row.User may be shown m now: it is not from before his time
// (a STATUS message, without a number, never is), not for others only, not deleted for
// all or by him for himself, and has not expired.
func (c *Core) visible(m *im.Message, row *store.Row) bool {
	return (m.Seq >= row.From || m.Seq == 0) && !m.Deleted && m.VisibleTo(row.User) && !c.expired(m) && !row.Hides(m.Seq)
}

func (c *Core) expired(m *im.Message) bool {
	return m.Expires != 0 && m.Expires <= c.Now().UnixMilli()
}

// blocked says whether u blocks peer.
func (c *Core) blocked(u, peer im.UserID) (bool, error) {
	if u == peer {
		return false, nil
	}
	return c.st.Blocked(u, peer)
}

// groupOfHead is what a group is called and how it behaves.
func (c *Core) groupOfHead(h *store.Head) (*Group, error) {
	info, ok, err := c.st.Info(h.Conv)
	if err != nil || !ok {
		return nil, err
	}
	owner, err := c.ownerOf(h)
	if err != nil {
		return nil, err
	}
	return &Group{GroupInfo: info, Members: h.Members, Owner: owner}, nil
}

// conversation is a line of row.User's list, without messages and digest.
func (c *Core) conversation(h *store.Head, row *store.Row) (Conversation, error) {
	conv := Conversation{Addr: addressOf(h, row.User), Head: headOf(h), Peer: peerOf(h, row.User), Page: Range{From: 1}}
	var err error
	if conv.Mine, err = c.mineOf(h, row); err != nil {
		return conv, err
	}
	if conv.Level, err = c.levelOf(h.Kind, row); err != nil {
		return conv, err
	}
	if h.Kind == im.Group {
		conv.Group, err = c.groupOfHead(h)
	}
	return conv, err
}

// listLine is a line of the user's list, with the digest in his session's language.
func (s *Session) listLine(h *store.Head, row *store.Row) (Conversation, error) {
	conv, err := s.c.conversation(h, row)
	if err == nil {
		conv.Digest, err = s.c.digest(h, row, s.login.Locale)
	}
	return conv, err
}
