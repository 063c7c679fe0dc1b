package mobile

import (
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/anser-im/anser/client"
)

var lastPanic atomic.Value // string

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// Strings is a list of texts.
type Strings struct{ list []string }

// NewStrings makes an empty list.
func NewStrings() *Strings { return new(Strings) }

// Add appends s.
func (l *Strings) Add(s string) {
	if l != nil {
		l.list = append(l.list, s)
	}
}

// Len is how many there are.
func (l *Strings) Len() int {
	if l == nil {
		return 0
	}
	return len(l.list)
}

// Get is number i, from 0; empty if there is none.
func (l *Strings) Get(i int) string {
	if i < 0 || i >= l.Len() {
		return ""
	}
	return l.list[i]
}

func (l *Strings) slice() []string {
	if l == nil {
		return nil
	}
	return l.list
}

// Message is one message of a conversation.
type Message struct {
	Conv   string // u/<user>, g/<id>
	Seq    int64  // number in the conversation; 0 for a STATUS message
	Ver    int64  // of its last change; 0 = never changed
	N      int64
	NA     int64
	Millis int64 // the server's time
	ID     string
	Sender string
	Device string
	Type   string // an:text, app:card
	Flags  int    // 1 kept, 2 counted, 16 for now only; 0 = a command, not shown
	Body   []byte

	Digest        string
	MentionsAll   bool
	ReplyTo       int64
	Thread        int64
	ExpiresMillis int64
	PushText      string
	Recalled      bool
	RecalledBy    string
	Silent        bool // recalled without a trace: show nothing in its place
	EditedMillis  int64
	BurnSeconds   int64 // it is kept so long once the peer has read it; 0 = it does not burn

	PinnedBy     string // empty = not pinned
	PinnedMillis int64
	OriginSender string // of a forwarded message; else empty
	OriginMillis int64
	OriginType   string

	Replies          int // messages that answer it, as far as it is known here
	ThreadCount      int // messages in the thread that it began
	ThreadLast       int64
	ThreadLastMillis int64

	LocalID    string // of a message that Insert made
	LocalAfter int64  // it stands behind the message with this number

	m *client.Message
}

func messageOf(m *client.Message) *Message {
	if m == nil {
		return nil
	}
	out := &Message{Conv: m.Conv, Seq: int64(m.Seq), Ver: int64(m.Ver), N: int64(m.N), NA: int64(m.NA), Millis: millis(m.Time),
		ID: m.ID, Sender: m.Sender, Device: m.Device, Type: m.Type, Flags: int(m.Flags), Body: m.Body, Digest: m.Digest,
		MentionsAll: m.MentionsAll, ReplyTo: int64(m.ReplyTo), Thread: int64(m.Thread), ExpiresMillis: millis(m.Expires),
		PushText: m.Push, Recalled: m.Recalled, RecalledBy: m.RecalledBy, Silent: m.Silent, EditedMillis: millis(m.Edited),
		BurnSeconds: int64(m.Burn / time.Second), m: m}
	if p := m.Pin; p != nil {
		out.PinnedBy, out.PinnedMillis = p.By, millis(p.Time)
	}
	if o := m.Origin; o != nil {
		out.OriginSender, out.OriginMillis, out.OriginType = o.Sender, millis(o.Time), o.Type
	}
	if e := m.Extra; e != nil {
		out.Replies, out.ThreadCount, out.ThreadLast, out.ThreadLastMillis = e.Replies, e.Thread, int64(e.ThreadLast), millis(e.ThreadTime)
	}
	if l := m.Local; l != nil {
		out.LocalID, out.LocalAfter = l.ID, int64(l.After)
	}
	return out
}

// message is what m was made of; never nil.
func (m *Message) message() *client.Message {
	if m == nil || m.m == nil {
		return new(client.Message)
	}
	return m.m
}

// Text is what a person can read of it.
func (m *Message) Text() (text string) {
	defer mute()
	if m == nil || m.m == nil {
		return ""
	}
	return m.m.Text()
}

// Line is one line that stands for it in a list or notification, in a language: en,
// zh-CN.
func (m *Message) Line(locale string) (line string) {
	defer mute()
	if m == nil || m.m == nil {
		return ""
	}
	return m.m.Line(locale)
}

// Shown says whether it belongs to the history that people see.
func (m *Message) Shown() bool { return m.message().Shown() }

// Mentions are the users it names.
func (m *Message) Mentions() *Strings { return &Strings{m.message().Mentions} }

// To are the members it is for; none = all.
func (m *Message) To() *Strings { return &Strings{m.message().To} }

// Reactions are the signs that were put on it, in the order in which they came.
func (m *Message) Reactions() *Reactions {
	r := &Reactions{list: m.message().Reactions}
	if e := m.message().Extra; e != nil {
		r.mine = e.Mine
	}
	return r
}

// Expansion is the value of a key that was added after it was sent; empty = none.
func (m *Message) Expansion(key string) string { return m.message().Expansion[key] }

// ExpansionKeys are those keys.
func (m *Message) ExpansionKeys() *Strings {
	return &Strings{slices.Sorted(maps.Keys(m.message().Expansion))}
}

// LocalField is a field of the application's own: SetLocal.
func (m *Message) LocalField(name string) string {
	if l := m.message().Local; l != nil {
		return l.Fields[name]
	}
	return ""
}

// Reaction is how many users have put one sign on a message.
type Reaction struct {
	Key   string
	Count int
	Mine  bool // this user is one of them, as far as it is known here
}

// Reactions is a list of them.
type Reactions struct {
	list []client.Reaction
	mine []string
}

// Len is how many there are.
func (l *Reactions) Len() int {
	if l == nil {
		return 0
	}
	return len(l.list)
}

// Get is number i, from 0; null if there is none.
func (l *Reactions) Get(i int) *Reaction {
	if i < 0 || i >= l.Len() {
		return nil
	}
	r := l.list[i]
	return &Reaction{Key: r.Key, Count: r.Count, Mine: slices.Contains(l.mine, r.Key)}
}

// Messages is a list of messages.
type Messages struct{ list []*client.Message }

// Len is how many there are.
func (l *Messages) Len() int {
	if l == nil {
		return 0
	}
	return len(l.list)
}

// Get is number i, from 0; null if there is none.
func (l *Messages) Get(i int) *Message {
	if i < 0 || i >= l.Len() {
		return nil
	}
	return messageOf(l.list[i])
}

// Ranges are numbers of messages: from..to, both inclusive.
type Ranges struct{ list []client.Range }

// Len is how many there are.
func (l *Ranges) Len() int {
	if l == nil {
		return 0
	}
	return len(l.list)
}

// From is where number i begins.
func (l *Ranges) From(i int) int64 {
	if i < 0 || i >= l.Len() {
		return 0
	}
	return int64(l.list[i].From)
}

// To is where number i ends.
func (l *Ranges) To(i int) int64 {
	if i < 0 || i >= l.Len() {
		return 0
	}
	return int64(l.list[i].To)
}

// Note is something that another device of this user has set: a draft, the profile, a
// reminder that is due.
type Note struct {
	Key   string // draft/<conv>, profile, notify, quiet/<conv>, saved/..., reminder/<id>
	Value string // JSON
	Gone  bool   // it was removed
}

// Change is an edit, a recall, or a change of the account.
type Change struct {
	Conv    string
	Ver     int64
	Seq     int64
	Kind    string // edit, recall, react, expand, pin, delete, restore, burn; block, unblock
	By      string
	Device  string
	ID      string
	Millis  int64
	PeerID  string   // of a block
	Message *Message // as it is now; null with delete
	Added   *Strings // react: signs that By added
	Removed *Strings // react: signs that By took away
}

func changeOf(conv string, c *client.Change) *Change {
	return &Change{Conv: conv, Ver: int64(c.Ver), Seq: int64(c.Seq), Kind: c.Kind, By: c.By, Device: c.Device, ID: c.ID,
		Millis: millis(c.Time), PeerID: c.Peer, Message: messageOf(c.Message), Added: &Strings{c.Added}, Removed: &Strings{c.Removed}}
}

// Sent is a message of this device that was accepted.
type Sent struct {
	ID        string
	Conv      string
	Seq       int64
	N         int64
	Millis    int64
	Duplicate bool
}

// Info is what moved in a conversation besides its messages. The Has fields say which
// parts are set.
type Info struct {
	Conv string

	HasHead   bool
	HeadSeq   int64
	HeadN     int64
	LastShown int64
	Members   int

	HasMine   bool
	From      int64
	Read      int64
	Unread    int64
	UnreadAll int64
	Mentions  int64
	Role      string
	Left      bool
	Blocked   bool

	Nick             string // my name in this group
	MutedUntilMillis int64  // I may not send before; 0 = I may
	PinnedMillis     int64  // the conversation stands at the top since; 0 = it does not
	Level            string // what I am notified of: all, mentions, me, at_all, none; empty = as inherited
	HiddenUpTo       int64  // out of the list until a message above this number comes; 0 = it is not
	Archived         bool
	Marked           bool   // marked unread by hand
	Remark           string // my own name for it

	HasPeer       bool
	PeerRead      int64
	PeerDelivered int64

	readers []client.Reader
	tags    []string
	gone    []client.Range
}

// Tags are the folders it is in.
func (i *Info) Tags() *Strings {
	if i == nil {
		return new(Strings)
	}
	return &Strings{i.tags}
}

// Gone are the messages that this user deleted for himself alone.
func (i *Info) Gone() *Ranges {
	if i == nil {
		return new(Ranges)
	}
	return &Ranges{i.gone}
}

// ReaderCount is how many other members' read marks came along.
func (i *Info) ReaderCount() int {
	if i == nil {
		return 0
	}
	return len(i.readers)
}

// ReaderUser is whose mark number n is.
func (i *Info) ReaderUser(n int) string {
	if n < 0 || n >= i.ReaderCount() {
		return ""
	}
	return i.readers[n].User
}

// ReaderRead is mark number n.
func (i *Info) ReaderRead(n int) int64 {
	if n < 0 || n >= i.ReaderCount() {
		return 0
	}
	return int64(i.readers[n].Read)
}

func (i *Info) head(h *client.Head) {
	if h != nil {
		i.HasHead, i.HeadSeq, i.HeadN, i.LastShown, i.Members = true, int64(h.Seq), int64(h.N), int64(h.LastShown), h.Members
	}
}

func (i *Info) mine(m *client.Mine) {
	if m != nil {
		i.HasMine, i.From, i.Read, i.Unread, i.UnreadAll = true, int64(m.From), int64(m.Read), int64(m.Unread), int64(m.UnreadAll)
		i.Mentions, i.Role, i.Left, i.Blocked = int64(m.Mentions), m.Role, m.Left, m.Blocked
		i.Nick, i.MutedUntilMillis, i.gone = m.Nick, millis(m.MutedUntil), m.Gone
		s := &m.Settings
		i.PinnedMillis, i.Level, i.HiddenUpTo = millis(s.Pinned), s.Level, int64(s.Hidden)
		i.Archived, i.Marked, i.Remark, i.tags = s.Archived, s.Marked, s.Remark, s.Tags
	}
}

func (i *Info) peer(p *client.Peer) {
	if p != nil {
		i.HasPeer, i.PeerRead, i.PeerDelivered = true, int64(p.Read), int64(p.Delivered)
	}
}

func infoOf(conv string, in *client.Info) *Info {
	i := &Info{Conv: conv, readers: in.Readers}
	i.head(in.Head)
	i.mine(in.Mine)
	i.peer(in.Peer)
	return i
}

// Conversation is one conversation as the server sees it.
type Conversation struct {
	Conv  string
	Info  *Info
	Group *Group   // null for a direct one
	Last  *Message // the newest message that people see; may be null

	Digest string // one line for it, in this device's language
	Level  string // what this user is notified of, after all that is inherited

	recent []*client.Message
}

// Recent are its newest messages, if they came along.
func (c *Conversation) Recent() *Messages {
	if c == nil {
		return new(Messages)
	}
	return &Messages{c.recent}
}

func conversationOf(c *client.Conversation) *Conversation {
	i := &Info{Conv: c.Conv}
	i.head(&c.Head)
	i.mine(&c.Mine)
	i.peer(c.Peer)
	out := &Conversation{Conv: c.Conv, Info: i, Group: groupOf(c.Group), Last: messageOf(c.Last), Digest: c.Digest, Level: c.Level}
	if c.Recent != nil {
		out.recent = c.Recent.Messages
	}
	return out
}

// Conversations is a list of them.
type Conversations struct {
	Next string // where the rest goes on: List; empty = that was all
	list []*client.Conversation
}

// Len is how many there are.
func (l *Conversations) Len() int {
	if l == nil {
		return 0
	}
	return len(l.list)
}

// Get is number i, from 0; null if there is none.
func (l *Conversations) Get(i int) *Conversation {
	if i < 0 || i >= l.Len() {
		return nil
	}
	return conversationOf(l.list[i])
}

// Group is what a group is called and how it behaves.
type Group struct {
	ID      string
	Name    string
	Join    string // open, invite
	History string // joined, all
	Members int
	Owner   string
	Mute    bool // only owner and admins may send
}

func groupOf(g *client.Group) *Group {
	if g == nil {
		return nil
	}
	return &Group{ID: g.ID, Name: g.Name, Join: g.Join, History: g.History, Members: g.Members, Owner: g.Owner, Mute: g.Mute}
}

// Page is a part of a conversation's history: every number from From to To that has no
// message here is settled.
type Page struct {
	From, To int64
	HeadSeq  int64
	list     []*client.Message
}

func pageOf(p *client.Page) *Page {
	return &Page{From: int64(p.From), To: int64(p.To), HeadSeq: int64(p.Head.Seq), list: p.Messages}
}

// Len is how many messages there are.
func (p *Page) Len() int {
	if p == nil {
		return 0
	}
	return len(p.list)
}

// Get is number i, from 0, ascending; null if there is none.
func (p *Page) Get(i int) *Message {
	if i < 0 || i >= p.Len() {
		return nil
	}
	return messageOf(p.list[i])
}

// Numbers is a list of message numbers.
type Numbers struct{ list []uint64 }

// Len is how many there are.
func (l *Numbers) Len() int {
	if l == nil {
		return 0
	}
	return len(l.list)
}

// Get is number i, from 0; 0 if there is none.
func (l *Numbers) Get(i int) int64 {
	if i < 0 || i >= l.Len() {
		return 0
	}
	return int64(l.list[i])
}

// Member is a member of a group.
type Member struct {
	User   string
	Role   string
	Online bool

	Nick             string // name in this group
	MutedUntilMillis int64  // may not send before; 0 = may
}

// Members is a page of a group's members.
type Members struct {
	More bool // ask again after the last one's user id
	list []client.Member
}

// Len is how many there are.
func (l *Members) Len() int {
	if l == nil {
		return 0
	}
	return len(l.list)
}

// Get is number i, from 0; null if there is none.
func (l *Members) Get(i int) *Member {
	if i < 0 || i >= l.Len() {
		return nil
	}
	m := l.list[i]
	return &Member{User: m.User, Role: m.Role, Online: m.Online, Nick: m.Nick, MutedUntilMillis: millis(m.MutedUntil)}
}

// DeviceInfo is one of this user's devices.
type DeviceInfo struct {
	ID             string
	DeviceClass    string
	OS             string
	SDK            string
	Online         bool
	LastSeenMillis int64
}

// Devices is a list of them.
type Devices struct{ list []client.DeviceInfo }

// Len is how many there are.
func (l *Devices) Len() int {
	if l == nil {
		return 0
	}
	return len(l.list)
}

// Get is number i, from 0; null if there is none.
func (l *Devices) Get(i int) *DeviceInfo {
	if i < 0 || i >= l.Len() {
		return nil
	}
	d := l.list[i]
	return &DeviceInfo{ID: d.ID, DeviceClass: d.Class, OS: d.OS, SDK: d.SDK, Online: d.Online, LastSeenMillis: millis(d.LastSeen)}
}

// Queued is a message that waits to be accepted.
type Queued struct {
	ID            string
	Conv          string
	Type          string
	Body          []byte
	Digest        string
	CreatedMillis int64
}

// Outbox is a list of them, oldest first.
type Outbox struct{ list []client.Queued }

// Len is how many there are.
func (l *Outbox) Len() int {
	if l == nil {
		return 0
	}
	return len(l.list)
}

// Get is number i, from 0; null if there is none.
func (l *Outbox) Get(i int) *Queued {
	if i < 0 || i >= l.Len() {
		return nil
	}
	q := l.list[i]
	return &Queued{ID: q.ID, Conv: q.Conv, Type: q.Type, Body: q.Body, Digest: q.Digest, CreatedMillis: millis(q.Created)}
}

// Signal is what passes by: typing and the like.
type Signal struct {
	Conv      string
	Kind      string
	Body      []byte
	TTLMillis int64
	Sender    string
	Device    string
}

// State is how the connection stands.
type State struct {
	Phase         string // idle, connecting, waiting, online, stopped
	Synced        bool
	Stuck         bool
	Endpoint      string
	User          string
	Device        string
	ErrorText     string
	StopReason    string // stopped: replaced, kicked, token, user
	RetryAtMillis int64
}
