package pebblestore_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
	"github.com/anser-im/anser/internal/store/pebblestore"
)

// A disk of 64 MiB is written full: the store refuses in time and says why, reads go
// on, nothing that was acknowledged is missing, and when there is room again it takes
// writes by itself.
func TestDiskFull(t *testing.T) {
	mount := t.TempDir()
	if err := unix.Mount("tmpfs", mount, "tmpfs", 0, "size=64m"); err != nil {
		t.Skipf("no tmpfs can be mounted here: %v", err)
	}
	t.Cleanup(func() { unix.Unmount(mount, unix.MNT_DETACH) })
	ballast := mount + "/ballast"
	if err := os.WriteFile(ballast, make([]byte, 20<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := pebblestore.Config{Dir: mount + "/store", Small: true, MinFree: 16 << 20}.Memtable(1 << 20)
	db, err := pebblestore.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	s, err := db.App(pebblestore.DefaultApp)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	noise := make([]byte, 1<<20) // does not compress
	for i := range noise {
		noise[i] = byte(rng.Uint32())
	}
	body := func() string {
		at := rng.IntN(len(noise) - 32<<10)
		return string(noise[at : at+32<<10])
	}
	acked := map[im.Seq]string{}
	var conv im.ConvID
	write := func() error {
		text := body()
		op := send("alice", "bob", fmt.Sprint(rng.Uint64()), text)
		err := do(t, s, op)
		if err == nil {
			acked[op.Seq], conv = text, op.At
		}
		return err
	}
	for i := 0; ; i++ {
		err := write()
		if im.IsKind(err, im.ReadOnly) {
			break
		}
		if err != nil || i > 20_000 {
			t.Fatalf("send %d: %v", i, err)
		}
	}
	if !s.Health().ReadOnly || s.Health().Failed != nil {
		t.Fatalf("%+v", s.Health())
	}
	var st unix.Statfs_t
	if err := unix.Statfs(mount, &st); err != nil || st.Bavail == 0 {
		t.Fatalf("no byte is left: %v %v", st.Bavail, err)
	}
	check := func() {
		t.Helper()
		for seq, text := range acked {
			m, ok, err := s.Message(conv, seq)
			if err != nil || !ok || string(m.Body) != text {
				t.Fatalf("acknowledged %d of %d: %v %v", seq, len(acked), ok, err)
			}
		}
		if p, err := s.Page(store.PageQuery{Conv: conv, From: 1, To: 1 << 40, Backward: true}); err != nil || len(p.Messages) == 0 {
			t.Fatal(err)
		}
	}
	check()
	t.Logf("%d messages of 32 KiB, then read-only with %d KiB left", len(acked), st.Bavail*uint64(st.Bsize)>>10)
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(time.Minute)
	for {
		err := write()
		if err == nil {
			break
		}
		if !im.IsKind(err, im.ReadOnly) || time.Now().After(deadline) {
			t.Fatalf("there is room again: %v", err)
		}
		time.Sleep(10 * time.Millisecond)
	}
	check()
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if db, err = pebblestore.Open(cfg); err != nil {
		t.Fatal(err)
	}
	if s, err = db.App(pebblestore.DefaultApp); err != nil {
		t.Fatal(err)
	}
	check()
}
