package server

import (
	"path/filepath"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store/pebblestore"
)

// storeDir is the directory of the store in the data directory.
const storeDir = "store"

// openStore opens the store of the default app.
func (s *Server) openStore(o Options) error {
	dir := filepath.Join(s.cfg.Data, storeDir)
	if o.OpenStore != nil {
		st, closer, err := o.OpenStore(dir)
		if err != nil {
			return failf(ExitData, "%w", err)
		}
		s.store, s.closer = st, closer
		return nil
	}
	pc := s.cfg.Store
	pc.Dir, pc.Clock, pc.Log, pc.OnFatal = dir, o.Clock, s.log, o.Fatal
	db, err := pebblestore.Open(pc)
	if err != nil {
		return storeError(s.cfg.Data, err)
	}
	st, err := db.App(pebblestore.DefaultApp)
	if err != nil {
		db.Close()
		return storeError(s.cfg.Data, err)
	}
	s.store, s.closer = st, db
	return nil
}

func storeError(data string, err error) error {
	if im.IsKind(err, im.Unavailable) {
		return failf(ExitData, "%w. The data directory is %s; another is chosen with --data", err, data)
	}
	return failf(ExitData, "%w", err)
}
