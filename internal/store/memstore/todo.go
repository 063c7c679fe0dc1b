package memstore

import (
	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

func (s *Store) Marks(conv im.ConvID, after im.UserID, limit int) ([]store.Row, error) {
	return nil, nil
}
func (s *Store) Due(now int64, limit int) ([]store.Record, int64, error) { return nil, 0, nil }
func (s *Store) NextExpiry() (int64, error)                              { return 0, nil }
