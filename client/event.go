package client

import (
	"encoding/json"
	"slices"
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

	// EventChange: Change altered a message that was delivered before: put
	// Change.Message in its place. With the kind delete there is none: take it away; with
	// restore it is there again. The changes that this device made are told by the answers
	// of their verbs; as events only where Options.Keep is set, or where one verb made many.
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

	// EventSelf: Change tells of this user's own account: a block or its end, made by
	// another device.
	EventSelf

	// EventSynced: everything that had been missed while away has been delivered.
	EventSynced

	// EventNoted: Note is what another device of this user has set: a draft, the profile,
	// what he wants to be notified of, something saved or a reminder that is due.
	EventNoted

	// EventDeleted: this user deleted the messages Ranges of Conv for himself alone, on
	// one of his devices: take them away.
	EventDeleted

	// EventExpired: the time of the messages Ranges of Conv is over: take them away. The
	// client knows it of the messages it was given in this Store, by the server's clock.
	EventExpired
)

var eventNames = [...]string{"none", "message", "status", "change", "sent", "failed",
	"conversation", "info", "reset", "left", "self", "synced", "noted", "deleted", "expired"}

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
	Note         *Note
	Ranges       []Range
}

// Range is the numbers From..To, both inclusive.
type Range struct{ From, To uint64 }

// Note is one thing that is kept for this user on the server and told to all his
// devices. Ask the verb for what it is now: Drafts, Profiles, Notify, Saved, Reminders.
type Note struct {
	Key   string // draft/<conv>, profile, notify, saved/..., reminder/<id>
	Value []byte // what it holds, as the server keeps it
	Gone  bool   // it was removed
}

// What notes are about: what their Key begins with.
const (
	NoteDraft    = "draft/" // + address
	NoteProfile  = "profile"
	NoteNotify   = "notify"
	NoteQuiet    = "quiet/" // + address
	NoteSaved    = "saved/"
	NoteReminder = "reminder/"  // + id: it is due
	NoteSchedule = "scheduled/" // + id: a scheduled send that could not be sent
)

// Draft is the draft that the note tells of; one that is gone has no body. False if it
// tells of something else.
func (n *Note) Draft() (Draft, bool) {
	conv, ok := strings.CutPrefix(n.Key, NoteDraft)
	var v struct {
		Body    []byte `json:"body"`
		ReplyTo uint64 `json:"reply_to"`
		Time    int64  `json:"time"`
	}
	if !ok || !n.Gone && json.Unmarshal(n.Value, &v) != nil {
		return Draft{}, false
	}
	return Draft{Conv: conv, Body: v.Body, ReplyTo: v.ReplyTo, Time: timeOf(v.Time)}, true
}

// Reminder is the reminder that the note tells of, with Fired set once it is due; one
// that is gone has an ID alone. False if it tells of something else.
func (n *Note) Reminder() (Reminder, bool) {
	id, ok := strings.CutPrefix(n.Key, NoteReminder)
	var v struct {
		At    int64  `json:"at"`
		Conv  string `json:"conv"`
		Seq   uint64 `json:"seq"`
		Text  string `json:"text"`
		Fired int64  `json:"fired"`
	}
	if !ok || !n.Gone && json.Unmarshal(n.Value, &v) != nil {
		return Reminder{}, false
	}
	return Reminder{ID: id, At: timeOf(v.At), Conv: v.Conv, Seq: v.Seq, Text: v.Text, Fired: timeOf(v.Fired)}, true
}

// Change is a change of a message, or of this user's account.
type Change struct {
	Ver     uint64 // number in the conversation's change log
	Seq     uint64 // of the message it altered
	Kind    string // wire.ChangeEdit, ChangeRecall, ChangeReact, ChangeExpand, ChangePin, ChangeDelete, ChangeRestore, ChangeBurn ...
	By      string
	Device  string
	ID      string // client id of the change
	Time    time.Time
	Peer    string   // of a block
	Message *Message // as it is now; ignore it if the one you hold has no lower Ver; nil with delete
	Added   []string // react: keys that By added
	Removed []string // react: keys that By took away

	note *Note // of the kind note
}

func changeOf(conv string, c *wire.Change) *Change {
	out := &Change{
		Ver: c.Ver, Seq: c.Seq, Kind: strings.Clone(c.Kind), By: strings.Clone(c.By),
		Device: strings.Clone(c.Device), ID: strings.Clone(c.Id), Time: timeOf(c.Time), Peer: strings.Clone(c.Peer),
		Added: cloneStrings(c.Added), Removed: cloneStrings(c.Removed),
	}
	if c.Message != nil {
		out.Message = messageOf(conv, c.Message)
	}
	if c.Kind == wire.ChangeNote {
		out.note = &Note{Key: strings.Clone(c.Key), Value: slices.Clone(c.Value), Gone: c.Value == nil}
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

// Mine is what this user's own row of a conversation says. All numbers are absolute:
// show them as they are.
type Mine struct {
	From      uint64 // the first number this user may see
	Read      uint64
	Unread    uint64
	UnreadAll uint64 // unread messages to all
	Mentions  uint64 // unread messages that name this user
	Role      string // wire.RoleOwner ...; empty = not in it
	Left      bool
	Blocked   bool // direct: this user blocked the peer

	Settings   Settings  // what he has set for it
	Gone       []Range   // deleted for him alone
	Nick       string    // his name in this group
	MutedUntil time.Time // he may not send before; zero = he may
}

// Settings are what this user has set for a conversation, on all his devices.
type Settings struct {
	Pinned   time.Time // since when; zero = it is not
	Level    string    // what he is notified of: wire.LevelAll ...; empty = as inherited
	Hidden   uint64    // out of the list until a message above this number comes; 0 = it is not
	Archived bool
	Marked   bool // marked unread by hand
	Tags     []string
	Remark   string // his own name for it
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
	Mute    bool // only owner and admins may send
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

	Digest string // one line for the newest message that people see, in this device's language
	Level  string // what this user is notified of, after all that is inherited
	Recent *Page  // the newest messages, if they came along
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
	out := &Mine{From: m.From, Read: m.Read, Unread: m.Unread, UnreadAll: m.UnreadAll,
		Mentions: m.Mentions, Role: strings.Clone(m.Role), Left: m.Left, Blocked: m.Blocked,
		Nick: strings.Clone(m.Nick), MutedUntil: timeOf(m.MutedUntil)}
	if s := m.Settings; s != nil {
		out.Settings = Settings{Pinned: timeOf(s.Pinned), Level: strings.Clone(s.Level), Hidden: s.Hidden, Archived: s.Archived,
			Marked: s.Marked, Tags: cloneStrings(s.Tags), Remark: strings.Clone(s.Remark)}
	}
	for _, r := range m.Gone {
		out.Gone = append(out.Gone, Range{r.From, r.To})
	}
	return out
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
		History: strings.Clone(g.History), Members: int(g.Members), Owner: strings.Clone(g.Owner), Mute: g.Mute}
}

func infoOf(s *wire.State) *Info {
	i := &Info{Head: headOf(s.Head), Mine: mineOf(s.Mine), Peer: peerOf(s.Peer)}
	for _, r := range s.Readers {
		i.Readers = append(i.Readers, Reader{User: strings.Clone(r.User), Read: r.Read})
	}
	return i
}

func conversationOf(c *wire.Conversation) *Conversation {
	out := &Conversation{Conv: strings.Clone(c.Conv), Peer: peerOf(c.Peer), Group: groupOf(c.Group),
		Digest: strings.Clone(c.Digest), Level: strings.Clone(c.Level)}
	if h := headOf(c.Head); h != nil {
		out.Head = *h
	}
	if m := mineOf(c.Mine); m != nil {
		out.Mine = *m
	}
	if c.Page != nil {
		out.Recent = &Page{From: c.Page.From, To: c.Page.To, Head: out.Head,
			Messages: attach(messagesOf(out.Conv, c.Page.Messages), c.Page.Extras)}
		for _, m := range out.Recent.Messages {
			if m.Shown() {
				out.Last = m // ascending: the last one stays
			}
		}
	}
	return out
}
