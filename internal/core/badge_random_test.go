package core

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/testkit"
)

// The model of what people have not read: every message with what became of it, every
// member with where he began and how far he has read. Nothing is counted before the
// end, and then message by message.
type ledger struct {
	msgs  []*entry
	in    map[im.UserID]*reader
	owner im.UserID // group; "" = direct
}

type entry struct {
	sender      im.UserID
	flags       im.Flags
	all, wasAll bool // @all now; when it was sent
	names       map[im.UserID]bool
	to          []im.UserID
	gone        bool // recalled, or deleted for all
}

type reader struct {
	in         bool
	from, read im.Seq
	hidden     map[im.Seq]bool
	own        map[im.Seq]bool // sent for him by the app: never unread
	marked     bool
	rang       map[im.Seq]bool // mentions of him, as they stand
	directed   map[im.Seq]bool
}

// tally is what a conversation is to a user.
type unreads struct {
	Unread, All uint64
	Mentions    int
	Read        im.Seq
	Marked      bool
}

func (l *ledger) count(u im.UserID) unreads {
	r := l.in[u]
	n := unreads{Read: r.read, Marked: r.marked}
	for i, e := range l.msgs {
		seq := im.Seq(i + 1)
		if seq <= r.read || e.gone || r.hidden[seq] {
			continue
		}
		counted := e.flags&im.Count != 0 && !r.own[seq]
		switch {
		case e.to == nil:
			if counted {
				n.Unread++
			}
			if e.wasAll && e.all && !r.own[seq] {
				n.All++
			}
		case counted && r.directed[seq]:
			n.Unread++
		}
	}
	for seq := range r.rang {
		if seq > r.read {
			n.Mentions++
		}
	}
	return n
}

// gadget is a device as a client keeps it: the absolute values it was last told, and
// what it counted itself since.
type gadget struct {
	c    *client
	user im.UserID
	name im.DeviceID
	push uint64

	mu   sync.Mutex
	have map[im.Address]*counted
}

// counted is what a device knows of a conversation.
type counted struct {
	unreads
	head  im.Seq  // up to which message it is that
	mver  im.MVer // of its user's membership: what is of an older one is late
	left  bool
	known map[im.Seq]*im.Message // what it has heard
}

func (d *gadget) at(addr im.Address) *counted {
	c := d.have[addr]
	if c == nil {
		c = &counted{}
		d.have[addr] = c
	}
	return c
}

// told takes absolute values over. They are of some message: what it has heard above
// that one is counted once more.
func (c *counted) told(h *im.Head, m *im.Mine, me im.UserID) {
	if m.MVer < c.mver {
		return
	}
	if m.Left {
		*c = counted{left: true, mver: m.MVer, known: c.known} // an answer to a send of after he came back may have been faster
		return
	}
	*c = counted{unreads: unreads{Unread: m.Unread, All: m.UnreadAll, Mentions: m.Mentions, Read: m.Read, Marked: m.Settings.Marked}, head: h.Seq, mver: m.MVer, known: c.known}
	for _, seq := range slices.Sorted(maps.Keys(c.known)) {
		c.hears(c.known[seq], me)
	}
}

// hears counts a message of a conversation above what was last told.
func (c *counted) hears(m *im.Message, me im.UserID) {
	if c.known == nil {
		c.known = map[im.Seq]*im.Message{}
	}
	c.known[m.Seq] = m
	if m.Seq <= c.head {
		return
	}
	c.head = m.Seq
	if m.Sender == me && m.Type != GroupType { // whoever writes has read; where that is not so, the server says it
		c.unreads = unreads{Read: m.Seq, Marked: c.Marked}
		return
	}
	if m.Flags&im.Count != 0 {
		c.Unread++
	}
	if n := m.Mentions; n != nil {
		if n.All && m.To == nil {
			c.All++
		}
		if slices.Contains(n.Users, me) {
			c.Mentions++
		}
	}
}

// sync begins anew from what Sync says.
func (d *gadget) sync() {
	have := map[im.Address]*counted{}
	q := SyncQuery{HeadsOnly: true}
	for {
		a, err := d.c.Sync(context.Background(), q)
		d.c.w.ok(err)
		for _, conv := range a.Conversations {
			c := &counted{}
			c.told(&conv.Head, &conv.Mine, d.user)
			have[conv.Addr] = c
		}
		if q.Token = a.Token; !a.More {
			break
		}
	}
	d.mu.Lock()
	d.have = have
	d.mu.Unlock()
}

// drain takes what there is to take.
func (d *gadget) drain() {
	for {
		items, first := d.c.Take(nil, 100, 1<<20)
		if len(items) == 0 {
			return
		}
		for _, it := range items {
			if it.Signal == nil {
				d.push, first = first, first+1
			}
			if it.Sync {
				d.sync()
				continue
			}
			d.mu.Lock()
			switch {
			case it.Addr == im.Me:
			case it.Msg != nil && it.Seq != 0:
				d.at(it.Addr).hears(it.Msg, d.user)
			case it.Hidden:
				c := d.at(it.Addr)
				c.head = max(c.head, it.Seq)
			case it.State != nil && it.State.Mine != nil:
				h := it.State.Head
				if h == nil {
					h = &im.Head{Seq: d.at(it.Addr).head}
				}
				d.at(it.Addr).told(h, it.State.Mine, d.user)
			}
			d.mu.Unlock()
		}
		d.c.Ack(d.push, nil)
	}
}

// street is the world of the model.
type street struct {
	*world
	rt      *rapid.T
	users   []im.UserID
	gadgets []*gadget
	groups  []im.Address
	books   map[string]*ledger // by name of the conversation
	n       int
}

// book is the ledger of what u calls addr, and who is in it.
func (s *street) book(u im.UserID, addr im.Address) *ledger {
	name := string(addr)
	kind, id, _ := addr.Split()
	if kind == im.Direct {
		pair := []im.UserID{u, im.UserID(id)}
		slices.Sort(pair)
		name = fmt.Sprint(pair)
	}
	l := s.books[name]
	if l == nil {
		l = &ledger{in: map[im.UserID]*reader{}}
		s.books[name] = l
		if kind == im.Direct {
			for _, m := range []im.UserID{u, im.UserID(id)} {
				l.join(m, 1)
			}
		}
	}
	return l
}

func (l *ledger) join(u im.UserID, from im.Seq) {
	r := l.in[u]
	if r == nil {
		r = &reader{hidden: map[im.Seq]bool{}, own: map[im.Seq]bool{}, rang: map[im.Seq]bool{}, directed: map[im.Seq]bool{}}
		l.in[u] = r
	}
	r.in, r.from, r.read = true, from, max(r.read, from-1)
}

// add writes down a message.
func (l *ledger) add(m *im.Message, sender im.UserID, moves bool) {
	e := &entry{sender: sender, flags: m.Flags, to: m.To, names: map[im.UserID]bool{}}
	if m.Mentions != nil {
		e.all, e.wasAll = m.Mentions.All, m.Mentions.All
	}
	l.msgs = append(l.msgs, e)
	seq := im.Seq(len(l.msgs))
	if r := l.in[sender]; r != nil && r.in {
		if moves {
			r.read = seq
		} else {
			r.own[seq] = true
		}
	}
	for _, u := range e.to {
		if r := l.in[u]; r != nil && r.in && u != sender {
			r.directed[seq] = true
		}
	}
	if m.Mentions != nil {
		l.name(seq, m.Mentions.Users)
	}
}

// name gives those their mention who see the message and had none.
func (l *ledger) name(seq im.Seq, users []im.UserID) {
	e := l.msgs[seq-1]
	now := map[im.UserID]bool{}
	for _, u := range users {
		now[u] = true
		if r := l.in[u]; r != nil && !e.names[u] && !r.hidden[seq] && (e.to == nil || u == e.sender || slices.Contains(e.to, u)) {
			r.rang[seq] = true
		}
	}
	for u := range e.names {
		if r := l.in[u]; r != nil && !now[u] {
			delete(r.rang, seq)
		}
	}
	e.names = now
}

func (l *ledger) remove(seq im.Seq) {
	l.msgs[seq-1].gone = true
	for _, r := range l.in {
		delete(r.rang, seq)
	}
}

// Devices of several users send, read, recall, edit, delete, come, go and lose their
// links in any order. In the end every device knows of every conversation what counting
// message by message says, and so do the totals.
func TestF6_UnreadIsRightOnEveryDevice(t *testing.T) {
	steps := 60
	if testkit.Soak(t) {
		steps = 3000
	}
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t, Config{})
		defer w.st.Close()
		defer w.c.Close()
		s := &street{world: w, rt: rt, users: []im.UserID{"u0", "u1", "u2", "u3"}, books: map[string]*ledger{}}
		for i := range 2 {
			g := w.group("u0", s.users[1:3+i]...)
			s.groups = append(s.groups, g)
			l := s.book("u0", g)
			l.owner = "u0"
			l.add(&im.Message{Flags: im.Persist}, "", true)
			for _, u := range s.users[:3+i] {
				l.join(u, 1)
			}
		}
		for i, u := range s.users {
			for j := range 1 + i%2 {
				d := &gadget{user: u, name: im.DeviceID(fmt.Sprint("d", j))}
				s.gadgets = append(s.gadgets, d)
				s.connect(d, false)
			}
		}
		for range steps {
			s.step()
		}
		s.settle()
	})
}

func (s *street) connect(d *gadget, resume bool) {
	var change []func(*Login)
	if resume {
		id := d.c.ID()
		change = append(change, func(l *Login) { l.Resume, l.LastPush = id, d.push })
	}
	d.c = s.login(d.user, d.name, change...)
	if !resume || !d.c.Resumed() {
		d.push = 0
		d.sync()
	}
}

func (s *street) pick(what string, n int) int { return rapid.IntRange(0, n-1).Draw(s.rt, what) }

// some are users in a group or not, or nil.
func (s *street) some(what string) []im.UserID {
	var users []im.UserID
	for _, u := range s.users {
		if rapid.Bool().Draw(s.rt, what) {
			users = append(users, u)
		}
	}
	return users
}

func (s *street) step() {
	rt := s.rt
	d := s.gadgets[s.pick("device", len(s.gadgets))]
	act := rapid.SampledFrom([]string{"send", "send", "send", "send", "app", "read", "read", "recall", "edit", "mine", "all", "add", "remove", "mark", "take", "drop", "resume", "again"}).Draw(rt, "act")
	if d.c.over.Load() && act != "again" {
		act = "resume"
	}
	to := im.Address("")
	if k := s.pick("to", len(s.groups)+len(s.users)); k < len(s.groups) {
		to = s.groups[k]
	} else {
		to = im.DirectAddress(s.users[k-len(s.groups)])
	}
	l := s.book(d.user, to)
	me := l.in[d.user]
	switch act {
	case "take":
		d.drain()
		return
	case "drop":
		d.c.Detach()
		return
	case "resume":
		d.c.Detach()
		s.connect(d, true)
		return
	case "again":
		d.c.Close()
		s.connect(d, false)
		return
	case "add", "remove":
		s.member(s.groups[s.pick("group", len(s.groups))], s.users[1+s.pick("who", len(s.users)-1)], act == "add")
		return
	}
	if me == nil || !me.in {
		return
	}
	switch act {
	case "send":
		s.say(d.c.Session, l, to)
	case "app":
		app, err := s.c.Act(d.user, "")
		s.ok(err)
		s.say(app, l, to)
	}
	if len(l.msgs) == 0 {
		return
	}
	seq := im.Seq(1 + s.pick("number", len(l.msgs)))
	e := l.msgs[seq-1]
	see := seq >= me.from && !e.gone && !me.hidden[seq] && e.sender != "" && (e.to == nil || e.sender == d.user || slices.Contains(e.to, d.user))
	switch act {
	case "read":
		m, err := d.c.Read(context.Background(), to, seq)
		s.ok(err)
		me.read, me.marked = max(me.read, seq), false
		s.answered(d, to, m)
	case "mark":
		m, err := d.c.Set(context.Background(), to, im.SettingsPatch{Marked: ptr(true)})
		s.ok(err)
		me.marked = true
		s.answered(d, to, m)
	case "recall":
		if !see || e.sender != d.user {
			return
		}
		_, err := d.c.Recall(context.Background(), RecallRequest{Conv: to, Seq: seq})
		s.ok(err)
		l.remove(seq)
	case "edit":
		if !see || e.sender != d.user {
			return
		}
		mentions := &im.Mentions{All: rapid.Bool().Draw(rt, "still all") && l.owner != "", Users: s.some("named now")}
		_, err := d.c.Edit(context.Background(), EditRequest{Conv: to, Seq: seq, Body: []byte("edited"), Mentions: mentions})
		s.ok(err)
		e.all = e.all && mentions.All
		l.name(seq, mentions.Users)
	case "mine":
		last := min(seq+im.Seq(s.pick("more", 4)), im.Seq(len(l.msgs)))
		a, err := d.c.Delete(context.Background(), DeleteRequest{Conv: to, Range: im.SeqRange{From: seq, To: last}})
		s.ok(err)
		for n := seq; n <= last; n++ {
			me.hidden[n] = true
			delete(me.rang, n)
		}
		s.answered(d, to, a.Mine)
	case "all":
		if !see || e.sender != d.user {
			return
		}
		_, err := d.c.Delete(context.Background(), DeleteRequest{Conv: to, Seqs: []im.Seq{seq}, ForAll: true})
		s.ok(err)
		l.remove(seq)
	}
}

// answered is what the device is told in the answer to what it asked: the newest there
// is, as of some message it may not have heard of yet.
func (s *street) answered(d *gadget, to im.Address, m im.Mine) {
	d.drain()
	c, err := d.c.Conversation(context.Background(), to)
	s.ok(err)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.at(to).told(&c.Head, &c.Mine, d.user)
}

func (s *street) say(from *Session, l *ledger, to im.Address) {
	rt := s.rt
	s.n++
	m := text(im.ClientID(fmt.Sprint("m", s.n)), fmt.Sprint(s.n))
	m.Flags = rapid.SampledFrom([]im.Flags{3, 3, 3, im.Persist, 0}).Draw(rt, "flags")
	if l.owner != "" {
		switch s.pick("kind", 5) {
		case 0:
			m.Mentions = &im.Mentions{All: true}
		case 1:
			m.To = s.some("for")
		}
	}
	if named := s.some("named"); len(named) > 0 && s.pick("names", 3) == 0 {
		if m.Mentions == nil {
			m.Mentions = &im.Mentions{}
		}
		m.Mentions.Users = named
	}
	if len(m.To) == 0 {
		m.To = nil
	}
	kept := *m
	snd := &Send{To: to, Msg: m, HasFlags: true}
	s.ok(from.SendWait(context.Background(), snd))
	if int(snd.Seq) != len(l.msgs)+1 {
		s.rt.Fatalf("number %d after %d", snd.Seq, len(l.msgs))
	}
	kept.Flags, _ = kept.Flags.Check()
	l.add(&kept, from.user, !from.app)
	if from.box == nil {
		return
	}
	for _, d := range s.gadgets {
		if d.c.Session == from { // SENDACK stands for the event
			d.mu.Lock()
			c := d.at(to)
			own := kept
			own.Seq, own.Sender = snd.Seq, from.user
			c.hears(&own, d.user)
			d.mu.Unlock()
		}
	}
}

func (s *street) member(g im.Address, u im.UserID, add bool) {
	l := s.book("u0", g)
	r := l.in[u]
	in := r != nil && r.in
	if in == add {
		return
	}
	boss := s.as("u0")
	var a GroupChanged
	var err error
	if add {
		a, err = boss.GroupAdd(context.Background(), g, []im.UserID{u})
	} else {
		a, err = boss.GroupRemove(context.Background(), g, []im.UserID{u})
	}
	s.ok(err)
	l.add(&im.Message{Flags: im.Persist}, "", true)
	if int(a.Seq) != len(l.msgs) {
		s.rt.Fatalf("number %d after %d", a.Seq, len(l.msgs)-1)
	}
	if add {
		l.join(u, a.Seq)
	} else {
		r.in = false
	}
}

// settle lets every device take all there is until it knows what the model says.
func (s *street) settle() {
	for _, d := range s.gadgets {
		if d.c.over.Load() {
			s.connect(d, true)
		}
	}
	limit := time.Now().Add(patience)
	for {
		why := ""
		for _, d := range s.gadgets {
			d.drain()
			if why == "" {
				why = s.differs(d)
			}
		}
		if why == "" {
			break
		}
		if time.Now().After(limit) {
			s.rt.Fatal(why)
		}
		time.Sleep(time.Millisecond)
	}
	for _, u := range s.users {
		s.totals(u)
	}
}

// rooms are the conversations that u is in, by address.
func (s *street) rooms(u im.UserID) map[im.Address]*ledger {
	rooms := map[im.Address]*ledger{}
	for _, g := range s.groups {
		if l := s.book("u0", g); l.in[u] != nil && l.in[u].in {
			rooms[g] = l
		}
	}
	for _, o := range s.users {
		if l := s.book(u, im.DirectAddress(o)); len(l.msgs) > 0 {
			rooms[im.DirectAddress(o)] = l
		}
	}
	return rooms
}

// differs says where a device knows something else than the model; "" = nowhere.
func (s *street) differs(d *gadget) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	rooms := s.rooms(d.user)
	for addr, l := range rooms {
		if got, want := d.at(addr).unreads, l.count(d.user); got != want {
			m := s.mine(d.user, addr)
			return fmt.Sprintf("%s/%s in %s: %+v; want %+v; the server says %+v", d.user, d.name, addr, got, want, m)
		}
	}
	for addr, c := range d.have {
		if addr != im.Me && rooms[addr] == nil && !c.left && (c.head != 0 || c.Unread != 0) {
			return fmt.Sprintf("%s/%s still has %s", d.user, d.name, addr)
		}
	}
	return ""
}

// totals compares what Unread says with the sum of the model.
func (s *street) totals(u im.UserID) {
	want := Unread{ByKind: map[im.ConvKind]uint64{}}
	for addr, l := range s.rooms(u) {
		n := l.count(u)
		kind, _, _ := addr.Split()
		want.Messages += n.Unread
		want.All += n.All
		want.Mentions += n.Mentions
		switch {
		case n.Unread > 0:
			want.Conversations++
			want.ByKind[kind] += n.Unread
		case n.Marked:
			want.Marked++
		}
	}
	got, err := s.as(u).Unread(context.Background(), Filter{})
	s.ok(err)
	if got.Messages != want.Messages || got.All != want.All || got.Mentions != want.Mentions || got.Conversations != want.Conversations ||
		got.Marked != want.Marked || !maps.Equal(got.ByKind, want.ByKind) {
		s.rt.Fatalf("%s: %+v; want %+v", u, got, want)
	}
}
