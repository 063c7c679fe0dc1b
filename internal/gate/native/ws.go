package native

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/lxzan/gws"

	"github.com/anser-im/anser/internal/gate"
	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/wire"
)

const (
	wsBuffer   = 512       // of a connection's reader, for as long as it lives
	wsDeflate  = 256       // a message of fewer bytes is not compressed
	wsUnit     = 256 << 10 // bytes of a unit of ours, one frame at least
	frameSep   = 0         // stands between JSON frames on their way out: no JSON has it
	wsControls = 125       // bytes of a control frame (RFC 6455 §5.5)
)

// upgrader makes WebSockets.
type upgrader struct {
	once sync.Once
	up   *gws.Upgrader // set by once
}

func (u *upgrader) get(d *Door) *gws.Upgrader {
	u.once.Do(func() {
		u.up = gws.NewUpgrader(events{}, &gws.ServerOption{
			ReadMaxPayloadSize:  wire.MaxFrame + 64<<10, // our own limits are below
			WriteMaxPayloadSize: 16 << 20,
			ReadBufferSize:      wsBuffer,
			ParallelGolimit:     1,
			CheckUtf8Enabled:    true,
			HandshakeTimeout:    d.cfg.HelloTimeout,
			Logger:              quiet{},
			NewSession:          func() gws.SessionStorage { return &socket{} },
			SubProtocols:        []string{wire.SubprotocolBinary, wire.SubprotocolJSON},
			// Without takeover no connection keeps a window of its own (62 KB).
			PermessageDeflate: gws.PermessageDeflate{Enabled: !d.cfg.NoCompress, Threshold: wsDeflate, PoolSize: 2 * runtime.GOMAXPROCS(0)},
		})
	})
	return u.up
}

// quiet keeps gws from writing to standard error.
type quiet struct{}

func (quiet) Error(...any) {}

// WebSocket answers requests for wire.Path: it upgrades them. The server's listener
// should be a gate.Listener, whose links are written to at their turn; others work
// with a goroutine for each write.
func (d *Door) WebSocket() http.Handler { return http.HandlerFunc(d.upgrade) }

func (d *Door) upgrade(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	switch {
	case r.Method != http.MethodGet:
		h.Set("Allow", http.MethodGet)
		http.Error(w, "open a WebSocket here: GET", http.StatusMethodNotAllowed)
		return
	case !strings.EqualFold(r.Header.Get("Upgrade"), "websocket"):
		h.Set("Upgrade", "websocket")
		http.Error(w, "this is a WebSocket: subprotocol "+wire.SubprotocolBinary+" or "+wire.SubprotocolJSON, http.StatusUpgradeRequired)
		return
	case !d.originAllowed(r):
		http.Error(w, "this page may not open a WebSocket here: its origin is not listed", http.StatusForbidden)
		return
	case d.draining.Load() || d.ctx.Err() != nil:
		h.Set("Retry-After", "1")
		http.Error(w, "the server is shutting down", http.StatusServiceUnavailable)
		return
	}
	f, ok := offered(r)
	if !ok {
		http.Error(w, "offer the subprotocol "+wire.SubprotocolBinary+" or "+wire.SubprotocolJSON, http.StatusBadRequest)
		return
	}
	nc, brw, err := http.NewResponseController(w).Hijack()
	if err != nil { // HTTP/2, which browsers do not use for this (RFC 8441 is not offered)
		http.Error(w, "a WebSocket needs HTTP/1.1", http.StatusHTTPVersionNotSupported)
		return
	}
	if brw.Reader.Buffered() > 0 {
		nc.Close() // it talks before it has been answered: RFC 6455 §4.1
		return
	}
	nc.SetDeadline(time.Time{}) // the HTTP server's
	d.adopt(nc, r, f)
}

// offered is the first of our formats that the client names. gws agrees to the same.
func offered(r *http.Request) (wire.Format, bool) {
	if len(r.Header.Values("Sec-WebSocket-Protocol")) > 1 { // gws reads the first line alone
		r.Header.Set("Sec-WebSocket-Protocol", strings.Join(r.Header.Values("Sec-WebSocket-Protocol"), ", "))
	}
	var names []string
	for _, s := range strings.Split(r.Header.Get("Sec-WebSocket-Protocol"), ",") {
		names = append(names, strings.TrimSpace(s))
	}
	for _, s := range []string{wire.SubprotocolBinary, wire.SubprotocolJSON} {
		if slices.Contains(names, s) {
			return wire.FormatOf(s)
		}
	}
	return nil, false
}

// originAllowed looks at who made the page that asks, so that no foreign page speaks
// with our user's browser. Programs that are no browser send no Origin.
func (d *Door) originAllowed(r *http.Request) bool {
	origins := r.Header.Values("Origin")
	if len(origins) == 0 {
		return true
	}
	if len(origins) > 1 {
		return false
	}
	for _, o := range d.cfg.Origins {
		if o == "*" || strings.EqualFold(strings.TrimSuffix(o, "/"), origins[0]) {
			return true
		}
	}
	u, err := url.Parse(origins[0])
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return false
	}
	return strings.EqualFold(hostPort(u.Host, u.Scheme), hostPort(r.Host, u.Scheme))
}

// hostPort is a host without the port that its scheme has anyway.
func hostPort(host, scheme string) string {
	if scheme == "https" {
		return strings.TrimSuffix(host, ":443")
	}
	return strings.TrimSuffix(host, ":80")
}

// adopt makes a connection of a hijacked one, and leaves the HTTP server's goroutine.
func (d *Door) adopt(nc net.Conn, r *http.Request, f wire.Format) {
	c := &conn{d: d, f: f, how: overWS, l: gate.LinkOf(nc)}
	if c.l == nil {
		c.l = d.g.NewLink(nc)
		nc = c.l
	}
	if a := d.g.ClientAddr(r); a.IsValid() {
		c.l.SetClient(netip.AddrPortFrom(a, 0))
	}
	if err := c.l.Waits(); err != nil {
		text := im.AsError(err).Text + "\n"
		nc.SetWriteDeadline(time.Now().Add(time.Second))
		io.WriteString(nc, "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n"+text)
		c.l.Abort(nil)
		return
	}
	g := &guard{c: c, src: nc}
	sock, err := d.ws.get(d).UpgradeFromConn(&wsConn{Conn: nc, c: c}, bufio.NewReaderSize(g, wsBuffer), r)
	if err != nil {
		c.l.Abort(nil) // gws has answered 400
		return
	}
	s := sock.Session().(*socket)
	s.c, s.conn, s.guard = c, sock, g
	c.ws = s
	if !d.enter(c) {
		c.l.Abort(nil)
		return
	}
	go func() {
		if !c.queue() {
			c.over()
			return
		}
		c.l.SetReadDeadline(time.Now().Add(d.cfg.HelloTimeout))
		if d.draining.Load() {
			c.end(drained())
		}
		sock.ReadLoop()
		c.over()
	}()
}

// socket is what a WebSocket has besides its conn. It stands where gws keeps a map of
// the application's.
type socket struct {
	c     *conn
	conn  *gws.Conn
	guard *guard
	in    bool // owned by who holds turn: HELLO was taken

	turn sync.Mutex   // held while a worker has msg
	msg  *gws.Message // owned by who holds turn
}

// Do is the worker's part of conn.message.
func (s *socket) Do() {
	s.c.unit(s.msg)
	s.msg = nil
	s.turn.Unlock()
}

// Len and the others make socket a gws.SessionStorage; nobody calls them.
func (*socket) Len() int                             { return 0 }
func (*socket) Load(string) (any, bool)              { return nil, false }
func (*socket) Delete(string)                        {}
func (*socket) Store(string, any)                    {}
func (*socket) Range(func(string, any) bool)         {}
func connOf(s *gws.Conn) *conn                       { return s.Session().(*socket).c }
func (events) OnOpen(*gws.Conn)                      {}
func (events) OnPong(*gws.Conn, []byte)              {}
func (events) OnClose(s *gws.Conn, err error)        { connOf(s).closedWS(err) }
func (events) OnPing(s *gws.Conn, p []byte)          { connOf(s).pingWS(p) }
func (events) OnMessage(s *gws.Conn, m *gws.Message) { connOf(s).message(m) }

// events hands gws's calls to the connection.
type events struct{}

// pingWS answers the WebSocket's own ping; ours is a frame.
func (c *conn) pingWS(p []byte) {
	if c.wait() == nil {
		c.ws.conn.WritePong(p)
	}
}

// message has a worker take one WebSocket message, and waits for it: what is done about
// it needs a larger stack than the goroutine that reads should have for ever.
func (c *conn) message(m *gws.Message) {
	s := c.ws
	s.turn.Lock()
	s.msg = m
	c.l.Do(s)
	s.turn.Lock() // the worker is done
	s.turn.Unlock()
}

// unit takes one WebSocket message.
func (c *conn) unit(m *gws.Message) {
	defer m.Close()
	defer c.ws.guard.done()
	defer c.recovered("reading", nil)
	if c.isEnding() {
		return
	}
	want := gws.OpcodeBinary
	if c.f == wire.JSON {
		want = gws.OpcodeText
	}
	if m.Opcode != want {
		c.end(malformed("this subprotocol takes the other kind of message: binary or text"))
		return
	}
	limit := wire.MaxFirstFrame
	if c.ws.in {
		limit = c.inMax
	}
	n := uint64(0)
	err := c.f.Each(m.Bytes(), limit, func(f wire.Frame) error {
		if err := c.wait(); err != nil {
			return err
		}
		if !c.ws.in {
			return c.helloWS(f)
		}
		if f.Flags != 0 || c.asm != nil {
			whole, ok, err := c.assemble(f)
			if err != nil || !ok {
				return err
			}
			f = whole
		}
		n++
		return c.frame(f)
	})
	c.d.count.framesIn.Add(n)
	if err != nil && err != errEnding {
		c.broken(err)
	}
}

// helloWS takes the first frame.
func (c *conn) helloWS(f wire.Frame) error {
	if f.Type != wire.TypeHello {
		c.end(malformed("the first frame has to be HELLO"))
		return errEnding
	}
	var h wire.Hello
	if err := c.f.Decode(f, &h); err != nil {
		return err
	}
	if !c.login(&h) {
		return errEnding
	}
	c.l.SetReadDeadline(time.Time{})
	c.ws.in = true
	return nil
}

// closedWS notes why the WebSocket ended.
func (c *conn) closedWS(err error) {
	var ce *gws.CloseError
	if errors.As(err, &ce) {
		err = io.EOF
	}
	c.stopped(err)
}

// writeWS is the link's top over WebSocket: it makes messages of what Fill gave.
func (c *conn) writeWS(b []byte) error {
	write := c.writeBinary
	if c.f == wire.JSON {
		write = c.writeJSON
	}
	err := write(b)
	if c.isSaid() {
		c.hangUp()
		return nil
	}
	if errors.Is(err, gws.ErrConnClosed) {
		return nil // the peer's close came first: who reads ends it
	}
	return err
}

// writeBinary writes whole frames, as many to a message as are at hand.
func (c *conn) writeBinary(b []byte) error {
	for len(b) > wsUnit {
		n := 0
		for n < wsUnit {
			_, size, err := wire.Next(b[n:], 1<<27)
			if err != nil || size == 0 {
				break
			}
			if n > 0 && n+size > wsUnit {
				break
			}
			n += size
		}
		if n == 0 || n >= len(b) {
			break
		}
		if err := c.ws.conn.WriteMessage(gws.OpcodeBinary, b[:n]); err != nil {
			return err
		}
		b = b[n:]
	}
	return c.ws.conn.WriteMessage(gws.OpcodeBinary, b)
}

// writeJSON writes frames, each of which has a frameSep before and after it: one
// alone, or several as an array.
func (c *conn) writeJSON(b []byte) error {
	for len(b) > 1 {
		end, frames := 0, 0 // of the unit: b[0] and b[end] are separators
		for end < len(b)-1 {
			n := bytes.IndexByte(b[end+1:], frameSep) + 1
			if frames > 0 && end+n > wsUnit {
				break
			}
			if frames++; frames > 1 {
				b[end] = ','
			}
			end += n
		}
		unit := b[1:end]
		if frames > 1 {
			b[0], b[end] = '[', ']'
			unit = b[:end+1]
		}
		if err := c.ws.conn.WriteMessage(gws.OpcodeText, unit); err != nil {
			return err
		}
		b = b[end:]
	}
	return nil
}

// closeCodes are the codes of RFC 6455 §7.4 for what ends a link. The GOAWAY before it
// says more.
var closeCodes = map[string]uint16{
	wire.ReasonDrain: 1001, wire.ReasonRedirect: 1001,
	wire.ReasonMalformed: 1002, wire.ReasonVersion: 1002,
	wire.ReasonTooLarge: 1009,
	wire.ReasonOverload: 1013,
	wire.ReasonKicked:   1008, wire.ReasonReplaced: 1008, wire.ReasonToken: 1008, wire.ReasonSilent: 1008, wire.ReasonSlow: 1008,
}

// hangUp sends the close frame; gws then closes what is below it.
func (s *socket) hangUp() {
	s.c.mu.Lock()
	reason := s.c.ending.reason
	s.c.mu.Unlock()
	code, ok := closeCodes[reason]
	if !ok {
		code = 1000
	}
	s.conn.WriteClose(code, []byte(reason))
}

// wsConn is the connection as gws sees it. Of close frames that gws makes by itself,
// because of what it read, it says our own words first.
type wsConn struct {
	net.Conn
	c *conn
}

func (w *wsConn) Write(p []byte) (int, error) {
	if len(p) >= 4 && p[0] == 0x88 && w.c.isReady() && !w.c.isEnding() {
		if out := w.c.lastWords(p); out != nil {
			_, err := w.Conn.Write(out)
			return len(p), err
		}
	}
	return w.Conn.Write(p)
}

// NetConn is for gate.LinkOf.
func (w *wsConn) NetConn() net.Conn { return w.Conn }

// lastWords is a GOAWAY and a close frame for a close frame of gws's, nil if it only
// answers the client's own.
func (c *conn) lastWords(closeFrame []byte) []byte {
	code := binary.BigEndian.Uint16(closeFrame[2:])
	e := malformed("the WebSocket's framing is wrong: " + string(closeFrame[4:]))
	switch {
	case code == 1009, code == 1011 && bytes.Contains(closeFrame, []byte("too large")):
		e = ending{reason: wire.ReasonTooLarge, code: wire.CodeFrameSize, text: "a message above the limit", why: whyTooLarge}
		code = 1009
	case code == 1002, code == 1007, code == 1011:
		code = min(code, 1007)
	default:
		return nil
	}
	c.mu.Lock()
	c.ending, c.said = &e, true
	c.mu.Unlock()
	frame, err := c.f.Append(nil, goAway(e, c.d.cfg.Nodes))
	if err != nil {
		return nil
	}
	op := byte(0x82) // FIN, binary
	if c.f == wire.JSON {
		op = 0x81
	}
	return appendWSFrame(appendWSFrame(nil, op, frame), 0x88, append(binary.BigEndian.AppendUint16(nil, code), e.reason...))
}

// appendWSFrame appends an unmasked frame of at most 64 KiB (RFC 6455 §5.2).
func appendWSFrame(b []byte, op byte, payload []byte) []byte {
	if len(payload) <= wsControls {
		b = append(b, op, byte(len(payload)))
	} else {
		b = binary.BigEndian.AppendUint16(append(b, op, 126), uint16(len(payload)))
	}
	return append(b, payload...)
}

func (c *conn) isReady() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ready
}
