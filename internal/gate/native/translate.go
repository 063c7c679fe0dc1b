package native

import (
	"github.com/anser-im/anser/internal/core"
	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/wire"
)

// From core's nouns to those of the wire. Strings and bytes are shared, not copied.

func wireEvent(addr im.Address, e *core.Event) *wire.Event {
	w := &wire.Event{Conv: string(addr), Seq: uint64(e.Seq), Ver: uint64(e.Ver), Hidden: e.Hidden, Sync: e.Sync}
	if e.Msg != nil {
		w.Message = wireMessage(e.Msg)
	}
	if e.Change != nil {
		w.Change = wireChange(e.Change)
	}
	if e.State != nil {
		w.State = wireState(e.State)
	}
	return w
}

func wireMessage(m *im.Message) *wire.Message {
	w := &wire.Message{}
	fill(w, m)
	return w
}

// fill makes w say what m says; w is empty.
func fill(w *wire.Message, m *im.Message) {
	w.Seq, w.Ver, w.N, w.Na, w.Time = uint64(m.Seq), uint64(m.Ver), m.N, m.NA, m.Time
	w.Id, w.Sender, w.Device, w.Type, w.Flags = string(m.ID), string(m.Sender), string(m.Device), m.Type, uint32(m.Flags)
	w.Body, w.Digest, w.Push, w.To = m.Body, m.Digest, m.Push, userNames(m.To)
	w.ReplyTo, w.Thread, w.Expires = uint64(m.ReplyTo), uint64(m.Thread), m.Expires
	w.Recalled, w.RecalledBy, w.Edited = m.Recalled, string(m.RecallBy), m.Edited
	if m.Mentions != nil {
		w.Mentions = &wire.Mentions{All: m.Mentions.All, Users: userNames(m.Mentions.Users)}
	}
}

var changeKinds = map[im.ChangeKind]string{
	im.Edit:         wire.ChangeEdit,
	im.Recall:       wire.ChangeRecall,
	im.BlockAdded:   wire.ChangeBlock,
	im.BlockRemoved: wire.ChangeUnblock,
}

func wireChange(c *im.Change) *wire.Change {
	w := &wire.Change{Ver: uint64(c.Ver), Seq: uint64(c.Seq), Kind: changeKinds[c.Kind], By: string(c.By),
		Device: string(c.Device), Id: string(c.ID), Time: c.Time, Peer: string(c.Peer)}
	if c.Msg != nil {
		w.Message = wireMessage(c.Msg)
	}
	return w
}

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
		LastShown: uint64(h.LastShown), Min: uint64(h.Min), Members: uint32(max(h.Members, 0))}
}

func wireMine(m *im.Mine) *wire.Mine {
	if m == nil {
		return nil
	}
	return &wire.Mine{From: uint64(m.From), Read: uint64(m.Read), Unread: m.Unread, UnreadAll: m.UnreadAll,
		Mentions: uint64(max(m.Mentions, 0)), Role: m.Role.String(), Left: m.Left, Mver: uint64(m.MVer), Blocked: m.Blocked}
}

func wirePeer(p *im.Peer) *wire.Peer {
	if p == nil {
		return nil
	}
	return &wire.Peer{Read: uint64(p.Read), Delivered: uint64(p.Delivered)}
}

func wireConversation(c *core.Conversation) *wire.Conversation {
	return &wire.Conversation{Conv: string(c.Addr), Head: wireHead(&c.Head), Mine: wireMine(&c.Mine), Peer: wirePeer(c.Peer),
		Group: wireGroup(c.Group), Page: wireRange(c.Page)}
}

func wireGroup(g *core.Group) *wire.Group {
	if g == nil {
		return nil
	}
	return &wire.Group{Id: string(g.ID), Name: g.Name, Join: joinNames[g.Join], History: historyNames[g.History],
		Members: uint32(max(g.Members, 0)), Owner: string(g.Owner)}
}

func wireRange(r core.Range) *wire.Range {
	w := &wire.Range{From: uint64(r.From), To: uint64(r.To)}
	if len(r.Messages) > 0 {
		w.Messages = make([]*wire.Message, len(r.Messages))
		for i, m := range r.Messages {
			w.Messages[i] = wireMessage(m)
		}
	}
	return w
}

var (
	joinNames    = map[im.JoinMode]string{im.JoinInvite: wire.JoinInvite, im.JoinOpen: wire.JoinOpen}
	historyNames = map[im.HistoryMode]string{im.HistoryJoined: wire.HistoryJoined, im.HistoryAll: wire.HistoryAll}
)

// joinMode reads a mode; nil if none was given.
func joinMode(s string) (*im.JoinMode, error) {
	return modeOf(joinNames, s, "join is %q: write open or invite")
}

// historyMode reads a mode; nil if none was given.
func historyMode(s string) (*im.HistoryMode, error) {
	return modeOf(historyNames, s, "history is %q: write joined or all")
}

func modeOf[M comparable](names map[M]string, s, complain string) (*M, error) {
	if s == "" {
		return nil, nil
	}
	for m, n := range names {
		if n == s {
			return &m, nil
		}
	}
	return nil, im.Errorf(im.Invalid, complain, s[:min(len(s), 32)])
}

func userNames(ids []im.UserID) []string {
	if len(ids) == 0 {
		return nil
	}
	names := make([]string, len(ids))
	for i, u := range ids {
		names[i] = string(u)
	}
	return names
}

func addresses(list []im.Address) []string {
	if len(list) == 0 {
		return nil
	}
	out := make([]string, len(list))
	for i, a := range list {
		out[i] = string(a)
	}
	return out
}

// count is a limit as core takes it.
func count(n uint32) int { return int(min(n, 1<<20)) }
