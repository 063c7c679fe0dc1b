package core

import (
	"reflect"
	"testing"

	"github.com/anser-im/anser/internal/im"
)

func TestF5_DraftsAreSynced(t *testing.T) {
	ck := newClock()
	w := newWorld(t, Config{Clock: ck.Now, Limits: im.Limits{MaxNotes: 5}})
	s := w.as("ann")
	for _, u := range []im.Address{"u/bob", "u/eve", "u/joe"} { // none has begun
		d, err := s.SetDraft(t.Context(), Draft{Conv: u, Body: []byte("to " + u), ReplyTo: 3})
		w.ok(err)
		if d.Time != ck.Now().UnixMilli() {
			t.Fatalf("%+v", d)
		}
	}
	list, more, err := s.Drafts(t.Context(), "", 2)
	w.ok(err)
	if len(list) != 2 || !more || list[0].Conv != "u/bob" || string(list[1].Body) != "to u/eve" || list[1].ReplyTo != 3 || list[1].Time != ck.Now().UnixMilli() {
		t.Fatalf("%+v %v", list, more)
	}
	_, err = s.SetDraft(t.Context(), Draft{Conv: "u/eve"})
	w.ok(err)
	list, more, err = s.Drafts(t.Context(), "u/bob", 2)
	w.ok(err)
	if len(list) != 1 || more || list[0].Conv != "u/joe" {
		t.Fatalf("%+v %v", list, more)
	}
	if list, _, err := w.as("bob").Drafts(t.Context(), "", 0); err != nil || list != nil {
		t.Fatalf("bob has %+v %v", list, err)
	}
	_, err = s.SetDraft(t.Context(), Draft{Conv: "u/bob", Body: make([]byte, maxDraft+1)})
	w.refused(err, im.TooLarge)
	_, err = s.SetDraft(t.Context(), Draft{Conv: "g/nope", Body: []byte("x")})
	w.refused(err, im.NotFound)
	_, err = s.SetDraft(t.Context(), Draft{Conv: "me", Body: []byte("x")})
	w.refused(err, im.Invalid)
	_, err = s.SetDraft(t.Context(), Draft{Conv: "x"})
	w.refused(err, im.Invalid)
	for _, u := range []im.Address{"u/1", "u/2", "u/3", "u/4"} {
		_, err = s.SetDraft(t.Context(), Draft{Conv: u, Body: []byte("x")})
		if (err == nil) != (u != "u/4") {
			t.Fatal(u, err)
		}
	}
	w.refused(err, im.TooLarge)
}

func TestF6_UnreadTotals(t *testing.T) {
	w := newWorld(t, Config{})
	g := w.group("bob", "ann", "eve")
	quiet := w.group("bob", "ann")
	s := w.as("ann")
	for range 3 {
		w.say("bob", "u/ann", "x")
	}
	w.say("bob", g, "1", mention("ann"))
	w.say("bob", g, "2", func(m *im.Message) { m.Mentions = &im.Mentions{All: true} })
	w.say("eve", g, "3", func(m *im.Message) { m.To = []im.UserID{"ann"} })
	w.say("eve", g, "4", func(m *im.Message) { m.To = []im.UserID{"bob"} })
	w.say("eve", g, "5", func(m *im.Message) { m.Flags = im.Persist })
	seq := w.say("bob", quiet, "6")
	w.say("eve", "u/ann", "7")
	_, err := s.Read(t.Context(), "u/eve", 0)
	w.ok(err)
	w.set("ann", "u/eve", im.SettingsPatch{Marked: ptr(true)})
	w.set("ann", quiet, im.SettingsPatch{Level: ptr(im.NotifyNone), Tags: &[]string{"x"}})

	is := func(f Filter, want Unread) {
		t.Helper()
		got, err := s.Unread(t.Context(), f)
		w.ok(err)
		if want.ByKind == nil {
			want.ByKind = map[im.ConvKind]uint64{}
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%+v: %+v; want %+v", f, got, want)
		}
	}
	kinds := func(d, g uint64) map[im.ConvKind]uint64 {
		m := map[im.ConvKind]uint64{}
		if d > 0 {
			m[im.Direct] = d
		}
		if g > 0 {
			m[im.Group] = g
		}
		return m
	}
	is(Filter{}, Unread{Messages: 7, Conversations: 3, Mentions: 1, All: 1, Marked: 1, ByKind: kinds(3, 4)})
	is(Filter{NotMuted: true}, Unread{Messages: 6, Conversations: 2, Mentions: 1, All: 1, Marked: 1, ByKind: kinds(3, 3)})
	is(Filter{Tag: "x"}, Unread{Messages: 1, Conversations: 1, ByKind: kinds(0, 1)})
	is(Filter{Kinds: []im.ConvKind{im.Direct}}, Unread{Messages: 3, Conversations: 1, Marked: 1, ByKind: kinds(3, 0)})
	is(Filter{Mentions: true}, Unread{Messages: 3, Conversations: 1, Mentions: 1, All: 1, ByKind: kinds(0, 3)})
	w.set("ann", g, im.SettingsPatch{Archived: ptr(true)})
	is(Filter{}, Unread{Messages: 4, Conversations: 2, Marked: 1, ByKind: kinds(3, 1)})
	is(Filter{Archived: true}, Unread{Messages: 3, Conversations: 1, Mentions: 1, All: 1, ByKind: kinds(0, 3)})
	_, err = w.as("bob").Recall(t.Context(), RecallRequest{Conv: quiet, Seq: seq})
	w.ok(err)
	is(Filter{}, Unread{Messages: 3, Conversations: 1, Marked: 1, ByKind: kinds(3, 0)})
	_, err = s.Delete(t.Context(), DeleteRequest{Conv: "u/bob", Seqs: []im.Seq{2}})
	w.ok(err)
	is(Filter{}, Unread{Messages: 2, Conversations: 1, Marked: 1, ByKind: kinds(2, 0)})
}

func TestF7_UnreadMentions(t *testing.T) {
	w := newWorld(t, Config{})
	g := w.group("bob", "ann")
	ann := w.login("ann", "phone")
	var named []im.Seq
	for range 3 {
		w.say("bob", g, "x")
		named = append(named, w.say("bob", g, "ann!", mention("ann")))
	}
	list, err := ann.Mentions(t.Context(), g, 0)
	w.ok(err)
	if !reflect.DeepEqual(list, named) || w.mine("ann", g).Mentions != 3 {
		t.Fatal(list, named)
	}
	// The jump: a page around the first, and it is among it.
	r, _, err := ann.Page(t.Context(), PageQuery{Conv: g, Around: list[0], Limit: 3})
	w.ok(err)
	found := false
	for _, m := range r.Messages {
		found = found || m.Seq == list[0]
	}
	if !found {
		t.Fatalf("%+v", r)
	}
	m, err := ann.Read(t.Context(), g, list[0])
	w.ok(err)
	if m.Mentions != 2 {
		t.Fatalf("%+v", m)
	}
	if _, err := w.as("bob").Recall(t.Context(), RecallRequest{Conv: g, Seq: list[1]}); err != nil {
		t.Fatal(err)
	}
	if rest, err := ann.Mentions(t.Context(), g, 0); err != nil || len(rest) != 1 || rest[0] != named[2] {
		t.Fatal(rest, err)
	}
}

func TestF10_TypingAndRecording(t *testing.T) {
	w := newWorld(t, Config{})
	g := w.group("ann", "bob", "eve")
	ann, bob, eve := w.login("ann", "phone"), w.login("bob", "phone"), w.login("eve", "phone")
	for _, to := range []im.Address{"u/bob", g} {
		for _, kind := range []string{"typing", "recording"} {
			w.ok(ann.Signal(to, im.Signal{Kind: kind, TTL: 5000}))
			it := bob.until(func(it Item) bool { return it.Signal != nil })
			want := to
			if to == "u/bob" {
				want = "u/ann"
			}
			if it.Addr != want || it.Signal.Kind != kind || it.Signal.Sender != "ann" || it.Signal.TTL != 5000 || it.Seq != 0 {
				t.Fatalf("%s %+v", it.Addr, it.Signal)
			}
		}
	}
	eve.until(func(it Item) bool { return it.Signal != nil && it.Signal.Kind == "recording" })
	ann.quiet(func(it Item) bool { return it.Signal != nil })
	if c, err := bob.Conversation(t.Context(), g); err != nil || c.Mine.Unread != 0 || c.Head.Seq != 1 {
		t.Fatalf("a signal leaves something: %+v %v", c, err)
	}
}
