package faults

import (
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anser-im/anser/wire"
)

const crowd = 1000

// crowdLink reads everything it is pushed, acknowledges it, and notes when.
type crowdLink struct {
	l    *link
	last uint64 // number of the newest message
	err  error
}

// wave is one run of messages to the group.
type wave struct {
	first uint64
	sent  []atomic.Int64 // Unix nanoseconds, by number - first
	mu    sync.Mutex
	times []time.Duration
	left  sync.WaitGroup // deliveries still to come
}

// TestStoppedReader has one of a thousand members of a group stop reading. He costs
// the server at most a mebibyte, is let go, gets everything when he comes back; and
// nobody else notices.
func TestStoppedReader(t *testing.T) {
	p := start(t, t.TempDir()+"/data", "")
	var members []string
	for i := range crowd - 1 {
		members = append(members, fmt.Sprint("m", i))
	}
	owner, _, err := dial(p.tcp, token(p.secret, "owner"), "phone")
	if err != nil {
		t.Fatal(err)
	}
	defer owner.close()
	var g wire.GroupResponse
	owner.must(t, wire.MethodGroupCreate, &wire.GroupCreateRequest{Id: "g", Name: "crowd", Members: members}, &g)

	// m0 will stop. The others read.
	var now atomic.Pointer[wave]
	var readers sync.WaitGroup
	links := make([]*crowdLink, 0, crowd)
	for _, m := range members[1:] {
		l, _, err := dialNext(p.tcp, token(p.secret, m), "phone", 600)
		if err != nil {
			t.Fatal(err)
		}
		c := &crowdLink{l: l}
		links = append(links, c)
		readers.Go(func() { c.read(g.Conv, &now) })
	}
	defer readers.Wait()
	defer func() {
		for _, c := range links {
			c.l.close()
		}
	}()

	var head wire.ConversationResponse
	owner.must(t, wire.MethodConversation, &wire.ConversationRequest{Conv: g.Conv}, &head)
	next := head.Conversation.Head.Seq + 1
	// Fifteen messages a second at most: above twenty a group this large tells only its
	// head, and the times would be those of that.
	pace := time.NewTicker(time.Second / 15)
	defer pace.Stop()
	run := func(n int) []time.Duration {
		w := &wave{first: next, sent: make([]atomic.Int64, n)}
		next += uint64(n)
		w.left.Add(n * len(links))
		now.Store(w)
		inFlight := 0
		for i := 0; i < n || inFlight > 0; {
			for i < n && inFlight < 4 {
				<-pace.C
				w.sent[i].Store(time.Now().UnixNano())
				if err := owner.write(text(g.Conv, int(w.first)+i, pad)); err != nil {
					t.Fatal(err)
				}
				i++
				inFlight++
			}
			f, err := owner.read()
			if err != nil {
				t.Fatal(err)
			}
			if f.Type == wire.TypeSendAck {
				a := new(wire.SendAck)
				if err := wire.Binary.Decode(f, a); err != nil || a.Code != wire.CodeOK {
					t.Fatalf("%v %v", a, err)
				}
				inFlight--
			}
		}
		done := make(chan struct{})
		go func() { w.left.Wait(); close(done) }()
		select {
		case <-done:
		case <-time.After(limit):
			t.Fatalf("not everybody has everything after %v", limit)
		}
		return w.times
	}

	run(15) // warm
	without := run(150)

	stopped, err := dialStopped(p.tcp, token(p.secret, "m0"))
	if err != nil {
		t.Fatal(err)
	}
	defer stopped.Close()
	until(t, "signed in", func() bool { return len(p.sessions(t, "m0")) == 1 })
	var with []time.Duration
	var most int64
	began := time.Now()
	for len(p.sessions(t, "m0")) > 0 {
		if time.Since(began) > limit {
			t.Fatal("who reads nothing and says nothing is still there")
		}
		with = append(with, run(15)...)
		for _, s := range p.sessions(t, "m0") {
			most = max(most, s.Outbox)
		}
	}
	gone := time.Since(began)
	if most > 1<<20 {
		t.Errorf("the stopped reader held %d bytes, want at most a mebibyte", most)
	}
	for _, c := range links {
		if c.err != nil {
			t.Errorf("a reader that did nothing wrong: %v", c.err)
		}
		if c.last != next-1 {
			t.Errorf("a reader ends at %d of %d", c.last, next-1)
		}
	}
	t.Logf("delivery p99 to %d readers without a stopped one %v, with one %v (p50 %v, %v); it held at most %d bytes and was let go after %v",
		len(links), quantile(without, 0.99), quantile(with, 0.99), quantile(without, 0.5), quantile(with, 0.5), most, gone)

	back, _, err := dial(p.tcp, token(p.secret, "m0"), "phone")
	if err != nil {
		t.Fatal(err)
	}
	defer back.close()
	all, err := every(back, g.Conv, next-1)
	if err != nil || uint64(len(all)) != next-1 {
		t.Errorf("it finds %d of %d messages when it is back: %v", len(all), next-1, err)
	}
}

// pad makes a message about a kilobyte.
var pad = func() string {
	b := make([]byte, 900)
	for i := range b {
		b[i] = 'x'
	}
	return string(b)
}()

// dialStopped signs in with a small receive buffer and a beat of one second, and then
// reads nothing and says nothing.
func dialStopped(addr, token string) (net.Conn, error) {
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	nc.(*net.TCPConn).SetReadBuffer(4096)
	b, err := wire.Binary.Append(nil, &wire.Hello{Version: wire.Version, Token: token, NextS: 1,
		Device: &wire.Device{Id: "stopped", Class: wire.ClassPhone}})
	if err == nil {
		_, err = nc.Write(b)
	}
	return nc, err
}

// read takes what is pushed, and fetches where a hot group tells only its head.
func (c *crowdLink) read(conv string, now *atomic.Pointer[wave]) {
	pulling := false
	pull := func() error {
		if pulling {
			return nil
		}
		pulling = true
		body, err := wire.Binary.MarshalBody(&wire.PageRequest{Conv: conv, From: c.last + 1, Limit: 200})
		if err != nil {
			return err
		}
		return c.l.write(&wire.Req{Id: 1, Method: wire.MethodPage, Body: body})
	}
	for {
		f, err := c.l.read()
		if err != nil {
			return
		}
		switch f.Type {
		case wire.TypePush:
			p := new(wire.Push)
			if err = wire.Binary.Decode(f, p); err != nil {
				break
			}
			for _, e := range p.Events {
				switch {
				case e.Message != nil && (c.last == 0 || e.Seq == c.last+1):
					c.take(e.Message, now.Load())
				case e.Message != nil && e.Seq > c.last, e.State.GetHead().GetSeq() > c.last:
					err = pull()
				}
			}
			if e := c.l.write(&wire.Ack{Push: p.Number}); e != nil {
				return
			}
		case wire.TypeRes:
			var page wire.PageResponse
			res := new(wire.Res)
			if err = wire.Binary.Decode(f, res); err != nil {
				break
			}
			if res.Code != wire.CodeOK {
				err = fmt.Errorf("page: %d %s", res.Code, res.Message)
				break
			}
			if err = wire.Binary.UnmarshalBody(res.Body, &page); err != nil {
				break
			}
			for _, m := range page.Range.Messages {
				if m.Seq > c.last {
					c.take(m, now.Load())
				}
			}
			pulling = false
			if page.Head.Seq > c.last {
				err = pull()
			}
		}
		if err != nil {
			c.err = err
			return
		}
	}
}

// take notes one message.
func (c *crowdLink) take(m *wire.Message, w *wave) {
	if c.last != 0 && m.Seq != c.last+1 && c.err == nil {
		c.err = fmt.Errorf("number %d came after %d", m.Seq, c.last)
	}
	c.last = m.Seq
	if w == nil || m.Seq < w.first || m.Seq >= w.first+uint64(len(w.sent)) {
		return
	}
	d := time.Duration(time.Now().UnixNano() - w.sent[m.Seq-w.first].Load())
	w.mu.Lock()
	w.times = append(w.times, d)
	w.mu.Unlock()
	w.left.Done()
}
