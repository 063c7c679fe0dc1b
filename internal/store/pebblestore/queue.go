package pebblestore

import (
	"strings"
	"sync"
	"time"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// item is one place in the queue: an operation, work of the store's own, or a mark.
type item struct {
	op   store.Op
	s    *Store
	fp   uint64 // of the operation's client id; 0 if it is not known yet
	hint *hint  // what was read before the queue; nil if nothing was
	size int

	own  func(*writer) bool // answers whether it is a commit even if it wrote nothing
	done func()             // after own

	mark *laneMark
}

// laneMark says that a lane was refused here.
type laneMark struct {
	lane  *store.Lane // fixed
	round uint32      // guarded by queue.mu; fixed once the writer has the mark
}

// queue is what waits for the writer.
type queue struct {
	mostOps, mostBytes int // fixed

	mu      sync.Mutex
	items   []item                    // guarded by mu: those from first on wait
	first   int                       // guarded by mu
	waiting int                       // guarded by mu: operations of others in items
	bytes   int                       // guarded by mu: their weight
	marks   map[*store.Lane]*laneMark // guarded by mu: those in items behind which no operation of their lane stands
	since   time.Time                 // guarded by mu: when the oldest of items was queued, or the writer last took some
	closed  bool                      // guarded by mu

	wake chan struct{} // fixed; 1 deep
}

func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// refusal says why op is not taken; nil if it is. q.mu is held.
func (db *DB) refusal() error {
	q := &db.queue
	switch {
	case q.closed:
		return errClosed()
	case db.failed.Load() != nil:
		return im.Wrap(im.Unavailable, *db.failed.Load(), "the store has failed")
	case db.readOnly.Load():
		return im.Errorf(im.ReadOnly, "the disk is nearly full: nothing can be written until there is room again")
	case q.waiting >= q.mostOps:
		return im.Errorf(im.Busy, "the store has %d operations waiting: try again", q.waiting)
	case q.bytes >= q.mostBytes:
		return im.Errorf(im.Busy, "the store has %d bytes of operations waiting: try again", q.bytes)
	}
	return nil
}

// refuse leaves a mark where the refused op would have stood, so that what its lane
// sends after it is turned back. A mark that would stand there as well is used again:
// there are never more marks than lanes and operations. q.mu is held.
func (q *queue) refuse(op store.Op) {
	a, ok := op.(*store.AppendOp)
	if !ok || a.Lane == nil || q.closed {
		return
	}
	if m := q.marks[a.Lane]; m != nil {
		m.round = max(m.round, a.Round)
		return
	}
	m := &laneMark{lane: a.Lane, round: a.Round}
	q.marks[a.Lane] = m
	q.push(item{mark: m})
}

// push adds it. q.mu is held.
func (q *queue) push(it item) {
	q.items = append(q.items, it)
	if len(q.items)-q.first == 1 {
		q.since = time.Now()
		q.signal()
	}
}

// take appends what a batch takes to items. q.mu is held.
func (q *queue) take(items []item) []item {
	n, bytes := 0, 0
	for _, it := range q.items[q.first:] {
		if n == batchOps || bytes >= batchBytes {
			break
		}
		n++
		bytes += it.size
		if it.op != nil {
			q.waiting--
			q.bytes -= it.size
		}
		if it.mark != nil && q.marks[it.mark.lane] == it.mark {
			delete(q.marks, it.mark.lane)
		}
		items = append(items, it)
	}
	if n == 0 {
		return items
	}
	clear(q.items[q.first : q.first+n])
	q.first += n
	q.since = time.Now()
	switch {
	case q.first == len(q.items):
		q.items, q.first = q.items[:0], 0
	case q.first > len(q.items)/2: // each is moved once at most
		rest := copy(q.items, q.items[q.first:])
		clear(q.items[rest:])
		q.items, q.first = q.items[:rest], 0
	}
	return items
}

// Submit is store.Store's.
func (s *Store) Submit(op store.Op) error {
	size, err := check(op)
	if err != nil {
		return err
	}
	db, q := s.db, &s.db.queue
	it := item{op: op, s: s, size: size}
	s.look(&it)
	q.mu.Lock()
	defer q.mu.Unlock()
	if err := db.refusal(); err != nil {
		q.refuse(op)
		return err
	}
	if a, ok := op.(*store.AppendOp); ok && len(q.marks) > 0 {
		delete(q.marks, a.Lane)
	}
	q.waiting++
	q.bytes += it.size
	q.push(it)
	return nil
}

// submitOwn queues work of the store's own, which is refused neither for want of room
// nor when the disk is full.
func (db *DB) submitOwn(it item) error {
	q := &db.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return errClosed()
	}
	if f := db.failed.Load(); f != nil {
		return im.Wrap(im.Unavailable, *f, "the store has failed")
	}
	q.push(it)
	return nil
}

// weight is what an operation without a message counts in the queue.
const weight = 256

// check refuses what no operation can be, and says what op weighs.
func check(op store.Op) (size int, err error) {
	size = weight
	switch o := op.(type) {
	case *store.AppendOp:
		if o.Msg == nil || o.Msg.Sender == "" || o.Conv == 0 && o.Peer == "" {
			return 0, im.Errorf(im.Invalid, "a send needs a message, its sender, and a conversation or a peer")
		}
		err = plain(string(o.Peer), string(o.Msg.Sender), string(o.Msg.ID), o.Line)
		if err == nil && o.Msg.Mentions != nil {
			err = plain(o.Msg.Mentions.Users...)
		}
		if err == nil {
			err = plain(o.Msg.To...)
		}
		size += o.Msg.Size()
	case *store.MemberOp:
		if o.Conv == 0 && (o.Info == nil || o.Info.ID == "") {
			return 0, im.Errorf(im.Invalid, "a new group needs an id")
		}
		if len(o.Set) > 500 {
			return 0, im.Errorf(im.TooLarge, "%d members in one change; at most 500 are allowed", len(o.Set))
		}
		err = plain(string(o.By), string(o.ID))
		for _, set := range o.Set {
			size += 64
			if err == nil {
				err = plain(set.User)
			}
		}
		if err == nil && o.Info != nil {
			err = plain(o.Info.ID)
		}
		if o.Msg != nil {
			size += o.Msg.Size()
		}
	case *store.PutOp:
		if len(o.Records) > 500 {
			return 0, im.Errorf(im.TooLarge, "%d records at once; at most 500 are allowed", len(o.Records))
		}
		for i := range o.Records {
			r := &o.Records[i]
			size += 64 + len(r.Value)
		}
		err = checkRecords(o.Records)
	case *store.ChangeOp:
		if o.Kind < im.Edit || o.Kind > im.Burn || o.Kind == im.BlockAdded || o.Kind == im.BlockRemoved {
			return 0, im.Errorf(im.Invalid, "change kind %d is none that alters a message", o.Kind)
		}
		err = plain(string(o.By), string(o.ID))
		if err == nil {
			err = plain(o.Add...)
		}
		for _, p := range o.Set {
			size += len(p.Key) + len(p.Value)
		}
		if err == nil && o.Mentions != nil {
			err = plain(o.Mentions.Users...)
		}
		size += len(o.Body)
	case *store.SetOp:
		if len(o.Gone) > store.MaxGone {
			return 0, store.ErrGone()
		}
		size += 16 * (len(o.Gone) + len(o.Withdrawn) + len(o.WithdrawA))
		err = plain(o.User)
	case *store.NoteOp:
		size += len(o.Value)
		err = checkNote(o)
	case *store.KeptOp:
		err = plain(string(o.Peer), string(o.Sender), string(o.ID), o.Line)
	case *store.ReadOp:
		err = plain(o.User)
	case *store.BlockOp:
		err = plain(o.User, o.Peer)
	case *store.CursorOp:
		err = plain(string(o.User), string(o.Device))
	default:
		return 0, im.Errorf(im.Invalid, "%T is no operation", op)
	}
	return size, err
}

// plain refuses what cannot stand in a key.
func plain[S ~string](names ...S) error {
	for _, n := range names {
		if strings.IndexByte(string(n), 0) >= 0 {
			return im.Errorf(im.Invalid, "an id or key holds a NUL byte")
		}
		if len(n) > 256 {
			return im.Errorf(im.TooLarge, "an id or key is %d bytes long; at most 256 are allowed", len(n))
		}
	}
	return nil
}
