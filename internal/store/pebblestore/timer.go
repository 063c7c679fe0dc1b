package pebblestore

import (
	"bytes"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// entries is what the indexes hold of a record: when it expires and is due; 0 = nothing.
type entries struct{ expires, due int64 }

// isIndexed says whether the former state of a record has to be known when it is
// written: what an index holds of it goes.
func isIndexed(r *store.Record) bool {
	return r.Kind == store.TimerRecord || r.Expires != 0 || r.Value == nil
}

// records notes what is there of records that are to be written.
func (l *looker) records(list []store.Record) {
	for i := range list {
		if r := &list[i]; isIndexed(r) {
			l.row(keyRecord(l.key[:0], l.s.app, r.Kind, r.User, r.Key))
		}
	}
}

// recordsBefore is what the indexes hold of records that are to be written.
func (w *writer) recordsBefore(h *hint, s *Store, list []store.Record) ([]entries, error) {
	out := make([]entries, len(list))
	for i := range list {
		r := &list[i]
		if !isIndexed(r) {
			continue
		}
		key := keyRecord(w.k[:0], s.app, r.Kind, r.User, r.Key)
		w.k = key
		row, err := w.row(h, key)
		if err != nil {
			return nil, err
		}
		if row == nil {
			continue
		}
		if _, out[i].expires, out[i].due, err = decodeRecord(key, row); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// setRecord writes or removes a record and what the indexes hold of it.
func (w *writer) setRecord(s *Store, r *store.Record, before entries) {
	if before.expires != 0 && before.expires != r.Expires {
		old := store.Record{Kind: r.Kind, User: r.User, Key: r.Key, Expires: before.expires}
		w.k = keyRecordExpiry(w.k[:0], s.app, &old)
		w.batch().Delete(w.k, nil)
	}
	if before.due != 0 && (before.due != r.Due || r.Value == nil) {
		w.k = keyDue(w.k[:0], s.app, before.due, r.User, r.Key)
		w.batch().Delete(w.k, nil)
	}
	w.k = keyRecord(w.k[:0], s.app, r.Kind, r.User, r.Key)
	if r.Value == nil {
		w.remove()
		return
	}
	w.v = appendRecord(w.v[:0], r)
	w.put()
	if r.Expires != 0 { // Sweep looks at the record before it believes this
		w.k, w.v = keyRecordExpiry(w.k[:0], s.app, r), w.v[:0]
		w.set()
	}
	if r.Due != 0 {
		w.k, w.v = keyDue(w.k[:0], s.app, r.Due, r.User, r.Key), w.v[:0]
		w.set()
	}
}

// checkRecords refuses records that are written in another way.
func checkRecords(list []store.Record) error {
	for i := range list {
		r := &list[i]
		switch {
		case r.Kind == store.NoteRecord:
			return im.Errorf(im.Invalid, "notes are written by NoteOp only")
		case r.Due != 0 && r.Kind != store.TimerRecord || r.Due < 0:
			return im.Errorf(im.Invalid, "only timers are due at some time")
		}
		if err := plain(string(r.User), r.Key); err != nil {
			return err
		}
	}
	return nil
}

// Due is store.Reader's.
func (s *Store) Due(now int64, limit int) (due []store.Record, next int64, err error) {
	v := s.db.acquire()
	if v == nil {
		return nil, 0, errClosed()
	}
	defer v.release()
	prefix := keyExpiries(nil, s.app, expiryTimer)
	err = scan(v.snap, prefix, after(prefix), func(entry, _ []byte) (bool, error) {
		at, rest, ok := takeNum(entry[len(prefix):])
		u, rest, ok2 := takeString(rest)
		if !ok || !ok2 {
			return false, errRow(entry, "timer entry")
		}
		r := store.Record{Kind: store.TimerRecord, User: im.UserID(u), Key: string(rest), Due: int64(at)}
		key := keyRecord(nil, s.app, r.Kind, r.User, r.Key)
		row, there, err := get(v.snap, key)
		if err != nil || !there {
			return true, err
		}
		was := int64(0)
		if r.Value, r.Expires, was, err = decodeRecord(key, row); err != nil {
			return false, err
		}
		if was != r.Due { // one record written twice in one commit leaves both entries
			return true, nil
		}
		if len(due) >= limit || r.Due > now {
			next = r.Due
			return false, nil
		}
		due = append(due, r)
		return true, nil
	})
	if err != nil {
		return nil, 0, err
	}
	return due, next, nil
}

// NextExpiry is store.Reader's. It may name a time at which a message was to expire that
// has gone before.
func (s *Store) NextExpiry() (int64, error) {
	v := s.db.acquire()
	if v == nil {
		return 0, errClosed()
	}
	defer v.release()
	next := int64(0)
	prefix := keyExpiries(nil, s.app, expiryMessage)
	err := scan(v.snap, prefix, after(prefix), func(entry, _ []byte) (bool, error) {
		at, _, ok := takeNum(bytes.TrimPrefix(entry, prefix))
		if !ok {
			return false, errRow(entry, "expiry entry")
		}
		next = int64(at)
		return false, nil
	})
	return next, err
}
