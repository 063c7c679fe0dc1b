package im

// ConvKind is the kind of a conversation.
type ConvKind uint8

// The kinds. Self is the user's own change log (address "me"): it has changes and
// no messages.
const (
	Direct  ConvKind = 1 + iota // two users; made by the first message
	Group                       // members, with offline delivery
	Room                        // chatroom: unbounded, no offline
	Channel                     // few write, unlimited readers
	System                      // from the app
	Self                        // "me"
)

// Flags say what becomes of a message. The numbers are RongCloud's.
type Flags uint8

// The flags. 0 is a command: numbered and delivered later too, kept 30 days, not
// shown.
const (
	Persist Flags = 1  // in the history that people see
	Count   Flags = 2  // adds to unread; implies Persist
	Status  Flags = 16 // only for who is online now: no number, no store, may repeat
)

// DefaultFlags are those of a type that is unknown here and came with no flags.
const DefaultFlags = Persist | Count

// Check refuses flags that are none or contradict each other, and returns them
// completed: Count implies Persist.
func (f Flags) Check() (Flags, error) {
	if f&^(Persist|Count|Status) != 0 {
		return 0, Errorf(Invalid, "flags %d are not known: 1 persist, 2 count, 16 status, 0 command", f)
	}
	if f&Status != 0 && f != Status {
		return 0, Errorf(Invalid, "flag 16 (status) goes with no other")
	}
	if f&Count != 0 {
		f |= Persist
	}
	return f, nil
}

// Message is one message of a conversation, as stored and as delivered. After it has
// been handed to the store it is never altered in place: an edit makes a new value.
type Message struct {
	Seq  Seq    // number in the conversation; 0 for STATUS messages
	Ver  Ver    // of its last change; 0 if never changed
	N    uint64 // count of COUNT messages up to and with this one
	NA   uint64 // count of @all messages up to and with this one
	Time int64  // server's, Unix milliseconds; never below that of the message before

	ID     ClientID // chosen by the client
	Sender UserID
	Device DeviceID // of the sender; empty from the server API
	Type   string   // object name: an:text, app:card
	Flags  Flags
	Body   []byte // opaque, at most MaxBody; JSON for every built-in type

	Digest   string // one line that stands for it where its type cannot be shown; may be empty
	Mentions *Mentions
	ReplyTo  Seq      // number of the message it answers; 0 = none
	Thread   Seq      // number of the thread's first message; 0 = none
	Expires  int64    // Unix milliseconds; 0 = never
	Push     string   // text for push; empty = by type
	To       []UserID // only for these members (and the sender); nil = all
	Recalled bool     // body, digest and mentions are gone
	RecallBy UserID   // who recalled it
	Silent   bool     // recalled without a trace: clients show nothing in its place
	Edited   int64    // time of the last edit, Unix milliseconds; 0 = never
	Deleted  bool     // deleted for all: nobody is shown it, its body stands in a former until the log is swept
	Burn     uint32   // direct: seconds it is kept once the peer has read it; 0 = it does not burn

	Reactions []Reaction // in the order in which each key first came; at most MaxReactions
	Expansion []Pair     // keys added after it was sent, by key; at most MaxExpansion
	Pin       *Pin       // nil = not pinned
	Origin    *Origin    // nil = not forwarded
}

// Mentions says whom a message names. At most MaxMentions users.
type Mentions struct {
	All   bool
	Users []UserID // those of Roles too: who had the role when the message was sent
	Roles []Role   // for people to read
}

// Shown says whether the message belongs to the history that people see.
func (m *Message) Shown() bool { return m.Flags&Persist != 0 }

// VisibleTo says whether u may see the message, as far as its To list says.
func (m *Message) VisibleTo(u UserID) bool {
	if m.To == nil || m.Sender == u {
		return true
	}
	for _, t := range m.To {
		if t == u {
			return true
		}
	}
	return false
}

// Size is what the message weighs in queues, pages and batches, in bytes: about what
// it takes on the wire.
func (m *Message) Size() int {
	n := 64 + len(m.ID) + len(m.Sender) + len(m.Device) + len(m.Type) + len(m.Body) + len(m.Digest) + len(m.Push)
	if m.Mentions != nil {
		n += sizeUsers(m.Mentions.Users)
	}
	for i := range m.Reactions {
		n += 8 + len(m.Reactions[i].Key)
	}
	for i := range m.Expansion {
		n += 8 + len(m.Expansion[i].Key) + len(m.Expansion[i].Value)
	}
	return n + sizeUsers(m.To)
}

func sizeUsers(users []UserID) int {
	n := 0
	for _, u := range users {
		n += 4 + len(u)
	}
	return n
}

// ChangeKind says what a change did.
type ChangeKind uint8

// The kinds of change. BlockAdded, BlockRemoved and Noted stand in the log of "me".
const (
	Edit ChangeKind = 1 + iota
	Recall
	BlockAdded
	BlockRemoved
	React   // reactions came or went: Added, Removed
	Expand  // keys of the expansion came or went
	Pinned  // or taken down: Message.Pin says which
	Delete  // for all; the message is nil to everybody
	Restore // what was deleted is there again
	Burn    // the peer has read it: Message.Expires says until when it is there
	Noted   // a note of the user's (draft, setting, profile ...): Key, and Value as it is now
)

// Change is one entry of a conversation's change log.
type Change struct {
	Ver    Ver
	Seq    Seq // of the message it altered; 0 in the log of "me"
	Kind   ChangeKind
	By     UserID
	Device DeviceID // of By; so that it knows its own change
	ID     ClientID
	Time   int64  // server's, Unix milliseconds
	Peer   UserID // BlockAdded, BlockRemoved

	Added, Removed []string // React: the keys that By added or took away
	Key            string   // Noted
	Value          []byte   // Noted: the note as it is now; nil = gone. Filled by readers, not stored with the change

	Msg *Message // the message as it is now; nil in the log of "me". Filled by readers, not stored with the change
}

// Role of a member. The greater may do what the lesser may.
type Role uint8

// The roles. NoRole is who has left or never was in.
const (
	NoRole Role = iota
	Member
	Admin
	Owner
)

var roleNames = [...]string{"", "member", "admin", "owner"}

func (r Role) String() string {
	if int(r) < len(roleNames) {
		return roleNames[r]
	}
	return "?"
}

// ParseRole reads a role's name.
func ParseRole(s string) (Role, error) {
	for i, n := range roleNames {
		if i > 0 && n == s {
			return Role(i), nil
		}
	}
	return 0, Errorf(Invalid, "the role %q is none of owner, admin, member", clip(s))
}

// JoinMode says who may enter a group.
type JoinMode uint8

// The modes.
const (
	JoinInvite JoinMode = iota // owner and admins add
	JoinOpen                   // anyone may join
)

// HistoryMode says from where on a newcomer sees a group.
type HistoryMode uint8

// The modes.
const (
	HistoryJoined HistoryMode = iota // from the message that says he came
	HistoryAll                       // from the first message
)

// GroupInfo is what a group is called and how it behaves.
type GroupInfo struct {
	ID      GroupID
	Name    string // at most MaxDisplayName bytes
	Join    JoinMode
	History HistoryMode
	Mute    bool // only owner and admins may send
}
