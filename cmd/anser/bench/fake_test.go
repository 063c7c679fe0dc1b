package bench

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"

	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/golang-jwt/jwt/v5"
	"github.com/lxzan/gws"

	"github.com/anser-im/anser/wire"
)

// fake is a server that keeps the promises of the protocol as far as a bench looks at
// them, or breaks one of them on purpose.
type fake struct {
	t      testing.TB
	secret []byte
	file   string // with the secret
	fault  fault
	credit uint32

	wg sync.WaitGroup
	ln []net.Listener

	mu    sync.Mutex
	conns map[*fakeConn]bool
	users map[string]*fakeConn
	convs map[string]*fakeConv
	sends int               // so far, of all
	again map[string]string // by sender and conversation: the id that must come again first
	seen  map[string]bool   // client ids that were refused once
}

// fault is what a fake does wrong.
type fault string

const (
	sound     fault = ""
	loses     fault = "loses"     // acknowledges and does not deliver
	doubles   fault = "doubles"   // delivers under the same number twice
	renumbers fault = "renumbers" // stores and delivers twice, under two numbers
	reorders  fault = "reorders"  // delivers the later one first
	skips     fault = "skips"     // leaves a number out
	mangles   fault = "mangles"   // alters a body
	hangsUp   fault = "hangs up"  // ends a connection
	ackTwice  fault = "acks twice"
	denies    fault = "denies"     // refuses for good
	limits    fault = "limits"     // refuses for now, and takes nothing else until it comes again
	tellsHead fault = "tells"      // pushes no messages, only heads
	misorders fault = "misnumbers" // gives an earlier send the later number
)

// every is how often the fault happens.
const every = 37

type fakeConv struct {
	members []string
	group   string // "" = direct
	seq     uint64
	msgs    []*wire.Message
	held    []func() // pushes that come later
	sent    map[string]bool
}

// addr is how user says the conversation.
func (v *fakeConv) addr(user string) string {
	if v.group != "" {
		return v.group
	}
	for _, m := range v.members {
		if m != user {
			return "u/" + m
		}
	}
	return "u/" + user
}

type fakeConn struct {
	f    *fake
	user string

	mu     sync.Mutex
	write  func([]byte) error // guarded by mu
	hangup func()
	number uint64 // guarded by mu: of the last push
}

func (c *fakeConn) put(m wire.Body) {
	b, err := wire.Binary.Append(nil, m)
	if err != nil {
		panic(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.write(b)
}

func (c *fakeConn) push(events ...*wire.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.number += uint64(len(events))
	b, err := wire.Binary.Append(nil, &wire.Push{Number: c.number, Events: events})
	if err != nil {
		panic(err)
	}
	c.write(b)
}

// newFake starts a fake on free ports. It is stopped with the test.
func newFake(t testing.TB, how fault) *fake {
	f := &fake{
		t:      t,
		secret: []byte("0123456789abcdef0123456789abcdef"),
		fault:  how,
		credit: 64,
		conns:  make(map[*fakeConn]bool),
		users:  make(map[string]*fakeConn),
		convs:  make(map[string]*fakeConv),
		again:  make(map[string]string),
		seen:   make(map[string]bool),
	}
	f.file = filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(f.file, []byte(" "+string(f.secret)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.stop)
	return f
}

// launch is an Env.Launch.
func (f *fake) launch(_ context.Context, o LaunchOptions) (*Server, error) {
	s := &Server{PID: os.Getpid(), URLs: make(map[string]string), SecretFile: f.file}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s.URLs[o.Door] = o.Door + "://" + ln.Addr().String()
	if o.Door == "tls" || o.Door == "wss" {
		dir := f.t.TempDir()
		cert, key := filepath.Join(dir, "c"), filepath.Join(dir, "k")
		if s.CA, err = makeCert(cert, key); err != nil {
			return nil, err
		}
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return nil, err
		}
		ln = tls.NewListener(ln, &tls.Config{Certificates: []tls.Certificate{pair}})
	}
	f.ln = append(f.ln, ln)
	if o.Door == "ws" || o.Door == "wss" {
		f.serveWS(ln)
	} else {
		f.serveTCP(ln)
	}
	return s, nil
}

func (f *fake) stop() {
	for _, ln := range f.ln {
		ln.Close()
	}
	f.mu.Lock()
	for c := range f.conns {
		c.hangup()
	}
	f.mu.Unlock()
	f.wg.Wait()
}

func (f *fake) serveTCP(ln net.Listener) {
	f.wg.Go(func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			f.wg.Go(func() {
				defer nc.Close()
				w := func(b []byte) error { _, err := nc.Write(b); return err }
				c := f.add(w, func() { nc.Close() })
				defer f.remove(c)
				r := bufio.NewReader(nc)
				var buf []byte
				chunk := make([]byte, 4096)
				for {
					n, err := r.Read(chunk)
					buf = append(buf, chunk[:n]...)
					for {
						fr, n, err := wire.Next(buf, 0)
						if err == wire.ErrShort {
							break
						}
						if err != nil {
							f.t.Errorf("the client wrote no frame: %v", err)
							return
						}
						if c.handle(fr) != nil {
							return
						}
						buf = buf[n:]
					}
					if err != nil {
						return
					}
				}
			})
		}
	})
}

// wsHandler lets gws read the client's WebSocket: a stranger that checks its framing.
type wsHandler struct {
	gws.BuiltinEventHandler
	f *fake
}

func (h *wsHandler) OnMessage(s *gws.Conn, m *gws.Message) {
	defer m.Close()
	v, _ := s.Session().Load("conn")
	err := wire.Binary.Each(m.Bytes(), 0, v.(*fakeConn).handle)
	if err != nil {
		s.WriteClose(1000, nil)
	}
	s.WritePing([]byte("are you there"))
}

func (f *fake) serveWS(ln net.Listener) {
	up := gws.NewUpgrader(&wsHandler{f: f}, &gws.ServerOption{SubProtocols: []string{"other", wire.SubprotocolBinary}})
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != wire.Path {
			http.Error(w, "nothing here", http.StatusNotFound)
			return
		}
		s, err := up.Upgrade(w, r)
		if err != nil {
			return
		}
		c := f.add(func(b []byte) error { return s.WriteMessage(gws.OpcodeBinary, b) }, func() { s.NetConn().Close() })
		s.Session().Store("conn", c)
		f.wg.Go(func() {
			defer f.remove(c)
			s.ReadLoop()
		})
	})}
	f.wg.Go(func() { srv.Serve(ln) })
}

func (f *fake) add(write func([]byte) error, hangup func()) *fakeConn {
	c := &fakeConn{f: f, write: write, hangup: hangup}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.conns[c] = true
	return c
}

func (f *fake) remove(c *fakeConn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.conns, c)
	if f.users[c.user] == c {
		delete(f.users, c.user)
	}
}

func (c *fakeConn) handle(fr wire.Frame) error {
	m := wire.New(fr.Type)
	if m == nil {
		return errors.New("a frame of no type")
	}
	body := append([]byte(nil), fr.Body...) // what is kept of it must not alias
	fr.Body = body
	if err := wire.Binary.Decode(fr, m); err != nil {
		c.f.t.Errorf("a %v that cannot be read: %v", fr.Type, err)
		return err
	}
	switch m := m.(type) {
	case *wire.Hello:
		return c.hello(m)
	case *wire.Send:
		return c.send(m)
	case *wire.Ping:
		c.put(new(wire.Pong))
	case *wire.Req:
		c.put(c.request(m))
	}
	return nil
}

func (c *fakeConn) hello(m *wire.Hello) error {
	tok, err := jwt.Parse(m.Token, func(*jwt.Token) (any, error) { return c.f.secret, nil }, jwt.WithValidMethods([]string{"HS256"}), jwt.WithExpirationRequired(), jwt.WithIssuedAt())
	if err != nil {
		c.put(&wire.GoAway{Reason: wire.ReasonToken, Code: wire.CodeUnauthenticated, Message: err.Error()})
		return err
	}
	c.user, _ = tok.Claims.GetSubject()
	c.f.mu.Lock()
	c.f.users[c.user] = c
	c.f.mu.Unlock()
	c.put(&wire.Welcome{
		Session: "s", Epoch: "e", User: c.user, WindowEvents: 16, WindowBytes: 64 << 10, SendCredit: c.f.credit,
		Limits: &wire.Limits{Outstanding: 4},
	})
	return nil
}

// conv finds or makes the conversation that user calls addr. The caller holds f.mu.
func (f *fake) conv(user, addr string) *fakeConv {
	key, members := addr, []string(nil)
	if peer, ok := strings.CutPrefix(addr, "u/"); ok {
		members = []string{min(user, peer), max(user, peer)}
		key = strings.Join(members, " ")
	}
	v := f.convs[key]
	if v == nil && members != nil {
		v = &fakeConv{members: members, sent: make(map[string]bool)}
		f.convs[key] = v
	}
	return v
}

func (c *fakeConn) send(m *wire.Send) error {
	f := c.f
	f.mu.Lock()
	defer f.mu.Unlock()
	v := f.conv(c.user, m.Conv)
	if v == nil {
		c.put(&wire.SendAck{Id: m.Id, Code: wire.CodeNotFound})
		return nil
	}
	f.sends++
	now := f.sends%every == 0
	if f.fault == limits {
		key := c.user + " " + m.Conv
		switch first := f.again[key]; {
		case first != "" && first != m.Id:
			c.put(&wire.SendAck{Id: m.Id, Code: wire.CodeBusy, RetryMs: 1})
			return nil
		case first == "" && now && !f.seen[m.Id]:
			f.seen[m.Id] = true
			f.again[key] = m.Id
			c.put(&wire.SendAck{Id: m.Id, Code: wire.CodeLimited, RetryMs: 2})
			return nil
		}
		delete(f.again, key)
	}
	if v.sent[m.Id] {
		f.t.Errorf("the id %s came twice, and had been taken", m.Id)
	}
	v.sent[m.Id] = true
	if now && f.fault == denies {
		c.put(&wire.SendAck{Id: m.Id, Code: wire.CodeDenied, Message: "not here"})
		return nil
	}
	if now && f.fault == hangsUp {
		return errors.New("enough")
	}
	v.seq++
	if now && f.fault == skips {
		v.seq++
	}
	msg := &wire.Message{Seq: v.seq, Id: m.Id, Sender: c.user, Type: m.Type, Body: m.Body, Flags: 3}
	v.msgs = append(v.msgs, msg)
	ack := &wire.SendAck{Id: m.Id, Conv: m.Conv, Seq: v.seq, Time: 1, N: v.seq}
	switch {
	case now && f.fault == misorders && v.seq > 1:
		ack.Seq-- // says what the one before said
	case now && f.fault == ackTwice:
		c.put(ack)
	}
	c.put(ack)
	copies := []*wire.Message{msg}
	switch {
	case !now:
	case f.fault == loses:
		copies = nil
		v.msgs[len(v.msgs)-1] = nil
	case f.fault == doubles:
		copies = append(copies, msg)
	case f.fault == renumbers:
		v.seq++
		again := &wire.Message{Seq: v.seq, Id: m.Id, Sender: c.user, Type: m.Type, Body: m.Body}
		v.msgs = append(v.msgs, again)
		copies = append(copies, again)
	case f.fault == mangles:
		b := append([]byte(nil), m.Body...)
		b[len(b)-1] ^= 1
		msg.Body = b
	}
	deliver := func() {
		for _, user := range v.members {
			to := f.users[user]
			if user == c.user || to == nil {
				continue
			}
			if f.fault == tellsHead {
				to.push(&wire.Event{Conv: v.addr(user), State: &wire.State{Head: &wire.Head{Seq: v.seq}}})
				continue
			}
			for _, m := range copies {
				to.push(&wire.Event{Conv: v.addr(user), Seq: m.Seq, Message: m})
			}
		}
	}
	if now && f.fault == reorders {
		v.held = append(v.held, deliver)
		return nil
	}
	deliver()
	for _, d := range v.held {
		d()
	}
	v.held = nil
	return nil
}

func (c *fakeConn) request(m *wire.Req) *wire.Res {
	f := c.f
	f.mu.Lock()
	defer f.mu.Unlock()
	fail := func(code uint32, text string) *wire.Res { return &wire.Res{Id: m.Id, Code: code, Message: text} }
	verb, ok := wire.VerbOf(m.Method)
	if !ok {
		return fail(wire.CodeUnsupported, m.Method)
	}
	req := verb.NewRequest()
	if err := wire.Binary.UnmarshalBody(m.Body, req); err != nil {
		return fail(wire.CodeInvalid, err.Error())
	}
	var res wire.Body
	switch q := req.(type) {
	case *wire.GroupCreateRequest:
		v := &fakeConv{group: "g/" + q.Id, members: append([]string{c.user}, q.Members...), sent: make(map[string]bool)}
		f.convs[v.group] = v
		f.tellGroup(v)
		res = &wire.GroupResponse{Conv: v.group}
	case *wire.GroupAddRequest:
		v := f.convs[q.Conv]
		v.members = append(v.members, q.Users...)
		f.tellGroup(v)
		res = &wire.GroupChangeResponse{Seq: v.seq}
	case *wire.SyncRequest:
		res = f.sync(c.user, q)
	case *wire.PageRequest:
		v := f.conv(c.user, q.Conv)
		r := &wire.Range{From: q.From, To: q.To}
		if r.To == 0 {
			r.To = v.seq
		}
		r.To = min(r.To, r.From+uint64(min(q.Limit, 50))-1, v.seq)
		for _, m := range v.msgs {
			if m != nil && m.Seq >= r.From && m.Seq <= r.To {
				r.Messages = append(r.Messages, m)
			}
		}
		if f.fault == reorders && len(r.Messages) > 1 {
			r.Messages[0], r.Messages[1] = r.Messages[1], r.Messages[0]
		}
		res = &wire.PageResponse{Range: r, Head: &wire.Head{Seq: v.seq}}
	default:
		return fail(wire.CodeUnsupported, m.Method)
	}
	b, err := wire.Binary.MarshalBody(res)
	if err != nil {
		return fail(wire.CodeInternal, err.Error())
	}
	return &wire.Res{Id: m.Id, Body: b}
}

// tellGroup numbers a change of the group and tells its members.
func (f *fake) tellGroup(v *fakeConv) {
	v.seq++
	m := &wire.Message{Seq: v.seq, Type: "an:group", Body: []byte(`{"op":"add"}`), Flags: 1}
	v.msgs = append(v.msgs, m)
	for _, user := range v.members {
		if to := f.users[user]; to != nil {
			to.push(&wire.Event{Conv: v.group, Seq: m.Seq, Message: m})
		}
	}
}

// sync answers at most three conversations at a time.
func (f *fake) sync(user string, q *wire.SyncRequest) *wire.SyncResponse {
	const most = 3
	from := 0
	fmt.Sscanf(q.Token, "after %d", &from)
	var all []string
	for _, v := range f.convs {
		for _, m := range v.members {
			if m == user {
				all = append(all, v.addr(user))
			}
		}
	}
	res := &wire.SyncResponse{Epoch: "e"}
	// The order of a map moves; sorted it stands still between the answers.
	slices.Sort(all)
	for i := from; i < len(all) && i < from+most; i++ {
		v := f.conv(user, all[i])
		res.Conversations = append(res.Conversations, &wire.Conversation{
			Conv: all[i], Head: &wire.Head{Seq: v.seq}, Mine: &wire.Mine{From: 1},
		})
	}
	res.Token = fmt.Sprintf("after %d", from+most)
	res.More = from+most < len(all)
	return res
}
