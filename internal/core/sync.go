package core

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

const (
	defaultSync     = 100
	maxSync         = 1000
	defaultSyncPage = 20
	maxSyncPage     = 50
	lineBytes       = 256       // of one conversation without its messages, about
	syncBytes       = 256 << 10 // of messages in one answer, of which the last may go over it
	rowsChunk       = 1000
)

// Sync tells what changed in the user's conversations since a token, newest first;
// without one, all of them. While More is true the token only continues this Sync,
// and the last one stands for the moment at which it began: what moves meanwhile
// comes live, is told at its end, or comes again.
//
// A token of another epoch, and one that is not ours, count as none: where the epoch
// differs from the client's it drops what it holds. Left is empty then: the list is
// whole, and what is not in it is not the user's. A good token from above the store's
// position proves that the store was put back: it gets a new epoch and all sessions
// end before this is answered, as without a token.
//
// Errors: those of the store.
func (s *Session) Sync(ctx context.Context, q SyncQuery) (SyncAnswer, error) {
	if err := s.here(); err != nil {
		return SyncAnswer{}, err
	}
	c := s.c
	pos, epoch := c.st.Position(), c.st.Epoch() // before anything else
	t, ok := syncToken{}, false
	if q.Token != "" {
		t, ok = c.unseal(s.user, q.Token)
	}
	if ok && t.epoch == epoch && t.pos > pos {
		if err := c.renewEpoch(ctx, epoch); err != nil {
			return SyncAnswer{}, err
		}
		pos, epoch = c.st.Position(), c.st.Epoch()
	}
	switch {
	case !ok || t.epoch != epoch:
		t = syncToken{epoch: epoch, pos: pos, phase: syncList, time: math.MaxInt64, conv: math.MaxUint64}
	case t.phase == syncEnded:
		t = syncToken{epoch: epoch, pos: pos, phase: syncList, since: t.pos, time: math.MaxInt64, conv: math.MaxUint64}
	}
	c.counts.syncs.Add(1)
	return s.syncPart(ctx, q, t)
}

// syncPart answers one part of the Sync that t says.
func (s *Session) syncPart(ctx context.Context, q SyncQuery, t syncToken) (SyncAnswer, error) {
	p := syncPart{s: s, room: limit(q.Limit, defaultSync, maxSync), bytes: syncBytes}
	p.Epoch = t.epoch
	if !q.HeadsOnly {
		p.page = limit(q.Messages, defaultSyncPage, maxSyncPage)
	}
	again := t.time != math.MaxInt64 || t.conv != math.MaxUint64 // not the first part: the order may have moved under it
	for {
		items, err := s.syncItems(ctx, &t)
		if err != nil {
			return SyncAnswer{}, err
		}
		if err := p.fill(items, &t); err != nil {
			return SyncAnswer{}, err
		}
		if p.More || t.phase == syncMoved || !again {
			break
		}
		t.phase, t.conv = syncMoved, 0
	}
	if !p.More {
		t = syncToken{epoch: t.epoch, pos: t.pos}
	}
	p.Token = s.c.seal(s.user, t)
	return p.SyncAnswer, nil
}

// syncItem is a conversation that a Sync has to tell, with its place in the order.
type syncItem struct {
	time int64 // of the newest message; the least for those he left, the greatest for me
	conv im.ConvID
}

// syncItems lists what t has still to tell, in order: one range of the user's rows,
// and heads in memory.
func (s *Session) syncItems(ctx context.Context, t *syncToken) ([]syncItem, error) {
	var items []syncItem
	add := func(it syncItem, moved im.Position) {
		if t.phase == syncMoved {
			if moved > t.pos && it.conv > t.conv {
				items = append(items, it)
			}
		} else if (moved > t.since || t.since == 0) && it.compare(syncItem{t.time, t.conv}) > 0 {
			items = append(items, it)
		}
	}
	me, err := s.c.look(s.user, im.Me)
	if err != nil {
		return nil, err
	}
	if me.conv != 0 {
		add(syncItem{math.MaxInt64, me.conv}, me.head.Position)
	}
	for after := im.ConvID(0); ; {
		rows, err := s.c.st.Rows(s.user, after, rowsChunk)
		if err != nil {
			return nil, err
		}
		if err := ctx.Err(); err != nil {
			return nil, im.Wrap(im.Unavailable, err, "the list was not read to its end")
		}
		for i := range rows {
			row := &rows[i]
			after = row.Conv
			if !row.In() {
				if t.since > 0 || t.phase == syncMoved {
					add(syncItem{math.MinInt64, row.Conv}, row.Position)
				}
			} else if head, ok := s.c.st.Head(row.Conv); ok {
				add(syncItem{head.Time, row.Conv}, max(row.Position, head.Position))
			}
		}
		if len(rows) < rowsChunk {
			break
		}
	}
	slices.SortFunc(items, func(a, b syncItem) int {
		if t.phase == syncMoved {
			return cmp.Compare(a.conv, b.conv)
		}
		return a.compare(b)
	})
	return items, nil
}

// compare orders items as they are told: newest first.
func (it syncItem) compare(other syncItem) int {
	return cmp.Or(cmp.Compare(other.time, it.time), cmp.Compare(other.conv, it.conv))
}

// syncPart is one answer in the making.
type syncPart struct {
	SyncAnswer
	s     *Session
	room  int // conversations it may still hold
	page  int // messages of each; 0 = none
	bytes int // what messages may still weigh; the last may go below 0
}

// fill tells items until the answer is full, and leaves in t how far it came.
func (p *syncPart) fill(items []syncItem, t *syncToken) error {
	for _, it := range items {
		if p.room == 0 || p.bytes <= 0 {
			p.More = true
			return nil
		}
		if err := p.tell(it.conv); err != nil {
			return err
		}
		p.room--
		t.time, t.conv = it.time, it.conv
	}
	return nil
}

// tell adds a conversation as it is now: the row that brought it here is older than
// the head, and must not let anybody see what came after he was taken out.
func (p *syncPart) tell(id im.ConvID) error {
	head, row, err := p.s.c.at(id, p.s.user)
	if err != nil {
		return err
	}
	if head.Kind == im.Self {
		row = store.Row{User: p.s.user, Role: im.Member, From: 1}
	}
	if !row.In() {
		p.Left = append(p.Left, addressOf(&head, p.s.user))
		return nil
	}
	line := p.s.listLine
	if p.page == 0 {
		line = p.s.c.conversation // whoever wants no message reads no digest
	}
	conv, err := line(&head, &row)
	if err != nil {
		return err
	}
	if p.page > 0 && head.Seq > 0 {
		conv.Page, err = p.s.c.pageFor(&row, &head, 1, head.Seq, true, p.page, min(p.bytes, pageBytes))
		if err != nil {
			return err
		}
		for _, m := range conv.Page.Messages {
			p.bytes -= m.Size()
		}
	}
	p.bytes -= lineBytes // a line is no message, but takes its room in the answer
	p.Conversations = append(p.Conversations, conv)
	return nil
}
