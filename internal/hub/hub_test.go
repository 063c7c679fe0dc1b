package hub_test

import (
	"bytes"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/anser-im/anser/internal/hub"
	"github.com/anser-im/anser/internal/im"
)

// link is an Owner that counts how often it was woken.
type link struct {
	mu    sync.Mutex
	wakes int
}

func (l *link) Wake() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wakes++
}

func (l *link) woken() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := l.wakes
	l.wakes = 0
	return n
}

// house is a hub with a feeder that is called by hand.
type house struct {
	*hub.Hub
	now  time.Time
	mu   sync.Mutex
	fed  []*hub.Session // for whom a feeder was called
	left []*hub.Session
}

func newHouse(cfg hub.Config) *house {
	h := &house{now: time.Unix(1_700_000_000, 0)}
	cfg.Clock = func() time.Time { return h.now }
	cfg.Feed = func(s *hub.Session) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.fed = append(h.fed, s)
	}
	cfg.Left = func(s *hub.Session) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.left = append(h.left, s)
	}
	h.Hub = hub.New(cfg)
	return h
}

func (h *house) feeds() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := len(h.fed)
	h.fed = nil
	return n
}

func (h *house) add(u im.UserID, d im.DeviceID) (*hub.Session, *link) {
	l := &link{}
	s := h.NewSession(u, d, im.Phone)
	h.Add(s, l)
	s.Open(l)
	return s, l
}

func message(conv im.ConvID, seq im.Seq, size int) *hub.Event {
	return &hub.Event{Conv: conv, Seq: seq, Msg: &im.Message{Seq: seq, Sender: "ann", Type: "an:text", Flags: im.DefaultFlags, Body: bytes.Repeat([]byte("x"), size)}}
}

func typing(conv im.ConvID) *hub.Event {
	return &hub.Event{Conv: conv, Signal: &im.Signal{Kind: "typing", Sender: "ann"}}
}

func status(conv im.ConvID) *hub.Event {
	return &hub.Event{Conv: conv, Msg: &im.Message{Sender: "ann", Type: "an:text", Flags: im.Status}}
}

// give feeds w up to head, all of it.
func give(s *hub.Session, w hub.Work, head im.Seq) {
	f := hub.Food{Addr: "u/ann"}
	for n := w.Seq; n > 0 && n <= head && len(f.Events) < hub.FeedEvents; n++ {
		f.Events = append(f.Events, message(w.Conv, n, 10))
		f.Seq = n
	}
	if w.State {
		f.State = &hub.Event{Conv: w.Conv, State: &im.State{Head: &im.Head{Seq: head}}}
	}
	s.Fed(w, f)
}

func seqs(items []hub.Item) []im.Seq {
	var out []im.Seq
	for _, it := range items {
		out = append(out, it.Seq)
	}
	return out
}

func take(s *hub.Session, l *link) []hub.Item {
	items, _ := s.Take(l, nil, 10_000, 10<<20)
	return items
}

func TestWakeIsCalledOnceUntilAllIsTaken(t *testing.T) {
	h := newHouse(hub.Config{})
	s, l := h.add("bob", "phone")
	for n := range im.Seq(3) {
		s.Offer("u/ann", message(1, n+1, 10), nil)
	}
	if n := l.woken(); n != 1 {
		t.Fatalf("woken %d times by three events", n)
	}
	items, first := s.Take(l, nil, 2, 1<<20)
	if first != 1 || !slices.Equal(seqs(items), []im.Seq{1, 2}) {
		t.Fatalf("%d %v", first, seqs(items))
	}
	s.Offer("u/ann", message(1, 4, 10), nil)
	if n := l.woken(); n != 0 {
		t.Fatalf("woken while something is left")
	}
	items, first = s.Take(l, items[:0], 10, 100) // at least one, however small the limit
	if first != 3 || !slices.Equal(seqs(items), []im.Seq{3}) {
		t.Fatalf("%d %v", first, seqs(items))
	}
	items, first = s.Take(l, nil, 10, 1<<20)
	if first != 4 || !slices.Equal(seqs(items), []im.Seq{4}) {
		t.Fatalf("%d %v", first, seqs(items))
	}
	s.Offer("u/ann", message(1, 5, 10), nil)
	if n := l.woken(); n != 1 {
		t.Fatalf("woken %d times after all was taken", n)
	}
}

func TestNewSessionIsNotWokenBeforeOpen(t *testing.T) {
	h := newHouse(hub.Config{})
	l := &link{}
	s := h.NewSession("bob", "phone", im.Phone)
	h.Add(s, l)
	s.Offer("u/ann", message(1, 1, 10), nil)
	if n := l.woken(); n != 0 {
		t.Fatal("woken before Open")
	}
	s.Open(l)
	if n := l.woken(); n != 1 {
		t.Fatalf("woken %d times by Open", n)
	}
}

// A client that reads and does not acknowledge is given a window, and an outbox waits.
func TestWindow(t *testing.T) {
	for _, size := range []int{10, 10 << 10} {
		h := newHouse(hub.Config{})
		s, l := h.add("bob", "phone")
		for n := range im.Seq(400) {
			s.Offer("u/ann", message(1, n+1, size), nil)
		}
		l.woken()
		items := take(s, l)
		weight := 0
		for _, it := range items {
			weight += it.Size()
		}
		if size == 10 && len(items) != hub.MaxWindow || size > 10 && (weight > hub.MaxWindowBytes || weight < hub.MaxWindowBytes-2*size) {
			t.Fatalf("%d events, %d bytes are in the window", len(items), weight)
		}
		if more := take(s, l); len(more) != 0 || l.woken() != 0 {
			t.Fatalf("%d more than the window", len(more))
		}
		got := s.Ack(l, 10, nil)
		if len(got) == 0 || got[len(got)-1] != (hub.Settled{Conv: 1, Seq: 10, Direct: true}) {
			t.Fatalf("settled %+v", got)
		}
		if l.woken() != 1 {
			t.Fatal("not woken when the window has room again")
		}
		more, first := s.Take(l, nil, 1000, 1<<20)
		if first != uint64(len(items))+1 || len(more) != 10 || more[0].Seq != im.Seq(len(items))+1 {
			t.Fatalf("push %d, %d events from %d", first, len(more), more[0].Seq)
		}
	}
}

func TestAnAcknowledgementOfMoreThanWasGiven(t *testing.T) {
	h := newHouse(hub.Config{})
	s, l := h.add("bob", "phone")
	s.Offer("u/ann", message(1, 1, 10), nil)
	take(s, l)
	s.Ack(l, 1<<60, nil)
	s.Offer("u/ann", message(1, 2, 10), nil)
	if _, first := s.Take(l, nil, 1, 1000); first != 2 {
		t.Fatalf("push %d", first)
	}
}

// A reader that takes nothing holds so much and no more.
func TestOutboxIsBounded(t *testing.T) {
	for _, size := range []int{10, 100 << 10} {
		h := newHouse(hub.Config{})
		s, l := h.add("bob", "phone")
		last := im.Seq(3000)
		for n := range last {
			s.Offer("u/ann", message(1, n+1, size), nil)
			if st := h.Stats(); st.Queued > hub.MaxQueued || st.Bytes > hub.MaxQueuedBytes {
				t.Fatalf("%d events, %d bytes are queued", st.Queued, st.Bytes)
			}
		}
		if n, all := s.Behind(); n != 1 || all {
			t.Fatalf("behind in %d, all %v", n, all)
		}
		if h.feeds() != 0 {
			t.Fatal("a feeder is called for a session without room")
		}
		var got []im.Seq
		for int(last) > len(got) {
			items, first := s.Take(l, nil, 100, 1<<20)
			got = append(got, seqs(items)...)
			s.Ack(l, first+uint64(len(items))-1, nil)
			if h.feeds() > 0 {
				for w, ok := s.Next(); ok; w, ok = s.Next() {
					give(s, w, last)
				}
			} else if len(items) == 0 {
				t.Fatalf("nothing after %d", len(got))
			}
		}
		for i, n := range got {
			if n != im.Seq(i)+1 {
				t.Fatalf("number %d at place %d", n, i)
			}
		}
		if n, _ := s.Behind(); n != 0 || h.Stats().Bytes != 0 {
			t.Fatalf("behind in %d, %d bytes left", n, h.Stats().Bytes)
		}
	}
}

// fill makes the session's queue full.
func fill(s *hub.Session, conv im.ConvID) {
	for n := range im.Seq(hub.MaxQueued) {
		s.Offer("u/ann", message(conv, n+1, 10), nil)
	}
}

func TestWhatIsOnlyOfUseNowIsDroppedWhileBehind(t *testing.T) {
	h := newHouse(hub.Config{})
	s, l := h.add("bob", "phone")
	fill(s, 1)
	s.Offer("u/ann", message(1, hub.MaxQueued+1, 10), nil)
	dropped := h.Stats().Dropped
	s.Offer("u/ann", status(1), nil)
	s.Offer("u/ann", typing(1), nil)
	s.Offer("u/eve", status(2), nil) // no room
	s.Offer("g/x", &hub.Event{Conv: 3, State: &im.State{Readers: []im.Reader{{User: "ann", Read: 1}}}}, nil)
	if n := h.Stats().Dropped - dropped; n != 4 {
		t.Fatalf("%d dropped", n)
	}
	if n, _ := s.Behind(); n != 1 {
		t.Fatalf("behind in %d conversations", n)
	}
	take(s, l)
	s.Ack(l, 256, nil)
	take(s, l)
	s.Offer("u/ann", status(1), nil) // there is room, but what came before it is missing
	if n := h.Stats().Dropped - dropped; n != 5 {
		t.Fatalf("%d dropped", n)
	}
}

func TestSignalsAreDroppedAt64KiB(t *testing.T) {
	h := newHouse(hub.Config{})
	s, l := h.add("bob", "phone")
	s.Offer("u/ann", message(1, 1, 60<<10), nil)
	s.Offer("u/ann", typing(1), nil)
	s.Offer("u/ann", message(1, 2, 10<<10), nil)
	s.Offer("u/ann", typing(1), nil)
	s.Offer("u/ann", status(1), nil)
	items := take(s, l)
	if len(items) != 4 || items[1].Signal == nil || items[3].Msg.Flags != im.Status {
		t.Fatalf("%d items", len(items))
	}
	s.HoldSignals(l, true)
	s.Offer("u/ann", typing(1), nil)
	s.HoldSignals(l, false)
	s.Offer("u/ann", typing(1), nil)
	if items := take(s, l); len(items) != 1 {
		t.Fatalf("%d signals", len(items))
	}
}

// Past 256 conversations a session is told to sync, once.
func TestTooManyConversations(t *testing.T) {
	h := newHouse(hub.Config{})
	s, l := h.add("bob", "phone")
	fill(s, 1)
	for conv := range im.ConvID(hub.MaxBehind) {
		s.Offer("g/x", message(10+conv, 7, 10), nil)
	}
	if n, all := s.Behind(); n != hub.MaxBehind || all {
		t.Fatalf("behind in %d, all %v", n, all)
	}
	s.Offer("g/x", message(9999, 1, 10), nil)
	if _, all := s.Behind(); !all {
		t.Fatal("not behind in all")
	}
	syncs, numbers := 0, 0
	for range 20 {
		items, first := s.Take(l, nil, 100, 1<<20)
		s.Ack(l, first+uint64(len(items))-1, nil)
		for _, it := range items {
			if it.Sync {
				syncs++
				s.Offer("g/x", message(10, 8, 10), nil)
			} else {
				numbers++
			}
		}
	}
	if syncs != 1 || numbers != hub.MaxQueued+1 {
		t.Fatalf("%d times asked to sync, %d numbers", syncs, numbers)
	}
	if n, all := s.Behind(); n != 0 || all || h.feeds() != 0 {
		t.Fatalf("behind in %d, all %v", n, all)
	}
}

// A feeder may give a number before it is offered: the offer is then dropped.
func TestFedBeforeOffered(t *testing.T) {
	h := newHouse(hub.Config{})
	s, l := h.add("bob", "phone")
	fill(s, 1)
	s.Offer("u/eve", message(2, 5, 10), nil)
	for range 8 {
		items, first := s.Take(l, nil, 1000, 1<<20)
		s.Ack(l, first+uint64(len(items))-1, nil)
	}
	if h.feeds() != 1 {
		t.Fatal("no feeder is called")
	}
	w, ok := s.Next()
	if !ok || w.Conv != 2 || w.Seq != 5 || w.Ver != 0 || w.State {
		t.Fatalf("%+v", w)
	}
	give(s, w, 7) // the head was there already
	if _, ok := s.Next(); ok {
		t.Fatal("still behind")
	}
	for n := im.Seq(6); n <= 8; n++ {
		s.Offer("u/eve", message(2, n, 10), nil)
	}
	if got := seqs(take(s, l)); !slices.Equal(got, []im.Seq{5, 6, 7, 8}) {
		t.Fatalf("%v", got)
	}
	if n := h.Stats().Repeats; n != 2 {
		t.Fatalf("%d offers dropped", n)
	}
}

// What is offered while a feeder reads is not lost.
func TestOfferedWhileFed(t *testing.T) {
	h := newHouse(hub.Config{})
	s, l := h.add("bob", "phone")
	fill(s, 1)
	s.Offer("u/eve", message(2, 5, 10), nil)
	for range 8 {
		items, first := s.Take(l, nil, 1000, 1<<20)
		s.Ack(l, first+uint64(len(items))-1, nil)
	}
	w, _ := s.Next()
	s.Offer("u/eve", message(2, 6, 10), nil) // after the head was read
	s.Offer("u/eve", &hub.Event{Conv: 2, Ver: 3, Change: &im.Change{Ver: 3, Seq: 1, Msg: &im.Message{Seq: 1, Ver: 3}}}, nil)
	give(s, w, 5)
	w, ok := s.Next()
	if !ok || w.Seq != 6 || w.Ver != 3 {
		t.Fatalf("%+v %v", w, ok)
	}
	s.Fed(w, hub.Food{Addr: "u/eve", Events: []*hub.Event{message(2, 6, 10), {Conv: 2, Ver: 3}}, Seq: 6, Ver: 3})
	if w, ok := s.Next(); ok {
		t.Fatalf("still behind: %+v", w)
	}
	if got := seqs(take(s, l)); !slices.Equal(got, []im.Seq{5, 6, 0}) {
		t.Fatalf("%v", got)
	}
}

// The answer to a link's own send stands for the event, also when the link is behind.
func TestOwnSends(t *testing.T) {
	h := newHouse(hub.Config{})
	s, l := h.add("bob", "phone")
	s.Offer("u/ann", message(1, 1, 10), l)
	if len(take(s, l)) != 0 {
		t.Fatal("the link was given its own send")
	}
	fill(s, 1)
	s.Offer("u/eve", message(2, 5, 10), nil)
	s.Offer("u/eve", message(2, 6, 10), l)
	s.Offer("u/eve", message(2, 7, 10), nil)
	for range 8 {
		items, first := s.Take(l, nil, 1000, 1<<20)
		s.Ack(l, first+uint64(len(items))-1, nil)
	}
	w, _ := s.Next()
	give(s, w, 7)
	if got := seqs(take(s, l)); !slices.Equal(got, []im.Seq{5, 7}) {
		t.Fatalf("%v", got)
	}
}

func TestGiven(t *testing.T) {
	h := newHouse(hub.Config{})
	s, l := h.add("bob", "line")
	for n := range im.Seq(4) {
		s.Offer("u/ann", message(1, n+1, 10), nil)
		s.Offer("u/eve", message(2, n+1, 10), nil)
	}
	s.Given(l, 1, 2) // of what is queued
	s.Given(l, 2, 6) // and of what is about to be offered
	for n := im.Seq(5); n <= 7; n++ {
		s.Offer("u/eve", message(2, n, 10), nil)
	}
	items := take(s, l)
	if len(items) != 3 || items[0].Seq != 3 || items[1].Seq != 4 || items[2].Conv != 2 || items[2].Seq != 7 {
		t.Fatalf("%v", seqs(items))
	}
}

// All outboxes together have a bound. The fullest is emptied, the others go on.
func TestBudget(t *testing.T) {
	const limit = 4 << 20
	h := newHouse(hub.Config{Bytes: limit})
	slow, _ := h.add("slow", "phone")
	for n := range im.Seq(9) {
		slow.Offer("g/x", message(1, n+1, 100<<10), nil)
	}
	var others []*hub.Session
	var links []*link
	for i := range 60 {
		s, l := h.add(im.UserID(fmt.Sprint("u", i)), "phone")
		others, links = append(others, s), append(links, l)
	}
	for n := range im.Seq(60) {
		for _, s := range others {
			s.Offer("g/x", message(1, n+1, 1<<10), nil)
			if b := h.Stats().Bytes; b > limit {
				t.Fatalf("%d bytes are queued", b)
			}
		}
	}
	if h.Stats().Shed == 0 || slow.Weight() != 0 {
		t.Fatalf("the fullest still holds %d bytes", slow.Weight())
	}
	behind := 0
	for _, s := range others {
		if n, _ := s.Behind(); n > 0 {
			behind++
		}
	}
	if behind > len(others)/2 {
		t.Fatalf("%d of %d others are behind", behind, len(others))
	}
	for i, s := range others { // and when there is room, those that were not fed are
		for items := take(s, links[i]); len(items) > 0; items = take(s, links[i]) {
			s.Ack(links[i], 1<<60, nil)
		}
	}
	h.feeds()
	h.Tick()
	if n, _ := slow.Behind(); n != 1 {
		t.Fatalf("the emptied one is behind in %d", n)
	}
	w, ok := slow.Next()
	if !ok || w.Seq != 1 {
		t.Fatalf("%+v %v: it should begin anew", w, ok)
	}
}

func TestIdleSessionsHoldNothing(t *testing.T) {
	h := newHouse(hub.Config{})
	s, l := h.add("bob", "phone")
	fill(s, 1)
	for {
		items, first := s.Take(l, nil, 100, 1<<20)
		if len(items) == 0 {
			break
		}
		s.Ack(l, first+uint64(len(items))-1, nil)
	}
	if st := h.Stats(); st.Bytes != 0 || st.Queued != 0 {
		t.Fatalf("%+v", st)
	}
	s.Close(&link{}) // not its owner
	if s.Gone() {
		t.Fatal("a link closed another's session")
	}
	s.Close(l)
	if !s.Gone() || h.Live() != 0 || len(h.Sessions("bob")) != 0 || len(h.left) != 1 {
		t.Fatal("it is still there")
	}
	s.Offer("u/ann", message(1, 1, 10), nil)
	if h.Stats().Bytes != 0 {
		t.Fatal("an ended session was given something")
	}
}

// Whoever was starved is fed as soon as a piece has room again: outboxes may stay that
// full for long.
func TestStarvedSessionsAreFedNearTheBound(t *testing.T) {
	const limit, size = 4 << 20, 40 << 10
	h := newHouse(hub.Config{Bytes: limit})
	var others []*hub.Session
	for i := 0; h.Stats().Bytes+2*size <= limit; i++ { // each too small to be emptied for others
		s, _ := h.add(im.UserID(fmt.Sprint("u", i)), "phone")
		s.Offer("g/x", message(1, 1, size), nil)
		others = append(others, s)
	}
	s, _ := h.add("bob", "phone")
	s.Offer("u/ann", message(2, 1, 2*size), nil)
	if n, _ := s.Behind(); n != 1 || h.feeds() != 0 {
		t.Fatalf("behind in %d, or fed without room", n)
	}
	for i := 0; h.Stats().Bytes+hub.FeedBytes > limit; i++ {
		others[i].Drop()
	}
	if h.Stats().Bytes < limit-limit/8 {
		t.Fatalf("%d bytes: too few for this test", h.Stats().Bytes)
	}
	h.Tick()
	if h.feeds() != 1 {
		t.Fatal("nobody is fed although there is room for a piece")
	}
	if _, ok := s.Next(); !ok {
		t.Fatal("the one who was behind is not fed")
	}
}

// What could not be fed because all outboxes were full is, when there is room.
func TestStarvedSessionsAreLookedAfter(t *testing.T) {
	const limit = 1 << 20
	h := newHouse(hub.Config{Bytes: limit})
	var others []*hub.Session
	var links []*link
	for i := range 40 { // each too small to be emptied for others
		s, l := h.add(im.UserID(fmt.Sprint("u", i)), "phone")
		others, links = append(others, s), append(links, l)
		s.Offer("g/x", message(1, 1, 26<<10), nil)
	}
	s, _ := h.add("bob", "phone")
	s.Offer("u/ann", message(2, 1, 10), nil)
	for n := 0; n == 0; n, _ = s.Behind() { // until there is no room
		others[0].Offer("g/x", message(1, 2, 100), nil)
		s.Offer("u/ann", message(2, 2, 10), nil)
		if n, _ := others[0].Behind(); n > 0 {
			s.Offer("u/ann", message(2, 3, 200), nil)
		}
	}
	h.feeds()
	h.Tick()
	if h.feeds() != 0 {
		t.Fatal("a feeder is called without room")
	}
	for i, o := range others {
		take(o, links[i])
	}
	h.feeds()
	h.Tick()
	if h.feeds() == 0 {
		t.Fatal("nobody is fed although there is room")
	}
	if _, ok := s.Next(); !ok {
		t.Fatal("the one who was behind is not fed")
	}
}

func TestLack(t *testing.T) {
	h := newHouse(hub.Config{})
	s, l := h.add("bob", "phone")
	s.Lack(1, 5, 7, 0, 0, false)
	s.Lack(1, 0, 0, 2, 3, true)
	s.Lack(2, 9, 8, 0, 0, false) // he came after the last of them
	if h.feeds() != 1 {
		t.Fatal("no feeder is called")
	}
	w, ok := s.Next()
	if !ok || w.Conv != 1 || w.Seq != 5 || w.Ver != 2 || !w.State {
		t.Fatalf("%+v %v", w, ok)
	}
	f := hub.Food{Addr: "g/x", Seq: 9, Ver: 3, State: &hub.Event{Conv: 1, State: &im.State{Mine: &im.Mine{}}}}
	for n := im.Seq(5); n <= 9; n++ {
		f.Events = append(f.Events, message(1, n, 10))
	}
	f.Events = append(f.Events, &hub.Event{Conv: 1, Ver: 2}, &hub.Event{Conv: 1, Ver: 3})
	s.Fed(w, f)
	s.Lack(1, 8, 10, 0, 0, false) // 8 and 9 were given
	if w, ok = s.Next(); !ok || w.Seq != 10 || w.Ver != 0 || w.State {
		t.Fatalf("%+v %v", w, ok)
	}
	s.Fed(w, hub.Food{Addr: "g/x", Events: []*hub.Event{message(1, 10, 10)}, Seq: 10})
	s.Offer("g/x", message(1, 11, 10), nil)
	items := take(s, l)
	if got := seqs(items); !slices.Equal(got, []im.Seq{5, 6, 7, 8, 9, 0, 0, 0, 10, 11}) || items[7].State == nil {
		t.Fatalf("%v", got)
	}
	s.Lack(3, 4, 4, 0, 0, false)
	w, _ = s.Next()
	s.Fed(w, hub.Food{Addr: "g/y", Seq: 3}) // there is nothing
	if _, ok := s.Next(); ok {
		t.Fatal("asked again for what is not there")
	}
	s.Offer("g/y", message(3, 4, 10), nil)
	if got := seqs(take(s, l)); !slices.Equal(got, []im.Seq{4}) {
		t.Fatalf("%v", got)
	}
	s.Drop()
	s.Lack(1, 12, 12, 0, 0, false)
}

func TestOver(t *testing.T) {
	h := newHouse(hub.Config{})
	s, l := h.add("bob", "phone")
	s.Lack(1, 5, 7, 1, 1, true)
	w, _ := s.Next()
	s.Fed(w, hub.Food{Addr: "g/x", Over: true, State: &hub.Event{Conv: 1, State: &im.State{Mine: &im.Mine{Left: true}}}})
	if items := take(s, l); len(items) != 1 || !items[0].State.Mine.Left {
		t.Fatalf("%v", seqs(items))
	}
	if n, _ := s.Behind(); n != 0 {
		t.Fatal("still behind")
	}
}

// What moves while a feeder reads is told after what it found: a state that is older by
// then does not stand for the newer one, and who has come back is in.
func TestMovedWhileFed(t *testing.T) {
	h := newHouse(hub.Config{})
	s, l := h.add("bob", "phone")
	state := func(read im.Seq) *hub.Event {
		return &hub.Event{Conv: 1, State: &im.State{Mine: &im.Mine{Read: read}}}
	}
	s.Lack(1, 0, 0, 0, 0, true)
	w, _ := s.Next()
	s.Offer("g/x", state(2), nil) // left to the feeder, who has read already
	s.Fed(w, hub.Food{Addr: "g/x", State: state(1)})
	w, ok := s.Next()
	if !ok || !w.State {
		t.Fatalf("%+v %v: the newer state is forgotten", w, ok)
	}
	s.Fed(w, hub.Food{Addr: "g/x", State: state(2)})
	if items := take(s, l); len(items) != 2 || items[1].State.Mine.Read != 2 {
		t.Fatalf("%d items", len(items))
	}

	s.Lack(1, 5, 7, 0, 0, true)
	w, _ = s.Next()
	s.Offer("g/x", message(1, 8, 10), nil) // he is in again
	s.Fed(w, hub.Food{Addr: "g/x", Over: true, State: &hub.Event{Conv: 1, State: &im.State{Mine: &im.Mine{Left: true}}}})
	if w, ok = s.Next(); !ok || w.Seq != 5 || !w.State {
		t.Fatalf("%+v %v: what came after he was back is forgotten", w, ok)
	}
}

func TestRegistry(t *testing.T) {
	h := newHouse(hub.Config{})
	phone, lp := h.add("bob", "phone")
	laptop, ll := h.add("bob", "laptop")
	eve, le := h.add("eve", "phone")
	ev := message(1, 1, 10)
	if !h.Hub.Offer("bob", "u/ann", ev, lp) || h.Hub.Offer("joe", "u/ann", ev, nil) {
		t.Fatal("who is online")
	}
	if len(take(phone, lp)) != 0 || len(take(laptop, ll)) != 1 || len(take(eve, le)) != 0 {
		t.Fatal("who was offered the event")
	}
	laptop.Detach(ll)
	if !h.Online("bob") || h.Hub.Offer("bob", "u/ann", message(1, 2, 10), nil) != true {
		t.Fatal("bob is online with his phone")
	}
	phone.Detach(lp)
	if h.Online("bob") || h.Hub.Offer("bob", "u/ann", message(1, 3, 10), nil) {
		t.Fatal("bob is offline")
	}
	n, users := 0, map[im.UserID]bool{}
	h.Each(func(*hub.Session) bool { n++; return true })
	h.Users(func(u im.UserID) bool { users[u] = true; return true })
	if n != 3 || len(users) != 2 {
		t.Fatalf("%d sessions, %v", n, users)
	}
	n = 0
	h.Each(func(*hub.Session) bool { n++; return false })
	h.Users(func(im.UserID) bool { n++; return false })
	if n != 2 {
		t.Fatal("not stopped")
	}
	if o, ok := eve.Drop(); !ok || o != hub.Owner(le) {
		t.Fatal("Drop")
	}
	if _, ok := eve.Drop(); ok {
		t.Fatal("dropped twice")
	}
}

func TestEncodedIsMadeOnce(t *testing.T) {
	ev := message(1, 1, 10)
	made := 0
	encode := func(*hub.Event) []byte { made++; return []byte{byte(made)} }
	for range 3 {
		if b := ev.Encoded(hub.NativeBinary, encode); b[0] != 1 {
			t.Fatal(b)
		}
	}
	if b := ev.Encoded(hub.NativeJSON, encode); b[0] != 2 || made != 2 {
		t.Fatal(b, made)
	}
}
