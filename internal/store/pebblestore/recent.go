package pebblestore

import (
	"math/bits"

	"github.com/anser-im/anser/internal/im"
)

// What was read before the queue is checked against what the writer wrote since, not
// against the database, so that the writer need not read. recent holds the rows that
// it wrote in the newest commits and in the one under way, but for messages that were
// sent, client ids, and rows of users, which have places of their own.
type recent struct {
	rows, old map[string][]byte // nil = removed
	since     im.Position       // all that was written above it is here
	turned    im.Position       // rows begins above it
	most      int               // fixed: rows in the newer half when the older is forgotten
	bytes     int               // of the newer half
}

// recentBytes is how many bytes are in the newer half when the older is forgotten.
const recentBytes = 8 << 20

func (r *recent) put(key, row []byte) {
	if row != nil {
		row = append(make([]byte, 0, len(row)), row...)
	}
	r.rows[string(key)] = row
	r.bytes += len(key) + len(row)
}

// get answers known if the row was written lately; a nil row was removed.
func (r *recent) get(key []byte) (row []byte, known bool) {
	if row, known = r.rows[string(key)]; known {
		return row, true
	}
	row, known = r.old[string(key)]
	return row, known
}

// turn forgets the older half if there is enough in the newer. at is the newest
// commit applied.
func (r *recent) turn(at im.Position) {
	if len(r.rows) < r.most && r.bytes < recentBytes {
		return
	}
	r.old, r.rows, r.bytes = r.rows, map[string][]byte{}, 0
	r.since, r.turned = r.turned, at
}

// recentIDs is the same for client ids.
type recentIDs struct {
	half   [2]idTable // the newer first
	since  im.Position
	turned im.Position
	most   int // fixed; a batch may go beyond it
}

// idTable finds entries by fingerprint.
type idTable struct {
	entries []idEntry
	names   []byte  // the entries' senders and ids: strings would hold on to what they were cut from
	slots   []int32 // 1 + index of an entry; linear probing, at most half full
}

type idEntry struct {
	fp         uint64
	conv       im.ConvID
	app        uint32
	sender, id uint16 // the lengths of their names, ...
	at         int    // ... which stand one behind the other in names from here on
	kept       kept
}

// newIDTable makes a table for about n entries; it takes any number, more slowly.
func newIDTable(n int) idTable {
	return idTable{slots: make([]int32, 1<<bits.Len(uint(4*n-1)))}
}

// put returns the index of the new entry.
func (t *idTable) put(fp uint64, app uint32, conv im.ConvID, sender im.UserID, id im.ClientID, k kept) int32 {
	n := int32(len(t.entries))
	t.entries = append(t.entries, idEntry{fp, conv, app, uint16(len(sender)), uint16(len(id)), len(t.names), k})
	t.names = append(append(t.names, sender...), id...)
	if 2*int(n) >= len(t.slots) {
		return n // a batch larger than any: found by walking, see get
	}
	at := fp & uint64(len(t.slots)-1)
	for t.slots[at] != 0 {
		at = (at + 1) & uint64(len(t.slots)-1)
	}
	t.slots[at] = n + 1
	return n
}

// of is the sender and id of an entry, good until the next put.
func (t *idTable) of(e *idEntry) (sender, id []byte) {
	name := t.names[e.at : e.at+int(e.sender)+int(e.id)]
	return name[:e.sender], name[e.sender:]
}

func (t *idTable) get(fp uint64, app uint32, conv im.ConvID, sender im.UserID, id im.ClientID) *kept {
	is := func(e *idEntry) bool {
		if e.fp != fp || e.conv != conv || e.app != app {
			return false
		}
		s, i := t.of(e)
		return string(s) == string(sender) && string(i) == string(id)
	}
	for at := fp & uint64(len(t.slots)-1); t.slots[at] != 0; at = (at + 1) & uint64(len(t.slots)-1) {
		if e := &t.entries[t.slots[at]-1]; is(e) {
			return &e.kept
		}
	}
	for i := len(t.slots) / 2; i < len(t.entries); i++ {
		if e := &t.entries[i]; is(e) {
			return &e.kept
		}
	}
	return nil
}

func (t *idTable) clear() {
	t.entries, t.names = t.entries[:0], t.names[:0]
	clear(t.slots)
}

func (r *recentIDs) get(fp uint64, app uint32, conv im.ConvID, sender im.UserID, id im.ClientID) *kept {
	for i := range r.half {
		if k := r.half[i].get(fp, app, conv, sender, id); k != nil {
			return k
		}
	}
	return nil
}

// turn is recent's.
func (r *recentIDs) turn(at im.Position) {
	if len(r.half[0].entries) < r.most {
		return
	}
	r.half[0], r.half[1] = r.half[1], r.half[0]
	r.half[0].clear()
	r.since, r.turned = r.turned, at
}
