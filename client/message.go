package client

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/anser-im/anser/wire"
)

// Message is one message of a conversation, as it is now. It belongs to whoever was
// given it.
type Message struct {
	Conv   string // address of the conversation: u/bob, g/<id>
	Seq    uint64 // number in the conversation, from 1; 0 for a STATUS message
	Ver    uint64 // of its last change; 0 = never changed. What has a lower one is older
	N      uint64 // count of counted messages up to and with this one
	NA     uint64 // count of counted @all messages up to and with this one
	Time   time.Time
	ID     string // client id, given by the sender
	Sender string
	Device string // of the sender; empty from the server API
	Type   string // object name: an:text, app:card
	Flags  uint32 // wire.FlagPersist, FlagCount, FlagStatus; 0 = a command, which is not shown
	Body   []byte // as sent; JSON for every type of ours

	Digest      string   // a line that stands for it where the type cannot be shown; may be empty
	Mentions    []string // users it names
	MentionsAll bool
	ReplyTo     uint64 // number of the message it answers; 0 = none
	Thread      uint64 // number of the thread's first message; 0 = none
	Expires     time.Time
	Push        string
	To          []string // only for these members; nil = all
	Recalled    bool     // its body is gone
	RecalledBy  string
	Silent      bool      // recalled without a trace: show nothing in its place
	Edited      time.Time // zero = never

	Burn      time.Duration     // it is kept so long once the peer has read it; then Expires says until when; 0 = it does not burn
	Reactions []Reaction        // in the order in which each key first came; votes of a poll are among them
	Expansion map[string]string // keys added after it was sent; nil = none
	Pin       *Pin              // nil = not pinned
	Origin    *Origin           // nil = not forwarded
	Extra     *Extra            // what was answered to it; nil = nothing, or not told here

	mineVer uint64 // as of which change Extra.Mine is; 0 = of none that is known

	Local *Local // nil unless Options.Keep is set and the application has something of its own on it
}

// Reaction is how many users have put one sign on a message. A key that begins with
// "vote:" counts the votes for an option of a poll.
type Reaction struct {
	Key   string // an emoji or a word
	Count int
}

// VotePrefix begins the keys of reactions that are votes: behind it stands the option's id.
const VotePrefix = "vote:"

// Pin says who pinned a message, and when.
type Pin struct {
	By   string
	Time time.Time
}

// Origin says where a forwarded message comes from. It is what the forwarder's server
// knew, and gives no right.
type Origin struct {
	Sender string
	Time   time.Time
	Type   string
}

// Extra is what a page tells of a message besides, as of when it was read: it is counted
// apart, and the message's Ver does not move with it.
type Extra struct {
	Replies    int       // messages that answer it
	Thread     int       // messages in the thread that it began
	ThreadLast uint64    // the newest of them; 0 = none
	ThreadTime time.Time // of that one
	Mine       []string  // keys of this user's own reactions
}

// Shown says whether the message belongs to the history that people see. Commands and
// STATUS messages do not.
func (m *Message) Shown() bool { return m.Flags&wire.FlagPersist != 0 }

// Text is what a person can read of the message: the text of an an:text, else the
// digest, else the type in brackets; empty when it was recalled.
func (m *Message) Text() string {
	if m.Recalled {
		return ""
	}
	if m.Type == TypeText {
		var t struct {
			Content *string `json:"content"`
		}
		if json.Unmarshal(m.Body, &t) == nil && t.Content != nil {
			return *t.Content
		}
	}
	if m.Digest != "" {
		return m.Digest
	}
	if v, ok := m.Value().(digester); ok {
		if d := v.digest("en"); d != "" {
			return d
		}
	}
	return "[" + m.Type + "]"
}

// messageOf copies a message off the wire: what it is decoded from may be reused.
func messageOf(conv string, m *wire.Message) *Message {
	out := &Message{
		Conv: conv, Seq: m.Seq, Ver: m.Ver, N: m.N, NA: m.Na, Time: timeOf(m.Time),
		ID: strings.Clone(m.Id), Sender: strings.Clone(m.Sender), Device: strings.Clone(m.Device),
		Type: strings.Clone(m.Type), Flags: m.Flags, Body: slices.Clone(m.Body),
		Digest: strings.Clone(m.Digest), ReplyTo: m.ReplyTo, Thread: m.Thread,
		Expires: timeOf(m.Expires), Push: strings.Clone(m.Push), To: cloneStrings(m.To),
		Recalled: m.Recalled, RecalledBy: strings.Clone(m.RecalledBy), Silent: m.Silent, Edited: timeOf(m.Edited),
		Burn: time.Duration(m.BurnS) * time.Second,
	}
	for _, r := range m.Reactions {
		out.Reactions = append(out.Reactions, Reaction{Key: strings.Clone(r.Key), Count: int(r.Count)})
	}
	if len(m.Expansion) > 0 {
		out.Expansion = make(map[string]string, len(m.Expansion))
		for _, p := range m.Expansion {
			out.Expansion[strings.Clone(p.Key)] = strings.Clone(p.Value)
		}
	}
	if m.Pin != nil {
		out.Pin = &Pin{By: strings.Clone(m.Pin.By), Time: timeOf(m.Pin.Time)}
	}
	if o := m.Origin; o != nil {
		out.Origin = &Origin{Sender: strings.Clone(o.Sender), Time: timeOf(o.Time), Type: strings.Clone(o.Type)}
	}
	if m.Mentions != nil {
		out.Mentions, out.MentionsAll = cloneStrings(m.Mentions.Users), m.Mentions.All
	}
	return out
}

// wire is the reverse of messageOf. What it holds points into m.
func (m *Message) wire() *wire.Message {
	w := &wire.Message{Seq: m.Seq, Ver: m.Ver, N: m.N, Na: m.NA, Time: millis(m.Time), Id: m.ID, Sender: m.Sender,
		Device: m.Device, Type: m.Type, Flags: m.Flags, Body: m.Body, Digest: m.Digest, ReplyTo: m.ReplyTo, Thread: m.Thread,
		Expires: millis(m.Expires), Push: m.Push, To: m.To, Recalled: m.Recalled, RecalledBy: m.RecalledBy, Silent: m.Silent,
		Edited: millis(m.Edited), BurnS: uint32(m.Burn / time.Second)}
	if m.MentionsAll || len(m.Mentions) > 0 {
		w.Mentions = &wire.Mentions{All: m.MentionsAll, Users: m.Mentions}
	}
	for _, r := range m.Reactions {
		w.Reactions = append(w.Reactions, &wire.Reaction{Key: r.Key, Count: uint32(r.Count)})
	}
	w.Expansion = pairsOf(m.Expansion)
	if m.Pin != nil {
		w.Pin = &wire.Pin{By: m.Pin.By, Time: millis(m.Pin.Time)}
	}
	if o := m.Origin; o != nil {
		w.Origin = &wire.Origin{Sender: o.Sender, Time: millis(o.Time), Type: o.Type}
	}
	return w
}

// pairsOf lists the keys of m with their values, by key.
func pairsOf(m map[string]string) (out []*wire.Pair) {
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, &wire.Pair{Key: k, Value: m[k]})
	}
	return out
}

func extraOf(e *wire.Extra) *Extra {
	return &Extra{Replies: int(e.Replies), Thread: int(e.Thread), ThreadLast: e.ThreadLast,
		ThreadTime: timeOf(e.ThreadTime), Mine: cloneStrings(e.Mine)}
}

// attach gives messages what was told of them besides.
func attach(messages []*Message, extras []*wire.Extra) []*Message {
	by := make(map[uint64]*wire.Extra, len(extras))
	for _, e := range extras {
		by[e.Seq] = e
	}
	for _, m := range messages {
		m.mineVer = m.Ver // whom a page tells nothing of has no reaction of ours
		if e := by[m.Seq]; e != nil {
			m.Extra = extraOf(e)
		}
	}
	return messages
}

// weigh is about what m takes in memory.
func (m *Message) weigh() int {
	return 256 + len(m.Body) + len(m.Digest) + len(m.Push) + 64*(len(m.Mentions)+len(m.To))
}

func cloneStrings(s []string) []string {
	if s == nil {
		return nil
	}
	out := make([]string, len(s))
	for i := range s {
		out[i] = strings.Clone(s[i])
	}
	return out
}

// timeOf reads Unix milliseconds; 0 is no time.
func timeOf(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// Flags say what becomes of a message: bits, as on the wire.
type Flags uint32

// The policies. To override a type's default in one send: Outgoing.Flags = new(client.Stored).
const (
	Command Flags = 0                                 // numbered, delivered later too, kept 30 days, not shown
	Stored  Flags = wire.FlagPersist                  // in the history, not counted
	Counted Flags = wire.FlagPersist | wire.FlagCount // in the history and in the unread count
	Status  Flags = wire.FlagStatus                   // only for who is online now: no number, kept nowhere
)

// Outgoing is a message to be sent.
type Outgoing struct {
	ID    string // client id, 1-64 printable ASCII bytes; empty = a new one. The same again is the same message
	Type  string // object name; empty = an:text
	Flags *Flags // nil = as registered with this package, else the type's default on the server
	Body  []byte // JSON for types of ours; any bytes for yours

	Digest       string   // one line that stands for it where its type cannot be shown; empty = the server's for the type
	Mentions     []string // users it names, at most 100
	MentionsAll  bool
	MentionRoles []string // wire.RoleOwner, RoleAdmin: everybody who has one of them
	ReplyTo      uint64
	Thread       uint64 // number of the message that began the thread
	Expires      time.Time
	Burn         time.Duration // direct: kept so long once the peer has read it, in whole seconds; 0 = it does not burn
	Push         string
	To           []string // only for these members of a group
}

// Text is a text message.
func Text(text string) Outgoing {
	b, _ := EncodeJSON(&TextBody{Content: text}) // cannot fail: a string
	return Outgoing{Type: TypeText, Body: b}
}

// options are what of m few messages have; nil if it has none of it.
func (o *Outgoing) options() *wire.SendOptions {
	opt := &wire.SendOptions{
		Digest: o.Digest, ReplyTo: o.ReplyTo, Thread: o.Thread,
		Expires: millis(o.Expires), Push: o.Push, To: o.To,
		BurnS: wholeSeconds(o.Burn),
	}
	opt.Mentions = o.mentions()
	if opt.SizeVT() == 0 {
		return nil
	}
	return opt
}

func (o *Outgoing) mentions() *wire.Mentions {
	if !o.MentionsAll && len(o.Mentions) == 0 && len(o.MentionRoles) == 0 {
		return nil
	}
	return &wire.Mentions{All: o.MentionsAll, Users: o.Mentions, Roles: o.MentionRoles}
}

// wholeSeconds rounds up: what is to be kept for half a second is not kept for none.
func wholeSeconds(d time.Duration) uint32 {
	return uint32((max(0, d) + time.Second - 1) / time.Second)
}

// flags are those to be sent; nil = the type's default on the server.
func (o *Outgoing) flags() *uint32 {
	f := o.Flags
	if f == nil {
		if r := registered(o.Type); r != nil && !r.builtIn {
			f = &r.flags
		}
	}
	if f == nil {
		return nil
	}
	return new(uint32(*f))
}

// frame is the SEND that carries the message.
func (o *Outgoing) frame(conv string) *wire.Send {
	return &wire.Send{Id: o.ID, Conv: conv, Type: o.Type, Flags: o.flags(), Body: o.Body, Options: o.options()}
}

// request is the same for verbs that take a send.
func (o *Outgoing) request(conv string) *wire.SendRequest {
	return &wire.SendRequest{Id: o.ID, Conv: conv, Type: o.Type, Flags: o.flags(), Body: o.Body, Options: o.options()}
}
