package pebblestore

import (
	"bytes"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// Notes of a user are records that are written with an entry of his change log. How many
// there are whose keys have a beginning in common is counted as they come and go, once
// somebody has asked: by scanning them the first time.

// tally of a user's notes: beginning of keys, and how many have it.
type noteCount struct {
	of string
	n  int
}

func appendNoteCounts(b []byte, counts []noteCount) []byte {
	b = appendUint(append(b, rowVersion), uint64(len(counts)))
	for _, c := range counts {
		b = appendUint(appendText(b, c.of), uint64(c.n))
	}
	return b
}

func decodeNoteCounts(key, row []byte) ([]noteCount, error) {
	d := dec{b: row}
	d.begin()
	var out []noteCount
	for range d.count(2) {
		out = append(out, noteCount{strings.Clone(d.str()), int(d.num())})
	}
	if !d.ok() || len(out) == 0 || slices.ContainsFunc(out, func(c noteCount) bool { return c.n < 0 }) {
		return nil, errRow(key, "count of notes")
	}
	return out, nil
}

// pendingNote is a note that the commit under way adds or removes.
type pendingNote struct {
	key []byte
	by  int
}

// noteOp notes what a NoteOp needs.
func (l *looker) noteOp(o *store.NoteOp) {
	s := l.s
	l.address(keySelf(l.key[:0], s.app, o.User))
	l.row(keyRecord(l.key[:0], s.app, store.NoteRecord, o.User, o.Key))
	row := l.row(keyNoteCounts(l.key[:0], s.app, o.User))
	l.records(o.Drop)
	if o.Most > 0 && o.Value != nil && row == nil && !l.fail {
		// The writer will have to count them; what it reads then is in memory.
		if _, err := s.countNotes(l.v.snap, o.User, o.Of); err != nil {
			l.fail = true
		}
	}
}

func (w *writer) note(it *item, o *store.NoteOp) error {
	s := it.s
	self, err := w.address(it.hint, keySelf(w.k[:0], s.app, o.User))
	if err != nil {
		return err
	}
	key := keyRecord(nil, s.app, store.NoteRecord, o.User, o.Key)
	row, err := w.row(it.hint, key)
	if err != nil {
		return err
	}
	var have []byte
	if row != nil {
		if have, _, _, err = decodeRecord(key, row); err != nil {
			return err
		}
	}
	if o.If != nil && ((row != nil) != (*o.If != nil) || !bytes.Equal(have, *o.If)) {
		return errChanged()
	}
	by := 0 // how many there are more than before
	switch {
	case row == nil && o.Value != nil:
		by = 1
	case row != nil && o.Value == nil:
		by = -1
	}
	counts, err := w.noteCounts(it, o, by)
	if err != nil {
		return err
	}
	gone, err := w.recordsBefore(it.hint, s, o.Drop)
	if err != nil {
		return err
	}
	for i := range o.Drop {
		w.setRecord(s, &store.Record{Kind: o.Drop[i].Kind, User: o.Drop[i].User, Key: o.Drop[i].Key}, gone[i])
	}
	if self != nil {
		o.At = self.id
	}
	if by == 0 && bytes.Equal(have, o.Value) {
		return nil
	}
	w.setRecord(s, &store.Record{Kind: store.NoteRecord, User: o.User, Key: o.Key, Value: o.Value}, entries{})
	if by != 0 {
		w.notes = append(w.notes, pendingNote{key, by})
		if len(counts) > 0 {
			w.k, w.v = keyNoteCounts(w.k[:0], s.app, o.User), appendNoteCounts(w.v[:0], counts)
			w.put()
		}
	}
	if self == nil {
		self = w.newSelf(s, o.User)
	}
	w.touch(self).row = true
	self.now.Ver++
	o.Moved, o.At = true, self.id
	o.Change = im.Change{Ver: self.now.Ver, Kind: im.Noted, By: o.User, Device: o.Device, Time: w.millis(), Key: o.Key}
	w.log(self, &o.Change)
	o.Change.Value = o.Value
	return nil
}

// noteCounts is the counts as they will be with o, or refuses o. It writes nothing.
func (w *writer) noteCounts(it *item, o *store.NoteOp, by int) ([]noteCount, error) {
	if by == 0 {
		return nil, nil
	}
	key := keyNoteCounts(nil, it.s.app, o.User)
	row, err := w.row(it.hint, key)
	if err != nil {
		return nil, err
	}
	var counts []noteCount
	if row != nil {
		if counts, err = decodeNoteCounts(key, row); err != nil {
			return nil, err
		}
	}
	if by > 0 && o.Most > 0 {
		at := slices.IndexFunc(counts, func(c noteCount) bool { return c.of == o.Of })
		if at < 0 {
			w.reads++
			n, err := it.s.countNotes(w.db.peb, o.User, o.Of)
			if err != nil {
				return nil, err
			}
			prefix := keyRecord(nil, it.s.app, store.NoteRecord, o.User, o.Of)
			for _, p := range w.notes {
				if bytes.HasPrefix(p.key, prefix) {
					n += p.by
				}
			}
			at, counts = len(counts), append(counts, noteCount{o.Of, n})
		}
		if n := counts[at].n; n >= o.Most {
			return nil, im.Errorf(im.TooLarge, "there are %d of these already; at most %d are allowed", n, o.Most)
		}
	}
	for i := range counts {
		if strings.HasPrefix(o.Key, counts[i].of) {
			counts[i].n += by
		}
	}
	return counts, nil
}

// countNotes counts u's notes whose keys begin with of.
func (s *Store) countNotes(r pebble.Reader, u im.UserID, of string) (n int, err error) {
	prefix := keyRecord(nil, s.app, store.NoteRecord, u, of)
	err = scan(r, prefix, after(prefix), func(_, _ []byte) (bool, error) { n++; return true, nil })
	return n, err
}

// newSelf makes u's change log.
func (w *writer) newSelf(s *Store, u im.UserID) *conv {
	c := w.newConv(s, im.Self)
	c.now.Members = 1
	w.k, w.v = keySelf(w.k[:0], s.app, u), appendUint(w.v[:0], uint64(c.id))
	w.put()
	return c
}

func errChanged() error {
	return im.Errorf(im.Conflict, "the record was changed by somebody else meanwhile")
}

// checkNote refuses what no note can be.
func checkNote(o *store.NoteOp) error {
	if len(o.Value) > store.MaxRecord {
		return im.Errorf(im.TooLarge, "a note of %d bytes; at most %d are allowed", len(o.Value), store.MaxRecord)
	}
	if len(o.Drop) > 500 {
		return im.Errorf(im.TooLarge, "%d records at once; at most 500 are allowed", len(o.Drop))
	}
	if err := plain(string(o.User), o.Key, o.Of); err != nil {
		return err
	}
	return checkRecords(o.Drop)
}

// noted fills in what the notes of changes are now.
func (s *Store) noted(v *view, changes []im.Change) error {
	f := finder{r: v.snap}
	defer f.close()
	now := map[string][]byte{}
	for i := range changes {
		ch := &changes[i]
		if ch.Kind != im.Noted {
			continue
		}
		value, known := now[ch.Key]
		if !known {
			key := keyRecord(nil, s.app, store.NoteRecord, ch.By, ch.Key)
			row, ok, err := f.find(key)
			if err == nil && ok {
				value, _, _, err = decodeRecord(key, row)
			}
			if err != nil {
				return err
			}
			now[ch.Key] = value
		}
		ch.Value = value
	}
	return nil
}
