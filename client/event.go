package client

import (
	"strings"
	"time"

	"github.com/anser-im/anser/wire"
)

// EventKind says what an Event tells and which of its fields are set.
type EventKind int

// The kinds.
const (
	// EventMessage: Message is the next message of Conv. Numbers come ascending in
	// each conversation and each once; those that are missing are settled: withdrawn,
	// not for this user, or sent by this device (EventSent told them). A message with
	// flags 0 is a command and is not shown.
	EventMessage EventKind = 1 + iota

	// EventStatus: Message has no number and is kept nowhere.
	EventStatus

	// EventChange: Change altered a message that was delivered before.
	EventChange

	// EventSent: Sent is a message of this device that the server has accepted, in this
	// run of the program or an earlier one.
	EventSent

	// EventFailed: the message Sent.ID of this device to Conv was given up for Err.
	EventFailed

	// EventConversation: Conversation is what the server says of Conv on coming back
	// after an absence, or when it is new here.
	EventConversation

	// EventInfo: Info holds what moved in Conv: unread counts, read marks, roles.
	EventInfo

	// EventReset: what was delivered of Conv is void: forget it and fetch with History
	// what is to be shown. If the server lost or restored data of Conv, what it has now is
	// delivered anew as well. An empty Conv means that it did so with all conversations.
	EventReset

	// EventLeft: this user is no longer in Conv; remove it and its history.
	EventLeft

	// EventSelf: Change tells of this user's own account: a block or its end.
	EventSelf

	// EventSynced: everything that had been missed while away has been delivered.
	EventSynced
)

var eventNames = [...]string{"none", "message", "status", "change", "sent", "failed",
	"conversation", "info", "reset", "left", "self", "synced"}

func (k EventKind) String() string {
	if k < 0 || int(k) >= len(eventNames) {
		return "unknown"
	}
	return eventNames[k]
}

// Event is one thing that happened. Fields that do not belong to its kind are zero.
type Event struct {
	Kind         EventKind
	Conv         string
	Message      *Message
	Change       *Change
	Sent         *Sent
	Err          error
	Conversation *Conversation
	Info         *Info
}

// Change is an edit or recall of a message, or a change of this user's account.
type Change struct {
	Ver     uint64 // number in the conversation's change log
	Seq     uint64 // of the message it altered
	Kind    string // wire.ChangeEdit ...
	By      string
	Device  string
	ID      string // client id of the change
	Time    time.Time
	Peer    string   // of a block
	Message *Message // as it is now; ignore it if the one you hold has no lower Ver
}

func changeOf(conv string, c *wire.Change) *Change {
	out := &Change{
		Ver: c.Ver, Seq: c.Seq, Kind: strings.Clone(c.Kind), By: strings.Clone(c.By),
		Device: strings.Clone(c.Device), ID: strings.Clone(c.Id), Time: timeOf(c.Time), Peer: strings.Clone(c.Peer),
	}
	if c.Message != nil {
		out.Message = messageOf(conv, c.Message)
	}
	return out
}

// Info is what of a conversation is no message. A part that is nil did not move.
type Info struct {
	Head    *Head
	Mine    *Mine
	Peer    *Peer
	Readers []Reader
}

// Head is how far a conversation has got.
type Head struct {
	Seq       uint64
	Ver       uint64
	N         uint64
	NA        uint64
	Time      time.Time
	LastShown uint64 // number of the newest message that people see
	Min       uint64 // first number still kept
	Members   int
}

// Mine is what this user's own row of a conversation says.
type Mine struct {
	From      uint64 // the first number this user may see
	Read      uint64
	Unread    uint64
	UnreadAll uint64 // unread messages to all
	Mentions  uint64 // unread messages that name this user
	Role      string // wire.RoleOwner ...; empty = not in it
	Left      bool
	Blocked   bool // direct: this user blocked the peer
}

// Peer is what the other one of a direct conversation has.
type Peer struct {
	Read      uint64
	Delivered uint64
}

// Reader is the read mark of a member of a small group.
type Reader struct {
	User string
	Read uint64
}

// Group is what a group is called and how it behaves.
type Group struct {
	ID      string
	Name    string
	Join    string // wire.JoinOpen, wire.JoinInvite
	History string // wire.HistoryJoined, wire.HistoryAll
	Members int
	Owner   string
}

// Conversation is one conversation as the server sees it. Parts that it has not are
// nil.
type Conversation struct {
	Conv  string
	Head  Head
	Mine  Mine
	Peer  *Peer    // direct
	Group *Group   // group
	Last  *Message // the newest message that people see, if it came along
}

func headOf(h *wire.Head) *Head {
	if h == nil {
		return nil
	}
	return &Head{Seq: h.Seq, Ver: h.Ver, N: h.N, NA: h.Na, Time: timeOf(h.Time),
		LastShown: h.LastShown, Min: h.Min, Members: int(h.Members)}
}

func mineOf(m *wire.Mine) *Mine {
	if m == nil {
		return nil
	}
	return &Mine{From: m.From, Read: m.Read, Unread: m.Unread, UnreadAll: m.UnreadAll,
		Mentions: m.Mentions, Role: strings.Clone(m.Role), Left: m.Left, Blocked: m.Blocked}
}

func peerOf(p *wire.Peer) *Peer {
	if p == nil {
		return nil
	}
	return &Peer{Read: p.Read, Delivered: p.Delivered}
}

func groupOf(g *wire.Group) *Group {
	if g == nil {
		return nil
	}
	return &Group{ID: strings.Clone(g.Id), Name: strings.Clone(g.Name), Join: strings.Clone(g.Join),
		History: strings.Clone(g.History), Members: int(g.Members), Owner: strings.Clone(g.Owner)}
}

func infoOf(s *wire.State) *Info {
	i := &Info{Head: headOf(s.Head), Mine: mineOf(s.Mine), Peer: peerOf(s.Peer)}
	for _, r := range s.Readers {
		i.Readers = append(i.Readers, Reader{User: strings.Clone(r.User), Read: r.Read})
	}
	return i
}

func conversationOf(c *wire.Conversation) *Conversation {
	out := &Conversation{Conv: strings.Clone(c.Conv), Peer: peerOf(c.Peer), Group: groupOf(c.Group)}
	if h := headOf(c.Head); h != nil {
		out.Head = *h
	}
	if m := mineOf(c.Mine); m != nil {
		out.Mine = *m
	}
	if c.Page != nil {
		for _, m := range c.Page.Messages {
			if m.Flags&wire.FlagPersist != 0 {
				out.Last = messageOf(out.Conv, m) // ascending: the last one stays
			}
		}
	}
	return out
}
