package core

import (
	"fmt"
	"testing"
	"time"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

func vers(c Changes) string {
	v := []im.Ver{}
	for _, ch := range c.Changes {
		v = append(v, ch.Ver)
	}
	return fmt.Sprintf("%d-%d %v reset=%v:%d more=%v", c.From, c.To, v, c.Reset, c.Ver, c.More)
}

func TestChanges(t *testing.T) {
	clock := newClock()
	w := newWorld(t, Config{Clock: clock.Now})
	g := w.group("ann", "eve")
	w.say("ann", g, "2 before bob came")
	_, err := w.as("ann").GroupAdd(t.Context(), g, []im.UserID{"bob"})
	w.ok(err)
	w.say("ann", g, "4")
	w.say("ann", g, "5 for eve", func(m *im.Message) { m.To = []im.UserID{"eve"} })
	w.say("ann", g, "6 expires", func(m *im.Message) { m.Expires = clock.Now().UnixMilli() + 1000 })
	for _, seq := range []im.Seq{2, 4, 5, 6, 4} {
		_, err := w.as("ann").Edit(t.Context(), EditRequest{Conv: g, Seq: seq, Body: []byte("edited")})
		w.ok(err)
	}
	clock.add(1000)
	for _, c := range []struct {
		who   im.UserID
		from  im.Ver
		limit int
		want  string
	}{
		{"bob", 0, 0, "1-5 [2 5] reset=false:0 more=false"},
		{"bob", 1, 0, "1-5 [2 5] reset=false:0 more=false"},
		{"eve", 1, 0, "1-5 [1 2 3 5] reset=false:0 more=false"},
		{"bob", 3, 2, "3-4 [] reset=false:0 more=true"},
		{"bob", 5, 1, "5-5 [5] reset=false:0 more=false"},
		{"bob", 6, 0, "6-5 [] reset=false:0 more=false"},
		{"bob", 100, 0, "100-99 [] reset=false:0 more=false"},
	} {
		a, err := w.as(c.who).Changes(t.Context(), g, c.from, c.limit)
		w.ok(err)
		if got := vers(a); got != c.want {
			t.Errorf("%s from %d, %d: %s; want %s", c.who, c.from, c.limit, got, c.want)
		}
		for _, ch := range a.Changes {
			if ch.Msg == nil || string(ch.Msg.Body) != "edited" {
				t.Errorf("change %d holds no message as it is now: %+v", ch.Ver, ch.Msg)
			}
		}
	}
}

func TestChangesReset(t *testing.T) {
	clock := newClock()
	w := newWorld(t, Config{Clock: clock.Now})
	w.say("ann", "u/bob", "hi")
	edit := func(n int) {
		for range n {
			_, err := w.as("ann").Edit(t.Context(), EditRequest{Conv: "u/bob", Seq: 1, Body: []byte("edited")})
			w.ok(err)
		}
	}
	want := func(from im.Ver, want string) {
		t.Helper()
		a, err := w.as("bob").Changes(t.Context(), "u/ann", from, 1)
		w.ok(err)
		if got := vers(a); got != want {
			t.Errorf("from %d: %s; want %s", from, got, want)
		}
	}
	edit(1000)
	want(1, "1-1 [1] reset=false:0 more=true") // a cursor at 0 is 1,000 behind
	edit(1)
	want(1, "0-0 [] reset=true:1001 more=false") // and now 1,001
	want(2, "2-2 [2] reset=false:0 more=true")
	clock.add((31 * 24 * time.Hour).Milliseconds())
	_, err := w.st.Sweep(t.Context(), clock.Now(), store.SweepPolicy{KeepNewest: 10})
	w.ok(err)
	want(991, "0-0 [] reset=true:1001 more=false")
	want(992, "992-992 [992] reset=false:0 more=true")
	want(1002, "1002-1001 [] reset=false:0 more=false")
}

func TestChangesHoldTheirSize(t *testing.T) {
	w := newWorld(t, Config{})
	body := make([]byte, 100<<10)
	for i := range 20 {
		w.say("ann", "u/bob", "x")
		_, err := w.as("ann").Edit(t.Context(), EditRequest{Conv: "u/bob", Seq: im.Seq(i + 1), Body: body})
		w.ok(err)
	}
	next, got := im.Ver(1), 0
	for more := true; more; {
		a, err := w.as("bob").Changes(t.Context(), "u/ann", next, 0)
		w.ok(err)
		bytes := 0
		for _, ch := range a.Changes {
			bytes += ch.Msg.Size()
		}
		if a.From != next || a.To < a.From || bytes > pageBytes+128<<10 {
			t.Fatalf("%s, %d bytes", vers(a), bytes)
		}
		got += len(a.Changes)
		next, more = a.To+1, a.More
	}
	if got != 20 {
		t.Fatalf("%d of 20 changes", got)
	}
}

func TestMyOwnLog(t *testing.T) {
	w := newWorld(t, Config{})
	s := w.as("ann")
	a, err := s.Changes(t.Context(), im.Me, 1, 0)
	w.ok(err)
	if got := vers(a); got != "1-0 [] reset=false:0 more=false" {
		t.Fatal(got)
	}
	w.ok(s.Block(t.Context(), "bob"))
	w.ok(s.Block(t.Context(), "bob"))
	w.ok(s.Unblock(t.Context(), "bob"))
	a, err = s.Changes(t.Context(), im.Me, 1, 0)
	w.ok(err)
	if got := vers(a); got != "1-2 [1 2] reset=false:0 more=false" {
		t.Fatal(got)
	}
	if c := a.Changes[0]; c.Kind != im.BlockAdded || c.Peer != "bob" || c.Device != "phone" || c.Msg != nil {
		t.Fatalf("%+v", c)
	}
	_, err = s.Read(t.Context(), im.Me, 1)
	w.refused(err, im.Invalid)
	_, err = s.Edit(t.Context(), EditRequest{Conv: im.Me, Seq: 1})
	w.refused(err, im.NotFound)
}
