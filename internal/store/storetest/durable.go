package storetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// testDurableClamp: while a sync hangs, no reader sees anything of what waits for it,
// and nobody is told that it was done.
func testDurableClamp(t *testing.T, open Open) {
	o := opened(t, open, Options{})
	if o.Stall == nil {
		t.Skip("the store's syncs cannot be stalled")
	}
	s := o.Store
	d := fill(t, s, 20)
	g := group(t, s, "g", "alice", "bob", "carol")
	m := text("alice", "1", "x")
	m.Mentions = &im.Mentions{Users: []im.UserID{"bob"}}
	must(t, s, into(s, g, m))
	must(t, s, &store.BlockOp{User: "carol", Peer: "mallory", On: true})
	must(t, s, &store.PutOp{Records: []store.Record{{Kind: store.SettingRecord, User: "alice", Key: "k", Value: []byte("old")}}})
	must(t, s, &store.CursorOp{User: "bob", Device: "d", Conv: d, Seq: 2})

	named := text("alice", "2", "pending")
	named.Mentions = &im.Mentions{Users: []im.UserID{"bob", "carol"}}
	pending := func(round int) []store.Op {
		id := func(s string) im.ClientID { return im.ClientID(fmt.Sprint(s, round)) }
		return []store.Op{
			direct(text("alice", id("a"), "pending"), "bob"),
			into(s, g, named),
			edit(s, d, im.Seq(1+round), "alice", "pending"),
			recall(s, d, im.Seq(5+round), "alice"),
			&store.ReadOp{Conv: d, User: "bob", Seq: im.Seq(3 + round)},
			&store.ReadOp{Conv: g, User: "bob", Seq: 2},
			set(s, g, "alice", im.UserID(fmt.Sprint("newcomer", round)), im.Member),
			direct(text("alice", "1", "pending"), im.UserID(fmt.Sprint("stranger", round))),
			&store.MemberOp{Info: &im.GroupInfo{ID: im.GroupID(fmt.Sprint("new", round))}, By: "alice", Set: []store.RoleSet{{User: "alice", Role: im.Owner}}},
			&store.BlockOp{User: "carol", Peer: im.UserID(fmt.Sprint("x", round)), On: true},
			&store.PutOp{Records: []store.Record{{Kind: store.SettingRecord, User: "alice", Key: "k", Value: []byte("pending")}, {Kind: store.SettingRecord, User: "alice", Key: fmt.Sprint(round), Value: []byte("pending")}}},
			&store.CursorOp{User: "bob", Device: "d", Conv: d, Seq: im.Seq(5 + round)},
		}
	}
	parts := func(round int) []store.Op {
		at := im.Seq(11 + round)
		fresh := answer(im.ClientID(fmt.Sprint("answer", round)), 11, 11)
		fresh.Burn = 5
		line := direct(text("alice", "1", "pending"), "bob")
		line.Line = fmt.Sprint("line", round)
		pinned, expanded, burned := change(s, d, at+2, "bob", im.Pinned), change(s, d, at+4, "bob", im.Expand), change(s, d, at+6, "bob", im.Burn)
		pinned.Pin, expanded.Set, burned.Expires = true, []im.Pair{{Key: "pending", Value: "x"}}, 1<<50
		removed := im.Delete
		if round == 1 {
			removed = im.Restore // of what the first round deleted
		}
		deleted := change(s, d, 20, "bob", removed)
		deleted.Seen = im.Ver(round) * 7 // its number there: the first round's 7th change
		return []store.Op{react(d, at, 0, "bob", "pending reaction"), into(s, d, fresh), line, pinned, expanded, burned, deleted}
	}
	own := func(round int) []store.Op {
		to, sentFor := text("alice", im.ClientID(fmt.Sprint("to", round)), "pending"), into(s, g, text("alice", im.ClientID(fmt.Sprint("for", round)), "pending"))
		to.To, sentFor.Read = []im.UserID{"bob"}, false
		nick := set(s, g, "alice", "carol", im.Member)
		nick.Guard, nick.Set[0].Nick = nick.Guard+1+2*im.MVer(round), ptr(fmt.Sprint("nick", round)) // one before it in each round
		return []store.Op{
			&store.SetOp{Conv: d, User: "bob", Patch: &im.SettingsPatch{Remark: ptr(fmt.Sprint("remark", round))}, Gone: []im.SeqRange{{From: 19, To: 19}}},
			&store.SetOp{Conv: g, User: "carol", Patch: &im.SettingsPatch{Marked: ptr(round == 0)}},
			into(s, g, to), sentFor, nick,
			&store.NoteOp{User: "bob", Key: "k", Value: fmt.Append(nil, "note", round), Most: 1},
			&store.PutOp{Records: []store.Record{{Kind: store.TimerRecord, User: "bob", Key: "t", Value: fmt.Append(nil, "timer", round), Due: int64(round + 1)}}},
		}
	}
	before := shown(t, s, d, g)
	first, second := slices.Concat(pending(0), parts(0), own(0)), slices.Concat(pending(1), parts(1), own(1))
	named2 := *named
	named2.ID = "3"
	second[1] = into(s, g, &named2)
	second[6].(*store.MemberOp).Guard = head(t, s, g).MVer + 2 // after the first round's
	release := o.Stall()
	var waits []chan struct{}
	var all []store.Op
	submit := func(ops []store.Op) {
		for _, op := range ops {
			told := make(chan struct{})
			op.Base().Done = func() { close(told) }
			if err := s.Submit(op); err != nil {
				release()
				t.Fatal(err)
			}
			waits = append(waits, told)
			all = append(all, op)
		}
	}
	submit(first)
	deadline := time.Now().Add(limit)
	for s.Health().Pending == 0 {
		if time.Now().After(deadline) {
			t.Fatal("a commit hangs and Health does not say so")
		}
	}
	submit(second)
	for i := range 50 {
		if now := shown(t, s, d, g); now != before {
			release()
			t.Fatalf("look %d while the sync hangs shows something that is not durable:\n%s", i, lineDiff(before, now))
		}
		for j, told := range waits {
			select {
			case <-told:
				release()
				t.Fatalf("operation %d (%T) was told its outcome while the sync hangs", j, all[j])
			default:
			}
		}
		time.Sleep(time.Millisecond) // lets the writer get as far as it can
	}
	release()
	for i, told := range waits {
		<-told
		if err := all[i].Base().Err; err != nil {
			t.Fatalf("operation %d (%T): %v", i, all[i], err)
		}
	}
	after := shown(t, s, d, g)
	for _, want := range []string{"member newcomer1", "member stranger1", "group new1", "pending", "x1", "cursor 6", "remark1", "nick1", "note1", "timer1",
		"pending reaction", "line1 true", "pins [13 14]", "replies to 11 [22 24]", "thread 11 [22 24]", "threads [{Seq:11", "tallies [{Seq:11 Replies:2 Thread:2", "burning for alice [22 24]"} {
		if !strings.Contains(after, want) || strings.Contains(before, want) {
			t.Errorf("%q is not shown after the sync ended, or was before it", want)
		}
	}
}

// shown is everything that readers can be told about two conversations and the users
// of the test above, as text.
func shown(t testing.TB, s store.Store, d, g im.ConvID) string {
	t.Helper()
	var b strings.Builder
	note := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	note("position %d epoch %s", s.Position(), s.Epoch())
	for id := im.ConvID(0); id < 20; id++ {
		h, ok := s.Head(id)
		note("head %d %v %+v", id, ok, h)
		info, ok, err := s.Info(id)
		check(err)
		note("info %+v %v", info, ok)
		page, err := s.Page(store.PageQuery{Conv: id, From: 1, To: 1000})
		check(err)
		back, err := s.Page(store.PageQuery{Conv: id, From: 1, To: 1000, Backward: true, Limit: 3})
		check(err)
		note("page %d..%d, back %d..%d", page.From, page.To, back.From, back.To)
		for _, m := range append(page.Messages, back.Messages...) {
			note("%s", show(m))
		}
		for seq := im.Seq(1); seq < 20; seq++ {
			m, ok, err := s.Message(id, seq)
			check(err)
			if ok {
				note("message %s", show(m))
			}
		}
		changes, err := s.Changes(id, 1, 100)
		check(err)
		for _, c := range changes {
			note("change %d %d %d %s %s %q %q %q %q: %s", c.Ver, c.Seq, c.Kind, c.By, c.Peer, c.Added, c.Removed, c.Key, c.Value, show(c.Msg))
		}
		showParts(s, h, note, check)
		members, err := s.Members(id, "", 100)
		check(err)
		for _, r := range members {
			note("member %s %v %q", r.User, r.Role, r.Nick)
		}
		marks, err := s.Marks(id, "", 100)
		check(err)
		note("marks %+v", marks)
	}
	for _, u := range []im.UserID{"alice", "bob", "carol", "newcomer0", "newcomer1", "stranger0", "stranger1"} {
		rows, err := s.Rows(u, 0, 100)
		check(err)
		note("rows of %s %+v", u, rows)
		for _, c := range []im.ConvID{d, g} {
			r, ok, err := s.Row(c, u)
			check(err)
			note("row %+v %v", r, ok)
			if h, _ := s.Head(c); ok {
				n, all := h.Unread(&r)
				note("unread %d %d", n, all)
			}
			seqs, err := s.Mentions(u, c, 0, 100)
			check(err)
			n, err := s.CountMentions(u, c)
			check(err)
			note("mentions %v %d", seqs, n)
		}
		c, ok, err := s.Direct("alice", u, "")
		check(err)
		note("direct %d %v", c, ok)
		for round := range 2 {
			c, ok, err = s.Direct("alice", u, fmt.Sprint("line", round))
			check(err)
			note("direct %d line%d %v", c, round, ok)
		}
		c, ok, err = s.Self(u)
		check(err)
		note("self %d %v", c, ok)
		blocks, err := s.Blocks(u, "", 100)
		check(err)
		note("blocks %v", blocks)
		blocked, err := s.Blocked(u, "x1")
		check(err)
		note("blocked %v", blocked)
		records, err := s.List(store.SettingRecord, u, "", 100)
		check(err)
		for _, r := range records {
			note("record %s %q", r.Key, r.Value)
		}
		notes, err := s.List(store.NoteRecord, u, "", 100)
		check(err)
		for _, r := range notes {
			note("note %s %q", r.Key, r.Value)
		}
		v, ok, err := s.Get(store.SettingRecord, u, "k")
		check(err)
		note("record %q %v", v, ok)
	}
	for _, id := range []im.GroupID{"g", "new0", "new1"} {
		c, ok, err := s.Group(id)
		check(err)
		if ok {
			note("group %s %d", id, c)
		}
	}
	due, next, err := s.Due(1<<40, 100)
	check(err)
	note("due %q %d", due, next)
	seq, err := s.Cursor("bob", "d", d)
	check(err)
	note("cursor %d", seq)
	return b.String()
}

// showParts notes all that stands beside the messages of a conversation.
func showParts(s store.Store, h store.Head, note func(string, ...any), check func(error)) {
	id := h.Conv
	for seq := im.Seq(1); seq < 30; seq++ {
		replies, err := s.Replies(id, seq, 0, 100)
		check(err)
		thread, err := s.InThread(id, seq, 0, 0, false, 100)
		check(err)
		reactions, err := s.Reactions(store.ReactionQuery{Conv: id, Seq: seq, Limit: 100})
		check(err)
		formers, err := s.Formers(id, seq, 0, 100)
		check(err)
		note("replies to %d %v", seq, replies)
		note("thread %d %v", seq, thread)
		note("reactions to %d %+v, formers %+v", seq, reactions, formers)
	}
	tallies, err := s.Tallies(id, 0, 100)
	check(err)
	threads, err := s.Threads(id, 0, 100)
	check(err)
	pins, err := s.Pins(id)
	check(err)
	note("tallies %+v", tallies)
	note("threads %+v", threads)
	note("pins %v", pins)
	for _, side := range h.Sides {
		burning, err := s.Burning(side.User, id, 100, 100)
		check(err)
		note("burning for %s %v", side.User, burning)
	}
}

// lineDiff is the first lines in which two texts differ.
func lineDiff(a, b string) string {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	var out []string
	for i := 0; i < max(len(x), len(y)) && len(out) < 12; i++ {
		l, r := "", ""
		if i < len(x) {
			l = x[i]
		}
		if i < len(y) {
			r = y[i]
		}
		if l != r {
			out = append(out, "- "+l, "+ "+r)
		}
	}
	return strings.Join(out, "\n")
}
