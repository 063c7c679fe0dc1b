package client

import (
	"cmp"
	"container/list"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/anser-im/anser/wire"
)

// Limits of the outbox.
const (
	defaultOutbox  = 10_000             // messages
	maxOutboxBytes = 64 << 20           // of them all
	maxAge         = 6 * 24 * time.Hour // the server knows a client id for at least 7 days: an older one might be stored twice
	maxInternal    = 3                  // times a send is repeated that the server failed at
	maxDeaths      = 3                  // links in a row that may break over the same send
)

// entry is one message that waits to be accepted. Guarded by Client.mu.
type entry struct {
	order   uint64
	frame   *wire.Send // without skip and ack; not altered
	created time.Time
	pending *Pending
	size    int
	status  bool // a STATUS message: kept nowhere, given up with its link

	kept      bool      // it is in the store; before that it is not sent
	flying    bool      // sent on the present link and not answered
	sentAt    time.Time // when, if flying
	floor     uint64    // how far its conversation had been delivered then
	skip      string    // the client id that the flying frame gave up
	notBefore time.Time // refused: not again before
	refused   int       // times in a row, for the backoff
	internal  int       // times the server failed at it
	deaths    int       // links that broke in a row while it was the oldest under way
	cancelled bool      // the application gave it up
	at        *list.Element
}

// lane is one conversation of the outbox.
type lane struct {
	waiting int    // entries of it
	flying  int    // of them
	held    *entry // refused for a while: the server takes nothing later before it comes again
	skip    string // a refused client id that was given up: the next send says so
}

// outbox holds what waits to be accepted, in the order of the calls of Send. Guarded by
// Client.mu; it does no I/O.
type outbox struct {
	list   list.List         // of *entry, by order
	byID   map[string]*entry // by conversation and client id
	lanes  map[string]*lane
	bytes  int
	flying int
	next   uint64 // order of the next entry
	limit  int    // entries
}

func newOutbox(limit int) *outbox {
	return &outbox{byID: make(map[string]*entry), lanes: make(map[string]*lane), next: 1, limit: limit}
}

func outKey(conv, id string) string { return conv + "\x00" + id }

// find is the entry of that client id, or nil.
func (o *outbox) find(conv, id string) *entry { return o.byID[outKey(conv, id)] }

// add appends e; false if there is no room.
func (o *outbox) add(e *entry) bool {
	if o.list.Len() >= o.limit || o.bytes+e.size > maxOutboxBytes {
		return false
	}
	o.insert(e)
	return true
}

func (o *outbox) insert(e *entry) {
	e.at = o.list.PushBack(e)
	o.byID[outKey(e.frame.Conv, e.frame.Id)] = e
	o.bytes += e.size
	o.lane(e.frame.Conv).waiting++
	o.next = max(o.next, e.order+1)
}

func (o *outbox) lane(conv string) *lane {
	ln := o.lanes[conv]
	if ln == nil {
		ln = new(lane)
		o.lanes[conv] = ln
	}
	return ln
}

// remove takes e out. A lane with nothing in it goes too, unless it must say what was
// given up.
func (o *outbox) remove(e *entry) {
	if e.at == nil {
		return
	}
	o.land(e)
	o.list.Remove(e.at)
	e.at = nil
	delete(o.byID, outKey(e.frame.Conv, e.frame.Id))
	o.bytes -= e.size
	ln := o.lane(e.frame.Conv)
	ln.waiting--
	if ln.held == e {
		ln.held = nil
	}
	if ln.waiting == 0 && ln.skip == "" {
		delete(o.lanes, e.frame.Conv)
	}
}

// land notes that e is no longer under way.
func (o *outbox) land(e *entry) {
	if !e.flying {
		return
	}
	e.flying = false
	o.flying--
	o.lane(e.frame.Conv).flying--
}

// fly notes that e is under way and answers its frame.
func (o *outbox) fly(e *entry, now time.Time) *wire.Send {
	ln := o.lane(e.frame.Conv)
	e.flying, e.sentAt, e.skip = true, now, ln.skip
	o.flying++
	ln.flying++
	f := &wire.Send{Id: e.frame.Id, Conv: e.frame.Conv, Type: e.frame.Type, Flags: e.frame.Flags,
		Body: e.frame.Body, Options: e.frame.Options, Skip: ln.skip}
	ln.skip = "" // said once; again if the link breaks before the answer
	return f
}

// ready picks the next entry that may be sent now, at most credit being under way. If
// there is none, wait says when there may be one without anything else happening; 0
// means never. Entries for which bad answers an error come back with it: they are to
// be given up.
func (o *outbox) ready(now time.Time, credit int) (e *entry, wait time.Duration, bad error) {
	blocked := make(map[string]bool)
	block := func(e *entry, until time.Time) {
		blocked[e.frame.Conv] = true
		if d := until.Sub(now); !until.IsZero() && (wait == 0 || d < wait) {
			wait = d
		}
	}
	for at := o.list.Front(); at != nil; at = at.Next() {
		e := at.Value.(*entry)
		ln := o.lanes[e.frame.Conv]
		switch {
		case e.flying && e.deaths > 0:
			// The last link broke over it: alone it shows whether it was to blame, and no
			// other send is suspected for it.
			return nil, wait, nil
		case e.flying || blocked[e.frame.Conv]:
		case !e.kept:
			block(e, time.Time{})
		case e.cancelled:
			return e, 0, ErrCancelled
		case now.Sub(e.created) > maxAge:
			return e, 0, ErrTooOld
		case o.flying >= credit:
			return nil, wait, nil
		case ln.held != nil && (ln.held != e || ln.flying > 0):
			// What is under way will be refused too; the refused one goes alone and the
			// others follow when it is accepted.
			block(e, time.Time{})
			if ln.held.notBefore.After(now) && ln.flying == 0 {
				block(e, ln.held.notBefore)
			}
		case e.notBefore.After(now):
			block(e, e.notBefore)
		default:
			return e, 0, nil
		}
	}
	return nil, wait, nil
}

// notKept is the entries that are not in the store yet, by order. o may be nil.
func (o *outbox) notKept() map[uint64]*entry {
	m := make(map[uint64]*entry)
	if o == nil {
		return m
	}
	for at := o.list.Front(); at != nil; at = at.Next() {
		if e := at.Value.(*entry); !e.kept && !e.status {
			m[e.order] = e
		}
	}
	return m
}

// old lists the entries that have waited too long.
func (o *outbox) old(now time.Time) (list []*entry) {
	for at := o.list.Front(); at != nil; at = at.Next() {
		e := at.Value.(*entry)
		if now.Sub(e.created) <= maxAge {
			break // those behind it are younger
		}
		if e.kept && !e.flying {
			list = append(list, e)
		}
	}
	return list
}

// refuse notes that e was refused for a while.
func (o *outbox) refuse(e *entry, until time.Time) {
	o.land(e)
	ln := o.lane(e.frame.Conv)
	if ln.held == nil || e.order <= ln.held.order {
		ln.held = e
		e.notBefore = until
	}
}

// giveUp removes e. If the server may be holding the conversation for it, the next send
// says that it will not come.
func (o *outbox) giveUp(e *entry) {
	ln := o.lane(e.frame.Conv)
	if ln.held == e || e.refused > 0 {
		ln.skip = e.frame.Id
	}
	o.remove(e)
}

// oldest is when the oldest entry under way was sent; false if none is.
func (o *outbox) oldest() (time.Time, bool) {
	if o.flying == 0 {
		return time.Time{}, false
	}
	var t time.Time
	for at := o.list.Front(); at != nil; at = at.Next() {
		if e := at.Value.(*entry); e.flying && (t.IsZero() || e.sentAt.Before(t)) {
			t = e.sentAt
		}
	}
	return t, true
}

// suspectFor is how soon after a send a link must break for the send to be suspected.
const suspectFor = 15 * time.Second

// unlink notes that the link is over: nothing is under way any more. died says that it
// broke, and was not ended for a reason that has nothing to do with what was sent; the
// oldest entry then under way is answered if it was that for the last time, and had just
// been sent each time. STATUS messages come back in lost.
func (o *outbox) unlink(died bool, now time.Time) (poison *entry, lost []*entry) {
	first := true
	for at := o.list.Front(); at != nil; {
		e := at.Value.(*entry)
		at = at.Next()
		suspect := e.flying && first && !e.status && now.Sub(e.sentAt) <= suspectFor
		first = first && !e.flying
		if ln := o.lane(e.frame.Conv); e.flying && e.skip != "" {
			ln.skip = e.skip
		}
		o.land(e)
		switch {
		case e.status:
			lost = append(lost, e)
		case suspect && died:
			if e.deaths++; e.deaths >= maxDeaths {
				poison = e
			}
		case died:
			e.deaths = 0 // another one was the oldest: not in a row
		}
	}
	for _, ln := range o.lanes {
		ln.held = nil // all is sent again in order anyhow
	}
	return poison, lost
}

// fresh notes that the link is a session of its own, which holds nothing up.
func (o *outbox) fresh() {
	for conv, ln := range o.lanes {
		if ln.skip = ""; ln.waiting == 0 {
			delete(o.lanes, conv)
		}
	}
}

// record is an entry as it is kept: its format, when it was made, and its SEND.
func (e *entry) record() ([]byte, error) {
	b := append([]byte{1}, binary.BigEndian.AppendUint64(nil, uint64(e.created.UnixMilli()))...)
	return wire.Binary.AppendBody(b, e.frame)
}

// readEntry is the reverse of record.
func readEntry(order uint64, b []byte) (*entry, error) {
	if len(b) < 9 || b[0] != 1 {
		return nil, errRecord
	}
	f := new(wire.Send)
	body := append([]byte(nil), b[9:]...) // f will point into it
	if err := wire.Binary.UnmarshalBody(body, f); err != nil || f.Id == "" || f.Conv == "" {
		return nil, errRecord
	}
	e := &entry{order: order, frame: f, created: time.UnixMilli(int64(binary.BigEndian.Uint64(b[1:]))), kept: true}
	e.size = f.SizeVT() + 512
	return e, nil
}

func orderKey(order uint64) string { return fmt.Sprintf("%s%016x", keyOut, order) }

// load fills an empty outbox with what the store kept.
func (o *outbox) load(entries []*entry) {
	slices.SortFunc(entries, func(a, b *entry) int { return cmp.Compare(a.order, b.order) })
	for _, e := range entries {
		o.insert(e)
	}
}
