package core

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
	"github.com/anser-im/anser/internal/store/memstore"
)

// later is a scheduled text.
func (w *world) later(u im.UserID, to im.Address, id im.ClientID, body string, at time.Time) {
	w.Helper()
	_, err := w.as(u).Schedule(w.Context(), Schedule{ID: id, At: at.UnixMilli(), To: to, Msg: text(id, body)})
	w.ok(err)
}

// tick moves the clock and has the timers looked at.
func (w *world) tick(ck *clock, d time.Duration) {
	ck.add(d.Milliseconds())
	w.c.timers.nudge()
}

// waits is what u has scheduled: ids, and why they failed.
func (w *world) waits(u im.UserID) string {
	w.Helper()
	list, more, err := w.as(u).Scheduled(w.Context(), "", 0)
	w.ok(err)
	if more {
		w.Fatal("more")
	}
	var s []string
	for _, v := range list {
		s = append(s, string(v.ID))
		if v.Failed != "" {
			s = append(s, "!")
		}
	}
	return strings.Join(s, " ")
}

// await waits until f holds.
func (w *world) await(what string, f func() bool) {
	w.Helper()
	for end := time.Now().Add(patience); !f(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			w.Fatalf("%s: not within %v", what, patience)
		}
	}
}

func TestE15_ScheduledSends(t *testing.T) {
	ck := newClock()
	w := newWorld(t, Config{Clock: ck.Now, Limits: im.Limits{SendRate: 1000, SendBurst: 1000}})
	g := w.group("ann", "bob", "eve")
	w.say("bob", g, "before")
	bob, laptop := w.login("bob", "phone"), w.login("ann", "laptop")
	now := ck.Now()
	s := w.as("ann")
	msg := &im.Message{Type: "app:card", Flags: im.Persist, Body: []byte("\x00\xffbytes"), Digest: "a card", ReplyTo: 1,
		Mentions: &im.Mentions{Users: []im.UserID{"bob"}}}
	v, err := s.Schedule(t.Context(), Schedule{ID: "a", At: now.Add(time.Hour).UnixMilli(), To: g, Msg: msg, HasFlags: true})
	w.ok(err)
	if v.ID != "a" || v.Failed != "" {
		t.Fatalf("%+v", v)
	}
	w.later("ann", "u/new", "b", "hello", now.Add(2*time.Hour))
	w.later("ann", "u/bob", "c", "gone", now.Add(time.Hour))
	w.later("ann", "u/bob", "d", "old", now.Add(time.Hour))
	w.later("ann", "u/bob", "d", "new", now.Add(2*time.Hour)) // replaces it
	if got := w.waits("ann"); got != "a b c d" {
		t.Fatal(got)
	}
	if got := w.waits("bob"); got != "" {
		t.Fatal(got)
	}
	list, more, err := s.Scheduled(t.Context(), "a", 1)
	w.ok(err)
	if len(list) != 1 || !more || list[0].ID != "b" || list[0].To != "u/new" || string(list[0].Msg.Body) != "hello" {
		t.Fatalf("%+v %v", list, more)
	}
	w.ok(s.Unschedule(t.Context(), "c"))
	w.refused(s.Unschedule(t.Context(), "c"), im.NotFound)

	w.tick(ck, time.Hour-time.Millisecond)
	w.tick(ck, time.Millisecond)
	it := bob.until(func(it Item) bool { return it.Msg != nil && it.Msg.ID == "a" })
	m := it.Msg
	if it.Addr != g || m.Sender != "ann" || m.Device != "" || m.Type != "app:card" || m.Flags != im.Persist || string(m.Body) != "\x00\xffbytes" ||
		m.Digest != "a card" || m.ReplyTo != 1 || m.Mentions == nil || m.Mentions.Users[0] != "bob" || m.Time != ck.Now().UnixMilli() {
		t.Fatalf("%s %+v", it.Addr, m)
	}
	laptop.until(func(it Item) bool { return it.Msg != nil && it.Msg.ID == "a" }) // her own devices too
	if mine := w.mine("ann", g); mine.Read >= m.Seq || mine.Unread != 1 {
		t.Fatalf("%+v: her cursor stays before what she has not read, and her own does not count", mine)
	}
	w.await("the end of the timer", func() bool { return w.waits("ann") == "b d" })
	w.tick(ck, time.Hour)
	bob.until(says("new"))
	w.await("the end of the timers", func() bool { return w.waits("ann") == "" })
	if ref, err := w.as("new").resolve("u/ann"); err != nil || ref.head.Seq != 1 {
		t.Fatalf("%+v %v", ref.head, err)
	}
	bob.quiet(func(it Item) bool { return it.Msg != nil && it.Msg.Sender == "ann" })

	_, err = s.Schedule(t.Context(), Schedule{ID: "d", At: ck.Now().Add(time.Hour).UnixMilli(), To: "u/bob", Msg: text("d", "new")})
	w.refused(err, im.Conflict) // it was sent
	at := ck.Now().Add(time.Hour).UnixMilli()
	for name, c := range map[string]struct {
		v    Schedule
		kind im.Kind
	}{
		"the past":       {Schedule{ID: "x", At: ck.Now().UnixMilli(), To: "u/bob", Msg: text("x", "x")}, im.Invalid},
		"far ahead":      {Schedule{ID: "x", At: ck.Now().Add(367 * 24 * time.Hour).UnixMilli(), To: "u/bob", Msg: text("x", "x")}, im.Invalid},
		"nothing":        {Schedule{ID: "x", At: at, To: "u/bob"}, im.Invalid},
		"no id":          {Schedule{At: at, To: "u/bob", Msg: text("", "x")}, im.Invalid},
		"a bad type":     {Schedule{ID: "x", At: at, To: "u/bob", Msg: &im.Message{Type: "a b"}}, im.Invalid},
		"me":             {Schedule{ID: "x", At: at, To: "me", Msg: text("x", "x")}, im.Invalid},
		"no such group":  {Schedule{ID: "x", At: at, To: "g/nope", Msg: text("x", "x")}, im.NotFound},
		"status":         {Schedule{ID: "x", At: at, To: "u/bob", HasFlags: true, Msg: &im.Message{Type: "a", Flags: im.Status}}, im.Invalid},
		"expired":        {Schedule{ID: "x", At: at, To: "u/bob", Msg: &im.Message{Type: "a", Expires: at}}, im.Invalid},
		"more than kept": {Schedule{ID: "x", At: at, To: "u/bob", Msg: text("x", strings.Repeat("x", maxScheduled))}, im.TooLarge},
	} {
		if _, err := s.Schedule(t.Context(), c.v); !im.IsKind(err, c.kind) {
			t.Errorf("%s: %v; want %v", name, err, c.kind)
		}
	}
}

// Rules are those of the moment: who may not send any more gets it back.
func TestE15_RefusedWhenItsTimeComes(t *testing.T) {
	ck := newClock()
	w := newWorld(t, Config{Clock: ck.Now})
	g := w.group("eve", "ann")
	w.later("ann", g, "left", "x", ck.Now().Add(time.Hour))
	w.later("ann", "u/bob", "blocked", "y", ck.Now().Add(time.Hour))
	w.later("ann", "u/joe", "fine", "z", ck.Now().Add(time.Hour))
	_, err := w.as("ann").Leave(t.Context(), g)
	w.ok(err)
	w.ok(w.as("bob").Block(t.Context(), "ann"))
	ann := w.login("ann", "phone")
	w.tick(ck, 2*time.Hour)
	w.await("the outcome", func() bool { return w.waits("ann") == "blocked ! left !" })
	notes := map[string]string{}
	for len(notes) < 2 {
		it := ann.until(func(it Item) bool { return it.Change != nil && it.Change.Kind == im.Noted })
		notes[it.Change.Key] = string(it.Change.Value)
	}
	var n scheduledNote
	w.ok(json.Unmarshal([]byte(notes["scheduled/blocked"]), &n))
	if n.Code != im.CodeNotAccepted || n.To != "u/bob" || n.Failed == "" || !strings.Contains(notes["scheduled/left"], "not in it") {
		t.Fatalf("%q", notes)
	}
	list, _, err := ann.Scheduled(t.Context(), "", 0)
	w.ok(err)
	if string(list[0].Msg.Body) != "y" || list[0].Failed != n.Failed || list[0].At != ck.Now().Add(-time.Hour).UnixMilli() {
		t.Fatalf("%+v", list[0])
	}
	// It stays until it is taken away or scheduled anew.
	w.tick(ck, time.Hour)
	w.ok(ann.Unschedule(t.Context(), "left"))
	w.ok(w.as("bob").Unblock(t.Context(), "ann"))
	w.later("ann", "u/bob", "blocked", "y", ck.Now().Add(time.Hour))
	it := ann.until(func(it Item) bool {
		return it.Change != nil && it.Change.Key == "scheduled/blocked" && it.Change.Value == nil
	})
	if it.Addr != im.Me {
		t.Fatal(it.Addr)
	}
	if got := w.waits("ann"); got != "blocked" {
		t.Fatal(got)
	}
	w.tick(ck, time.Hour)
	ann.until(says("y"))
	w.await("the end", func() bool { return w.waits("ann") == "" })
}

func TestTimersAreBounded(t *testing.T) {
	ck := newClock()
	w := newWorld(t, Config{Clock: ck.Now, Limits: im.Limits{MaxTimers: 3}})
	s := w.as("ann")
	w.later("ann", "u/bob", "a", "x", ck.Now().Add(time.Hour))
	w.later("ann", "u/bob", "b", "x", ck.Now().Add(time.Hour))
	remind := func(id im.ClientID) error {
		_, err := s.Remind(t.Context(), Reminder{ID: id, At: ck.Now().Add(time.Minute).UnixMilli()})
		return err
	}
	w.ok(remind("r"))
	w.refused(remind("r2"), im.TooLarge)
	w.later("ann", "u/bob", "a", "y", ck.Now().Add(time.Hour)) // takes its own place
	w.tick(ck, time.Minute)
	w.await("the reminder", func() bool { l, _, _ := s.Reminders(t.Context(), "", 0); return len(l) == 1 && l[0].Fired != 0 })
	w.refused(remind("r2"), im.TooLarge) // one that was told counts until it is taken away
	w.ok(remind("r"))
	w.ok(s.Unremind(t.Context(), "r"))
	w.ok(remind("r2"))
}

func TestE16_RemindersAndSavedMessages(t *testing.T) {
	ck := newClock()
	wk := &waker{}
	w := newWorld(t, Config{Clock: ck.Now, Waker: wk})
	seq := w.say("bob", "u/ann", "call me")
	phone := w.login("ann", "phone")
	at := ck.Now().Add(time.Hour).UnixMilli()
	v, err := phone.Remind(t.Context(), Reminder{ID: "r1", At: at, Conv: "u/bob", Seq: seq, Text: "call bob", Fired: 7})
	w.ok(err)
	if v.Fired != 0 {
		t.Fatalf("%+v", v)
	}
	_, err = phone.Remind(t.Context(), Reminder{ID: "r2", At: at, Text: "milk"})
	w.ok(err)
	_, err = phone.Remind(t.Context(), Reminder{ID: "r3", At: at + 60_000})
	w.ok(err)
	w.ok(phone.Unremind(t.Context(), "r3"))
	w.refused(phone.Unremind(t.Context(), "r3"), im.NotFound)
	w.tick(ck, time.Hour-time.Millisecond)
	w.tick(ck, time.Millisecond)
	got := map[string]reminderNote{}
	for len(got) < 2 {
		it := phone.until(func(it Item) bool { return it.Change != nil })
		var n reminderNote
		w.ok(json.Unmarshal(it.Change.Value, &n))
		if it.Addr != im.Me || it.Change.Kind != im.Noted {
			t.Fatalf("%s %+v", it.Addr, it.Change)
		}
		if _, twice := got[it.Change.Key]; twice {
			t.Fatalf("%s is told twice", it.Change.Key)
		}
		got[it.Change.Key] = n
	}
	if n := got["reminder/r1"]; n != (reminderNote{At: at, Conv: "u/bob", Seq: seq, Text: "call bob", Fired: at}) {
		t.Fatalf("%+v", n)
	}
	phone.Close()
	_, err = w.as("ann").Remind(t.Context(), Reminder{ID: "r0", At: at + 3_600_000, Text: "now\nand here"})
	w.ok(err)
	list, more, err := w.as("ann").Reminders(t.Context(), "", 2)
	w.ok(err)
	if len(list) != 2 || !more || list[0].ID != "r0" || list[0].Fired != 0 || list[1].ID != "r1" || list[1].Fired != at {
		t.Fatalf("%+v %v", list, more)
	}
	if list, more, err = w.as("ann").Reminders(t.Context(), "r1", 2); err != nil || len(list) != 1 || more || list[0].ID != "r2" {
		t.Fatalf("%+v %v %v", list, more, err)
	}
	wk.take()
	w.tick(ck, time.Hour)
	var woken string
	w.await("push", func() bool {
		woken += wk.take()
		return strings.Contains(woken, "now and here") || strings.Contains(woken, `now\nand here`)
	})
	_, err = w.as("ann").Remind(t.Context(), Reminder{ID: "r1", At: ck.Now().Add(time.Hour).UnixMilli()}) // anew
	w.ok(err)
	if list, _, err = w.as("ann").Reminders(t.Context(), "r0", 1); err != nil || list[0].ID != "r1" || list[0].Fired != 0 {
		t.Fatalf("%+v %v", list, err)
	}
	for name, c := range map[string]struct {
		v    Reminder
		kind im.Kind
	}{
		"no id":           {Reminder{At: at * 2}, im.Invalid},
		"the past":        {Reminder{ID: "x", At: at}, im.Invalid},
		"long":            {Reminder{ID: "x", At: ck.Now().Add(time.Hour).UnixMilli(), Text: strings.Repeat("x", 1025)}, im.TooLarge},
		"no such message": {Reminder{ID: "x", At: ck.Now().Add(time.Hour).UnixMilli(), Conv: "u/bob", Seq: 99}, im.NotFound},
		"no such group":   {Reminder{ID: "x", At: ck.Now().Add(time.Hour).UnixMilli(), Conv: "g/nope"}, im.NotFound},
		"a number alone":  {Reminder{ID: "x", At: ck.Now().Add(time.Hour).UnixMilli(), Seq: 1}, im.Invalid},
	} {
		if _, err := w.as("ann").Remind(t.Context(), c.v); !im.IsKind(err, c.kind) {
			t.Errorf("%s: %v; want %v", name, err, c.kind)
		}
	}
	saved(t, w, ck)
}

// saved is the half of E16 about messages kept for later.
func saved(t *testing.T, w *world, ck *clock) {
	g := w.group("bob", "kim")
	seq := w.say("bob", g, "in the group")
	s := w.as("kim")
	for i := range 3 {
		ck.add(1000)
		n := w.say("bob", "u/kim", fmt.Sprint(i))
		_, err := s.Save(t.Context(), Saved{Conv: "u/bob", Seq: n, Note: fmt.Sprint("note ", i)})
		w.ok(err)
	}
	ck.add(1000)
	v, err := s.Save(t.Context(), Saved{Conv: g, Seq: seq})
	w.ok(err)
	if v.Time != ck.Now().UnixMilli() || string(v.Msg.Body) != "in the group" {
		t.Fatalf("%+v", v)
	}
	ck.add(1000)
	if v, err = s.Save(t.Context(), Saved{Conv: "u/bob", Seq: 1, Note: "other"}); err != nil || v.Time == ck.Now().UnixMilli() {
		t.Fatalf("%+v %v: it stays in its place", v, err)
	}
	var all []string
	for next := ""; ; {
		var list []Saved
		list, next, err = s.Saved(t.Context(), next, 2)
		w.ok(err)
		for _, v := range list {
			all = append(all, fmt.Sprintf("%s %d %s %t", v.Conv, v.Seq, v.Note, v.Msg != nil))
		}
		if next == "" {
			break
		}
	}
	want := []string{fmt.Sprintf("%s %d  true", g, seq), "u/bob 3 note 2 true", "u/bob 2 note 1 true", "u/bob 1 other true"}
	if !slices.Equal(all, want) {
		t.Fatalf("%q; want %q", all, want)
	}
	_, err = s.Leave(t.Context(), g)
	w.ok(err)
	_, err = w.as("bob").Recall(t.Context(), RecallRequest{Conv: "u/kim", Seq: 3})
	w.ok(err)
	w.ok(s.Unsave(t.Context(), "u/bob", 2))
	w.ok(s.Unsave(t.Context(), "u/bob", 2))
	list, _, err := s.Saved(t.Context(), "", 0)
	w.ok(err)
	if len(list) != 3 || list[0].Msg != nil || !list[1].Msg.Recalled || len(list[1].Msg.Body) > 0 || list[2].Seq != 1 {
		t.Fatalf("%+v", list)
	}
	_, err = s.Save(t.Context(), Saved{Conv: g, Seq: seq})
	w.refused(err, im.NotFound)
	_, err = s.Save(t.Context(), Saved{Conv: "u/bob", Seq: 99})
	w.refused(err, im.NotFound)
	_, err = s.Save(t.Context(), Saved{Conv: "u/bob", Seq: 1, Note: "a\x00"})
	w.refused(err, im.Invalid)
	_, _, err = s.Saved(t.Context(), "nonsense", 0)
	w.refused(err, im.Invalid)
}

// What was scheduled before the end is done once after it, however the server ended:
// also where a message was sent and its timer stayed.
func TestE15_OnceAcrossRestarts(t *testing.T) {
	ck := newClock()
	w := newWorld(t, Config{Clock: ck.Now})
	for i := range 5 {
		id := im.ClientID(fmt.Sprint("s", i))
		w.later("ann", "u/bob", id, string(id), ck.Now().Add(time.Hour+time.Duration(i)))
		_, err := w.as("ann").Remind(t.Context(), Reminder{ID: id, At: ck.Now().Add(time.Hour).UnixMilli()})
		w.ok(err)
	}
	kept, ok, err := w.st.Get(store.TimerRecord, "ann", "send/s0")
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	w.c.Close()
	ck.add(30 * 60_000)
	w2 := worldOver(t, Config{Clock: ck.Now}, w.st.Reopen(memstore.Config{Clock: ck.Now}))
	if got := w2.waits("ann"); got != "s0 s1 s2 s3 s4" {
		t.Fatal(got)
	}
	w2.c.Close()
	ck.add(60 * 60_000) // they come due while nobody is there
	w3 := worldOver(t, Config{Clock: ck.Now}, w2.st.Reopen(memstore.Config{Clock: ck.Now}))
	w3.await("what was due", func() bool {
		l, _, err := w3.as("ann").Reminders(t.Context(), "", 0)
		w3.ok(err)
		return w3.waits("ann") == "" && len(l) == 5 && l[4].Fired != 0
	})
	// The send came to the disk, the end of its timer did not.
	w3.ok(w3.c.do(context.Background(), &store.PutOp{Records: []store.Record{{Kind: store.TimerRecord, User: "ann", Key: "send/s0", Value: kept, Due: 1}}}))
	w3.c.timers.due(1)
	w3.await("the timer", func() bool { return w3.waits("ann") == "" })
	r, head, err := w3.as("bob").Page(t.Context(), PageQuery{Conv: "u/ann"})
	w3.ok(err)
	var got []string
	for _, m := range r.Messages {
		got = append(got, string(m.Body))
	}
	slices.Sort(got)
	if head.Seq != 5 || !slices.Equal(got, []string{"s0", "s1", "s2", "s3", "s4"}) {
		t.Fatal(head.Seq, got)
	}
	ch, err := w3.as("ann").Changes(t.Context(), im.Me, 1, 0)
	w3.ok(err)
	if len(ch.Changes) != 5 {
		t.Fatalf("%d notes for 5 reminders", len(ch.Changes))
	}
}

// While the store refuses, nothing is lost, and what was put off is done later.
func TestTimersWaitForTheStore(t *testing.T) {
	ck := newClock()
	w := newWorld(t, Config{Clock: ck.Now})
	w.later("ann", "u/bob", "a", "x", ck.Now().Add(time.Minute))
	_, err := w.as("ann").Remind(t.Context(), Reminder{ID: "r", At: ck.Now().Add(time.Minute).UnixMilli()})
	w.ok(err)
	w.st.FailReadOnly(true)
	ck.add(2 * 60_000)
	w.c.timers.nudge()
	w.await("the runner to see it", func() bool {
		w.c.timers.mu.Lock()
		defer w.c.timers.mu.Unlock()
		return w.c.timers.next > ck.Now().UnixMilli()
	})
	if got := w.waits("ann"); got != "a" {
		t.Fatal(got)
	}
	w.st.FailReadOnly(false)
	w.tick(ck, time.Hour)
	w.await("both", func() bool {
		l, _, err := w.as("ann").Reminders(t.Context(), "", 0)
		w.ok(err)
		return w.waits("ann") == "" && len(l) == 1 && l[0].Fired != 0
	})
}

func FuzzDecodeHeld(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200})
	f.Add(encodeHeld(&Schedule{At: 1, To: "u/bob", HasFlags: true, Msg: &im.Message{Type: "an:text", Flags: 3, Body: []byte("x"),
		Mentions: &im.Mentions{All: true, Users: []im.UserID{"a"}, Roles: []im.Role{im.Admin}}, To: []im.UserID{"b"}}}, true))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, m, ok := decodeHeld("id", b)
		if !ok {
			return
		}
		h2, m2, ok := decodeHeld("id", h.encode(m.Body))
		if !ok || string(m2.Body) != string(m.Body) || h2.To != h.To || h2.At != h.At || (m2.Mentions == nil) != (m.Mentions == nil) {
			t.Fatalf("%+v %+v", h, h2)
		}
	})
}

func TestHeldSendIsWhole(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := &im.Message{ID: "id", Type: rapid.StringMatching(`[a-z:]{1,8}`).Draw(rt, "type"), Flags: im.Flags(rapid.IntRange(0, 3).Draw(rt, "flags")),
			Body: rapid.SliceOf(rapid.Byte()).Draw(rt, "body"), Digest: rapid.String().Draw(rt, "digest"), ReplyTo: im.Seq(rapid.Uint64().Draw(rt, "reply")),
			Thread: im.Seq(rapid.Uint64().Draw(rt, "thread")), Burn: rapid.Uint32().Draw(rt, "burn"), Push: "p"}
		if rapid.Bool().Draw(rt, "named") {
			m.Mentions = &im.Mentions{All: rapid.Bool().Draw(rt, "all"), Users: []im.UserID{"u"}}
		}
		v := &Schedule{At: 5, To: "u/bob", Msg: m}
		_, got, ok := decodeHeld("id", encodeHeld(v, false))
		if !ok || string(got.Body) != string(m.Body) || got.Digest != m.Digest || got.ReplyTo != m.ReplyTo || got.Thread != m.Thread ||
			got.Burn != m.Burn || got.Flags != m.Flags || got.Push != m.Push || (got.Mentions == nil) != (m.Mentions == nil) {
			rt.Fatalf("%+v becomes %+v", m, got)
		}
	})
}
