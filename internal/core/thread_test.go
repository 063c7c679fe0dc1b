package core

import (
	"fmt"
	"slices"
	"testing"

	"github.com/anser-im/anser/internal/im"
)

// send sends through a session's lanes, as a client does.
func (w *world) sendAs(s *Session, to im.Address, m *im.Message) im.Seq {
	w.Helper()
	if m.ID == "" {
		m.ID = w.id()
	}
	if m.Type == "" {
		m.Type = "an:text"
	}
	snd := &Send{To: to, Msg: m}
	w.ok(s.SendWait(w.Context(), snd))
	return snd.Seq
}

func TestE12_Threads(t *testing.T) {
	w := newWorld(t, Config{})
	ctx := t.Context()
	g := w.group("ann", "bob", "cat", "dan")
	a, b := w.say("ann", g, "thread A"), w.say("bob", g, "thread B")
	in := func(root im.Seq) func(*im.Message) { return func(m *im.Message) { m.Thread = root } }
	var inA []im.Seq
	for i := range 5 {
		inA = append(inA, w.say("bob", g, fmt.Sprint("A", i), in(a)))
	}
	cat := w.login("cat", "phone")
	b1 := w.sendAs(w.as("cat"), g, &im.Message{Thread: b})
	if it := cat.until(func(it Item) bool { return it.Addr == im.Me }); it.Change.Kind != im.Noted || it.Change.Key != threadKey(g, b) {
		t.Fatalf("%+v", it.Change)
	}
	b2 := w.say("bob", g, "B2", in(b), mention("dan"))

	list, more, err := w.as("ann").Threads(ctx, g, 0, 1)
	w.ok(err)
	rest, last, err := w.as("ann").Threads(ctx, g, list[0].ThreadLast, 1)
	w.ok(err)
	list = append(list, rest...)
	if !more || last || len(list) != 2 || list[0].Seq != b || list[1].Seq != a {
		t.Fatalf("%+v %v %v", list, more, last)
	}
	if th := list[0]; th.Root.Seq != b || th.Last.Seq != b2 || th.Tally.Thread != 2 || th.ThreadLast != b2 || th.ThreadTime == 0 {
		t.Fatalf("%+v", th)
	}
	for u, want := range map[im.UserID]struct {
		a, b     bool // follows
		unA, unB int
	}{
		"ann": {true, false, 5, 2}, // began A
		"bob": {true, true, 0, 1},  // wrote in both
		"cat": {false, true, 5, 1}, // wrote in B
		"dan": {false, true, 5, 2}, // is named in B
	} {
		list, _, err := w.as(u).Threads(ctx, g, 0, 0)
		w.ok(err)
		if list[1].Following != want.a || list[0].Following != want.b || list[1].Unread != want.unA || list[0].Unread != want.unB {
			t.Errorf("%s: A %v %d, B %v %d", u, list[1].Following, list[1].Unread, list[0].Following, list[0].Unread)
		}
	}

	page, more, err := w.as("dan").ThreadPage(ctx, ThreadQuery{Conv: g, Root: a, From: inA[1], Limit: 3})
	w.ok(err)
	if !more || !slices.Equal(seqsOf(page), inA[1:4]) {
		t.Fatalf("%v %v", seqsOf(page), more)
	}
	page, more, err = w.as("dan").ThreadPage(ctx, ThreadQuery{Conv: g, Root: a, To: inA[3], Backward: true, Limit: 3})
	w.ok(err)
	if !more || !slices.Equal(seqsOf(page), []im.Seq{inA[3], inA[2], inA[1]}) {
		t.Fatalf("%v %v", seqsOf(page), more)
	}
	if page, more, err = w.as("dan").ThreadPage(ctx, ThreadQuery{Conv: g, Root: b}); err != nil || more || !slices.Equal(seqsOf(page), []im.Seq{b1, b2}) {
		t.Fatalf("%v %v %v", seqsOf(page), more, err)
	}

	// his own row of a thread, on all his devices
	w.spreadAll()
	phone, web := w.login("dan", "phone"), w.login("dan", "web")
	yes, level, read := true, im.NotifyMentions, inA[2]
	th, err := phone.ThreadSet(ctx, g, a, ThreadPatch{Follow: &yes, Level: &level, Read: &read})
	w.ok(err)
	if !th.Following || th.Level != level || th.Read != read || th.Unread != 2 {
		t.Fatalf("%+v", th)
	}
	it := web.until(func(it Item) bool { return it.Addr == im.Me && it.Change != nil })
	if it.Change.Kind != im.Noted || it.Change.Key != threadKey(g, a) || it.Change.Value == nil {
		t.Fatalf("%+v", it.Change)
	}
	back, no := inA[0], false
	th, err = phone.ThreadSet(ctx, g, a, ThreadPatch{Follow: &no, Read: &back})
	w.ok(err)
	if th.Following || th.Read != read || th.Level != level {
		t.Fatalf("%+v", th)
	}
	// read past the message that named him he still follows
	th, err = phone.ThreadSet(ctx, g, b, ThreadPatch{Read: &b2})
	w.ok(err)
	for range threadNewest + 5 {
		w.say("bob", g, "more", in(b))
	}
	if list, _, err = phone.Threads(ctx, g, 0, 0); err != nil || !list[0].Following || list[0].Unread != threadNewest+5 {
		t.Fatalf("%+v %v", list[0], err)
	}
	_, err = phone.ThreadSet(ctx, g, 5000, ThreadPatch{Follow: &yes})
	w.refused(err, im.NotFound)
	bad := im.Level(99)
	_, err = phone.ThreadSet(ctx, g, a, ThreadPatch{Level: &bad})
	w.refused(err, im.Invalid)
}

// Threads show nothing of what is not for the reader, and nothing that is gone.
func TestThreadsShowWhatOneMaySee(t *testing.T) {
	w := newWorld(t, Config{})
	ctx := t.Context()
	g := w.group("ann", "bob")
	root := w.say("ann", g, "root")
	in := func(m *im.Message) { m.Thread = root }
	w.say("bob", g, "early", in)
	_, err := w.as("ann").GroupAdd(ctx, g, []im.UserID{"eve"})
	w.ok(err)
	if list, _, err := w.as("eve").Threads(ctx, g, 0, 0); err != nil || len(list) != 0 {
		t.Fatalf("%+v %v", list, err)
	}
	late := w.say("bob", g, "late", in)
	secret := w.say("bob", g, "secret", in, func(m *im.Message) { m.To = []im.UserID{"ann"} })
	list, _, err := w.as("eve").Threads(ctx, g, 0, 0)
	w.ok(err)
	if len(list) != 1 || list[0].Root != nil || list[0].Last == nil || list[0].Last.Seq != late || list[0].Unread != 1 {
		t.Fatalf("%+v", list)
	}
	page, _, err := w.as("eve").ThreadPage(ctx, ThreadQuery{Conv: g, Root: root})
	w.ok(err)
	if !slices.Equal(seqsOf(page), []im.Seq{late}) {
		t.Fatalf("%v", seqsOf(page))
	}
	if page, _, err = w.as("ann").ThreadPage(ctx, ThreadQuery{Conv: g, Root: root}); err != nil || len(page) != 3 || page[2].Seq != secret {
		t.Fatalf("%v %v", seqsOf(page), err)
	}
	_, err = w.as("bob").Delete(ctx, DeleteRequest{Conv: g, Seqs: []im.Seq{late}, ForAll: true})
	w.ok(err)
	if list, _, err := w.as("eve").Threads(ctx, g, 0, 0); err != nil || len(list) != 0 {
		t.Fatalf("%+v %v", list, err)
	}
}

// That a user wrote in many threads is noted only while there is room for half of his
// notes: the others are for what he writes down himself.
func TestThreadsLeaveRoomForNotes(t *testing.T) {
	w := newWorld(t, Config{Limits: im.Limits{MaxNotes: 4}})
	g := w.group("ann", "bob")
	for i := range 6 {
		w.c.noteFollowing(t.Context(), following{"bob", g, w.say("ann", g, fmt.Sprint("thread ", i))})
	}
	if list, err := w.c.notes("bob", noteThread, "", 10); err != nil || len(list) != 2 {
		t.Fatalf("%d notes of threads, %v", len(list), err)
	}
	_, err := w.as("bob").SetDraft(t.Context(), Draft{Conv: g, Body: []byte("{}")})
	w.ok(err)
	no := false
	_, err = w.as("bob").ThreadSet(t.Context(), g, 3, ThreadPatch{Follow: &no})
	w.ok(err)
}
