package wire

// Version is the major version of the protocol that this package speaks; it stands
// in Hello.version.
const Version = 1

// Where the protocol is found.
const (
	SubprotocolBinary = "anser.v1.bin"  // WebSocket binary messages; also the name on WebTransport
	SubprotocolJSON   = "anser.v1.json" // WebSocket text messages
	Path              = "/v1/ws"        // of the WebSocket
	ALPN              = "anser/1"       // on QUIC
)

// Sizes in bytes. A server tells its own in Welcome.
const (
	MaxFrame      = 1 << 20  // the largest body of a frame, whole and decompressed, unless agreed otherwise
	MaxFirstFrame = 64 << 10 // the same before Welcome
	FragmentSize  = 32 << 10 // the largest body of a fragment
	CompressOver  = 512      // a body of at most so many bytes is never compressed
	MaxBodyDepth  = 64       // levels of a message body that is still passed as JSON in JSON
	MaxJSONDepth  = 96       // levels of a whole JSON unit, bodies included
)

// Features that a server may name in Welcome.features.
const (
	FeatureZstd = "zstd" // it reads compressed frames
)

// Bits of Message.flags and Send.flags. 0 is a command: numbered and delivered, also
// later, but not shown.
const (
	FlagPersist = 1  // kept in the history
	FlagCount   = 2  // adds to the unread count; implies FlagPersist
	FlagStatus  = 16 // only for who is online now; no number, not stored
)

// Device classes, in Device.class.
const (
	ClassPhone   = "phone"
	ClassTablet  = "tablet"
	ClassDesktop = "desktop"
	ClassWeb     = "web"
	ClassBot     = "bot"
	ClassLine    = "line"
)

// Kinds of network, in ClientState.network_kind.
const (
	NetworkWifi  = "wifi"
	NetworkCell  = "cell"
	NetworkWired = "wired"
)

// Roles in a group. Empty means not in it.
const (
	RoleOwner  = "owner"
	RoleAdmin  = "admin"
	RoleMember = "member"
)

// Settings of a group: who may come in, and what of its history who comes in sees.
const (
	JoinOpen      = "open"
	JoinInvite    = "invite"
	HistoryJoined = "joined"
	HistoryAll    = "all"
)

// Kinds of change, in Change.kind.
const (
	ChangeEdit    = "edit"
	ChangeRecall  = "recall"
	ChangeReact   = "react"
	ChangeExpand  = "expand"
	ChangePin     = "pin"     // or taken down
	ChangeDelete  = "delete"  // for all
	ChangeRestore = "restore" // what was deleted is there again
	ChangeBurn    = "burn"    // the peer has read it
	ChangeBlock   = "block"   // in the log of "me"
	ChangeUnblock = "unblock" // in the log of "me"
	ChangeNote    = "note"    // in the log of "me"
)

// What happened to a group, in GroupEvent.op.
const (
	GroupCreated = "create"
	GroupAdded   = "add"
	GroupRemoved = "remove"
	GroupLeft    = "leave"
	GroupJoined  = "join"
	GroupRoleSet = "role"
	GroupUpdated = "update"
	GroupClosed  = "close"
	GroupMuted   = "mute"
	GroupNicked  = "nick"
)

// Levels of notification. Empty = as inherited.
const (
	LevelAll      = "all"
	LevelMentions = "mentions" // @all and mentions by name
	LevelMe       = "me"       // mentions by name
	LevelAtAll    = "at_all"   // @all
	LevelNone     = "none"
)

// Kinds of conversation, in Filter.kinds.
const (
	KindDirect = "direct"
	KindGroup  = "group"
)

// Kinds of signal that the server or the SDKs know.
const (
	SignalTyping    = "typing"
	SignalRecording = "recording"
	SignalPresence  = "presence" // from the server: the body is a Presence
)

// Reasons of GoAway.
const (
	ReasonDrain     = "drain"     // the node is shutting down; resume, here or elsewhere, after retry_after_ms
	ReasonRedirect  = "redirect"  // go to one of nodes
	ReasonKicked    = "kicked"    // ended by the user, an administrator or a policy: do not come back by yourself
	ReasonReplaced  = "replaced"  // the same device signed in elsewhere: do not come back by yourself
	ReasonOverload  = "overload"  // the node has no room; come back after retry_after_ms
	ReasonToken     = "token"     // the token is over, revoked or not good here: get another one first
	ReasonSlow      = "slow"      // took no byte for too long; resumable
	ReasonSilent    = "silent"    // sent no byte for too long; resumable
	ReasonMalformed = "malformed" // bytes that are no frame, or a frame out of order
	ReasonTooLarge  = "too_large" // a frame above the limit
	ReasonVersion   = "version"   // no version in common
)
