package mobile_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/anser-im/anser/client/mobile"
	"github.com/anser-im/anser/internal/testkit/servertest"
)

func fine(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func list(words ...string) *mobile.Strings {
	l := mobile.NewStrings()
	for _, w := range words {
		l.Add(w)
	}
	return l
}

// has checks that a JSON answer holds texts.
func has(t testing.TB, what, answer string, texts ...string) {
	t.Helper()
	for _, x := range texts {
		if !strings.Contains(answer, x) {
			t.Errorf("%s: no %s in %s", what, x, answer)
		}
	}
}

// Every verb, as a phone makes it.
func TestOperations(t *testing.T) {
	s := servertest.Start(t, servertest.Options{})
	alice, bob := newPhone(t, s, "alice", ""), newPhone(t, s, "bob", "")
	for i := range 6 {
		must[string](t)(alice.c.SendText("u/bob", fmt.Sprint("m", i+1)))
		alice.wait(fmt.Sprint("sent u/bob ", i+1))
	}
	bob.wait("u/alice 6 alice: m6")
	js := must[string]

	has(t, "recall", js(t)(alice.c.RecallSilently("u/bob", 1)), `"ver":"1"`, `"former":`, `"m1"`)
	must[int64](t)(alice.c.EditText("u/bob", 2, "M2"))
	bob.wait("edit u/alice 2 M2")
	if f := must[*mobile.Message](t)(alice.c.RecallForEdit("u/bob", 2)); f.Text() != "M2" {
		t.Errorf("%+v", f)
	}
	must[int64](t)(alice.c.EditText("u/bob", 3, "M3"))
	has(t, "history", js(t)(bob.c.EditHistory("u/alice", 3, 0, 0)), `"m3"`)
	must[int64](t)(bob.c.React("u/alice", 3, "👍"))
	alice.wait("react u/bob 3")
	m := must[*mobile.Message](t)(bob.c.MessageAt("u/alice", 3))
	if r := m.Reactions(); r.Len() != 1 || r.Get(0).Key != "👍" || r.Get(0).Count != 1 || !r.Get(0).Mine || r.Get(1) != nil {
		t.Errorf("%+v", r)
	}
	has(t, "who", js(t)(alice.c.WhoReacted("u/bob", 3, "", "", "", 0)), `"user":"bob"`, "👍")
	must[int64](t)(bob.c.Unreact("u/alice", 3, "👍"))
	fine(t, bob.c.PinMessage("u/alice", 4, true))
	if p := must[*mobile.Messages](t)(alice.c.Pins("u/bob")); p.Len() != 1 || p.Get(0).PinnedBy != "bob" || p.Get(0).PinnedMillis == 0 {
		t.Errorf("%+v", p.Get(0))
	}
	fine(t, bob.c.PinMessage("u/alice", 4, false))
	fine(t, bob.c.Expand("u/alice", 4, "state", "done"))
	if m = must[*mobile.Message](t)(alice.c.MessageAt("u/bob", 4)); m.Expansion("state") != "done" || m.ExpansionKeys().Len() != 1 {
		t.Errorf("%+v", m)
	}
	fine(t, alice.c.DeleteForMe("u/bob", 5, 5))
	alice.wait("deleted u/bob 5-5")
	if n := must[int](t)(alice.c.DeleteForAll("u/bob", 6, 6)); n != 1 {
		t.Error(n)
	}
	bob.wait("delete u/alice 6")
	must[int64](t)(alice.c.Undelete("u/bob", 6))
	bob.wait("restore u/alice 6")
	re := mobile.NewOutgoing()
	re.Type, re.Body, re.ReplyTo = "an:text", []byte(`{"content":"re"}`), 4
	must[string](t)(bob.c.Send("u/alice", re))
	alice.wait("u/bob 7 bob: re")
	if l := must[*mobile.Messages](t)(alice.c.Answers("u/bob", 4, 0, 0)); l.Len() != 1 || l.Get(0).Text() != "re" {
		t.Error(l.Len())
	}
	if p := must[*mobile.Page](t)(alice.c.Around("u/bob", 4, 10)); p.Len() == 0 {
		t.Error("nothing around")
	}

	g := js(t)(alice.c.GroupCreate("", "G", list("bob"), "", ""))
	bob.wait(g)
	seqs := mobile.NewSeqs()
	seqs.Add(3)
	seqs.Add(4)
	has(t, "forward", js(t)(alice.c.Forward("", "u/bob", seqs, list(g), true, "Us")), `"seqs":[`)
	bob.wait("[Chat history] Us")
	poll := mobile.NewOutgoing()
	poll.Type, poll.Body = "an:poll", []byte(`{"question":"Lunch?","options":[{"id":"a","text":"A"},{"id":"b","text":"B"}]}`)
	must[string](t)(alice.c.Send(g, poll))
	bob.wait("Lunch?")
	c := must[*mobile.Conversation](t)(bob.c.Conversation(g))
	fine(t, bob.c.Vote(g, c.Info.HeadSeq, list("a")))
	alice.wait("react " + g)
	fine(t, alice.c.PollClose(g, c.Info.HeadSeq))
	if err := bob.c.Vote(g, c.Info.HeadSeq, list("b")); err == nil {
		t.Error("a vote after the end")
	}
	th := mobile.NewOutgoing()
	th.Type, th.Body, th.Thread = "an:text", []byte(`{"content":"in the thread"}`), 1
	must[string](t)(bob.c.Send(g, th))
	alice.wait("in the thread")
	has(t, "threads", js(t)(alice.c.Threads(g, 0, 0)), `"in the thread"`)
	if l := must[*mobile.Messages](t)(alice.c.ThreadHistory(g, 1, 0, 0)); l.Len() == 0 {
		t.Error("no thread")
	}
	fine(t, alice.c.ThreadFollow(g, 1, true))
	fine(t, alice.c.ThreadLevel(g, 1, "none"))
	fine(t, alice.c.ThreadRead(g, 1, c.Info.HeadSeq))
	one := mobile.NewSeqs()
	one.Add(c.Info.HeadSeq)
	has(t, "counts", js(t)(alice.c.ReadCounts(g, one)), `"counts":[`)
	has(t, "unread by", js(t)(alice.c.ReadList(g, c.Info.HeadSeq, true, "", 0)), `"as_of"`)
	js(t)(bob.c.Report(g, c.Info.HeadSeq, "spam", ""))
	js(t)(bob.c.ReportUser("alice", "spam", "x"))

	id := js(t)(alice.c.Schedule("u/bob", re, time.Now().Add(time.Hour).UnixMilli()))
	has(t, "scheduled", js(t)(alice.c.ListScheduled("", 0)), id)
	fine(t, alice.c.Unschedule(id))
	id = js(t)(alice.c.Remind("", time.Now().Add(20*time.Millisecond).UnixMilli(), "u/bob", 3, "call"))
	alice.wait("note reminder/" + id)
	has(t, "reminders", js(t)(alice.c.Reminders("", 0)), `"call"`)
	fine(t, alice.c.Unremind(id))
	fine(t, alice.c.Save("u/bob", 3, "nice"))
	has(t, "saved", js(t)(alice.c.ListSaved("", 0)), `"nice"`, `"M3"`)
	fine(t, alice.c.Unsave("u/bob", 3))

	for _, err := range []error{
		second(alice.c.SetPinned("u/bob", true)), second(alice.c.SetLevel("u/bob", "none")), second(alice.c.SetHidden(g, true)),
		second(alice.c.SetArchived(g, true)), second(alice.c.SetMarked("u/bob", true)), second(alice.c.SetTags("u/bob", list("work"))),
	} {
		fine(t, err)
	}
	if i := must[*mobile.Info](t)(alice.c.SetRemark("u/bob", "Bob")); i.Remark != "Bob" || i.PinnedMillis == 0 || i.Level != "none" ||
		!i.Marked || i.Tags().Get(0) != "work" || i.Gone().Len() != 1 || i.Gone().From(0) != 5 {
		t.Errorf("%+v", i)
	}
	if l := must[*mobile.Conversations](t)(alice.c.List("", 0, 1, `{"tag":"work"}`)); l.Len() != 1 || l.Get(0).Conv != "u/bob" || l.Get(0).Recent().Len() != 1 {
		t.Error(l.Len())
	}
	if l := must[*mobile.Conversations](t)(alice.c.List("", 0, 0, `{"archived":true,"hidden":true}`)); l.Len() != 1 {
		t.Error(l.Len())
	}
	must[*mobile.Unread](t)(alice.c.UnreadTotals(""))
	fine(t, alice.c.SetDraft("u/bob", []byte("dear"), 3))
	if l := must[*mobile.Drafts](t)(alice.c.ListDrafts("", 0)); l.Len() != 1 || string(l.Get(0).Body) != "dear" || l.Get(0).ReplyTo != 3 {
		t.Error(l.Len())
	}
	fine(t, alice.c.SetNotify(`{"all":"mentions","quiet":{"start":"22:00","minutes":60,"zone":"UTC"}}`))
	has(t, "notify", js(t)(alice.c.Notify()), `"mentions"`, `"22:00"`)
	fine(t, alice.c.SetQuiet("u/bob", `{"start":"12:00","minutes":60,"zone":"UTC"}`))
	has(t, "quiet", js(t)(alice.c.Quiet("u/bob")), `"12:00"`)
	fine(t, alice.c.SetQuiet("u/bob", ""))
	has(t, "profile", js(t)(alice.c.SetProfile(`{"name":"Alice A.","fields":[{"key":"city","value":"北京"}]}`)), "Alice A.")
	has(t, "profiles", js(t)(bob.c.Profiles(list("alice"))), "Alice A.", "北京")
	fine(t, bob.c.SetPresence(`{"status":"at lunch"}`))
	has(t, "presence", js(t)(alice.c.Presence(list("bob"))), "at lunch")
	has(t, "watch", js(t)(alice.c.Watch(list("bob"), 60)), "until")
	fine(t, alice.c.Unwatch(nil))
	fine(t, alice.c.Allow("bob"))
	fine(t, alice.c.SetAllowMode(true))
	has(t, "allowed", js(t)(alice.c.Allowed("", 0)), `"bob"`, `"on":true`)
	fine(t, alice.c.Disallow("bob"))
	fine(t, alice.c.GroupMute(g, list("bob"), time.Now().Add(time.Hour).UnixMilli()))
	fine(t, alice.c.GroupMute(g, list("bob"), 0))
	fine(t, alice.c.GroupMuteAll(g, true))
	fine(t, bob.c.GroupNick(g, "", "Bobby"))
	if l := must[*mobile.Members](t)(alice.c.GroupMembers(g, "", 0)); l.Get(1).Nick != "Bobby" {
		t.Errorf("%+v", l.Get(1))
	}
	fine(t, bob.c.Recording(g))
	has(t, "types", js(t)(alice.c.Types(0)), "an:poll")
	if _, err := alice.c.Call("Nothing", "{}"); err == nil || mobile.ErrorCode(err.Error()) != 3010 {
		t.Error(err)
	}
	if _, err := alice.c.Call("Set", `{"conv":7}`); err == nil || mobile.ErrorCode(err.Error()) != 3000 {
		t.Error(err)
	}
	has(t, "stream", js(t)(alice.c.Call("StreamOpen", `{"conv":"u/bob","id":"s1"}`)), `"id":"s1"`)
	has(t, "stream", js(t)(bob.c.StreamGet("u/alice", "s1")), `"sender":"alice"`)
	js(t)(alice.c.Call("StreamEnd", `{"conv":"u/bob","id":"s1","abort":true}`))
}

func second[T any](_ T, err error) error { return err }

// What a phone keeps itself: read, searched and added to without a server.
func TestKeptOnThePhone(t *testing.T) {
	s := servertest.Start(t, servertest.Options{})
	dir := t.TempDir()
	keep := func(o *mobile.Options) { o.Keep = 10 }
	alice, bob := newPhone(t, s, "alice", dir, keep), newPhone(t, s, "bob", "")
	must[string](t)(bob.c.SendText("u/alice", "我们去北京吧"))
	must[string](t)(bob.c.SendText("u/alice", "hello"))
	alice.wait("hello")
	fine(t, alice.c.SetLocal("u/bob", 1, "played", "yes"))
	x := must[*mobile.Message](t)(alice.c.Insert("u/bob", "an:notice", []byte(`{"content":"missed call"}`), 1))
	fine(t, alice.c.Close())
	s.Stop()
	again := phoneAt(t, s, "alice", dir, keep)
	l := again.c.Kept("u/bob", nil, 0)
	if l.Len() != 3 || l.Get(0).LocalField("played") != "yes" || l.Get(1).LocalID != x.LocalID || l.Get(1).Text() != "missed call" || l.Get(2).Text() != "hello" {
		t.Fatal(l.Len())
	}
	if p := again.c.Kept("u/bob", l.Get(1), 5); p.Len() != 1 {
		t.Error(p.Len())
	}
	if f := again.c.Search("北京", "", 0); f.Len() != 1 || f.Get(0).Seq != 1 || f.Get(0).Line("zh-CN") != "我们去北京吧" {
		t.Error(f.Len())
	}
	fine(t, again.c.RemoveInserted("u/bob", x.LocalID))
	if again.c.Kept("u/bob", nil, 0).Len() != 2 {
		t.Error("it is still there")
	}
}
