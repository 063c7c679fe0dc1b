package pebblestore

import (
	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

func (s *Store) Marks(conv im.ConvID, after im.UserID, limit int) ([]store.Row, error) {
	return nil, nil
}
func (s *Store) Tallies(conv im.ConvID, from, to im.Seq) ([]im.Tally, error) { return nil, nil }
func (s *Store) Replies(conv im.ConvID, seq, after im.Seq, limit int) ([]im.Seq, error) {
	return nil, nil
}
func (s *Store) InThread(conv im.ConvID, root, from, to im.Seq, backward bool, limit int) ([]im.Seq, error) {
	return nil, nil
}
func (s *Store) Threads(conv im.ConvID, before im.Seq, limit int) ([]im.Tally, error) {
	return nil, nil
}
func (s *Store) Reactions(q store.ReactionQuery) ([]im.Reacted, error) { return nil, nil }
func (s *Store) Pins(conv im.ConvID) ([]im.Seq, error)                 { return nil, nil }
func (s *Store) Formers(conv im.ConvID, seq im.Seq, after im.Ver, limit int) ([]im.Former, error) {
	return nil, nil
}
func (s *Store) Burning(u im.UserID, conv im.ConvID, seq im.Seq, limit int) ([]im.Seq, error) {
	return nil, nil
}
func (s *Store) Due(now int64, limit int) ([]store.Record, int64, error) { return nil, 0, nil }
func (s *Store) NextExpiry() (int64, error)                              { return 0, nil }
