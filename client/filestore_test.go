package client_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/anser-im/anser/client"
)

func contents(t testing.TB, s client.Store) map[string]string {
	t.Helper()
	m := map[string]string{}
	if err := s.Load(func(k string, v []byte) error { m[k] = string(v); return nil }); err != nil {
		t.Fatal(err)
	}
	return m
}

func open(t testing.TB, dir string) *client.FileStore {
	t.Helper()
	s, err := client.OpenFileStore(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func put(t testing.TB, s client.Store, kv ...string) {
	t.Helper()
	tx, err := s.Begin()
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(kv); i += 2 {
		if kv[i+1] == "" {
			err = tx.Delete(kv[i])
		} else {
			err = tx.Set(kv[i], []byte(kv[i+1]))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
}

func TestFileStoreKeeps(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	s := open(t, dir)
	put(t, s, "a", "1", "b", "2")
	put(t, s, "a", "", "c", "3")
	tx, _ := s.Begin()
	tx.Set("d", []byte("never"))
	tx.Rollback()
	if _, err := client.OpenFileStore(dir); !errors.Is(err, client.ErrLocked) {
		t.Errorf("a second one: %v", err)
	}
	s.Close()
	s = open(t, dir)
	defer s.Close()
	if m := contents(t, s); len(m) != 2 || m["b"] != "2" || m["c"] != "3" {
		t.Error(m)
	}
	if info, _ := os.Stat(dir); info.Mode().Perm() != 0o700 {
		t.Error(info.Mode())
	}
}

// Wherever the journal is torn, every transaction before is there and none is there in
// part; and the store goes on from there.
func TestFileStoreTorn(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	for i := range 5 {
		put(t, s, fmt.Sprint("k", i), fmt.Sprint("v", i), fmt.Sprint("l", i), "x")
	}
	s.Close()
	path := filepath.Join(dir, "journal")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	last := 0
	for n := 0; n <= len(whole); n++ {
		for _, tail := range []string{"", "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", "garbage"} {
			if n == len(whole) && tail == "" {
				continue
			}
			if n < 8 && tail != "" {
				continue // the beginning is another's: refused, below
			}
			os.WriteFile(path, append(append([]byte(nil), whole[:n]...), tail...), 0o600)
			s := open(t, dir)
			m := contents(t, s)
			if len(m)%2 != 0 {
				t.Fatalf("cut at %d: a transaction in part: %v", n, m)
			}
			if len(m)/2 < last {
				t.Fatalf("cut at %d: %v", n, m)
			}
			last = max(last, len(m)/2)
			put(t, s, "more", "1")
			s.Close()
			s = open(t, dir)
			if m := contents(t, s); m["more"] != "1" || s.Torn() != 0 {
				t.Fatalf("cut at %d: not going on: %v", n, m)
			}
			s.Close()
		}
	}
	if last != 5 {
		t.Errorf("only %d transactions were ever read", last)
	}
	os.WriteFile(path, []byte("ANSERJ2\nfrom a newer program"), 0o600)
	if _, err := client.OpenFileStore(dir); err == nil {
		t.Error("a foreign file was taken")
	}
}

// Wherever one bit flips, at most the transaction with it is lost, and the file stays to
// be looked at.
func TestFileStoreDamaged(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	for i := range 3 {
		put(t, s, fmt.Sprint("k", i), fmt.Sprint("v", i), "sync", "token")
	}
	s.Close()
	path := filepath.Join(dir, "journal")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	last := len(whole) - (len(whole)-8)/3
	for n := 8; n < last; n++ {
		dir := t.TempDir()
		bad := append([]byte(nil), whole...)
		bad[n] ^= 1 << (n % 8)
		os.WriteFile(filepath.Join(dir, "journal"), bad, 0o600)
		s := open(t, dir)
		if m := contents(t, s); len(m) != 2 || m["k2"] != "v2" || s.Torn() == 0 { // everything is compared with the server
			t.Fatalf("byte %d: %v, torn %d", n, m, s.Torn())
		}
		if kept, err := os.ReadFile(s.Damaged()); err != nil || string(kept) != string(bad) {
			t.Fatalf("byte %d: the damaged file is not kept: %v", n, err)
		}
		put(t, s, "more", "1")
		s.Close()
		s = open(t, dir)
		if m := contents(t, s); len(m) != 3 || m["more"] != "1" || s.Damaged() != "" || s.Torn() != 0 {
			t.Fatalf("byte %d: not going on: %v", n, m)
		}
		s.Close()
	}
}

func TestFileStoreCompacts(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	big := string(make([]byte, 64<<10))
	for i := range 200 {
		put(t, s, fmt.Sprint("k", i%3), fmt.Sprint(i, big))
	}
	info, err := os.Stat(filepath.Join(dir, "journal"))
	if err != nil || info.Size() > 2<<20 {
		t.Errorf("%v bytes, %v", info.Size(), err)
	}
	put(t, s, "k0", "small")
	s.Close()
	s = open(t, dir)
	defer s.Close()
	m := contents(t, s)
	if len(m) != 3 || m["k0"] != "small" || m["k1"] != fmt.Sprint(199, big) {
		t.Error(len(m), len(m["k1"]))
	}
}

func TestFileStoreTogether(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 30 {
				put(t, s, fmt.Sprint(g, "/", i), "v")
			}
		})
	}
	wg.Wait()
	s.Close()
	if _, err := s.Begin(); err == nil {
		t.Error("a closed store takes transactions")
	}
	s = open(t, dir)
	defer s.Close()
	if m := contents(t, s); len(m) != 240 {
		t.Error(len(m))
	}
}

func TestStoreDir(t *testing.T) {
	seen := map[string]bool{}
	long := strings.Repeat("户", 21) // 63 bytes
	for _, u := range []string{"alice", "a", "..", ".", "a@b", "用户7", "a%b", "%", long, long[:60] + "机"} {
		for _, d := range []string{"x", "..", "b@c", "b@x", long, long[:60] + "机"} {
			p := client.StoreDir("base", u, d)
			if filepath.Dir(p) != "base" || seen[p] || len(filepath.Base(p)) > 255 {
				t.Errorf("%q %q: %q", u, d, p)
			}
			seen[p] = true
		}
	}
}
