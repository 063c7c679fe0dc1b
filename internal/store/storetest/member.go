package storetest

import (
	"fmt"
	"reflect"
	"slices"
	"testing"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// testVisibility: what a newcomer begins with, who leaves and who comes back, under
// both settings of history.
func testVisibility(t *testing.T, open Open) {
	o := opened(t, open, Options{})
	s := store.Store(o.Store)
	conv := group(t, s, "g", "alice")
	for i := range 5 {
		m := text("alice", im.ClientID(fmt.Sprint(i)), "x")
		m.Mentions = &im.Mentions{All: true}
		must(t, s, into(s, conv, m))
	}
	join := must(t, s, set(s, conv, "alice", "bob", im.Member))
	if join.Seq != 7 || len(join.New) != 1 || join.New[0] != "bob" || len(join.Gone) != 0 {
		t.Fatalf("%+v", join)
	}
	want := store.Row{Conv: conv, User: "bob", Role: im.Member, MVer: join.MVer, From: 7, FromN: 5, FromNA: 5, Read: 6, ReadN: 5, ReadNA: 5}
	is := func(u im.UserID, want store.Row) {
		t.Helper()
		got := row(t, s, conv, u)
		got.Position = want.Position
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%+v, want %+v", got, want)
		}
	}
	is("bob", want)
	must(t, s, into(s, conv, text("alice", "a", "x")))
	if u := unread(t, s, conv, "bob"); u != 1 {
		t.Fatalf("unread %d", u)
	}
	same := must(t, s, set(s, conv, "alice", "bob", im.Member)) // the role he has
	is("bob", want)
	if same.MVer != join.MVer+1 || len(same.New) != 0 {
		t.Fatalf("%+v", same)
	}
	admin := must(t, s, set(s, conv, "alice", "bob", im.Admin))
	want.Role, want.MVer = im.Admin, admin.MVer
	is("bob", want)
	nick, until := "Bobby", int64(1)<<50
	named := set(s, conv, "alice", "bob", im.Admin)
	named.Set[0].Nick, named.Set[0].Muted = &nick, &until
	must(t, s, named)
	want.Nick, want.MutedUntil, want.MVer = nick, until, named.MVer
	is("bob", want)
	left := must(t, s, set(s, conv, "alice", "bob", im.NoRole))
	want.Role, want.MVer, want.Nick = im.NoRole, left.MVer, "" // his mute stays
	is("bob", want)
	if rows, err := s.Rows("bob", 0, 10); err != nil || len(rows) != 1 || rows[0].In() {
		t.Fatalf("who left keeps his row: %+v %v", rows, err)
	}
	if h := head(t, s, conv); h.Members != 1 || h.Closed {
		t.Fatalf("%+v", h)
	}
	must(t, s, into(s, conv, text("alice", "b", "x")))
	if o.Reopen != nil {
		s = o.reopen(t)
		is("bob", want)
	}
	silent := set(s, conv, "alice", "bob", im.Member)
	silent.Msg = nil
	seq := head(t, s, conv).Seq
	back := must(t, s, silent)
	if h := head(t, s, conv); back.Seq != 0 || h.Seq != seq || h.Members != 2 {
		t.Fatalf("%+v %+v", back, h)
	}
	is("bob", store.Row{Conv: conv, User: "bob", Role: im.Member, MVer: back.MVer, From: seq + 1, FromN: 7, FromNA: 5, Read: seq, ReadN: 7, ReadNA: 5, MutedUntil: until})

	all := set(s, conv, "alice", "carol", im.Member)
	all.Info = &im.GroupInfo{ID: "other", Name: "new name", History: im.HistoryAll}
	must(t, s, all)
	is("carol", store.Row{Conv: conv, User: "carol", Role: im.Member, MVer: all.MVer, From: 1})
	if info, ok, err := s.Info(conv); err != nil || !ok || info.ID != "g" || info.Name != "new name" || info.History != im.HistoryAll {
		t.Fatalf("%+v %v %v", info, ok, err)
	}
	if u := unread(t, s, conv, "carol"); u != 7 {
		t.Fatalf("unread %d, want all 7", u)
	}
	read := must(t, s, &store.ReadOp{Conv: conv, User: "carol", Seq: 6}).Row
	must(t, s, set(s, conv, "alice", "carol", im.NoRole))
	again := must(t, s, set(s, conv, "alice", "carol", im.Member))
	read.MVer = again.MVer
	is("carol", read)
}

// testGroupLife: many at once, the list of members, handing over, the end.
func testGroupLife(t *testing.T, open Open) {
	o := opened(t, open, Options{})
	s := store.Store(o.Store)
	conv := group(t, s, "g", "owner")
	position := s.Position()
	op := &store.MemberOp{Conv: conv, Guard: head(t, s, conv).MVer, By: "owner", Msg: &im.Message{Sender: "owner", Type: "an:group", Flags: im.Persist}}
	for i := range 500 {
		op.Set = append(op.Set, store.RoleSet{User: im.UserID(fmt.Sprintf("u%03d", i)), Role: im.Member})
	}
	must(t, s, op)
	if len(op.New) != 500 {
		t.Fatalf("%d new", len(op.New))
	}
	turnedBack(t, s, &store.MemberOp{Conv: conv, Guard: op.MVer - 1, By: "owner", Set: []store.RoleSet{{User: "late", Role: im.Member}}})
	for i := range 2 {
		if h := head(t, s, conv); h.Members != 501 || h.MVer != op.MVer || h.Seq != 2 || h.N != 0 || h.Group != "g" || h.Kind != im.Group {
			t.Fatalf("%+v", h)
		}
		var names []im.UserID
		for after := im.UserID(""); ; {
			rows, err := s.Members(conv, after, 64)
			if err != nil {
				t.Fatal(err)
			}
			if len(rows) == 0 {
				break
			}
			for _, r := range rows {
				names = append(names, r.User)
			}
			after = rows[len(rows)-1].User
		}
		if len(names) != 501 || !slices.IsSorted(names) || names[0] != "owner" || names[500] != "u499" {
			t.Fatalf("%d members: %v", len(names), names)
		}
		if r := row(t, s, conv, "u007"); r.Position <= position || r.Position > s.Position() {
			t.Fatalf("%+v, position was %d", r, position)
		}
		if c, ok, err := s.Group("g"); c != conv || !ok || err != nil {
			t.Fatalf("%v %v %v", c, ok, err)
		}
		if m := message(t, s, conv, 2); m.Type != "an:group" || m.N != 0 || !m.Shown() {
			t.Fatalf("%s", show(m))
		}
		if i == 0 && o.Reopen != nil {
			s = o.reopen(t)
		}
	}
	out := &store.MemberOp{Conv: conv, Guard: op.MVer, By: "owner"}
	for _, r := range op.Set {
		out.Set = append(out.Set, store.RoleSet{User: r.User})
	}
	must(t, s, out)
	if len(out.Gone) != 500 || head(t, s, conv).Members != 1 {
		t.Fatalf("%d gone, %+v", len(out.Gone), head(t, s, conv))
	}
	nobody := must(t, s, set(s, conv, "owner", "stranger", im.NoRole))
	if _, ok, _ := s.Row(conv, "stranger"); ok || len(nobody.Gone) != 0 {
		t.Fatalf("taking out who was never in: %+v", nobody)
	}
	must(t, s, set(s, conv, "owner", "owner", im.NoRole))
	for i := range 2 {
		if h := head(t, s, conv); !h.Closed || h.Members != 0 {
			t.Fatalf("%+v", h)
		}
		fails(t, s, set(s, conv, "owner", "owner", im.Owner), im.NotFound)
		if i == 0 && o.Reopen != nil {
			s = o.reopen(t)
		}
	}
	fails(t, s, &store.MemberOp{Conv: 4711, By: "owner"}, im.NotFound)
	if members, err := s.Members(conv, "", 10); err != nil || len(members) != 0 {
		t.Fatalf("%v %v", members, err)
	}
}

// testLargeGroup: 100,000 members cost a send no more than two do.
func testLargeGroup(t *testing.T, open Open) {
	members := 100_000
	if testing.Short() {
		members = 10_000
	}
	o := opened(t, open, Options{})
	s := o.Store
	conv := group(t, s, "g", "owner")
	for n := 0; n < members; n += 500 {
		op := &store.MemberOp{Conv: conv, Guard: head(t, s, conv).MVer, By: "owner"}
		for i := range 500 {
			op.Set = append(op.Set, store.RoleSet{User: im.UserID(fmt.Sprintf("u%06d", n+i)), Role: im.Member})
		}
		before := s.Stats()
		must(t, s, op)
		if rows := s.Stats().Rows - before.Rows; rows > 500*3+20 {
			t.Fatalf("%d rows for 500 newcomers", rows)
		}
	}
	if h := head(t, s, conv); h.Members != members+1 || h.Seq != 1 {
		t.Fatalf("%+v", h)
	}
	before := s.Stats()
	must(t, s, into(s, conv, text("owner", "1", "to all")))
	must(t, s, into(s, conv, text("u000777", "1", "to all")))
	after := s.Stats()
	if rows := after.Rows - before.Rows; rows > 2*5 {
		t.Fatalf("%d rows for 2 sends", rows)
	}
	if bytes := after.Bytes - before.Bytes; bytes > 4096 {
		t.Fatalf("%d bytes for 2 sends", bytes)
	}
	rows, err := s.Members(conv, "u050000", 1000)
	if want := min(1000, max(members-50_001, 0)); err != nil || len(rows) != want || want > 0 && rows[0].User != "u050001" {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	if u := unread(t, s, conv, "u000001"); u != 2 {
		t.Fatalf("unread %d", u)
	}
}
