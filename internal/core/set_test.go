package core

import (
	"slices"
	"strings"
	"testing"

	"github.com/anser-im/anser/internal/im"
)

func ptr[T any](v T) *T { return &v }

// set alters settings of u's.
func (w *world) set(u im.UserID, conv im.Address, p im.SettingsPatch) im.Mine {
	w.Helper()
	m, err := w.as(u).Set(w.Context(), conv, p)
	w.ok(err)
	return m
}

// addrs are the addresses of a list.
func addrs(l []Conversation) string {
	var s []string
	for _, c := range l {
		s = append(s, string(c.Addr))
	}
	return strings.Join(s, " ")
}

// list is all of u's list.
func (w *world) list(u im.UserID, f Filter) string {
	w.Helper()
	l, err := w.as(u).Conversations(w.Context(), ListQuery{Filter: f, Limit: 200})
	w.ok(err)
	if l.Next != "" {
		w.Fatal("the list goes on")
	}
	return addrs(l.Conversations)
}

func TestF2_PinnedConversationsComeFirst(t *testing.T) {
	ck := newClock()
	w := newWorld(t, Config{Clock: ck.Now})
	for _, u := range []im.UserID{"bob", "eve", "joe", "kim"} {
		w.say(u, "u/ann", "hi")
		ck.add(1000)
	}
	if got := w.list("ann", Filter{}); got != "u/kim u/joe u/eve u/bob" {
		t.Fatal(got)
	}
	w.set("ann", "u/bob", im.SettingsPatch{Pinned: ptr(int64(1))})
	ck.add(1000)
	m := w.set("ann", "u/joe", im.SettingsPatch{Pinned: ptr(int64(1))})
	if m.Settings.Pinned != ck.Now().UnixMilli() {
		t.Fatalf("pinned at %d; want the server's time", m.Settings.Pinned)
	}
	ck.add(1000)
	w.set("ann", "u/bob", im.SettingsPatch{Pinned: ptr(int64(1))}) // again: it stays where it is
	w.say("eve", "u/ann", "me first")
	if got := w.list("ann", Filter{}); got != "u/joe u/bob u/eve u/kim" {
		t.Fatal(got)
	}
	if got := w.list("ann", Filter{Pinned: true}); got != "u/joe u/bob" {
		t.Fatal(got)
	}
	if got := w.list("bob", Filter{Pinned: true}); got != "" {
		t.Fatalf("bob has pinned %s", got)
	}
	w.set("ann", "u/joe", im.SettingsPatch{Pinned: ptr(int64(0))})
	if got := w.list("ann", Filter{}); got != "u/bob u/eve u/kim u/joe" {
		t.Fatal(got)
	}
}

func TestF8_TagsAreFolders(t *testing.T) {
	ck := newClock()
	w := newWorld(t, Config{Clock: ck.Now, Limits: im.Limits{MaxTags: 3}})
	for _, u := range []im.UserID{"bob", "eve", "joe"} {
		w.say(u, "u/ann", "hi")
		ck.add(1000)
	}
	tags := func(s ...string) im.SettingsPatch { return im.SettingsPatch{Tags: &s} }
	given := []string{"work", "朋友", "work"}
	m := w.set("ann", "u/bob", im.SettingsPatch{Tags: &given})
	if !slices.Equal(m.Settings.Tags, []string{"work", "朋友"}) || len(given) != 3 {
		t.Fatalf("%q of %q", m.Settings.Tags, given)
	}
	w.set("ann", "u/joe", tags("work"))
	if got := w.list("ann", Filter{Tag: "work"}); got != "u/joe u/bob" {
		t.Fatal(got)
	}
	if got := w.list("ann", Filter{Tag: "朋友"}); got != "u/bob" {
		t.Fatal(got)
	}
	w.set("ann", "u/bob", tags())
	if got := w.list("ann", Filter{Tag: "朋友"}); got != "" {
		t.Fatal(got)
	}
	s := w.as("ann")
	for _, bad := range [][]string{{""}, {"a\x00"}, {"\xff"}} {
		_, err := s.Set(t.Context(), "u/bob", tags(bad...))
		w.refused(err, im.Invalid)
	}
	_, err := s.Set(t.Context(), "u/bob", tags("1", "2", "3", "4"))
	w.refused(err, im.TooLarge)
	_, err = s.Set(t.Context(), "u/bob", tags(strings.Repeat("x", maxTag+1)))
	w.refused(err, im.TooLarge)
	_, err = s.Set(t.Context(), "u/bob", im.SettingsPatch{Remark: ptr(strings.Repeat("x", 129))})
	w.refused(err, im.TooLarge)
	_, err = s.Set(t.Context(), "u/bob", im.SettingsPatch{Level: ptr(im.Level(9))})
	w.refused(err, im.Invalid)
	_, err = s.Set(t.Context(), "me", im.SettingsPatch{Archived: ptr(true)})
	w.refused(err, im.Invalid)
	_, err = s.Set(t.Context(), "u/nobody", im.SettingsPatch{Archived: ptr(true)})
	w.refused(err, im.NotFound)
}

func TestF9_HideArchiveMarkUnread(t *testing.T) {
	ck := newClock()
	w := newWorld(t, Config{Clock: ck.Now})
	for _, u := range []im.UserID{"bob", "eve", "joe"} {
		w.say(u, "u/ann", "hi")
		ck.add(1000)
	}
	w.set("ann", "u/eve", im.SettingsPatch{Hidden: ptr(im.Seq(1))})
	w.set("ann", "u/joe", im.SettingsPatch{Archived: ptr(true)})
	if got := w.list("ann", Filter{}); got != "u/bob" {
		t.Fatal(got)
	}
	if got := w.list("ann", Filter{Hidden: true}); got != "u/eve u/bob" {
		t.Fatal(got)
	}
	if got := w.list("ann", Filter{Archived: true}); got != "u/joe" {
		t.Fatal(got)
	}
	w.say("eve", "u/ann", "cmd", func(m *im.Message) { m.Flags = 0 })
	if got := w.list("ann", Filter{}); got != "u/bob" {
		t.Fatalf("a command brings a hidden conversation back: %s", got)
	}
	w.say("eve", "u/ann", "again")
	w.say("joe", "u/ann", "again")
	if got := w.list("ann", Filter{}); got != "u/eve u/bob" {
		t.Fatalf("%s: a message brings a hidden one back, and leaves an archived one", got)
	}
	w.set("ann", "u/joe", im.SettingsPatch{Archived: ptr(false)})
	if got := w.list("ann", Filter{}); got != "u/joe u/eve u/bob" {
		t.Fatal(got)
	}

	s := w.as("ann")
	if _, err := s.Read(t.Context(), "u/bob", 0); err != nil {
		t.Fatal(err)
	}
	if m := w.set("ann", "u/bob", im.SettingsPatch{Marked: ptr(true)}); !m.Settings.Marked || m.Unread != 0 {
		t.Fatalf("%+v", m)
	}
	if got := w.list("ann", Filter{Unread: true}); got != "u/joe u/eve u/bob" {
		t.Fatal(got)
	}
	if u, err := s.Unread(t.Context(), Filter{}); err != nil || u.Marked != 1 || u.Conversations != 2 {
		t.Fatalf("%+v %v", u, err)
	}
	other := w.login("ann", "laptop")
	m, err := s.Read(t.Context(), "u/bob", 1) // not a step further
	if err != nil || m.Settings.Marked {
		t.Fatalf("%+v %v", m, err)
	}
	other.until(func(it Item) bool {
		return it.Addr == "u/bob" && it.State != nil && it.State.Mine != nil && !it.State.Mine.Settings.Marked
	})
	if got := w.list("ann", Filter{Unread: true}); got != "u/joe u/eve" {
		t.Fatal(got)
	}
}

// What one device does, the others have at once, and those that were away with Sync.
func TestM3_SettingsReachEveryDevice(t *testing.T) {
	w := newWorld(t, Config{})
	w.say("bob", "u/ann", "1")
	g := w.group("eve", "ann")
	phone, laptop := w.login("ann", "phone"), w.login("ann", "laptop")
	away := w.login("ann", "tablet")
	first, err := away.Sync(t.Context(), SyncQuery{})
	w.ok(err)
	away.Close()

	mine := func(addr im.Address, want func(*im.Mine) bool) {
		t.Helper()
		laptop.until(func(it Item) bool {
			return it.Addr == addr && it.State != nil && it.State.Mine != nil && want(it.State.Mine)
		})
	}
	for _, addr := range []im.Address{"u/bob", g} {
		p := im.SettingsPatch{Pinned: ptr(int64(1)), Level: ptr(im.NotifyMe), Tags: &[]string{"x"}, Remark: ptr("老王")}
		_, err := phone.Set(t.Context(), addr, p)
		w.ok(err)
		mine(addr, func(m *im.Mine) bool {
			return m.Settings.Pinned != 0 && m.Settings.Level == im.NotifyMe && m.Settings.Tags[0] == "x" && m.Settings.Remark == "老王"
		})
		_, err = phone.Read(t.Context(), addr, 0)
		w.ok(err)
		mine(addr, func(m *im.Mine) bool { return m.Read != 0 && m.Unread == 0 && m.Settings.Pinned != 0 })
	}
	_, err = phone.SetDraft(t.Context(), Draft{Conv: "u/bob", Body: []byte("dear")})
	w.ok(err)
	it := laptop.until(func(it Item) bool { return it.Change != nil && it.Change.Kind == im.Noted })
	if it.Addr != im.Me || it.Change.Key != "draft/u/bob" || !strings.Contains(string(it.Change.Value), `"body":"ZGVhcg=="`) {
		t.Fatalf("%s %+v", it.Addr, it.Change)
	}
	phone.quiet(func(it Item) bool { return it.Change != nil || it.State != nil && it.State.Mine != nil })

	away = w.login("ann", "tablet")
	a, err := away.Sync(t.Context(), SyncQuery{Token: first.Token})
	w.ok(err)
	seen := 0
	for _, c := range a.Conversations {
		switch c.Addr {
		case "u/bob", g:
			seen++
			if c.Mine.Settings.Remark != "老王" || c.Mine.Unread != 0 || c.Level != im.NotifyMe {
				t.Fatalf("%+v", c)
			}
		case im.Me:
			seen++
			ch, err := away.Changes(t.Context(), im.Me, 1, 0)
			w.ok(err)
			if len(ch.Changes) != 1 || ch.Changes[0].Key != "draft/u/bob" || len(ch.Changes[0].Value) == 0 {
				t.Fatalf("%+v", ch)
			}
		}
	}
	if seen != 3 {
		t.Fatalf("Sync tells %s", addrs(a.Conversations))
	}
}
