package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// startTestRelay serves in this process; it has ended when the test has.
func startTestRelay(t *testing.T) (addr, dir string) {
	dir = t.TempDir()
	r, err := newRelay(dir)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.serve(ctx, ln) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return ln.Addr().String(), dir
}

func TestPairsAndFanout(t *testing.T) {
	for _, d := range []*driver{
		{users: 6, messages: 200, size: 64, window: 7},
		{users: 6, messages: 200, size: 64, window: 1},
		{users: 6, messages: 100, size: 64, window: 4, fanout: true},
	} {
		d.born = time.Now()
		addr, dir := startTestRelay(t)
		rep, err := d.run(t.Context(), addr, os.Getpid())
		if err != nil {
			t.Fatal(err)
		}
		want := int64(d.users * d.messages)
		fan := int64(1)
		if d.fanout {
			want, fan = int64(d.messages), int64(d.users-1)
		}
		if rep.Accepted != want || rep.Delivered != want*fan || rep.Lost != 0 || rep.Errors != 0 || !(rep.AckMs.P50 > 0) {
			t.Errorf("fanout %v: %+v", d.fanout, rep)
		}
		// Everything that was acknowledged is in the log, as it was sent.
		log, err := os.ReadFile(filepath.Join(dir, "log"))
		if err != nil {
			t.Fatal(err)
		}
		n := int64(0)
		for len(log) > 0 {
			typ, fields, size := next(log)
			if _, _, body, ok := message(fields); size <= 0 || typ != typeSend || !ok || len(body) != d.size {
				t.Fatalf("the log is broken after %d messages", n)
			}
			log = log[size:]
			n++
		}
		if n != want {
			t.Errorf("the log has %d messages, %d were acknowledged", n, want)
		}
	}
}

// A relay that loses or turns messages around must not look like a good one.
func TestDriverSeesWhatIsWrong(t *testing.T) {
	d := &driver{users: 2, messages: 10, size: 16, window: 10, born: time.Now()}
	c := &client{d: d, hello: true, sent: 3, dueAt: make([]int64, 10)}
	body := make([]byte, 16)
	var b []byte
	b = appendMessage(b, typePush, 1, 0, body)
	b = appendMessage(b, typePush, 1, 2, body) // 1 is missing
	b = appendMessage(b, typePush, 1, 0, body) // again
	b = appendAck(b, 1)                        // before 0
	b = appendAck(b, 0)
	b = appendAck(b, 7) // never sent
	c.sent, d.messages = 3, 3
	if err := c.feed(b); err != nil {
		t.Fatal(err)
	}
	if c.got != 1 || c.acked != 1 || d.wrong.Load() != 4 || d.delivered.Load() != 1 {
		t.Errorf("got %d, acked %d, wrong %d", c.got, c.acked, d.wrong.Load())
	}
	if err := c.feed([]byte{0, 0, 0, 0, 1}); err != errFrame {
		t.Errorf("a frame without a type: %v", err)
	}
}

func FuzzNext(f *testing.F) {
	f.Add(appendAck(nil, 7))
	f.Add(appendMessage(nil, typeSend, 1, 2, []byte("body")))
	f.Add(appendHello(nil, 3))
	f.Add([]byte{255, 255, 255, 255, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		typ, fields, n := next(b)
		if n <= 0 {
			return
		}
		if n > len(b) || len(fields) != n-frameHead {
			t.Fatalf("%d of %d bytes, %d of fields", n, len(b), len(fields))
		}
		if who, id, body, ok := message(fields); ok && !bytes.Equal(appendMessage(nil, typ, who, id, body), b[:n]) {
			t.Error("written again it differs")
		}
	})
}

func TestTable(t *testing.T) {
	run := func(s string) map[string]any {
		var v map[string]any
		if err := json.Unmarshal([]byte(s), &v); err != nil {
			t.Fatal(err)
		}
		return v
	}
	w := work{name: "x", title: "the work", anser: []string{"pairs"}, ceiling: []string{"pairs"}, figures: []figure{
		{"CPU", "server_cpu_us_per_message", 1, 6, false},
		{"p50", "ack_ms.p50", 1, 0, false},
		{"rate", "accepted_per_s", 0.001, 200, true},
		{"nothing", "absent", 1, 0, false},
	}}
	o := outcome{
		Anser: []map[string]any{
			run(`{"server_cpu_us_per_message": 7, "ack_ms": {"p50": 1.234}, "accepted_per_s": 300000}`),
			run(`{"server_cpu_us_per_message": 5.5, "ack_ms": null, "accepted_per_s": 100000}`),
			run(`{"server_cpu_us_per_message": 5.1, "ack_ms": {"p50": 1.234}, "accepted_per_s": 200000}`),
		},
		Ceiling: []map[string]any{run(`{"server_cpu_us_per_message": 1}`)},
		Broken:  []string{"anser bench: 3 lost"},
	}
	var b strings.Builder
	writeTable(&b, []string{"date: now"}, 3, []work{w}, []outcome{o})
	for _, line := range []string{
		"| the work | CPU | at most 6 | 5.50 (5.10 to 7) | 1 |",
		"|  | p50 |  | 1.23 |  |",
		"|  | rate | at least 200 | 200 (100 to 300) |  |",
		"|  | nothing |  |  |  |",
		"- `anser bench pairs`; `ceiling pairs`",
		"- anser bench: 3 lost",
	} {
		if !strings.Contains(b.String(), line+"\n") {
			t.Errorf("no line %q in\n%s", line, &b)
		}
	}
	if m := median([]float64{1, 2, 3, 10}); m != 2.5 {
		t.Errorf("median %v", m)
	}
}

func TestChosen(t *testing.T) {
	all, err := chosen("")
	if err != nil || len(all) == 0 {
		t.Fatal(err)
	}
	for _, w := range all {
		if w.asked {
			t.Errorf("%s is run without being asked for", w.name)
		}
	}
	if list, err := chosen("store,pairs-1"); err != nil || len(list) != 2 || list[0].name != "store" {
		t.Errorf("%v %v", list, err)
	}
	if _, err := chosen("pears"); err == nil {
		t.Error("a work that is none was found")
	}
}

// Every work is a command line that anser takes: a program that stands in for it checks
// what it is called with, and its figures come back.
func TestRunsAnser(t *testing.T) {
	exe := filepath.Join(t.TempDir(), "anser")
	script := "#!/bin/sh\n[ \"$1\" = bench ] && [ \"$3\" = --json=- ] && [ \"$4\" = --quiet ] || exit 64\n" +
		"case \"$2\" in pairs|fanout|idle|offline|store) ;; *) exit 64;; esac\n" +
		"case \"$*\" in *{full}*) exit 64;; esac\n" +
		"echo '{\"accepted_per_s\": 7}'\n"
	if err := os.WriteFile(exe, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, w := range works {
		var o outcome
		got := o.run(t.Context(), nil, exe, w.args("/data"))
		if len(o.Broken) > 0 || len(got) != 1 || got[0]["accepted_per_s"] != 7.0 {
			t.Errorf("%s: %v, %v", w.name, got, o.Broken)
		}
	}
	var o outcome
	if got := o.run(t.Context(), nil, exe, []string{"serve"}); got != nil || len(o.Broken) != 1 {
		t.Errorf("a program that fails: %v, %v", got, o.Broken)
	}
}
