package client_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anser-im/anser/client"
	"github.com/anser-im/anser/wire"
)

func sendAll(t testing.TB, a *app, conv string, texts ...string) []*client.Pending {
	t.Helper()
	var out []*client.Pending
	for _, s := range texts {
		p, err := a.c.Send(ctx, conv, client.Outgoing{ID: s, Body: client.Text(s).Body})
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, p)
	}
	return out
}

func numbers(n int) []string {
	var out []string
	for i := range n {
		out = append(out, fmt.Sprintf("m%03d", i+1))
	}
	return out
}

// stored is the client ids of a conversation in order.
func (f *fake) stored(addr string) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []string
	if v := f.convs[addr]; v != nil {
		for _, m := range v.msgs {
			out = append(out, m.Id)
		}
	}
	return out
}

// sentIDs is what came on the wire, with skips: "a", "b skip a".
func (f *fake) sentIDs() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []string
	for _, s := range f.sends {
		id := s.Id
		if s.Skip != "" {
			id += " skip " + s.Skip
		}
		out = append(out, id)
	}
	return out
}

func TestOutboxOrder(t *testing.T) {
	bubble(t, "within the credit", func(t *testing.T, f *fake) {
		flying, most := 0, 0
		var parked []*wire.Send
		f.send = func(s *wire.Send) *wire.SendAck {
			flying++
			most = max(most, flying)
			parked = append(parked, s)
			return &wire.SendAck{}
		}
		a := start(t, f)
		settle(time.Second)
		ps := sendAll(t, a, "u/bob", numbers(20)...)
		for range 20 {
			settle(10 * time.Millisecond)
			f.locked(func() {
				for c := range f.conns {
					c.put(f.accept(c, parked[0]))
				}
				parked = parked[1:]
				flying--
			})
		}
		settle(time.Second)
		for i, p := range ps {
			if s, err := p.Wait(ctx); err != nil || s.Seq != uint64(i+1) {
				t.Error(s, err)
			}
		}
		if most != 4 {
			t.Errorf("%d under way at once; the credit is 4", most)
		}
		if !slices.Equal(f.sentIDs(), numbers(20)) {
			t.Error(f.sentIDs())
		}
	})

	bubble(t, "lost acks: the same ids again, in order, before new ones", func(t *testing.T, f *fake) {
		lose := true
		a := start(t, f)
		f.locked(func() {
			f.send = func(s *wire.Send) *wire.SendAck {
				if lose {
					for c := range f.conns {
						f.accept(c, s) // stored, but the answer is lost
					}
					return &wire.SendAck{}
				}
				return nil
			}
		})
		settle(time.Second)
		ps := sendAll(t, a, "u/bob", "a", "b", "c")
		settle(time.Second)
		f.drop()
		f.locked(func() { lose = false })
		ps = append(ps, sendAll(t, a, "u/bob", "d")...)
		settle(5 * time.Second)
		for i, p := range ps {
			if s, err := p.Wait(ctx); err != nil || s.Seq != uint64(i+1) {
				t.Error(p.ID, s, err)
			}
		}
		if got := f.stored("u/bob"); !slices.Equal(got, []string{"a", "b", "c", "d"}) {
			t.Error(got)
		}
		a.expect("sent u/bob 1", "sent u/bob 2", "sent u/bob 3", "sent u/bob 4")
	})

	bubble(t, "its own message comes back by Sync instead of an ack", func(t *testing.T, f *fake) {
		f.send = func(s *wire.Send) *wire.SendAck {
			if len(f.hellos) < 2 {
				f.append(s.Conv, &wire.Message{Id: s.Id, Sender: "alice", Device: "dev", Type: s.Type, Flags: 3, Body: s.Body})
			}
			return &wire.SendAck{} // no acks at all
		}
		a := start(t, f)
		settle(time.Second)
		p := sendAll(t, a, "u/bob", "a")[0]
		settle(time.Second)
		f.forget()
		f.drop()
		settle(5 * time.Second)
		if s, err := p.Wait(ctx); err != nil || s.Seq != 1 {
			t.Error(s, err)
		}
		a.expect("sent u/bob 1")
	})

	// The rule "order of a sender": after a refusal for a while, the server refuses all
	// that follows in that conversation until the refused one comes again.
	for _, code := range []uint32{wire.CodeLimited, wire.CodeBusy, wire.CodeUnavailable, wire.CodeReadOnly} {
		bubble(t, fmt.Sprint("refused with ", code), func(t *testing.T, f *fake) {
			held := map[string]string{}
			refusals := 0
			f.send = func(s *wire.Send) *wire.SendAck {
				if h := held[s.Conv]; h != "" && h != s.Id {
					return &wire.SendAck{Code: wire.CodeBusy}
				}
				delete(held, s.Conv)
				if refusals < 3 && s.Conv == "u/bob" && (s.Id == "m003" || s.Id == "m006") {
					refusals++
					held[s.Conv] = s.Id
					return &wire.SendAck{Code: code, RetryMs: 2000}
				}
				return nil
			}
			a := start(t, f)
			settle(time.Second)
			ps := sendAll(t, a, "u/bob", numbers(8)...)
			other := sendAll(t, a, "u/carol", "x")[0]
			settle(time.Second)
			select {
			case <-other.Done(): // another conversation does not wait
			default:
				t.Error("u/carol waits for u/bob")
			}
			if got := f.stored("u/bob"); !slices.Equal(got, []string{"m001", "m002"}) {
				t.Errorf("after a second %v", got)
			}
			n := len(f.sentIDs())
			settle(900 * time.Millisecond)
			if len(f.sentIDs()) != n {
				t.Errorf("sent before retry_ms was over: %v", f.sentIDs()[n:])
			}
			settle(20 * time.Second)
			for i, p := range ps {
				if s, err := p.Wait(ctx); err != nil || s.Seq != uint64(i+1) {
					t.Error(p.ID, s, err)
				}
			}
			if refusals != 3 {
				t.Errorf("%d refusals", refusals)
			}
		})
	}

	bubble(t, "a refusal that is late: nobody overtakes it", func(t *testing.T, f *fake) {
		held, late := "", false
		f.send = func(s *wire.Send) *wire.SendAck {
			switch {
			case held != "" && s.Id != held:
				if s.Id == "b" && !late {
					late = true
					return &wire.SendAck{} // its refusal is under way for a while
				}
				return &wire.SendAck{Code: wire.CodeBusy}
			case s.Id == "a" && held == "":
				held = "a"
				return &wire.SendAck{Code: wire.CodeBusy, RetryMs: 100}
			}
			held = "none"
			return nil
		}
		a := start(t, f)
		f.locked(func() {
			old := f.send
			f.send = func(s *wire.Send) *wire.SendAck {
				if held == "none" { // all is well again
					return nil
				}
				return old(s)
			}
		})
		settle(time.Second)
		sendAll(t, a, "u/bob", "a", "b", "c")
		settle(time.Second)
		f.locked(func() {
			for c := range f.conns {
				c.put(&wire.SendAck{Id: "b", Conv: "u/bob", Code: wire.CodeBusy})
			}
		})
		settle(5 * time.Second)
		if got := f.stored("u/bob"); !slices.Equal(got, []string{"a", "b", "c"}) {
			t.Errorf("%v; on the wire %v", got, f.sentIDs())
		}
	})

	bubble(t, "skip is said again when the link broke over it", func(t *testing.T, f *fake) {
		f.send = func(s *wire.Send) *wire.SendAck {
			switch {
			case s.Id == "a":
				return &wire.SendAck{Code: wire.CodeBusy, RetryMs: 3_600_000}
			case s.Skip == "" || len(f.hellos) == 1:
				return &wire.SendAck{} // the first answer to it gets lost
			}
			return nil
		}
		a := start(t, f)
		settle(time.Second)
		ps := sendAll(t, a, "u/bob", "a", "b")
		settle(time.Second)
		a.c.Cancel("u/bob", "a")
		f.locked(func() {
			for c := range f.conns {
				c.put(&wire.SendAck{Id: "b", Conv: "u/bob", Code: wire.CodeBusy})
			}
		})
		settle(time.Second)
		f.drop() // the session is resumed, and so is its hold
		settle(5 * time.Second)
		if s, err := ps[1].Wait(ctx); err != nil || s.Seq != 1 {
			t.Error(s, err)
		}
		if got := f.sentIDs(); count(got, "b skip a") != 2 {
			t.Error(got)
		}
	})

	bubble(t, "a final refusal stops nothing", func(t *testing.T, f *fake) {
		f.send = func(s *wire.Send) *wire.SendAck {
			if s.Id == "b" {
				return &wire.SendAck{Code: wire.CodeNotAccepted, Message: "no"}
			}
			return nil
		}
		a := start(t, f)
		settle(time.Second)
		ps := sendAll(t, a, "u/bob", "a", "b", "c")
		settle(time.Second)
		if _, err := ps[1].Wait(ctx); !client.IsCode(err, wire.CodeNotAccepted) {
			t.Error(err)
		}
		if s, err := ps[2].Wait(ctx); err != nil || s.Seq != 2 {
			t.Error(s, err)
		}
		if got := f.sentIDs(); !slices.Equal(got, []string{"a", "b", "c"}) {
			t.Error(got)
		}
		if len(a.c.Outbox()) != 0 {
			t.Error(a.c.Outbox())
		}
	})

	bubble(t, "Internal three times, then given up with skip", func(t *testing.T, f *fake) {
		held := ""
		f.send = func(s *wire.Send) *wire.SendAck {
			if s.Skip == held {
				held = ""
			}
			if held != "" && s.Id != held {
				return &wire.SendAck{Code: wire.CodeBusy}
			}
			if s.Id == "b" {
				held = "b"
				return &wire.SendAck{Code: wire.CodeInternal}
			}
			return nil
		}
		a := start(t, f)
		settle(time.Second)
		ps := sendAll(t, a, "u/bob", "a", "b", "c", "d")
		settle(30 * time.Second)
		if _, err := ps[1].Wait(ctx); !client.IsCode(err, wire.CodeInternal) {
			t.Error(err)
		}
		if got := f.stored("u/bob"); !slices.Equal(got, []string{"a", "c", "d"}) {
			t.Error(got)
		}
		got := f.sentIDs()
		if count(got, "b") != 3 || !slices.Contains(got, "c skip b") || slices.Contains(got, "d skip b") {
			t.Error(got)
		}
		_ = a
	})

	bubble(t, "cancelled while refused", func(t *testing.T, f *fake) {
		f.send = func(s *wire.Send) *wire.SendAck {
			if s.Id == "a" || s.Skip == "" {
				return &wire.SendAck{Code: wire.CodeLimited, RetryMs: 3_600_000}
			}
			return nil
		}
		a := start(t, f)
		settle(time.Second)
		ps := sendAll(t, a, "u/bob", "a", "b")
		settle(time.Second)
		if !a.c.Cancel("u/bob", "a") || a.c.Cancel("u/bob", "none") {
			t.Error("Cancel")
		}
		settle(time.Second)
		if _, err := ps[0].Wait(ctx); !errors.Is(err, client.ErrCancelled) {
			t.Error(err)
		}
		if s, err := ps[1].Wait(ctx); err != nil || s.Seq != 1 {
			t.Error(s, err)
		}
	})

	bubble(t, "STATUS: not kept, fails with its link", func(t *testing.T, f *fake) {
		store := client.NewMemStore()
		f.send = func(*wire.Send) *wire.SendAck { return &wire.SendAck{} }
		a := start(t, f, func(o *client.Options) { o.Store = store })
		settle(time.Second)
		p, err := a.c.Send(ctx, "u/bob", client.Outgoing{Flags: new(client.Status)})
		if err != nil {
			t.Fatal(err)
		}
		for k := range contents(t, store) {
			if strings.HasPrefix(k, "o/") {
				t.Error("it is in the store")
			}
		}
		settle(time.Second)
		f.drop()
		settle(5 * time.Second)
		if _, err := p.Wait(ctx); !errors.Is(err, client.ErrOffline) {
			t.Error(err)
		}
		f.locked(func() { f.refuse["tcp://one:1"] = true })
		f.drop()
		settle(time.Second)
		if _, err := a.c.Send(ctx, "u/bob", client.Outgoing{Flags: new(client.Status)}); !errors.Is(err, client.ErrOffline) {
			t.Errorf("without a connection: %v", err)
		}
	})
}

func TestOutboxSurvives(t *testing.T) {
	bubble(t, "a restart", func(t *testing.T, f *fake) {
		store := client.NewMemStore()
		with := func(o *client.Options) { o.Store = store }
		f.refuse["tcp://one:1"] = true
		a := start(t, f, with)
		sendAll(t, a, "u/bob", numbers(9)...)
		if q := a.c.Outbox(); len(q) != 9 || q[0].ID != "m001" || q[8].ID != "m009" {
			t.Error(q)
		}
		a.stop()
		a2 := start(t, f, with)
		q := a2.c.Outbox()
		if len(q) != 9 {
			t.Fatal(q)
		}
		sendAll(t, a2, "u/bob", "m010")
		f.locked(func() { f.refuse = map[string]bool{} })
		a2.c.NetworkChanged("wifi:home", wire.NetworkWifi)
		settle(5 * time.Second)
		if s, err := q[8].Pending.Wait(ctx); err != nil || s.Seq != 9 {
			t.Error(s, err)
		}
		if got := f.stored("u/bob"); !slices.Equal(got, numbers(10)) {
			t.Error(got)
		}
		a2.stop()
		for k := range contents(t, store) {
			if strings.HasPrefix(k, "o/") {
				t.Errorf("%s is still in the store", k)
			}
		}
	})

	bubble(t, "not six days", func(t *testing.T, f *fake) {
		store := client.NewMemStore()
		with := func(o *client.Options) { o.Store = store }
		f.refuse["tcp://one:1"] = true
		a := start(t, f, with)
		old := sendAll(t, a, "u/bob", "old")[0]
		time.Sleep(6*24*time.Hour - time.Minute)
		sendAll(t, a, "u/bob", "new")
		time.Sleep(2 * time.Minute)
		a.expect("failed u/bob " + client.ErrTooOld.Error()) // also without a connection
		f.locked(func() { f.refuse = map[string]bool{} })
		a.c.NetworkChanged("wifi:home", wire.NetworkWifi)
		settle(5 * time.Second)
		if _, err := old.Wait(ctx); !errors.Is(err, client.ErrTooOld) {
			t.Error(err)
		}
		if got := f.sentIDs(); !slices.Equal(got, []string{"new"}) {
			t.Error(got)
		}
		a.expect("failed u/bob "+client.ErrTooOld.Error(), "sent u/bob 1")
	})

	bubble(t, "poison: three links in a row", func(t *testing.T, f *fake) {
		n := 0
		f.send = func(s *wire.Send) *wire.SendAck {
			if s.Id == "poison" {
				n++
				for c := range f.conns {
					c.close()
				}
				return &wire.SendAck{}
			}
			return nil
		}
		a := start(t, f)
		settle(time.Second)
		ps := sendAll(t, a, "u/bob", "a", "poison", "b")
		settle(time.Minute)
		if _, err := ps[1].Wait(ctx); !errors.Is(err, client.ErrPoison) {
			t.Error(err)
		}
		if s, err := ps[0].Wait(ctx); err != nil || s.Seq != 1 { // its neighbours are not suspected
			t.Error(s, err)
		}
		if got := f.stored("u/bob"); !slices.Equal(got, []string{"a", "b"}) || n > 4 {
			t.Error(got, n)
		}
	})

	bubble(t, "no poison: links that we left, or that broke much later", func(t *testing.T, f *fake) {
		serve := false
		f.send = func(s *wire.Send) *wire.SendAck {
			if serve {
				return nil
			}
			return &wire.SendAck{}
		}
		f.pong = func(string) (wire.Health, bool) {
			if serve {
				return wire.HealthOK, false
			}
			return wire.HealthStuck, len(f.hellos)%2 == 0 // takes no sends, or answers nothing
		}
		a := start(t, f, endpoints("tcp://one:1", "tcp://two:2", "tcp://three:3"))
		settle(time.Second)
		p := sendAll(t, a, "u/bob", "a")[0]
		settle(5 * time.Minute)
		f.locked(func() {
			if len(f.hellos) < 4 {
				t.Errorf("only %d logins: nothing is tested", len(f.hellos))
			}
			f.pong = nil
		})
		settle(2 * time.Minute)
		for range 4 {
			settle(14 * time.Second)
			f.post("u/eve", "eve", "x") // the link lives
			settle(14 * time.Second)
			f.drop()
		}
		f.locked(func() { serve = true })
		f.drop()
		settle(2 * time.Minute)
		if s, err := p.Wait(ctx); err != nil || s.Seq != 1 {
			t.Error(s, err)
		}
	})

	bubble(t, "no poison: links that were told to end", func(t *testing.T, f *fake) {
		f.send = func(s *wire.Send) *wire.SendAck {
			if len(f.hellos) < 6 {
				return &wire.SendAck{}
			}
			return nil
		}
		a := start(t, f)
		settle(time.Second)
		p := sendAll(t, a, "u/bob", "a")[0]
		for range 5 {
			settle(time.Second)
			f.away(&wire.GoAway{Reason: wire.ReasonDrain, Resumable: true, RetryAfterMs: 100})
		}
		settle(5 * time.Second)
		if s, err := p.Wait(ctx); err != nil || s.Seq != 1 {
			t.Error(s, err)
		}
	})
}

func TestSendRefusesHere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		f.refuse["tcp://one:1"] = true
		a := start(t, f, func(o *client.Options) { o.Types = []string{"app:card"}; o.MaxOutbox = 2 })
		for _, c := range []struct {
			conv string
			m    client.Outgoing
			code uint32
		}{
			{"bob", client.Text("x"), wire.CodeInvalid},
			{"u/", client.Text("x"), wire.CodeInvalid},
			{"x/bob", client.Text("x"), wire.CodeInvalid},
			{"u/" + strings.Repeat("b", 65), client.Text("x"), wire.CodeInvalid},
			{"u/bob", client.Outgoing{ID: strings.Repeat("i", 65)}, wire.CodeInvalid},
			{"u/bob", client.Outgoing{ID: "用户"}, wire.CodeInvalid},
			{"u/bob", client.Outgoing{Type: "app:crad"}, wire.CodeNoType},
			{"u/bob", client.Outgoing{Type: "an:txet"}, wire.CodeNoType},
			{"u/bob/" + strings.Repeat("l", 21), client.Text("x"), wire.CodeInvalid},
			{"u/\xff", client.Text("x"), wire.CodeInvalid},
			{"u/bob", client.Outgoing{Digest: "\xff"}, wire.CodeInvalid},
			{"u/bob", client.Outgoing{Mentions: []string{"bob", "\xc3"}}, wire.CodeInvalid},
			{"g/x", client.Outgoing{To: []string{"\xed\xa0\x80"}}, wire.CodeInvalid},
			{"u/bob", client.Outgoing{Body: make([]byte, 2<<20)}, wire.CodeTooLarge},
		} {
			if _, err := a.c.Send(ctx, c.conv, c.m); !client.IsCode(err, c.code) {
				t.Errorf("%q %q %q: %v", c.conv, c.m.ID, c.m.Type, err)
			}
		}
		p1 := sendAll(t, a, "u/bob", "a")[0]
		if p2 := sendAll(t, a, "u/bob", "a")[0]; p1 != p2 {
			t.Error("the same id is queued twice")
		}
		if _, err := a.c.Send(ctx, "u/用户7", client.Outgoing{Type: "app:card"}); err != nil {
			t.Error(err)
		}
		if _, err := a.c.Send(ctx, "u/bob", client.Text("one too many")); !errors.Is(err, client.ErrOutboxFull) {
			t.Error(err)
		}
		gone, cancel := context.WithCancel(ctx)
		cancel()
		if _, err := p1.Wait(gone); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

// slowStore is a store whose Commit waits while gate is not nil.
type slowStore struct {
	client.Store
	mu   sync.Mutex
	gate chan struct{}
}

func (s *slowStore) hold(gate chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gate = gate
}

func (s *slowStore) Begin() (client.Tx, error) {
	tx, err := s.Store.Begin()
	return &slowTx{tx, s}, err
}

type slowTx struct {
	client.Tx
	s *slowStore
}

func (t *slowTx) Commit() error {
	t.s.mu.Lock()
	gate := t.s.gate
	t.s.mu.Unlock()
	if gate != nil {
		<-gate
	}
	return t.Tx.Commit()
}

// A message that Send is just putting into the store is not lost when the client runs
// again meanwhile, and its place in the store is not given to another.
func TestSendWhileRunAgain(t *testing.T) {
	bubble(t, "", func(t *testing.T, f *fake) {
		s := &slowStore{Store: client.NewMemStore()}
		a := start(t, f, func(o *client.Options) { o.Store = s })
		settle(time.Second)
		f.away(&wire.GoAway{Reason: wire.ReasonKicked, Code: wire.CodeKicked})
		<-a.done
		gate := make(chan struct{})
		s.hold(gate)
		var first *client.Pending
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			first = sendAll(t, a, "u/bob", "first")[0]
		}()
		synctest.Wait()
		s.hold(nil)
		f.locked(func() { f.refuse["tcp://one:1"] = true })
		a.run()
		settle(time.Second)
		close(gate)
		<-sent
		second := sendAll(t, a, "u/bob", "second")[0]
		kept := 0
		for k := range contents(t, s) {
			if strings.HasPrefix(k, "o/") {
				kept++
			}
		}
		if kept != 2 || len(a.c.Outbox()) != 2 {
			t.Errorf("the store keeps %d, the outbox %d", kept, len(a.c.Outbox()))
		}
		f.locked(func() { f.refuse = map[string]bool{} })
		a.c.NetworkChanged("wifi:home", wire.NetworkWifi)
		settle(5 * time.Second)
		for i, p := range []*client.Pending{first, second} {
			select {
			case <-p.Done():
			default:
				t.Fatalf("send %d never ended", i+1)
			}
			if r, err := p.Wait(ctx); err != nil || r.Seq != uint64(i+1) {
				t.Error(r, err)
			}
		}
	})
}
