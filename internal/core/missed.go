package core

import (
	"cmp"
	"context"
	"slices"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

const (
	defaultMissed = 100
	maxMissed     = 1000
)

// cursorsKey is the setting that says that a device has cursors here.
func cursorsKey(d im.DeviceID) string { return "cursors/" + string(d) }

// missing is a conversation with what the device was not given.
type missing struct {
	head store.Head
	row  store.Row
	from im.Seq // the first it lacks
}

// Missed tells a device whose cursors the server keeps what it was not given: the
// newest messages of all conversations together (newest, 0 = 100, at most 1,000),
// oldest first, and the list of conversations with something unread. Commands are
// among the messages; what this device sent itself is not. A device that is seen for
// the first time lacks what its user has not read.
//
// A door calls it once, after Login and before the first Take: what is told here is
// not offered again. It moves no cursor: Ack does.
//
// Errors: Unsupported without a link; those of the store.
func (s *Session) Missed(ctx context.Context, newest int) (Missed, error) {
	if err := s.here(); err != nil {
		return Missed{}, err
	}
	if s.box == nil {
		return Missed{}, errNoLink()
	}
	list, err := s.missing(ctx)
	if err != nil {
		return Missed{}, err
	}
	var a Missed
	for i := range list {
		m := &list[i]
		if m.row.Read >= m.head.Seq {
			continue
		}
		conv, err := s.listLine(&m.head, &m.row)
		if err != nil {
			return a, err
		}
		if conv.Mine.Unread > 0 || conv.Mine.Mentions > 0 {
			a.Unread = append(a.Unread, conv)
		}
	}
	if err := s.missedMessages(&a, list, limit(newest, defaultMissed, maxMissed)); err != nil {
		return a, err
	}
	for i := range list { // only these may have been offered since the session is in the hub
		if m := &list[i]; m.head.Position > s.began {
			s.settle(m.head.Conv, m.head.Seq)
		}
	}
	return a, nil
}

// missing lists the user's conversations with what this device lacks, those with the
// newest messages first.
func (s *Session) missing(ctx context.Context) ([]missing, error) {
	_, seen, err := s.c.st.Get(store.SettingRecord, s.user, cursorsKey(s.device))
	if err != nil {
		return nil, err
	}
	var list []missing
	for after := im.ConvID(0); ; {
		rows, err := s.c.st.Rows(s.user, after, rowsChunk)
		if err != nil {
			return nil, err
		}
		if err := ctx.Err(); err != nil {
			return nil, im.Wrap(im.Unavailable, err, "the list was not read to its end")
		}
		for _, r := range rows {
			after = r.Conv
			if !r.In() {
				continue
			}
			m := missing{}
			if m.head, m.row, err = s.c.at(r.Conv, s.user); err != nil {
				return nil, err
			}
			if !m.row.In() {
				continue
			}
			cursor := m.row.Read
			if seen {
				if cursor, err = s.c.st.Cursor(s.user, s.device, r.Conv); err != nil {
					return nil, err
				}
			}
			m.from = max(cursor+1, m.row.From)
			list = append(list, m)
		}
		if len(rows) < rowsChunk {
			break
		}
	}
	if !seen {
		s.beginCursors(list)
	}
	slices.SortFunc(list, func(a, b missing) int { return cmp.Compare(b.head.Time, a.head.Time) })
	return list, nil
}

// beginCursors notes where a device begins that is here for the first time. It rides
// with the next commit; if the store takes no more, the device is new again next time.
func (s *Session) beginCursors(list []missing) {
	for i := range list {
		m := &list[i]
		if m.row.Read < m.row.From {
			continue // no cursor says the same
		}
		op := &store.CursorOp{User: s.user, Device: s.device, Conv: m.row.Conv, Seq: m.row.Read, Lazy: true}
		if s.c.st.Submit(op) != nil {
			return
		}
	}
	began := store.Record{Kind: store.SettingRecord, User: s.user, Key: cursorsKey(s.device), Value: []byte{1}}
	if err := s.c.st.Submit(&store.PutOp{Records: []store.Record{began}, Lazy: true}); err != nil {
		s.c.log.Debug("a device begins anew next time", "user", s.user, "device", s.device, "err", err)
	}
}

// missedMessages fills in the newest messages of what is missing. list is ordered by
// the newest message of each, so what is older than all that is told is only counted.
func (s *Session) missedMessages(a *Missed, list []missing, most int) error {
	for i := range list {
		m := &list[i]
		if m.from > m.head.Seq {
			continue
		}
		if len(a.Messages) == most && a.Messages[0].Msg.Time >= m.head.Time {
			a.More += int(m.head.Seq - m.from + 1)
			continue
		}
		got, older, err := s.newestOf(m, most)
		if err != nil {
			return err
		}
		a.More += older
		a.Messages = append(a.Messages, got...)
		slices.SortStableFunc(a.Messages, func(x, y Item) int { return cmp.Compare(x.Msg.Time, y.Msg.Time) })
		if over := len(a.Messages) - most; over > 0 {
			a.More += over
			a.Messages = slices.Clone(a.Messages[over:])
		}
	}
	return nil
}

// newestOf reads the newest messages of what is missing, ascending, and counts the
// numbers below them that were not looked at.
func (s *Session) newestOf(m *missing, most int) (items []Item, older int, err error) {
	addr := addressOf(&m.head, s.user)
	hi := m.head.Seq
	for hi >= m.from && len(items) < most {
		r, err := s.c.pageFor(&m.row, &m.head, m.from, hi, true, min(most-len(items), maxPage), pageBytes)
		if err != nil {
			return nil, 0, err
		}
		for _, msg := range slices.Backward(r.Messages) {
			if msg.Sender != s.user || msg.Device != s.device {
				items = append(items, Item{Addr: addr, Event: &Event{Conv: m.head.Conv, Seq: msg.Seq, Msg: msg}})
			}
		}
		hi = r.From - 1
	}
	slices.Reverse(items)
	return items, int(hi + 1 - m.from), nil
}
