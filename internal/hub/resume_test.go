package hub_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/anser-im/anser/internal/hub"
	"github.com/anser-im/anser/internal/im"
)

// fed takes and feeds until nothing comes; head is that of every conversation.
func fed(h *house, s *hub.Session, l *link, head im.Seq) []hub.Item {
	var out []hub.Item
	for {
		if h.feeds() > 0 {
			for w, ok := s.Next(); ok; w, ok = s.Next() {
				give(s, w, head)
			}
		}
		items, first := s.Take(l, nil, 100, 1<<20)
		if len(items) == 0 {
			return out
		}
		s.Ack(l, first+uint64(len(items))-1, nil)
		out = append(out, items...)
	}
}

func TestResume(t *testing.T) {
	h := newHouse(hub.Config{})
	s, l := h.add("bob", "phone")
	id := s.ID()
	for n := range im.Seq(6) {
		s.Offer("u/ann", message(1, n+1, 10), nil)
	}
	s.Take(l, nil, 4, 1<<20) // 5 and 6 stay queued
	s.Ack(l, 1, nil)
	if !s.Detach(l) || s.Detach(l) || h.Online("bob") {
		t.Fatal("Detach")
	}
	s.Offer("u/ann", message(1, 7, 10), nil)
	s.Offer("u/ann", typing(1), nil)
	s.Offer("u/ann", &hub.Event{Conv: 3, State: &im.State{Peer: &im.Peer{Read: 1}}}, nil)
	if st := h.Stats(); st.Detached != 1 || st.Queued != 0 {
		t.Fatalf("%+v", st)
	}
	if h.Find(id, "eve", "phone") != nil || h.Find(id, "bob", "laptop") != nil || h.Find(id, "bob", "phone") != s {
		t.Fatal("Find")
	}
	l2 := &link{}
	settled, prev, ok := s.Resume(l2, id, 3, nil) // 4 was lost
	if !ok || prev != nil || !slices.Equal(settled, []hub.Settled{{Conv: 1, Seq: 3, Direct: true}}) {
		t.Fatalf("%v %v %v", settled, prev, ok)
	}
	s.Open(l2)
	if _, first := s.Take(l2, nil, 0, 0); first != 4 {
		t.Fatalf("push numbers go on with %d", first)
	}
	var got []im.Seq
	state := false
	for _, it := range fed(h, s, l2, 7) {
		if it.State != nil {
			state = true
			continue
		}
		got = append(got, it.Seq)
	}
	if !slices.Equal(got, []im.Seq{4, 5, 6, 7}) || !state {
		t.Fatalf("%v, state %v", got, state)
	}
	if items, _ := s.Take(l, nil, 10, 1000); len(items) != 0 { // the old link
		t.Fatal("the old link takes")
	}
}

// The id stays good until the client has shown that it knows the next one.
func TestLostWelcome(t *testing.T) {
	h := newHouse(hub.Config{})
	s, l := h.add("bob", "phone")
	first := s.ID()
	s.Detach(l)
	l2, l3 := &link{}, &link{}
	s.Resume(l2, first, 0, nil)
	second := s.ID()
	if first == second || h.Find(first, "bob", "phone") != s || h.Find(second, "bob", "phone") != s {
		t.Fatal("after the first resume")
	}
	_, prev, ok := s.Resume(l3, first, 0, nil) // a second live use ends the first link
	if !ok || prev != hub.Owner(l2) {
		t.Fatalf("%v %v", prev, ok)
	}
	third := s.ID()
	if h.Find(second, "bob", "phone") != nil || h.Find(first, "bob", "phone") != s {
		t.Fatal("after the second resume")
	}
	s.Confirm(l2) // not its link any more
	if h.Find(first, "bob", "phone") != s {
		t.Fatal("confirmed by another link")
	}
	s.Confirm(l3)
	if h.Find(first, "bob", "phone") != nil || h.Find(third, "bob", "phone") != s {
		t.Fatal("after Confirm")
	}
}

func TestResumeIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		last  uint64
		miss  int // conversations with something missed
		state int // conversations whose state moved, besides
	}{
		"before what was acknowledged": {last: 1},
		"after what was given":         {last: 5},
		"too much was missed":          {last: 4, miss: 33},
		"too much has moved":           {last: 4, miss: 30, state: 3},
	} {
		h := newHouse(hub.Config{})
		s, l := h.add("bob", "phone")
		id := s.ID()
		for n := range im.Seq(4) {
			s.Offer("u/ann", message(1, n+1, 10), nil)
		}
		take(s, l)
		s.Ack(l, 2, nil)
		s.Detach(l)
		for i := range c.miss {
			s.Offer("g/x", message(im.ConvID(10+i), 1, 10), nil)
		}
		for i := range c.state {
			s.Offer("g/x", &hub.Event{Conv: im.ConvID(100 + i), State: &im.State{Mine: &im.Mine{}}}, nil)
		}
		if s := h.Find(id, "bob", "phone"); s != nil { // else it went when it had missed too much
			if _, _, ok := s.Resume(&link{}, id, c.last, nil); ok {
				t.Errorf("%s: resumed", name)
			}
		}
		if !s.Gone() || len(h.Sessions("bob")) != 0 || h.Stats().Detached != 0 || h.Stats().Bytes != 0 {
			t.Errorf("%s: it is still there: %+v", name, h.Stats())
		}
	}
}

func TestResumeWith32Conversations(t *testing.T) {
	h := newHouse(hub.Config{})
	s, l := h.add("bob", "phone")
	id := s.ID()
	s.Detach(l)
	for i := range hub.MaxResumed {
		s.Offer("g/x", message(im.ConvID(10+i), 1, 10), nil)
	}
	l2 := &link{}
	if _, _, ok := s.Resume(l2, id, 0, nil); !ok {
		t.Fatal("not resumed")
	}
	s.Open(l2)
	if items := fed(h, s, l2, 1); len(items) != hub.MaxResumed {
		t.Fatalf("%d items", len(items))
	}
}

func TestDetachedSessionsAreFewAndShort(t *testing.T) {
	h := newHouse(hub.Config{Detached: 3, DetachedFor: time.Minute})
	var all []*hub.Session
	for i := range 5 {
		s, l := h.add(im.UserID(fmt.Sprint("u", i)), "phone")
		s.Detach(l)
		all = append(all, s)
		h.now = h.now.Add(time.Second)
	}
	for i, s := range all {
		if s.Gone() != (i < 2) {
			t.Fatalf("session %d: gone %v", i, s.Gone())
		}
	}
	h.now = all[3].Began.Add(time.Minute)
	h.Tick()
	if !all[2].Gone() || !all[3].Gone() || all[4].Gone() {
		t.Fatal("after a minute")
	}
	if st := h.Stats(); st.Detached != 1 || len(h.left) != 4 {
		t.Fatalf("%+v", st)
	}
	h.now = h.now.Add(time.Hour)
	h.Tick()
	if st := h.Stats(); st.Detached != 0 || st.Bytes != 0 {
		t.Fatalf("%+v", st)
	}
}

// However many devices a user makes up, he leaves few sessions behind, and others keep
// theirs.
func TestDetachedSessionsOfOneUserAreFew(t *testing.T) {
	h := newHouse(hub.Config{Detached: 50})
	other, l := h.add("ann", "phone")
	other.Detach(l)
	live, _ := h.add("bob", "desk")
	first, fl := h.add("bob", "phone")
	id := first.ID()
	first.Detach(fl)
	var all []*hub.Session
	for i := range 200 {
		h.now = h.now.Add(time.Second)
		s, l := h.add("bob", im.DeviceID(fmt.Sprint("d", i)))
		s.Detach(l)
		all = append(all, s)
		if i == 10 { // what came back and went again is not old
			l := &link{}
			if _, _, ok := first.Resume(l, id, 0, nil); !ok {
				t.Fatal("not resumed")
			}
			first.Detach(l)
		}
		if i == 20 && first.Gone() || len(h.Sessions("bob")) > 22 {
			t.Fatalf("after %d: gone %v, %d sessions", i, first.Gone(), len(h.Sessions("bob")))
		}
	}
	for i, s := range all {
		if s.Gone() != (i < 180) {
			t.Fatalf("session %d: gone %v", i, s.Gone())
		}
	}
	if live.Gone() || other.Gone() {
		t.Fatalf("gone: the live one %v, another's %v", live.Gone(), other.Gone())
	}
	if st := h.Stats(); st.Detached != 21 || len(h.left) != 181 || len(h.Sessions("bob")) != 21 {
		t.Fatalf("%+v, %d left, %d sessions", st, len(h.left), len(h.Sessions("bob")))
	}
}

// Detached sessions are the first to go when memory is short.
func TestDetachedSessionsCountInTheBudget(t *testing.T) {
	h := newHouse(hub.Config{Bytes: 64 << 10})
	for i := range 200 {
		s, l := h.add(im.UserID(fmt.Sprint("u", i)), "phone")
		s.Detach(l)
	}
	before := h.Stats().Detached
	s, l := h.add("bob", "phone")
	s.Offer("u/ann", message(1, 1, 60<<10), nil)
	if st := h.Stats(); st.Detached >= before || st.Bytes > 64<<10 || len(take(s, l)) != 1 {
		t.Fatalf("%+v", st)
	}
}

func TestIDs(t *testing.T) {
	id := hub.NewID()
	if got, ok := hub.ParseID(id.String()); !ok || got != id {
		t.Fatalf("%s", id)
	}
	for _, s := range []string{"", "a", id.String()[1:], id.String() + "a", "0" + id.String()[1:], hub.ID{}.String()} {
		if _, ok := hub.ParseID(s); ok {
			t.Errorf("%q is an id", s)
		}
	}
}
