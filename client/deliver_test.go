package client_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anser-im/anser/client"
	"github.com/anser-im/anser/internal/testkit"
	"github.com/anser-im/anser/wire"
)

func TestGaps(t *testing.T) {
	bubble(t, "pushes that were lost are fetched", func(t *testing.T, f *fake) {
		a := start(t, f)
		settle(time.Second)
		f.post("g/x", "bob", "1")
		settle(time.Second)
		f.post("g/x", "bob", "2", true)
		f.post("g/x", "bob", "3", true)
		f.post("g/x", "bob", "4")
		settle(2 * time.Second)
		a.expect("g/x 1 1", "g/x 2 2", "g/x 3 3", "g/x 4 4")
	})

	bubble(t, "out of order, twice, and hidden", func(t *testing.T, f *fake) {
		a := start(t, f)
		settle(time.Second)
		for i := range 6 {
			f.post("g/x", "bob", fmt.Sprint(i+1), true)
		}
		f.hide("g/x", true)
		f.post("g/x", "bob", "8", true)
		f.locked(func() {
			for c := range f.conns {
				for _, n := range []int{1, 3, 2, 3, 1, 6, 5, 4, 4, 8} {
					f.push(c, &wire.Event{Conv: "g/x", Seq: uint64(n), Message: f.convs["g/x"].msgs[n-1]})
				}
				f.push(c, &wire.Event{Conv: "g/x", Seq: 7, Hidden: true})
			}
			f.reqs = nil
		})
		settle(2 * time.Second)
		a.expect("g/x 1 1", "g/x 2 2", "g/x 3 3", "g/x 4 4", "g/x 5 5", "g/x 6 6", "g/x 8 8")
		f.locked(func() {
			if !slices.Equal(f.reqs, []string{wire.MethodConversation}) { // what is only late is not asked for
				t.Error(f.reqs)
			}
		})
	})

	bubble(t, "a hot group: only the head is told", func(t *testing.T, f *fake) {
		a := start(t, f)
		settle(time.Second)
		f.post("g/x", "bob", "1")
		for i := range 450 {
			f.post("g/x", "bob", fmt.Sprint(i+2), true)
		}
		f.locked(func() {
			f.event(&wire.Event{Conv: "g/x", State: &wire.State{Head: &wire.Head{Seq: 451}}}, nil)
		})
		settle(5 * time.Second)
		if got := a.log(client.EventMessage); strings.Count(got, "\n") != 451 || !strings.HasSuffix(got, "g/x 451 451\n") {
			t.Errorf("%d messages", strings.Count(got, "\n"))
		}
	})

	bubble(t, "a group that is new here", func(t *testing.T, f *fake) {
		for i := range 40 {
			f.post("g/x", "bob", fmt.Sprint(i+1), true)
		}
		f.locked(func() { f.convs["g/x"].left = true })
		a := start(t, f)
		settle(time.Second)
		f.locked(func() { v := f.conv("g/x"); v.left, v.from = false, 41 })
		f.post("g/x", "carol", "alice is here")
		settle(2 * time.Second)
		f.post("g/x", "carol", "hello")
		settle(2 * time.Second)
		a.expect("g/x 41 alice is here", "g/x 42 hello")
	})

	bubble(t, "taken out and let in again", func(t *testing.T, f *fake) {
		a := start(t, f)
		settle(time.Second)
		f.post("g/x", "bob", "1")
		f.post("g/x", "bob", "2")
		settle(time.Second)
		f.locked(func() {
			f.conv("g/x").left = true
			f.event(&wire.Event{Conv: "g/x", State: &wire.State{Mine: &wire.Mine{Left: true}}}, nil)
		})
		f.post("g/x", "bob", "3", true)
		f.post("g/x", "bob", "4", true)
		f.locked(func() { v := f.conv("g/x"); v.left, v.from = false, 5 })
		settle(time.Second)
		f.post("g/x", "bob", "welcome back")
		settle(time.Second)
		// The same, seen only by what Sync says.
		f.forget()
		f.drop()
		f.post("g/x", "bob", "6", true)
		f.post("g/x", "bob", "7", true)
		f.locked(func() { f.conv("g/x").from = 7 })
		settle(5 * time.Second)
		a.expect("g/x 1 1", "g/x 2 2", "left g/x", "g/x 5 welcome back", "g/x 7 7")
	})

	bubble(t, "not in it: no endless asking", func(t *testing.T, f *fake) {
		start(t, f)
		settle(time.Second)
		f.locked(func() {
			f.reqs = nil
			f.event(&wire.Event{Conv: "g/x", Seq: 7, Message: &wire.Message{Seq: 7, Sender: "bob"}}, nil)
		})
		settle(time.Hour)
		f.locked(func() {
			if len(f.reqs) > 2 {
				t.Errorf("asked %d times: %v", len(f.reqs), f.reqs)
			}
		})
	})

	bubble(t, "a server that answers pages with nothing", func(t *testing.T, f *fake) {
		f.req = func(r *wire.Req) *wire.Res {
			if r.Method == wire.MethodPage {
				return ok(&wire.PageResponse{Range: &wire.Range{From: 1}})
			}
			return nil
		}
		start(t, f)
		settle(time.Second)
		f.post("g/x", "bob", "1")
		f.post("g/x", "bob", "2", true)
		f.post("g/x", "bob", "3")
		settle(10 * time.Minute)
		f.locked(func() {
			if n := count(f.reqs, wire.MethodPage); n > 40 {
				t.Errorf("asked %d times in ten minutes", n)
			}
		})
	})

	bubble(t, "the server asks for a sync", func(t *testing.T, f *fake) {
		a := start(t, f)
		settle(time.Second)
		f.post("u/bob", "bob", "1", true)
		f.post("u/carol", "carol", "1", true)
		f.locked(func() { f.event(&wire.Event{Sync: true}, nil) })
		settle(2 * time.Second)
		if got := a.log(client.EventMessage); strings.Count(got, "\n") != 2 {
			t.Errorf("told\n%s", got)
		}
	})

	bubble(t, "refused for a while", func(t *testing.T, f *fake) {
		n := 0
		f.req = func(r *wire.Req) *wire.Res {
			if n++; n <= 4 {
				return &wire.Res{Code: wire.CodeBusy, RetryMs: 1000}
			}
			return nil
		}
		for i := range 30 {
			f.post("u/bob", "bob", fmt.Sprint(i+1), true)
		}
		a := start(t, f)
		settle(time.Minute)
		if got := a.log(client.EventMessage); strings.Count(got, "\n") != 30 {
			t.Errorf("told\n%s", got)
		}
		if !a.c.State().Synced {
			t.Error("not synced")
		}
	})
}

func TestChanges(t *testing.T) {
	bubble(t, "live, missed, and not for this user", func(t *testing.T, f *fake) {
		a := start(t, f)
		settle(time.Second)
		f.post("u/bob", "bob", "one")
		settle(time.Second)
		f.edit("u/bob", 1, "uno")
		settle(time.Second)
		f.edit("u/bob", 1, "ein", true) // lost on the way
		f.edit("u/bob", 1, "eins")
		settle(2 * time.Second)
		f.locked(func() {
			v := f.conv("u/bob")
			v.changes = append(v.changes, nil)
			f.event(&wire.Event{Conv: "u/bob", Ver: 4}, nil)
		})
		f.edit("u/bob", 1, "un")
		settle(2 * time.Second)
		a.expect("u/bob 1 one", "change u/bob ver 1 of 1 uno", "change u/bob ver 2 of 1 ein", "change u/bob ver 3 of 1 eins", "change u/bob ver 5 of 1 un")
	})

	bubble(t, "while away", func(t *testing.T, f *fake) {
		a := start(t, f)
		settle(time.Second)
		f.post("u/bob", "bob", "one")
		settle(time.Second)
		f.forget()
		f.drop()
		f.edit("u/bob", 1, "uno")
		f.post("u/bob", "bob", "two")
		f.edit("u/bob", 2, "due")
		settle(5 * time.Second)
		a.expect("u/bob 1 one", "u/bob 2 due", "change u/bob ver 1 of 1 uno", "change u/bob ver 2 of 2 due")
	})

	bubble(t, "the log no longer goes back that far", func(t *testing.T, f *fake) {
		a := start(t, f)
		settle(time.Second)
		f.post("u/bob", "bob", "one")
		settle(time.Second)
		f.forget()
		f.drop()
		for range 5 {
			f.edit("u/bob", 1, "uno")
		}
		f.locked(func() { f.convs["u/bob"].noLog = 3 })
		settle(5 * time.Second)
		f.edit("u/bob", 1, "eins")
		settle(time.Second)
		a.expect("u/bob 1 one", "reset u/bob", "change u/bob ver 6 of 1 eins")
	})

	bubble(t, "state, status and signals", func(t *testing.T, f *fake) {
		a := start(t, f)
		settle(time.Second)
		f.locked(func() {
			f.event(&wire.Event{Conv: "u/bob", Message: &wire.Message{Sender: "bob", Type: "an:text", Flags: wire.FlagStatus, Body: client.Text("psst").Body}}, nil)
			f.event(&wire.Event{Conv: "u/bob", State: &wire.State{Mine: &wire.Mine{Read: 3, Unread: 2}, Peer: &wire.Peer{Read: 1, Delivered: 2}}}, nil)
		})
		settle(time.Second)
		a.expect("status u/bob psst")
		var info *client.Info
		for _, e := range a.all() {
			if e.Kind == client.EventInfo {
				info = e.Info
			}
		}
		if info == nil || info.Mine.Read != 3 || info.Mine.Unread != 2 || info.Peer.Delivered != 2 || info.Head != nil {
			t.Errorf("%+v", info)
		}
	})
}

func TestHandler(t *testing.T) {
	bubble(t, "an error: the same again, and then on", func(t *testing.T, f *fake) {
		var mu sync.Mutex
		var got []string
		fails := 3
		store := client.NewMemStore()
		start(t, f, func(o *client.Options) {
			o.Store = store
			o.OnEvent = nil
			o.OnEvents = func(tx client.Tx, es []client.Event) error {
				mu.Lock()
				defer mu.Unlock()
				for _, e := range es {
					if e.Kind != client.EventMessage {
						continue
					}
					if fails > 0 {
						fails--
						return errors.New("my disk is full")
					}
					got = append(got, e.Message.Text())
					if err := tx.Set("app/"+e.Message.ID, e.Message.Body); err != nil {
						return err
					}
				}
				return nil
			}
		})
		settle(time.Second)
		f.post("u/bob", "bob", "one")
		f.post("u/bob", "bob", "two")
		settle(500 * time.Millisecond)
		f.locked(func() {
			if len(f.acks) != 0 {
				t.Errorf("acknowledged what was not taken: %v", f.acks)
			}
		})
		settle(20 * time.Second)
		mu.Lock()
		defer mu.Unlock()
		if fmt.Sprint(got) != "[one two]" {
			t.Error(got)
		}
		m := contents(t, store)
		if m["app/xone"] == "" || m["app/xtwo"] == "" {
			t.Error("what the application kept in the transaction is not there")
		}
	})

	bubble(t, "a handler that hangs: the link lives, the server holds back", func(t *testing.T, f *fake) {
		release := make(chan struct{})
		n := 0
		a := start(t, f, func(o *client.Options) {
			o.OnEvent = func(e client.Event) {
				if e.Kind == client.EventMessage {
					<-release
					n++
				}
			}
		})
		settle(time.Second)
		for i := range 8 { // the window
			f.post("u/bob", "bob", fmt.Sprint(i))
		}
		settle(30 * time.Minute)
		f.locked(func() {
			if len(f.hellos) != 1 || len(f.pings) < 50 {
				t.Errorf("%d logins, %d beats", len(f.hellos), len(f.pings))
			}
			if len(f.acks) != 0 {
				t.Errorf("acknowledged what was not taken: %v", f.acks)
			}
		})
		// Sends and verbs go on.
		p, err := a.c.Send(ctx, "u/carol", client.Text("hi"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Wait(ctx); err != nil {
			t.Error(err)
		}
		if _, err := a.c.History(ctx, "u/bob", 0, 5); err != nil {
			t.Error(err)
		}
		close(release)
		settle(3 * time.Second)
		f.locked(func() {
			if len(f.acks) == 0 || f.acks[len(f.acks)-1].Push != 8 || n != 8 {
				t.Errorf("%d taken, acks %v", n, f.acks)
			}
		})
	})

	bubble(t, "acknowledged at half the window, without waiting", func(t *testing.T, f *fake) {
		start(t, f)
		settle(time.Second)
		for i := range 4 {
			f.post("u/bob", "bob", fmt.Sprint(i))
		}
		synctest.Wait()
		f.locked(func() {
			if len(f.acks) == 0 || f.acks[len(f.acks)-1].Push != 4 {
				t.Errorf("acks %v", f.acks)
			}
		})
	})

	bubble(t, "a server that floods is left", func(t *testing.T, f *fake) {
		release := make(chan struct{})
		defer close(release)
		start(t, f, func(o *client.Options) {
			o.OnEvent = func(e client.Event) {
				if e.Kind == client.EventMessage {
					<-release
				}
			}
		})
		settle(time.Second)
		for i := range 2000 {
			f.post("u/bob", "bob", fmt.Sprint(i))
		}
		settle(time.Second)
		f.locked(func() {
			if len(f.conns) == 1 && len(f.hellos) == 1 {
				t.Error("2,000 unacknowledged pushes are taken in")
			}
		})
	})

	bubble(t, "a bot that answers in its handler", func(t *testing.T, f *fake) {
		var c *client.Client
		store := client.NewMemStore()
		fails := 1
		a := start(t, f, func(o *client.Options) {
			o.Store = store
			o.OnEvent = nil
			o.OnEvents = func(tx client.Tx, es []client.Event) error {
				for _, e := range es {
					if e.Kind != client.EventMessage {
						continue
					}
					if _, err := c.SendIn(tx, e.Conv, client.Text("re: "+e.Message.Text())); err != nil {
						return err
					}
				}
				if len(es) > 0 && es[0].Kind == client.EventMessage && fails > 0 {
					fails--
					return errors.New("no")
				}
				return nil
			}
		})
		c = a.c
		settle(time.Second)
		f.post("u/bob", "bob", "one")
		settle(5 * time.Second)
		f.post("u/bob", "bob", "two")
		settle(5 * time.Second)
		f.locked(func() {
			var got []string
			for _, m := range f.convs["u/bob"].msgs {
				got = append(got, string(m.Body))
			}
			if want := `[{"content":"one"} {"content":"re: one"} {"content":"two"} {"content":"re: two"}]`; fmt.Sprint(got) != want {
				t.Error(got)
			}
		})
		if len(c.Outbox()) != 0 {
			t.Error(c.Outbox())
		}
		if _, err := c.SendIn(nil, "u/bob", client.Text("x")); err == nil {
			t.Error("SendIn without a transaction")
		}
	})

	bubble(t, "waiting for a send inside the handler", func(t *testing.T, f *fake) {
		var c *client.Client
		var sent client.Sent
		a := start(t, f, func(o *client.Options) {
			o.OnEvent = func(e client.Event) {
				if e.Kind != client.EventMessage {
					return
				}
				p, err := c.Send(ctx, e.Conv, client.Text("re"))
				if err == nil {
					sent, err = p.Wait(ctx)
				}
				if err == nil {
					_, err = c.Read(ctx, e.Conv, e.Message.Seq)
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
		c = a.c
		settle(time.Second)
		f.post("u/bob", "bob", "one")
		settle(5 * time.Second)
		if sent.Seq != 2 {
			t.Error(sent)
		}
	})
}

// brokenStore fails at Commit from some moment on.
type brokenStore struct {
	client.Store
	mu     sync.Mutex
	broken bool
}

func (s *brokenStore) Begin() (client.Tx, error) {
	tx, err := s.Store.Begin()
	return &brokenTx{tx, s}, err
}

type brokenTx struct {
	client.Tx
	s *brokenStore
}

func (t *brokenTx) Commit() error {
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	if t.s.broken {
		return errors.New("input/output error")
	}
	return t.Tx.Commit()
}

func TestStoreFails(t *testing.T) {
	bubble(t, "Run ends, nothing is acknowledged", func(t *testing.T, f *fake) {
		s := &brokenStore{Store: client.NewMemStore()}
		a := start(t, f, func(o *client.Options) { o.Store = s })
		settle(time.Second)
		s.mu.Lock()
		s.broken = true
		s.mu.Unlock()
		f.post("u/bob", "bob", "one")
		if _, err := a.c.Send(ctx, "u/bob", client.Text("x")); err == nil || len(a.c.Outbox()) != 0 {
			t.Error("a send that is not kept is queued", err)
		}
		settle(time.Minute)
		select {
		case <-a.done:
			if a.err == nil || !strings.Contains(a.err.Error(), "input/output") {
				t.Error(a.err)
			}
		default:
			t.Error("it still runs")
		}
		f.locked(func() {
			if len(f.acks) != 0 {
				t.Error(f.acks)
			}
		})
	})
}

// Whatever breaks whenever: each message is delivered once and in order within a run,
// and nothing is missing.
func TestStorm(t *testing.T) {
	seeds := 8
	if testkit.Soak(t) {
		seeds = 2000
	}
	for seed := range seeds {
		bubble(t, fmt.Sprint("seed ", seed), func(t *testing.T, f *fake) {
			store := client.NewMemStore()
			a := start(t, f, func(o *client.Options) { o.Store = store })
			rnd := newRand(uint64(seed))
			said, sent := map[string]int{}, map[string]int{}
			for range 600 {
				conv := []string{"u/bob", "g/x", "u/用户7"}[rnd.IntN(3)]
				switch rnd.IntN(12) {
				case 0:
					f.drop()
				case 1:
					f.forget()
					f.drop()
				case 2, 3, 4:
					said[conv]++
					f.post(conv, "bob", fmt.Sprint("p", said[conv]), rnd.IntN(4) == 0)
				case 5:
					f.hide(conv, rnd.IntN(2) == 0)
				case 6, 7:
					sent[conv]++
					sendAll(t, a, conv, fmt.Sprintf("s%d-%d", len(conv), sent[conv]))
				case 8:
					f.locked(func() {
						n := rnd.IntN(4)
						f.send = func(*wire.Send) *wire.SendAck {
							if n--; n >= 0 {
								return &wire.SendAck{Code: wire.CodeBusy, RetryMs: 50}
							}
							return nil
						}
					})
				case 9:
					f.away(&wire.GoAway{Reason: wire.ReasonDrain, Resumable: true, RetryAfterMs: 200})
				default:
					time.Sleep(time.Duration(rnd.IntN(4000)) * time.Millisecond)
				}
			}
			f.locked(func() { f.send = nil })
			f.post("g/x", "bob", "end")
			settle(5 * time.Minute)
			f.forget() // what was pushed to nobody is found by Sync only
			f.drop()
			settle(5 * time.Minute)

			last, given := map[string]uint64{}, map[string]bool{}
			posts := map[string]int{}
			for _, e := range a.all() {
				switch e.Kind {
				case client.EventMessage:
					if e.Message.Seq <= last[e.Conv] {
						t.Fatalf("%s %d after %d", e.Conv, e.Message.Seq, last[e.Conv])
					}
					last[e.Conv] = e.Message.Seq
					if e.Message.Sender == "bob" {
						posts[e.Conv]++
					}
				case client.EventSent:
					if given[e.Conv+e.Sent.ID] {
						t.Fatalf("%s was told to be sent twice", e.Sent.ID)
					}
					given[e.Conv+e.Sent.ID] = true
				case client.EventFailed:
					if !errors.Is(e.Err, client.ErrPoison) { // links broke often enough for that
						t.Fatalf("%s: %v", e.Sent.ID, e.Err)
					}
				}
			}
			said["g/x"]++
			for conv, n := range said {
				if posts[conv] != n {
					t.Errorf("%s: %d of %d delivered", conv, posts[conv], n)
				}
			}
			if q := a.c.Outbox(); len(q) != 0 {
				t.Errorf("%d not sent", len(q))
			}
			if s := a.c.State(); !s.Synced {
				t.Errorf("%+v", s)
			}
		})
	}
}

// A conversation that is first heard of by a push is described, once.
func TestNewConversation(t *testing.T) {
	bubble(t, "", func(t *testing.T, f *fake) {
		a := start(t, f)
		settle(time.Second)
		f.post("g/new", "bob", "first")
		settle(time.Minute)
		f.post("g/new", "bob", "second")
		settle(time.Minute)
		told := 0
		for _, e := range a.all() {
			if e.Kind == client.EventConversation && e.Conv == "g/new" {
				told++
			}
		}
		if told != 1 {
			t.Errorf("told %d times", told)
		}
		a.expect("g/new 1 first", "g/new 2 second")
	})

	bubble(t, "also when the program ends in between", func(t *testing.T, f *fake) {
		store := client.NewMemStore()
		with := func(o *client.Options) { o.Store = store }
		f.req = func(r *wire.Req) *wire.Res {
			if r.Method == wire.MethodConversation {
				return refused(wire.CodeBusy, "later")
			}
			return nil
		}
		a := start(t, f, with)
		settle(time.Second)
		f.post("g/new", "bob", "first")
		settle(time.Second)
		a.stop()
		f.locked(func() { f.req = nil })
		b := start(t, f, with)
		settle(time.Minute)
		if !slices.ContainsFunc(b.all(), func(e client.Event) bool { return e.Kind == client.EventConversation && e.Conv == "g/new" }) {
			t.Error("never told")
		}
	})
}

// A server that has less of a conversation than it told, under the same epoch, has had
// its data put back: what it has now is delivered.
func TestPutBack(t *testing.T) {
	before := func(f *fake, a *app) {
		settle(time.Second)
		for i := range 5 {
			f.post("g/x", "bob", fmt.Sprint("old", i+1))
		}
		settle(10 * time.Second)
		f.locked(func() { f.convs["g/x"].msgs = f.convs["g/x"].msgs[:2] })
		a.mu.Lock()
		a.events = nil
		a.mu.Unlock()
	}

	bubble(t, "seen by Sync", func(t *testing.T, f *fake) {
		a := start(t, f)
		before(f, a)
		f.forget()
		f.post("g/x", "bob", "new3", true)
		f.drop()
		settle(10 * time.Second)
		a.expect("reset g/x", "g/x 1 old1", "g/x 2 old2", "g/x 3 new3")
	})

	bubble(t, "seen by an accepted send", func(t *testing.T, f *fake) {
		a := start(t, f)
		before(f, a)
		sendAll(t, a, "g/x", "mine3")
		settle(10 * time.Second)
		a.expect("reset g/x", "sent g/x 3", "g/x 1 old1", "g/x 2 old2")
		f.post("g/x", "bob", "new4")
		settle(10 * time.Second)
		a.expect("reset g/x", "sent g/x 3", "g/x 1 old1", "g/x 2 old2", "g/x 4 new4")
	})

	bubble(t, "seen by a page", func(t *testing.T, f *fake) {
		a := start(t, f)
		before(f, a)
		f.locked(func() {
			f.event(&wire.Event{Conv: "g/x", State: &wire.State{Head: &wire.Head{Seq: 9}}}, nil)
		})
		settle(10 * time.Second)
		a.expect("reset g/x", "g/x 1 old1", "g/x 2 old2")
	})
}

// A server that finds its answer too large is asked for less.
func TestTooLarge(t *testing.T) {
	bubble(t, "", func(t *testing.T, f *fake) {
		f.req = func(r *wire.Req) *wire.Res {
			verb, _ := wire.VerbOf(r.Method)
			m := verb.NewRequest()
			wire.Binary.UnmarshalBody(r.Body, m)
			limit := uint32(0)
			switch m := m.(type) {
			case *wire.SyncRequest:
				limit = m.Limit
			case *wire.PageRequest:
				limit = m.Limit
			default:
				return nil
			}
			if limit == 0 || limit > 3 {
				return refused(wire.CodeTooLarge, "the answer is too large")
			}
			return nil
		}
		for i := range 40 {
			f.post("g/x", "bob", fmt.Sprint(i+1), true)
		}
		a := start(t, f)
		settle(5 * time.Second)
		if n := len(a.all()); !a.c.State().Synced || n < 40 {
			t.Errorf("%d events, %+v", n, a.c.State())
		}
	})
}
