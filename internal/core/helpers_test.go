package core

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anser-im/anser/internal/auth"
	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
	"github.com/anser-im/anser/internal/store/memstore"
)

// world is a core over the model of a store, for tests of verbs.
type world struct {
	*testing.T
	c      *Core
	st     *memstore.Store
	rev    *auth.Revoker
	signer *auth.Signer
	ids    atomic.Uint64
}

func newWorld(t *testing.T, cfg Config) *world {
	t.Helper()
	return worldOver(t, cfg, memstore.New(memstore.Config{Clock: cfg.Clock}))
}

// worldOver closes st at the end of the test.
func worldOver(t *testing.T, cfg Config, st *memstore.Store) *world {
	t.Helper()
	w := &world{T: t, st: st}
	cfg.SweepEvery = -1
	if cfg.Limits.SendRate == 0 {
		cfg.Limits.SendRate = -1
	}
	v, err := auth.NewVerifier(auth.Config{Secret: testSecret, Now: cfg.Clock})
	w.ok(err)
	w.signer, err = auth.NewSigner(testSecret, "", cfg.Clock)
	w.ok(err)
	w.rev = auth.NewRevoker(&authRows{rows: map[string][]byte{}}, cfg.Clock, func(r auth.Revocation) { w.c.Revoked(r) })
	w.c = New(cfg, st, v, w.rev)
	t.Cleanup(func() {
		w.c.Close()
		st.Close()
	})
	return w
}

var testSecret = []byte("0123456789abcdef0123456789abcdef")

// authRows is what auth keeps, in memory.
type authRows struct {
	mu   sync.Mutex
	rows map[string][]byte
}

func (a *authRows) Read(_ context.Context, u im.UserID, key string) ([]byte, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.rows[string(u)+"\x00"+key], nil
}

func (a *authRows) Write(_ context.Context, was *auth.Row, rows ...auth.Row) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if was != nil && string(a.rows[string(was.User)+"\x00"+was.Key]) != string(was.Value) {
		return im.Errorf(im.Conflict, "changed meanwhile")
	}
	for _, r := range rows {
		a.rows[string(r.User)+"\x00"+r.Key] = r.Value
	}
	return nil
}

// client is a signed-in device, and what it is told.
type client struct {
	*Session
	w     *world
	wake  chan struct{}
	ended chan End
	items []Item // taken and not looked at
	last  uint64 // push number of the last one taken
}

// login signs a device in.
func (w *world) login(u im.UserID, device im.DeviceID, change ...func(*Login)) *client {
	w.Helper()
	token, err := w.signer.Sign(auth.Claims{User: u, Expires: w.c.Now().Add(time.Hour)})
	w.ok(err)
	c := &client{w: w, wake: make(chan struct{}, 1), ended: make(chan End, 1)}
	l := Login{Token: token, Door: "native", Device: device,
		Wake: func() {
			select {
			case c.wake <- struct{}{}:
			default:
			}
		},
		Ended: func(e End) { c.ended <- e }}
	for _, f := range change {
		f(&l)
	}
	c.Session, err = w.c.Login(w.Context(), l)
	w.ok(err)
	return c
}

const patience = 10 * time.Second

// next is the next thing the client is told.
func (c *client) next() Item {
	c.w.Helper()
	limit := time.After(patience)
	for len(c.items) == 0 {
		var first uint64
		c.items, first = c.Take(nil, 100, 1<<20)
		if n := len(c.items); n > 0 {
			for _, it := range c.items {
				if it.Signal == nil { // which has no number
					c.last, first = first, first+1
				}
			}
			c.Ack(c.last, nil)
			break
		}
		select {
		case <-c.wake:
		case <-limit:
			c.w.Fatalf("%s/%s is told nothing", c.user, c.device)
		}
	}
	it := c.items[0]
	c.items = c.items[1:]
	return it
}

// until is the first thing that f wants; what comes before it is dropped.
func (c *client) until(f func(Item) bool) Item {
	c.w.Helper()
	for {
		if it := c.next(); f(it) {
			return it
		}
	}
}

// quiet wants that nothing the client is told is f, of what came before a message
// that is sent to make certain.
func (c *client) quiet(f func(Item) bool) {
	c.w.Helper()
	seq := c.w.say("quiet", im.DirectAddress(c.user), "end")
	for {
		it := c.next()
		if it.Msg != nil && string(it.Msg.Body) == "end" && it.Seq == seq {
			return
		}
		if f(it) {
			c.w.Fatalf("%s/%s is told %s %+v", c.user, c.device, it.Addr, it.Event)
		}
	}
}

// as is a session of a user's device that stands outside the hub: it is told nothing.
func (w *world) as(u im.UserID) *Session {
	return &Session{c: w.c, user: u, device: "phone", self: im.DirectAddress(u)}
}

func (w *world) id() im.ClientID { return im.ClientID(fmt.Sprintf("id-%d", w.ids.Add(1))) }

// say sends one message of a user and answers its number.
func (w *world) say(u im.UserID, to im.Address, body string, change ...func(*im.Message)) im.Seq {
	w.Helper()
	return w.from(w.as(u), to, body, change...)
}

// from is say from a device. It goes straight to the store and is offered like any
// other, past the limits of a client.
func (w *world) from(s *Session, to im.Address, body string, change ...func(*im.Message)) im.Seq {
	w.Helper()
	ref, err := s.reach(to)
	w.ok(err)
	m := &im.Message{ID: w.id(), Sender: s.user, Device: s.device, Type: "an:text", Flags: im.DefaultFlags, Body: []byte(body)}
	for _, f := range change {
		f(m)
	}
	blocked := false
	if ref.conv == 0 {
		blocked, err = w.c.blocked(ref.peer, s.user)
		w.ok(err)
	}
	op := &store.AppendOp{Conv: ref.conv, Peer: ref.peer, Guard: ref.head.MVer, Blocked: blocked, Msg: m, Hash: 1, Read: true}
	op.Done = func() {
		if op.Err == nil {
			w.c.spread(s, to, &access{kind: ref.kind, peer: ref.peer}, &Event{Conv: op.At, Seq: op.Seq, Msg: m})
		}
	}
	w.ok(w.c.do(context.Background(), op))
	return op.Seq
}

func (w *world) ok(err error) {
	w.Helper()
	if err != nil {
		w.Fatalf("unexpected error: %v (%v)", err, im.AsError(err).Unwrap())
	}
}

// refused wants an error of a kind, and of a code if one is given.
func (w *world) refused(err error, k im.Kind, code ...im.Code) {
	w.Helper()
	if err == nil {
		w.Fatalf("no error; want %v", k)
	}
	e := im.AsError(err)
	if e.Kind != k || len(code) > 0 && e.Code != code[0] {
		w.Fatalf("error %v %d %q; want %v %v", e.Kind, e.Code, e.Text, k, code)
	}
}

// group makes a group of owner and members.
func (w *world) group(owner im.UserID, members ...im.UserID) im.Address {
	w.Helper()
	g, err := w.as(owner).GroupCreate(w.Context(), NewGroup{ID: w.id(), Name: "test", Members: members})
	w.ok(err)
	w.spreadAll()
	return im.GroupAddress(g.ID)
}

// spreadAll waits until the fan-out has done all that was handed to it, and push knows
// whom to wake.
func (w *world) spreadAll() {
	for _, f := range w.c.fans.workers {
		for busy := true; busy; runtime.Gosched() {
			f.mu.Lock()
			busy = len(f.turns) > 0
			f.mu.Unlock()
		}
	}
	for !w.c.waking.idle() {
		runtime.Gosched()
	}
}

func (w *world) mine(u im.UserID, conv im.Address) im.Mine {
	w.Helper()
	c, err := w.as(u).Conversation(w.Context(), conv)
	w.ok(err)
	return c.Mine
}

// clock is one that tests move.
type clock struct{ at atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.at.Store(1_700_000_000_000)
	return c
}

func (c *clock) Now() time.Time { return time.UnixMilli(c.at.Load()) }

func (c *clock) add(millis int64) { c.at.Add(millis) }

func mention(users ...im.UserID) func(*im.Message) {
	return func(m *im.Message) { m.Mentions = &im.Mentions{Users: users} }
}
