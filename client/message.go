package client

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/anser-im/anser/wire"
)

// Types of message that every Anser client knows.
const (
	TypeText  = "an:text"  // JSON: {"content": "..."}
	TypeGroup = "an:group" // JSON of a GroupEvent: what happened to the group; made by the server
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
	Edited      time.Time // zero = never
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
		Recalled: m.Recalled, RecalledBy: strings.Clone(m.RecalledBy), Edited: timeOf(m.Edited),
	}
	if m.Mentions != nil {
		out.Mentions, out.MentionsAll = cloneStrings(m.Mentions.Users), m.Mentions.All
	}
	return out
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

// Outgoing is a message to be sent.
type Outgoing struct {
	ID    string  // client id, 1-64 printable ASCII bytes; empty = a new one. The same again is the same message
	Type  string  // object name; empty = an:text
	Flags *uint32 // see Flags; nil = the type's default, which for most is kept and counted
	Body  []byte  // JSON for types of ours; any bytes for yours

	Digest      string
	Mentions    []string
	MentionsAll bool
	ReplyTo     uint64
	Thread      uint64
	Expires     time.Time
	Push        string
	To          []string // only for these members of a group
}

// Text is a text message.
func Text(text string) Outgoing {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.Encode(struct { // cannot fail: a string
		Content string `json:"content"`
	}{text})
	return Outgoing{Type: TypeText, Body: []byte(strings.TrimSuffix(b.String(), "\n"))}
}

// Flags is for Outgoing.Flags: wire.FlagPersist, FlagCount, FlagStatus, or 0 for a
// command.
func Flags(f uint32) *uint32 { return &f }

// frame is the SEND that carries the message.
func (o *Outgoing) frame(conv string) *wire.Send {
	s := &wire.Send{Id: o.ID, Conv: conv, Type: o.Type, Flags: o.Flags, Body: o.Body}
	opt := &wire.SendOptions{
		Digest: o.Digest, ReplyTo: o.ReplyTo, Thread: o.Thread,
		Expires: millis(o.Expires), Push: o.Push, To: o.To,
	}
	if o.MentionsAll || len(o.Mentions) > 0 {
		opt.Mentions = &wire.Mentions{All: o.MentionsAll, Users: o.Mentions}
	}
	if opt.SizeVT() > 0 {
		s.Options = opt
	}
	return s
}
