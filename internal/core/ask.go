package core

import (
	"context"

	"github.com/anser-im/anser/internal/im"
)

// What the verbs on messages, conversations and people ask and answer. Each verb is
// documented where it is built.

// RecallRequest takes a message back.
type RecallRequest struct {
	Conv   im.Address
	Seq    im.Seq
	ID     im.ClientID // of this change; the same again is the same change; "" = not idempotent
	Silent bool        // clients show nothing in its place
}

// Recalled is the outcome of a recall.
type Recalled struct {
	Changed
	Former *im.Message // what it was, to be written anew: to its sender within Limits.ReeditWindow, in the answer that did it
}

// DeleteRequest deletes messages, for the user alone or for all.
type DeleteRequest struct {
	Conv   im.Address
	Seqs   []im.Seq    // at most 100
	Range  im.SeqRange // besides; To 0 with From set: to the head. For all at most 1,000 numbers at once
	ForAll bool
}

// Deleted is the outcome.
type Deleted struct {
	Count int    // messages that are gone by it (for all), or numbers that are hidden (for the user)
	Ver   im.Ver // the newest change made; 0 for the user alone
	Mine  im.Mine
}

// ReactRequest adds and takes away reactions of the user's.
type ReactRequest struct {
	Conv        im.Address
	Seq         im.Seq
	Add, Remove []string    // 1-64 bytes each, at most 20
	ID          im.ClientID // "" = not idempotent
}

// ReactionsQuery asks who reacted.
type ReactionsQuery struct {
	Conv      im.Address
	Seq       im.Seq
	Key       string // "" = all
	AfterKey  string
	AfterUser im.UserID
	Limit     int // 0 = 100; at most 1,000
}

// ExpandRequest adds keys to a message, or removes some.
type ExpandRequest struct {
	Conv   im.Address
	Seq    im.Seq
	Set    []im.Pair // at most 20; key 1-32 bytes of A-Za-z0-9_.-+=, value at most 4,096 bytes
	Remove []string  // at most 20
	ID     im.ClientID
}

// Extra is what a page tells of its messages besides: as of the time of reading, and
// what is this reader's own.
type Extra struct {
	im.Tally
	Mine []string // keys of his reactions
}

// Thread is a line of a conversation's list of threads.
type Thread struct {
	im.Tally
	Root, Last *im.Message // nil = not for this reader, or gone
	Read       im.Seq      // of the thread, for this user
	Unread     int         // messages of others above Read, to at most 1,000
	Following  bool        // he wrote in it, began it, is named in it, or asked to
	Level      im.Level
}

// ThreadPatch is what is to be different in a user's row of a thread; nil = as before.
type ThreadPatch struct {
	Read   *im.Seq
	Follow *bool
	Level  *im.Level
}

// ThreadQuery asks for messages of a thread.
type ThreadQuery struct {
	Conv     im.Address
	Root     im.Seq
	From, To im.Seq // both inclusive; 0 = the first, the newest
	Backward bool
	Limit    int // 0 = 50; at most 200
}

// ForwardRequest sends what was said in one conversation to others.
type ForwardRequest struct {
	From   im.Address
	Seqs   []im.Seq     // ascending; at most Limits.MaxForward
	To     []im.Address // at most 20
	Merged bool         // one an:merged message instead of one each
	Title  string       // of the merged one
	ID     im.ClientID  // the messages' client ids are made from it; it makes a retry the same
}

// Forwarded is the outcome for one conversation.
type Forwarded struct {
	To   im.Address
	Seqs []im.Seq
	Err  *im.Error // nil = all were sent
}

// Schedule is a send of a later time.
type Schedule struct {
	ID       im.ClientID // of the message too
	At       int64       // Unix milliseconds; at most a year ahead
	To       im.Address
	Msg      *im.Message // as in Send
	HasFlags bool
	Failed   string // out: why it could not be sent when its time came; "" = it waits
}

// Reminder is something to be told of at a time.
type Reminder struct {
	ID    im.ClientID
	At    int64      // Unix milliseconds
	Conv  im.Address // "" = of nothing in particular
	Seq   im.Seq
	Text  string // at most 1,024 bytes
	Fired int64  // out: when it was told; 0 = it waits
}

// Saved is a message kept for later.
type Saved struct {
	Conv im.Address
	Seq  im.Seq
	Note string // at most 1,024 bytes
	Time int64  // when it was saved
	Msg  *im.Message
}

// ReportRequest tells the app of a message or a user.
type ReportRequest struct {
	Conv   im.Address // with Seq: a message
	Seq    im.Seq
	User   im.UserID // without: a user
	Reason string    // spam, abuse, ...: 1-64 bytes
	Text   string    // at most 1,024 bytes
}

// Report is one that was made.
type Report struct {
	ID     string
	By     im.UserID
	Time   int64
	Of     im.UserID
	MID    string // names the message; "" = of a user
	Seq    im.Seq
	Msg    *im.Message // as it was when it was reported
	Reason string
	Text   string
	State  string // open, kept, removed: what the app made of it
}

// ReadCount says how many have read a message of a group.
type ReadCount struct {
	Seq          im.Seq
	Read, Unread int   // members now, without the sender
	AsOf         int64 // Unix milliseconds; at most some seconds old
}

// StreamOpen begins a message whose body comes in parts.
type StreamOpen struct {
	ID      im.ClientID // of the message too
	Conv    im.Address
	Type    string // "" = an:stream
	ReplyTo im.Seq
	Thread  im.Seq
}

// StreamPart is one part.
type StreamPart struct {
	ID    im.ClientID
	Conv  im.Address
	Index int    // from 0, no gaps; one that was taken before is no error
	Text  string // at most 16 KiB; all parts together at most Limits.MaxBody
}

// StreamEnd ends it: one message is stored with all parts, or none if Abort is set.
type StreamEnd struct {
	ID    im.ClientID
	Conv  im.Address
	Abort bool
	Extra []byte // JSON object whose fields go into the body; nil = none
}

// StreamState is what came so far.
type StreamState struct {
	ID     im.ClientID
	Sender im.UserID
	Text   string
	Next   int // index of the next part
	Done   bool
	Seq    im.Seq // of the stored message; 0 = none
}

// ListQuery asks for a user's list of conversations: pinned ones first, then the
// newest first.
type ListQuery struct {
	After    string // cursor of the answer before; "" = from the top
	Limit    int    // 0 = 50; at most 200
	Messages int    // newest messages for each; 0 = none; at most 20
	Filter   Filter
}

// Filter picks conversations. Zero fields pick all but hidden and archived ones.
type Filter struct {
	Kinds    []im.ConvKind
	Tag      string
	Unread   bool // with unread messages, or marked
	Mentions bool // with unread mentions
	Pinned   bool
	Archived bool // those in the archive instead
	Hidden   bool // those that are hidden too
	NotMuted bool // whose level is not none
}

// List is a part of the list.
type List struct {
	Conversations []Conversation
	Next          string // "" = that was all
}

// Unread are totals over the conversations that a filter picks.
type Unread struct {
	Messages      uint64
	Conversations int // with any
	Mentions      int
	All           uint64 // @all
	Marked        int    // marked by hand and nothing else unread
	ByKind        map[im.ConvKind]uint64
}

// Draft is what a user has begun to write in a conversation.
type Draft struct {
	Conv    im.Address
	Body    []byte // at most 32 KiB; empty removes it
	ReplyTo im.Seq
	Time    int64 // out
}

// Notify is what a user wants to be notified of, where a conversation or thread says
// nothing of its own.
type Notify struct {
	All, Direct, Group im.Level
	Quiet              *Quiet
}

// Quiet are hours of the day in which Level holds, if it is the stricter one.
type Quiet struct {
	Start   string   // "22:00" or "22:00:00"
	Minutes int      // 1-1440
	Zone    string   // IANA name: "Asia/Shanghai"
	Level   im.Level // 0 = none
	Days    []int    // 0 = Sunday; empty = every day (the day on which it begins)
}

// ProfileField is a field of a profile.
type ProfileField struct {
	Value   string // at most 4 KiB
	Visible string // all, contacts (who share a direct conversation with him, begun by both), none (the user and the app); "" = all
}

// Profile is what a user tells of himself.
type Profile struct {
	User     im.UserID
	Name     string // at most Limits.MaxDisplayName bytes
	Portrait string // URL, at most 1,024 bytes
	Fields   map[string]ProfileField
	Version  int64 // of the last change, Unix milliseconds
}

// ProfilePatch is what is to be different: nil = as before; a field with an empty
// value goes.
type ProfilePatch struct {
	Name, Portrait *string
	Fields         map[string]ProfileField
}

// Presence says whether a user is here.
type Presence struct {
	User     im.UserID
	Online   []im.Class // classes of his devices that are; empty = away, or not told to this asker
	LastSeen int64      // Unix milliseconds; 0 = not known, or not told
	Status   string     // his own words
}

// PresencePatch is what is to be different in what a user tells; nil = as before.
type PresencePatch struct {
	Status   *string // at most 128 bytes
	Online   *string // who is told that he is online: all, contacts, none
	LastSeen *string // who is told when he was: all, contacts, none
}

// MuteRequest mutes members of a group, or all but owner and admins.
type MuteRequest struct {
	Conv  im.Address
	Users []im.UserID // at most 100
	Until int64       // Unix milliseconds; 0 lifts it
	All   *bool       // the whole group; nil = as before
}

// Types is what core asks of the registry of message types.
type Types interface {
	// Flags are a type's default ones; false = not registered.
	Flags(name string) (im.Flags, bool)
	// Check looks at a message before it is sent: may this type be sent by a client, is
	// the body as its schema says, is it small enough. It may fill Digest and Push where
	// they are empty and the type has a template. It does nothing, and allocates nothing,
	// for a type without schema and template. Errors: Invalid with CodeSchema or
	// CodeNoType; TooLarge.
	Check(m *im.Message, app bool) *im.Error
	// Digest is one line that stands for m in a language ("en", "zh-CN"; "" = the
	// server's); "" if there is none.
	Digest(m *im.Message, locale string) string
	// PushText is what a notification of m says; "" if it says nothing of its own.
	PushText(m *im.Message, locale string) string

	Get(name string) (im.MessageType, bool)
	List(since int64) ([]im.MessageType, int64)
	Put(ctx context.Context, t im.MessageType) (im.MessageType, error)
	Remove(ctx context.Context, name string) error
}

// Verbs on what people do with messages, conversations and each other.
type people interface {
	Recall(context.Context, RecallRequest) (Recalled, error)
	EditHistory(ctx context.Context, conv im.Address, seq im.Seq, after im.Ver, limit int) (formers []im.Former, more bool, err error)
	Delete(context.Context, DeleteRequest) (Deleted, error)
	Undelete(ctx context.Context, conv im.Address, seqs []im.Seq) (Changed, error)
	React(context.Context, ReactRequest) (Changed, error)
	Reactions(context.Context, ReactionsQuery) (list []im.Reacted, more bool, err error)
	Pin(ctx context.Context, conv im.Address, seq im.Seq, on bool, id im.ClientID) (Changed, error)
	Pins(ctx context.Context, conv im.Address) (Range, error) // From, To 0: nothing is covered
	Expand(context.Context, ExpandRequest) (Changed, error)
	Messages(ctx context.Context, conv im.Address, seqs []im.Seq) ([]*im.Message, error) // those he may see; at most 200
	Extras(ctx context.Context, conv im.Address, r Range) ([]Extra, error)               // of a page just read
	Replies(ctx context.Context, conv im.Address, seq, after im.Seq, limit int) (msgs []*im.Message, more bool, err error)
	Threads(ctx context.Context, conv im.Address, before im.Seq, limit int) (threads []Thread, more bool, err error)
	ThreadPage(context.Context, ThreadQuery) (msgs []*im.Message, more bool, err error)
	ThreadSet(ctx context.Context, conv im.Address, root im.Seq, p ThreadPatch) (Thread, error)
	Forward(context.Context, ForwardRequest) ([]Forwarded, error)
	Vote(ctx context.Context, conv im.Address, seq im.Seq, options []string, id im.ClientID) (Changed, error)
	PollClose(ctx context.Context, conv im.Address, seq im.Seq, id im.ClientID) (Changed, error)
	StreamOpen(context.Context, StreamOpen) (StreamState, error)
	StreamAppend(context.Context, StreamPart) (StreamState, error)
	StreamEnd(context.Context, StreamEnd) (StreamState, error)
	StreamGet(ctx context.Context, conv im.Address, id im.ClientID) (StreamState, error)
	ReadCounts(ctx context.Context, conv im.Address, seqs []im.Seq) ([]ReadCount, error) // at most 100
	ReadList(ctx context.Context, conv im.Address, seq im.Seq, unread bool, after im.UserID, limit int) (users []im.UserID, more bool, asOf int64, err error)
	Report(context.Context, ReportRequest) (id string, err error)

	Schedule(context.Context, Schedule) (Schedule, error) // the same ID again replaces it
	Scheduled(ctx context.Context, after im.ClientID, limit int) (list []Schedule, more bool, err error)
	Unschedule(ctx context.Context, id im.ClientID) error
	Remind(context.Context, Reminder) (Reminder, error)
	Reminders(ctx context.Context, after im.ClientID, limit int) (list []Reminder, more bool, err error)
	Unremind(ctx context.Context, id im.ClientID) error
	Save(ctx context.Context, s Saved) (Saved, error)
	Unsave(ctx context.Context, conv im.Address, seq im.Seq) error
	Saved(ctx context.Context, after string, limit int) (list []Saved, next string, err error)

	Conversations(context.Context, ListQuery) (List, error)
	Set(ctx context.Context, conv im.Address, p im.SettingsPatch) (im.Mine, error)
	Unread(context.Context, Filter) (Unread, error)
	SetDraft(context.Context, Draft) (Draft, error)
	Drafts(ctx context.Context, after im.Address, limit int) (list []Draft, more bool, err error)
	SetNotify(context.Context, Notify) error
	Notify(context.Context) (Notify, error)
	SetQuiet(ctx context.Context, conv im.Address, q *Quiet) error // nil = as for all
	Quiet(ctx context.Context, conv im.Address) (*Quiet, error)

	SetProfile(context.Context, ProfilePatch) (Profile, error)
	Profiles(ctx context.Context, users []im.UserID) ([]Profile, error) // at most 100; one that has none is left out
	SetAllowMode(ctx context.Context, on bool) error
	Allow(ctx context.Context, user im.UserID) error
	Disallow(ctx context.Context, user im.UserID) error
	Allowed(ctx context.Context, after im.UserID, limit int) (users []im.UserID, on, more bool, err error)
	SetPresence(context.Context, PresencePatch) error
	Presence(ctx context.Context, users []im.UserID) ([]Presence, error)                                // at most 200
	Watch(ctx context.Context, users []im.UserID, seconds int) (now []Presence, until int64, err error) // seconds 0 = an hour; at most 30 days; ends with the session
	Unwatch(ctx context.Context, users []im.UserID) error                                               // nil = all

	TypeGet(ctx context.Context, name string) (im.MessageType, error)
	TypeList(ctx context.Context, since int64) (types []im.MessageType, version int64, err error) // those changed since a version

	GroupMute(context.Context, MuteRequest) (GroupChanged, error)
	GroupNick(ctx context.Context, conv im.Address, user im.UserID, nick string) (GroupChanged, error)
}

// Verbs of the app itself: a session made with an app key and no user.
type app interface {
	TypePut(ctx context.Context, t im.MessageType) (im.MessageType, error)
	TypeRemove(ctx context.Context, name string) error
	Reports(ctx context.Context, state, after string, limit int) (list []Report, more bool, err error)
	ReportSettle(ctx context.Context, id, state string) error
}

var (
	_ people = (*Session)(nil)
	_ app    = (*Session)(nil)
)
