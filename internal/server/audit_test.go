package server

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anser-im/anser/internal/im"
)

func newAudit(t *testing.T, path string) *auditLog {
	t.Helper()
	a, err := openAudit(path, slog.New(slog.DiscardHandler), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestAuditLogIsAChain(t *testing.T) {
	path := filepath.Join(t.TempDir(), AuditFile)
	a := newAudit(t, path)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := range 5 {
				a.note("admin", "revoke", entry{User: fmt.Sprintf("u%d-%d", i, j)}, nil)
			}
		})
	}
	all.Wait()
	a = newAudit(t, path) // another run goes on with the chain
	a.note("admin", "kick", entry{User: "al\xffice", Ended: 3}, im.Errorf(im.NotFound, "none"))
	n, err := CheckAudit(path)
	if n != 41 || err != nil {
		t.Fatalf("%d lines, %v", n, err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", fi.Mode(), err)
	}
	lines := bytes.SplitAfter(whole, []byte("\n"))
	for name, alter := range map[string]func() []byte{
		"a word":     func() []byte { return bytes.Replace(whole, []byte(`"revoke"`), []byte(`"nothing"`), 1) },
		"taken out":  func() []byte { return bytes.Replace(whole, lines[20], nil, 1) },
		"put in":     func() []byte { return bytes.Replace(whole, lines[20], append(bytes.Clone(lines[3]), lines[20]...), 1) },
		"exchanged":  func() []byte { return bytes.Join([][]byte{lines[1], lines[0]}, nil) },
		"beginning":  func() []byte { return bytes.Join(lines[1:], nil) },
		"no longer":  func() []byte { return append(bytes.Clone(whole), "{}\n"...) },
		"other text": func() []byte { return []byte("hello\n") },
	} {
		if err := os.WriteFile(path, alter(), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := CheckAudit(path); err == nil || !strings.Contains(err.Error(), "line") {
			t.Errorf("%s: not found: %v", name, err)
		}
	}
	if n, err := CheckAudit(filepath.Join(t.TempDir(), "none")); n != 0 || err != nil {
		t.Errorf("%d %v", n, err)
	}
}

// After a line that a power cut left unfinished the log goes on, on a line of its own.
func TestAuditLogAfterAPowerCut(t *testing.T) {
	path := filepath.Join(t.TempDir(), AuditFile)
	newAudit(t, path).note("admin", "revoke", entry{User: "alice"}, nil)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(b, b[:40]...), 0o600); err != nil {
		t.Fatal(err)
	}
	a := newAudit(t, path)
	a.note("admin", "revoke", entry{User: "bob"}, nil)
	a.note("admin", "revoke", entry{User: "carol"}, nil)
	if b, _ = os.ReadFile(path); bytes.Count(b, []byte("\n")) != 4 {
		t.Errorf("%s", b)
	}
	if _, err := CheckAudit(path); err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("%v", err)
	}
}
