package pebblestore_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
	"github.com/anser-im/anser/internal/store/pebblestore"
)

// opened is a database on mem.
func opened(t testing.TB, mem vfs.FS, cfg pebblestore.Config) (*pebblestore.DB, *pebblestore.Store) {
	t.Helper()
	cfg.FS, cfg.Dir, cfg.Small = mem, "data/store", true
	db, err := pebblestore.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	s, err := db.App(pebblestore.DefaultApp)
	if err != nil {
		t.Fatal(err)
	}
	return db, s
}

// raw alters what a closed store has on its disk.
func raw(t testing.TB, mem vfs.FS, f func(*pebble.DB) error) {
	t.Helper()
	db, err := pebble.Open("data/store", &pebble.Options{FS: mem, FormatMajorVersion: pebble.FormatTableFormatV6})
	if err != nil {
		t.Fatal(err)
	}
	if err := f(db); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// refused opens what cannot be opened, and finds words in the sentence for people.
func refused(t *testing.T, cfg pebblestore.Config, kind im.Kind, words ...string) {
	t.Helper()
	db, err := pebblestore.Open(cfg)
	if err == nil {
		db.Close()
		t.Fatal("opened")
	}
	if !im.IsKind(err, kind) {
		t.Fatalf("%v, want %v", err, kind)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Fatalf("%q does not say %q", err, w)
		}
	}
}

func TestOpenRefusals(t *testing.T) {
	t.Run("in use", func(t *testing.T) {
		dir := t.TempDir()
		cfg := pebblestore.Config{Dir: dir, Small: true}
		db, err := pebblestore.Open(cfg)
		if err != nil {
			t.Fatal(err)
		}
		refused(t, cfg, im.Unavailable, dir, "in use by another process")
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		if db, err = pebblestore.Open(cfg); err != nil {
			t.Fatalf("closed, and still locked: %v", err)
		}
		db.Close()
	})
	t.Run("a file", func(t *testing.T) {
		name := t.TempDir() + "/f"
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		refused(t, pebblestore.Config{Dir: name}, im.Invalid, name, "is a file")
	})
	t.Run("other files", func(t *testing.T) {
		dir := t.TempDir()
		if err := os.WriteFile(dir+"/letter.txt", []byte("dear"), 0o600); err != nil {
			t.Fatal(err)
		}
		refused(t, pebblestore.Config{Dir: dir}, im.Invalid, dir, "holds no store")
		if names, _ := os.ReadDir(dir); len(names) > 2 { // the letter and LOCK
			t.Fatalf("left files behind: %v", names)
		}
	})
	t.Run("not to be made", func(t *testing.T) {
		name := t.TempDir() + "/f"
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		refused(t, pebblestore.Config{Dir: name + "/store"}, im.Unavailable, "cannot be made")
	})
	t.Run("another program's database", func(t *testing.T) {
		mem := vfs.NewMem()
		if err := mem.MkdirAll("data/store", 0o700); err != nil {
			t.Fatal(err)
		}
		raw(t, mem, func(db *pebble.DB) error { return db.Set([]byte("k"), []byte("v"), pebble.Sync) })
		refused(t, pebblestore.Config{FS: mem, Dir: "data/store"}, im.Invalid, "holds no store")
	})
	t.Run("newer", func(t *testing.T) {
		mem := vfs.NewMem()
		db, _ := opened(t, mem, pebblestore.Config{})
		db.Close()
		raw(t, mem, func(db *pebble.DB) error {
			row, closer, err := db.Get(pebblestore.KeyMeta())
			if err != nil {
				return err
			}
			defer closer.Close()
			return db.Set(pebblestore.KeyMeta(), append([]byte{99}, row[1:]...), pebble.Sync)
		})
		refused(t, pebblestore.Config{FS: mem, Dir: "data/store"}, im.Unsupported, "newer version of anser")
	})
	t.Run("newer files", func(t *testing.T) {
		mem := vfs.NewMem()
		db, _ := opened(t, mem, pebblestore.Config{})
		db.Close()
		names, err := mem.List("data/store")
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range names {
			if strings.HasPrefix(n, "marker.format-version.") { // marker.format-version.<iteration>.<version>
				at := strings.LastIndex(n, ".")
				if err := mem.Rename("data/store/"+n, "data/store/"+n[:at]+".999"); err != nil {
					t.Fatal(err)
				}
			}
		}
		refused(t, pebblestore.Config{FS: mem, Dir: "data/store"}, im.Unsupported, "newer version of anser")
	})
}

// A store that was cut off while it was made is made again.
func TestOpenAfterCutOff(t *testing.T) {
	mem := vfs.NewCrashableMem()
	d := newDisk(mem)
	var left []*vfs.MemFS
	f := func() { left = append(left, mem.CrashClone(vfs.CrashCloneCfg{})) }
	d.onSync.Store(&f)
	db, _ := opened(t, d, pebblestore.Config{})
	d.onSync.Store(nil)
	db.Close()
	for i, fs := range left {
		db, s := opened(t, fs, pebblestore.Config{})
		must(t, s, send("alice", "bob", "1", "hello"))
		if err := db.Close(); err != nil {
			t.Fatalf("cut %d: %v", i, err)
		}
	}
	if len(left) < 5 {
		t.Fatalf("%d syncs while a store is made", len(left))
	}
}

// Two apps see nothing of each other.
func TestApps(t *testing.T) {
	mem := vfs.NewMem()
	db, one := opened(t, mem, pebblestore.Config{})
	ctx := context.Background()
	two, err := db.NewApp(ctx, "two")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.NewApp(ctx, "two"); !im.IsKind(err, im.Conflict) {
		t.Fatalf("made twice: %v", err)
	}
	if _, err := db.NewApp(ctx, ""); !im.IsKind(err, im.Invalid) {
		t.Fatal(err)
	}
	if _, err := db.App("three"); !im.IsKind(err, im.NotFound) {
		t.Fatal(err)
	}
	a := must(t, one, send("alice", "bob", "1", "of one"))
	b := must(t, two, send("alice", "bob", "1", "of two"))
	must(t, two, &store.PutOp{Records: []store.Record{{Kind: store.SettingRecord, User: "alice", Key: "k", Value: []byte("v")}}})
	must(t, two, &store.MemberOp{Info: &im.GroupInfo{ID: "g"}, By: "alice", Set: []store.RoleSet{{User: "alice", Role: im.Owner}}})
	if a.Dup || b.Dup || a.At == b.At || a.Seq != 1 || b.Seq != 1 {
		t.Fatalf("%+v %+v", a, b)
	}
	for i := range 2 {
		if _, ok := one.Head(b.At); ok {
			t.Fatal("a head of the other app")
		}
		if _, ok, _ := one.Message(b.At, 1); ok {
			t.Fatal("a message of the other app")
		}
		if c, ok, _ := one.Direct("alice", "bob", ""); !ok || c != a.At {
			t.Fatal("the other's conversation")
		}
		if rows, _ := one.Rows("alice", 0, 10); len(rows) != 1 || rows[0].Conv != a.At {
			t.Fatalf("%+v", rows)
		}
		if _, ok, _ := one.Group("g"); ok {
			t.Fatal("a group of the other app")
		}
		if _, ok, _ := one.Get(store.SettingRecord, "alice", "k"); ok {
			t.Fatal("a record of the other app")
		}
		op := send("alice", "", "2", "into the other app")
		op.Conv = b.At
		if err := do(t, one, op); !im.IsKind(err, im.NotFound) {
			t.Fatalf("a send into the other app: %v", err)
		}
		if one.Delivered(b.At, "bob", 1) {
			t.Fatal("a delivery in the other app")
		}
		if i == 0 {
			db.Close()
			db, one = opened(t, mem, pebblestore.Config{})
			if names := fmt.Sprint(db.Apps()); names != "[default two]" {
				t.Fatal(names)
			}
			if two, err = db.App("two"); err != nil {
				t.Fatal(err)
			}
			if m, ok, err := two.Message(b.At, 1); err != nil || !ok || string(m.Body) != "of two" {
				t.Fatalf("%+v %v %v", m, ok, err)
			}
		}
	}
}

// A row that is not what its key says fails who reads it, names its key, and is never
// taken for something else; the rest of the store goes on.
func TestDamagedRows(t *testing.T) {
	mem := vfs.NewMem()
	db, s := opened(t, mem, pebblestore.Config{})
	conv := must(t, s, send("alice", "bob", "1", "hello")).At
	must(t, s, send("alice", "bob", "2", "second"))
	must(t, s, &store.ChangeOp{Conv: conv, Seq: 2, Kind: im.Edit, By: "alice", Body: []byte("x")})
	g := must(t, s, &store.MemberOp{Info: &im.GroupInfo{ID: "g"}, By: "alice", Set: []store.RoleSet{{User: "alice", Role: im.Owner}}}).At
	must(t, s, &store.PutOp{Records: []store.Record{{Kind: store.SettingRecord, User: "alice", Key: "k", Value: []byte("v")}}})
	must(t, s, &store.CursorOp{User: "alice", Device: "d", Conv: conv, Seq: 1})
	db.Close()
	good := mem
	for name, test := range map[string]struct {
		key  []byte
		read func(s *pebblestore.Store) error
	}{
		"message": {pebblestore.KeyMessage(conv, 1), func(s *pebblestore.Store) error { _, _, err := s.Message(conv, 1); return err }},
		"page": {pebblestore.KeyMessage(conv, 1), func(s *pebblestore.Store) error {
			_, err := s.Page(store.PageQuery{Conv: conv, From: 1, To: 9})
			return err
		}},
		"edit": {pebblestore.KeyMessage(conv, 1), func(s *pebblestore.Store) error {
			return do(t, s, &store.ChangeOp{Conv: conv, Seq: 1, Kind: im.Recall, By: "alice"})
		}},
		"change":  {pebblestore.KeyChange(conv, 1), func(s *pebblestore.Store) error { _, err := s.Changes(conv, 1, 9); return err }},
		"row":     {pebblestore.KeyRow("alice", g), func(s *pebblestore.Store) error { _, _, err := s.Row(g, "alice"); return err }},
		"rows":    {pebblestore.KeyRow("alice", g), func(s *pebblestore.Store) error { _, err := s.Rows("alice", 0, 9); return err }},
		"read":    {pebblestore.KeyRow("alice", g), func(s *pebblestore.Store) error { return do(t, s, &store.ReadOp{Conv: g, User: "alice", Seq: 1}) }},
		"info":    {pebblestore.KeyInfo(g), func(s *pebblestore.Store) error { _, _, err := s.Info(g); return err }},
		"record":  {pebblestore.KeyRecord(store.SettingRecord, "alice", "k"), func(s *pebblestore.Store) error { _, _, err := s.Get(store.SettingRecord, "alice", "k"); return err }},
		"cursor":  {pebblestore.KeyCursor("alice", "d", conv), func(s *pebblestore.Store) error { _, err := s.Cursor("alice", "d", conv); return err }},
		"address": {pebblestore.KeyDirect("alice", "bob"), func(s *pebblestore.Store) error { _, _, err := s.Direct("alice", "bob", ""); return err }},
		"retry": {pebblestore.KeyID(conv, "alice", "1"), func(s *pebblestore.Store) error {
			op := send("alice", "", "1", "hello")
			op.Conv = conv
			return do(t, s, op)
		}},
		"new send": {pebblestore.KeyDirect("alice", "bob"), func(s *pebblestore.Store) error { return do(t, s, send("alice", "bob", "9", "x")) }},
	} {
		t.Run(name, func(t *testing.T) {
			mem := vfs.NewMem()
			if _, err := vfs.Clone(good, mem, "data", "data"); err != nil {
				t.Fatal(err)
			}
			raw(t, mem, func(db *pebble.DB) error {
				if _, c, err := db.Get(test.key); err != nil {
					return fmt.Errorf("%q: %w", test.key, err)
				} else {
					c.Close()
				}
				return db.Set(test.key, []byte{1, 0xff, 0xff}, pebble.Sync)
			})
			_, s := opened(t, mem, pebblestore.Config{})
			err := test.read(s)
			if !im.IsKind(err, im.Internal) {
				t.Fatalf("%v", err)
			}
			if cause := fmt.Sprint(errors.Unwrap(err)); !strings.Contains(cause, fmt.Sprintf("%q", test.key)) {
				t.Fatalf("%s does not name %q", cause, test.key)
			}
			if strings.Contains(err.Error(), "alice") {
				t.Fatalf("what users are told names rows: %s", err)
			}
			must(t, s, send("carol", "dave", "1", "the rest goes on"))
		})
	}
	for name, key := range map[string][]byte{"head": pebblestore.KeyHead(conv), "app": pebblestore.KeyApp("default")} {
		mem := vfs.NewMem()
		if _, err := vfs.Clone(good, mem, "data", "data"); err != nil {
			t.Fatal(err)
		}
		raw(t, mem, func(db *pebble.DB) error { return db.Set(key, []byte{1, 0xff, 0xff}, pebble.Sync) })
		t.Run(name, func(t *testing.T) {
			refused(t, pebblestore.Config{FS: mem, Dir: "data/store"}, im.Unavailable, "is damaged", fmt.Sprintf("%q", key))
		})
	}
}
