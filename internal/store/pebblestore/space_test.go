package pebblestore_test

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store/pebblestore"
)

// space is a disk with made-up room.
type space struct {
	vfs.FS
	free, total uint64
}

func (s *space) GetDiskUsage(string) (vfs.DiskUsage, error) {
	return vfs.DiskUsage{AvailBytes: s.free, TotalBytes: s.total}, nil
}

// The mark is 512 MiB or a twentieth of the disk; there is room again above one and a
// half of it.
func TestWatermark(t *testing.T) {
	const mib = 1 << 20
	for _, test := range []struct {
		name     string
		minFree  int64
		total    uint64
		free     []uint64
		readOnly []bool
	}{
		{"large disk", 0, 1 << 40, []uint64{600 * mib, 513 * mib, 511 * mib, 600 * mib, 767 * mib, 769 * mib, 600 * mib, 0}, []bool{false, false, true, true, true, false, false, true}},
		{"small disk", 0, 1000 * mib, []uint64{51 * mib, 49 * mib, 74 * mib, 76 * mib}, []bool{false, true, true, false}},
		{"set", 100 * mib, 1 << 40, []uint64{101 * mib, 99 * mib, 149 * mib, 151 * mib}, []bool{false, true, true, false}},
		{"off", -1, 1 << 40, []uint64{0}, []bool{false}},
	} {
		t.Run(test.name, func(t *testing.T) {
			fs := &space{FS: vfs.NewMem(), free: test.total, total: test.total}
			db, err := pebblestore.Open(pebblestore.Config{Dir: "s", FS: fs, Small: true, MinFree: test.minFree}.Still())
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			s, _ := db.App(pebblestore.DefaultApp)
			for i, free := range test.free {
				fs.free = free
				db.CheckSpace()
				if got := s.Health().ReadOnly; got != test.readOnly[i] {
					t.Fatalf("%d MiB free: read-only %v", free/mib, got)
				}
				err := do(t, s, send("alice", "bob", string(rune('a'+i)), "x"))
				if test.readOnly[i] != im.IsKind(err, im.ReadOnly) || !test.readOnly[i] && err != nil {
					t.Fatalf("%d MiB free: %v", free/mib, err)
				}
			}
		})
	}
}
