package mobile

import (
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
	EditedMillis  int64

	mentions []string
	to       []string
	text     string
	shown    bool
}

func messageOf(m *client.Message) *Message {
	if m == nil {
		return nil
	}
	return &Message{Conv: m.Conv, Seq: int64(m.Seq), Ver: int64(m.Ver), N: int64(m.N), NA: int64(m.NA), Millis: millis(m.Time),
		ID: m.ID, Sender: m.Sender, Device: m.Device, Type: m.Type, Flags: int(m.Flags), Body: m.Body, Digest: m.Digest,
		MentionsAll: m.MentionsAll, ReplyTo: int64(m.ReplyTo), Thread: int64(m.Thread), ExpiresMillis: millis(m.Expires),
		PushText: m.Push, Recalled: m.Recalled, RecalledBy: m.RecalledBy, EditedMillis: millis(m.Edited),
		mentions: m.Mentions, to: m.To, text: m.Text(), shown: m.Shown()}
}

// Text is what a person can read of it.
func (m *Message) Text() string {
	if m == nil {
		return ""
	}
	return m.text
}

// Shown says whether it belongs to the history that people see.
func (m *Message) Shown() bool { return m != nil && m.shown }

// Mentions are the users it names.
func (m *Message) Mentions() *Strings {
	if m == nil {
		return new(Strings)
	}
	return &Strings{m.mentions}
}

// To are the members it is for; none = all.
func (m *Message) To() *Strings {
	if m == nil {
		return new(Strings)
	}
	return &Strings{m.to}
}

// Change is an edit, a recall, or a change of the account.
type Change struct {
	Conv    string
	Ver     int64
	Seq     int64
	Kind    string // edit, recall, block, unblock
	By      string
	Device  string
	ID      string
	Millis  int64
	PeerID  string   // of a block
	Message *Message // as it is now; may be null
}

func changeOf(conv string, c *client.Change) *Change {
	return &Change{Conv: conv, Ver: int64(c.Ver), Seq: int64(c.Seq), Kind: c.Kind, By: c.By, Device: c.Device, ID: c.ID,
		Millis: millis(c.Time), PeerID: c.Peer, Message: messageOf(c.Message)}
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

	HasPeer       bool
	PeerRead      int64
	PeerDelivered int64

	readers []client.Reader
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
}

func conversationOf(c *client.Conversation) *Conversation {
	i := &Info{Conv: c.Conv}
	i.head(&c.Head)
	i.mine(&c.Mine)
	i.peer(c.Peer)
	return &Conversation{Conv: c.Conv, Info: i, Group: groupOf(c.Group), Last: messageOf(c.Last)}
}

// Conversations is a list of them.
type Conversations struct{ list []*client.Conversation }

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
}

func groupOf(g *client.Group) *Group {
	if g == nil {
		return nil
	}
	return &Group{ID: g.ID, Name: g.Name, Join: g.Join, History: g.History, Members: g.Members, Owner: g.Owner}
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
	return &Member{User: m.User, Role: m.Role, Online: m.Online}
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
