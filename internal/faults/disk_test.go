package faults

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/anser-im/anser/wire"
)

// one sends one message and waits for its answer on a link that nobody else reads.
func (l *link) one(m *wire.Send) (*wire.SendAck, error) {
	if err := l.write(m); err != nil {
		return nil, err
	}
	l.nc.SetReadDeadline(time.Now().Add(limit))
	defer l.nc.SetReadDeadline(time.Time{})
	for {
		f, err := l.read()
		if err != nil {
			return nil, err
		}
		if f.Type == wire.TypeSendAck {
			a := new(wire.SendAck)
			if err := wire.Binary.Decode(f, a); err != nil {
				return nil, err
			}
			if a.Id == m.Id {
				return a, nil
			}
		}
	}
}

func text(to string, n int, body string) *wire.Send {
	return &wire.Send{Id: fmt.Sprint("n", n), Conv: to, Type: "an:text", Body: fmt.Appendf(nil, `{"content":%q}`, body)}
}

// isReady says what /readyz answers.
func (p *program) isReady(t *testing.T) int {
	t.Helper()
	r, err := http.Get(p.http + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	return r.StatusCode
}

// until waits for ok to hold.
func until(t *testing.T, what string, ok func() bool) time.Duration {
	t.Helper()
	began := time.Now()
	for !ok() {
		if time.Since(began) > limit {
			t.Fatalf("%s: not after %v", what, limit)
		}
		time.Sleep(10 * time.Millisecond)
	}
	return time.Since(began)
}

// TestDiskFull fills the disk: the server refuses sends in good time, everything else
// works, it takes sends again by itself when there is room, and nothing is lost.
func TestDiskFull(t *testing.T) {
	disk := t.TempDir()
	if err := unix.Mount("tmpfs", disk, "tmpfs", 0, "size=96m"); err != nil {
		t.Fatalf("mounting a small disk (needs root): %v", err)
	}
	t.Cleanup(func() { unix.Unmount(disk, unix.MNT_DETACH) })
	dir := filepath.Join(disk, "data")
	p := start(t, dir, "store: {min_free: 16MiB, small: true}\n")
	t.Cleanup(p.kill) // before the disk goes

	l := newLedger()
	alice, _, err := dial(p.tcp, token(p.secret, "alice"), "phone")
	if err != nil {
		t.Fatal(err)
	}
	defer alice.close()
	n := 0
	send := func() *wire.SendAck { // what was refused comes again under its id, as the order of a sender asks
		t.Helper()
		m := text("u/bob", n, string(bytes.Repeat([]byte{'x'}, 1000)))
		a, err := alice.one(m)
		if err != nil {
			t.Fatalf("send %d: %v\n%s", n, err, p.printed())
		}
		if a.Code == wire.CodeOK {
			l.ack(acked{"alice", "u/bob", m.Id, a.Seq, string(m.Body)})
			n++
		}
		return a
	}
	for range 100 {
		if a := send(); a.Code != wire.CodeOK {
			t.Fatalf("%d %s", a.Code, a.Message)
		}
	}
	if code := p.isReady(t); code != http.StatusOK {
		t.Fatalf("readyz %d with room", code)
	}

	// Somebody else fills the disk.
	ballast := filepath.Join(disk, "ballast")
	var st unix.Statfs_t
	if err := unix.Statfs(disk, &st); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(ballast, make([]byte, int64(st.Bavail)*st.Bsize-10<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	took := until(t, "read-only", func() bool { return send().Code == wire.CodeReadOnly })
	t.Logf("read-only %v after the disk was filled", took)
	if code := p.isReady(t); code != http.StatusServiceUnavailable {
		t.Errorf("readyz %d while read-only", code)
	}
	var page wire.PageResponse
	alice.must(t, wire.MethodPage, &wire.PageRequest{Conv: "u/bob", Backward: true, Limit: 50}, &page)
	if len(page.Range.Messages) != 50 {
		t.Errorf("%d messages of the history while read-only", len(page.Range.Messages))
	}
	bob, _, err := dial(p.tcp, token(p.secret, "bob"), "phone")
	if err != nil {
		t.Fatalf("login while read-only: %v", err)
	}
	bob.close()

	// There is room again.
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	took = until(t, "writable", func() bool { return send().Code == wire.CodeOK })
	t.Logf("writable %v after there was room", took)
	until(t, "ready", func() bool { return p.isReady(t) == http.StatusOK })
	select {
	case <-p.exited:
		t.Fatal("the server ended")
	default:
	}
	if _, wrong := l.audit(p.tcp, p.secret, []string{"alice", "bob"}); len(wrong) > 0 {
		t.Errorf("%q", wrong)
	}
}

// TestSyncFails has every fdatasync from some point on fail: the server acknowledges
// nothing after that, says why, and ends with status 74; what it had acknowledged is
// there when it starts again.
func TestSyncFails(t *testing.T) {
	dir := t.TempDir() + "/data"
	p := start(t, dir, "", "strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync,fdatasync",
		"-e", "inject=fsync,fdatasync:error=EIO:when=200+")
	l := newLedger()
	alice, _, err := dial(p.tcp, token(p.secret, "alice"), "phone")
	if err != nil {
		t.Fatal(err)
	}
	defer alice.close()
	n := 0
	for ; n < 10_000; n++ {
		m := text("u/bob", n, "hello")
		a, err := alice.one(m)
		if err != nil {
			break
		}
		if a.Code == wire.CodeOK {
			l.ack(acked{"alice", "u/bob", m.Id, a.Seq, string(m.Body)})
		}
	}
	if code := p.status(t); code != 74 {
		t.Errorf("status %d, want 74\n%s", code, p.printed())
	}
	if n == 10_000 || l.count() == 0 {
		t.Fatalf("%d sends, %d acknowledged: no sync failed in between", n, l.count())
	}
	if !bytes.Contains([]byte(p.printed()), []byte("input/output error")) {
		t.Errorf("it does not say what failed:\n%s", p.printed())
	}
	p = start(t, dir, "")
	messages, wrong := l.audit(p.tcp, p.secret, []string{"alice", "bob"})
	if len(wrong) > 0 {
		t.Errorf("%q", wrong)
	}
	t.Logf("%d acknowledged before the sync failed, %d there afterwards", l.count(), messages/2)
}

// TestSyncSlow has every sync take 150 ms longer: sends wait for it, the node says that
// it is slow, and nothing is lost.
func TestSyncSlow(t *testing.T) {
	dir := t.TempDir() + "/data"
	p := start(t, dir, "", "strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync,fdatasync",
		"-e", "inject=fsync,fdatasync:delay_enter=150000")
	l := newLedger()
	alice, _, err := dial(p.tcp, token(p.secret, "alice"), "phone")
	if err != nil {
		t.Fatal(err)
	}
	defer alice.close()
	var times []time.Duration
	for n := range 20 {
		m := text("u/bob", n, "hello")
		began := time.Now()
		a, err := alice.one(m)
		if err != nil || a.Code != wire.CodeOK {
			t.Fatalf("%v %v\n%s", a, err, p.printed())
		}
		times = append(times, time.Since(began))
		l.ack(acked{"alice", "u/bob", m.Id, a.Seq, string(m.Body)})
	}
	if fastest := quantile(times, 0); fastest < 140*time.Millisecond {
		t.Errorf("an acknowledgement took %v: it did not wait for the sync", fastest)
	}
	t.Logf("acknowledgements took %v at the median, %v at most", quantile(times, 0.5), quantile(times, 1))
	if _, wrong := l.audit(p.tcp, p.secret, []string{"alice", "bob"}); len(wrong) > 0 {
		t.Errorf("%q", wrong)
	}
}
