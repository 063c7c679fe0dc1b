package core

import (
	"sync"
	"testing"
	"time"

	"github.com/anser-im/anser/internal/im"
)

func TestEditAndRecallRights(t *testing.T) {
	w := newWorld(t, Config{})
	g := w.group("own", "adm", "ad2", "mem", "me2", "gone")
	for _, u := range []im.UserID{"adm", "ad2"} {
		_, err := w.as("own").GroupRole(t.Context(), g, u, im.Admin)
		w.ok(err)
	}
	by := map[im.UserID]im.Seq{}
	fresh := func() {
		for _, u := range []im.UserID{"own", "adm", "mem"} {
			by[u] = w.say(u, g, "x")
		}
	}
	by["gone"] = w.say("gone", g, "x")
	_, err := w.as("own").GroupRemove(t.Context(), g, []im.UserID{"gone"})
	w.ok(err)
	for _, c := range []struct {
		who, whose im.UserID
		edit       im.Kind
		recall     im.Kind
		code       im.Code
	}{
		{"own", "own", 0, 0, 0},
		{"own", "adm", im.Denied, 0, 0},
		{"own", "mem", im.Denied, 0, 0},
		{"adm", "own", im.Denied, im.Denied, im.CodeRole},
		{"ad2", "adm", im.Denied, im.Denied, im.CodeRole},
		{"adm", "adm", 0, 0, 0},
		{"adm", "mem", im.Denied, 0, 0},
		{"mem", "own", im.Denied, im.Denied, im.CodeRole},
		{"me2", "mem", im.Denied, im.Denied, im.CodeRole},
		{"mem", "mem", 0, 0, 0},
		{"me2", "gone", im.Denied, im.Denied, im.CodeRole},
		{"adm", "gone", im.Denied, 0, 0},
	} {
		fresh()
		_, err := w.as(c.who).Edit(t.Context(), EditRequest{Conv: g, Seq: by[c.whose], ID: w.id(), Body: []byte("y")})
		check(t, string(c.who+" edits "+c.whose), err, c.edit, 0)
		_, err = w.as(c.who).Recall(t.Context(), RecallRequest{Conv: g, Seq: by[c.whose], ID: w.id()})
		check(t, string(c.who+" recalls "+c.whose), err, c.recall, c.code)
	}
	_, err = w.as("own").Recall(t.Context(), RecallRequest{Conv: g, Seq: 1, ID: ""}) // what the server said
	w.refused(err, im.Denied)
	_, err = w.as("own").Edit(t.Context(), EditRequest{Conv: g, Seq: 1})
	w.refused(err, im.Denied)
	_, err = w.as("own").Recall(t.Context(), RecallRequest{Conv: g, Seq: 10_000, ID: ""})
	w.refused(err, im.NotFound)
	w.say("mem", "u/own", "x")
	_, err = w.as("own").Recall(t.Context(), RecallRequest{Conv: "u/mem", Seq: 1, ID: ""})
	w.refused(err, im.Denied)
}

func check(t *testing.T, what string, err error, want im.Kind, code im.Code) {
	t.Helper()
	e := im.AsError(err)
	if want == 0 && err != nil || want != 0 && (e == nil || e.Kind != want || code != 0 && e.Code != code) {
		t.Errorf("%s: %v; want %v", what, err, want)
	}
}

// What one may not see one may not touch, and is not told that it is there.
func TestOnlyWhatOneSeesIsChanged(t *testing.T) {
	clock := newClock()
	w := newWorld(t, Config{Clock: clock.Now})
	g := w.group("ann", "eve")
	before := w.say("ann", g, "x")
	_, err := w.as("ann").GroupAdd(t.Context(), g, []im.UserID{"adm"})
	w.ok(err)
	_, err = w.as("ann").GroupRole(t.Context(), g, "adm", im.Admin)
	w.ok(err)
	secret := w.say("eve", g, "x", func(m *im.Message) { m.To = []im.UserID{"ann"} })
	old := w.say("eve", g, "x", func(m *im.Message) { m.Expires = clock.Now().UnixMilli() + 1 })
	clock.add(1)
	for _, seq := range []im.Seq{before, secret, old, 999} {
		_, err := w.as("adm").Recall(t.Context(), RecallRequest{Conv: g, Seq: seq, ID: ""})
		w.refused(err, im.NotFound)
		if err.Error() != "no such message" {
			t.Errorf("%d: %v", seq, err)
		}
	}
}

func TestEditIsDoneOnce(t *testing.T) {
	w := newWorld(t, Config{})
	w.say("ann", "u/bob", "x")
	q := EditRequest{Conv: "u/bob", Seq: 1, ID: "e1", Body: []byte("y"), Digest: "y"}
	first, err := w.as("ann").Edit(t.Context(), q)
	w.ok(err)
	again, err := w.as("ann").Edit(t.Context(), q)
	w.ok(err)
	if first.Ver != 1 || first.Dup || again.Ver != 1 || !again.Dup || again.Time != first.Time {
		t.Fatalf("%+v, then %+v", first, again)
	}
	for _, other := range []EditRequest{
		{Conv: "u/bob", Seq: 1, ID: "e1", Body: []byte("z"), Digest: "y"},
		{Conv: "u/bob", Seq: 1, ID: "e1", Body: []byte("y"), Digest: "z"},
		{Conv: "u/bob", Seq: 1, ID: "e1", Body: []byte("y"), Digest: "y", Mentions: &im.Mentions{}},
	} {
		_, err = w.as("ann").Edit(t.Context(), other)
		w.refused(err, im.Conflict)
	}
	_, err = w.as("ann").Recall(t.Context(), RecallRequest{Conv: "u/bob", Seq: 1, ID: "e1"})
	w.refused(err, im.Conflict)
}

// A retry is answered with what it did, whatever would refuse it by now.
func TestRetriesOfChangesAreAnswered(t *testing.T) {
	clock := newClock()
	w := newWorld(t, Config{Clock: clock.Now, Limits: im.Limits{EditWindow: time.Minute, RecallWindow: time.Hour}})
	g := w.group("ann", "bob")
	seq := w.say("bob", g, "x")
	q := EditRequest{Conv: g, Seq: seq, ID: "e1", Body: []byte("y")}
	_, err := w.as("bob").Edit(t.Context(), q)
	w.ok(err)
	clock.add(time.Minute.Milliseconds() + 1)
	again, err := w.as("bob").Edit(t.Context(), q) // the window is over
	w.ok(err)
	if !again.Dup || again.Ver != 1 {
		t.Fatalf("%+v", again)
	}
	late := q
	late.ID = "e2"
	_, err = w.as("bob").Edit(t.Context(), late)
	w.refused(err, im.Denied)
	late.ID, late.Body = "e1", []byte("another")
	_, err = w.as("bob").Edit(t.Context(), late)
	w.refused(err, im.Conflict)
	_, err = w.as("bob").Recall(t.Context(), RecallRequest{Conv: g, Seq: seq, ID: "r1"})
	w.ok(err)
	_, err = w.as("bob").Edit(t.Context(), q) // recalled
	w.ok(err)
	_, err = w.as("ann").GroupRemove(t.Context(), g, []im.UserID{"bob"})
	w.ok(err)
	taken, err := w.as("bob").Recall(t.Context(), RecallRequest{Conv: g, Seq: seq, ID: "r1"}) // no longer in it
	again = taken.Changed
	w.ok(err)
	if !again.Dup || again.Ver != 2 {
		t.Fatalf("%+v", again)
	}
	_, err = w.as("bob").Recall(t.Context(), RecallRequest{Conv: g, Seq: seq, ID: "r2"})
	w.refused(err, im.NotFound)
}

func TestRecallTakesTheBodyEverywhere(t *testing.T) {
	w := newWorld(t, Config{Limits: im.Limits{RecallWindow: time.Hour}})
	w.say("ann", "u/bob", "secret 1", func(m *im.Message) { m.Digest, m.Push = "secret 2", "secret 3" })
	_, err := w.as("ann").Edit(t.Context(), EditRequest{Conv: "u/bob", Seq: 1, Body: []byte("secret 4"), Digest: "secret 5"})
	w.ok(err)
	r, err := w.as("ann").Recall(t.Context(), RecallRequest{Conv: "u/bob", Seq: 1, ID: ""})
	w.ok(err)
	if r.Ver != 2 {
		t.Fatalf("%+v", r)
	}
	page, _, err := w.as("bob").Page(t.Context(), PageQuery{Conv: "u/ann"})
	w.ok(err)
	log, err := w.as("bob").Changes(t.Context(), "u/ann", 1, 0)
	w.ok(err)
	a, err := w.as("bob").Sync(t.Context(), SyncQuery{})
	w.ok(err)
	all := append(page.Messages, a.Conversations[0].Page.Messages...)
	for _, ch := range log.Changes {
		all = append(all, ch.Msg)
	}
	if len(all) != 4 {
		t.Fatalf("%d messages", len(all))
	}
	for _, m := range all {
		if !m.Recalled || m.RecallBy != "ann" || m.Body != nil || m.Digest != "" || m.Push != "" || m.Ver != 2 {
			t.Fatalf("%+v", m)
		}
	}
	if m := w.mine("bob", "u/ann"); m.Unread != 0 {
		t.Fatalf("what was recalled is unread: %+v", m)
	}
	again, err := w.as("ann").Recall(t.Context(), RecallRequest{Conv: "u/bob", Seq: 1, ID: ""})
	w.ok(err)
	if !again.Dup || again.Ver != 2 {
		t.Fatalf("%+v", again)
	}
	_, err = w.as("ann").Edit(t.Context(), EditRequest{Conv: "u/bob", Seq: 1, Body: []byte("x")})
	w.refused(err, im.NotFound)
}

func TestEditLimits(t *testing.T) {
	w := newWorld(t, Config{})
	w.say("ann", "u/bob", "x")
	users := make([]im.UserID, 101)
	for i := range users {
		users[i] = "u"
	}
	for _, c := range []struct {
		q    EditRequest
		want im.Kind
	}{
		{EditRequest{Body: make([]byte, 128<<10)}, 0},
		{EditRequest{Body: make([]byte, 128<<10+1)}, im.TooLarge},
		{EditRequest{Digest: string(make([]byte, maxDigest+1))}, im.TooLarge},
		{EditRequest{Digest: "\xff"}, im.Invalid},
		{EditRequest{Mentions: &im.Mentions{Users: users}}, im.TooLarge},
		{EditRequest{Mentions: &im.Mentions{Users: []im.UserID{"a b"}}}, im.Invalid},
		{EditRequest{ID: "a b"}, im.Invalid},
	} {
		c.q.Conv, c.q.Seq = "u/bob", 1
		_, err := w.as("ann").Edit(t.Context(), c.q)
		check(t, "edit", err, c.want, 0)
	}
}

func TestBlockedUsersDoNotEdit(t *testing.T) {
	w := newWorld(t, Config{})
	w.say("ann", "u/bob", "x")
	w.ok(w.as("bob").Block(t.Context(), "ann"))
	_, err := w.as("ann").Edit(t.Context(), EditRequest{Conv: "u/bob", Seq: 1, Body: []byte("rude")})
	w.refused(err, im.Denied, im.CodeNotAccepted)
	_, err = w.as("ann").Recall(t.Context(), RecallRequest{Conv: "u/bob", Seq: 1, ID: ""}) // nothing new reaches bob by that
	w.ok(err)
	if m := w.mine("bob", "u/ann"); !m.Blocked {
		t.Fatalf("%+v", m)
	}
}

// Many edit the same message at once: every edit gets a number of its own, or is told
// to try again.
func TestEditsAtOnce(t *testing.T) {
	w := newWorld(t, Config{})
	w.say("ann", "u/bob", "x")
	const n = 20
	var wg sync.WaitGroup
	got := make([]Changed, n)
	for i := range n {
		wg.Go(func() {
			for {
				var err error
				got[i], err = w.as("ann").Edit(t.Context(), EditRequest{Conv: "u/bob", Seq: 1, ID: im.ClientID(rune('a' + i)), Body: []byte{byte(i)}})
				if im.IsKind(err, im.Busy) {
					continue
				}
				if err != nil {
					t.Error(err)
				}
				return
			}
		})
	}
	wg.Wait()
	seen := map[im.Ver]bool{}
	for _, c := range got {
		if c.Ver == 0 || seen[c.Ver] {
			t.Fatalf("%+v", got)
		}
		seen[c.Ver] = true
	}
	if len(seen) != n {
		t.Fatalf("%d changes", len(seen))
	}
}
