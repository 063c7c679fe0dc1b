package pebblestore

import (
	"bytes"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

const (
	pageLimit = 50
	pageBytes = 256 << 10
)

// Message is store.Reader's.
func (s *Store) Message(id im.ConvID, seq im.Seq) (*im.Message, bool, error) {
	h := s.conv(id).durable()
	v := s.db.acquire()
	if v == nil {
		return nil, false, errClosed()
	}
	defer v.release()
	if h == nil || seq == 0 || seq > h.Seq {
		return nil, false, nil
	}
	return s.messageIn(v, id, seq)
}

func (s *Store) messageIn(v *view, id im.ConvID, seq im.Seq) (*im.Message, bool, error) {
	key := keyMessage(nil, s.app, id, seq)
	row, ok, err := get(v.snap, key)
	if err != nil || !ok {
		return nil, false, err
	}
	m, err := decodeMessage(key, seq, row)
	return m.Message, err == nil, err
}

// Page is store.Reader's.
func (s *Store) Page(q store.PageQuery) (store.Page, error) {
	h := s.conv(q.Conv).durable()
	v := s.db.acquire()
	if v == nil {
		return store.Page{}, errClosed()
	}
	defer v.release()
	p := store.Page{From: max(q.From, 1)}
	if h == nil {
		return p, nil
	}
	if p.To = min(q.To, h.Seq); p.From > p.To {
		return p, nil
	}
	if q.Limit <= 0 {
		q.Limit = pageLimit
	}
	if q.Bytes <= 0 {
		q.Bytes = pageBytes
	}
	prefix := keyConv(nil, s.app, tagMessage, q.Conv)
	iter, err := v.snap.NewIter(&pebble.IterOptions{
		LowerBound: appendNum(bytes.Clone(prefix), uint64(p.From)),
		UpperBound: appendNum(bytes.Clone(prefix), uint64(p.To)+1),
	})
	if err != nil {
		return store.Page{}, errRead(err)
	}
	defer iter.Close()
	ok, next := false, iter.Next
	if q.Backward {
		ok, next = iter.Last(), iter.Prev
	} else {
		ok = iter.First()
	}
	p.Messages = make([]*im.Message, 0, min(uint64(q.Limit), uint64(p.To-p.From)+1, 64))
	for size := 0; ok; ok = next() {
		m, err := pageRow(iter, len(prefix))
		if err != nil {
			return store.Page{}, err
		}
		p.Messages = append(p.Messages, m)
		size += m.Size()
		if len(p.Messages) >= q.Limit || size >= q.Bytes {
			if q.Backward {
				p.From = m.Seq
			} else {
				p.To = m.Seq
			}
			break
		}
	}
	if err := iter.Error(); err != nil {
		return store.Page{}, errRead(err)
	}
	if q.Backward {
		slices.Reverse(p.Messages)
	}
	return p, nil
}

// pageRow decodes the message that iter stands at; its number follows prefix bytes.
func pageRow(iter *pebble.Iterator, prefix int) (*im.Message, error) {
	seq, rest, ok := takeNum(iter.Key()[prefix:])
	if !ok || len(rest) > 0 {
		return nil, errRow(iter.Key(), "message")
	}
	row, err := iter.ValueAndErr()
	if err != nil {
		return nil, errRead(err)
	}
	m, err := decodeMessage(iter.Key(), im.Seq(seq), bytes.Clone(row))
	return m.Message, err
}

// Changes is store.Reader's.
func (s *Store) Changes(id im.ConvID, from im.Ver, limit int) ([]im.Change, error) {
	h := s.conv(id).durable()
	v := s.db.acquire()
	if v == nil {
		return nil, errClosed()
	}
	defer v.release()
	if h == nil || limit <= 0 {
		return nil, nil
	}
	from = max(from, h.MinVer)
	if from > h.Ver {
		return nil, nil
	}
	prefix := keyConv(nil, s.app, tagChange, id)
	var out []im.Change
	err := scan(v.snap, keyChange(nil, s.app, id, from), keyChange(nil, s.app, id, h.Ver+1), func(key, row []byte) (bool, error) {
		ver, rest, ok := takeNum(key[len(prefix):])
		if !ok || len(rest) > 0 {
			return false, errRow(key, "change")
		}
		ch, err := decodeChange(key, im.Ver(ver), bytes.Clone(row))
		if err != nil {
			return false, err
		}
		out = append(out, ch)
		return len(out) < limit, nil
	})
	if err != nil {
		return nil, err
	}
	if h.Kind == im.Self {
		return out, s.noted(v, out)
	}
	now := map[im.Seq]*im.Message{}
	for i := range out {
		seq := out[i].Seq
		if seq == 0 {
			continue
		}
		m, known := now[seq]
		if !known {
			if m, _, err = s.messageIn(v, id, seq); err != nil {
				return nil, err
			}
			now[seq] = m
		}
		out[i].Msg = m
	}
	return out, nil
}
