package core

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/binary"
	"math"
	"slices"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

const (
	defaultList     = 50
	maxList         = 200
	maxListMessages = 20
)

// Conversations lists the user's conversations that q.Filter picks: pinned ones first,
// the one pinned last on top, then those with the newest message. The first part is a
// window that a client can show before it has synced the rest. The last parts tell
// those that moved while the parts before were asked for: a conversation may thus come
// twice, and none is missed; what came last is how it is.
//
// A part ends at Limit conversations or at about 256 KiB of messages.
//
// Errors: Invalid if q.After is no cursor; those of the store.
func (s *Session) Conversations(ctx context.Context, q ListQuery) (List, error) {
	if err := s.here(); err != nil {
		return List{}, err
	}
	c := s.c
	at := listCursor{pos: c.st.Position(), key: listKey{pinned: math.MaxInt64, time: math.MaxInt64, conv: math.MaxUint64}} // before anything else
	if q.After != "" {
		var err error
		if at, err = parseListCursor(q.After); err != nil {
			return List{}, err
		}
	}
	p := listPart{s: s, q: &q, at: at, room: limit(q.Limit, defaultList, maxList), bytes: syncBytes}
	return p.answer(ctx, q.After != "")
}

// listKey is a conversation's place in the list.
type listKey struct {
	pinned, time int64
	conv         im.ConvID
}

// compare orders keys as they are told.
func (k listKey) compare(o listKey) int {
	return cmp.Or(cmp.Compare(o.pinned, k.pinned), cmp.Compare(o.time, k.time), cmp.Compare(o.conv, k.conv))
}

// listCursor is how far a list was told.
type listCursor struct {
	pos   im.Position // where it began
	moved bool        // the list was told to its end: now those that moved since pos, by number
	key   listKey     // of what was told last
}

const listCursorVersion = 1

func (lc *listCursor) String() string {
	b := make([]byte, 0, 34)
	b = append(b, listCursorVersion, 0)
	if lc.moved {
		b[1] = 1
	}
	for _, n := range [...]uint64{uint64(lc.pos), uint64(lc.key.pinned), uint64(lc.key.time), uint64(lc.key.conv)} {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// parseListCursor reads a cursor. It gives no right, so nobody signs it.
func parseListCursor(s string) (listCursor, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || len(b) != 34 || b[0] != listCursorVersion || b[1] > 1 {
		return listCursor{}, im.Errorf(im.Invalid, "after is no cursor of this list: take next of the answer before")
	}
	n := func(i int) uint64 { return binary.BigEndian.Uint64(b[2+8*i:]) }
	return listCursor{pos: im.Position(n(0)), moved: b[1] == 1,
		key: listKey{pinned: int64(n(1)), time: int64(n(2)), conv: im.ConvID(n(3))}}, nil
}

// listPart is one answer in the making.
type listPart struct {
	List
	s     *Session
	q     *ListQuery
	at    listCursor
	room  int // conversations it may still hold
	bytes int // what messages may still weigh; the last may go below 0
}

// answer tells the list from p.at on; further says that it is not its first part.
func (p *listPart) answer(ctx context.Context, further bool) (List, error) {
	for {
		full, err := p.fill(ctx)
		if err != nil {
			return List{}, err
		}
		if full {
			p.Next = p.at.String()
			return p.List, nil
		}
		if p.at.moved || !further { // told in one part: it is as it was when it was read
			return p.List, nil
		}
		p.at.moved, p.at.key = true, listKey{}
	}
}

// fill adds what there is of one phase; full says that there may be more.
func (p *listPart) fill(ctx context.Context) (full bool, err error) {
	var keys []listKey
	err = p.s.eachRow(ctx, func(row *store.Row) error {
		head, ok := p.s.c.st.Head(row.Conv)
		if !ok || !row.In() {
			return nil
		}
		k := listKey{row.Settings.Pinned, head.Time, row.Conv}
		switch {
		case !p.q.Filter.rough(&head, row):
		case p.at.moved && max(head.Position, row.Position) > p.at.pos && k.conv > p.at.key.conv,
			!p.at.moved && k.compare(p.at.key) > 0:
			keys = append(keys, k)
		}
		return nil
	})
	if err != nil {
		return false, err
	}
	slices.SortFunc(keys, func(a, b listKey) int {
		if p.at.moved {
			return cmp.Compare(a.conv, b.conv)
		}
		return a.compare(b)
	})
	for _, k := range keys {
		if p.room == 0 || p.bytes <= 0 {
			return true, nil
		}
		if err := p.tell(k.conv); err != nil {
			return false, err
		}
		p.at.key = k
	}
	return false, nil
}

// tell adds a conversation as it is now, if the filter picks it.
func (p *listPart) tell(id im.ConvID) error {
	c := p.s.c
	head, row, err := c.at(id, p.s.user)
	if err != nil || !row.In() {
		return err
	}
	conv, err := c.conversation(&head, &row)
	if err != nil || !p.q.Filter.picks(&conv, &head, &row) {
		return err
	}
	if conv.Digest, err = c.digest(&head, &row, p.s.login.Locale); err != nil {
		return err
	}
	if n := min(p.q.Messages, maxListMessages); n > 0 && head.Seq > 0 {
		conv.Page, err = c.pageFor(&row, &head, 1, head.Seq, true, n, min(p.bytes, pageBytes))
		if err != nil {
			return err
		}
		for _, m := range conv.Page.Messages {
			p.bytes -= m.Size()
		}
	}
	p.bytes -= lineBytes
	p.room--
	p.Conversations = append(p.Conversations, conv)
	return nil
}

// eachRow calls f with each of the user's rows, by conversation number, until it has
// an error. Cursors and settings are those of the moment in which a thousand of them
// were read.
func (s *Session) eachRow(ctx context.Context, f func(*store.Row) error) error {
	for after := im.ConvID(0); ; {
		rows, err := s.c.st.Rows(s.user, after, rowsChunk)
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return im.Wrap(im.Unavailable, err, "the list was not read to its end")
		}
		for i := range rows {
			after = rows[i].Conv
			if err := f(&rows[i]); err != nil {
				return err
			}
		}
		if len(rows) < rowsChunk {
			return nil
		}
	}
}

// rough is the part of the filter that needs nothing but head and row.
func (f *Filter) rough(h *store.Head, row *store.Row) bool {
	switch {
	case len(f.Kinds) > 0 && !slices.Contains(f.Kinds, h.Kind),
		f.Tag != "" && !slices.Contains(row.Settings.Tags, f.Tag),
		f.Pinned && row.Settings.Pinned == 0,
		f.Archived != row.Settings.Archived,
		!f.Hidden && hidden(h, row):
		return false
	}
	return true
}

// picks says whether the filter picks a conversation.
func (f *Filter) picks(conv *Conversation, h *store.Head, row *store.Row) bool {
	switch {
	case !f.rough(h, row),
		f.Unread && conv.Mine.Unread == 0 && !row.Settings.Marked,
		f.Mentions && conv.Mine.Mentions == 0 && conv.Mine.UnreadAll == 0,
		f.NotMuted && conv.Level == im.NotifyNone:
		return false
	}
	return true
}

// hidden says whether a conversation is hidden from row.User's list: until a shown
// message above the number comes.
func hidden(h *store.Head, row *store.Row) bool {
	return row.Settings.Hidden != 0 && h.LastShown <= row.Settings.Hidden
}
