package pebblestore_test

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store/pebblestore"
)

// A store that has got less far than it had is refused, until somebody says that it
// is to go on all the same; then clients begin anew.
func TestMark(t *testing.T) {
	mem := vfs.NewCrashableMem()
	cfg := pebblestore.Config{FS: mem, Dir: "data/store", Small: true}
	db, s := opened(t, mem, pebblestore.Config{})
	must(t, s, send("alice", "bob", "1", "x"))
	early := mem.CrashClone(vfs.CrashCloneCfg{})
	must(t, s, send("alice", "bob", "2", "x"))
	first := s.Epoch()
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db, s = opened(t, mem, pebblestore.Config{})
	if s.Epoch() != first {
		t.Fatal("a new epoch without need")
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	// the files of before under the note of now
	if ok, err := vfs.Clone(mem, early, "data/store/MARK", "data/store/MARK"); err != nil || !ok {
		t.Fatal(ok, err)
	}
	cfg.FS = early
	for range 2 {
		refused(t, cfg, im.Unavailable, "is damaged", "what was acknowledged is missing", "MARK")
	}
	if err := early.Remove("data/store/MARK"); err != nil {
		t.Fatal(err)
	}
	db, s = opened(t, early, pebblestore.Config{})
	second := s.Epoch()
	if second == first {
		t.Fatal("commits are missing and the epoch is the same")
	}
	must(t, s, send("alice", "bob", "3", "x"))
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, s = opened(t, early, pebblestore.Config{}); s.Epoch() != second {
		t.Fatal("a new epoch at every opening")
	}
}
