package core

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/testkit"
)

// device is a client that is modelled: what it has of each conversation, and what is
// still on its way to it.
type device struct {
	c    *client
	user im.UserID
	name im.DeviceID
	wire []wired // taken by the door, not yet received
	push uint64  // the last one received

	mu   sync.Mutex // what Done tells comes from the store
	have map[im.Address]*holding
}

type wired struct {
	Item
	push uint64
}

// holding is what a device has of a conversation since it last asked Sync.
type holding struct {
	base, baseVer im.Seq // settled by Sync (baseVer is a Ver)
	seqs          map[im.Seq]int
	own           map[im.Seq]bool
	vers          map[im.Ver]int
	joined        bool // membership moved since: changes are not looked at
}

func (d *device) holding(addr im.Address) *holding {
	h := d.have[addr]
	if h == nil {
		h = &holding{seqs: map[im.Seq]int{}, own: map[im.Seq]bool{}, vers: map[im.Ver]int{}}
		d.have[addr] = h
	}
	return h
}

// town is a world of devices that stop, lose and come back.
type town struct {
	*world
	rt      *rapid.T
	users   []im.UserID
	groups  []im.Address
	devices []*device
	n       int
}

func (tw *town) connect(d *device, resume bool) {
	var change []func(*Login)
	if resume {
		id := d.c.ID()
		change = append(change, func(l *Login) { l.Resume, l.LastPush = id, d.push })
	}
	old := d.c
	d.wire = nil
	d.c = tw.login(d.user, d.name, change...)
	if resume && d.c.Resumed() {
		if old.ID() == d.c.ID() {
			tw.rt.Fatal("the id of the session did not change")
		}
		if tw.n%2 == 0 {
			d.c.Confirm()
		}
		return
	}
	d.push = 0
	d.sync()
}

// sync begins anew from what Sync says.
func (d *device) sync() {
	d.mu.Lock()
	d.have = map[im.Address]*holding{}
	d.mu.Unlock()
	q := SyncQuery{HeadsOnly: true}
	for {
		a, err := d.c.Sync(context.Background(), q)
		d.c.w.ok(err)
		d.mu.Lock()
		for _, conv := range a.Conversations {
			h := d.holding(conv.Addr)
			h.base, h.baseVer = max(h.base, conv.Head.Seq), max(h.baseVer, im.Seq(conv.Head.Ver))
		}
		d.mu.Unlock()
		if q.Token = a.Token; !a.More {
			return
		}
	}
}

// take lets the door take what there is.
func (d *device) take(most int) int {
	items, first := d.c.Take(nil, most, 64<<10)
	for _, it := range items {
		w := wired{Item: it}
		if it.Signal == nil {
			w.push = first
			first++
		}
		d.wire = append(d.wire, w)
	}
	return len(items)
}

// receive takes n events off the wire.
func (d *device) receive(rt *rapid.T, n int) {
	n = min(n, len(d.wire))
	for _, it := range d.wire[:n] {
		if it.push != 0 {
			if it.push != d.push+1 {
				rt.Fatalf("%s/%s: push %d after %d", d.user, d.name, it.push, d.push)
			}
			d.push = it.push
		}
		if it.Sync {
			d.sync()
			continue
		}
		d.mu.Lock()
		h := d.holding(it.Addr)
		switch {
		case it.Seq != 0:
			h.seqs[it.Seq]++
			if h.seqs[it.Seq] > 1 {
				rt.Fatalf("%s/%s is told number %d of %s twice", d.user, d.name, it.Seq, it.Addr)
			}
		case it.Ver != 0:
			h.vers[it.Ver]++
			if h.vers[it.Ver] > 1 {
				rt.Fatalf("%s/%s is told change %d of %s twice", d.user, d.name, it.Ver, it.Addr)
			}
		case it.State != nil && it.State.Mine != nil && it.Addr[0] == 'g':
			h.joined = true
		}
		d.mu.Unlock()
	}
	d.wire = append(d.wire[:0:0], d.wire[n:]...)
}

func (d *device) ack() { d.c.Ack(d.push, nil) }

// burst sends n messages and waits for the outcomes.
func (tw *town) burst(d *device, to im.Address, n int) {
	var wg sync.WaitGroup
	wg.Add(n)
	for range n {
		tw.n++
		d.c.Send(&Send{To: to, Msg: text(im.ClientID(fmt.Sprint("m", tw.n)), fmt.Sprint(tw.n)), Done: func(s *Send) {
			if s.Err == nil {
				d.mu.Lock()
				d.holding(to).own[s.Seq] = true
				d.mu.Unlock()
			} else if s.Err.Kind != im.NotFound { // not in the group just now
				tw.Errorf("%s to %s: %v", d.user, to, s.Err)
			}
			wg.Done()
		}})
	}
	wg.Wait()
}

// complete says what a device still lacks; "" = nothing.
func (tw *town) lacks(d *device) string {
	a, err := tw.as(d.user).Sync(context.Background(), SyncQuery{HeadsOnly: true, Limit: 1000})
	tw.ok(err)
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, conv := range a.Conversations {
		h := d.holding(conv.Addr)
		for n := max(h.base, conv.Mine.From-1) + 1; n <= conv.Head.Seq; n++ {
			if h.seqs[n] == 0 && !h.own[n] {
				return fmt.Sprintf("%s/%s lacks number %d of %s (head %d, base %d)", d.user, d.name, n, conv.Addr, conv.Head.Seq, h.base)
			}
		}
		if h.joined {
			continue
		}
		for v := im.Ver(h.baseVer) + 1; v <= conv.Head.Ver; v++ {
			if h.vers[v] == 0 {
				return fmt.Sprintf("%s/%s lacks change %d of %s (head %d)", d.user, d.name, v, conv.Addr, conv.Head.Ver)
			}
		}
	}
	return ""
}

// Devices stop reading, lose what was written, come back and sign in anew while
// people talk, alter messages and come and go. In the end each device has been told
// every number and every change, and none twice within a session.
func TestDevicesMissNothing(t *testing.T) {
	steps := 30
	if testkit.Soak(t) {
		steps = 2000
	}
	rapid.Check(t, func(rt *rapid.T) {
		budget := rapid.SampledFrom([]int64{0, 0, 512 << 10}).Draw(rt, "budget")
		w := newWorld(t, Config{OutboxBytes: budget})
		defer w.st.Close()
		defer w.c.Close()
		w.c.fans.most = rapid.SampledFrom([]int{maxJobs, maxJobs, 0, 5}).Draw(rt, "fan-out room")
		tw := &town{world: w, rt: rt, users: []im.UserID{"u0", "u1", "u2", "u3"}}
		tw.groups = []im.Address{w.group("u0", "u1", "u2", "u3"), w.group("u1", "u0", "u2")}
		for i, u := range tw.users {
			for j := range 1 + i%2 {
				d := &device{user: u, name: im.DeviceID(fmt.Sprint("d", j)), have: map[im.Address]*holding{}}
				tw.devices = append(tw.devices, d)
				tw.connect(d, false)
			}
		}
		for range steps {
			tw.step()
		}
		tw.finish()
	})
}

// finish lets all devices read until none lacks anything.
func (tw *town) finish() {
	deadline := time.Now().Add(patience)
	for {
		why := ""
		for _, d := range tw.devices {
			if d.c.over.Load() {
				tw.connect(d, true)
			}
			d.take(100)
			d.receive(tw.rt, 1000)
			d.ack()
			if why == "" {
				why = tw.lacks(d)
			}
		}
		if why == "" {
			return
		}
		if time.Now().After(deadline) {
			tw.rt.Fatalf("%s; %+v", why, tw.c.Stats())
		}
	}
}

func (tw *town) step() {
	rt := tw.rt
	d := tw.devices[rapid.IntRange(0, len(tw.devices)-1).Draw(rt, "device")]
	peer := tw.users[rapid.IntRange(0, len(tw.users)-1).Draw(rt, "peer")]
	g := tw.groups[rapid.IntRange(0, len(tw.groups)-1).Draw(rt, "group")]
	act := rapid.SampledFrom([]string{"talk", "talk", "talk", "burst", "take", "take", "receive", "ack", "drop", "resume", "again", "edit", "remove", "add", "type"}).Draw(rt, "act")
	n := rapid.IntRange(1, 40).Draw(rt, "n")
	if d.c.over.Load() && (act == "talk" || act == "burst" || act == "edit" || act == "type") {
		act = "resume"
	}
	to := g
	if n%3 == 0 {
		to = im.DirectAddress(peer)
	}
	switch act {
	case "talk":
		tw.burst(d, to, n)
	case "burst":
		tw.burst(d, to, 900)
	case "take":
		d.take(n * 5)
	case "receive":
		d.take(n * 5)
		d.receive(rt, n*4)
	case "ack":
		d.ack()
	case "drop":
		d.c.Detach()
	case "resume":
		if n%4 != 0 {
			d.c.Detach() // else the old link is still there
		}
		old := d.c
		tw.connect(d, true)
		if n%4 == 0 && !old.over.Load() {
			rt.Fatal("the link whose place was taken goes on")
		}
	case "again":
		d.c.Close()
		tw.connect(d, false)
	case "edit":
		tw.edit(d, to, n)
	case "type":
		_ = d.c.Signal(to, im.Signal{Kind: "typing"}) // may be too fast, or not in the group
	case "remove", "add":
		tw.member(g, peer, act == "add")
	}
}

// edit alters the newest message of one's own.
func (tw *town) edit(d *device, conv im.Address, n int) {
	r, _, err := tw.as(d.user).Page(context.Background(), PageQuery{Conv: conv, Backward: true, Limit: 50})
	if err != nil {
		return // not in it, or it has not begun
	}
	for _, m := range slices.Backward(r.Messages) {
		if m.Sender == d.user && m.Type != GroupType {
			tw.n++
			ch, err := tw.as(d.user).Edit(context.Background(), EditRequest{Conv: conv, Seq: m.Seq, ID: im.ClientID(fmt.Sprint("e", tw.n)), Body: []byte("edited")})
			if err != nil || ch.Ver == 0 {
				tw.rt.Fatalf("edit: %v", err)
			}
			return
		}
	}
}

// member puts somebody into a group or takes him out.
func (tw *town) member(g im.Address, u im.UserID, in bool) {
	owner := im.UserID("u0")
	if g == tw.groups[1] {
		owner = "u1"
	}
	if u == owner {
		return
	}
	var err error
	if in {
		_, err = tw.as(owner).GroupAdd(context.Background(), g, []im.UserID{u})
	} else {
		_, err = tw.as(owner).GroupRemove(context.Background(), g, []im.UserID{u})
	}
	if err != nil && !im.IsKind(err, im.NotFound) && !im.IsKind(err, im.Conflict) && !im.IsKind(err, im.Invalid) {
		tw.rt.Fatalf("%v", err)
	}
	for _, d := range tw.devices {
		if d.user == u {
			d.mu.Lock()
			d.holding(g).joined = true
			d.mu.Unlock()
		}
	}
}
