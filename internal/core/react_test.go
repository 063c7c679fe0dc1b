package core

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/anser-im/anser/internal/im"
)

// changed is the next change that a client is told.
func (c *client) changed() Item {
	c.w.Helper()
	return c.until(func(it Item) bool { return it.Ver != 0 })
}

func (w *world) message(u im.UserID, conv im.Address, seq im.Seq) *im.Message {
	w.Helper()
	list, err := w.as(u).Messages(w.Context(), conv, []im.Seq{seq})
	w.ok(err)
	if len(list) == 0 {
		return nil
	}
	return list[0]
}

func TestE5_ReactionsWithTheirUsers(t *testing.T) {
	w := newWorld(t, Config{})
	ctx := t.Context()
	g := w.group("ann", "bob", "cat", "dan")
	seq := w.say("ann", g, "x")
	dan, danToo := w.login("dan", "phone"), w.login("dan", "web")
	for _, u := range []im.UserID{"bob", "cat"} {
		_, err := w.as(u).React(ctx, ReactRequest{Conv: g, Seq: seq, Add: []string{"👍"}, ID: w.id()})
		w.ok(err)
	}
	if _, err := dan.React(ctx, ReactRequest{Conv: g, Seq: seq, Add: []string{"👍", "🎉"}}); err != nil {
		t.Fatal(err)
	}
	m := w.message("bob", g, seq)
	if len(m.Reactions) != 2 || m.Reactions[0] != (im.Reaction{Key: "👍", Count: 3}) || m.Reactions[1] != (im.Reaction{Key: "🎉", Count: 1}) || m.Ver != 3 {
		t.Fatalf("%+v", m)
	}
	for ver := im.Ver(1); ver <= 3; ver++ { // his other device is told of all three, with the message as it was then
		it := danToo.changed()
		if it.Ver != ver || it.Change.Kind != im.React || it.Change.Msg.Ver != ver || it.Change.Msg.Reactions[0].Count != int(ver) {
			t.Fatalf("%+v", it.Change)
		}
		if ver == 3 && (it.Change.By != "dan" || it.Change.Device != "phone" || strings.Join(it.Change.Added, " ") != "👍 🎉") {
			t.Fatalf("%+v", it.Change)
		}
	}
	dan.changed()
	dan.changed()
	dan.quiet(func(it Item) bool { return it.Ver == 3 }) // the answer stands for it

	list, more, err := w.as("ann").Reactions(ctx, ReactionsQuery{Conv: g, Seq: seq, Key: "👍", Limit: 2})
	w.ok(err)
	if !more || len(list) != 2 || list[0].User != "bob" || list[1].User != "cat" {
		t.Fatalf("%v %v", list, more)
	}
	list, more, err = w.as("ann").Reactions(ctx, ReactionsQuery{Conv: g, Seq: seq, Key: "👍", Limit: 2, AfterKey: list[1].Key, AfterUser: list[1].User})
	w.ok(err)
	if more || len(list) != 1 || list[0].User != "dan" {
		t.Fatalf("%v %v", list, more)
	}
	x, err := dan.Extras(ctx, g, Range{Messages: []*im.Message{m}})
	w.ok(err)
	if len(x) != 1 || x[0].Seq != seq || len(x[0].Mine) != 2 {
		t.Fatalf("%+v", x)
	}

	_, err = dan.React(ctx, ReactRequest{Conv: g, Seq: seq, Remove: []string{"👍", "❤"}})
	w.ok(err)
	it := danToo.changed()
	if strings.Join(it.Change.Removed, " ") != "👍" || it.Change.Added != nil || it.Change.Msg.Reactions[0].Count != 2 {
		t.Fatalf("%+v", it.Change)
	}
	again, err := dan.React(ctx, ReactRequest{Conv: g, Seq: seq, Remove: []string{"👍"}}) // it is so already
	w.ok(err)
	if !again.Dup || again.Ver != 4 {
		t.Fatalf("%+v", again)
	}
}

func TestReactionsThatAreNone(t *testing.T) {
	w := newWorld(t, Config{Limits: im.Limits{MaxReactions: 3}})
	ctx := t.Context()
	w.say("ann", "u/bob", "x")
	many := make([]string, maxKeys+1)
	for i := range many {
		many[i] = fmt.Sprint(i)
	}
	for _, c := range []struct {
		add, remove []string
		want        im.Kind
	}{
		{[]string{strings.Repeat("x", 64)}, nil, 0},
		{[]string{strings.Repeat("x", 65)}, nil, im.Invalid},
		{[]string{""}, nil, im.Invalid},
		{[]string{"\xff"}, nil, im.Invalid},
		{[]string{"a\nb"}, nil, im.Invalid},
		{[]string{"vote:a"}, nil, im.Invalid},
		{nil, []string{"vote:a"}, im.Invalid},
		{nil, []string{"*"}, im.Invalid},
		{nil, []string{"x*"}, im.Invalid},
		{[]string{"a"}, []string{"a"}, im.Invalid},
		{nil, nil, im.Invalid},
		{many, nil, im.TooLarge},
		{nil, many, im.TooLarge},
		{[]string{"2", "3"}, nil, 0},
		{[]string{"4"}, nil, im.TooLarge}, // MaxReactions
		{[]string{"4"}, []string{"2"}, 0},
	} {
		_, err := w.as("bob").React(ctx, ReactRequest{Conv: "u/ann", Seq: 1, Add: c.add, Remove: c.remove})
		check(t, fmt.Sprint(c.add, c.remove), err, c.want, 0)
	}
	if _, err := w.as("ann").Recall(ctx, RecallRequest{Conv: "u/bob", Seq: 1}); err != nil {
		t.Fatal(err)
	}
	_, err := w.as("bob").React(ctx, ReactRequest{Conv: "u/ann", Seq: 1, Add: []string{"a"}})
	w.refused(err, im.NotFound)
}

// A reaction is made once under its id, and its retry answered whatever holds by then.
func TestReactingIsDoneOnce(t *testing.T) {
	w := newWorld(t, Config{})
	ctx := t.Context()
	g := w.group("ann", "bob")
	seq := w.say("ann", g, "x")
	q := ReactRequest{Conv: g, Seq: seq, Add: []string{"+"}, ID: "r1"}
	first, err := w.as("bob").React(ctx, q)
	w.ok(err)
	_, err = w.as("bob").React(ctx, ReactRequest{Conv: g, Seq: seq, Remove: []string{"+"}})
	w.ok(err)
	_, err = w.as("ann").GroupRemove(ctx, g, []im.UserID{"bob"})
	w.ok(err)
	again, err := w.as("bob").React(ctx, q)
	w.ok(err)
	if first.Dup || !again.Dup || again.Ver != first.Ver {
		t.Fatalf("%+v, then %+v", first, again)
	}
	q.Add = []string{"-"}
	_, err = w.as("bob").React(ctx, q)
	w.refused(err, im.Conflict)
}

// Fifty users react to one message at once: none is lost, none is told to try again,
// every change has its own number, and all devices end with the same message.
func TestFiftyReactAtOnce(t *testing.T) {
	w := newWorld(t, Config{})
	ctx := t.Context()
	users := make([]im.UserID, 50)
	for i := range users {
		users[i] = im.UserID(fmt.Sprintf("u%02d", i))
	}
	g := w.group("ann", users...)
	seq := w.say("ann", g, "x")
	watcher := w.login("ann", "phone")
	vers := make([]Changed, len(users))
	var wg sync.WaitGroup
	for i, u := range users {
		wg.Go(func() {
			var err error
			vers[i], err = w.as(u).React(ctx, ReactRequest{Conv: g, Seq: seq, Add: []string{"👍"}, ID: "same"})
			if err != nil {
				t.Error(u, err)
			}
		})
	}
	wg.Wait()
	seen := map[im.Ver]bool{}
	for _, v := range vers {
		if v.Ver == 0 || v.Dup || seen[v.Ver] {
			t.Fatalf("%+v", vers)
		}
		seen[v.Ver] = true
	}
	last := im.Ver(0)
	for range users {
		it := watcher.changed()
		if it.Ver != last+1 || it.Change.Msg.Reactions[0].Count != int(it.Ver) {
			t.Fatalf("after %d: %+v", last, it.Change)
		}
		last = it.Ver
	}
	log, err := w.as("u00").Changes(ctx, g, 1, 0)
	w.ok(err)
	if len(log.Changes) != 50 || log.Changes[49].Msg.Reactions[0].Count != 50 {
		t.Fatalf("%d changes", len(log.Changes))
	}
	by := map[im.UserID]bool{}
	for _, ch := range log.Changes {
		by[ch.By] = true
	}
	list, _, err := w.as("u00").Reactions(ctx, ReactionsQuery{Conv: g, Seq: seq})
	w.ok(err)
	if len(by) != 50 || len(list) != 50 {
		t.Fatalf("%d and %d users", len(by), len(list))
	}
}
