package memstore

import (
	"cmp"
	"slices"
	"strings"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// self is u's change log, made if there is none.
func (st *state) self(u im.UserID) *conv {
	c := st.convs[st.selves[u]]
	if c == nil {
		c = st.newConv(im.Self)
		c.head.Members = 1
		st.selves[u] = c.head.Conv
		st.touch(1, 16)
	}
	return c
}

func (st *state) note(o *store.NoteOp) error {
	k := recordKey{store.NoteRecord, o.User, o.Key}
	have, ok := st.records[k]
	if o.If != nil && (ok != (*o.If != nil) || ok && string(have.Value) != string(*o.If)) {
		return errChanged()
	}
	if o.Most > 0 && o.Value != nil && !ok {
		n := 0
		for other := range st.records {
			if other.kind == k.kind && other.user == k.user && strings.HasPrefix(other.key, o.Of) {
				n++
			}
		}
		if n >= o.Most {
			return im.Errorf(im.TooLarge, "there are %d of these already; at most %d are allowed", n, o.Most)
		}
	}
	for _, r := range o.Drop {
		delete(st.records, recordKey{r.Kind, r.User, r.Key})
		st.touch(1, 16)
	}
	o.At = st.selves[o.User]
	if ok == (o.Value != nil) && string(have.Value) == string(o.Value) {
		return nil
	}
	if o.Value == nil {
		delete(st.records, k)
	} else {
		st.records[k] = store.Record{Kind: k.kind, User: k.user, Key: k.key, Value: append([]byte{}, o.Value...)}
	}
	c := st.self(o.User)
	c.head.Ver++
	c.head.Position = st.at()
	o.Moved, o.At = true, c.head.Conv
	o.Change = im.Change{Ver: c.head.Ver, Kind: im.Noted, By: o.User, Device: o.Device, Time: st.millis(), Key: o.Key}
	c.changes[o.Change.Ver] = o.Change
	o.Change.Value = o.Value
	st.touch(3, 64+len(o.Key)+len(o.Value))
	return nil
}

func errChanged() error {
	return im.Errorf(im.Conflict, "the record was changed by somebody else meanwhile")
}

// noted fills in what the note of a change is now.
func (st *state) noted(ch *im.Change) {
	if r, ok := st.records[recordKey{store.NoteRecord, ch.By, ch.Key}]; ok && ch.Kind == im.Noted {
		ch.Value = append([]byte{}, r.Value...)
	}
}

// checkNote refuses what no note can be.
func checkNote(o *store.NoteOp) error {
	if len(o.Value) > store.MaxRecord {
		return im.Errorf(im.TooLarge, "a note of %d bytes; at most %d are allowed", len(o.Value), store.MaxRecord)
	}
	if len(o.Drop) > 500 {
		return im.Errorf(im.TooLarge, "%d records at once; at most 500 are allowed", len(o.Drop))
	}
	return checkRecords(o.Drop)
}

// checkRecords refuses records that are written in another way.
func checkRecords(list []store.Record) error {
	for i := range list {
		switch r := &list[i]; {
		case r.Kind == store.NoteRecord:
			return im.Errorf(im.Invalid, "notes are written by NoteOp only")
		case r.Due != 0 && r.Kind != store.TimerRecord || r.Due < 0:
			return im.Errorf(im.Invalid, "only timers are due at some time")
		}
	}
	return nil
}

// Due is store.Reader's.
func (s *Store) Due(now int64, limit int) ([]store.Record, int64, error) {
	if err := s.reading(); err != nil {
		return nil, 0, err
	}
	defer s.mu.Unlock()
	var all []store.Record
	for _, r := range s.st.records {
		if r.Due != 0 {
			r.Value = append([]byte{}, r.Value...)
			all = append(all, r)
		}
	}
	slices.SortFunc(all, func(a, b store.Record) int {
		return cmp.Or(cmp.Compare(a.Due, b.Due), cmp.Compare(a.User, b.User), cmp.Compare(a.Key, b.Key))
	})
	n := 0
	for n < len(all) && n < limit && all[n].Due <= now {
		n++
	}
	if n == len(all) {
		return all, 0, nil
	}
	return all[:n], all[n].Due, nil
}

// NextExpiry is store.Reader's.
func (s *Store) NextExpiry() (int64, error) {
	if err := s.reading(); err != nil {
		return 0, err
	}
	defer s.mu.Unlock()
	next := int64(0)
	for _, c := range s.st.convs {
		for _, m := range c.messages {
			if m.Expires != 0 && (next == 0 || m.Expires < next) {
				next = m.Expires
			}
		}
	}
	return next, nil
}
