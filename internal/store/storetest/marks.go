package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// testNicks: a nick is the member's until he leaves, a mute until it is lifted, whatever
// role he has.
func testNicks(t *testing.T, open Open) {
	o := opened(t, open, Options{})
	s := store.Store(o.Store)
	g := group(t, s, "g", "alice", "bob", "carol")
	alter := func(u im.UserID, role im.Role, nick *string, muted *int64) *store.MemberOp {
		t.Helper()
		op := set(s, g, "alice", u, role)
		op.Set[0].Nick, op.Set[0].Muted = nick, muted
		return must(t, s, op)
	}
	is := func(u im.UserID, role im.Role, nick string, muted int64) {
		t.Helper()
		r := row(t, s, g, u)
		if r.Role != role || r.Nick != nick || r.MutedUntil != muted {
			t.Fatalf("%+v, want %s %q %d", r, role, nick, muted)
		}
		members, err := s.Members(g, "", 10)
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, m := range members {
			if m.User == u {
				found = true
				if m.Role != role || m.Nick != nick || m.MutedUntil != muted || m.MVer != r.MVer {
					t.Fatalf("as a member %+v, his row %+v", m, r)
				}
			}
		}
		if found != (role != im.NoRole) {
			t.Fatalf("among the members: %v", found)
		}
	}
	is("bob", im.Member, "", 0)
	op := alter("bob", im.Member, ptr("Bobby"), nil)
	is("bob", im.Member, "Bobby", 0)
	if r := row(t, s, g, "bob"); r.MVer != op.MVer || len(op.New)+len(op.Gone) != 0 || r.Position < head(t, s, g).Position {
		t.Fatalf("%+v %+v", r, op)
	}
	muted := alter("bob", im.Member, nil, ptr(int64(1<<41)))
	is("bob", im.Member, "Bobby", 1<<41)
	// a send that was decided before it is looked at again; one of somebody else is not
	old := muted.MVer - 1
	m := text("bob", "1", "x")
	turnedBack(t, s, &store.AppendOp{Conv: g, Guard: old, Msg: m, Hash: hash(m)})
	m = text("carol", "1", "x")
	must(t, s, &store.AppendOp{Conv: g, Guard: old, Msg: m, Hash: hash(m)})
	same := alter("bob", im.Member, ptr("Bobby"), ptr(int64(1<<41)))
	if r := row(t, s, g, "bob"); r.MVer != muted.MVer || same.MVer <= muted.MVer {
		t.Fatalf("what he has already touched his row: %+v", r)
	}
	alter("bob", im.Admin, nil, nil)
	is("bob", im.Admin, "Bobby", 1<<41)
	if o.Reopen != nil {
		s = o.reopen(t)
		is("bob", im.Admin, "Bobby", 1<<41)
	}
	alter("bob", im.Member, ptr(""), ptr(int64(0)))
	is("bob", im.Member, "", 0)
	alter("bob", im.Member, ptr("B"), ptr(int64(7)))
	alter("bob", im.NoRole, ptr("ignored"), ptr(int64(9)))
	is("bob", im.NoRole, "", 9) // nobody gets rid of a mute by leaving
	alter("bob", im.Member, nil, nil)
	is("bob", im.Member, "", 9)
	alter("dave", im.Member, ptr("D"), ptr(int64(3))) // at once with his coming
	is("dave", im.Member, "D", 3)
	alter("erin", im.NoRole, ptr("E"), nil)
	if _, ok, _ := s.Row(g, "erin"); ok {
		t.Fatal("a stranger got a row")
	}
}

// testMuteGuard: what was decided before a group was muted is looked at again, from
// whomever it comes, after a restart too.
func testMuteGuard(t *testing.T, open Open) {
	o := opened(t, open, Options{})
	s := store.Store(o.Store)
	g := group(t, s, "g", "alice", "bob")
	if h := head(t, s, g); h.Settled != 0 {
		t.Fatalf("%+v", h)
	}
	old := head(t, s, g).MVer
	must(t, s, set(s, g, "alice", "carol", im.Member))
	send := func(u im.UserID, id im.ClientID, guard im.MVer) *store.AppendOp {
		m := text(u, id, "x")
		return &store.AppendOp{Conv: g, Guard: guard, Msg: m, Hash: hash(m), Read: true}
	}
	must(t, s, send("bob", "1", old)) // another's coming is nothing to him
	mute := &store.MemberOp{Conv: g, Guard: head(t, s, g).MVer, By: "alice", Info: &im.GroupInfo{Name: "quiet", Mute: true}}
	late := send("bob", "2", mute.Guard)
	waits := []func() error{start(s, mute), start(s, late)}
	if err := waits[0](); err != nil {
		t.Fatal(err)
	}
	if err := waits[1](); err != store.ErrTurnedBack {
		t.Fatalf("decided before the mute: %v", err)
	}
	for i := range 2 {
		if info, ok, err := s.Info(g); !info.Mute || info.Name != "quiet" || !ok || err != nil {
			t.Fatalf("%+v %v %v", info, ok, err)
		}
		if h := head(t, s, g); h.Settled != mute.MVer {
			t.Fatalf("%+v", h)
		}
		turnedBack(t, s, send("bob", "2", old))
		turnedBack(t, s, &store.ChangeOp{Conv: g, Seq: 2, Guard: old, Kind: im.Recall, By: "bob"})
		must(t, s, send("alice", im.ClientID(fmt.Sprint("now", i)), head(t, s, g).MVer))
		if i == 0 && o.Reopen != nil {
			s = o.reopen(t)
		}
	}
	must(t, s, set(s, g, "alice", "dave", im.Member)) // keeps the mute
	if info, _, _ := s.Info(g); !info.Mute {
		t.Fatalf("%+v", info)
	}
}

// testMarks: how far each present member has read, moved by what he sent too.
func testMarks(t *testing.T, open Open) {
	o := opened(t, open, Options{Small: true})
	s := store.Store(o.Store)
	g := group(t, s, "g", "alice", "bob", "carol", "ab", "gone") // 1
	other := group(t, s, "other", "bob", "a", "zoe")
	_ = other
	must(t, s, set(s, g, "alice", "gone", im.NoRole)) // 2
	must(t, s, set(s, g, "alice", "late", im.Member)) // 3
	for i := range 4 {                                // 4..7
		must(t, s, into(s, g, text("alice", im.ClientID(fmt.Sprint(i)), "x")))
	}
	must(t, s, &store.ReadOp{Conv: g, User: "bob", Seq: 5})
	must(t, s, into(s, g, text("carol", "1", "x"))) // 8
	is := func(after im.UserID, limit int, want string) {
		t.Helper()
		rows, err := s.Marks(g, after, limit)
		got := ""
		for _, r := range rows {
			got += fmt.Sprintf("%s %d/%d, ", r.User, r.Read, r.From)
			r.User, r.Read, r.From = "", 0, 0
			if fmt.Sprint(r) != fmt.Sprint(store.Row{}) {
				t.Fatalf("more than that: %+v", r)
			}
		}
		if err != nil || got != want {
			t.Fatalf("after %q: %q %v, want %q", after, got, err, want)
		}
	}
	for i := range 2 {
		is("", 10, "ab 0/1, alice 7/1, bob 5/1, carol 8/1, late 2/3, ")
		is("", 2, "ab 0/1, alice 7/1, ")
		is("alice", 2, "bob 5/1, carol 8/1, ")
		is("late", 10, "")
		is("", 0, "")
		if i == 0 && o.Reopen != nil {
			s = o.reopen(t)
		}
	}
	d := fill(t, s, 3)
	must(t, s, &store.ReadOp{Conv: d, User: "bob", Seq: 2})
	if rows, err := s.Marks(d, "", 10); err != nil || len(rows) != 2 || rows[0].User != "alice" || rows[0].Read != 3 || rows[1].Read != 2 {
		t.Fatalf("%+v %v", rows, err)
	}
	if rows, err := s.Marks(4711, "", 10); err != nil || len(rows) != 0 {
		t.Fatalf("%+v %v", rows, err)
	}
}

// testCostOfSize: a send into a group writes the same rows whether two are in it or
// 100,000, and how long the store takes is logged beside it; so is what it takes to see
// how far all have read.
func testCostOfSize(t *testing.T, open Open) {
	members := 100_000
	if testing.Short() {
		members = 10_000
	}
	o := opened(t, open, Options{})
	s := o.Store
	small, large := group(t, s, "small", "owner", "peer"), group(t, s, "large", "owner")
	for n := 0; n < members; n += 500 {
		op := &store.MemberOp{Conv: large, Guard: head(t, s, large).MVer, By: "owner"}
		for i := range 500 {
			op.Set = append(op.Set, store.RoleSet{User: im.UserID(fmt.Sprintf("u%06d", n+i)), Role: im.Member})
		}
		must(t, s, op)
	}
	cost := func(conv im.ConvID, round int, f func(*im.Message)) (rows uint64, each time.Duration) {
		const n = 200
		before, began := s.Stats(), time.Now()
		for i := range n {
			m := text("owner", im.ClientID(fmt.Sprint("s", round, " ", i)), "to all")
			if f != nil {
				f(m)
			}
			must(t, s, into(s, conv, m))
		}
		took := time.Since(began) / n
		after := s.Stats()
		if commits := after.Commits - before.Commits; commits != n {
			t.Fatalf("%d commits", commits)
		}
		return after.Rows - before.Rows, took
	}
	cost(small, 0, nil)
	cost(large, 0, nil)
	for round := 1; round <= 3; round++ {
		a, fast := cost(small, round, nil)
		b, slow := cost(large, round, nil)
		t.Logf("a send: %.2f rows and %v among 2, %.2f rows and %v among %d", float64(a)/200, fast, float64(b)/200, slow, members)
		if a != b || a > 3*200 {
			t.Errorf("200 sends wrote %d rows among 2 and %d among %d", a, b, members)
		}
	}
	to := func(m *im.Message) { m.To = []im.UserID{"u000001", "u000002", "u000003"} }
	rows, took := cost(large, 9, to)
	t.Logf("a send to 3 of them: %.2f rows and %v", float64(rows)/200, took)
	if rows > 6*200 {
		t.Errorf("200 sends to 3 members wrote %d rows", rows)
	}
	for i := range 1000 {
		must(t, s, &store.ReadOp{Conv: large, User: im.UserID(fmt.Sprintf("u%06d", i*(members/1000))), Seq: 50})
	}
	for range 3 {
		began, n, read := time.Now(), 0, 0
		for after := im.UserID(""); ; {
			page, err := s.Marks(large, after, 5000)
			if err != nil {
				t.Fatal(err)
			}
			if len(page) == 0 {
				break
			}
			for _, r := range page {
				if r.Read >= 50 {
					read++
				}
			}
			n += len(page)
			after = page[len(page)-1].User
		}
		t.Logf("how far all %d have read: %v in pages of 5,000", n, time.Since(began))
		if n != members+1 || read != 1001 {
			t.Fatalf("%d members, %d have read", n, read)
		}
	}
	began := time.Now()
	if page, err := s.Members(large, "u05", 200); err != nil || len(page) != min(200, max(members-50_000, 0)) {
		t.Fatalf("%d %v", len(page), err)
	}
	t.Logf("a page of 200 members: %v", time.Since(began))
}
