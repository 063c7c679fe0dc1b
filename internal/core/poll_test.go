package core

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/anser-im/anser/internal/im"
)

func asPoll(m *im.Message) { m.Type = PollType }

const lunch = `{"question":"lunch?","options":[{"id":"a","text":"A"},{"id":"b","text":"B"},{"id":"c","text":"C"}]%s}`

func votes(m *im.Message) string {
	var list []string
	for _, r := range m.Reactions {
		list = append(list, fmt.Sprint(strings.TrimPrefix(r.Key, im.VotePrefix), r.Count))
	}
	return strings.Join(list, " ")
}

func TestC7_PollsWithVotes(t *testing.T) {
	clock := newClock()
	w := newWorld(t, Config{Clock: clock.Now})
	ctx := t.Context()
	g := w.group("ann", "bob", "cat")
	vote := func(u im.UserID, seq im.Seq, options ...string) (Changed, error) {
		return w.as(u).Vote(ctx, g, seq, options, w.id())
	}
	one := w.say("ann", g, fmt.Sprintf(lunch, ""), asPoll)
	for _, v := range []struct {
		u       im.UserID
		options []string
		want    im.Kind
		tally   string
	}{
		{"ann", []string{"a"}, 0, "a1"},
		{"bob", []string{"a"}, 0, "a2"},
		{"bob", []string{"b", "b"}, 0, "a1 b1"}, // replaces
		{"cat", []string{"a", "b"}, im.Invalid, "a1 b1"},
		{"cat", []string{"z"}, im.Invalid, "a1 b1"},
		{"cat", []string{"c"}, 0, "a1 b1 c1"},
		{"ann", nil, 0, "b1 c1"}, // takes it back
		{"ann", nil, 0, "b1 c1"},
	} {
		_, err := vote(v.u, one, v.options...)
		check(t, fmt.Sprint(v.u, v.options), err, v.want, 0)
		if got := votes(w.message("cat", g, one)); got != v.tally {
			t.Errorf("after %s %v: %s, want %s", v.u, v.options, got, v.tally)
		}
	}
	many := w.say("ann", g, fmt.Sprintf(lunch, `,"multiple":true,"max":2`), asPoll)
	_, err := vote("bob", many, "a", "b", "c")
	w.refused(err, im.Invalid)
	_, err = vote("bob", many, "c", "a")
	w.ok(err)
	list, _, err := w.as("cat").Reactions(ctx, ReactionsQuery{Conv: g, Seq: many})
	w.ok(err)
	if len(list) != 2 || list[0].User != "bob" || list[0].Key != "vote:a" || list[1].Key != "vote:c" {
		t.Fatalf("%v", list)
	}

	_, err = w.as("bob").PollClose(ctx, g, many, "")
	w.refused(err, im.Denied)
	closed, err := w.as("ann").PollClose(ctx, g, many, "c1")
	w.ok(err)
	if m := w.message("bob", g, many); expansion(m, "an.closed") != fmt.Sprint(clock.Now().UnixMilli()) {
		t.Fatalf("%+v", m.Expansion)
	}
	again, err := w.as("ann").PollClose(ctx, g, many, "c1")
	w.ok(err)
	twice, err := w.as("ann").PollClose(ctx, g, many, "c2")
	w.ok(err)
	if !again.Dup || again.Ver != closed.Ver || !twice.Dup {
		t.Fatalf("%+v %+v %+v", closed, again, twice)
	}
	_, err = vote("cat", many, "a")
	w.refused(err, im.Denied, im.CodeTooLate)
	_, err = w.as("cat").Expand(ctx, ExpandRequest{Conv: g, Seq: many, Remove: []string{"an.closed"}})
	w.refused(err, im.Invalid)

	timed := w.say("ann", g, fmt.Sprintf(lunch, fmt.Sprintf(`,"closes":%d`, clock.Now().UnixMilli()+1000)), asPoll)
	_, err = vote("bob", timed, "a")
	w.ok(err)
	clock.add(1000)
	_, err = vote("cat", timed, "a")
	w.refused(err, im.Denied, im.CodeTooLate)
	text := w.say("ann", g, "no poll")
	_, err = vote("bob", text, "a")
	w.refused(err, im.Invalid)
	_, err = w.as("ann").Recall(ctx, RecallRequest{Conv: g, Seq: one})
	w.ok(err)
	_, err = vote("bob", one, "a")
	w.refused(err, im.NotFound)
}

// In an anonymous poll nobody but the voter and the app is told who voted for what:
// not live, not in the log, not in a list, not after the poll is recalled.
func TestVotersOfAnonymousPollsAreNotTold(t *testing.T) {
	w := newWorld(t, Config{})
	ctx := t.Context()
	g := w.group("ann", "bob", "cat")
	poll := w.say("ann", g, fmt.Sprintf(lunch, `,"anonymous":true`), asPoll)
	w.spreadAll()
	ann, bob := w.login("ann", "phone"), w.login("bob", "web")
	if _, err := w.as("bob").Vote(ctx, g, poll, []string{"a"}, "v1"); err != nil {
		t.Fatal(err)
	}
	_, err := w.as("bob").React(ctx, ReactRequest{Conv: g, Seq: poll, Add: []string{"zzz", "+"}})
	w.ok(err)
	_, err = w.as("cat").Vote(ctx, g, poll, []string{"b"}, "v2")
	w.ok(err)

	it := ann.changed()
	if ch := it.Change; ch.By != "" || ch.Device != "" || ch.ID != "" || ch.Added != nil || ch.Removed != nil || votes(ch.Msg) != "a1" {
		t.Fatalf("%+v", ch)
	}
	if ch := bob.changed().Change; ch.By != "bob" || strings.Join(ch.Added, " ") != "vote:a" {
		t.Fatalf("his own device: %+v", ch)
	}
	if ch := ann.changed().Change; ch.By != "bob" { // no vote
		t.Fatalf("%+v", ch)
	}
	secret := func(u im.UserID, when string) {
		t.Helper()
		log, err := w.as(u).Changes(ctx, g, 1, 0)
		w.ok(err)
		for _, ch := range log.Changes {
			for _, key := range append(ch.Added, ch.Removed...) {
				if strings.HasPrefix(key, im.VotePrefix) && ch.By != u {
					t.Errorf("%s: %s is told of %+v", when, u, ch)
				}
			}
		}
	}
	secret("ann", "open")
	secret("bob", "open")
	want := map[im.UserID]string{"ann": "+:bob zzz:bob", "bob": "+:bob vote:a:bob zzz:bob", "cat": "+:bob vote:b:cat zzz:bob"}
	for u, w2 := range want {
		var got []string
		q := ReactionsQuery{Conv: g, Seq: poll, Limit: 1}
		for more := true; more; {
			var list []im.Reacted
			list, more, err = w.as(u).Reactions(ctx, q)
			w.ok(err)
			for _, r := range list {
				got = append(got, r.Key+":"+string(r.User))
				q.AfterKey, q.AfterUser = r.Key, r.User
			}
		}
		if strings.Join(got, " ") != w2 {
			t.Errorf("%s is told %v, want %s", u, got, w2)
		}
	}
	list, _, err := w.as("ann").Reactions(ctx, ReactionsQuery{Conv: g, Seq: poll, Key: "vote:a"})
	w.ok(err)
	if len(list) != 0 {
		t.Errorf("%v", list)
	}
	app, err := w.c.Act("ann", "")
	w.ok(err)
	if list, _, err = app.Reactions(ctx, ReactionsQuery{Conv: g, Seq: poll, Key: "vote:a"}); err != nil || len(list) != 1 {
		t.Errorf("the app: %v %v", list, err)
	}
	_, err = w.as("ann").Recall(ctx, RecallRequest{Conv: g, Seq: poll})
	w.ok(err)
	secret("ann", "recalled")
}

// Of many votes of one user at once exactly one stands.
func TestVotesAtOnce(t *testing.T) {
	w := newWorld(t, Config{})
	ctx := t.Context()
	g := w.group("ann", "bob")
	poll := w.say("ann", g, fmt.Sprintf(lunch, ""), asPoll)
	var wg sync.WaitGroup
	for i := range 30 {
		wg.Go(func() {
			if _, err := w.as("bob").Vote(ctx, g, poll, []string{string(rune('a' + i%3))}, ""); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	m := w.message("ann", g, poll)
	if len(m.Reactions) != 1 || m.Reactions[0].Count != 1 {
		t.Fatalf("%v", m.Reactions)
	}
}
