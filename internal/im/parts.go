package im

// Parts that few messages have. They stand behind pointers and slices, so that a plain
// message pays nothing for them.

// Reaction is how many users have put one sign on a message. Keys that begin with
// "vote:" are votes of a poll.
type Reaction struct {
	Key   string // 1-64 bytes: an emoji or a word
	Count int
}

// VotePrefix begins the keys of reactions that are votes: "vote:" and the option's id.
const VotePrefix = "vote:"

// Pair is one key of a message's expansion, of a group's attributes or a profile.
type Pair struct{ Key, Value string }

// Origin says where a forwarded message comes from. Conv is the address as the one who
// forwarded it said it, and only for people to read: it gives no right.
type Origin struct {
	Sender UserID
	Time   int64 // of the original, Unix milliseconds
	Type   string
}

// Pin says who pinned a message, and when.
type Pin struct {
	By   UserID
	Time int64 // Unix milliseconds
}

// Tally is what has been answered to one message, as of the newest message of its
// conversation: it is counted apart from the message, whose Ver does not move with it.
type Tally struct {
	Seq        Seq
	Replies    int   // messages that name it as ReplyTo and are still there
	Thread     int   // messages of the thread that it began
	ThreadLast Seq   // the newest of them; 0 = none
	ThreadTime int64 // of that one, Unix milliseconds
}

// Reacted is one user's reaction.
type Reacted struct {
	User UserID
	Key  string
	Time int64 // Unix milliseconds
}

// Former is what a message said before an edit.
type Former struct {
	Ver    Ver   // of the edit that replaced it
	Time   int64 // since when it had said so, Unix milliseconds; 0 = since it was sent
	Body   []byte
	Digest string
}

// SeqRange is the numbers From..To, both inclusive.
type SeqRange struct{ From, To Seq }

// Level says what of a conversation a user wants to be notified of. Unset inherits:
// thread, conversation, kind of conversation, all conversations, the app's default.
type Level uint8

// The levels. NotifyMentions is @all and mentions by name; NotifyMe only by name;
// NotifyAtAll only @all.
const (
	NotifyInherit Level = iota
	NotifyAll
	NotifyMentions
	NotifyMe
	NotifyAtAll
	NotifyNone
)

var levelNames = [...]string{"", "all", "mentions", "me", "at_all", "none"}

func (l Level) String() string {
	if int(l) < len(levelNames) {
		return levelNames[l]
	}
	return "?"
}

// ParseLevel reads a level's name; "" is NotifyInherit.
func ParseLevel(s string) (Level, error) {
	for i, n := range levelNames {
		if n == s {
			return Level(i), nil
		}
	}
	return 0, Errorf(Invalid, "the notify level %q is none of all, mentions, me, at_all, none (or empty: as inherited)", clip(s))
}

// Settings are what a user has set for one of his conversations. All his devices have
// the same.
type Settings struct {
	Pinned   int64 // when it was pinned, Unix milliseconds; 0 = it is not
	Level    Level
	Hidden   Seq  // hidden from the list until a message above this number comes; 0 = it is not
	Archived bool // in the archive until it is taken out
	Marked   bool // marked unread by hand; a read mark clears it
	Tags     []string
	Remark   string // his own name for it
}

// SettingsPatch is what is to be different; nil = as before.
type SettingsPatch struct {
	Pinned   *int64
	Level    *Level
	Hidden   *Seq
	Archived *bool
	Marked   *bool
	Tags     *[]string
	Remark   *string
}

// Apply is s with the patch in it.
func (p *SettingsPatch) Apply(s Settings) Settings {
	put(&s.Pinned, p.Pinned)
	put(&s.Level, p.Level)
	put(&s.Hidden, p.Hidden)
	put(&s.Archived, p.Archived)
	put(&s.Marked, p.Marked)
	put(&s.Tags, p.Tags)
	put(&s.Remark, p.Remark)
	return s
}

func put[T any](at *T, v *T) {
	if v != nil {
		*at = *v
	}
}

// Empty says that nothing is set.
func (s *Settings) Empty() bool {
	return s.Pinned == 0 && s.Level == 0 && s.Hidden == 0 && !s.Archived && !s.Marked && len(s.Tags) == 0 && s.Remark == ""
}

// MessageType is a registered type of message.
type MessageType struct {
	Name     string            // object name: acme:card
	Flags    Flags             // where a send gives none
	Schema   []byte            // JSON Schema (2020-12) of the body; nil = any bytes
	Digest   map[string]string // language ("en", "zh-CN") -> template of the digest
	Push     map[string]string // language -> template of the push text
	Search   []string          // JSON pointers of fields whose text is searched
	MaxBytes int               // of the body; 0 = the server's limit
	Clients  bool              // clients may send it; else only the app
	Title    map[string]string // language -> what it is called
	Built    bool              // comes with the server
	Version  int64             // grows with every change of it
}
