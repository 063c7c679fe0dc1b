package pebblestore_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store/pebblestore"
)

const (
	faultKind = "PEBBLESTORE_FAULT" // what fails in the child process
	faultDir  = "PEBBLESTORE_FAULT_DIR"
)

// TestFaultChild is the process that TestDiskFails starts: it sends, says which were
// acknowledged, and then has the disk fail.
func TestFaultChild(t *testing.T) {
	kind := os.Getenv(faultKind)
	if kind == "" {
		return // only TestDiskFails gives it something to do
	}
	var failing atomic.Bool
	fails := func(op errorfs.Op) error {
		if !failing.Load() || !strings.HasSuffix(op.Path, ".log") {
			return nil
		}
		switch op.Kind {
		case errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileSyncTo:
			if kind == "sync" {
				return syscall.EIO
			}
		case errorfs.OpFileWrite:
			if kind == "write" {
				return syscall.ENOSPC
			}
		}
		return nil
	}
	fs := errorfs.Wrap(vfs.Default, errorfs.InjectorFunc(fails))
	db, err := pebblestore.Open(pebblestore.Config{Dir: os.Getenv(faultDir), FS: fs, Small: true, PlainApply: os.Getenv("PLAIN") != ""})
	if err != nil {
		t.Fatal(err)
	}
	s, err := db.App(pebblestore.DefaultApp)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		must(t, s, send("alice", "bob", fmt.Sprint(i), "before"))
		fmt.Println("ack", i)
	}
	failing.Store(true)
	for i := 20; i < 40; i++ {
		op := send("alice", "bob", fmt.Sprint(i), "after")
		op.Done = func() { fmt.Println("told", i, op.Err) }
		if err := s.Submit(op); err != nil {
			fmt.Println("refused", i)
		}
	}
	select {} // until the store ends the process
}

// When a write or a sync fails, the process says what failed, ends with status 74 and
// acknowledges nothing more; what it had acknowledged is there.
func TestDiskFails(t *testing.T) {
	for _, test := range []struct{ kind, plain, says string }{
		{"sync", "", "input/output error"}, {"sync", "1", "input/output error"}, {"write", "", "no space left on device"},
	} {
		t.Run(test.kind+test.plain, func(t *testing.T) {
			dir := t.TempDir() + "/store"
			var out, errs bytes.Buffer
			c := exec.Command(os.Args[0], "-test.run=^TestFaultChild$")
			c.Env = append(os.Environ(), faultKind+"="+test.kind, faultDir+"="+dir, "PLAIN="+test.plain)
			c.Stdout, c.Stderr = &out, &errs
			err := c.Run()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != 74 {
				t.Fatalf("ended with %v, want status 74\n%s%s", err, &out, &errs)
			}
			if s := errs.String(); !strings.Contains(s, test.says) || !strings.Contains(s, "nothing after it is acknowledged") || !strings.Contains(s, dir) {
				t.Fatalf("it said %q", s)
			}
			if strings.Contains(out.String(), "told") {
				t.Fatalf("told of an outcome after the disk failed:\n%s", &out)
			}
			db, err := pebblestore.Open(pebblestore.Config{Dir: dir, Small: true})
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			s, err := db.App(pebblestore.DefaultApp)
			if err != nil {
				t.Fatal(err)
			}
			acks := 0
			for lines := bufio.NewScanner(&out); lines.Scan(); {
				var i int
				if n, _ := fmt.Sscanf(lines.Text(), "ack %d", &i); n == 1 {
					acks++
					if op := must(t, s, send("alice", "bob", fmt.Sprint(i), "before")); !op.Dup || op.Seq != im.Seq(i+1) {
						t.Fatalf("acknowledged %d is not there: %+v", i, op)
					}
				}
			}
			if acks != 20 {
				t.Fatalf("%d acknowledged", acks)
			}
		})
	}
}
