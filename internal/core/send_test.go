package core

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store/memstore"
)

// text is a message as a client makes it.
func text(id im.ClientID, body string) *im.Message {
	return &im.Message{ID: id, Type: "an:text", Body: []byte(body)}
}

// send sends and waits; the outcome is in what it returns.
func (c *client) send(to im.Address, id im.ClientID, body string, change ...func(*Send)) *Send {
	c.w.Helper()
	snd := &Send{To: to, Msg: text(id, body)}
	for _, f := range change {
		f(snd)
	}
	_ = c.SendWait(c.w.Context(), snd) // is in snd.Err
	return snd
}

// sent wants the send to be durable.
func (c *client) sent(to im.Address, body string, change ...func(*Send)) *Send {
	c.w.Helper()
	snd := c.send(to, c.w.id(), body, change...)
	if snd.Err != nil {
		c.w.Fatalf("%s to %s: %v", c.user, to, snd.Err)
	}
	return snd
}

func flags(f im.Flags) func(*Send) {
	return func(s *Send) { s.HasFlags, s.Msg.Flags = true, f }
}

func isMessage(it Item) bool { return it.Msg != nil }

// gets wants the next number the client is told to be this message.
func (c *client) gets(from im.Address, seq im.Seq, body string) Item {
	c.w.Helper()
	it := c.until(func(it Item) bool { return it.Seq != 0 || it.Msg != nil })
	if it.Addr != from || it.Seq != seq || it.Msg == nil || string(it.Msg.Body) != body {
		c.w.Fatalf("%s/%s is told %s #%d %+v; want %s #%d %q", c.user, c.device, it.Addr, it.Seq, it.Msg, from, seq, body)
	}
	return it
}

func TestSendDirect(t *testing.T) {
	clk := newClock()
	w := newWorld(t, Config{Clock: clk.Now})
	phone, laptop, bob := w.login("ann", "phone"), w.login("ann", "laptop"), w.login("bob", "phone")
	snd := phone.sent("u/bob", "hello")
	if snd.Seq != 1 || snd.N != 1 || snd.Time != clk.Now().UnixMilli() || snd.Dup {
		t.Fatalf("%+v", snd)
	}
	it := bob.gets("u/ann", 1, "hello")
	if m := it.Msg; m.Sender != "ann" || m.Device != "phone" || m.Flags != im.DefaultFlags || m.N != 1 || m.Time != snd.Time || m.ID != snd.Msg.ID {
		t.Fatalf("%+v", m)
	}
	if laptop.gets("u/bob", 1, "hello").Event != it.Event {
		t.Fatal("the event is not shared")
	}
	bob.sent("u/ann", "hi")
	phone.gets("u/bob", 2, "hi")
	laptop.gets("u/bob", 2, "hi")
	phone.quiet(isMessage) // the answer stood for the event
	if m := w.mine("ann", "u/bob"); m.Read != 1 || m.Unread != 1 {
		t.Fatalf("%+v", m)
	}
}

func TestNotesToOneself(t *testing.T) {
	w := newWorld(t, Config{})
	phone, laptop := w.login("ann", "phone"), w.login("ann", "laptop")
	phone.sent("u/ann", "milk")
	laptop.gets("u/ann", 1, "milk")
	laptop.sent("u/ann", "bread")
	phone.gets("u/ann", 2, "bread")
}

func TestRetryIsAnsweredWithTheFirstNumber(t *testing.T) {
	w := newWorld(t, Config{})
	ann, bob := w.login("ann", "phone"), w.login("bob", "phone")
	first := ann.send("u/bob", "x1", "hello")
	again := w.login("ann", "laptop").send("u/bob", "x1", "hello")
	if again.Err != nil || !again.Dup || again.Seq != first.Seq || again.Time != first.Time || again.N != first.N {
		t.Fatalf("%+v; first %+v", again, first)
	}
	for name, change := range map[string]func(*Send){
		"another body":  func(s *Send) { s.Msg.Body = []byte("other") },
		"another type":  func(s *Send) { s.Msg.Type = "an:other" },
		"other flags":   flags(im.Persist),
		"flags given":   flags(im.DefaultFlags), // given is not absent
		"body for type": func(s *Send) { s.Msg.Type, s.Msg.Body = "an:tex", []byte("thello") },
	} {
		if snd := ann.send("u/bob", "x1", "hello", change); snd.Err == nil || snd.Err.Kind != im.Conflict {
			t.Errorf("%s: %v", name, snd.Err)
		}
	}
	bob.gets("u/ann", 1, "hello")
	bob.quiet(isMessage)
}

func TestStatusMessages(t *testing.T) {
	w := newWorld(t, Config{})
	g := w.group("ann", "bob", "eve")
	phone, laptop, bob := w.login("ann", "phone"), w.login("ann", "laptop"), w.login("bob", "phone")
	snd := phone.sent("u/bob", "now", flags(im.Status))
	if snd.Seq != 0 || snd.Time == 0 || snd.N != 0 {
		t.Fatalf("%+v", snd)
	}
	bob.gets("u/ann", 0, "now")
	laptop.gets("u/bob", 0, "now")
	phone.sent(g, "all", flags(im.Status))
	bob.gets(g, 0, "all")
	laptop.gets(g, 0, "all")
	phone.sent(g, "eve", flags(im.Status), func(s *Send) { s.Msg.To = []im.UserID{"eve"} })
	bob.quiet(isMessage)
	phone.quiet(isMessage)
	if _, ok, _ := w.st.Direct("ann", "bob", ""); ok {
		t.Fatal("a STATUS message made a conversation")
	}
}

func TestDefaultFlagsOfTypes(t *testing.T) {
	w := newWorld(t, Config{Types: &someTypes{}})
	ann, bob := w.login("ann", "phone"), w.login("bob", "phone")
	cmd := func(s *Send) { s.Msg.Type = "app:cmd" }
	for i, want := range []im.Flags{0, im.Persist, im.DefaultFlags, im.DefaultFlags} {
		ann.sent("u/bob", "x", [][]func(*Send){{cmd}, {cmd, flags(im.Persist)}, {}, {flags(im.Count)}}[i]...)
		if it := bob.gets("u/ann", im.Seq(i+1), "x"); it.Msg.Flags != want {
			t.Errorf("message %d: flags %d; want %d", i, it.Msg.Flags, want)
		}
	}
}

func TestInvalidSends(t *testing.T) {
	clk := newClock()
	w := newWorld(t, Config{Clock: clk.Now, Limits: im.Limits{MaxBody: 1000, MaxMentions: 2}})
	ann, bob := w.login("ann", "phone"), w.login("bob", "phone")
	g := w.group("ann", "bob")
	many := func(n int) []im.UserID {
		var us []im.UserID
		for i := range n {
			us = append(us, im.UserID(fmt.Sprint("u", i)))
		}
		return us
	}
	for name, c := range map[string]struct {
		kind   im.Kind // 0 = allowed
		to     im.Address
		change func(*Send)
	}{
		"no id":                {im.Invalid, "u/bob", func(s *Send) { s.Msg.ID = "" }},
		"id with a space":      {im.Invalid, "u/bob", func(s *Send) { s.Msg.ID = "a b" }},
		"id of 65 bytes":       {im.TooLarge, "u/bob", func(s *Send) { s.Msg.ID = im.ClientID(strings.Repeat("a", 65)) }},
		"id of 64 bytes":       {0, "u/bob", func(s *Send) { s.Msg.ID = im.ClientID(strings.Repeat("a", 64)) }},
		"skip with a space":    {im.Invalid, "u/bob", func(s *Send) { s.Skip = "a b" }},
		"no message":           {im.Invalid, "u/bob", func(s *Send) { s.Msg = nil }},
		"no type":              {im.Invalid, "u/bob", func(s *Send) { s.Msg.Type = "" }},
		"type of 65 bytes":     {im.TooLarge, "u/bob", func(s *Send) { s.Msg.Type = strings.Repeat("a", 65) }},
		"type of 64 bytes":     {0, "u/bob", func(s *Send) { s.Msg.Type = strings.Repeat("a", 64) }},
		"type in Chinese":      {im.Invalid, "u/bob", func(s *Send) { s.Msg.Type = "应用:x" }},
		"type of core's own":   {im.Invalid, "u/bob", func(s *Send) { s.Msg.Type = GroupType }},
		"unknown flags":        {im.Invalid, "u/bob", flags(4)},
		"status and persist":   {im.Invalid, "u/bob", flags(im.Status | im.Persist)},
		"body at the limit":    {0, "u/bob", func(s *Send) { s.Msg.Body = make([]byte, 1000) }},
		"body over the limit":  {im.TooLarge, "u/bob", func(s *Send) { s.Msg.Body = make([]byte, 1001) }},
		"no body":              {0, "u/bob", func(s *Send) { s.Msg.Body = nil }},
		"digest of two lines":  {im.Invalid, "u/bob", func(s *Send) { s.Msg.Digest = "a\nb" }},
		"digest not UTF-8":     {im.Invalid, "u/bob", func(s *Send) { s.Msg.Digest = "\xff" }},
		"digest too long":      {im.TooLarge, "u/bob", func(s *Send) { s.Msg.Digest = strings.Repeat("a", 1025) }},
		"push text too long":   {im.TooLarge, "u/bob", func(s *Send) { s.Msg.Push = strings.Repeat("a", 1025) }},
		"three mentions":       {im.TooLarge, "u/bob", func(s *Send) { s.Msg.Mentions = &im.Mentions{Users: many(3)} }},
		"mention of nobody":    {im.Invalid, "u/bob", func(s *Send) { s.Msg.Mentions = &im.Mentions{Users: []im.UserID{""}} }},
		"two mentions":         {0, "u/bob", func(s *Send) { s.Msg.Mentions = &im.Mentions{Users: many(2)} }},
		"for some, direct":     {im.Invalid, "u/bob", func(s *Send) { s.Msg.To = many(1) }},
		"for 101":              {im.TooLarge, g, func(s *Send) { s.Msg.To = many(101) }},
		"for some":             {0, g, func(s *Send) { s.Msg.To = []im.UserID{"bob"} }},
		"for an impossible id": {im.Invalid, g, func(s *Send) { s.Msg.To = []im.UserID{"a/b"} }},
		"expired":              {im.Invalid, "u/bob", func(s *Send) { s.Msg.Expires = clk.Now().UnixMilli() }},
		"expires before 1970":  {im.Invalid, "u/bob", func(s *Send) { s.Msg.Expires = -1 }},
		"expires":              {0, "u/bob", func(s *Send) { s.Msg.Expires = clk.Now().UnixMilli() + 1 }},
		"to me":                {im.Invalid, "me", nil},
		"to nobody":            {im.Invalid, "u/", nil},
		"to a bare name":       {im.Invalid, "bob", nil},
		"to 65 bytes":          {im.TooLarge, im.Address("u/" + strings.Repeat("a", 65)), nil},
		"to an emoji":          {0, "u/🙂", nil},
		"to a number":          {0, "u/49", nil},
		"to a room":            {im.Unsupported, "r/x", nil},
		"to a channel":         {im.Unsupported, "c/x", nil},
		"to the system":        {im.Unsupported, "s/x", nil},
		"to no group":          {im.NotFound, "g/nope", nil},
	} {
		f := c.change
		if f == nil {
			f = func(*Send) {}
		}
		snd := ann.send(c.to, w.id(), "x", f)
		switch {
		case c.kind == 0 && snd.Err != nil:
			t.Errorf("%s: %v", name, snd.Err)
		case c.kind != 0 && (snd.Err == nil || snd.Err.Kind != c.kind || snd.Seq != 0):
			t.Errorf("%s: %+v; want %v", name, snd.Err, c.kind)
		}
	}
	// what a client says of the sender and the number counts for nothing
	snd := ann.sent("u/bob", "mine", func(s *Send) {
		s.Msg.Sender, s.Msg.Device, s.Msg.Seq, s.Msg.N, s.Msg.Ver, s.Msg.Recalled, s.Msg.Edited = "eve", "x", 99, 99, 99, true, 99
	})
	it := bob.until(func(it Item) bool { return it.Msg != nil && string(it.Msg.Body) == "mine" })
	if m := it.Msg; m.Sender != "ann" || m.Device != "phone" || m.Seq != snd.Seq || m.Ver != 0 || m.Recalled || m.Edited != 0 {
		t.Fatalf("%+v", m)
	}
}

func TestBlocked(t *testing.T) {
	w := newWorld(t, Config{})
	ann, bob := w.login("ann", "phone"), w.login("bob", "phone")
	kept := ann.send("u/bob", "k", "before")
	w.ok(bob.Block(t.Context(), "ann"))
	snd := ann.send("u/bob", w.id(), "after")
	w.refused(snd.Err, im.Denied, im.CodeNotAccepted)
	w.refused(ann.Signal("u/bob", im.Signal{Kind: "typing"}), im.Denied, im.CodeNotAccepted)
	w.refused(ann.send("u/bob", w.id(), "now", flags(im.Status)).Err, im.Denied, im.CodeNotAccepted)
	if again := ann.send("u/bob", "k", "before"); again.Err != nil || !again.Dup || again.Seq != kept.Seq { // a retry is never refused
		t.Fatalf("%+v", again)
	}
	bob.sent("u/ann", "I may") // the other way
	g := w.group("eve", "ann", "bob")
	ann.sent(g, "in common")
	bob.gets("u/ann", 1, "before")
	bob.until(func(it Item) bool { return it.Msg != nil && string(it.Msg.Body) == "in common" })
	w.ok(bob.Unblock(t.Context(), "ann"))
	ann.sent("u/bob", "again")
	bob.gets("u/ann", 3, "again")
	// somebody who was blocked before anything was said
	w.ok(bob.Block(t.Context(), "joe"))
	w.refused(w.login("joe", "phone").send("u/bob", w.id(), "hi").Err, im.Denied, im.CodeNotAccepted)
}

func TestBlockedSendsAreShownToTheSenderAlone(t *testing.T) {
	w := newWorld(t, Config{BlockedSends: true})
	ann, laptop, bob := w.login("ann", "phone"), w.login("ann", "laptop"), w.login("bob", "phone")
	w.ok(bob.Block(t.Context(), "ann"))
	ann.sent("u/bob", "hi")
	ann.sent("u/bob", "now", flags(im.Status))
	w.ok(ann.Signal("u/bob", im.Signal{Kind: "typing"}))
	laptop.gets("u/bob", 1, "hi")
	laptop.gets("u/bob", 0, "now")
	it := bob.until(func(it Item) bool { return it.Seq != 0 })
	if !it.Hidden || it.Seq != 1 || it.Msg != nil {
		t.Fatalf("%+v", it.Event)
	}
	bob.quiet(func(it Item) bool { return it.Msg != nil && it.Msg.Sender == "ann" || it.Signal != nil })
	if m := w.mine("bob", "u/ann"); m.Unread != 0 {
		t.Fatalf("%d unread", m.Unread)
	}
	w.ok(bob.Unblock(t.Context(), "ann"))
	ann.sent("u/bob", "and now")
	bob.gets("u/ann", 2, "and now")
}

func TestUnknownUsers(t *testing.T) {
	w := newWorld(t, Config{UsersKnown: true})
	ann := w.login("ann", "phone")
	w.refused(ann.send("u/bob", w.id(), "hi").Err, im.NotFound)
	w.login("bob", "phone").Close()
	ann.sent("u/bob", "hi")
}

func TestWhoLeftDoesNotSend(t *testing.T) {
	w := newWorld(t, Config{})
	g := w.group("ann", "bob", "eve")
	bob, eve := w.login("bob", "phone"), w.login("eve", "phone")
	bob.send(g, "k", "before")
	eve.until(isMessage)
	_, err := w.as("ann").GroupRemove(t.Context(), g, []im.UserID{"bob"})
	w.ok(err)
	w.refused(bob.send(g, w.id(), "after").Err, im.NotFound)
	w.refused(bob.send(g, w.id(), "now", flags(im.Status)).Err, im.NotFound)
	w.refused(bob.Signal(g, im.Signal{Kind: "typing"}), im.NotFound)
	if again := bob.send(g, "k", "before"); again.Err != nil || !again.Dup {
		t.Fatalf("%+v", again)
	}
	w.refused(bob.send(g, "k", "other").Err, im.Conflict)
	_, err = w.as("ann").GroupAdd(t.Context(), g, []im.UserID{"bob"})
	w.ok(err)
	bob.sent(g, "back")
}

func TestSendRate(t *testing.T) {
	clk := newClock()
	w := newWorld(t, Config{Clock: clk.Now, Limits: im.Limits{SendRate: 10, SendBurst: 3}})
	ann := w.login("ann", "phone")
	for i := range 3 {
		ann.send("u/bob", im.ClientID(fmt.Sprint("m", i)), "x")
	}
	laptop := w.login("ann", "laptop") // shares the limit
	snd := laptop.send("u/eve", "late", "x")
	w.refused(snd.Err, im.Limited)
	if snd.Err.Retry != 100*time.Millisecond {
		t.Fatalf("wait %v", snd.Err.Retry)
	}
	if again := laptop.send("u/bob", "m1", "x"); again.Err != nil || !again.Dup || again.Seq != 2 {
		t.Fatalf("a retry is limited: %+v", again)
	}
	ann.Close() // a new session does not begin with a fresh burst
	laptop.Close()
	ann = w.login("ann", "phone")
	w.refused(ann.send("u/bob", w.id(), "x").Err, im.Limited)
	clk.add(100)
	ann.sent("u/bob", "x")
	w.refused(ann.send("u/bob", w.id(), "x").Err, im.Limited)
	clk.add(1000)
	for range 3 {
		ann.sent("u/bob", "x")
	}
	w.refused(ann.send("u/bob", w.id(), "x").Err, im.Limited)
	w.login("bob", "phone").sent("u/ann", "others have their own")
}

func TestSendIsReusable(t *testing.T) {
	w := newWorld(t, Config{})
	ann, bob := w.login("ann", "phone"), w.login("bob", "phone")
	done := make(chan *Send, 1)
	snd := &Send{To: "u/bob", Done: func(s *Send) { done <- s }}
	for i := range 5 {
		snd.Msg = text(w.id(), fmt.Sprint(i))
		ann.Send(snd)
		if got := <-done; got != snd || got.Err != nil || got.Seq != im.Seq(i+1) {
			t.Fatalf("%+v", got)
		}
		bob.gets("u/ann", im.Seq(i+1), fmt.Sprint(i))
	}
	other := *snd // a copy is a send of its own
	other.Msg = text(w.id(), "copy")
	ann.Send(&other)
	if got := <-done; got != &other || got.Seq != 6 || snd.Seq != 5 {
		t.Fatalf("%+v %+v", got, snd)
	}
}

func TestSendWaitWithTheSameSend(t *testing.T) {
	w := newWorld(t, Config{})
	ann := w.login("ann", "phone")
	told := 0
	snd := &Send{To: "u/bob", Done: func(*Send) { told++ }}
	for i := range 5 {
		snd.Msg = text(w.id(), "x")
		w.ok(ann.SendWait(t.Context(), snd))
		if snd.Seq != im.Seq(i+1) || told != i+1 {
			t.Fatalf("%d: number %d, told %d times", i, snd.Seq, told)
		}
	}
	w.st.Hold()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	snd.Msg = text(w.id(), "x")
	w.refused(ann.SendWait(ctx, snd), im.Unavailable)
	w.st.Release()
}

// Asking for names by sending to them is limited like any sending.
func TestSendsToNobodyAreCounted(t *testing.T) {
	clk := newClock()
	w := newWorld(t, Config{Clock: clk.Now, UsersKnown: true, Limits: im.Limits{SendRate: 1, SendBurst: 3}})
	ann := w.login("ann", "phone")
	for i := range 3 {
		w.refused(ann.send(im.DirectAddress(im.UserID(fmt.Sprint("x", i))), w.id(), "x").Err, im.NotFound)
	}
	w.refused(ann.send("u/x3", w.id(), "x").Err, im.Limited)
	w.refused(ann.send("g/x3", w.id(), "x").Err, im.Limited)
}

func TestSignals(t *testing.T) {
	clk := newClock()
	w := newWorld(t, Config{Clock: clk.Now, Limits: im.Limits{SignalRate: 3}})
	g := w.group("ann", "bob")
	phone, laptop, bob := w.login("ann", "phone"), w.login("ann", "laptop"), w.login("bob", "phone")
	w.ok(phone.Signal("u/bob", im.Signal{Kind: "typing", TTL: 5000, Sender: "eve"}))
	w.ok(phone.Signal(g, im.Signal{Kind: "typing", Body: []byte("{}")}))
	isSignal := func(it Item) bool { return it.Signal != nil }
	if it := bob.until(isSignal); it.Addr != "u/ann" || it.Signal.Sender != "ann" || it.Signal.Device != "phone" || it.Signal.TTL != 5000 {
		t.Fatalf("%s %+v", it.Addr, it.Signal)
	}
	if it := bob.until(isSignal); it.Addr != g || string(it.Signal.Body) != "{}" {
		t.Fatalf("%s %+v", it.Addr, it.Signal)
	}
	laptop.quiet(isSignal)
	phone.quiet(isSignal)
	w.ok(phone.Signal("u/bob", im.Signal{Kind: "typing"}))
	w.refused(phone.Signal("u/bob", im.Signal{Kind: "typing"}), im.Limited)
	w.ok(laptop.Signal("u/bob", im.Signal{Kind: "typing"}))
	clk.add(1000)
	for name, sig := range map[string]im.Signal{
		"no kind":       {},
		"a long kind":   {Kind: strings.Repeat("a", 33)},
		"an odd kind":   {Kind: "a b"},
		"too long":      {Kind: "typing", TTL: 60_001},
		"before it was": {Kind: "typing", TTL: -1},
	} {
		if err := phone.Signal("u/bob", sig); !im.IsKind(err, im.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	w.refused(phone.Signal("u/bob", im.Signal{Kind: "x", Body: make([]byte, im.MaxSignalBody+1)}), im.TooLarge)
	w.refused(phone.Signal("g/nope", im.Signal{Kind: "x"}), im.NotFound)
	w.refused(phone.Signal("me", im.Signal{Kind: "x"}), im.Invalid)
}

// waker remembers whom it was to wake.
type waker struct {
	mu    sync.Mutex
	woken []string
}

func (wk *waker) Wake(to im.UserID, _ im.ConvID, m *im.Message) {
	wk.mu.Lock()
	defer wk.mu.Unlock()
	wk.woken = append(wk.woken, string(to)+":"+string(m.Body))
}

func (wk *waker) take() string {
	wk.mu.Lock()
	defer wk.mu.Unlock()
	s := strings.Join(wk.woken, " ")
	wk.woken = nil
	return s
}

func TestTheAbsentAreWoken(t *testing.T) {
	wk := &waker{}
	w := newWorld(t, Config{Waker: wk})
	g := w.group("ann", "bob", "eve")
	ann, bob := w.login("ann", "phone"), w.login("bob", "phone")
	wk.take()
	ann.sent("u/bob", "1")
	ann.sent("u/eve", "2")
	ann.sent("u/eve", "cmd", flags(0))
	ann.sent("u/eve", "now", flags(im.Status))
	ann.sent("u/ann", "3")
	ann.sent(g, "4")
	ann.sent(g, "5", func(s *Send) { s.Msg.To = []im.UserID{"bob"} })
	bob.until(func(it Item) bool { return it.Msg != nil && string(it.Msg.Body) == "5" })
	bob.Detach() // absent from the moment the link is gone
	ann.sent("u/bob", "6")
	ann.sent("u/eve", "7")
	w.spreadAll()
	if got := wk.take(); got != "eve:2 eve:4 bob:6 eve:7" {
		t.Fatal(got)
	}
}

func TestMessageMemoryIsCores(t *testing.T) {
	w := newWorld(t, Config{})
	ann, bob := w.login("ann", "phone"), w.login("bob", "phone")
	to := []byte("u/bob")
	addr := im.Address(to)
	ann.sent(addr, "x")
	laptop := w.login("ann", "laptop")
	ann.sent(addr, "y")
	if it := laptop.until(isMessage); it.Addr != "u/bob" {
		t.Fatal(it.Addr)
	}
	bob.gets("u/ann", 1, "x")
}

func TestStuckStore(t *testing.T) {
	w := newWorld(t, Config{})
	ann, bob := w.login("ann", "phone"), w.login("bob", "phone")
	w.st.Hold()
	done := make(chan *Send, 1)
	ann.Send(&Send{To: "u/bob", Msg: text("a", "x"), Done: func(s *Send) { done <- s }})
	ann.Close() // the link is gone; the outcome is told all the same
	w.st.Release()
	if s := <-done; s.Err != nil || s.Seq != 1 {
		t.Fatalf("%+v", s)
	}
	bob.gets("u/ann", 1, "x")
	w.refused(ann.send("u/bob", "b", "y").Err, im.Unavailable)
	w.st.Fail(fmt.Errorf("the disk is gone"))
	w.refused(bob.send("u/ann", "c", "z").Err, im.Unavailable)
}

func TestHashTellsSendsApart(t *testing.T) {
	seen := map[uint64]string{}
	for _, typ := range []string{"a", "ab", "abc"} {
		for _, f := range []byte{0, 1, 3, noFlags} {
			for _, body := range []string{"", "\x00", "b", "c", "bc"} {
				h, name := hashOf(typ, f, []byte(body)), fmt.Sprintf("%q %d %q", typ, f, body)
				if other, ok := seen[h]; ok {
					t.Fatalf("%s and %s", name, other)
				}
				seen[h] = name
			}
		}
	}
	once := hashOf("an:text", 3, bytes.Repeat([]byte("x"), 300))
	if again := hashOf("an:text", 3, bytes.Repeat([]byte("x"), 300)); again != once {
		t.Fatal("the same differs")
	}
}

func newHeld(t *testing.T, ops int) *world {
	return worldOver(t, Config{}, memstore.New(memstore.Config{QueueOps: ops}))
}
