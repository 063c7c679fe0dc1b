package storetest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// limit is how long anything may take that is not meant to hang.
const limit = 60 * time.Second

// clock is a clock that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.UnixMilli(1_800_000_000_000)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// opened opens a store and closes it, or what it was reopened as, at the end.
func opened(t testing.TB, open Open, o Options) *Opened {
	t.Helper()
	op := open(t, o)
	if op.Store == nil {
		t.Skip("the store cannot be opened this way")
	}
	t.Cleanup(func() { op.Store.Close() })
	return &op
}

// reopen closes the store and opens it again.
func (o *Opened) reopen(t testing.TB) Store {
	t.Helper()
	if o.Reopen == nil {
		t.Skip("the store cannot be reopened")
	}
	o.Store = o.Reopen()
	return o.Store
}

// start submits op and returns what waits for its outcome.
func start(s store.Store, op store.Op) (wait func() error) {
	done := make(chan struct{})
	var once sync.Once
	twice := false
	op.Base().Done = func() {
		first := false
		once.Do(func() { first = true; close(done) })
		twice = twice || !first
	}
	if err := s.Submit(op); err != nil {
		return func() error { return err }
	}
	return func() error {
		timer := time.NewTimer(limit)
		defer timer.Stop()
		select {
		case <-done:
			return op.Base().Err
		case <-timer.C:
			return fmt.Errorf("storetest: %T had no outcome after %v", op, limit)
		}
	}
}

// do submits op and waits for its outcome.
func do(s store.Store, op store.Op) error { return start(s, op)() }

// must is do for what has to succeed.
func must[O store.Op](t testing.TB, s store.Store, op O) O {
	t.Helper()
	if err := do(s, op); err != nil {
		t.Fatalf("%T: %v", op, err)
	}
	return op
}

// fails is do for what has to end with an error of kind.
func fails(t testing.TB, s store.Store, op store.Op, kind im.Kind) {
	t.Helper()
	if err := do(s, op); !im.IsKind(err, kind) {
		t.Fatalf("%T ended with %v, want %v", op, err, kind)
	}
}

// turnedBack is do for what has to be turned back.
func turnedBack(t testing.TB, s store.Store, op store.Op) {
	t.Helper()
	if err := do(s, op); err != store.ErrTurnedBack {
		t.Fatalf("%T ended with %v, want that it is turned back", op, err)
	}
}

// text makes a message of sender with a body.
func text(sender im.UserID, id im.ClientID, body string) *im.Message {
	return &im.Message{ID: id, Sender: sender, Device: "phone", Type: "an:text", Flags: im.DefaultFlags, Body: []byte(body)}
}

// hash is what core would give as Hash.
func hash(m *im.Message) uint64 {
	return xxhash.Sum64String(fmt.Sprintf("%s %d ", m.Type, m.Flags)) ^ xxhash.Sum64(m.Body)
}

// direct is the send of m to peer.
func direct(m *im.Message, peer im.UserID) *store.AppendOp {
	return &store.AppendOp{Peer: peer, Msg: m, Hash: hash(m), Read: true}
}

// into is the send of m to a conversation whose head is known to be as it was.
func into(s store.Store, conv im.ConvID, m *im.Message) *store.AppendOp {
	h, _ := s.Head(conv)
	return &store.AppendOp{Conv: conv, Guard: h.MVer, Msg: m, Hash: hash(m), Read: true}
}

// group makes a group whose first member is its owner.
func group(t testing.TB, s store.Store, id im.GroupID, users ...im.UserID) im.ConvID {
	t.Helper()
	op := &store.MemberOp{Info: &im.GroupInfo{ID: id, Name: "group " + string(id)}, By: users[0],
		Msg: &im.Message{Sender: users[0], Type: "an:group", Flags: im.Persist}}
	for i, u := range users {
		role := im.Member
		if i == 0 {
			role = im.Owner
		}
		op.Set = append(op.Set, store.RoleSet{User: u, Role: role})
	}
	return must(t, s, op).At
}

// set changes one member's role.
func set(s store.Store, conv im.ConvID, by, u im.UserID, role im.Role) *store.MemberOp {
	h, _ := s.Head(conv)
	return &store.MemberOp{Conv: conv, Guard: h.MVer, By: by, Set: []store.RoleSet{{User: u, Role: role}},
		Msg: &im.Message{Sender: by, Type: "an:group", Flags: im.Persist}}
}

// edit and recall change a message as it is now.
func edit(s store.Store, conv im.ConvID, seq im.Seq, by im.UserID, body string) *store.ChangeOp {
	op := recall(s, conv, seq, by)
	op.Kind, op.Body = im.Edit, []byte(body)
	return op
}

func recall(s store.Store, conv im.ConvID, seq im.Seq, by im.UserID) *store.ChangeOp {
	h, _ := s.Head(conv)
	op := &store.ChangeOp{Conv: conv, Seq: seq, Guard: h.MVer, Kind: im.Recall, By: by, Device: "phone"}
	if m, ok, _ := s.Message(conv, seq); ok {
		op.Seen = m.Ver
	}
	return op
}

// change is a change of a message as it is now.
func change(s store.Store, conv im.ConvID, seq im.Seq, by im.UserID, kind im.ChangeKind) *store.ChangeOp {
	op := recall(s, conv, seq, by)
	op.Kind = kind
	return op
}

// same is a change that leaves all as it was: it is told so, and no change is numbered.
func same(t testing.TB, s store.Store, op *store.ChangeOp) {
	t.Helper()
	before := head(t, s, op.Conv)
	m := message(t, s, op.Conv, op.Seq)
	must(t, s, op)
	if !op.Dup || op.Ver != m.Ver || differ(op.Msg, m) != "" || len(op.Added)+len(op.Removed) > 0 {
		t.Fatalf("what leaves all as it was ended as %+v", op)
	}
	if h := head(t, s, op.Conv); h.Ver != before.Ver {
		t.Fatalf("what leaves all as it was became change %d", h.Ver)
	}
}

// head is a head that has to be there.
func head(t testing.TB, s store.Store, conv im.ConvID) store.Head {
	t.Helper()
	h, ok := s.Head(conv)
	if !ok {
		t.Fatalf("conversation %d has no head", conv)
	}
	return h
}

// row is a row that has to be there.
func row(t testing.TB, s store.Store, conv im.ConvID, u im.UserID) store.Row {
	t.Helper()
	r, ok, err := s.Row(conv, u)
	if err != nil || !ok {
		t.Fatalf("row of %s in %d: %v %v", u, conv, ok, err)
	}
	return r
}

// unread is what u has not read in conv.
func unread(t testing.TB, s store.Store, conv im.ConvID, u im.UserID) uint64 {
	t.Helper()
	r, h := row(t, s, conv, u), head(t, s, conv)
	n, _ := h.Unread(&r)
	return n
}

// message is a message that has to be there.
func message(t testing.TB, s store.Store, conv im.ConvID, seq im.Seq) *im.Message {
	t.Helper()
	m, ok, err := s.Message(conv, seq)
	if err != nil || !ok {
		t.Fatalf("message %d of %d: %v %v", seq, conv, ok, err)
	}
	return m
}

// every reads all of a conversation in pages.
func every(s store.Store, conv im.ConvID) ([]*im.Message, error) {
	h, _ := s.Head(conv)
	var all []*im.Message
	for from := im.Seq(1); from <= h.Seq; {
		p, err := s.Page(store.PageQuery{Conv: conv, From: from, To: h.Seq, Limit: 1000, Bytes: 8 << 20})
		if err != nil {
			return nil, err
		}
		if p.From != from || p.To < p.From {
			return nil, fmt.Errorf("storetest: page from %d of conversation %d covers %d..%d", from, conv, p.From, p.To)
		}
		all = append(all, p.Messages...)
		from = p.To + 1
	}
	return all, nil
}

// differ says how two messages differ, "" if they do not. Empty and absent are one.
func differ(a, b *im.Message) string {
	if x, y := show(a), show(b); x != y {
		return fmt.Sprintf("%s\n  against %s", x, y)
	}
	return ""
}

func show(m *im.Message) string {
	if m == nil {
		return "gone"
	}
	c := *m
	mentions := im.Mentions{}
	if c.Mentions != nil {
		mentions = *c.Mentions
	}
	body := fmt.Sprintf("%q", c.Body)
	if len(body) > 80 {
		body = fmt.Sprintf("%s… %d bytes %016x", body[:60], len(c.Body), xxhash.Sum64(c.Body))
	}
	parts := ""
	if c.Pin != nil {
		parts += fmt.Sprintf(" pin=%+v", *c.Pin)
	}
	if c.Origin != nil {
		parts += fmt.Sprintf(" origin=%+v", *c.Origin)
	}
	c.Mentions, c.Body, c.Pin, c.Origin = nil, nil, nil, nil
	if len(c.To) == 0 {
		c.To = nil
	}
	return fmt.Sprintf("%+v body=%s mentions=%v %q %v%s", c, body, mentions.All, mentions.Users, mentions.Roles, parts)
}
