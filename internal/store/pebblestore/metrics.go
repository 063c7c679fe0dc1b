package pebblestore

import "github.com/cockroachdb/pebble/v2"

// Disk is what the files cost, beyond what store.Stats says.
type Disk struct {
	Written    uint64 // bytes since the database was opened: log, flushes and compactions
	Size       uint64 // bytes of all files
	Debt       uint64 // bytes that compactions have yet to move, estimated
	Compacting bool   // a flush or compaction is under way
	IDsCovered bool   // the filter knows every kept client id, so that fresh ones touch no file
}

// Disk says how the files are; ok is false once the database is closed.
func (db *DB) Disk() (d Disk, ok bool) {
	m := db.Metrics()
	if m == nil {
		return Disk{}, false
	}
	d.Written = m.WAL.BytesWritten
	for i := range m.Levels {
		d.Written += m.Levels[i].TableBytesFlushed + m.Levels[i].TableBytesCompacted
	}
	d.Size, d.Debt = m.DiskSpaceUsage(), m.Compact.EstimatedDebt
	d.Compacting = m.Flush.NumInProgress > 0 || m.Compact.NumInProgress > 0
	d.IDsCovered = len(db.filter.st.Load().uncovered) == 0
	return d, true
}

// Metrics are Pebble's own, for whoever wants to know more; nil if the database is
// closed.
func (db *DB) Metrics() *pebble.Metrics {
	v := db.acquire() // keeps the database open meanwhile
	if v == nil {
		return nil
	}
	defer v.release()
	return db.peb.Metrics()
}
