package rpc

import (
	"github.com/anser-im/anser/internal/core"
	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/wire"
)

// Event is what core tells, in a conversation as this user says it.
func Event(addr im.Address, e *core.Event) *wire.Event {
	w := &wire.Event{Conv: string(addr), Seq: uint64(e.Seq), Ver: uint64(e.Ver), Hidden: e.Hidden, Sync: e.Sync}
	if e.Msg != nil {
		w.Message = Message(e.Msg)
	}
	if e.Change != nil {
		w.Change = wireChange(e.Change)
	}
	if e.State != nil {
		w.State = wireState(e.State)
	}
	return w
}

// Message is a message of the wire.
func Message(m *im.Message) *wire.Message {
	w := &wire.Message{}
	Fill(w, m)
	return w
}

// Fill makes w say what m says; w is empty. A message without parts (mentions,
// reactions ...) costs no allocation.
func Fill(w *wire.Message, m *im.Message) {
	w.Seq, w.Ver, w.N, w.Na, w.Time = uint64(m.Seq), uint64(m.Ver), m.N, m.NA, m.Time
	w.Id, w.Sender, w.Device, w.Type, w.Flags = string(m.ID), string(m.Sender), string(m.Device), m.Type, uint32(m.Flags)
	w.Body, w.Digest, w.Push, w.To = m.Body, m.Digest, m.Push, listOf[string](m.To)
	w.ReplyTo, w.Thread, w.Expires, w.BurnS = uint64(m.ReplyTo), uint64(m.Thread), m.Expires, m.Burn
	w.Recalled, w.RecalledBy, w.Silent, w.Edited = m.Recalled, string(m.RecallBy), m.Silent, m.Edited
	w.Mentions = wireMentions(m.Mentions)
	for _, r := range m.Reactions {
		w.Reactions = append(w.Reactions, &wire.Reaction{Key: r.Key, Count: size(r.Count)})
	}
	for _, p := range m.Expansion {
		w.Expansion = append(w.Expansion, &wire.Pair{Key: p.Key, Value: p.Value})
	}
	if p := m.Pin; p != nil {
		w.Pin = &wire.Pin{By: string(p.By), Time: p.Time}
	}
	if o := m.Origin; o != nil {
		w.Origin = &wire.Origin{Sender: string(o.Sender), Time: o.Time, Type: o.Type}
	}
}

func wireMentions(m *im.Mentions) *wire.Mentions {
	if m == nil {
		return nil
	}
	w := &wire.Mentions{All: m.All, Users: listOf[string](m.Users)}
	for _, r := range m.Roles {
		w.Roles = append(w.Roles, r.String())
	}
	return w
}

// messageOrNone is a message that may not be there.
func messageOrNone(m *im.Message) *wire.Message {
	if m == nil {
		return nil
	}
	return Message(m)
}

func wireMessages(list []*im.Message) []*wire.Message {
	if len(list) == 0 {
		return nil
	}
	w := make([]*wire.Message, len(list))
	for i, m := range list {
		w[i] = Message(m)
	}
	return w
}

func wireChange(c *im.Change) *wire.Change {
	w := &wire.Change{Ver: uint64(c.Ver), Seq: uint64(c.Seq), Kind: changeKinds[c.Kind], By: string(c.By),
		Device: string(c.Device), Id: string(c.ID), Time: c.Time, Peer: string(c.Peer),
		Added: c.Added, Removed: c.Removed, Key: c.Key, Value: c.Value}
	if c.Msg != nil && c.Kind != im.Delete { // what is deleted for all, nobody is shown
		w.Message = Message(c.Msg)
	}
	return w
}

func wireRange(r core.Range) *wire.Range {
	return &wire.Range{From: uint64(r.From), To: uint64(r.To), Messages: wireMessages(r.Messages)}
}

func wireExtras(list []core.Extra) []*wire.Extra {
	var w []*wire.Extra
	for i := range list {
		w = append(w, wireExtra(&list[i].Tally, list[i].Mine))
	}
	return w
}

func wireExtra(t *im.Tally, mine []string) *wire.Extra {
	return &wire.Extra{Seq: uint64(t.Seq), Replies: size(t.Replies), Thread: size(t.Thread),
		ThreadLast: uint64(t.ThreadLast), ThreadTime: t.ThreadTime, Mine: mine}
}

func wireThread(t *core.Thread) *wire.Thread {
	return &wire.Thread{Extra: wireExtra(&t.Tally, nil), Root: messageOrNone(t.Root), Last: messageOrNone(t.Last),
		Read: uint64(t.Read), Unread: size(t.Unread), Following: t.Following, Level: t.Level.String()}
}
