package core

import (
	"context"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// Unread are totals over the user's conversations that a filter picks: the badge of an
// app icon is that of Filter{NotMuted: true}, or of the zero one.
//
// Errors: those of the store.
func (s *Session) Unread(ctx context.Context, f Filter) (Unread, error) {
	if err := s.here(); err != nil {
		return Unread{}, err
	}
	u := Unread{ByKind: map[im.ConvKind]uint64{}}
	err := s.eachRow(ctx, func(row *store.Row) error {
		head, ok := s.c.st.Head(row.Conv)
		if !ok || !row.In() || !f.rough(&head, row) || row.Read >= head.Seq && !row.Settings.Marked {
			return nil
		}
		return s.addUnread(&u, &f, row.Conv)
	})
	return u, err
}

// addUnread adds what is unread in a conversation, as it is now.
func (s *Session) addUnread(u *Unread, f *Filter, id im.ConvID) error {
	head, row, err := s.c.at(id, s.user)
	if err != nil || !row.In() {
		return err
	}
	conv, err := s.c.conversation(&head, &row)
	if err != nil || !f.picks(&conv, &head, &row) {
		return err
	}
	m := &conv.Mine
	u.Messages += m.Unread
	u.Mentions += m.Mentions
	u.All += m.UnreadAll
	switch {
	case m.Unread > 0:
		u.Conversations++
		u.ByKind[head.Kind] += m.Unread
	case row.Settings.Marked:
		u.Marked++
	}
	return nil
}
