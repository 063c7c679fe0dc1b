package client_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/anser-im/anser/client"
	"github.com/anser-im/anser/internal/testkit/servertest"
	"github.com/anser-im/anser/wire"
)

// told waits for an event that pick picks.
func (u *user) told(what string, pick func(client.Event) bool) (found client.Event) {
	u.t.Helper()
	u.wait(what, func() bool {
		all := u.all()
		i := slices.IndexFunc(all, pick)
		if i >= 0 {
			found = all[i]
		}
		return i >= 0
	})
	return found
}

// changeOf waits for a change of a kind.
func (u *user) change(conv, kind string, seq uint64) *client.Change {
	u.t.Helper()
	return u.told(kind, func(e client.Event) bool {
		return e.Kind == client.EventChange && e.Conv == conv && e.Change.Kind == kind && e.Change.Seq == seq
	}).Change
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func got[T any](t testing.TB) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		must(t, err)
		return v
	}
}

func got2[T, U any](t testing.TB) func(v T, w U, err error) T {
	return func(v T, _ U, err error) T {
		t.Helper()
		must(t, err)
		return v
	}
}

func (u *user) sends(conv string, m client.Outgoing) client.Sent {
	u.t.Helper()
	p := got[*client.Pending](u.t)(u.c.Send(ctx, conv, m))
	return got[client.Sent](u.t)(p.Wait(limited(u.t)))
}

// group makes a group of users and waits until all are in it.
func group(t testing.TB, owner *user, others ...*user) string {
	t.Helper()
	var names []string
	for _, o := range others {
		names = append(names, o.name)
	}
	conv, _, err := owner.c.GroupCreate(ctx, client.NewGroup{Name: "G", Members: names})
	must(t, err)
	for _, o := range others {
		o.told("the group", func(e client.Event) bool { return e.Conv == conv })
	}
	return conv
}

func kept(o *client.Options) { o.Keep = 100 }

// What people do with messages, over the native door in both encodings.
func TestOperationsWithServer(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{})
	for _, door := range []string{"tcp", "json"} {
		t.Run(door, func(t *testing.T) {
			with := func(o *client.Options) {
				kept(o)
				if o.JSON = door == "json"; o.JSON {
					o.Endpoints = []string{s.HTTP()}
				}
			}
			alice, bob := join(t, s, "alice-"+door, with), join(t, s, "bob-"+door, with)
			laptop := join(t, s, "alice-"+door, with, func(o *client.Options) { o.Device.ID = "laptop" })
			a, b := "u/"+alice.name, "u/"+bob.name
			for i := range 8 {
				alice.says(b, fmt.Sprint("m", i+1))
			}
			bob.hears(a + " 8 m8")
			laptop.hears(b + " 8 m8")

			t.Run("E1_Recall", func(t *testing.T) {
				r := got[client.Recalled](t)(alice.c.Recall(ctx, b, 1, client.Silently))
				if r.Former == nil || r.Former.Text() != "m1" || r.Ver == 0 {
					t.Errorf("%+v", r)
				}
				for _, u := range []*user{bob, laptop} {
					conv := map[*user]string{bob: a, laptop: b}[u]
					if m := u.change(conv, wire.ChangeRecall, 1).Message; !m.Recalled || !m.Silent || len(m.Body) > 0 || m.Text() != "" || m.RecalledBy != alice.name {
						t.Errorf("%+v", m)
					}
				}
				alice.wait("its own shelf", func() bool { return alice.c.Kept(b, nil, 0)[0].Recalled })
				_, err := bob.c.Recall(ctx, a, 2)
				if err == nil {
					t.Error("bob took alice's message back")
				}
			})
			t.Run("E2_Edit", func(t *testing.T) {
				for _, text := range []string{"m2, better", "m2, best"} {
					got[uint64](t)(alice.c.Edit(ctx, b, 2, client.Text(text)))
				}
				bob.wait("the edit", func() bool { return strings.Contains(shown(bob.app, a), "2:m2, best") })
				f, _, err := bob.c.EditHistory(ctx, a, 2, 0, 0)
				if err != nil || len(f) != 2 || !strings.Contains(string(f[0].Body), "m2") || !strings.Contains(string(f[1].Body), "better") {
					t.Errorf("%+v %v", f, err)
				}
			})
			t.Run("E5_Reactions", func(t *testing.T) {
				got[uint64](t)(alice.c.React(ctx, b, 3, "👍", "🎉"))
				got[uint64](t)(bob.c.React(ctx, a, 3, "👍"))
				bob.wait("both", func() bool {
					m := kept3(bob, a, 3)
					return m != nil && len(m.Reactions) == 2 && m.Reactions[0] == client.Reaction{Key: "👍", Count: 2} &&
						m.Extra != nil && slices.Equal(m.Extra.Mine, []string{"👍"})
				})
				list := got2[[]client.Reacted, bool](t)(bob.c.Reactions(ctx, a, 3, "👍", client.Reacted{}, 0))
				if len(list) != 2 || list[0].User != alice.name || list[1].User != bob.name {
					t.Errorf("%+v", list)
				}
				after := client.Reacted{Key: "🎉", User: alice.name} // the first by bytes
				if list = got2[[]client.Reacted, bool](t)(bob.c.Reactions(ctx, a, 3, "", after, 0)); len(list) != 2 || list[0].Key != "👍" {
					t.Errorf("%+v", list)
				}
				got[uint64](t)(alice.c.Unreact(ctx, b, 3, "🎉"))
				laptop.wait("the end", func() bool { m := kept3(laptop, b, 3); return m != nil && len(m.Reactions) == 1 && m.Extra != nil })
			})
			t.Run("E6_Pin", func(t *testing.T) {
				got[uint64](t)(bob.c.PinMessage(ctx, a, 4))
				if m := alice.change(b, wire.ChangePin, 4).Message; m.Pin == nil || m.Pin.By != bob.name {
					t.Errorf("%+v", m.Pin)
				}
				if pins := got[[]*client.Message](t)(alice.c.Pins(ctx, b)); len(pins) != 1 || pins[0].Seq != 4 {
					t.Errorf("%+v", pins)
				}
				got[uint64](t)(alice.c.UnpinMessage(ctx, b, 4))
				if pins := got[[]*client.Message](t)(bob.c.Pins(ctx, a)); len(pins) != 0 {
					t.Errorf("%+v", pins)
				}
			})
			t.Run("D9_Expand", func(t *testing.T) {
				got[uint64](t)(bob.c.Expand(ctx, a, 5, map[string]string{"state": "open", "by": "bob"}))
				got[uint64](t)(alice.c.Expand(ctx, b, 5, map[string]string{"state": "done", "by": ""}))
				bob.wait("the keys", func() bool {
					m := kept3(bob, a, 5)
					return m != nil && reflect.DeepEqual(m.Expansion, map[string]string{"state": "done"})
				})
			})
			t.Run("E7_Delete", func(t *testing.T) {
				d := got[client.Deleted](t)(alice.c.Delete(ctx, b, 6))
				if d.Count != 1 || !slices.Equal(d.Mine.Gone, []client.Range{{From: 6, To: 6}}) {
					t.Errorf("%+v", d)
				}
				for _, u := range []*user{alice, laptop} {
					u.told("the deletion", func(e client.Event) bool {
						return e.Kind == client.EventDeleted && slices.Equal(e.Ranges, []client.Range{{From: 6, To: 6}})
					})
				}
				if kept3(bob, a, 6) == nil {
					t.Error("bob lost it")
				}
				if p := got[*client.Page](t)(alice.c.History(ctx, b, 0, 0)); slices.ContainsFunc(p.Messages, func(m *client.Message) bool { return m.Seq == 6 }) {
					t.Error("it is still in the history")
				}
				d = got[client.Deleted](t)(alice.c.DeleteForAll(ctx, b, 7, 8))
				if d.Count != 2 {
					t.Errorf("%+v", d)
				}
				for _, u := range []*user{alice, laptop, bob} {
					conv := b
					if u == bob {
						conv = a
					}
					u.change(conv, wire.ChangeDelete, 7)
					u.change(conv, wire.ChangeDelete, 8)
					if kept3(u, conv, 7) != nil {
						t.Error(u.name, "keeps it")
					}
				}
				got[uint64](t)(alice.c.Undelete(ctx, b, 7))
				bob.change(a, wire.ChangeRestore, 7)
				if m := kept3(bob, a, 7); m == nil || m.Text() != "m7" {
					t.Errorf("%+v", m)
				}
				if _, err := bob.c.DeleteForAll(ctx, a, 2); err == nil {
					t.Error("bob deleted alice's message for all")
				}
			})
			t.Run("E3_Replies", func(t *testing.T) {
				for i := range 3 {
					m := client.Text(fmt.Sprint("re ", i))
					m.ReplyTo = 2
					bob.sends(a, m)
				}
				list, more, err := alice.c.Replies(ctx, b, 2, 0, 2)
				if err != nil || len(list) != 2 || !more || list[0].Text() != "re 0" {
					t.Error(list, more, err)
				}
				if list, more, err = alice.c.Replies(ctx, b, 2, list[1].Seq, 2); err != nil || len(list) != 1 || more {
					t.Error(list, more, err)
				}
				m := got[[]*client.Message](t)(alice.c.Messages(ctx, b, 2, 3))
				if len(m) != 2 || m[0].Extra == nil || m[0].Extra.Replies != 3 || m[1].Extra == nil || !slices.Equal(m[1].Extra.Mine, []string{"👍"}) {
					t.Errorf("%+v", m)
				}
			})
			t.Run("E4_Forward", func(t *testing.T) {
				g := group(t, alice, bob)
				f := got[[]client.Forwarded](t)(alice.c.Forward(ctx, client.Forward{Conv: b, Seqs: []uint64{2, 3}, To: []string{g, "g/nowhere"}}))
				if len(f) != 2 || len(f[0].Seqs) != 2 || f[0].Err != nil || !client.IsCode(f[1].Err, wire.CodeNotFound) {
					t.Errorf("%+v", f)
				}
				e := bob.told("the forward", func(e client.Event) bool {
					return e.Kind == client.EventMessage && e.Conv == g && e.Message.Origin != nil
				})
				if e.Message.Text() != "m2, best" || e.Message.Origin.Sender != alice.name {
					t.Errorf("%+v", e.Message)
				}
				got[[]client.Forwarded](t)(bob.c.Forward(ctx, client.Forward{Conv: a, Seqs: []uint64{2, 3}, To: []string{g}, Merged: true, Title: "Us"}))
				e = alice.told("the record", func(e client.Event) bool { return e.Kind == client.EventMessage && e.Message.Type == client.TypeMerged })
				v, ok := e.Message.Value().(*client.MergedBody)
				if !ok || v.Title != "Us" || len(v.Messages) != 2 || v.Messages[0].Value().(*client.TextBody).Content != "m2, best" {
					t.Errorf("%+v", e.Message.Value())
				}
				same(t, "its line", e.Message.Line("zh-CN"), "[聊天记录] Us")
			})
			t.Run("E21_Around", func(t *testing.T) {
				p := got[*client.Page](t)(alice.c.Around(ctx, b, 4, 4))
				if p.From > 4 || p.To < 4 || len(p.Messages) == 0 || len(p.Messages) > 4 {
					t.Errorf("%+v", p)
				}
			})
			t.Run("E22_Report", func(t *testing.T) {
				if id := got[string](t)(bob.c.Report(ctx, a, 2, "spam", "look")); id == "" {
					t.Error("no id")
				}
				got[string](t)(bob.c.ReportUser(ctx, alice.name, "abuse", ""))
				if _, err := bob.c.Report(ctx, "g/nowhere", 1, "spam", ""); !client.IsCode(err, wire.CodeNotFound) {
					t.Error(err)
				}
			})
		})
	}
}

// kept3 is the message with that number, if it is kept.
func kept3(u *user, conv string, seq uint64) *client.Message {
	for _, m := range u.c.Kept(conv, nil, 1000) {
		if m.Seq == seq {
			return m
		}
	}
	return nil
}

func TestC7_PollWithServer(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{})
	alice, bob := join(t, s, "alice", kept), join(t, s, "bob", kept)
	g := group(t, alice, bob)
	p := got[*client.Pending](t)(alice.c.SendValue(ctx, g, &client.PollBody{Question: "Lunch?", Options: []client.PollOption{{ID: "1", Text: "rice"}, {ID: "2", Text: "noodles"}}}))
	seq := got[client.Sent](t)(p.Wait(limited(t))).Seq
	e := bob.told("the poll", func(e client.Event) bool { return e.Kind == client.EventMessage && e.Message.Seq == seq })
	same(t, "its line", e.Message.Line("zh-CN"), "[投票] Lunch?")
	poll := e.Message.Value().(*client.PollBody)
	got[uint64](t)(bob.c.Vote(ctx, g, seq, "1"))
	got[uint64](t)(bob.c.Vote(ctx, g, seq, "2"))
	got[uint64](t)(alice.c.Vote(ctx, g, seq, "2"))
	count := func(u *user, option string) func() bool {
		return func() bool { return poll.Count(kept3(u, g, seq), "2") == 2 && poll.Count(kept3(u, g, seq), "1") == 0 }
	}
	bob.wait("the votes", count(bob, "2"))
	alice.wait("the votes", count(alice, "2"))
	if _, err := bob.c.Vote(ctx, g, seq, "1", "2"); !client.IsCode(err, wire.CodeInvalid) {
		t.Error(err)
	}
	if _, err := bob.c.PollClose(ctx, g, seq); err == nil {
		t.Error("bob closed alice's poll")
	}
	got[uint64](t)(alice.c.PollClose(ctx, g, seq))
	bob.wait("the end", func() bool { return poll.Closed(kept3(bob, g, seq), time.Now()) })
	if _, err := bob.c.Vote(ctx, g, seq, "1"); err == nil {
		t.Error("a vote after the end")
	}
}

func TestC6_StreamWithServer(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{})
	bot, bob := join(t, s, "bot"), join(t, s, "bob")
	bot.says("u/bob", "ask me")
	bob.hears("u/bot 1 ask me")
	st := got[*client.Stream](t)(bot.c.OpenStream(ctx, "u/bob", client.StreamOptions{ReplyTo: 1}))
	var whole strings.Builder
	for i := range 20 {
		part := fmt.Sprintf("part %d, ", i)
		must(t, st.Append(ctx, part))
		whole.WriteString(part)
	}
	now := got[*client.StreamState](t)(bob.c.StreamGet(ctx, "u/bot", st.ID))
	if now.Text != whole.String() || now.Next != 20 || now.Done || now.Sender != "bot" {
		t.Errorf("%+v", now)
	}
	seq := got[uint64](t)(st.End(ctx, []byte(`{"model":"x"}`)))
	e := bob.told("the whole", func(e client.Event) bool { return e.Kind == client.EventMessage && e.Message.Seq == seq })
	v, ok := e.Message.Value().(*client.StreamBody)
	if !ok || v.Text != whole.String() || string(v.Other["model"]) != `"x"` || e.Message.ReplyTo != 1 || e.Message.ID != st.ID {
		t.Errorf("%+v", e.Message)
	}
	var parts strings.Builder
	for _, e := range bob.all() {
		if e.Kind == client.EventStatus {
			p := e.Message.Value().(*client.StreamPartBody)
			if p.Stream != st.ID {
				t.Errorf("%+v", p)
			}
			parts.WriteString(p.Text)
		}
	}
	same(t, "the parts", parts.String(), whole.String())
	st = got[*client.Stream](t)(bot.c.OpenStream(ctx, "u/bob", client.StreamOptions{}))
	must(t, st.Append(ctx, "no"))
	must(t, st.Abort(ctx))
	if c := got[*client.Conversation](t)(bob.c.Conversation(ctx, "u/bot")); c.Head.Seq != seq {
		t.Errorf("%+v", c.Head)
	}
}

func TestE12_ThreadsWithServer(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{})
	alice, bob := join(t, s, "alice"), join(t, s, "bob")
	g := group(t, alice, bob)
	root := alice.says(g, "topic").Seq
	var last uint64
	for i := range 4 {
		m := client.Text(fmt.Sprint("t", i))
		m.Thread = root
		last = bob.sends(g, m).Seq
	}
	list, more, err := alice.c.Threads(ctx, g, 0, 0)
	if err != nil || len(list) != 1 || more {
		t.Fatal(list, more, err)
	}
	if x := list[0]; x.Root != root || x.Count != 4 || x.LastSeq != last || x.First.Text() != "topic" || x.Last.Text() != "t3" || x.Unread != 4 || !x.Following {
		t.Errorf("%+v", x)
	}
	x := got[*client.Thread](t)(alice.c.ThreadSet(ctx, g, root, client.ThreadSettings{Read: &last, Level: new(wire.LevelNone)}))
	if x.Unread != 0 || x.Read != last || x.Level != wire.LevelNone {
		t.Errorf("%+v", x)
	}
	msgs, more, err := alice.c.ThreadHistory(ctx, g, root, 0, 3)
	if err != nil || len(msgs) != 3 || !more || msgs[0].Text() != "t1" || msgs[2].Text() != "t3" {
		t.Fatal(msgs, more, err)
	}
	if msgs, _, err = alice.c.ThreadHistory(ctx, g, root, msgs[0].Seq, 10); err != nil || len(msgs) == 0 || msgs[len(msgs)-1].Text() != "t0" {
		t.Error(msgs, err)
	}
	if msgs, _, err = alice.c.ThreadRange(ctx, g, root, last, 0, 10); err != nil || len(msgs) != 1 {
		t.Error(msgs, err)
	}
	if h := got[*client.Page](t)(alice.c.Around(ctx, g, root, 10)); !slices.ContainsFunc(h.Messages, func(m *client.Message) bool {
		return m.Seq == root && m.Extra != nil && m.Extra.Thread == 4
	}) {
		t.Errorf("%+v", h.Messages)
	}
}

func TestE15_LaterWithServer(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{})
	alice, bob := join(t, s, "alice"), join(t, s, "bob")
	laptop := join(t, s, "alice", func(o *client.Options) { o.Device.ID = "laptop" })
	m := client.Text("in a moment")
	m.ID, m.Flags = "later-1", new(client.Counted)
	x := got[client.Scheduled](t)(alice.c.Schedule(ctx, "u/bob", m, time.Now().Add(time.Hour)))
	if x.ID != "later-1" || x.Conv != "u/bob" || x.Message.Type != client.TypeText || string(x.Message.Body) != string(m.Body) {
		t.Errorf("%+v", x)
	}
	list := got2[[]client.Scheduled, bool](t)(laptop.c.ListScheduled(ctx, "", 0))
	if len(list) != 1 || list[0].ID != "later-1" || *list[0].Message.Flags != client.Counted {
		t.Errorf("%+v", list)
	}
	got[client.Scheduled](t)(laptop.c.Schedule(ctx, "u/bob", m, time.Now().Add(100*time.Millisecond))) // instead
	bob.hears("u/alice 1 in a moment")
	alice.wait("none to wait", func() bool { l, _, err := alice.c.ListScheduled(ctx, "", 0); return err == nil && len(l) == 0 })
	got[client.Scheduled](t)(alice.c.Schedule(ctx, "u/bob", client.Text("never"), time.Now().Add(time.Hour)))
	list = got2[[]client.Scheduled, bool](t)(alice.c.ListScheduled(ctx, "", 0))
	must(t, alice.c.Unschedule(ctx, list[0].ID))

	// Reminders and what is kept for later, told to all devices.
	r := got[client.Reminder](t)(alice.c.Remind(ctx, client.Reminder{At: time.Now().Add(50 * time.Millisecond), Conv: "u/bob", Seq: 1, Text: "call him"}))
	e := laptop.told("the reminder", func(e client.Event) bool {
		return e.Kind == client.EventNoted && e.Note.Key == client.NoteReminder+r.ID && !e.Note.Gone
	})
	if n, ok := e.Note.Reminder(); !ok || n.Text != "call him" || n.Conv != "u/bob" || n.Seq != 1 || n.Fired.IsZero() {
		t.Errorf("%+v", n)
	}
	if l := got2[[]client.Reminder, bool](t)(alice.c.Reminders(ctx, "", 0)); len(l) != 1 || l[0].Fired.IsZero() {
		t.Errorf("%+v", l)
	}
	must(t, alice.c.Unremind(ctx, r.ID))
	sv := got[client.Saved](t)(alice.c.Save(ctx, "u/bob", 1, "nice"))
	if sv.Seq != 1 || sv.Note != "nice" || sv.Message == nil || sv.Message.Text() != "in a moment" {
		t.Errorf("%+v", sv)
	}
	laptop.told("what is saved", func(e client.Event) bool {
		return e.Kind == client.EventNoted && strings.HasPrefix(e.Note.Key, client.NoteSaved)
	})
	if l, next, err := laptop.c.ListSaved(ctx, "", 0); err != nil || len(l) != 1 || next != "" || l[0].Conv != "u/bob" {
		t.Error(l, next, err)
	}
	must(t, laptop.c.Unsave(ctx, "u/bob", 1))
}

func TestF1_ConversationsWithServer(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{})
	alice := join(t, s, "alice", kept)
	laptop := join(t, s, "alice", func(o *client.Options) { o.Device.ID = "laptop" })
	friends := []*user{join(t, s, "bob"), join(t, s, "carol"), join(t, s, "dave")}
	for _, f := range friends {
		f.says("u/alice", "hi from "+f.name)
		alice.hears("u/" + f.name + " 1 hi from " + f.name)
	}
	line := func(q client.ListQuery) string {
		t.Helper()
		l := got[*client.List](t)(alice.c.List(ctx, q))
		var out []string
		for _, c := range l.Conversations {
			out = append(out, c.Conv)
		}
		return strings.Join(out, " ")
	}
	same(t, "the list", line(client.ListQuery{}), "u/dave u/carol u/bob")
	m := got[client.Mine](t)(alice.c.Pin(ctx, "u/bob", true))
	if m.Settings.Pinned.IsZero() {
		t.Errorf("%+v", m)
	}
	laptop.told("the pin", func(e client.Event) bool {
		return e.Kind == client.EventInfo && e.Conv == "u/bob" && e.Info.Mine != nil && !e.Info.Mine.Settings.Pinned.IsZero()
	})
	same(t, "the list", line(client.ListQuery{}), "u/bob u/dave u/carol")
	l := got[*client.List](t)(alice.c.List(ctx, client.ListQuery{Limit: 2, Messages: 3}))
	if l.Next == "" || l.Conversations[0].Recent == nil || l.Conversations[0].Last == nil || l.Conversations[0].Digest != "hi from bob" {
		t.Errorf("%+v", l.Conversations[0])
	}
	same(t, "the rest", line(client.ListQuery{After: l.Next}), "u/carol")
	u := got[client.Unread](t)(alice.c.Unread(ctx, client.Filter{}))
	if u.Messages != 3 || u.Conversations != 3 || u.Kinds[wire.KindDirect] != 3 {
		t.Errorf("%+v", u)
	}
	got[client.Mine](t)(alice.c.NotifyLevel(ctx, "u/carol", wire.LevelNone))
	got[client.Mine](t)(alice.c.Set(ctx, "u/dave", client.SetConversation{Tags: new([]string{"work"}), Remark: new("David"), Archived: new(true)}))
	same(t, "not muted", line(client.ListQuery{Filter: client.Filter{NotMuted: true}}), "u/bob")
	same(t, "the archive", line(client.ListQuery{Filter: client.Filter{Archived: true, Tag: "work"}}), "u/dave")
	got[client.Mine](t)(alice.c.Hide(ctx, "u/bob"))
	same(t, "without hidden ones", line(client.ListQuery{}), "u/carol")
	friends[0].says("u/alice", "again")
	alice.hears("u/bob 2 again")
	same(t, "hidden until something new comes", line(client.ListQuery{}), "u/bob u/carol")
	if m, err := alice.c.Read(ctx, "u/bob", 0); err != nil || m.Unread != 0 {
		t.Error(m, err)
	}
	if m := got[client.Mine](t)(alice.c.MarkUnread(ctx, "u/bob")); !m.Settings.Marked {
		t.Errorf("%+v", m)
	}
	// Business conversations stand beside the plain one.
	friends[0].says(client.LineOf("alice", "orders"), "an order")
	alice.hears("u/bob/orders 1 an order")
	alice.says("u/bob/orders", "thanks")
	friends[0].hears("u/alice/orders 2 thanks")

	// Drafts and what to be notified of, on every device.
	got[client.Draft](t)(alice.c.SetDraft(ctx, client.Draft{Conv: "u/bob", Body: []byte("dear b"), ReplyTo: 2}))
	e := laptop.told("the draft", func(e client.Event) bool {
		return e.Kind == client.EventNoted && e.Note.Key == client.NoteDraft+"u/bob"
	})
	if d, ok := e.Note.Draft(); !ok || string(d.Body) != "dear b" || d.ReplyTo != 2 || d.Conv != "u/bob" {
		t.Errorf("%+v", d)
	}
	if d := got2[[]client.Draft, bool](t)(laptop.c.Drafts(ctx, "", 0)); len(d) != 1 || string(d[0].Body) != "dear b" {
		t.Errorf("%+v", d)
	}
	want := client.Notify{All: wire.LevelAll, Group: wire.LevelMentions, Quiet: &client.Quiet{Start: "22:00", Minutes: 480, Zone: "Asia/Shanghai", Days: []time.Weekday{time.Friday}}}
	must(t, alice.c.SetNotify(ctx, want))
	if n := got[client.Notify](t)(laptop.c.Notify(ctx)); n.Group != want.Group || n.Quiet == nil || n.Quiet.Zone != "Asia/Shanghai" || !slices.Equal(n.Quiet.Days, want.Quiet.Days) {
		t.Errorf("%+v", n)
	}
	must(t, alice.c.SetQuiet(ctx, "u/bob", &client.Quiet{Start: "12:00", Minutes: 60, Zone: "UTC"}))
	if q := got[*client.Quiet](t)(laptop.c.Quiet(ctx, "u/bob")); q == nil || q.Minutes != 60 {
		t.Errorf("%+v", q)
	}
	must(t, alice.c.SetQuiet(ctx, "u/bob", nil))
}

func TestE9_ReceiptsWithServer(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{})
	alice, bob, carol := join(t, s, "alice"), join(t, s, "bob"), join(t, s, "carol")
	g := group(t, alice, bob, carol)
	seq := alice.says(g, "read this").Seq
	bob.hears(fmt.Sprintf("%s %d read this", g, seq))
	got[client.Mine](t)(bob.c.Read(ctx, g, seq))
	alice.wait("the count", func() bool {
		c, err := alice.c.ReadCounts(ctx, g, seq)
		return err == nil && len(c) == 1 && c[0].Read == 1 && c[0].Unread == 1 && !c[0].AsOf.IsZero()
	})
	if l := got[client.ReadList](t)(alice.c.ReadBy(ctx, g, seq, "", 0)); !slices.Equal(l.Users, []string{"bob"}) || l.More {
		t.Errorf("%+v", l)
	}
	if l := got[client.ReadList](t)(alice.c.UnreadBy(ctx, g, seq, "", 0)); !slices.Equal(l.Users, []string{"carol"}) {
		t.Errorf("%+v", l)
	}
	// Mentions by role; muted and named members.
	m := client.Text("admins!")
	m.MentionRoles = []string{wire.RoleOwner}
	at := bob.sends(g, m).Seq
	alice.wait("the mention", func() bool {
		n, err := alice.c.Mentions(ctx, g, 0)
		return err == nil && slices.Equal(n, []uint64{at})
	})
	must(t, alice.c.GroupMute(ctx, g, time.Now().Add(time.Hour), "bob"))
	p := got[*client.Pending](t)(bob.c.Send(ctx, g, client.Text("let me")))
	if _, err := p.Wait(limited(t)); !client.IsCode(err, wire.CodeMuted) {
		t.Error(err)
	}
	must(t, alice.c.GroupMute(ctx, g, time.Time{}, "bob"))
	must(t, bob.c.GroupNick(ctx, g, "Bobby"))
	list, _, err := alice.c.GroupMembers(ctx, g, "", 0)
	if err != nil || !slices.ContainsFunc(list, func(m client.Member) bool { return m.User == "bob" && m.Nick == "Bobby" && m.MutedUntil.IsZero() }) {
		t.Errorf("%+v %v", list, err)
	}
	must(t, alice.c.GroupMuteAll(ctx, g, true))
	p = got[*client.Pending](t)(bob.c.Send(ctx, g, client.Text("now?")))
	if _, err := p.Wait(limited(t)); !client.IsCode(err, wire.CodeMuted) {
		t.Error(err)
	}
}

func TestA7_PeopleWithServer(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{})
	signals := make(chan client.Signal, 64)
	alice := join(t, s, "alice", func(o *client.Options) { o.OnSignal = func(s client.Signal) { signals <- s } })
	bob := join(t, s, "bob")
	p := got[*client.Profile](t)(bob.c.SetProfile(ctx, client.SetProfile{Name: new("Bob B."), Fields: map[string]client.ProfileField{
		"city": {Value: "北京"}, "phone": {Value: "123", Visible: client.VisibleNone}}}))
	if p.Name != "Bob B." || p.Fields["phone"].Value != "123" {
		t.Errorf("%+v", p)
	}
	list := got[[]*client.Profile](t)(alice.c.Profiles(ctx, "bob", "nobody"))
	if len(list) != 1 || list[0].Name != "Bob B." || list[0].Fields["city"].Value != "北京" || list[0].Fields["phone"].Value != "" {
		t.Errorf("%+v", list)
	}
	now, until, err := alice.c.Watch(ctx, time.Minute, "bob")
	if err != nil || len(now) != 1 || now[0].User != "bob" || until.IsZero() {
		t.Fatal(now, until, err)
	}
	must(t, bob.c.SetPresence(ctx, client.SetPresence{Status: new("at lunch"), LastSeen: new(client.VisibleAll), Online: new(client.VisibleAll)}))
	if l := got[[]client.Presence](t)(alice.c.Presence(ctx, "bob")); l[0].Status != "at lunch" || !slices.Equal(l[0].Online, []string{wire.ClassPhone}) {
		t.Errorf("%+v", l)
	}
	bob.stop()
	limit := limited(t)
	for {
		select {
		case s := <-signals:
			if p, ok := s.Presence(); ok && p.User == "bob" && len(p.Online) == 0 {
				goto left
			}
		case <-limit.Done():
			t.Fatal("nobody said that bob left")
		}
	}
left:
	must(t, alice.c.Unwatch(ctx))
	carol := join(t, s, "carol")
	must(t, alice.c.Allow(ctx, "dave"))
	must(t, alice.c.SetAllowMode(ctx, true))
	if a := got[client.Allowed](t)(alice.c.Allowed(ctx, "", 0)); !a.On || !slices.Equal(a.Users, []string{"dave"}) {
		t.Errorf("%+v", a)
	}
	q := got[*client.Pending](t)(carol.c.Send(ctx, "u/alice", client.Text("hello")))
	if _, err := q.Wait(limited(t)); !client.IsCode(err, wire.CodeNotListed) {
		t.Error(err)
	}
	must(t, alice.c.Disallow(ctx, "dave"))
	must(t, alice.c.Allow(ctx, "carol"))
	carol.says("u/alice", "hello")
	alice.hears("u/carol 1 hello")
}

// The types of the server are there to be read, and an own type comes as its value.
func TestD3_TypesWithServer(t *testing.T) {
	register[card](t, "test:served", client.Stored)
	t.Parallel()
	s := servertest.Start(t, servertest.Options{})
	alice, bob := join(t, s, "alice"), join(t, s, "bob")
	types, version, err := alice.c.Types(ctx, 0)
	if err != nil || len(types) < 15 || version == 0 && len(types) == 0 {
		t.Fatal(len(types), version, err)
	}
	for _, x := range types {
		if x.BuiltIn && bodies[x.Name] == nil {
			t.Errorf("%s is not known here", x.Name)
		}
	}
	x := got[*client.MessageType](t)(alice.c.Type(ctx, client.TypeNotice))
	if x.Flags != client.Stored || !x.BuiltIn || len(x.Schema) == 0 {
		t.Errorf("%+v", x)
	}
	if _, err := alice.c.Type(ctx, "none:such"); !client.IsCode(err, wire.CodeNotFound) {
		t.Error(err)
	}
	p := got[*client.Pending](t)(alice.c.SendValue(ctx, "u/bob", card{Title: "Ace"}))
	got[client.Sent](t)(p.Wait(limited(t)))
	e := bob.told("the card", func(e client.Event) bool { return e.Kind == client.EventMessage })
	v, ok := e.Message.Value().(*card)
	if !ok || v.Title != "Ace" || client.Flags(e.Message.Flags) != client.Stored || e.Message.Digest != "[Card] Ace" {
		t.Errorf("%+v", e.Message)
	}
	// A body that breaks the schema of one of ours is refused, and the field named.
	p = got[*client.Pending](t)(alice.c.Send(ctx, "u/bob", client.Outgoing{Type: client.TypePoll, Body: []byte(`{"question":7}`)}))
	if _, err := p.Wait(limited(t)); !client.IsCode(err, wire.CodeSchema) || !strings.Contains(err.Error(), "question") {
		t.Error(err)
	}
}
