package im

// Head is the state of a conversation as everyone in it is told.
type Head struct {
	Seq       Seq
	Ver       Ver
	MVer      MVer
	N         uint64 // COUNT messages so far
	NA        uint64 // @all messages so far
	Time      int64  // of the newest message, Unix milliseconds
	LastShown Seq    // the newest message with PERSIST
	Min       Seq    // the first number that may still be there
	Members   int
}

// Mine is what a conversation is to one user.
type Mine struct {
	From      Seq // the first number he may see
	Read      Seq
	Unread    uint64
	UnreadAll uint64 // unread @all messages
	Mentions  int    // unread mentions of him by name, to at most 100
	Role      Role   // NoRole: not in it
	Left      bool
	MVer      MVer
	Blocked   bool // direct: he blocks the peer

	Settings   Settings
	Gone       []SeqRange // deleted for him alone
	Nick       string     // his name in this group
	MutedUntil int64      // he may not send here before, Unix milliseconds; 0 = he may
}

// Peer is how far the other user of a direct conversation has got.
type Peer struct {
	Read      Seq
	Delivered Seq
}

// Reader is the read mark of another member.
type Reader struct {
	User UserID
	Read Seq
}

// State carries absolute values of what has no number. Parts that are nil did not
// move.
type State struct {
	Head    *Head
	Mine    *Mine
	Peer    *Peer
	Readers []Reader // in small groups
}

// Signal is something that holds for a moment: typing, recording. It is never
// stored.
type Signal struct {
	Kind   string // 1-32 printable bytes
	Body   []byte // at most MaxSignalBody bytes
	TTL    int64  // milliseconds it holds; at most 60,000
	Sender UserID
	Device DeviceID
}

// MaxSignalBody is the most bytes of a signal's body.
const MaxSignalBody = 4 << 10
