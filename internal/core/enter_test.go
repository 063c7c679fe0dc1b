package core

import (
	"testing"
	"time"

	"github.com/anser-im/anser/internal/auth"
	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store/memstore"
)

// enter makes a session without a link.
func (w *world) enter(u im.UserID, device im.DeviceID) *Session {
	w.Helper()
	s, err := w.c.Enter(w.Context(), Login{Token: w.token(auth.Claims{User: u}), Device: device})
	w.ok(err)
	w.Cleanup(s.Close)
	return s
}

// act makes a session of the app.
func (w *world) act(u im.UserID) *Session {
	w.Helper()
	s, err := w.c.Act(u, "")
	w.ok(err)
	w.Cleanup(s.Close)
	return s
}

// send sends one text and answers it when it is durable. Flags that are set are those
// that the client gave.
func (w *world) send(s *Session, to im.Address, body string, change ...func(*im.Message)) (*Send, error) {
	m := &im.Message{ID: w.id(), Type: "an:text", Body: []byte(body)}
	for _, f := range change {
		f(m)
	}
	snd := &Send{To: to, Msg: m, HasFlags: m.Flags != 0}
	err := s.SendWait(w.Context(), snd)
	return snd, err
}

// conv is the number of what u calls addr.
func (w *world) conv(u im.UserID, addr im.Address) im.ConvID {
	w.Helper()
	ref, err := w.c.look(u, addr)
	w.ok(err)
	return ref.conv
}

// TestEnter: a session for one request does what the user may do; his devices are told
// of it, that with the same id too, and none is replaced.
func TestEnter(t *testing.T) {
	w := newWorld(t, Config{})
	phone, bob := w.login("alice", "phone"), w.login("bob", "phone")
	s := w.enter("alice", "phone")
	if n := len(w.c.hub.Sessions("alice")); n != 1 || w.c.sessions() != 2 {
		t.Fatalf("%d sessions of alice, %d in all", n, w.c.sessions())
	}
	snd, err := w.send(s, "u/bob", "hello")
	w.ok(err)
	for _, c := range []*client{phone, bob} {
		if it := c.next(); it.Msg == nil || it.Msg != snd.Msg || it.Msg.Device != "phone" {
			t.Fatalf("%s is told %+v", c.user, it.Event)
		}
	}
	if mine := w.mine("alice", "u/bob"); mine.Read != snd.Seq {
		t.Fatalf("a send of the user's own leaves the cursor at %d", mine.Read)
	}
	_, err = s.Edit(w.Context(), EditRequest{Conv: "u/bob", Seq: snd.Seq, ID: "e1", Body: []byte("hi")})
	w.ok(err)
	for _, c := range []*client{phone, bob} {
		if it := c.until(func(it Item) bool { return it.Change != nil }); it.Ver != 1 {
			t.Fatalf("%s is told %+v", c.user, it.Event)
		}
	}
	if items, first := s.Take(nil, 10, 1<<20); items != nil || first != 0 {
		t.Fatal("it takes something")
	}
	s.Ack(1, []Pulled{{Conv: "u/bob", Seq: 1}})
	s.SetState(ClientState{})
	s.Confirm()
	_, err = s.Missed(w.Context(), 0)
	w.refused(err, im.Unsupported)
	_, err = s.Renew(w.Context(), w.token(auth.Claims{User: "alice"}))
	w.refused(err, im.Unsupported)
	s.Close()
	_, err = w.send(s, "u/bob", "late")
	w.refused(err, im.Unavailable)
	_, _, err = s.Page(w.Context(), PageQuery{Conv: "u/bob"})
	w.refused(err, im.Unavailable)
	if n := len(w.c.hub.Sessions("alice")); n != 1 {
		t.Fatalf("%d sessions of alice", n)
	}
}

// TestEnterRefused: tokens that Login would refuse.
func TestEnterRefused(t *testing.T) {
	w := newWorld(t, Config{})
	enter := func(l Login) error {
		s, err := w.c.Enter(w.Context(), l)
		if err == nil {
			s.Close()
		}
		return err
	}
	w.refused(enter(Login{}), im.Unauthenticated)
	w.refused(enter(Login{Token: "a.b.c"}), im.Unauthenticated)
	w.refused(enter(Login{Token: w.token(auth.Claims{User: "alice", Doors: []string{"native"}})}), im.Unauthenticated, im.CodeDoor)
	bound := w.token(auth.Claims{User: "alice", Device: "phone"})
	w.refused(enter(Login{Token: bound, Device: "other"}), im.Unauthenticated, im.CodeOtherDevice)
	w.ok(enter(Login{Token: bound}))
	w.refused(enter(Login{Token: w.token(auth.Claims{User: "alice"}), Device: "a/b"}), im.Invalid)
	w.refused(enter(Login{Token: w.token(auth.Claims{User: "alice"}), Class: "toaster"}), im.Invalid)
	token := w.token(auth.Claims{User: "alice"})
	w.ok(enter(Login{Token: token}))
	_, err := w.rev.RevokeUser(w.Context(), "alice")
	w.ok(err)
	w.refused(enter(Login{Token: token}), im.Unauthenticated, im.CodeRevoked)
	w.c.draining.Store(true)
	w.refused(enter(Login{Token: w.token(auth.Claims{User: "bob"})}), im.Busy, im.CodeDraining)
	_, err = w.c.Act("bob", "")
	w.refused(err, im.Busy, im.CodeDraining)
}

// TestEnterRates: requests of a user share one rate with his devices, and leave
// nothing behind.
func TestEnterRates(t *testing.T) {
	now := newClock()
	w := newWorld(t, Config{Clock: now.Now, Limits: im.Limits{SendRate: 1, SendBurst: 3}})
	for range 3 {
		s := w.enter("alice", "")
		snd, err := w.send(s, "u/bob", "x")
		w.ok(err)
		if snd.Msg.Device != "" {
			t.Fatalf("sent from device %q", snd.Msg.Device)
		}
		s.Close()
	}
	s := w.enter("alice", "")
	_, err := w.send(s, "u/bob", "x")
	w.refused(err, im.Limited)
	w.refused(s.Block(w.Context(), "bob"), im.Limited)
	s.Close()
	now.add(10_000)
	s = w.enter("alice", "")
	_, err = w.send(s, "u/bob", "x")
	w.ok(err)
	now.add(10_000)
	s.Close()
	sh := &w.c.rates.shards[w.c.of("alice", len(w.c.rates.shards))]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if l := sh.users["alice"]; l != nil {
		t.Fatalf("alice's rate stays with %d holders", l.refs)
	}
}

// TestEnterKnown: where only known users may be written to, a user who came over HTTP
// is one.
func TestEnterKnown(t *testing.T) {
	w := newWorld(t, Config{UsersKnown: true})
	w.enter("bob", "")
	alice := w.enter("alice", "")
	_, err := w.send(alice, "u/bob", "x")
	w.ok(err)
	_, err = w.send(alice, "u/carol", "x")
	w.refused(err, im.NotFound)
	s := w.act("carol") // only somebody's token says that he is
	_, err = w.send(s, "u/bob", "x")
	w.ok(err)
	_, err = w.send(alice, "u/dave", "x")
	w.refused(err, im.NotFound)
}

// TestAct: what the app does for a user: no rate, no cursor, no role, no window; what
// receivers have set holds.
func TestAct(t *testing.T) {
	now := newClock()
	w := newWorld(t, Config{Clock: now.Now, NoGroups: true, Limits: im.Limits{SendRate: 1, SendBurst: 1, RecallWindow: time.Minute, EditWindow: time.Minute}})
	phone := w.login("alice", "phone")
	app := w.act("alice")
	if !app.isApp() || app.user != "alice" {
		t.Fatal("it is not the app's")
	}
	var last *Send
	for range 5 {
		var err error
		last, err = w.send(app, "u/bob", "x")
		w.ok(err)
	}
	if last.Msg.Sender != "alice" || last.Msg.Device != "" {
		t.Fatalf("sent by %s/%s", last.Msg.Sender, last.Msg.Device)
	}
	if mine := w.mine("alice", "u/bob"); mine.Read != 0 {
		t.Fatalf("what the app sent moved alice's cursor to %d", mine.Read)
	}
	if it := phone.until(func(it Item) bool { return it.Seq == last.Seq }); it.Msg == nil {
		t.Fatal("alice's phone is not told")
	}
	now.add(120_000)
	_, err := w.as("alice").Recall(w.Context(), RecallRequest{Conv: "u/bob", Seq: 1})
	w.refused(err, im.Denied)
	_, err = w.act("bob").Edit(w.Context(), EditRequest{Conv: "u/alice", Seq: 1, ID: "e", Body: []byte("y")})
	w.ok(err)
	_, err = w.act("bob").Recall(w.Context(), RecallRequest{Conv: "u/alice", Seq: 1})
	w.ok(err)

	w.ok(w.act("bob").Block(w.Context(), "alice"))
	_, err = w.send(app, "u/bob", "x")
	w.refused(err, im.Denied, im.CodeNotAccepted)

	g, err := app.GroupCreate(w.Context(), NewGroup{ID: "g", Members: []im.UserID{"carol", "dave"}})
	w.ok(err)
	conv := im.GroupAddress(g.ID)
	_, err = w.act("carol").GroupRemove(w.Context(), conv, []im.UserID{"dave"})
	w.ok(err)
	_, err = w.act("carol").GroupRemove(w.Context(), conv, []im.UserID{"alice"})
	w.ok(err)
	_, err = w.as("carol").GroupRole(w.Context(), conv, "carol", im.Member)
	w.refused(err, im.Invalid) // who owns it now
	_, err = w.act("carol").GroupAdd(w.Context(), conv, []im.UserID{"dave"})
	w.ok(err)
	_, err = w.act("dave").GroupRole(w.Context(), conv, "dave", im.Owner)
	w.ok(err)
	_, err = w.act("carol").GroupRole(w.Context(), conv, "dave", im.Member)
	w.refused(err, im.Invalid)
	if g, err := w.as("dave").group(conv); err != nil || g.Owner != "dave" || g.Members != 2 {
		t.Fatalf("the group is %+v, %v", g, err)
	}
	if row, _, _ := w.st.Row(w.conv("dave", conv), "carol"); row.Role != im.Admin {
		t.Fatalf("who owned it is %v", row.Role)
	}
	_, err = w.act("erin").GroupAdd(w.Context(), conv, []im.UserID{"dave"})
	w.refused(err, im.NotFound)
	_, err = w.as("erin").Join(w.Context(), conv)
	w.refused(err, im.NotFound)
	_, err = w.act("erin").Join(w.Context(), conv)
	w.ok(err)
	_, _, err = w.as("erin").Page(w.Context(), PageQuery{Conv: conv})
	w.ok(err)
	_, err = w.act("erin").Join(w.Context(), "g/none")
	w.refused(err, im.NotFound)
}

// TestActItself: the app itself has no conversations.
func TestActItself(t *testing.T) {
	w := newWorld(t, Config{})
	app := w.act("")
	ctx := t.Context()
	_, err := w.send(app, "u/bob", "x")
	w.refused(err, im.Invalid)
	_, err = app.Sync(ctx, SyncQuery{})
	w.refused(err, im.Invalid)
	_, _, err = app.Page(ctx, PageQuery{Conv: "u/bob"})
	w.refused(err, im.Invalid)
	_, err = app.GroupCreate(ctx, NewGroup{})
	w.refused(err, im.Invalid)
	_, err = app.Join(ctx, "g/x")
	w.refused(err, im.Invalid)
	_, err = app.Leave(ctx, "g/x")
	w.refused(err, im.Invalid)
	_, err = app.GroupUpdate(ctx, "g/x", GroupUpdate{})
	w.refused(err, im.Invalid)
	_, err = app.Edit(ctx, EditRequest{Conv: "u/bob", Seq: 1, ID: "e"})
	w.refused(err, im.Invalid)
	_, err = app.Recall(ctx, RecallRequest{Conv: "u/bob", Seq: 1})
	w.refused(err, im.Invalid)
	_, err = app.Devices(ctx)
	w.refused(err, im.Invalid)
	w.refused(app.Kick(ctx, "phone", "", false), im.Invalid)
	w.refused(app.Block(ctx, "bob"), im.Invalid)
	w.refused(app.Signal("u/bob", im.Signal{Kind: "typing"}), im.Invalid)
	_, err = w.c.Act("a/b", "")
	w.refused(err, im.Invalid)
	w.refused(w.as("alice").asApp(), im.Denied)
	w.refused(w.act("alice").asApp(), im.Invalid)
	w.ok(app.asApp())
}

// BenchmarkEnter is what a request over HTTP costs before it asks anything.
func BenchmarkEnter(b *testing.B) {
	st := memstore.New(memstore.Config{})
	defer st.Close()
	v, err := auth.NewVerifier(auth.Config{Secret: testSecret})
	if err != nil {
		b.Fatal(err)
	}
	signer, _ := auth.NewSigner(testSecret, "", nil)
	c := New(Config{SweepEvery: -1}, st, v, auth.NewRevoker(&authRows{rows: map[string][]byte{}}, nil, nil))
	defer c.Close()
	token, err := signer.Sign(auth.Claims{User: "alice", Expires: time.Now().Add(time.Hour)})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		s, err := c.Enter(b.Context(), Login{Token: token})
		if err != nil {
			b.Fatal(err)
		}
		s.Close()
	}
}
