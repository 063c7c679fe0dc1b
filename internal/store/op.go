package store

import (
	"errors"

	"github.com/anser-im/anser/internal/im"
)

// ErrTurnedBack is the outcome of an operation that was decided on a state that is
// no longer so: core looks again and submits it anew. It never reaches a client.
var ErrTurnedBack = errors.New("store: decided on an older state")

// Op is an operation: a pointer to one of the structs of this file. Fields under "in"
// are the caller's to set and must not be altered until Done; those under "out" are
// set by the store before Done is called, and all zero if Err is not nil, unless the
// field says otherwise.
type Op interface{ Base() *Outcome }

// Outcome is the part that every operation has.
type Outcome struct {
	Done func() // called once the outcome is durable; must not block
	Err  error  // an *im.Error or ErrTurnedBack; nil = done
}

// Base lets a struct that embeds Outcome be an Op.
func (o *Outcome) Base() *Outcome { return o }

// Lane keeps the order of one session's sends to one conversation. Once an
// operation of a lane has been turned back, or refused for a reason that may pass
// (Busy, ReadOnly, Unavailable, Internal), all that come after it with the same or a lower
// round are turned back too, until core has submitted them again under a higher one.
// Sends without a lane are independent of each other.
type Lane struct {
	Shut uint32 // owned by the store's writer: rounds up to this one are turned back
}

// MaxLines is the most conversations that two users begin, their plain one included: a
// block is noted in each of them, in one commit.
const MaxLines = 1000

// ErrLines is the error of one more.
func ErrLines() error {
	return im.Errorf(im.TooLarge, "the two have %d conversations already: no further one can be begun", MaxLines)
}

// AppendOp stores Msg as the next message of a conversation.
//
// Errors: NotFound if Conv does not exist; Conflict if the same sender used the
// client id in this conversation for something with another Hash; TooLarge if it would
// begin a business conversation and the two have MaxLines conversations; ErrTurnedBack.
//
// What comes first is decided first: the lane, whether Conv is there, whether the
// client id is kept (so a retry is answered before anything is refused), Blocked,
// Guard. A fresh direct conversation has MVer 0, so an op with Conv 0 and Guard 0
// that finds one made meanwhile goes into it. A message with a To list adds neither
// to N nor to NA: where it counts, it is listed in the row of each of them who is in
// (Directed), at most 100. One with ReplyTo or Thread that is
// shown is listed there, and counted if all may see it. One with Burn, in a direct
// conversation, is listed for the peer (Burning).
type AppendOp struct {
	Outcome
	// in
	Conv    im.ConvID   // 0: the direct conversation of Msg.Sender and Peer, made if it is not there
	Peer    im.UserID   // with Conv 0
	Line    string      // with Conv 0: the business conversation of that name; "" = the plain one
	Guard   im.MVer     // Head.MVer under which core decided. Where it moved, the op is turned back if the sender's own row or the group's Info was set since (direct: always)
	Blocked bool        // with Conv 0: core saw that Peer blocks the sender and lets it pass all the same; where the store finds otherwise, the op is turned back
	Lane    *Lane       // nil = no order to keep
	Round   uint32      // begins at 1
	Msg     *im.Message // the store gives Seq, N, NA, Time; with STATUS never submitted
	Hash    uint64      // of what the client sent: type, flags as given, body
	Read    bool        // moves the sender's read cursor past the message; without it his cursor stays, and what counts is withdrawn in his own row
	// out
	At   im.ConvID // the conversation
	Made bool      // this message made it
	Dup  bool      // stored before; Seq, Time and N are the first one's, Msg is untouched
	Seq  im.Seq
	Time int64
	N    uint64
}

// ShutLane is for the store's writer: if Err may pass, it shuts the operation's lane.
func (o *AppendOp) ShutLane() {
	if o.Lane != nil && o.Err != nil && (o.Err == ErrTurnedBack || im.AsError(o.Err).Code.Retryable()) {
		o.Lane.Shut = max(o.Lane.Shut, o.Round)
	}
}

// KeptOp asks whether a client id has been used, in the order of the queue: sends
// before it count. Err is Conflict if it was with another hash.
type KeptOp struct {
	Outcome
	// in
	Conv   im.ConvID // 0: the direct conversation of Sender and Peer
	Peer   im.UserID
	Line   string // with Conv 0
	Sender im.UserID
	ID     im.ClientID
	Hash   uint64
	// out
	At    im.ConvID
	Found bool
	Seq   im.Seq // or the Ver of a change
	Time  int64
	N     uint64
}

// ChangeOp changes a message: in place, and as a new entry of the change log. An edit that leaves all as it was still is a change. Recall removes the body,
// digest, push text, mentions and origin from the message and the former bodies from earlier
// changes, and withdraws its count: the ordinals it was given when it was sent,
// whatever an edit made of its mentions since. A retry is answered before anything
// is refused. Any change of a recalled message but Delete is NotFound; so is any of a
// deleted one but Restore.
//
// Delete puts the body, digest, push text and mentions away as a former (they come
// back with Restore, which finds the newest former), removes its mention rows, its pin,
// and its place among replies and in its thread, and withdraws its count; Restore undoes all of
// that but mention rows and the pin. Recall takes pin, reactions and expansion too; the
// message keeps its place among replies and in its thread. React, Expand and Pinned are decided by the writer on the
// message as it is, not on Seen: many do them at once. Burn takes the message off the
// peer's list (Burning), Restore puts it there again. What leaves all as it was
// (a reaction that is there, a pin that is, an Expires that does not come earlier) is no
// change: Ver is the message's, Dup is set, the client id is not used up.
//
// Errors: NotFound if the message is gone, or was deleted longer ago than it can be
// restored (SweepPolicy.Deleted); Conflict as in AppendOp; TooLarge past Most or Bytes;
// ErrTurnedBack if the message's Ver is not Seen, or Guard moved.
type ChangeOp struct {
	Outcome
	// in
	Conv     im.ConvID
	Seq      im.Seq
	Guard    im.MVer // as in AppendOp, for By's row
	Seen     im.Ver  // Message.Ver on which core decided
	Kind     im.ChangeKind
	By       im.UserID
	Device   im.DeviceID
	ID       im.ClientID // "" = not idempotent
	Hash     uint64
	Body     []byte       // Edit
	Digest   string       // Edit
	Mentions *im.Mentions // Edit: nil keeps them. New names get mention rows, dropped ones lose theirs
	Silent   bool         // Recall: Message.Silent
	Add      []string     // React: keys that By adds ...
	Remove   []string     // React: ... and takes away, first. A key that ends in "*" takes all that begin so
	Set      []im.Pair    // Expand: an empty value removes the key
	Pin      bool         // Pinned: up or down
	Expires  int64        // Burn: Message.Expires from now on (an earlier one stands)
	Most     int          // React: keys on the message; Expand: keys; Pinned: pins of the conversation; 0 = no bound
	Bytes    int          // Expand: bytes of keys and values on the message, which each change of it writes again; 0 = no bound
	// out
	Ver  im.Ver
	Time int64
	Dup  bool
	Msg  *im.Message // as it is now; nil if Dup and gone

	Added, Removed []string // React: the keys that came and went, as the log says
}

// SetOp alters what a conversation is to one user alone. Withdrawn counts of his rows
// are united with what stands there.
//
// Errors: NotFound if he has no row there or has left; TooLarge past MaxGone ranges.
type SetOp struct {
	Outcome
	// in
	Conv      im.ConvID
	User      im.UserID
	Patch     *im.SettingsPatch // nil = nothing
	Gone      []im.SeqRange     // to be added; at most 1,000, what is above the head is left out. Mentions of him and Directed in there go
	Withdrawn []Range           // of N: what of Gone counts; to be added. What is up to his cursor need not be there
	WithdrawA []Range           // of NA: the same for @all
	// out
	Moved bool
	Row   Row // as it is now
}

// NoteOp writes a note of a user's and says so in the log of "me", and removes records
// in the same commit (a timer that has done its work).
//
// Errors: Conflict if If is set and does not hold; TooLarge if there are Most notes
// whose key begins with Of already, and this is a new one.
type NoteOp struct {
	Outcome
	// in
	User   im.UserID
	Key    string  // at most 256 bytes, no NUL
	Value  []byte  // at most 64 KiB; nil removes it
	If     *[]byte // what it must hold now; a nil slice: must not be there
	Most   int     // 0 = no bound
	Of     string
	Device im.DeviceID
	Drop   []Record // of which Kind, User and Key are used
	// out
	Moved  bool      // false: it held that already (Drop is done all the same)
	Change im.Change // of User's log, if Moved
	At     im.ConvID // the log
}

// ReadOp moves a user's read cursor. A number at or below it is no error and moves
// nothing; one above the head is the head. It removes his mention rows, Directed and
// Withdrawn up to there, and Settings.Marked, whether it moved or not.
//
// Errors: NotFound if he has no row there or has left.
type ReadOp struct {
	Outcome
	// in
	Conv im.ConvID
	User im.UserID
	Seq  im.Seq
	// out
	Moved bool
	Row   Row // as it is now
}

// MemberOp makes a group, or changes who is in it and how it behaves: one entry of
// the membership log. A newcomer's From is the number of Msg, or head.Seq+1 where
// there is none (1 under HistoryAll); his cursor stands before it, or where it stood
// when he left if that is further. One who is set to the role he has keeps his row. When the last one is out the head is Closed. Guard must equal Head.MVer, or
// the op is turned back.
//
// Errors: NotFound if Conv does not exist or is closed; Conflict if the group id
// exists, or the client id was used otherwise; ErrTurnedBack.
type MemberOp struct {
	Outcome
	// in
	Conv  im.ConvID     // 0 = make Info.ID
	Info  *im.GroupInfo // the settings to be; nil = as before
	Guard im.MVer
	By    im.UserID
	ID    im.ClientID // of the making; "" = not idempotent
	Hash  uint64
	Set   []RoleSet   // at most 500; each user once
	Msg   *im.Message // the numbered message that says so (PERSIST, not counted); nil above 1,000 members
	// out
	At    im.ConvID
	Dup   bool // made before; Info.ID of the first is in Group
	Group im.GroupID
	MVer  im.MVer
	Seq   im.Seq // of Msg; 0 if none
	Time  int64
	Gone  []im.UserID // who was a member and no longer is
	New   []im.UserID // who was none and now is
}

// RoleSet gives a user a role; NoRole takes him out. Who stays in keeps his nick and
// mute but for what is set here; who comes back has the mute he had.
type RoleSet struct {
	User  im.UserID
	Role  im.Role
	Nick  *string // nil = as before
	Muted *int64  // MutedUntil; nil = as before
}

// BlockOp sets or lifts a block, notes it in User's change log, and raises the MVer
// of their direct conversation if there is one.
type BlockOp struct {
	Outcome
	// in
	User, Peer im.UserID
	On         bool
	Device     im.DeviceID
	// out
	Moved  bool
	Change im.Change // of User's log, if Moved
	At     im.ConvID // the log
}

// PutOp writes records, all or none.
//
// Errors: Conflict if If is set and does not hold.
type PutOp struct {
	Outcome
	// in
	Records []Record // at most 500
	If      *Record  // the record of this key must hold exactly this value (Value nil: must not exist)
	Lazy    bool     // rides with the next commit of any kind, or after a second
}

// CursorOp notes how far a device has been given a conversation; it never goes back.
type CursorOp struct {
	Outcome
	// in
	User   im.UserID
	Device im.DeviceID
	Conv   im.ConvID
	Seq    im.Seq
	Lazy   bool
}
