package bench

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/anser-im/anser/wire"
)

// What is read by hand is held against the generated code.
func TestPeekAgreesWithWire(t *testing.T) {
	push := &wire.Push{Number: 300, Events: []*wire.Event{
		{Conv: "u/alice", Seq: 7, Message: &wire.Message{Seq: 7, N: 3, Time: 1 << 40, Id: "x", Sender: "alice", Type: bodyType, Flags: 3, Body: bytes.Repeat([]byte{1}, 300)}},
		{Conv: "g/x", Seq: 8, Hidden: true},
		{Conv: "g/x", State: &wire.State{Head: &wire.Head{Seq: 99, N: 4}, Mine: &wire.Mine{Read: 1}}},
		{Conv: "g/x", Ver: 3, Change: &wire.Change{Ver: 3, Message: &wire.Message{Seq: 1, Body: []byte("not this one")}}},
		{Sync: true},
	}}
	b, err := wire.Binary.MarshalBody(push)
	if err != nil {
		t.Fatal(err)
	}
	i := 0
	number, n, err := eachEvent(b, new(event), func(e *event) error {
		w := push.Events[i]
		i++
		if string(e.conv) != w.Conv || e.seq != w.Seq || e.hidden != w.Hidden || e.sync != w.Sync ||
			e.head != w.GetState().GetHead().GetSeq() || e.message != (w.Message != nil) ||
			string(e.typ) != w.GetMessage().GetType() || !bytes.Equal(e.body, w.GetMessage().GetBody()) {
			t.Errorf("event %d is %+v, want %v", i, e, w)
		}
		return nil
	})
	if err != nil || number != 300 || n != len(push.Events) {
		t.Errorf("number %d, %d events, %v", number, n, err)
	}
	ack := &wire.SendAck{Id: "id", Conv: "u/bob", Seq: 1 << 35, Time: 5, N: 6, Code: 5000, Message: "slow down", RetryMs: 70, Duplicate: true}
	if b, err = wire.Binary.MarshalBody(ack); err != nil {
		t.Fatal(err)
	}
	var a sendAck
	if err := a.read(b); err != nil || string(a.id) != ack.Id || a.seq != ack.Seq || a.code != ack.Code || string(a.message) != ack.Message || a.retryMs != ack.RetryMs {
		t.Errorf("got %+v, %v; want %v", a, err, ack)
	}
}

// What is written by hand is held against the generated code.
func TestSendAgreesWithWire(t *testing.T) {
	for _, ack := range []uint64{0, 1, 1 << 40} {
		for _, size := range []int{bodyHeader, 128, 4000} {
			f := newFiller(size)
			b := f.appendSend(nil, "abcdef", "u/bob", 77, 1<<20+5, 12345, ack)
			fr, n, err := wire.Next(b, 0)
			var m wire.Send
			if err != nil || n != len(b) {
				t.Fatal(n, err)
			}
			if err := wire.Binary.Decode(fr, &m); err != nil {
				t.Fatal(err)
			}
			again, err := wire.Binary.Append(nil, &m)
			if err != nil || !bytes.Equal(again, b) {
				t.Errorf("%d bytes, ack %d: written as %x, the codec writes %x", size, ack, b, again)
			}
			num, ok := idNumber([]byte(m.Id), m.Id[:runDigits+senderDigits])
			if !ok || num != 1<<20+5 || m.Conv != "u/bob" || m.Type != bodyType || m.GetAck().GetPush() != ack {
				t.Errorf("got %v", &m)
			}
			sender, number, due, ok := f.read(m.Body)
			if !ok || sender != 77 || number != 1<<20+5 || due != 12345 {
				t.Errorf("body: %d %d %d %v", sender, number, due, ok)
			}
			if size > bodyHeader {
				m.Body[size-1]++
				if _, _, _, ok := f.read(m.Body); ok {
					t.Error("a mangled body was taken")
				}
			}
		}
	}
	b := appendAck(nil, 1<<30)
	want, _ := wire.Binary.Append(nil, &wire.Ack{Push: 1 << 30})
	if !bytes.Equal(b, want) {
		t.Errorf("ACK is %x, want %x", b, want)
	}
}

func FuzzPeek(f *testing.F) {
	b, _ := wire.Binary.MarshalBody(&wire.Push{Number: 9, Events: []*wire.Event{{Conv: "u/a", Seq: 1, Message: &wire.Message{Type: "t", Body: []byte("b")}, State: &wire.State{Head: &wire.Head{Seq: 4}}}}})
	f.Add(b)
	b, _ = wire.Binary.MarshalBody(&wire.SendAck{Id: "x", Seq: 3, Code: 5000, RetryMs: 8})
	f.Add(b)
	f.Add([]byte{0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})
	f.Fuzz(func(t *testing.T, b []byte) {
		// Whatever the codec takes must be read to the same end; the rest must not panic.
		var push wire.Push
		events := 0
		number, n, err := eachEvent(b, new(event), func(*event) error { events++; return nil })
		if push.UnmarshalVT(b) == nil && err == nil && (number != push.Number || n != len(push.Events) || events != n) {
			t.Errorf("number %d, %d events; want %d, %d", number, n, push.Number, len(push.Events))
		}
		var got sendAck
		var want wire.SendAck
		if e := got.read(b); e == nil && want.UnmarshalVT(b) == nil && (got.seq != want.Seq || got.code != want.Code || string(got.id) != want.Id) {
			t.Errorf("got %+v, want %v", got, &want)
		}
	})
}

func TestHistogram(t *testing.T) {
	var h hist
	if h.quantiles() != nil {
		t.Error("an empty histogram has quantiles")
	}
	r := rand.New(rand.NewPCG(3, 4))
	var all []float64
	for i := range 200_000 {
		d := time.Duration(r.ExpFloat64() * float64(3*time.Millisecond))
		h.add(i, int64(d))
		all = append(all, d.Seconds()*1e3)
	}
	h.add(0, -5)
	slices.Sort(all)
	q := h.quantiles()
	for _, c := range []struct{ got, at float64 }{{q.P50, 0.5}, {q.P99, 0.99}, {q.P999, 0.999}} {
		want := all[int(c.at*float64(len(all)))]
		if c.got < want*0.98 || c.got > want*1.02 {
			t.Errorf("quantile %v is %v, want %v", c.at, c.got, want)
		}
	}
	if max := all[len(all)-1]; q.Max != max && (q.Max < max*0.999999 || q.Max > max*1.000001) {
		t.Errorf("max is %v, want %v", q.Max, max)
	}
	// Every bucket holds the values that it stands for, up to the longest there is.
	for ns := uint64(1); ns < 1<<62; ns += ns/3 + 1 {
		i := histIndex(ns)
		if v := histValue(i); i >= histSize || v < float64(ns)*0.98-1024 || v > float64(ns)*1.02+1024 {
			t.Fatalf("%d ns is in bucket %d, which stands for %v", ns, i, v)
		}
	}
}

func TestBitset(t *testing.T) {
	var a, b bitset
	for _, i := range []uint64{5, 64, 1000} {
		if !a.add(i) || a.add(i) || !a.has(i) || a.has(i+1) {
			t.Errorf("adding %d", i)
		}
	}
	b.add(5)
	if a.count() != 3 || a.missing(b) != 2 || b.missing(a) != 0 || a.has(1<<40) {
		t.Errorf("count %d, missing %d and %d", a.count(), a.missing(b), b.missing(a))
	}
	if low, high, ok := a.bounds(); low != 5 || high != 1000 || !ok {
		t.Errorf("bounds %d %d %v", low, high, ok)
	}
}

// However the server's bytes are cut and whatever control frames lie between, the
// payload comes out whole.
func TestWebSocketStrip(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	frame := func(first byte, p []byte) []byte {
		b := []byte{first}
		switch {
		case len(p) < 126:
			b = append(b, byte(len(p)))
		case len(p) < 1<<16:
			b = append(b, 126, byte(len(p)>>8), byte(len(p)))
		default:
			b = append(b, 127, 0, 0, 0, 0, 0, byte(len(p)>>16), byte(len(p)>>8), byte(len(p)))
		}
		return append(b, p...)
	}
	var in, want []byte
	pings := 0
	for i := range 300 {
		p := bytes.Repeat([]byte{byte(i)}, []int{0, 1, 125, 126, 1000, 70000}[r.IntN(6)])
		switch r.IntN(4) {
		case 0: // in two frames, with a ping between them
			half := len(p) / 2
			in = append(in, frame(wsBinary, p[:half])...)
			in = append(in, frame(0x80|wsPing, []byte("ping"))...)
			in = append(in, frame(0x80, p[half:])...)
			pings++
		default:
			in = append(in, frame(0x80|wsBinary, p)...)
		}
		want = append(want, p...)
	}
	var ws wsReader
	var got []byte
	heard := 0
	for len(in) > 0 {
		n := min(len(in), 1+r.IntN(5000))
		out, err := ws.strip(slices.Clone(in[:n]), func(op byte, p []byte) error {
			if op != wsPing || string(p) != "ping" {
				return fmt.Errorf("control %d %q", op, p)
			}
			heard++
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, out...)
		in = in[n:]
	}
	if !bytes.Equal(got, want) || heard != pings {
		t.Errorf("%d bytes and %d pings, want %d and %d", len(got), heard, len(want), pings)
	}
}

func FuzzWebSocketStrip(f *testing.F) {
	f.Add([]byte{0x82, 3, 1, 2, 3}, 2)
	f.Add([]byte{0x82, 126, 0, 1, 9, 0x89, 0}, 1)
	f.Add([]byte{0x82, 0x81, 0}, 1)
	f.Fuzz(func(t *testing.T, b []byte, cut int) {
		if cut < 1 {
			cut = 1
		}
		quiet := func(byte, []byte) error { return nil }
		var whole, pieces wsReader
		want, werr := whole.strip(slices.Clone(b), quiet)
		var got []byte
		for in := slices.Clone(b); len(in) > 0; {
			n := min(cut, len(in))
			out, err := pieces.strip(in[:n], quiet)
			if err != nil {
				if werr == nil {
					t.Errorf("in pieces of %d: %v", cut, err)
				}
				return
			}
			got = append(got, out...)
			in = in[n:]
		}
		if werr != nil || !bytes.Equal(got, want) {
			t.Errorf("in pieces %x, whole %x, %v", got, want, werr)
		}
	})
}

func TestTarget(t *testing.T) {
	for _, c := range []struct{ addr, door, host, path, want string }{
		{"tcp://h:1", "", "h:1", "", "tcp"},
		{"h:1", "", "h:1", "", "tcp"},
		{"127.0.0.1:1", "ws", "127.0.0.1:1", "/v1/ws", "ws"},
		{"http://h:1", "ws", "h:1", "/v1/ws", "ws"},
		{"https://h:1/im", "", "h:1", "/im", "wss"},
		{"tcp+tls://h:1", "tls", "h:1", "", "tls"},
		{"http://h:1", "tcp", "", "", ""},
		{"line://h:1", "", "", "", ""},
		{"tcp://h", "", "", "", ""},
	} {
		tg, err := newTarget(c.addr, c.door, nil, nil, false)
		if c.want == "" {
			if err == nil {
				t.Errorf("%s %s was taken", c.addr, c.door)
			}
			continue
		}
		if err != nil || tg.door != c.want || tg.host != c.host || tg.path != c.path || (tg.tls != nil) != (c.want == "tls" || c.want == "wss") {
			t.Errorf("%s %s: %+v, %v", c.addr, c.door, tg, err)
		}
	}
}

// From more addresses than one only where the server is on this machine.
func TestSource(t *testing.T) {
	local, far := &target{host: "127.0.0.1:1"}, &target{host: "192.0.2.1:1"}
	if s := local.source(perSource - 1); s != "" {
		t.Error(s)
	}
	if s := local.source(perSource); s != "127.0.0.2" {
		t.Error(s)
	}
	if s := far.source(perSource); s != "" {
		t.Error(s)
	}
}

func TestReadReady(t *testing.T) {
	text := "http://127.0.0.1:7300        web: WebSocket at /v1/ws\n" +
		"tcp://127.0.0.1:7301         native\n" +
		"line://127.0.0.1:7302        for nc\n" +
		"http://127.0.0.1:7309        admin\n" +
		"/home/me/anser-data          messages and secrets\n"
	urls := map[string]string{}
	err := readReady(strings.NewReader(text+"Next: anser token alice\nmore"), urls, "tcp")
	if err != nil || urls["ws"] != "http://127.0.0.1:7300" || urls["tcp"] != "tcp://127.0.0.1:7301" || len(urls) != 2 {
		t.Errorf("%v, %v", urls, err)
	}
	if err := readReady(strings.NewReader(text+"Next: anser token alice\n"), map[string]string{}, "tls"); err == nil {
		t.Error("a door that was not named was found")
	}
	if err := readReady(strings.NewReader(text), map[string]string{}, "tcp"); err == nil {
		t.Error("a server that ended before it was ready was taken")
	}
}

func TestGroup(t *testing.T) {
	for n, want := range map[uint64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567"} {
		if got := group(n); got != want {
			t.Errorf("%d is %s", n, got)
		}
	}
}

// The path of a message through the generator allocates nothing.
func TestHotPathAllocatesNothing(t *testing.T) {
	f := newFiller(128)
	buf := make([]byte, 0, 4096)
	ack, _ := wire.Binary.MarshalBody(&wire.SendAck{Id: "abcdefaaabaaaaac", Conv: "u/b", Seq: 5})
	push, _ := wire.Binary.MarshalBody(&wire.Push{Number: 1, Events: []*wire.Event{{Conv: "u/b", Seq: 5, Message: &wire.Message{Type: bodyType, Body: f.append(nil, 1, 2, 3)}}}})
	var h hist
	sum := 0
	var ev event
	n := testing.AllocsPerRun(1000, func() {
		buf = f.appendSend(buf[:0], "abcdef", "u/b", 1, 2, 3, 4)
		var a sendAck
		a.read(ack)
		eachEvent(push, &ev, func(e *event) error { sum += len(e.body); return nil })
		h.add(1, 5000)
	})
	if n != 0 {
		t.Errorf("%v allocations a message", n)
	}
}

// While a page is under way messages may come live as well, what the page holds and
// what is behind it: each counts once.
func TestFetchAndPushCross(t *testing.T) {
	r := newRun(bodyHeader)
	c := &client{run: r, in: newInbox("g/x", 0)}
	body := func(n uint32) []byte { return r.fill.append(nil, 0, n, 0) }
	c.in.event(c, &event{conv: []byte("g/x"), head: 2}, 0)
	if len(c.waiting) != 1 {
		t.Fatal("nothing was asked for")
	}
	push := func(seq uint64, n uint32) {
		c.in.event(c, &event{conv: []byte("g/x"), seq: seq, message: true, typ: []byte(bodyType), body: body(n)}, 0)
	}
	push(1, 0)
	push(3, 2)
	c.in.event(c, &event{conv: []byte("g/x"), head: 3}, 0)
	b, err := wire.Binary.MarshalBody(&wire.PageResponse{Range: &wire.Range{From: 1, To: 2, Messages: []*wire.Message{
		{Seq: 1, Type: bodyType, Body: body(0)}, {Seq: 2, Type: bodyType, Body: body(1)},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	c.waiting[c.reqID](&wire.Res{Id: c.reqID, Body: b})
	if n, first := r.faults.get(); n != 0 || c.in.delivered != 3 || c.in.duplicated != 0 || c.in.gaps(true) != 0 {
		t.Errorf("faults %v, delivered %d, duplicated %d, gaps %d", first, c.in.delivered, c.in.duplicated, c.in.gaps(true))
	}
	push(2, 1) // and late, on its own: what was fetched is no duplicate
	if c.in.duplicated != 0 || c.in.delivered != 3 {
		t.Errorf("duplicated %d, delivered %d", c.in.duplicated, c.in.delivered)
	}
	push(2, 1)
	if c.in.duplicated != 1 {
		t.Error("the same push twice was not seen")
	}
}
