package core

import (
	"context"
	"net/netip"
	"time"

	"github.com/anser-im/anser/internal/hub"
	"github.com/anser-im/anser/internal/im"
)

// Event and Item are the hub's, for doors.
type (
	Event = hub.Event
	Item  = hub.Item
)

// Slots of Event.Encoded, for doors.
const (
	NativeBinary = hub.NativeBinary
	NativeJSON   = hub.NativeJSON
)

// Login is what a door knows of a device that signs in.
type Login struct {
	Token      string
	Door       string      // "native", "line": the token may be restricted to some
	Device     im.DeviceID // "" = the token's, else one is made up
	Class      im.Class    // "" = the token's, else phone (line at the line door)
	OS, SDK    string      // at most 64 bytes each, for the list of devices; cut if longer
	Addr       netip.Addr  // of the client
	Background bool
	Locale     string // language of digests: "en", "zh-CN"; "" = the server's
	Network    string
	Resume     string // id of a session to go on with; "" = begin anew
	LastPush   uint64 // with Resume: the last push number received

	// Ordered: after a refusal that may pass (5xxx, 6xxx) of a send to a conversation,
	// later sends to it are refused as Busy until the refused client id comes again or
	// Send.Skip names it. For doors whose clients repeat refused sends (native).
	Ordered bool

	// Cursors: the server keeps how far this device was given each conversation,
	// because its client does not (line). Session.Missed gives the rest at login, and
	// Ack moves the cursors.
	Cursors bool

	// Wake says that Take has something. It is called once until the next Take that
	// leaves nothing (one that appends nothing certainly did), from any goroutine, also
	// before Login returns, with no lock of core held; it must not block.
	Wake func()

	// Ended is called at most once, when the session is ended by anyone but its own
	// door: replaced, kicked, revoked, expired, drained. The door tells the client and
	// closes the link; it need not call Close. It must not block, and may be called
	// before Login returns.
	Ended func(End)
}

// End is why a session ended.
type End struct {
	Code       im.Code // CodeReplaced, CodeKicked, CodeRevoked, CodeExpired, CodeSlow, CodeDraining ...
	Text       string  // for people
	Resumable  bool
	RetryAfter time.Duration
}

// Send is one message on its way. The door makes one per send and does not touch it
// again until Done.
type Send struct {
	// in
	To       im.Address
	Msg      *im.Message // ID, Type, Body and options set; core sets Sender, Device and Flags and the store the rest. Its memory is core's from now on
	HasFlags bool        // Msg.Flags is the client's choice; else the type's default holds
	Skip     im.ClientID // a refused send of this conversation that the user gave up
	Over     bool        // it is above the session's credit (Limits.SendCredit): refused as Busy, in its order
	Done     func(*Send) // called once, when the outcome is durable or refused; must not block
	Tag      uint64      // the door's own

	// out
	Seq  im.Seq // 0 for STATUS messages
	Time int64  // Unix milliseconds
	N    uint64
	Dup  bool      // it was stored before; Seq, Time and N are the first one's
	Err  *im.Error // nil = durable

	self   *Send      // whose op.Done it is: a copied Send makes its own
	stands uint64     // what the id stands for, where core sends for a request; 0 = for the content
	origin *im.Origin // of what core forwards
	paid   bool       // the request it is for was counted against the rate
	sending
}

// Pulled says that every number of a conversation up to Seq has been taken by the
// client, which fetched it.
type Pulled struct {
	Conv im.Address
	Seq  im.Seq
}

// SyncQuery asks what changed since a token.
type SyncQuery struct {
	Token     string // "" = all
	Limit     int    // conversations an answer; 0 = 100, at most 1,000
	Messages  int    // newest messages for each; 0 = 20; at most 50
	HeadsOnly bool   // no messages at all
}

// SyncAnswer is one part of the answer.
type SyncAnswer struct {
	Epoch         im.Epoch
	Token         string
	Conversations []Conversation // newest first
	Left          []im.Address   // to be removed with their history
	More          bool           // ask again with Token
}

// Conversation is one line of a user's list.
type Conversation struct {
	Addr   im.Address
	Head   im.Head
	Mine   im.Mine
	Peer   *im.Peer // direct
	Group  *Group   // group
	Page   Range    // its newest messages
	Digest string   // one line for the newest shown message, in the session's language; "" = the message has none
	Level  im.Level // what holds for it, after all that is inherited
}

// Group is what a group is called and how it behaves.
type Group struct {
	im.GroupInfo
	Members int
	Owner   im.UserID
}

// Range is a covered range: every number in From..To without a message here is
// settled for this reader. From > To: nothing is covered.
type Range struct {
	From, To im.Seq
	Messages []*im.Message // ascending; shared, not to be altered
}

// PageQuery asks for messages of a conversation, both ends inclusive.
type PageQuery struct {
	Conv     im.Address
	From     im.Seq // backward: where to begin; 0 = the head
	To       im.Seq // forward: where to end; 0 = the head
	Backward bool
	Around   im.Seq // instead of From and To: half of Limit before this number, the rest from it on
	Limit    int    // 0 = 50; at most 200
}

// Changes answers a question for the change log.
type Changes struct {
	From, To im.Ver // settled
	Changes  []im.Change
	Reset    bool   // drop what is cached of this conversation, set the cursor to Ver, then page
	Ver      im.Ver // with Reset: the head's, loaded before anything else
	More     bool
}

// EditRequest alters the body of a message of one's own.
type EditRequest struct {
	Conv     im.Address
	Seq      im.Seq
	ID       im.ClientID // of this change; the same again is the same change
	Body     []byte
	Digest   string
	Mentions *im.Mentions // nil = as before
}

// Changed is the outcome of an edit or a recall.
type Changed struct {
	Ver  im.Ver
	Time int64
	Dup  bool
}

// NewGroup is a group to be made.
type NewGroup struct {
	ID      im.ClientID // the same again gives the same group; "" = not idempotent
	Name    string
	Members []im.UserID // besides oneself; at most 1,000
	Join    im.JoinMode
	History im.HistoryMode
}

// GroupUpdate is what is to be different; nil = as before.
type GroupUpdate struct {
	Name    *string
	Join    *im.JoinMode
	History *im.HistoryMode
}

// GroupChanged is the outcome of a membership change.
type GroupChanged struct {
	MVer    im.MVer
	Seq     im.Seq      // of the message that says so; 0 in large groups
	Refused []im.UserID // could not be added: they block the adder, or do not list him
}

// MemberInfo is one member of a group.
type MemberInfo struct {
	User       im.UserID
	Role       im.Role
	Online     bool
	Nick       string // his name in this group
	MutedUntil int64  // Unix milliseconds; 0 = he may send
}

// DeviceInfo is one device of a user.
type DeviceInfo struct {
	ID       im.DeviceID
	Class    im.Class
	Online   bool
	LastSeen int64 // Unix milliseconds
	OS, SDK  string
}

// ClientState is what a client says of itself; nil = as before.
type ClientState struct {
	Background  *bool
	HoldSignals *bool
	Network     string // "" = as before
}

// Missed is what a device whose cursors the server keeps has not been given.
type Missed struct {
	Unread   []Conversation // those with unread messages, newest first, without pages
	Messages []Item         // the newest of what was missed, oldest first
	More     int            // how many older ones are not among them
}

// Methods that doors call on a *Session; each is in the file named for it.
type door interface {
	User() im.UserID
	Device() im.DeviceID
	ID() string         // for Login.Resume; secret
	Resumed() bool      // false: the client has to ask Sync
	Expires() time.Time // of the token
	Confirm()           // the first frame after the welcome has come: from now on Resume names this link

	// Send checks and queues and returns at once; Done tells the outcome. Sends of a
	// session to one conversation keep the order in which Send was called.
	Send(*Send)
	// SendWait is Send for doors that take one unit at a time; the error is Send.Err.
	SendWait(context.Context, *Send) error
	Signal(conv im.Address, sig im.Signal) error // NotFound, Denied, Limited

	// Take moves events from the outbox into the window, as far as it has room, at most
	// maxItems and about maxBytes (at least one), appends them to into, and answers the
	// push number of the first. The caller writes them to the link in this order.
	Take(into []Item, maxItems, maxBytes int) (items []Item, first uint64)
	// Ack says that every push up to a number was taken, and what was fetched.
	Ack(push uint64, pulled []Pulled)

	SetState(ClientState)
	Renew(ctx context.Context, token string) (time.Time, error)
	Detach() // the link is gone; the session may be resumed for Limits.DetachedFor
	Close()  // the client ended it, or may not come back

	Sync(context.Context, SyncQuery) (SyncAnswer, error)
	Page(context.Context, PageQuery) (Range, im.Head, error)
	Changes(ctx context.Context, conv im.Address, from im.Ver, limit int) (Changes, error)
	Conversation(ctx context.Context, conv im.Address) (Conversation, error)
	Mentions(ctx context.Context, conv im.Address, limit int) ([]im.Seq, error)
	Missed(ctx context.Context, newest int) (Missed, error)
	Read(ctx context.Context, conv im.Address, seq im.Seq) (im.Mine, error) // seq 0 = to the head
	Edit(context.Context, EditRequest) (Changed, error)

	GroupCreate(context.Context, NewGroup) (Group, error)
	GroupMembers(ctx context.Context, conv im.Address, after im.UserID, limit int) (members []MemberInfo, more bool, mver im.MVer, err error)
	GroupAdd(ctx context.Context, conv im.Address, users []im.UserID) (GroupChanged, error)
	GroupRemove(ctx context.Context, conv im.Address, users []im.UserID) (GroupChanged, error)
	GroupRole(ctx context.Context, conv im.Address, user im.UserID, role im.Role) (GroupChanged, error)
	GroupUpdate(ctx context.Context, conv im.Address, u GroupUpdate) (Group, error)
	Join(ctx context.Context, conv im.Address) (GroupChanged, error)
	Leave(ctx context.Context, conv im.Address) (GroupChanged, error)

	Block(ctx context.Context, user im.UserID) error
	Unblock(ctx context.Context, user im.UserID) error
	Blocks(ctx context.Context, after im.UserID, limit int) (users []im.UserID, more bool, err error)
	Devices(context.Context) ([]DeviceInfo, error)
	Kick(ctx context.Context, device im.DeviceID, reason string, revoke bool) error
}
