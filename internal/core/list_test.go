package core

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"github.com/anser-im/anser/internal/auth"
	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

func TestF1_TheServerSortsTheList(t *testing.T) {
	ck := newClock()
	w := newWorld(t, Config{Clock: ck.Now})
	g := w.group("eve", "ann", "bob")
	ck.add(1000)
	w.say("bob", "u/ann", "1", func(m *im.Message) { m.Body = []byte(`{"content":"from bob"}`) })
	ck.add(1000)
	w.say("joe", "u/ann", "2", func(m *im.Message) { m.Type, m.Digest = "app:card", "a card" })
	ck.add(1000)
	w.say("bob", g, "3", mention("ann"))
	s := w.as("ann")
	l, err := s.Conversations(t.Context(), ListQuery{Messages: 2})
	w.ok(err)
	if got := addrs(l.Conversations); got != string(g)+" u/joe u/bob" || l.Next != "" {
		t.Fatal(got, l.Next)
	}
	if c := l.Conversations[0]; c.Mine.Mentions != 1 || c.Mine.Unread != 1 || c.Group == nil || c.Group.Owner != "eve" || len(c.Page.Messages) != 2 || c.Level != im.NotifyAll {
		t.Fatalf("%+v", c)
	}
	if c := l.Conversations[1]; c.Digest != "a card" || c.Peer == nil {
		t.Fatalf("%+v", c)
	}
	if c := l.Conversations[2]; c.Digest != "from bob" || c.Page.Messages[0].Sender != "bob" {
		t.Fatalf("%+v", c)
	}
	for f, want := range map[*Filter]string{
		{Kinds: []im.ConvKind{im.Group}}:            string(g),
		{Kinds: []im.ConvKind{im.Direct, im.Group}}: string(g) + " u/joe u/bob",
		{Kinds: []im.ConvKind{im.Room}}:             "",
		{Mentions: true}:                            string(g),
		{Unread: true}:                              string(g) + " u/joe u/bob",
		{NotMuted: true}:                            string(g) + " u/joe",
	} {
		w.set("ann", "u/bob", im.SettingsPatch{Level: ptr(im.NotifyNone)})
		if got := w.list("ann", *f); got != want {
			t.Errorf("%+v: %s; want %s", *f, got, want)
		}
	}
	if _, err := s.Leave(t.Context(), g); err != nil {
		t.Fatal(err)
	}
	if got := w.list("ann", Filter{}); got != "u/joe u/bob" {
		t.Fatal(got)
	}
	for _, bad := range []string{"x", "AQ", strings.Repeat("A", 46), strings.Repeat("-", 46)} {
		_, err := s.Conversations(t.Context(), ListQuery{After: bad})
		w.refused(err, im.Invalid)
	}
}

func FuzzListCursor(f *testing.F) {
	f.Add("")
	c := listCursor{pos: 7, moved: true, key: listKey{1, 2, 3}}
	f.Add(c.String())
	f.Fuzz(func(t *testing.T, s string) {
		c, err := parseListCursor(s)
		if err == nil && c.String() != s {
			t.Fatalf("%q becomes %q", s, c.String())
		}
	})
}

func TestDigestOfTheNewestShown(t *testing.T) {
	w := newWorld(t, Config{})
	g := w.group("ann", "bob", "eve")
	body := func(s string) func(*im.Message) {
		return func(m *im.Message) { m.Body = []byte(fmt.Sprintf(`{"content":%q}`, s)) }
	}
	digest := func(u im.UserID, locale string) string {
		t.Helper()
		s := w.as(u)
		s.login.Locale = locale
		c, err := s.Conversation(t.Context(), g)
		w.ok(err)
		return c.Digest
	}
	w.say("ann", g, "", body("one\ntwo"))
	if got := digest("bob", ""); got != "one two" {
		t.Fatal(got)
	}
	w.say("ann", g, "", body("for bob"), func(m *im.Message) { m.To = []im.UserID{"bob"} })
	w.say("ann", g, "", body("cmd"), func(m *im.Message) { m.Flags = 0 })
	if a, b := digest("bob", ""), digest("eve", ""); a != "for bob" || b != "one two" {
		t.Fatal(a, b)
	}
	seq := w.say("ann", g, "", body("oops"))
	_, err := w.as("ann").Recall(t.Context(), RecallRequest{Conv: g, Seq: seq})
	w.ok(err)
	if a, b := digest("eve", "en"), digest("eve", "zh-CN"); a != "A message was recalled" || b != "消息已撤回" {
		t.Fatal(a, b)
	}
	seq = w.say("ann", g, "", body("oops"))
	_, err = w.as("ann").Recall(t.Context(), RecallRequest{Conv: g, Seq: seq, Silent: true})
	w.ok(err)
	if got := digest("eve", ""); got != "A message was recalled" {
		t.Fatal(got)
	}
	w.say("ann", g, "", body("secret"), func(m *im.Message) { m.Burn = 10; m.Digest = "secret" })
	if a, b := digest("eve", ""), digest("eve", "zh"); a != "[Burn after reading]" || b != "[阅后即焚]" {
		t.Fatal(a, b)
	}
	seq = w.say("ann", g, "", body(strings.Repeat("语", 501)))
	if got := digest("eve", ""); got != strings.Repeat("语", 500)+"..." {
		t.Fatal(len(got))
	}
	_, err = w.as("eve").Delete(t.Context(), DeleteRequest{Conv: g, Seqs: []im.Seq{seq}})
	w.ok(err)
	if a, b := digest("eve", ""), digest("bob", ""); a != "[Burn after reading]" || b == a {
		t.Fatal(a, b)
	}
	for range digestLook + 10 {
		w.say("ann", g, "", func(m *im.Message) { m.To = []im.UserID{"bob"} })
	}
	if got := digest("eve", ""); got != "" {
		t.Fatalf("%q: nothing is looked for that far back", got)
	}
}

// countingStore counts what is read.
type countingStore struct {
	store.Store
	pages, rows atomic.Int64
}

func (s *countingStore) Page(q store.PageQuery) (store.Page, error) {
	s.pages.Add(1)
	return s.Store.Page(q)
}

func (s *countingStore) Rows(u im.UserID, after im.ConvID, limit int) ([]store.Row, error) {
	s.rows.Add(1)
	return s.Store.Rows(u, after, limit)
}

// A device of somebody with many conversations shows the first ones after one answer
// of bounded size, and gets the rest, the newest first, while people go on talking:
// each conversation at least once, and in its newest state.
func TestM4_FirstSyncIsAWindow(t *testing.T) {
	ck := newClock()
	w := newWorld(t, Config{Clock: ck.Now})
	const many = 500
	for i := range many {
		ck.add(1000)
		w.say(im.UserID(fmt.Sprintf("u%03d", i)), "u/ann", "hi")
	}
	w.set("ann", "u/u007", im.SettingsPatch{Pinned: ptr(int64(1))})
	counting := &countingStore{Store: w.c.st}
	v, err := auth.NewVerifier(auth.Config{Secret: testSecret, Now: ck.Now})
	w.ok(err)
	counted := New(Config{Clock: ck.Now, SweepEvery: -1}, counting, v, nil)
	t.Cleanup(counted.Close)
	s := w.as("ann")
	s.c = counted
	l, err := s.Conversations(t.Context(), ListQuery{Limit: 20, Messages: 5})
	w.ok(err)
	if len(l.Conversations) != 20 || l.Next == "" || l.Conversations[0].Addr != "u/u007" || l.Conversations[1].Addr != "u/u499" || len(l.Conversations[19].Page.Messages) != 1 {
		t.Fatal(addrs(l.Conversations))
	}
	if pages := counting.pages.Load(); pages != 20 {
		t.Fatalf("%d pages were read for 20 conversations", pages)
	}
	if rows := counting.rows.Load(); rows != 1 {
		t.Fatalf("the rows were read %d times", rows)
	}
	newest := map[im.Address]im.Seq{}
	note := func() {
		for _, c := range l.Conversations {
			newest[c.Addr] = max(newest[c.Addr], c.Head.Seq)
		}
	}
	note()
	talk := []int{3, 250, 499, 100}
	for i := 0; l.Next != ""; i++ {
		if i < len(talk) { // from the end of the list to its top, and back
			ck.add(1000)
			w.say(im.UserID(fmt.Sprintf("u%03d", talk[i])), "u/ann", "again")
		}
		if l, err = s.Conversations(t.Context(), ListQuery{Limit: 100, After: l.Next}); err != nil {
			t.Fatal(err)
		}
		note()
	}
	if len(newest) != many {
		t.Fatalf("%d conversations were told", len(newest))
	}
	for _, i := range talk {
		if a := im.Address(fmt.Sprintf("u/u%03d", i)); newest[a] != 2 {
			t.Errorf("%s was last told with head %d", a, newest[a])
		}
	}
	// The rest of what was away, the newest first.
	a, err := s.Sync(t.Context(), SyncQuery{Limit: 50, HeadsOnly: true})
	w.ok(err)
	if a.Conversations[0].Addr != "u/u100" || !a.More {
		t.Fatal(addrs(a.Conversations))
	}
}

// Whatever moves between the parts of a list, none that is in it all the time is
// missed, and each is last told as it is.
func TestListWhileThingsMove(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		ck := newClock()
		w := newWorld(t, Config{Clock: ck.Now})
		defer w.st.Close()
		defer w.c.Close()
		n := rapid.IntRange(1, 12).Draw(rt, "conversations")
		peer := func(what string) im.UserID {
			return im.UserID(fmt.Sprint("u", rapid.IntRange(0, n-1).Draw(rt, what)))
		}
		for i := range n {
			ck.add(int64(rapid.IntRange(0, 1).Draw(rt, "time")))
			w.say(im.UserID(fmt.Sprint("u", i)), "u/ann", "hi")
		}
		s := w.as("ann")
		told := map[im.Address]Conversation{}
		q := ListQuery{Limit: rapid.IntRange(1, 5).Draw(rt, "limit"), Filter: Filter{Hidden: true}}
		parts := 0
		for {
			l, err := s.Conversations(t.Context(), q)
			w.ok(err)
			for _, c := range l.Conversations {
				told[c.Addr] = c
			}
			if q.After = l.Next; q.After == "" {
				break
			}
			at, err := parseListCursor(q.After)
			w.ok(err)
			if parts++; parts > 20 || at.moved { // what moves from here on is told live
				continue
			}
			for range rapid.IntRange(0, 3).Draw(rt, "moves") {
				ck.add(1)
				switch rapid.IntRange(0, 2).Draw(rt, "move") {
				case 0:
					w.say(peer("sender"), "u/ann", "x")
				case 1:
					w.set("ann", im.DirectAddress(peer("pinned")), im.SettingsPatch{Pinned: ptr(int64(rapid.IntRange(0, 1).Draw(rt, "on")))})
				case 2:
					_, err := s.Read(t.Context(), im.DirectAddress(peer("read")), 0)
					w.ok(err)
				}
			}
		}
		if len(told) != n {
			rt.Fatalf("%d of %d conversations were told", len(told), n)
		}
		for addr, c := range told {
			now, err := s.Conversation(t.Context(), addr)
			w.ok(err)
			if c.Head.Seq != now.Head.Seq || c.Mine.Read != now.Mine.Read || c.Mine.Unread != now.Mine.Unread || c.Mine.Settings.Pinned != now.Mine.Settings.Pinned {
				rt.Fatalf("%s: told %+v, is %+v", addr, c, now)
			}
		}
	})
}

func TestListEndsByBytes(t *testing.T) {
	w := newWorld(t, Config{})
	for i := range 20 {
		w.say(im.UserID(fmt.Sprintf("u%02d", i)), "u/ann", strings.Repeat("x", 100<<10))
	}
	var all []im.Address
	q := ListQuery{Messages: 1}
	for parts := 0; ; parts++ {
		l, err := w.as("ann").Conversations(t.Context(), q)
		w.ok(err)
		if len(l.Conversations) > 4 {
			t.Fatalf("%d conversations of 100 KiB each in one answer", len(l.Conversations))
		}
		for _, c := range l.Conversations {
			all = append(all, c.Addr)
		}
		if q.After = l.Next; q.After == "" {
			break
		}
	}
	if len(slices.Compact(slices.Sorted(slices.Values(all)))) != 20 {
		t.Fatal(all)
	}
}
