package rpc

import (
	"github.com/anser-im/anser/internal/core"
	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/wire"
)

func wireState(s *im.State) *wire.State {
	w := &wire.State{Head: wireHead(s.Head), Mine: wireMine(s.Mine), Peer: wirePeer(s.Peer)}
	for _, r := range s.Readers {
		w.Readers = append(w.Readers, &wire.Reader{User: string(r.User), Read: uint64(r.Read)})
	}
	return w
}

func wireHead(h *im.Head) *wire.Head {
	if h == nil {
		return nil
	}
	return &wire.Head{Seq: uint64(h.Seq), Ver: uint64(h.Ver), Mver: uint64(h.MVer), N: h.N, Na: h.NA, Time: h.Time,
		LastShown: uint64(h.LastShown), Min: uint64(h.Min), Members: size(h.Members)}
}

func wireMine(m *im.Mine) *wire.Mine {
	if m == nil {
		return nil
	}
	w := &wire.Mine{From: uint64(m.From), Read: uint64(m.Read), Unread: m.Unread, UnreadAll: m.UnreadAll,
		Mentions: uint64(max(m.Mentions, 0)), Role: m.Role.String(), Left: m.Left, Mver: uint64(m.MVer), Blocked: m.Blocked,
		Settings: wireSettings(&m.Settings), Nick: m.Nick, MutedUntil: m.MutedUntil}
	for _, g := range m.Gone {
		w.Gone = append(w.Gone, &wire.SeqRange{From: uint64(g.From), To: uint64(g.To)})
	}
	return w
}

// wireSettings is nil where nothing is set.
func wireSettings(s *im.Settings) *wire.Settings {
	if s.Empty() {
		return nil
	}
	return &wire.Settings{Pinned: s.Pinned, Level: s.Level.String(), Hidden: uint64(s.Hidden),
		Archived: s.Archived, Marked: s.Marked, Tags: s.Tags, Remark: s.Remark}
}

func wirePeer(p *im.Peer) *wire.Peer {
	if p == nil {
		return nil
	}
	return &wire.Peer{Read: uint64(p.Read), Delivered: uint64(p.Delivered)}
}

func wireConversation(c *core.Conversation) *wire.Conversation {
	return &wire.Conversation{Conv: string(c.Addr), Head: wireHead(&c.Head), Mine: wireMine(&c.Mine), Peer: wirePeer(c.Peer),
		Group: wireGroup(c.Group), Page: wireRange(c.Page), Digest: c.Digest, Level: c.Level.String()}
}

func wireConversations(list []core.Conversation) []*wire.Conversation {
	var w []*wire.Conversation
	for i := range list {
		w = append(w, wireConversation(&list[i]))
	}
	return w
}

func wireGroup(g *core.Group) *wire.Group {
	if g == nil {
		return nil
	}
	return &wire.Group{Id: string(g.ID), Name: g.Name, Join: joinNames[g.Join], History: historyNames[g.History],
		Members: size(g.Members), Owner: string(g.Owner), Mute: g.Mute}
}
