// Package store says what core asks of whatever keeps its data, and what is
// promised in return. memstore is the model, pebblestore the embedded store;
// storetest holds both to the promises below.
//
// One writer. Every change is an operation (op.go) given to Submit. Operations are
// taken in the order of submission, committed in batches, and their outcome is told
// by Done, once each, in commit order, when it would survive a power cut.
//
// Readers see durable states only: whatever a Reader answered is still there after
// a crash. Position, heads and rows move together: who loads the position, then the
// head, then rows, finds rows at least as new as the head.
//
// A store never decides who may. It compares what core saw (Guard, Seen, Blocked)
// with what is, and turns back what was decided on an older state.
package store

import (
	"context"
	"slices"
	"time"

	"github.com/anser-im/anser/internal/im"
)

// Store is one app's store. All methods may be called by any goroutine.
type Store interface {
	Reader

	// Submit queues op without waiting for a disk's sync; it may read to find out
	// whether an id was seen before. nil means that op.Done will be called exactly
	// once, from a goroutine of the store's that must not be blocked, and that op
	// belongs to the store until then. An error means that nothing was and will be
	// done, and Done is not called: Busy if the queue is full, ReadOnly if the disk is
	// nearly full, Unavailable if the store is closed or failed.
	Submit(op Op) error

	// Delivered notes that everything of direct conversation conv up to seq has
	// reached user. It shows in the head at once, is written with the next commit of
	// any kind, and causes none. Lower numbers than the noted one and numbers above
	// the head are ignored; so is a user who is not one of the two.
	// It answers whether the number moved.
	Delivered(conv im.ConvID, user im.UserID, seq im.Seq) bool

	// RenewEpoch gives the store a new epoch, durably, because its files were found
	// to be older than what clients hold.
	RenewEpoch(ctx context.Context) (im.Epoch, error)

	// Sweep removes what is past its time: messages that expire at now or earlier,
	// commands and records that did before, messages deleted for all that can no longer
	// be restored, and change log entries that are both older than the policy's age and
	// not among the newest it keeps. It works in small commits and returns how many rows
	// went. Removed counted messages above somebody's read cursor are withdrawn.
	Sweep(ctx context.Context, now time.Time, p SweepPolicy) (int, error)

	// Health is cheap enough for every heartbeat.
	Health() Health

	// Probe makes an empty synced commit, so that Health tells a stuck disk from an
	// idle one.
	Probe()

	// Stats are counters for metrics.
	Stats() Stats
}

// SweepPolicy says what Sweep may remove.
type SweepPolicy struct {
	Commands   time.Duration // age of commands; 0 = 30 days
	Changes    time.Duration // age of change log entries; 0 = 30 days
	Deleted    time.Duration // how long what was deleted for all can be restored; then it is removed like what has expired. 0 = 30 days
	KeepNewest int           // change log entries of a conversation kept whatever their age; 0 = 10,000

	Expired bool            // only messages and records whose Expires is over; the rest waits for a turn without it
	Moved   func(im.ConvID) // told of each conversation where messages that counted expired, at least once, when that is durable; nil = nobody asks
}

// Health is how the store does.
type Health struct {
	Pending  time.Duration // age of the oldest commit that has not ended; 0 if none is under way
	Last     time.Time     // when the last commit ended; zero if none did
	ReadOnly bool          // no space: writes are refused
	Failed   error         // the store has failed for good; nil as long as it has not
}

// Stats are sums since the store was opened, besides the sizes at the end.
type Stats struct {
	Ops, Commits, Rows, Bytes uint64
	CommitSeconds             []float64 // upper bounds of CommitCounts, seconds
	CommitCounts              []uint64  // commits by how long they took; one more than bounds
	BatchOps                  []uint64  // commits by operations in them: 1, <=4, <=16, <=64, <=256, <=1024, more
	Duplicates, TurnedBack    uint64
	Queued                    int   // operations waiting now
	QueuedBytes               int   // their weight
	Heads                     int   // heads in memory
	DiskBytes                 int64 // size of the files; 0 if unknown
}

// Head is the state of a conversation that changes with its messages.
type Head struct {
	Conv      im.ConvID
	Kind      im.ConvKind
	Members   int         // members now; 2 in a direct conversation (1 in notes to oneself)
	Seq       im.Seq      // of the newest message; 0 if none
	Ver       im.Ver      // of the newest change; 0 if none
	MVer      im.MVer     // of the newest membership change; blocks raise it in a direct conversation
	N         uint64      // COUNT messages so far
	NA        uint64      // @all messages so far
	Time      int64       // of the newest message, Unix milliseconds
	LastShown im.Seq      // the newest message with PERSIST
	Min       im.Seq      // the first number that may still be there
	MinVer    im.Ver      // the first change that is still in the log
	Position  im.Position // of the last commit that touched it
	Withdrawn []Range     // of the ordinal N: counted messages that no longer count; ascending, disjoint, at most 256
	WithdrawA []Range     // of the ordinal NA; at most 64
	Group     im.GroupID  // "" in direct conversations
	Closed    bool        // the last member left
	Settled   im.MVer     // the newest change of the group's Info; 0 if there was none since it was made
	Sides     [2]Side     // direct: both users in byte order; in notes to oneself only the first
	Line      string      // direct: the name of the business conversation; "" is the plain one
}

// Side is one user's half of a direct conversation.
type Side struct {
	User      im.UserID
	Read      im.Seq
	ReadN     uint64 // N at Read
	ReadNA    uint64
	Delivered im.Seq
	Own       bool // his row holds something: settings, what he deleted for himself ... Once set it stays
}

// Side finds u's half; nil if u is not one of the two. It points into h.
func (h *Head) Side(u im.UserID) *Side {
	for i := range h.Sides {
		if h.Sides[i].User == u && u != "" {
			return &h.Sides[i]
		}
	}
	return nil
}

// Peer is the other user of a direct conversation (oneself in notes to oneself).
func (h *Head) Peer(u im.UserID) im.UserID {
	if h.Sides[0].User == u && h.Sides[1].User != "" {
		return h.Sides[1].User
	}
	return h.Sides[0].User
}

// Range is the numbers From..To, both inclusive.
type Range struct{ From, To uint64 }

// Row is what a conversation is to one user: one row of his list.
type Row struct {
	Conv     im.ConvID
	User     im.UserID
	Role     im.Role     // NoRole: left. Member in direct conversations
	MVer     im.MVer     // the membership change that last touched it
	From     im.Seq      // the first number he may see
	FromN    uint64      // N of the head before From
	FromNA   uint64      // NA of the head before From
	Read     im.Seq      // never below From - 1
	ReadN    uint64      // N at Read
	ReadNA   uint64      // NA at Read
	Position im.Position // of the last commit that wrote it; sends do not

	Settings   im.Settings
	Gone       []im.SeqRange // deleted for him alone; ascending, disjoint, at most MaxGone
	Withdrawn  []Range       // of the ordinal N, above ReadN: what does not count for him alone (deleted for him, or sent for him by the app); ascending, disjoint, at most MaxWithdrawn
	WithdrawA  []Range       // of the ordinal NA, above ReadNA; at most MaxWithdrawnA
	Directed   []im.Seq      // counted messages to some members only, he among them, above Read; at most 100, the oldest is dropped
	Nick       string        // his name in the group
	MutedUntil int64         // he may not send before, Unix milliseconds; 0 = he may
}

// MaxGone is the most ranges that one user can have deleted for himself in a
// conversation. Neighbours join, over numbers that hold nothing too.
const MaxGone = 1000

// Hides says whether the row's user has deleted number n for himself.
func (r *Row) Hides(n im.Seq) bool {
	_, found := slices.BinarySearchFunc(r.Gone, n, func(g im.SeqRange, n im.Seq) int {
		switch {
		case g.To < n:
			return -1
		case g.From > n:
			return 1
		}
		return 0
	})
	return found
}

// In says whether he is in the conversation.
func (r *Row) In() bool { return r.Role != im.NoRole }

// Unread counts what he has not read: what counted above his cursor less what was
// withdrawn there, for all or for him, never below 0, and what was for him among
// some. The second is the same for @all messages.
func (h *Head) Unread(r *Row) (n, all uint64) {
	n, all = unread(h.N, r.ReadN, h.Withdrawn, r.Withdrawn), unread(h.NA, r.ReadNA, h.WithdrawA, r.WithdrawA)
	for _, seq := range r.Directed {
		if seq > r.Read {
			n++
		}
	}
	return n, all
}

// unread is what lies above read up to head, less the union of two lists of ranges.
func unread(head, read uint64, a, b []Range) uint64 {
	if head <= read {
		return 0
	}
	n, done := head-read, read // done: counted up to here
	for len(a) > 0 || len(b) > 0 {
		from := &a
		if len(a) == 0 || len(b) > 0 && b[0].From < a[0].From {
			from = &b
		}
		w := (*from)[0]
		*from = (*from)[1:]
		if w.From > head {
			break // the row is newer than the head
		}
		if w.To = min(w.To, head); w.To <= done {
			continue
		}
		gone := w.To - max(w.From, done+1) + 1
		done = w.To
		if gone >= n {
			return 0
		}
		n -= gone
	}
	return n
}

// Reader reads durable states. A conversation, user or row that does not exist is
// not an error: the bool says so. Errors are Internal, or Unavailable once closed.
// What is returned belongs to the caller, but for messages and Head's slices, which
// are shared and must not be altered.
type Reader interface {
	Epoch() im.Epoch
	Position() im.Position

	// Head answers from memory as long as the head is there.
	Head(conv im.ConvID) (Head, bool)

	// Direct finds the conversation of two users, in any order (the same twice: notes
	// to oneself), the plain one or the business conversation of that name.
	Direct(a, b im.UserID, line string) (im.ConvID, bool, error)
	// Group finds a group.
	Group(id im.GroupID) (im.ConvID, bool, error)
	// Self finds the change log of a user; it exists from its first entry on.
	Self(u im.UserID) (im.ConvID, bool, error)
	// Info is what a group is called and how it behaves.
	Info(conv im.ConvID) (im.GroupInfo, bool, error)

	// Row is one user's row. In direct conversations cursors come from the head, the
	// rest (settings, gone, withdrawn) from a row that is there once something was set.
	Row(conv im.ConvID, u im.UserID) (Row, bool, error)
	// Rows lists a user's rows, those that say "left" too and those of his direct
	// conversations, by conversation number, those above after, at most limit. His own
	// change log has none.
	Rows(u im.UserID, after im.ConvID, limit int) ([]Row, error)
	// Members lists a conversation's present members by id, those above after, at most
	// limit. Read fields may be missing.
	Members(conv im.ConvID, after im.UserID, limit int) ([]Row, error)

	// Message is one message, whatever became of it; false if it is gone.
	Message(conv im.ConvID, seq im.Seq) (*im.Message, bool, error)
	// Page reads a range of messages.
	Page(q PageQuery) (Page, error)
	// Changes reads the change log from a number on, at most limit entries. Change.Msg
	// is the message as it is now, nil if it is gone. With from below Head.MinVer the
	// answer begins later than asked: the caller resets instead.
	Changes(conv im.ConvID, from im.Ver, limit int) ([]im.Change, error)

	// Marks lists how far each present member has read, by id, those above after, at most
	// limit: only User, From and Read are set.
	Marks(conv im.ConvID, after im.UserID, limit int) ([]Row, error)

	// Tallies counts what was answered to the messages From..To, both inclusive; only
	// those to which something was are listed, ascending, at most 1,000.
	Tallies(conv im.ConvID, from, to im.Seq) ([]im.Tally, error)
	// Replies lists the messages above after that name seq as ReplyTo, ascending: those
	// for some members only too, which Tallies does not count.
	Replies(conv im.ConvID, seq, after im.Seq, limit int) ([]im.Seq, error)
	// InThread lists the messages of a thread in From..To (To 0: to the newest), at most
	// limit, ascending, or the newest first with backward. Not the one that began it.
	InThread(conv im.ConvID, root, from, to im.Seq, backward bool, limit int) ([]im.Seq, error)
	// Threads lists the threads of a conversation, the one with the newest message
	// first: those whose newest is below before (0 = all), at most limit.
	Threads(conv im.ConvID, before im.Seq, limit int) ([]im.Tally, error)
	// Reactions lists who reacted to a message.
	Reactions(q ReactionQuery) ([]im.Reacted, error)
	// Pins lists the pinned messages, ascending.
	Pins(conv im.ConvID) ([]im.Seq, error)
	// Formers lists what a message said before its edits, the oldest first, those of
	// changes above after, at most limit.
	Formers(conv im.ConvID, seq im.Seq, after im.Ver, limit int) ([]im.Former, error)
	// Burning lists messages up to seq that burn once u has read them and have not begun
	// to, ascending, at most limit.
	Burning(u im.UserID, conv im.ConvID, seq im.Seq, limit int) ([]im.Seq, error)

	// Due lists timers (records with Due) that are due at now, the oldest first, at most
	// limit, and when the first one after them is (0 = none).
	Due(now int64, limit int) (due []Record, next int64, err error)
	// NextExpiry is when the first of what expires does (messages with Expires), Unix
	// milliseconds; 0 = nothing does.
	NextExpiry() (int64, error)

	// Mentions lists the messages above after that name u and that u has not read,
	// ascending, at most limit. One that is for others only (To) does not name him.
	Mentions(u im.UserID, conv im.ConvID, after im.Seq, limit int) ([]im.Seq, error)
	// CountMentions counts them, to at most 100.
	CountMentions(u im.UserID, conv im.ConvID) (int, error)

	// Blocked says whether u blocks peer.
	Blocked(u, peer im.UserID) (bool, error)
	// Blocks lists whom u blocks, by id.
	Blocks(u im.UserID, after im.UserID, limit int) ([]im.UserID, error)

	// Get reads a record; List those of a kind and user by key, above after. Keys that
	// share a beginning stand together.
	Get(k RecordKind, u im.UserID, key string) ([]byte, bool, error)
	List(k RecordKind, u im.UserID, after string, limit int) ([]Record, error)

	// Cursor is how far a device has been given a conversation, for doors whose
	// clients keep no cursor; 0 if nothing is noted.
	Cursor(u im.UserID, d im.DeviceID, conv im.ConvID) (im.Seq, error)
}

// PageQuery asks for messages From..To, both inclusive; From <= To. Backward reads
// from To downwards. The page ends after Limit messages or Bytes bytes, but holds at
// least one message if there is one.
type PageQuery struct {
	Conv     im.ConvID
	From, To im.Seq // To above the head is the head
	Backward bool
	Limit    int // 0 = 50
	Bytes    int // 0 = 256 KiB
}

// Page answers a PageQuery: every number in From..To that has no message here has
// none in the store. From > To: nothing was covered (the range lies above the head).
type Page struct {
	From, To im.Seq
	Messages []*im.Message // ascending
}

// MaxRecord is the most bytes of a record's value.
const MaxRecord = 64 << 10

// RecordKind is a kind of record that the store keeps for others without reading it.
type RecordKind uint8

// The kinds. Secrets belong to no user (User ""): one-time and revoked things by key.
const (
	AccountRecord RecordKind = 1 + iota // key "": password hash, revoked-before
	DeviceRecord                        // key: device id
	SecretRecord                        // key: chosen by auth
	SettingRecord                       // key: chosen by core
	NoteRecord                          // a note of the user's own devices (draft, profile, saved message ...); written by NoteOp only
	TimerRecord                         // what is to be done at Due: a send, a reminder
	TypeRecord                          // key: object name; User ""
	ReportRecord                        // key: chosen by core; User ""
)

// Record is one record.
type Record struct {
	Kind    RecordKind
	User    im.UserID
	Key     string // at most 256 bytes, no NUL
	Value   []byte // at most MaxRecord; nil removes the record
	Expires int64  // Unix milliseconds after which Sweep removes it; 0 = never
	Due     int64  // TimerRecord: Unix milliseconds from when on Due lists it; 0 = never
}

// ReactionQuery asks who reacted to a message. Those of one key stand together, in the
// order of keys, then users. The answer begins above (AfterKey, AfterUser).
type ReactionQuery struct {
	Conv      im.ConvID
	Seq       im.Seq
	Key       string    // only this one; "" = all
	User      im.UserID // only this one's; "" = all
	AfterKey  string
	AfterUser im.UserID
	Limit     int
}
