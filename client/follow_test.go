package client_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/anser-im/anser/client"
	"github.com/anser-im/anser/wire"
)

// change makes a change of a conversation; alter changes the message it is about.
func (f *fake) change(addr string, seq uint64, ch *wire.Change, alter func(*wire.Message), silent ...bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	v := f.conv(addr)
	ch.Ver, ch.Seq = uint64(len(v.changes)+1), seq
	if alter != nil {
		old := v.msgs[seq-1]
		m := &wire.Message{Seq: seq, Ver: ch.Ver, N: old.N, Time: old.Time, Id: old.Id, Sender: old.Sender, Device: old.Device,
			Type: old.Type, Flags: old.Flags, Body: old.Body, Expires: old.Expires, BurnS: old.BurnS, Reactions: old.Reactions, ReplyTo: old.ReplyTo}
		alter(m)
		v.msgs[seq-1], ch.Message = m, m
	}
	if ch.Kind == wire.ChangeDelete {
		v.msgs[seq-1] = nil
	}
	v.changes = append(v.changes, ch)
	if len(silent) == 0 {
		f.event(&wire.Event{Conv: addr, Ver: ch.Ver, Change: ch}, nil)
	}
}

// give stores and pushes a message as it is.
func (f *fake) give(addr string, m *wire.Message, silent ...bool) uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	if m.Type == "" {
		m.Type = client.TypeText
	}
	if m.Sender == "" {
		m.Sender = "bob"
	}
	m.Flags = 3
	m.Id = fmt.Sprint("m", f.position)
	m = f.append(addr, m)
	if len(silent) == 0 {
		f.event(&wire.Event{Conv: addr, Seq: m.Seq, Message: m}, nil)
	}
	return m.Seq
}

// state tells alice's row of a conversation.
func (f *fake) state(addr string, m *wire.Mine) {
	f.mu.Lock()
	defer f.mu.Unlock()
	head := &wire.Head{}
	if cv := f.convs[addr]; cv != nil {
		head.Seq = uint64(len(cv.msgs))
	}
	f.event(&wire.Event{Conv: addr, State: &wire.State{Mine: m, Head: head}}, nil)
}

func text(s string) []byte { return client.Text(s).Body }

// events is what an app was told, a word each, of the kinds that move what it shows.
func moves(a *app) string {
	var b strings.Builder
	for _, e := range a.all() {
		switch e.Kind {
		case client.EventMessage:
			fmt.Fprintf(&b, "+%d ", e.Message.Seq)
		case client.EventChange:
			fmt.Fprintf(&b, "%s%d ", e.Change.Kind, e.Change.Seq)
		case client.EventDeleted, client.EventExpired:
			fmt.Fprintf(&b, "%v%v ", e.Kind, e.Ranges)
		case client.EventNoted:
			fmt.Fprintf(&b, "%s=%s%v ", e.Note.Key, e.Note.Value, e.Note.Gone)
		case client.EventSelf:
			fmt.Fprintf(&b, "%s ", e.Change.Kind)
		case client.EventSent:
			fmt.Fprintf(&b, "sent%d ", e.Sent.Seq)
		case client.EventReset:
			fmt.Fprintf(&b, "reset ")
		}
	}
	return strings.TrimSpace(b.String())
}

// shown is what is kept of a conversation: the number, or the id of what was inserted.
func shown(a *app, conv string) string {
	var b strings.Builder
	for _, m := range a.c.Kept(conv, nil, 1000) {
		if m.Seq == 0 {
			fmt.Fprintf(&b, "%s ", m.Local.ID)
			continue
		}
		fmt.Fprintf(&b, "%d:%s ", m.Seq, m.Text())
	}
	return strings.TrimSpace(b.String())
}

func keep(n int) func(*client.Options) { return func(o *client.Options) { o.Keep = n } }

func same(t testing.TB, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %s\nwant %s", what, got, want)
	}
}

// What is kept follows every kind of change, live and after an absence, and is there in
// the next run of the program.
func TestE7_KeptFollowsChanges(t *testing.T) {
	bubble(t, "changes", func(t *testing.T, f *fake) {
		st := client.NewMemStore()
		a := start(t, f, keep(100), func(o *client.Options) { o.Store = st })
		settle(time.Second)
		for i := range 6 {
			f.give("u/bob", &wire.Message{Body: text(fmt.Sprint("m", i+1))})
		}
		settle(time.Second)
		f.edit("u/bob", 1, "M1")
		f.change("u/bob", 2, &wire.Change{Kind: wire.ChangeRecall}, func(m *wire.Message) { m.Body, m.Recalled = nil, true })
		f.change("u/bob", 3, &wire.Change{Kind: wire.ChangeDelete, By: "bob"}, nil)
		f.change("u/bob", 4, &wire.Change{Kind: wire.ChangeReact, By: "alice", Added: []string{"👍"}},
			func(m *wire.Message) { m.Reactions = []*wire.Reaction{{Key: "👍", Count: 2}} })
		f.change("u/bob", 5, &wire.Change{Kind: wire.ChangePin}, func(m *wire.Message) { m.Pin = &wire.Pin{By: "bob", Time: 5} })
		f.change("u/bob", 6, &wire.Change{Kind: wire.ChangeExpand}, func(m *wire.Message) { m.Expansion = []*wire.Pair{{Key: "k", Value: "v"}} })
		settle(time.Second)
		same(t, "told", moves(a), "+1 +2 +3 +4 +5 +6 edit1 recall2 delete3 react4 pin5 expand6")
		same(t, "kept", shown(a, "u/bob"), "1:M1 2: 4:m4 5:m5 6:m6")
		all := a.c.Kept("u/bob", nil, 0)
		if m := all[2]; len(m.Reactions) != 1 || m.Reactions[0] != (client.Reaction{Key: "👍", Count: 2}) || m.Extra == nil || !slices.Equal(m.Extra.Mine, []string{"👍"}) {
			t.Errorf("%+v %+v", m.Reactions, m.Extra)
		}
		if all[3].Pin == nil || all[3].Pin.By != "bob" || all[4].Expansion["k"] != "v" || !all[1].Recalled {
			t.Errorf("%+v %+v", all[3], all[4])
		}
		// While away: deleted, restored, my reaction taken back by my other device.
		a.stop()
		f.forget()
		f.change("u/bob", 6, &wire.Change{Kind: wire.ChangeDelete}, nil, true)
		f.locked(func() {
			f.convs["u/bob"].msgs[2] = &wire.Message{Seq: 3, N: 3, Id: "m", Sender: "bob", Type: "an:text", Flags: 3, Body: text("m3")}
		})
		f.change("u/bob", 3, &wire.Change{Kind: wire.ChangeRestore}, func(*wire.Message) {}, true)
		f.change("u/bob", 4, &wire.Change{Kind: wire.ChangeReact, By: "alice", Removed: []string{"👍"}}, func(m *wire.Message) { m.Reactions = nil }, true)
		f.give("u/bob", &wire.Message{Body: text("m7")}, true)
		again := start(t, f, keep(100), func(o *client.Options) { o.Store = st })
		same(t, "before it connects", shown(again, "u/bob"), "1:M1 2: 4:m4 5:m5 6:m6")
		settle(5 * time.Second)
		same(t, "kept", shown(again, "u/bob"), "1:M1 2: 3:m3 4:m4 5:m5 7:m7")
		got := strings.Fields(moves(again))
		slices.Sort(got)
		same(t, "told", strings.Join(got, " "), "+7 delete6 react4 restore3")
		if m := again.c.Kept("u/bob", nil, 0)[3]; m.Reactions != nil || m.Extra != nil {
			t.Errorf("%+v %+v", m.Reactions, m.Extra)
		}
		// A third run finds the same.
		again.stop()
		third := start(t, f, keep(100), func(o *client.Options) { o.Store = st })
		same(t, "at rest", shown(third, "u/bob"), "1:M1 2: 3:m3 4:m4 5:m5 7:m7")
	})
	bubble(t, "only the newest", func(t *testing.T, f *fake) {
		st := client.NewMemStore()
		a := start(t, f, keep(3), func(o *client.Options) { o.Store = st })
		settle(time.Second)
		for i := range 10 {
			f.give("u/bob", &wire.Message{Body: text(fmt.Sprint(i + 1))})
		}
		p := sendAll(t, a, "u/bob", "mine")
		settle(time.Second)
		if s, err := p[0].Wait(ctx); err != nil || s.Seq != 11 {
			t.Error(s, err)
		}
		f.edit("u/bob", 2, "old") // no longer kept
		settle(time.Second)
		same(t, "kept", shown(a, "u/bob"), "9:9 10:10 11:mine")
		rows := 0
		st.Load(func(k string, _ []byte) error {
			if strings.HasPrefix(k, "m/") {
				rows++
			}
			return nil
		})
		if rows != 3 {
			t.Errorf("%d rows", rows)
		}
		same(t, "told", moves(a), "+1 +2 +3 +4 +5 +6 +7 +8 +9 +10 sent11 edit2")
		// The next pages backwards.
		all := a.c.Kept("u/bob", nil, 2)
		if m := a.c.Kept("u/bob", all[0], 2); len(m) != 1 || m[0].Seq != 9 {
			t.Error(m)
		}
	})
	bubble(t, "nothing", func(t *testing.T, f *fake) {
		a := start(t, f)
		settle(time.Second)
		f.give("u/bob", &wire.Message{Body: text("x")})
		settle(time.Second)
		if m := a.c.Kept("u/bob", nil, 0); m != nil {
			t.Error(m)
		}
		if _, err := a.c.Insert("u/bob", client.Insertion{Body: text("x")}); !client.IsCode(err, wire.CodeUnsupported) {
			t.Error(err)
		}
	})
}

// A message that was deleted before its turn came is settled and never given.
func TestE7_DeletedBeforeItsTurn(t *testing.T) {
	bubble(t, "held", func(t *testing.T, f *fake) {
		a := start(t, f, keep(10))
		settle(time.Second)
		f.post("u/bob", "bob", "1")
		settle(time.Second)
		f.post("u/bob", "bob", "2", true) // not pushed: 3 must wait
		f.post("u/bob", "bob", "3")
		f.change("u/bob", 3, &wire.Change{Kind: wire.ChangeDelete}, nil)
		settle(5 * time.Second)
		same(t, "told", moves(a), "+1 +2")
		same(t, "kept", shown(a, "u/bob"), "1:1 2:2")
		f.post("u/bob", "bob", "4")
		settle(time.Second)
		same(t, "told", moves(a), "+1 +2 +4")
	})
}

// What the user deletes for himself on one device goes on all.
func TestE7_DeletedForMe(t *testing.T) {
	bubble(t, "live", func(t *testing.T, f *fake) {
		st := client.NewMemStore()
		a := start(t, f, keep(10), func(o *client.Options) { o.Store = st })
		settle(time.Second)
		for i := range 5 {
			f.post("u/bob", "bob", fmt.Sprint(i+1))
		}
		settle(time.Second)
		gone := func(r ...*wire.SeqRange) *wire.Mine { return &wire.Mine{From: 1, Gone: r} }
		f.state("u/bob", gone(&wire.SeqRange{From: 2, To: 3}))
		settle(time.Second)
		f.state("u/bob", gone(&wire.SeqRange{From: 2, To: 3})) // nothing new
		f.state("u/bob", gone(&wire.SeqRange{From: 1, To: 4}))
		settle(time.Second)
		same(t, "told", moves(a), "+1 +2 +3 +4 +5 deleted[{2 3}] deleted[{1 1} {4 4}]")
		same(t, "kept", shown(a, "u/bob"), "5:5")
		a.stop()
		// While away: all of it, and one that has not come yet.
		f.forget()
		f.post("u/bob", "bob", "6", true)
		f.post("u/bob", "bob", "7", true)
		f.locked(func() {
			f.convs["u/bob"].msgs[5] = nil // the server does not give it
			f.convs["u/bob"].gone = []*wire.SeqRange{{From: 1, To: 6}}
		})
		again := start(t, f, keep(10), func(o *client.Options) { o.Store = st })
		settle(5 * time.Second)
		same(t, "told", moves(again), "deleted[{5 5}] +7")
		same(t, "kept", shown(again, "u/bob"), "7:7")
	})
	bubble(t, "by this device", func(t *testing.T, f *fake) {
		a := start(t, f, keep(10))
		settle(time.Second)
		for i := range 3 {
			f.post("u/bob", "bob", fmt.Sprint(i+1))
		}
		settle(time.Second)
		f.locked(func() {
			f.req = func(r *wire.Req) *wire.Res {
				if r.Method == wire.MethodDelete {
					return ok(&wire.DeleteResponse{Count: 2, Mine: &wire.Mine{From: 1, Gone: []*wire.SeqRange{{From: 1, To: 2}}}})
				}
				return nil
			}
		})
		d, err := a.c.Delete(ctx, "u/bob", 1, 2)
		if err != nil || d.Count != 2 || len(d.Mine.Gone) != 1 {
			t.Error(d, err)
		}
		settle(time.Second)
		same(t, "told", moves(a), "+1 +2 +3 deleted[{1 2}]")
		same(t, "kept", shown(a, "u/bob"), "3:3")
	})
}

// Messages go away when their time is over, by the server's clock, also those of which
// only a change said so, and those whose time was over while the program did not run.
func TestE17_ExpiryAndBurning(t *testing.T) {
	for _, wrong := range []time.Duration{0, -7 * time.Hour, 3 * time.Hour} { // how far off our clock is
		bubble(t, fmt.Sprint(wrong), func(t *testing.T, f *fake) {
			st := client.NewMemStore()
			clock := func() time.Time { return time.Now().Add(-wrong) }
			f.welcome = func(_ *wire.Hello, w *wire.Welcome) { w.ServerTime = clock().UnixMilli() }
			a := start(t, f, keep(10), func(o *client.Options) { o.Store = st })
			settle(time.Second)
			at := func(d time.Duration) int64 { return clock().Add(d).UnixMilli() }
			f.give("u/bob", &wire.Message{Body: text("10 s"), Expires: at(10 * time.Second)})
			f.give("u/bob", &wire.Message{Body: text("burns"), BurnS: 5})
			f.give("u/bob", &wire.Message{Body: text("stays")})
			f.give("u/bob", &wire.Message{Body: text("20 s"), Expires: at(20 * time.Second)})
			settle(9 * time.Second)
			same(t, "kept", shown(a, "u/bob"), "1:10 s 2:burns 3:stays 4:20 s")
			settle(2 * time.Second)
			same(t, "kept", shown(a, "u/bob"), "2:burns 3:stays 4:20 s")
			f.change("u/bob", 2, &wire.Change{Kind: wire.ChangeBurn}, func(m *wire.Message) { m.Expires = at(5 * time.Second) })
			settle(4 * time.Second)
			same(t, "kept", shown(a, "u/bob"), "2:burns 3:stays 4:20 s")
			settle(2 * time.Second)
			same(t, "told", moves(a), "+1 +2 +3 +4 expired[{1 1}] burn2 expired[{2 2}]")
			p, err := a.c.Send(ctx, "u/bob", client.Outgoing{Body: text("mine"), Expires: time.UnixMilli(at(time.Minute))})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := p.Wait(ctx); err != nil {
				t.Fatal(err)
			}
			settle(time.Second)
			a.stop()
			time.Sleep(10 * time.Second)
			again := start(t, f, keep(10), func(o *client.Options) { o.Store = st })
			settle(time.Second)
			same(t, "kept", shown(again, "u/bob"), "3:stays 5:mine")
			settle(time.Minute)
			same(t, "told", moves(again), "expired[{4 4}] expired[{5 5}]")
			same(t, "kept", shown(again, "u/bob"), "3:stays")
		})
	}
}

// What other devices of the user set comes as notes.
func TestF5_Notes(t *testing.T) {
	bubble(t, "notes", func(t *testing.T, f *fake) {
		a := start(t, f)
		settle(time.Second)
		note := func(key, value string) {
			f.mu.Lock()
			defer f.mu.Unlock()
			v := f.conv("me")
			ch := &wire.Change{Ver: uint64(len(v.changes) + 1), Kind: wire.ChangeNote, Key: key}
			if value != "" {
				ch.Value = []byte(value)
			}
			v.changes = append(v.changes, ch)
			f.event(&wire.Event{Conv: "me", Ver: ch.Ver, Change: ch}, nil)
		}
		note(client.NoteDraft+"u/bob", "hel")
		note(client.NoteDraft+"u/bob", "")
		note(client.NoteNotify, "{}")
		settle(time.Second)
		same(t, "told", moves(a), "draft/u/bob=helfalse draft/u/bob=true notify={}false")
	})
}

// Answers are counted from what is kept, and from what the server told.
func TestE3_ReplyCountsOfWhatIsKept(t *testing.T) {
	bubble(t, "replies", func(t *testing.T, f *fake) {
		a := start(t, f, keep(10))
		settle(time.Second)
		f.give("g/x", &wire.Message{Body: text("q")})
		f.give("g/x", &wire.Message{Body: text("a1"), ReplyTo: 1})
		f.give("g/x", &wire.Message{Body: text("a2"), ReplyTo: 1})
		f.give("g/x", &wire.Message{Body: text("t1"), Thread: 2})
		settle(time.Second)
		all := a.c.Kept("g/x", nil, 0)
		if all[0].Extra == nil || all[0].Extra.Replies != 2 || all[1].Extra == nil || all[1].Extra.Thread != 1 || all[1].Extra.ThreadLast != 4 || all[2].Extra != nil {
			t.Errorf("%+v %+v %+v", all[0].Extra, all[1].Extra, all[2].Extra)
		}
		f.change("g/x", 3, &wire.Change{Kind: wire.ChangeRecall}, func(m *wire.Message) { m.Recalled, m.Body = true, nil })
		settle(time.Second)
		if m := a.c.Kept("g/x", nil, 0)[0]; m.Extra.Replies != 1 {
			t.Errorf("%+v", m.Extra)
		}
		// The server knows of others that are not kept here.
		f.locked(func() {
			f.req = func(r *wire.Req) *wire.Res {
				if r.Method == wire.MethodPage {
					v := f.convs["g/x"]
					p := v.page(1, 4, 50, false)
					p.Extras = []*wire.Extra{{Seq: 1, Replies: 7, Mine: []string{"👍"}}}
					return ok(&wire.PageResponse{Range: p, Head: v.head()})
				}
				return nil
			}
		})
		p, err := a.c.History(ctx, "g/x", 0, 0)
		if err != nil || p.Messages[0].Extra == nil || p.Messages[0].Extra.Replies != 7 {
			t.Fatal(err, p)
		}
		if m := a.c.Kept("g/x", nil, 0)[0]; m.Extra.Replies != 7 || len(m.Extra.Mine) != 1 {
			t.Errorf("%+v", m.Extra)
		}
	})
}

// Messages and fields of this device alone.
func TestE18_LocalInsertAndFields(t *testing.T) {
	bubble(t, "local", func(t *testing.T, f *fake) {
		st := client.NewMemStore()
		a := start(t, f, keep(4), func(o *client.Options) { o.Store = st })
		settle(time.Second)
		f.post("u/bob", "bob", "1")
		f.post("u/bob", "bob", "2")
		settle(time.Second)
		for _, id := range []string{"tip", "tip2"} {
			if _, err := a.c.Insert("u/bob", client.Insertion{ID: id, Type: client.TypeNotice, Body: []byte(`{"content":"missed call"}`)}); err != nil {
				t.Fatal(err)
			}
			settle(time.Second)
		}
		if _, err := a.c.Insert("u/bob", client.Insertion{ID: "early", After: 1, Body: text("between")}); err != nil {
			t.Fatal(err)
		}
		f.post("u/bob", "bob", "3")
		settle(time.Second)
		same(t, "kept", shown(a, "u/bob"), "1:1 early 2:2 tip tip2 3:3")
		if err := a.c.SetLocal("u/bob", 2, map[string]string{"played": "yes", "file": "/a"}); err != nil {
			t.Fatal(err)
		}
		f.edit("u/bob", 2, "two")
		settle(time.Second)
		if err := a.c.SetLocal("u/bob", 2, map[string]string{"file": ""}); err != nil {
			t.Fatal(err)
		}
		if err := a.c.SetLocal("u/bob", 99, nil); !client.IsCode(err, wire.CodeNotFound) {
			t.Error(err)
		}
		if err := a.c.SetLocal("u/bob", 2, map[string]string{"x": strings.Repeat("y", 20<<10)}); !client.IsCode(err, wire.CodeTooLarge) {
			t.Error(err)
		}
		if err := a.c.RemoveInserted("u/bob", "tip2"); err != nil {
			t.Fatal(err)
		}
		a.stop()
		again := start(t, f, keep(4), func(o *client.Options) { o.Store = st })
		same(t, "kept", shown(again, "u/bob"), "1:1 early 2:two tip 3:3")
		m := again.c.Kept("u/bob", nil, 3)[0]
		if m.Local == nil || len(m.Local.Fields) != 1 || m.Local.Fields["played"] != "yes" {
			t.Errorf("%+v", m.Local)
		}
		// Page by page over what was inserted.
		var pages []string
		var before *client.Message
		for {
			p := again.c.Kept("u/bob", before, 2)
			if len(p) == 0 {
				break
			}
			before = p[0]
			pages = append(pages, fmt.Sprint(p[0].ID, len(p)))
		}
		if len(pages) != 3 {
			t.Error(pages)
		}
		// It goes with the messages that it stood between.
		settle(time.Second)
		for i := range 3 {
			f.post("u/bob", "bob", fmt.Sprint(i+4))
		}
		settle(time.Second)
		same(t, "kept", shown(again, "u/bob"), "3:3 4:4 5:5 6:6")
	})
}

// Search on the device: words of any type that says so, in any script, the newest first.
func TestE19_SearchOnTheDevice(t *testing.T) {
	register[card](t, "test:found", client.Counted)
	bubble(t, "search", func(t *testing.T, f *fake) {
		a := start(t, f, keep(100))
		settle(time.Second)
		f.give("u/bob", &wire.Message{Body: text("Hello World")})
		time.Sleep(time.Second)
		f.give("g/x", &wire.Message{Body: text("hello again"), Sender: "carol"})
		time.Sleep(time.Second)
		f.give("g/x", &wire.Message{Body: text("我们去北京吧")})
		f.give("g/x", &wire.Message{Type: "test:found", Body: []byte(`{"title":"Hello card"}`)})
		f.give("g/x", &wire.Message{Type: "other:thing", Body: []byte("hello in bytes"), Digest: "a thing"})
		f.give("u/bob", &wire.Message{Body: text("hello secret"), BurnS: 5})
		f.give("u/bob", &wire.Message{Body: text("hello wrong")})
		f.change("u/bob", 3, &wire.Change{Kind: wire.ChangeRecall}, func(m *wire.Message) { m.Recalled, m.Body = true, nil })
		settle(time.Second)
		if _, err := a.c.Insert("u/bob", client.Insertion{ID: "local", Body: text("hello local")}); err != nil {
			t.Fatal(err)
		}
		find := func(q client.Search) string {
			var out []string
			for _, m := range a.c.Search(q) {
				out = append(out, strings.TrimSpace(fmt.Sprint(m.Conv, m.Seq)))
			}
			return strings.Join(out, " ")
		}
		same(t, "a word", find(client.Search{Text: "HELLO"}), "u/bob0 g/x3 g/x1 u/bob1")
		same(t, "two words", find(client.Search{Text: "world hell"}), "u/bob1")
		same(t, "Chinese", find(client.Search{Text: "北京"}), "g/x2")
		same(t, "a digest", find(client.Search{Text: "thing"}), "g/x4")
		same(t, "a sender", find(client.Search{Text: "hello", Sender: "carol"}), "g/x1")
		same(t, "a type", find(client.Search{Types: []string{"test:found"}}), "g/x3")
		same(t, "a place", find(client.Search{Text: "hello", Conv: "u/bob"}), "u/bob0 u/bob1")
		first := a.c.Search(client.Search{Text: "hello", Limit: 2})
		same(t, "the next page", find(client.Search{Text: "hello", Before: first[1]}), "g/x1 u/bob1")
		same(t, "nothing", find(client.Search{Text: "nowhere"}), "")
	})
}

// A message of this device whose SENDACK got lost, and which was changed before it came
// again: the application is told what became of it.
func TestM3_ChangedBeforeItWasKnown(t *testing.T) {
	for _, c := range []struct {
		what  string
		kind  string
		alter func(*wire.Message)
		told  string
		shelf string
	}{
		{"edited", wire.ChangeEdit, func(m *wire.Message) { m.Body = text("better") }, "+1 sent2 edit2", "1:hi 2:better"},
		{"recalled", wire.ChangeRecall, func(m *wire.Message) { m.Body, m.Recalled = nil, true }, "+1 sent2 recall2", "1:hi 2:"},
		{"deleted", wire.ChangeDelete, nil, "+1 sent2 delete2", "1:hi"},
	} {
		bubble(t, c.what, func(t *testing.T, f *fake) {
			a := start(t, f, keep(10))
			settle(time.Second)
			f.post("u/bob", "bob", "hi")
			settle(time.Second)
			f.locked(func() {
				f.send = func(s *wire.Send) *wire.SendAck { // kept, and never answered
					f.append(s.Conv, &wire.Message{Id: s.Id, Sender: "alice", Device: "dev", Type: s.Type, Flags: 3, Body: s.Body})
					return &wire.SendAck{}
				}
			})
			sendAll(t, a, "u/bob", "mine")
			settle(time.Second)
			f.change("u/bob", 2, &wire.Change{Kind: c.kind, By: "alice", Device: "laptop"}, c.alter, true)
			f.locked(func() {
				f.send = nil
				if c.kind == wire.ChangeDelete { // it knows the id all the same
					f.send = func(s *wire.Send) *wire.SendAck { return &wire.SendAck{Id: s.Id, Seq: 2, N: 2, Duplicate: true} }
				}
			})
			f.forget()
			f.drop()
			settle(10 * time.Second)
			// The change may come first: of a message that the application has not got yet.
			told := strings.Replace(moves(a), "+1 "+c.kind+"2 sent2", "+1 sent2", 1)
			same(t, "told", told, c.told)
			same(t, "kept", shown(a, "u/bob"), c.shelf)
		})
	}
}
