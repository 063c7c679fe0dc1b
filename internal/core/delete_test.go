package core

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// shown are the numbers of messages that a user is shown in a conversation.
func (w *world) shown(u im.UserID, conv im.Address) []im.Seq {
	w.Helper()
	r, _, err := w.as(u).Page(w.Context(), PageQuery{Conv: conv, Limit: maxPage})
	w.ok(err)
	var seqs []im.Seq
	for _, m := range r.Messages {
		seqs = append(seqs, m.Seq)
	}
	return seqs
}

func TestE7_DeleteForMe(t *testing.T) {
	w := newWorld(t, Config{})
	ctx := t.Context()
	for i := range 10 {
		w.say("ann", "u/bob", fmt.Sprint(i+1))
	}
	_, err := w.as("bob").Read(ctx, "u/ann", 4)
	w.ok(err)
	phone, web, ann := w.login("bob", "phone"), w.login("bob", "web"), w.login("ann", "phone")
	d, err := phone.Delete(ctx, DeleteRequest{Conv: "u/ann", Seqs: []im.Seq{2, 9, 9}, Range: im.SeqRange{From: 4, To: 6}})
	w.ok(err)
	if d.Count != 5 || d.Ver != 0 || d.Mine.Unread != 3 {
		t.Fatalf("%+v", d)
	}
	want := []im.Seq{1, 3, 7, 8, 10}
	if got := w.shown("bob", "u/ann"); !slices.Equal(got, want) {
		t.Fatalf("bob is shown %v", got)
	}
	if got := w.shown("ann", "u/bob"); len(got) != 10 {
		t.Fatalf("ann is shown %v", got)
	}
	it := web.until(func(it Item) bool { return it.State != nil && it.State.Mine != nil && it.State.Mine.Gone != nil })
	if m := it.State.Mine; m.Unread != 3 || !slices.Equal(m.Gone, []im.SeqRange{{From: 2, To: 2}, {From: 4, To: 6}, {From: 9, To: 9}}) {
		t.Fatalf("%+v", m)
	}
	ann.quiet(func(it Item) bool { return it.Addr == "u/bob" && (it.Ver != 0 || it.Seq != 0) })

	again, err := phone.Delete(ctx, DeleteRequest{Conv: "u/ann", Seqs: []im.Seq{2, 5}})
	w.ok(err)
	if again.Count != 0 || again.Mine.Unread != 3 {
		t.Fatalf("%+v", again)
	}
	// changes of what he has deleted do not bring it back
	_, err = w.as("ann").Edit(ctx, EditRequest{Conv: "u/bob", Seq: 9, Body: []byte("again")})
	w.ok(err)
	log, err := w.as("bob").Changes(ctx, "u/ann", 1, 0)
	w.ok(err)
	if len(log.Changes) != 0 || log.To != 1 {
		t.Fatalf("%+v", log)
	}
	for _, verb := range []func() error{
		func() error {
			_, err := phone.React(ctx, ReactRequest{Conv: "u/ann", Seq: 9, Add: []string{"+"}})
			return err
		},
		func() error { _, _, err := phone.EditHistory(ctx, "u/ann", 9, 0, 0); return err },
		func() error {
			_, err := phone.Forward(ctx, ForwardRequest{From: "u/ann", Seqs: []im.Seq{9}, To: []im.Address{"u/cat"}})
			return err
		},
	} {
		w.refused(verb(), im.NotFound)
	}
	// the whole history, up to the head
	d, err = phone.Delete(ctx, DeleteRequest{Conv: "u/ann", Range: im.SeqRange{From: 1}})
	w.ok(err)
	if d.Count != 5 || d.Mine.Unread != 0 || len(d.Mine.Gone) != 1 {
		t.Fatalf("%+v", d)
	}
	if got := w.shown("bob", "u/ann"); got != nil {
		t.Fatalf("%v", got)
	}
	w.say("ann", "u/bob", "new")
	if m := w.mine("bob", "u/ann"); m.Unread != 1 {
		t.Fatalf("%+v", m)
	}
}

// What is deleted for oneself among read, uncounted, directed, recalled and expired
// messages takes just what was unread.
func TestDeletedForMeTakesWhatWasUnread(t *testing.T) {
	clock := newClock()
	w := newWorld(t, Config{Clock: clock.Now})
	ctx := t.Context()
	g := w.group("ann", "bob", "cat") // 1
	w.say("ann", g, "2")
	w.say("ann", g, "3", func(m *im.Message) { m.Flags = im.Persist })
	w.say("ann", g, "4", func(m *im.Message) { m.To = []im.UserID{"bob"} })
	w.say("ann", g, "5", func(m *im.Message) { m.Expires = clock.Now().UnixMilli() + 1 })
	w.say("ann", g, "6")
	w.say("ann", g, "7", func(m *im.Message) { m.To = []im.UserID{"cat"} })
	w.say("ann", g, "8")
	w.say("ann", g, "9", mention("bob"))
	clock.add(2)
	if _, err := w.st.Sweep(ctx, clock.Now(), store.SweepPolicy{}); err != nil {
		t.Fatal(err)
	}
	_, err := w.as("ann").Recall(ctx, RecallRequest{Conv: g, Seq: 6})
	w.ok(err)
	if m := w.mine("bob", g); m.Unread != 4 || m.Mentions != 1 { // 2, 4, 8, 9
		t.Fatalf("%+v", m)
	}
	for _, c := range []struct {
		r        im.SeqRange
		unread   uint64
		mentions int
	}{
		{im.SeqRange{From: 5, To: 7}, 4, 1},
		{im.SeqRange{From: 4, To: 4}, 3, 1},
		{im.SeqRange{From: 1, To: 8}, 1, 1},
		{im.SeqRange{From: 9, To: 9}, 0, 0},
	} {
		d, err := w.as("bob").Delete(ctx, DeleteRequest{Conv: g, Range: c.r})
		w.ok(err)
		if d.Mine.Unread != c.unread || d.Mine.Mentions != c.mentions {
			t.Fatalf("%v: %+v", c.r, d.Mine)
		}
	}
	if m := w.mine("cat", g); m.Unread != 4 { // 2, 7, 8, 9
		t.Fatalf("cat: %+v", m)
	}
}

func TestE7_DeleteForAll(t *testing.T) {
	w := newWorld(t, Config{})
	ctx := t.Context()
	g := w.group("own", "mem", "oth")
	var seqs []im.Seq
	for i := range 4 {
		seqs = append(seqs, w.say("mem", g, fmt.Sprint("secret ", i)))
	}
	kept := w.say("own", g, "the owner's")
	for _, u := range []im.UserID{"mem", "oth"} {
		_, err := w.as("own").Pin(ctx, g, seqs[0], u == "mem", "")
		w.ok(err)
	}
	ver := im.Ver(2)
	w.spreadAll()
	other, away := w.login("oth", "phone"), w.login("oth", "away")
	away.Detach()

	// a range takes what he may delete, and leaves the rest
	d, err := w.as("mem").Delete(ctx, DeleteRequest{Conv: g, Range: im.SeqRange{From: 1}, ForAll: true})
	w.ok(err)
	if d.Count != 4 || d.Ver != ver+4 {
		t.Fatalf("%+v", d)
	}
	for i := range 4 {
		it := other.changed()
		if ch := it.Change; ch.Kind != im.Delete || ch.Msg != nil || ch.Seq != seqs[i] || ch.By != "mem" {
			t.Fatalf("%+v", ch)
		}
	}
	it := other.until(func(it Item) bool { return it.State != nil && it.State.Mine != nil })
	if it.State.Mine.Unread != 1 {
		t.Fatalf("%+v", it.State.Mine)
	}
	if got := w.shown("oth", g); !slices.Equal(got, []im.Seq{1, kept}) {
		t.Fatalf("%v", got)
	}
	if got := w.shown("mem", g); !slices.Equal(got, []im.Seq{1, kept}) {
		t.Fatalf("%v", got)
	}
	// who was away is told that they are gone, and of nothing else that befell them
	log, err := w.as("oth").Changes(ctx, g, 1, 0)
	w.ok(err)
	if log.To != ver+4 || len(log.Changes) != 4 {
		t.Fatalf("%+v", log)
	}
	for _, ch := range log.Changes {
		if ch.Kind != im.Delete || ch.Msg != nil {
			t.Fatalf("%+v", ch)
		}
	}
	// named, they are all deleted or none; what is deleted already is no error
	mine := w.say("mem", g, "mine")
	_, err = w.as("mem").Delete(ctx, DeleteRequest{Conv: g, Seqs: []im.Seq{mine, kept}, ForAll: true})
	w.refused(err, im.Denied, im.CodeRole)
	if w.message("oth", g, mine) == nil {
		t.Fatal("deleted all the same")
	}
	d, err = w.as("mem").Delete(ctx, DeleteRequest{Conv: g, Seqs: []im.Seq{mine, seqs[1]}, ForAll: true})
	w.ok(err)
	if d.Count != 1 {
		t.Fatalf("%+v", d)
	}
	_, err = w.as("mem").Delete(ctx, DeleteRequest{Conv: g, Seqs: []im.Seq{1}, ForAll: true}) // what the server said
	w.refused(err, im.Denied)
	_, err = w.as("mem").Recall(ctx, RecallRequest{Conv: g, Seq: seqs[1]})
	w.refused(err, im.NotFound)
}

func TestDeleteLimits(t *testing.T) {
	w := newWorld(t, Config{})
	ctx := t.Context()
	for range 3 {
		w.say("ann", "u/bob", "x")
	}
	for _, c := range []struct {
		q    DeleteRequest
		want im.Kind
	}{
		{DeleteRequest{Conv: "u/bob"}, im.Invalid},
		{DeleteRequest{Conv: "me", Seqs: []im.Seq{1}}, im.Invalid},
		{DeleteRequest{Conv: "u/bob", Seqs: make([]im.Seq, 101)}, im.TooLarge},
		{DeleteRequest{Conv: "u/bob", Range: im.SeqRange{From: 3, To: 2}}, im.Invalid},
		{DeleteRequest{Conv: "u/bob", Range: im.SeqRange{From: 1, To: 5000}}, 0}, // up to the head
		{DeleteRequest{Conv: "u/bob", Range: im.SeqRange{From: 1, To: 5000}, ForAll: true}, 0},
		{DeleteRequest{Conv: "u/bob", Seqs: []im.Seq{99}}, 0},
		{DeleteRequest{Conv: "u/bob", Seqs: []im.Seq{99}, ForAll: true}, im.NotFound},
		{DeleteRequest{Conv: "u/zed", Seqs: []im.Seq{1}}, im.NotFound},
	} {
		_, err := w.as("ann").Delete(ctx, c.q)
		check(t, fmt.Sprintf("%+v", c.q), err, c.want, 0)
	}
	for range maxDeletedRange {
		w.say("ann", "u/cat", "x")
	}
	_, err := w.as("ann").Delete(ctx, DeleteRequest{Conv: "u/cat", Range: im.SeqRange{From: 1}, ForAll: true})
	w.ok(err)
	w.say("ann", "u/cat", "x")
	_, err = w.as("ann").Delete(ctx, DeleteRequest{Conv: "u/cat", Range: im.SeqRange{From: 1}, ForAll: true})
	w.refused(err, im.TooLarge)
}

func TestE22_Undelete(t *testing.T) {
	clock := newClock()
	w := newWorld(t, Config{Clock: clock.Now, Limits: im.Limits{UndeleteWindow: time.Hour}})
	ctx := t.Context()
	g := w.group("own", "mem", "oth")
	seq := w.say("mem", g, "words", func(m *im.Message) { m.Digest, m.Push, m.Mentions = "d", "p", &im.Mentions{Users: []im.UserID{"oth"}} })
	_, err := w.as("mem").React(ctx, ReactRequest{Conv: g, Seq: seq, Add: []string{"+"}})
	w.ok(err)
	del := func(by im.UserID) {
		t.Helper()
		_, err := w.as(by).Delete(ctx, DeleteRequest{Conv: g, Seqs: []im.Seq{seq}, ForAll: true})
		w.ok(err)
	}
	del("own")
	if m := w.mine("oth", g); m.Unread != 0 || m.Mentions != 0 {
		t.Fatalf("%+v", m)
	}
	w.spreadAll()
	other := w.login("oth", "phone")
	_, err = w.as("mem").Undelete(ctx, g, []im.Seq{seq})
	w.refused(err, im.Denied, im.CodeRole)
	r, err := w.as("own").Undelete(ctx, g, []im.Seq{seq, seq})
	w.ok(err)
	if r.Dup || r.Ver != 3 {
		t.Fatalf("%+v", r)
	}
	it := other.changed()
	m := it.Change.Msg
	if it.Change.Kind != im.Restore || m == nil || string(m.Body) != "words" || m.Digest != "d" || m.Push != "p" || m.Deleted || len(m.Reactions) != 1 {
		t.Fatalf("%+v", it.Change)
	}
	it = other.until(func(it Item) bool { return it.State != nil && it.State.Mine != nil })
	if it.State.Mine.Unread != 1 {
		t.Fatalf("%+v", it.State.Mine)
	}
	again, err := w.as("own").Undelete(ctx, g, []im.Seq{seq}) // it is there
	w.ok(err)
	if !again.Dup {
		t.Fatalf("%+v", again)
	}
	formers, _, err := w.as("oth").EditHistory(ctx, g, seq, 0, 0)
	w.ok(err)
	if len(formers) != 0 {
		t.Fatalf("a deletion is taken for an edit: %+v", formers)
	}
	del("mem")
	clock.add(time.Hour.Milliseconds() + 1)
	_, err = w.as("mem").Undelete(ctx, g, []im.Seq{seq})
	w.refused(err, im.Denied, im.CodeTooLate)
	if _, err := w.st.Sweep(ctx, clock.Now(), store.SweepPolicy{Deleted: time.Hour}); err != nil {
		t.Fatal(err)
	}
	_, err = w.as("mem").Undelete(ctx, g, []im.Seq{seq})
	w.refused(err, im.NotFound)
	// who comes only now is told that it is gone: he may have it still
	log, err := w.as("oth").Changes(ctx, g, 1, 0)
	w.ok(err)
	if last := log.Changes[len(log.Changes)-1]; last.Kind != im.Delete || last.Msg != nil || last.By != "" {
		t.Fatalf("%+v", last)
	}
}

// Neither a deletion nor what it was of is told to who could not see the message.
func TestDeletionsOfWhatOneCannotSee(t *testing.T) {
	w := newWorld(t, Config{})
	ctx := t.Context()
	g := w.group("own", "mem", "oth")
	secret := w.say("own", g, "x", func(m *im.Message) { m.To = []im.UserID{"mem"} })
	w.spreadAll()
	other, mem := w.login("oth", "phone"), w.login("mem", "phone")
	_, err := w.as("own").Delete(ctx, DeleteRequest{Conv: g, Seqs: []im.Seq{secret}, ForAll: true})
	w.ok(err)
	if it := mem.changed(); it.Change == nil || it.Change.Kind != im.Delete {
		t.Fatalf("%+v", it.Event)
	}
	if it := other.changed(); it.Change != nil {
		t.Fatalf("%+v", it.Change)
	}
	log, err := w.as("oth").Changes(ctx, g, 1, 0)
	w.ok(err)
	if len(log.Changes) != 0 || log.To != 1 {
		t.Fatalf("%+v", log)
	}
}

// Who may not write somewhere now brings nothing back there either; the app does.
func TestWhoMayNotWriteRestoresNothing(t *testing.T) {
	w := newWorld(t, Config{})
	ctx := t.Context()
	g := w.group("own", "bob")
	for _, conv := range []im.Address{g, "u/cat"} {
		seq := w.say("bob", conv, "words")
		_, err := w.as("bob").Delete(ctx, DeleteRequest{Conv: conv, Seqs: []im.Seq{seq}, ForAll: true})
		w.ok(err)
		want := im.CodeMuted
		if conv == g {
			_, err = w.as("own").GroupMute(ctx, MuteRequest{Conv: g, Users: []im.UserID{"bob"}, Until: w.c.Now().Add(time.Hour).UnixMilli()})
		} else {
			want, err = im.CodeNotAccepted, w.as("cat").Block(ctx, "bob")
		}
		w.ok(err)
		_, err = w.as("bob").Undelete(ctx, conv, []im.Seq{seq})
		w.refused(err, im.Denied, want)
		_, err = w.act("bob").Undelete(ctx, conv, []im.Seq{seq})
		w.ok(err)
		_, err = w.as("bob").Undelete(ctx, conv, []im.Seq{seq}) // it is there: no error
		w.ok(err)
	}
}
