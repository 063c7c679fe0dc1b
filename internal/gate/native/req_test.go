package native_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/anser-im/anser/wire"
)

// Every verb of the protocol does what it says, in both formats.
func TestVerbs(t *testing.T) {
	w := newWorld(t)
	web := w.web("http://127.0.0.1:0", nil)
	for _, f := range []wire.Format{wire.Binary, wire.JSON} {
		t.Run(f.Subprotocol(), func(t *testing.T) {
			p := map[wire.Format]string{wire.Binary: "b-", wire.JSON: "j-"}[f]
			dial := func(user, device string) *client {
				c, _ := w.socket(w.tcp(web), f, nil)
				c.TB = t
				return c.login(w, p+user, device)
			}
			alice, bob := dial("alice", "phone"), dial("bob", "phone")
			used := map[string]bool{}
			do := func(c *client, method string, q, a wire.Body) {
				t.Helper()
				used[method] = true
				if r := c.call(method, q, a); r.Code != 0 {
					t.Fatalf("%s: %v", method, r)
				}
			}
			var g wire.GroupResponse
			do(alice, wire.MethodGroupCreate, &wire.GroupCreateRequest{Id: "g1", Name: "开发", Members: []string{p + "bob"}, Join: "open", History: "all"}, &g)
			if g.Group.Name != "开发" || g.Group.Join != "open" || g.Group.History != "all" || g.Group.Owner != p+"alice" || g.Group.Members != 2 || g.Conv != "g/"+g.Group.Id {
				t.Fatalf("group: %v", &g)
			}
			conv := g.Conv
			a := alice.send("1", conv, "one")
			alice.say(&wire.Send{Id: "2", Conv: conv, Type: "an:text", Body: []byte(`{"content":"@bob"}`), Options: &wire.SendOptions{
				Digest: "@bob", Mentions: &wire.Mentions{Users: []string{p + "bob"}, All: true}, ReplyTo: a.Seq, Push: "ping"}})
			two := until[wire.SendAck](alice)
			if two.Code != 0 || two.Seq != a.Seq+1 {
				t.Fatalf("%v", two)
			}
			for { // bob is told of both
				e := until[wire.Push](bob).Events
				if m := e[len(e)-1].Message; m.GetId() == "2" {
					if m.Digest != "@bob" || !m.Mentions.All || m.Mentions.Users[0] != p+"bob" || m.ReplyTo != a.Seq || m.Push != "ping" {
						t.Fatalf("%v", m)
					}
					break
				}
			}
			var s wire.SyncResponse
			do(bob, wire.MethodSync, &wire.SyncRequest{}, &s)
			if s.Epoch != bob.welcome.Epoch || s.Token == "" || s.More || len(s.Conversations) != 1 {
				t.Fatalf("sync: %v", &s)
			}
			c := s.Conversations[0]
			if c.Conv != conv || c.Head.Seq != two.Seq || c.Mine.Unread != 2 || c.Mine.UnreadAll != 1 || c.Mine.Mentions != 1 || c.Mine.Role != "member" || c.Group.Name != "开发" {
				t.Fatalf("conversation: %v", c)
			}
			var page wire.PageResponse
			do(bob, wire.MethodPage, &wire.PageRequest{Conv: conv, Backward: true, Limit: 1}, &page)
			if page.Range.From != two.Seq || page.Range.To != two.Seq || len(page.Range.Messages) != 1 || page.Head.Seq != two.Seq {
				t.Fatalf("page: %v", &page)
			}
			var mentions wire.MentionsResponse
			do(bob, wire.MethodMentions, &wire.MentionsRequest{Conv: conv}, &mentions)
			if !slices.Equal(mentions.Seqs, []uint64{two.Seq}) {
				t.Fatalf("mentions: %v", &mentions)
			}
			var cr wire.ConversationResponse
			do(bob, wire.MethodConversation, &wire.ConversationRequest{Conv: conv}, &cr)
			if cr.Conversation.Mine.Unread != 2 {
				t.Fatalf("conversation: %v", &cr)
			}
			var rr wire.ReadResponse
			do(bob, wire.MethodRead, &wire.ReadRequest{Conv: conv}, &rr)
			if rr.Mine.Read != two.Seq || rr.Mine.Unread != 0 {
				t.Fatalf("read: %v", &rr)
			}
			var ch wire.ChangeResponse
			do(alice, wire.MethodEdit, &wire.EditRequest{Conv: conv, Seq: a.Seq, Id: "e1", Body: []byte(`{"content":"uno"}`), Digest: "uno"}, &ch)
			if ch.Ver != 1 || ch.Duplicate {
				t.Fatalf("edit: %v", &ch)
			}
			do(alice, wire.MethodRecall, &wire.RecallRequest{Conv: conv, Seq: two.Seq, Id: "r1"}, &ch)
			if ch.Ver != 2 {
				t.Fatalf("recall: %v", &ch)
			}
			for n := 0; n < 2; { // bob is told of both changes
				for _, e := range until[wire.Push](bob).Events {
					if e.Change == nil {
						continue
					}
					n++
					if n == 1 && (e.Change.Kind != "edit" || e.Ver != 1 || string(e.Change.Message.Body) != `{"content":"uno"}` || e.Change.By != p+"alice") ||
						n == 2 && (e.Change.Kind != "recall" || !e.Change.Message.Recalled || len(e.Change.Message.Body) != 0) {
						t.Fatalf("change %d: %v", n, e)
					}
				}
			}
			var log wire.ChangesResponse
			do(bob, wire.MethodChanges, &wire.ChangesRequest{Conv: conv, FromVer: 1}, &log)
			if log.Conv != conv || log.FromVer != 1 || log.ToVer != 2 || len(log.Changes) != 2 || log.Changes[1].Kind != "recall" || log.Reset_ || log.More {
				t.Fatalf("changes: %v", &log)
			}
			var gc wire.GroupChangeResponse
			do(alice, wire.MethodGroupAdd, &wire.GroupAddRequest{Conv: conv, Users: []string{p + "carol"}}, &gc)
			do(alice, wire.MethodGroupRole, &wire.GroupRoleRequest{Conv: conv, User: p + "bob", Role: "admin"}, &gc)
			var members wire.GroupMembersResponse
			do(alice, wire.MethodGroupMembers, &wire.GroupMembersRequest{Conv: conv, Limit: 2}, &members)
			if len(members.Members) != 2 || !members.More || members.Mver == 0 || members.Members[0].User != p+"alice" || members.Members[0].Role != "owner" ||
				members.Members[1].Role != "admin" || !members.Members[1].Online {
				t.Fatalf("members: %v", &members)
			}
			do(alice, wire.MethodGroupUpdate, &wire.GroupUpdateRequest{Conv: conv, Name: ptr("dev"), Join: "open"}, &g)
			if g.Group.Name != "dev" || g.Group.Join != "open" || g.Group.History != "all" {
				t.Fatalf("update: %v", &g)
			}
			do(alice, wire.MethodGroupRemove, &wire.GroupRemoveRequest{Conv: conv, Users: []string{p + "carol"}}, &gc)
			carol := dial("carol", "phone")
			do(carol, wire.MethodJoin, &wire.JoinRequest{Conv: conv}, &gc)
			do(carol, wire.MethodLeave, &wire.LeaveRequest{Conv: conv}, &gc)
			if r := carol.call(wire.MethodPage, &wire.PageRequest{Conv: conv}, nil); r.Code != wire.CodeNotFound {
				t.Fatalf("a page for who has left: %v", r)
			}
			do(bob, wire.MethodBlock, &wire.BlockRequest{User: p + "carol"}, &wire.Empty{})
			carol.say(text("c1", "u/"+p+"bob", "hey"))
			if a := until[wire.SendAck](carol); a.Code != wire.CodeNotAccepted {
				t.Fatalf("from who is blocked: %v", a)
			}
			var blocks wire.BlocksResponse
			do(bob, wire.MethodBlocks, &wire.BlocksRequest{}, &blocks)
			if !slices.Equal(blocks.Users, []string{p + "carol"}) || blocks.More {
				t.Fatalf("blocks: %v", &blocks)
			}
			do(bob, wire.MethodUnblock, &wire.UnblockRequest{User: p + "carol"}, &wire.Empty{})
			carol.send("c1", "u/"+p+"bob", "hey") // the refusal was final: the same id may come again
			laptop := dial("bob", "laptop")
			var devices wire.DevicesResponse
			do(bob, wire.MethodDevices, &wire.DevicesRequest{}, &devices)
			if len(devices.Devices) != 2 || devices.Devices[0].Os != "test" || !devices.Devices[0].Online {
				t.Fatalf("devices: %v", &devices)
			}
			do(bob, wire.MethodKick, &wire.KickRequest{Device: "laptop"}, &wire.Empty{})
			laptop.away(wire.ReasonKicked, wire.CodeKicked)
			var renew wire.RenewResponse
			do(bob, wire.MethodRenew, &wire.RenewRequest{Token: w.token(p + "bob")}, &renew)
			if renew.TokenExpires == 0 {
				t.Fatal("renew says no time")
			}
			if r := bob.call(wire.MethodRenew, &wire.RenewRequest{Token: "x"}, nil); r.Code != wire.CodeUnauthenticated {
				t.Fatalf("a bad token: %v", r)
			}
			for _, v := range wire.Verbs() { // the rest is known at least; what it does is core's test
				if r := alice.call(v.Name, v.NewRequest(), v.NewResponse()); !used[v.Name] && strings.Contains(r.Message, "no verb of that name") {
					t.Errorf("verb %s: %v", v.Name, r)
				}
			}
		})
	}
}

// What is wrong with a request is told in its answer, and the link goes on.
func TestBadRequests(t *testing.T) {
	w := newWorld(t)
	c := w.pipe().login(w, "alice", "phone")
	for _, q := range []struct {
		method string
		body   []byte
		code   uint32
	}{
		{"", nil, wire.CodeUnsupported},
		{"sync", nil, wire.CodeUnsupported},
		{wire.MethodSync, []byte{0xff}, wire.CodeInvalid},
		{wire.MethodPage, nil, wire.CodeInvalid},
		{wire.MethodGroupCreate, must(wire.Binary.MarshalBody(&wire.GroupCreateRequest{Name: "x", Join: "closed"})), wire.CodeInvalid},
		{wire.MethodGroupUpdate, must(wire.Binary.MarshalBody(&wire.GroupUpdateRequest{Conv: "g/x", History: strings.Repeat("y", 1000)})), wire.CodeInvalid},
		{wire.MethodGroupRole, must(wire.Binary.MarshalBody(&wire.GroupRoleRequest{Conv: "g/x", User: "bob", Role: "king"})), wire.CodeInvalid},
		{wire.MethodConversation, must(wire.Binary.MarshalBody(&wire.ConversationRequest{Conv: "g/x"})), wire.CodeNotFound},
	} {
		c.say(&wire.Req{Id: 9, Method: q.method, Body: q.body})
		if r := until[wire.Res](c); r.Id != 9 || r.Code != q.code || r.Message == "" || len(r.Message) > 200 {
			t.Errorf("%s %x: %v, want %d", q.method, q.body, r, q.code)
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// Of more requests than are allowed at a time the rest is refused; a request whose
// answer is not wanted any more gets none; an id in use ends the link.
func TestOutstanding(t *testing.T) {
	w := newWorld(t, func(o *options) { o.core.Limits.Outstanding = 10 })
	c := w.pipe().login(w, "alice", "phone")
	c.send("1", "u/bob", "x")
	w.st.Hold() // what writes waits
	body := must(wire.Binary.MarshalBody(&wire.EditRequest{Conv: "u/bob", Seq: 1, Id: "e", Body: []byte("1")}))
	for id := uint64(1); id <= 12; id++ {
		c.say(&wire.Req{Id: id, Method: wire.MethodEdit, Body: body})
	}
	for _, id := range []uint64{11, 12} {
		if r := until[wire.Res](c); r.Id != id || r.Code != wire.CodeBusy || r.RetryMs == 0 {
			t.Fatalf("%v", r)
		}
	}
	c.say(&wire.Cancel{Id: 1}, &wire.Cancel{Id: 10}, &wire.Ping{}) // one begun, one in line
	until[wire.Pong](c)
	w.st.Release()
	seen := map[uint64]bool{}
	for len(seen) < 8 {
		r := until[wire.Res](c)
		if r.Code != 0 || r.Id == 1 || r.Id == 10 || seen[r.Id] {
			t.Fatalf("%v", r)
		}
		seen[r.Id] = true
	}
	w.until("the cancelled ids are free", func() bool {
		r := c.call(wire.MethodDevices, &wire.DevicesRequest{}, &wire.DevicesResponse{})
		return r.Code == 0
	})
	w.st.Hold()
	c.say(&wire.Req{Id: 500, Method: wire.MethodEdit, Body: body}, &wire.Req{Id: 500, Method: wire.MethodEdit, Body: body})
	c.away(wire.ReasonMalformed, wire.CodeMalformed)
	w.st.Release()
}

// Large answers come compressed and in fragments, to clients that said they like
// that, and whole to others.
func TestLargeAnswers(t *testing.T) {
	w := newWorld(t)
	c := w.pipe().login(w, "alice", "phone")
	noise := func(i int) string { // compresses to about a third: more than a fragment in all
		rng := rand.New(rand.NewPCG(uint64(i), 1))
		words := strings.Fields("alpha bravo charlie delta echo foxtrot golf hotel india juliett kilo lima mike november oscar papa")
		var b strings.Builder
		for range 6000 {
			fmt.Fprintf(&b, "%s%d ", words[rng.IntN(len(words))], rng.IntN(10))
		}
		return b.String()
	}
	for i := range 6 {
		c.send("m"+strconv.Itoa(i), "u/bob", noise(i))
	}
	for name, caps := range map[string]*wire.Caps{"none": nil, "fragments": {Fragments: true}, "zstd": {Zstd: true}, "both": {Zstd: true, Fragments: true}} {
		c := w.pipe()
		read, flags, largest := c.read, wire.Flags(0), 0
		var raw []byte
		c.read = func() ([]byte, error) {
			b, err := read()
			raw = append(raw, b...)
			return b, err
		}
		c.login(w, "alice", "other", func(h *wire.Hello) { h.Caps = caps })
		var p wire.PageResponse
		if r := c.call(wire.MethodPage, &wire.PageRequest{Conv: "u/bob"}, &p); r.Code != 0 || len(p.Range.Messages) != 6 {
			t.Fatalf("%s: %v", name, r)
		}
		for i, m := range p.Range.Messages {
			if !strings.Contains(string(m.Body), noise(i)) {
				t.Fatalf("%s: message %d is not what was sent", name, i)
			}
		}
		for len(raw) > 0 {
			f, n, err := wire.Next(raw, 0)
			check(t, err)
			flags |= f.Flags
			largest = max(largest, len(f.Body))
			raw = raw[n:]
		}
		if zstd := flags&wire.FlagZstd != 0; zstd != caps.GetZstd() {
			t.Errorf("%s: compressed: %v", name, zstd)
		}
		if cut := flags&wire.FlagMore != 0; cut != caps.GetFragments() || cut && largest > wire.FragmentSize {
			t.Errorf("%s: cut: %v, the largest frame has %d bytes", name, cut, largest)
		}
	}
	// A client that takes less than the answer has is told so.
	small := w.pipe().login(w, "alice", "small", func(h *wire.Hello) { h.Caps = &wire.Caps{MaxFrame: 277 << 10, Fragments: true} })
	for i := range 4 {
		small.send("n"+strconv.Itoa(i), "u/carol", strings.Repeat("y", 100<<10))
	}
	if r := small.call(wire.MethodPage, &wire.PageRequest{Conv: "u/carol"}, &wire.PageResponse{}); r.Code != wire.CodeTooLarge {
		t.Errorf("%v", r)
	}
	var p wire.PageResponse
	if r := small.call(wire.MethodPage, &wire.PageRequest{Conv: "u/carol", Limit: 1}, &p); r.Code != 0 || len(p.Range.Messages) != 1 {
		t.Errorf("%v", r)
	}
}

// A message of a group is encoded once and reaches each member with the same bytes,
// in fragments if it is large.
func TestFanOut(t *testing.T) {
	w := newWorld(t)
	alice := w.pipe().login(w, "alice", "phone")
	var users []string
	var all []*client
	for i := range 20 {
		u := "m" + strconv.Itoa(i)
		users = append(users, u)
		all = append(all, w.pipe().login(w, u, "phone", func(h *wire.Hello) { h.Caps = &wire.Caps{Fragments: i%2 == 0, Zstd: i%3 == 0} }))
	}
	var g wire.GroupResponse
	if r := alice.call(wire.MethodGroupCreate, &wire.GroupCreateRequest{Id: "g", Name: "g", Members: users}, &g); r.Code != 0 {
		t.Fatal(r)
	}
	body := strings.Repeat("0123456789", 8000)
	want := alice.send("1", g.Conv, body)
	for i, c := range all {
		for {
			p := until[wire.Push](c)
			e := p.Events[len(p.Events)-1]
			if e.Message.GetId() != "1" {
				c.say(&wire.Ack{Push: p.Number})
				continue
			}
			if e.Conv != g.Conv || e.Seq != want.Seq || string(e.Message.Body) != `{"content":"`+body+`"}` {
				t.Fatalf("member %d: %v", i, e)
			}
			break
		}
	}
}
