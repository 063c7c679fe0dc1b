package core

import (
	"slices"
	"sync"
	"time"

	"github.com/anser-im/anser/internal/hub"
	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// Sizes of groups. Up to crowdFrom members the list of members is kept and sessions
// are found by user; above, the sessions that are here. Above hugeFrom, and in crowds
// that are hot, only the head is told and clients fetch.
const (
	crowdFrom = 500
	crowdEnds = 400 // below it a crowd is a list again
	hugeFrom  = 10_000

	hotRate  = 20 // messages a second, for hotAfter, make a crowd hot
	coolRate = 10
	hotAfter = 5 // seconds

	maxSeats = 1 << 19 // members of lists in memory, for each worker
)

// gather is a group as its worker knows it: as of the last membership change it has
// taken. Owned by the worker.
type gather struct {
	conv    im.ConvID
	addr    im.Address
	mver    im.MVer  // of the last change that the members show
	members []member // by user; none in a crowd
	crowd   *crowd   // nil: members are listed

	second int64 // the second that count is of
	count  int
	heat   int // seconds in a row above hotRate (or below coolRate, negative)
	hot    bool

	skipped bool // numbers were not told since the head was
}

type member struct {
	user im.UserID
	from im.Seq
}

// crowd is who of a large group has a session here.
type crowd struct {
	conv im.ConvID

	mu    sync.Mutex
	seats map[*hub.Session]im.Seq // guarded by mu: from which number on
	list  []seat                  // guarded by mu: the same to iterate over, not altered once made; nil = to be made
}

type seat struct {
	box  *hub.Session
	from im.Seq
}

func (cr *crowd) add(box *hub.Session, from im.Seq) {
	cr.mu.Lock()
	defer cr.mu.Unlock()
	cr.seats[box], cr.list = from, nil
}

func (cr *crowd) remove(box *hub.Session) {
	cr.mu.Lock()
	defer cr.mu.Unlock()
	if _, ok := cr.seats[box]; ok {
		delete(cr.seats, box)
		cr.list = nil
	}
}

func (cr *crowd) all() []seat {
	cr.mu.Lock()
	defer cr.mu.Unlock()
	if cr.list == nil {
		cr.list = make([]seat, 0, len(cr.seats))
		for box, from := range cr.seats {
			cr.list = append(cr.list, seat{box, from})
		}
	}
	return cr.list
}

// gather finds the group, and reads who is in it if it is not in memory. nil: there is
// no such group.
func (w *fan) gather(conv im.ConvID) (*gather, error) {
	if g := w.groups[conv]; g != nil {
		return g, nil
	}
	head, ok := w.c.st.Head(conv)
	if !ok || head.Kind != im.Group {
		return nil, nil
	}
	g := &gather{conv: conv, addr: im.GroupAddress(head.Group), mver: head.MVer}
	var err error
	if head.Members > crowdFrom {
		err = w.assemble(g, &head)
	} else {
		err = w.list(g)
	}
	if err != nil {
		return nil, err
	}
	for old := range w.groups { // the lists have a bound: an arbitrary one makes room
		if w.seats+len(g.members) <= maxSeats {
			break
		}
		w.forget(old)
	}
	w.groups[conv] = g
	w.seats += len(g.members)
	return g, nil
}

// forget drops what is known of a group; a crowd stays, since sessions enter it.
func (w *fan) forget(conv im.ConvID) {
	if g := w.groups[conv]; g != nil && g.crowd == nil {
		w.seats -= len(g.members)
		delete(w.groups, conv)
	}
}

const memberChunk = 1000

// list reads the members.
func (w *fan) list(g *gather) error {
	g.members = nil
	for after := im.UserID(""); ; {
		rows, err := w.c.st.Members(g.conv, after, memberChunk)
		if err != nil {
			return err
		}
		for i := range rows {
			g.members = append(g.members, member{rows[i].User, rows[i].From})
			after = rows[i].User
		}
		if len(rows) < memberChunk {
			return nil
		}
	}
}

// assemble makes the crowd of a large group: who is here and in it. A session that
// enters the hub meanwhile sees the crowd and enters it itself.
func (w *fan) assemble(g *gather, head *store.Head) error {
	cr := &crowd{conv: g.conv, seats: map[*hub.Session]im.Seq{}}
	f := &w.c.fans
	f.mu.Lock()
	f.crowds[g.conv] = cr
	f.mu.Unlock()
	var err error
	if w.c.hub.Live() < head.Members {
		w.c.hub.Users(func(u im.UserID) bool {
			var row store.Row
			if row, _, err = w.c.st.Row(g.conv, u); err == nil && row.In() {
				w.seat(cr, u, row.From)
			}
			return err == nil
		})
	} else {
		all := &gather{conv: g.conv}
		if err = w.list(all); err == nil {
			for _, m := range all.members {
				w.seat(cr, m.user, m.from)
			}
		}
	}
	if err != nil {
		f.disband(g.conv)
		return err
	}
	g.members, g.crowd = nil, cr
	return nil
}

// seat puts u's sessions into a crowd.
func (w *fan) seat(cr *crowd, u im.UserID, from im.Seq) {
	for _, box := range w.c.hub.Sessions(u) {
		cr.add(box, from)
		if box.Gone() {
			cr.remove(box)
		}
	}
}

func (f *fans) disband(conv im.ConvID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.crowds, conv)
}

// fewCrowds is up to how many crowds a new session looks for itself one by one.
const fewCrowds = 32

// enter puts a session that has just entered the hub into the crowds it belongs to.
func (f *fans) enter(box *hub.Session) error {
	f.mu.RLock()
	if len(f.crowds) == 0 {
		f.mu.RUnlock()
		return nil
	}
	all := make(map[im.ConvID]*crowd, len(f.crowds))
	for conv, cr := range f.crowds {
		all[conv] = cr
	}
	f.mu.RUnlock()
	st := f.c.st
	if len(all) <= fewCrowds {
		for _, cr := range all {
			row, _, err := st.Row(cr.conv, box.User)
			if err == nil && row.In() {
				err = f.sit(cr, box, row.From)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	for after := im.ConvID(0); ; {
		rows, err := st.Rows(box.User, after, memberChunk)
		if err != nil {
			return err
		}
		for i := range rows {
			after = rows[i].Conv
			if cr := all[after]; cr != nil && rows[i].In() {
				if err := f.sit(cr, box, rows[i].From); err != nil {
					return err
				}
			}
		}
		if len(rows) < memberChunk {
			return nil
		}
	}
}

// sit enters a crowd. If the user left while it was looked up, its worker may have
// been through with that already: so it is looked up once more.
func (f *fans) sit(cr *crowd, box *hub.Session, from im.Seq) error {
	cr.add(box, from)
	row, _, err := f.c.st.Row(cr.conv, box.User)
	if err != nil || !row.In() || box.Gone() {
		cr.remove(box)
	}
	return err
}

// left takes a session that has ended out of all crowds, and ends its watches.
func (c *Core) left(box *hub.Session) {
	c.watches.left(box)
	f := &c.fans
	f.mu.RLock()
	defer f.mu.RUnlock()
	for _, cr := range f.crowds {
		cr.remove(box)
	}
}

// spread offers ev to who is in g and here.
func (w *fan) spread(g *gather, ev *hub.Event, from hub.Owner) {
	if g.crowd != nil && w.headsOnly(g, ev) {
		return
	}
	v := variants{ev: ev}
	if g.crowd != nil {
		if ev.Signal != nil {
			return
		}
		for _, s := range g.crowd.all() {
			w.give(s.box, g.addr, &v, s.from, from)
		}
		w.wakeNamed(g, ev)
		if recounts(ev) {
			w.recount(g)
		}
		return
	}
	wake := w.c.cfg.Waker != nil && ev.Msg != nil && ev.Seq != 0
	for _, m := range g.members {
		online := false
		for _, box := range w.c.hub.Sessions(m.user) {
			online = online || box.Live()
			w.give(box, g.addr, &v, m.from, from)
		}
		if wake && !online && ev.Seq >= m.from && ev.Msg.VisibleTo(m.user) {
			w.c.wake(m.user, ev)
		}
	}
	if recounts(ev) {
		w.recount(g)
	}
}

// recount has everybody who is here told what he has not read. Where only heads are
// told, who wants to know asks.
func (w *fan) recount(g *gather) {
	if g.crowd != nil {
		if head, ok := w.c.st.Head(g.conv); ok && w.byHead(g, &head) {
			return
		}
		for _, s := range g.crowd.all() {
			w.c.mineMoved(s.box.User, g.conv, nil)
		}
		return
	}
	for _, m := range g.members {
		if len(w.c.hub.Sessions(m.user)) > 0 { // also one that will be resumed
			w.c.mineMoved(m.user, g.conv, nil)
		}
	}
}

// give offers what a member is told of an event.
func (w *fan) give(box *hub.Session, addr im.Address, v *variants, from im.Seq, except hub.Owner) {
	if v.ev.Seq != 0 && v.ev.Seq < from {
		return
	}
	if ev := v.of(w.c, box.User, from); ev != nil {
		box.Offer(addr, ev, except)
	}
}

// wakeNamed wakes those whom a message in a crowd names: the others are too many.
func (w *fan) wakeNamed(g *gather, ev *hub.Event) {
	if w.c.cfg.Waker == nil || ev.Msg == nil || ev.Seq == 0 || ev.Msg.Mentions == nil {
		return
	}
	for _, u := range ev.Msg.Mentions.Users {
		if w.c.hub.Online(u) || !ev.Msg.VisibleTo(u) {
			continue
		}
		if row, _, err := w.c.st.Row(g.conv, u); err == nil && row.In() && ev.Seq >= row.From {
			w.c.wake(u, ev)
		}
	}
}

// headsOnly says that ev is not told as such, since the crowd is too large or too hot:
// its head is, with others that move until the next tick.
func (w *fan) headsOnly(g *gather, ev *hub.Event) bool {
	if ev.Seq != 0 {
		g.warm(w.c.Now())
	}
	head, ok := w.c.st.Head(g.conv)
	if !ok || !w.byHead(g, &head) {
		if g.skipped { // before numbers come again, those that were not told
			delete(w.moved, g.conv)
			w.tellHead(g)
		}
		return false
	}
	if ev.Seq != 0 || ev.Ver != 0 {
		g.skipped = true
		w.headMoved(g)
		w.wakeNamed(g, ev)
	}
	return true
}

// warm counts a message at now.
func (g *gather) warm(now time.Time) {
	if s := now.Unix(); s != g.second {
		switch {
		case g.second != 0 && s-g.second == 1 && g.count > hotRate:
			g.heat = max(g.heat, 0) + 1
		case g.second != 0 && s-g.second == 1 && g.count >= coolRate:
			g.heat = 0
		default:
			g.heat = min(g.heat, 0) - int(min(max(s-g.second, 1), hotAfter))
		}
		g.second, g.count = s, 0
		switch {
		case g.heat >= hotAfter:
			g.hot = true
		case g.heat <= -hotAfter:
			g.hot = false
		}
	}
	g.count++
}

// headMoved has the head of a crowd told with the next tick.
func (w *fan) headMoved(g *gather) {
	w.moved[g.conv] = g
	w.mu.Lock()
	w.heads = true
	w.mu.Unlock()
}

// tellHeads tells crowds that only hear of their head how far it has got.
func (w *fan) tellHeads() {
	for conv, g := range w.moved {
		delete(w.moved, conv)
		w.tellHead(g)
	}
}

func (w *fan) tellHead(g *gather) {
	head, ok := w.c.st.Head(g.conv)
	if !ok || g.crowd == nil {
		return
	}
	g.skipped = false
	h := headOf(&head)
	ev := &hub.Event{Conv: g.conv, State: &im.State{Head: &h}}
	for _, s := range g.crowd.all() {
		s.box.Offer(g.addr, ev, nil)
	}
}

// catchUp has everybody in the group fed with what the worker's queue had no room
// for.
func (w *fan) catchUp(conv im.ConvID, gone lost) error {
	if gone.reload {
		if g := w.groups[conv]; g != nil && g.crowd != nil {
			w.c.fans.disband(conv)
			delete(w.groups, conv)
			delete(w.moved, conv) // some of the old crowd may have left
		}
		w.forget(conv)
	}
	g, err := w.gather(conv)
	if err != nil || g == nil {
		return err
	}
	for u, mver := range gone.out {
		row, _, err := w.c.st.Row(conv, u)
		if err != nil {
			return err
		}
		if !row.In() {
			w.tellLeft(g, u, mver)
		}
	}
	if head, ok := w.c.st.Head(conv); ok && w.byHead(g, &head) {
		g.skipped = true
		w.headMoved(g)
		return nil
	}
	give := func(box *hub.Session, from im.Seq) {
		box.Lack(g.conv, max(gone.first, from), gone.last, gone.from, gone.to, gone.state || gone.reload)
	}
	if g.crowd != nil {
		for _, s := range g.crowd.all() {
			give(s.box, s.from)
		}
		return nil
	}
	for _, m := range g.members {
		for _, box := range w.c.hub.Sessions(m.user) {
			give(box, m.from)
		}
	}
	return nil
}

// membership takes the outcome of a durable membership change. It is called from the
// completion, in the order of commits.
func (c *Core) membership(op *store.MemberOp) {
	c.marks.membership(op)
	c.fans.offer(op.At, job{op: op})
}

// change applies a membership change in its turn, tells those it came upon what they
// are now, and everybody what happened.
func (w *fan) change(op *store.MemberOp) error {
	g, err := w.gather(op.At)
	if err != nil || g == nil {
		return err
	}
	if op.MVer > g.mver {
		if err := w.apply(g, op); err != nil {
			return err
		}
		g.mver = op.MVer
	}
	told := map[im.UserID]bool{}
	for _, u := range op.Gone {
		told[u] = true
		w.tellLeft(g, u, op.MVer)
	}
	for _, set := range op.Set {
		if told[set.User] || set.Role == im.NoRole || len(w.c.hub.Sessions(set.User)) == 0 {
			continue
		}
		head, row, err := w.c.at(g.conv, set.User)
		if err != nil {
			return err
		}
		if !row.In() { // he has left again: he hears of that in its turn
			continue
		}
		mine, err := w.c.mineOf(&head, &row)
		if err != nil {
			return err
		}
		h := headOf(&head)
		w.c.hub.Offer(set.User, g.addr, &hub.Event{Conv: g.conv, State: &im.State{Head: &h, Mine: &mine}}, nil)
	}
	if op.Msg == nil && g.crowd != nil { // no message says it: the head's MVer does
		w.headMoved(g)
	}
	if op.Msg != nil && op.Seq != 0 {
		w.spread(g, &hub.Event{Conv: g.conv, Seq: op.Seq, Msg: op.Msg}, nil)
	}
	return nil
}

// tellLeft tells u that he is no longer in g.
func (w *fan) tellLeft(g *gather, u im.UserID, mver im.MVer) {
	w.c.hub.Offer(u, g.addr, &hub.Event{Conv: g.conv, State: &im.State{Mine: &im.Mine{Left: true, MVer: mver}}}, nil)
}

// byHead says whether only the head of g is told.
func (w *fan) byHead(g *gather, head *store.Head) bool {
	return g.crowd != nil && (g.hot || head.Members > hugeFrom)
}

// apply makes g's members those after op.
func (w *fan) apply(g *gather, op *store.MemberOp) error {
	before := len(g.members)
	for _, u := range op.New {
		row, _, err := w.c.st.Row(g.conv, u)
		if err != nil {
			return err
		}
		if !row.In() { // has left again, which comes later
			continue
		}
		if g.crowd != nil {
			w.seat(g.crowd, u, row.From)
		} else if i, found := slices.BinarySearchFunc(g.members, u, byUser); !found {
			g.members = slices.Insert(g.members, i, member{u, row.From})
		} else {
			g.members[i].from = row.From
		}
	}
	for _, u := range op.Gone {
		if g.crowd != nil {
			for _, box := range w.c.hub.Sessions(u) {
				g.crowd.remove(box)
			}
		} else if i, found := slices.BinarySearchFunc(g.members, u, byUser); found {
			g.members = slices.Delete(g.members, i, i+1)
		}
	}
	w.seats += len(g.members) - before
	head, ok := w.c.st.Head(g.conv)
	switch {
	case !ok:
	case g.crowd == nil && len(g.members) > crowdFrom:
		members := g.members
		if err := w.assemble(g, &head); err != nil {
			g.members = members
			return err
		}
		w.seats -= len(members)
	case g.crowd != nil && head.Members < crowdEnds:
		if err := w.list(g); err != nil {
			return err
		}
		if g.skipped { // who was told heads only hears the last one before numbers
			w.tellHead(g)
		}
		delete(w.moved, g.conv)
		w.c.fans.disband(g.conv)
		g.crowd, g.hot, g.heat = nil, false, 0
		w.seats += len(g.members)
	}
	return nil
}

func byUser(m member, u im.UserID) int {
	switch {
	case m.user < u:
		return -1
	case m.user > u:
		return 1
	}
	return 0
}
