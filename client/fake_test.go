package client_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/anser-im/anser/client"
	"github.com/anser-im/anser/wire"
)

// fake is a server for one user, alice, scripted by tests: what the client does with it
// is what is tested. It shares no code with the real one.
type fake struct {
	t testing.TB

	mu       sync.Mutex
	epoch    string
	convs    map[string]*fakeConv // by address
	position int                  // of the sync tokens
	sessions map[string]*fakeSession
	nextID   int
	conns    map[*fakeConn]bool
	closed   bool
	wg       sync.WaitGroup

	// Scripts; set before the client runs or with locked. nil or zero = be good.
	welcome func(h *wire.Hello, w *wire.Welcome)
	hello   func(at string, h *wire.Hello) *wire.GoAway
	send    func(s *wire.Send) *wire.SendAck // not nil = the answer; code 0 and no id = none at all
	req     func(r *wire.Req) *wire.Res
	pong    func(at string) (h wire.Health, silent bool)
	frozen  map[string]bool // endpoints that accept and never answer
	refuse  map[string]bool // endpoints that refuse connections

	hellos []*wire.Hello
	ats    []string // endpoints of hellos
	sends  []*wire.Send
	acks   []*wire.Ack
	pings  []*wire.Ping
	states []*wire.ClientState
	reqs   []string
	method map[uint64]string // of requests, by id; of the newest link
	byes   int               // goodbyes
	dials  []dialled
}

type dialled struct {
	at string
	t  time.Time
}

type fakeConv struct {
	msgs    []*wire.Message // seq = index+1; nil = hidden from alice
	changes []*wire.Change  // ver = index+1; nil = not for alice
	from    uint64
	read    uint64
	pos     int
	left    bool
	noLog   uint64 // changes up to it are no longer kept
	gone    []*wire.SeqRange
}

type fakeSession struct {
	id     string
	number uint64
	events []numbered // pushed and not acknowledged
	behind []*wire.Event
}

type numbered struct {
	n uint64
	e *wire.Event
}

type fakeConn struct {
	f    *fake
	nc   net.Conn
	at   string
	sess *fakeSession
	mu   sync.Mutex
	out  []byte
	wake chan struct{}
	done chan struct{}
	once sync.Once
}

func newFake(t testing.TB) *fake {
	f := &fake{t: t, epoch: "e1", convs: map[string]*fakeConv{}, sessions: map[string]*fakeSession{},
		method: map[uint64]string{}, conns: map[*fakeConn]bool{}, frozen: map[string]bool{}, refuse: map[string]bool{}}
	t.Cleanup(f.close)
	return f
}

func (f *fake) close() {
	f.mu.Lock()
	f.closed = true
	for c := range f.conns {
		c.close()
	}
	f.mu.Unlock()
	f.wg.Wait()
}

func (f *fake) locked(do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	do()
}

// dial is Options.Dial.
func (f *fake) dial(ctx context.Context, at string) (net.Conn, error) {
	a, b := net.Pipe()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dials = append(f.dials, dialled{at, time.Now()})
	if f.refuse[at] || f.closed {
		a.Close()
		b.Close()
		return nil, errors.New("connection refused")
	}
	f.serveLocked(b, at)
	return a, nil
}

func (f *fake) serveLocked(nc net.Conn, at string) {
	c := &fakeConn{f: f, nc: nc, at: at, wake: make(chan struct{}, 1), done: make(chan struct{})}
	f.conns[c] = true
	f.wg.Go(c.read)
	f.wg.Go(c.write)
}

func (c *fakeConn) close() {
	c.once.Do(func() { close(c.done); c.nc.Close() })
}

func (c *fakeConn) put(m wire.Body) {
	b, err := wire.Binary.Append(nil, m)
	if err != nil {
		panic(err)
	}
	c.putRaw(b)
}

func (c *fakeConn) putRaw(b []byte) {
	c.mu.Lock()
	c.out = append(c.out, b...)
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

func (c *fakeConn) write() {
	for {
		c.mu.Lock()
		b := c.out
		c.out = nil
		c.mu.Unlock()
		if len(b) > 0 {
			if _, err := c.nc.Write(b); err != nil {
				return
			}
			continue
		}
		select {
		case <-c.wake:
		case <-c.done:
			return
		}
	}
}

// finish writes what waits and closes.
func (c *fakeConn) finish(m wire.Body) {
	b, _ := wire.Binary.Append(nil, m)
	c.mu.Lock()
	b = append(c.out, b...)
	c.out = nil
	c.mu.Unlock()
	c.nc.SetWriteDeadline(time.Now().Add(time.Second))
	c.nc.Write(b)
	c.close()
}

func (c *fakeConn) read() {
	defer func() {
		c.close()
		c.f.mu.Lock()
		delete(c.f.conns, c)
		c.f.mu.Unlock()
	}()
	var r wire.Reassembler
	buf := []byte{}
	tmp := make([]byte, 32<<10)
	for {
		n, err := c.nc.Read(tmp)
		if err != nil {
			return
		}
		buf = append(buf, tmp[:n]...)
		for {
			fr, n, err := wire.Next(buf, 0)
			if err == wire.ErrShort {
				break
			}
			if err != nil {
				c.f.t.Errorf("the client sent %v", err)
				return
			}
			whole, ok, err := r.Add(wire.Frame{Type: fr.Type, Flags: fr.Flags, Health: fr.Health, Body: slices.Clone(fr.Body)})
			if err != nil {
				c.f.t.Errorf("the client sent %v", err)
				return
			}
			buf = buf[n:]
			if ok && !c.handle(whole) {
				return
			}
		}
	}
}

func (c *fakeConn) handle(fr wire.Frame) bool {
	f := c.f
	m := wire.New(fr.Type)
	if err := wire.Binary.Decode(fr, m); err != nil {
		f.t.Errorf("the client sent %v", err)
		return false
	}
	f.mu.Lock()
	if f.frozen[c.at] {
		f.mu.Unlock()
		<-c.done
		return false
	}
	var away *wire.GoAway
	switch m := m.(type) {
	case *wire.Hello:
		away = f.login(c, m)
	case *wire.Ping:
		f.pings = append(f.pings, m)
		h, silent := wire.HealthOK, false
		if f.pong != nil {
			h, silent = f.pong(c.at)
		}
		if !silent {
			c.put(&wire.Pong{Time: m.Time, Health: uint32(h)})
		}
	case *wire.Send:
		f.ackedBy(c, m.Ack)
		f.sends = append(f.sends, m)
		f.sent(c, m)
	case *wire.Req:
		f.ackedBy(c, m.Ack)
		f.reqs = append(f.reqs, m.Method)
		f.method[m.Id] = m.Method
		var res *wire.Res
		if f.req != nil {
			res = f.req(m)
		}
		if res == nil {
			res = f.call(m)
		}
		res.Id = m.Id
		c.put(res)
	case *wire.Ack:
		f.ackedBy(c, m)
	case *wire.GoAway:
		f.byes++
		if c.sess != nil {
			delete(f.sessions, c.sess.id)
		}
	case *wire.ClientState:
		f.ackedBy(c, m.Ack)
		f.states = append(f.states, m)
	}
	f.mu.Unlock()
	if away != nil {
		c.finish(away)
		return false
	}
	return true
}

func (f *fake) login(c *fakeConn, h *wire.Hello) *wire.GoAway {
	f.hellos = append(f.hellos, h)
	f.ats = append(f.ats, c.at)
	if f.hello != nil {
		if g := f.hello(c.at, h); g != nil {
			return g
		}
	}
	w := &wire.Welcome{Epoch: f.epoch, ServerTime: time.Now().UnixMilli(), Node: c.at, WindowEvents: 8, WindowBytes: 256 << 10,
		SendCredit: 4, User: "alice", Device: h.Device.Id}
	if w.Device == "" {
		w.Device = "given"
	}
	if h.Resume != nil {
		if s := f.sessions[h.Resume.Session]; s != nil {
			w.Resumed, c.sess = true, s
			for _, n := range s.events {
				if n.n > h.Resume.LastPush {
					s.behind = append(s.behind, n.e)
				}
			}
			s.events = nil
		}
	}
	if c.sess == nil {
		f.nextID++
		c.sess = &fakeSession{id: fmt.Sprint("s", f.nextID)}
		f.sessions[c.sess.id] = c.sess
	}
	w.Session = c.sess.id
	if f.welcome != nil {
		f.welcome(h, w)
	}
	c.put(w)
	behind := c.sess.behind
	c.sess.behind = nil
	for _, e := range behind {
		f.push(c, e)
	}
	return nil
}

func (f *fake) ackedBy(c *fakeConn, a *wire.Ack) {
	if a == nil {
		return
	}
	f.acks = append(f.acks, a)
	if c.sess != nil {
		c.sess.events = slices.DeleteFunc(c.sess.events, func(n numbered) bool { return n.n <= a.Push })
	}
}

// push sends an event to a connection.
func (f *fake) push(c *fakeConn, e *wire.Event) {
	c.sess.number++
	c.sess.events = append(c.sess.events, numbered{c.sess.number, e})
	c.put(&wire.Push{Number: c.sess.number, Events: []*wire.Event{e}})
}

// event tells everybody who is on, and the sessions that may be resumed later.
func (f *fake) event(e *wire.Event, but *fakeConn) {
	live := map[*fakeSession]bool{}
	for c := range f.conns {
		if c.sess != nil {
			live[c.sess] = true
			if c != but {
				f.push(c, e)
			}
		}
	}
	for _, s := range f.sessions {
		if !live[s] {
			s.behind = append(s.behind, e)
		}
	}
}

func (f *fake) conv(addr string) *fakeConv {
	v := f.convs[addr]
	if v == nil {
		v = &fakeConv{from: 1}
		f.convs[addr] = v
	}
	f.position++
	v.pos = f.position
	return v
}

func (f *fake) append(addr string, m *wire.Message) *wire.Message {
	v := f.conv(addr)
	m.Seq = uint64(len(v.msgs) + 1)
	m.N = m.Seq
	m.Time = time.Now().UnixMilli()
	v.msgs = append(v.msgs, m)
	return m
}

// post stores a message of somebody else and pushes it, or, silent, only stores it.
func (f *fake) post(addr, sender, text string, silent ...bool) uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	m := f.append(addr, &wire.Message{Id: "x" + text, Sender: sender, Device: "d", Type: "an:text", Flags: 3, Body: client.Text(text).Body})
	if len(silent) == 0 {
		f.event(&wire.Event{Conv: addr, Seq: m.Seq, Message: m}, nil)
	}
	return m.Seq
}

// hide stores a message that is not for alice.
func (f *fake) hide(addr string, silent ...bool) uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	v := f.conv(addr)
	v.msgs = append(v.msgs, nil)
	seq := uint64(len(v.msgs))
	if len(silent) == 0 {
		f.event(&wire.Event{Conv: addr, Seq: seq, Hidden: true}, nil)
	}
	return seq
}

// edit changes a message.
func (f *fake) edit(addr string, seq uint64, text string, silent ...bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	v := f.conv(addr)
	old := v.msgs[seq-1]
	ver := uint64(len(v.changes) + 1)
	m := &wire.Message{Seq: seq, Ver: ver, N: old.N, Time: old.Time, Id: old.Id, Sender: old.Sender, Device: old.Device,
		Type: old.Type, Flags: old.Flags, Body: client.Text(text).Body, Edited: time.Now().UnixMilli()}
	v.msgs[seq-1] = m
	ch := &wire.Change{Ver: ver, Seq: seq, Kind: wire.ChangeEdit, By: old.Sender, Message: m}
	v.changes = append(v.changes, ch)
	if len(silent) == 0 {
		f.event(&wire.Event{Conv: addr, Ver: ver, Change: ch}, nil)
	}
}

func (f *fake) sent(c *fakeConn, s *wire.Send) {
	if f.send != nil {
		if a := f.send(s); a != nil {
			if a.Code == 0 && a.Id == "" {
				return
			}
			a.Id, a.Conv = s.Id, s.Conv
			c.put(a)
			return
		}
	}
	c.put(f.accept(c, s))
}

// accept stores a send, or finds it stored.
func (f *fake) accept(c *fakeConn, s *wire.Send) *wire.SendAck {
	v := f.conv(s.Conv)
	for _, m := range v.msgs {
		if m != nil && m.Id == s.Id && m.Sender == "alice" {
			return &wire.SendAck{Id: s.Id, Conv: s.Conv, Seq: m.Seq, N: m.N, Time: m.Time, Duplicate: true}
		}
	}
	m := f.append(s.Conv, &wire.Message{Id: s.Id, Sender: "alice", Device: "dev", Type: s.Type, Flags: 3, Body: s.Body,
		Expires: s.Options.GetExpires(), ReplyTo: s.Options.GetReplyTo()})
	f.event(&wire.Event{Conv: s.Conv, Seq: m.Seq, Message: m}, c)
	return &wire.SendAck{Id: s.Id, Conv: s.Conv, Seq: m.Seq, N: m.N, Time: m.Time}
}

func ok(m wire.Body) *wire.Res {
	b, err := wire.Binary.MarshalBody(m)
	if err != nil {
		panic(err)
	}
	return &wire.Res{Body: b}
}

func refused(code uint32, text string) *wire.Res { return &wire.Res{Code: code, Message: text} }

func (v *fakeConv) head() *wire.Head {
	return &wire.Head{Seq: uint64(len(v.msgs)), Ver: uint64(len(v.changes)), N: uint64(len(v.msgs)), Min: 1}
}

// page is the covered range from..to, at most limit messages; backward the newest.
func (v *fakeConv) page(from, to uint64, limit int, backward bool) *wire.Range {
	from = max(from, 1)
	to = min(to, uint64(len(v.msgs)))
	r := &wire.Range{From: from, To: to}
	if from > to {
		return r
	}
	if !backward {
		for n := from; n <= to; n++ {
			if m := v.msgs[n-1]; m != nil && n >= v.from {
				if len(r.Messages) == limit {
					r.To = n - 1
					return r
				}
				r.Messages = append(r.Messages, m)
			}
		}
		return r
	}
	for n := to; n >= from; n-- {
		if m := v.msgs[n-1]; m != nil && n >= v.from {
			if len(r.Messages) == limit {
				r.From = n + 1
				break
			}
			r.Messages = append(r.Messages, m)
		}
	}
	slices.Reverse(r.Messages)
	return r
}

func (f *fake) describe(addr string) *wire.Conversation {
	v := f.convs[addr]
	return &wire.Conversation{Conv: addr, Head: v.head(), Mine: &wire.Mine{From: v.from, Read: v.read, Gone: v.gone},
		Page: v.page(1, uint64(len(v.msgs)), 20, true)}
}

func (f *fake) call(r *wire.Req) *wire.Res {
	verb, _ := wire.VerbOf(r.Method)
	req := verb.NewRequest()
	if err := wire.Binary.UnmarshalBody(r.Body, req); err != nil {
		return refused(wire.CodeInvalid, err.Error())
	}
	switch m := req.(type) {
	case *wire.SyncRequest:
		since := 0
		fmt.Sscan(m.Token, &since)
		out := &wire.SyncResponse{Epoch: f.epoch, Token: fmt.Sprint(f.position)}
		for addr, v := range f.convs {
			switch {
			case v.pos <= since:
			case v.left && m.Token != "":
				out.Left = append(out.Left, addr)
			case !v.left:
				out.Conversations = append(out.Conversations, f.describe(addr))
			}
		}
		return ok(out)
	case *wire.PageRequest:
		v := f.convs[m.Conv]
		if v == nil || v.left {
			return refused(wire.CodeNotFound, "no such conversation")
		}
		to := m.To
		from := m.From
		if m.Backward {
			from, to = m.To, m.From
		}
		if to == 0 {
			to = uint64(len(v.msgs))
		}
		limit := int(m.Limit)
		if limit == 0 {
			limit = 50
		}
		return ok(&wire.PageResponse{Range: v.page(from, to, limit, m.Backward), Head: v.head()})
	case *wire.ChangesRequest:
		v := f.convs[m.Conv]
		if v == nil {
			if m.Conv == "me" {
				return ok(&wire.ChangesResponse{Conv: "me", FromVer: m.FromVer})
			}
			return refused(wire.CodeNotFound, "no such conversation")
		}
		out := &wire.ChangesResponse{Conv: m.Conv, FromVer: m.FromVer, ToVer: uint64(len(v.changes))}
		if m.FromVer <= v.noLog {
			out.Reset_, out.Ver = true, uint64(len(v.changes))
			return ok(out)
		}
		for n := m.FromVer; n <= uint64(len(v.changes)); n++ {
			if ch := v.changes[n-1]; ch != nil {
				out.Changes = append(out.Changes, ch)
			}
		}
		return ok(out)
	case *wire.ConversationRequest:
		if f.convs[m.Conv] == nil || f.convs[m.Conv].left {
			return refused(wire.CodeNotFound, "no such conversation")
		}
		return ok(&wire.ConversationResponse{Conversation: f.describe(m.Conv)})
	case *wire.ReadRequest:
		f.conv(m.Conv).read = m.Seq
		return ok(&wire.ReadResponse{Mine: &wire.Mine{From: 1, Read: m.Seq}})
	case *wire.RenewRequest:
		return ok(&wire.RenewResponse{TokenExpires: time.Now().Add(time.Hour).UnixMilli()})
	}
	return ok(verb.NewResponse())
}

// drop breaks every connection.
func (f *fake) drop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for c := range f.conns {
		c.close()
	}
}

// forget makes every session unknown, as a restart of the server does.
func (f *fake) forget() { f.locked(func() { f.sessions = map[string]*fakeSession{} }) }

// away ends every connection with a GOAWAY.
func (f *fake) away(g *wire.GoAway) {
	f.mu.Lock()
	var cs []*fakeConn
	for c := range f.conns {
		cs = append(cs, c)
	}
	f.mu.Unlock()
	for _, c := range cs {
		c.finish(g)
	}
}

// exampleTB stands for a test where there is none.
type exampleTB struct{ testing.TB }

func (exampleTB) Cleanup(func())                    {}
func (exampleTB) Errorf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
