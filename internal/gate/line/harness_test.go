package line_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anser-im/anser/internal/auth"
	"github.com/anser-im/anser/internal/core"
	"github.com/anser-im/anser/internal/gate/line"
	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store/memstore"
	"github.com/anser-im/anser/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// limit is how long anything may take that is not meant to hang.
const limit = 30 * time.Second

var secret = []byte("a secret of the line door's tests, 32 bytes or more")

// records is an auth.Store in memory.
type records struct {
	mu   sync.Mutex
	rows map[[2]string][]byte
}

func (r *records) Read(_ context.Context, u im.UserID, key string) ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.rows[[2]string{string(u), key}], nil
}

func (r *records) Write(_ context.Context, was *auth.Row, rows ...auth.Row) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, row := range rows {
		r.rows[[2]string{string(row.User), row.Key}] = row.Value
	}
	return nil
}

// house is a core with a line door.
type house struct {
	t    *testing.T
	core *core.Core
	door *line.Door
	rev  *auth.Revoker
	sign *auth.Signer
}

func newHouse(t *testing.T, cfg line.Config) *house {
	h := &house{t: t}
	v, err := auth.NewVerifier(auth.Config{Secret: secret})
	if err != nil {
		t.Fatal(err)
	}
	if h.sign, err = auth.NewSigner(secret, "", nil); err != nil {
		t.Fatal(err)
	}
	st := memstore.New(memstore.Config{})
	h.rev = auth.NewRevoker(&records{rows: map[[2]string][]byte{}}, nil, func(r auth.Revocation) { h.core.Revoked(r) })
	h.core = core.New(core.Config{Limits: im.Limits{SendRate: -1}}, st, v, h.rev)
	h.door = line.New(cfg, h.core)
	t.Cleanup(func() { h.core.Close(); st.Close() })
	return h
}

func (h *house) token(user string) string {
	tok, err := h.sign.Sign(auth.Claims{User: im.UserID(user), Expires: time.Now().Add(time.Hour)})
	if err != nil {
		h.t.Fatal(err)
	}
	return tok
}

// person is somebody at a terminal.
type person struct {
	t  *testing.T
	nc net.Conn
	r  *bufio.Reader
}

// connect opens a link; the greeting has been read.
func (h *house) connect() *person {
	ours, theirs := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		h.door.ServeConn(context.Background(), theirs, netip.MustParseAddr("127.0.0.1"), nil)
	}()
	h.t.Cleanup(func() {
		ours.Close()
		select {
		case <-done:
		case <-time.After(limit):
			h.t.Error("the door still holds a closed link")
		}
	})
	p := &person{h.t, ours, bufio.NewReader(ours)}
	p.want(`^\* Anser line 1`)
	return p
}

// login is connect and LOGIN.
func (h *house) login(user string) *person {
	p := h.connect()
	p.type_("LOGIN " + h.token(user))
	p.want(`^\+OK ` + user + `/line, \d+ unread`)
	return p
}

func (p *person) type_(lines ...string) {
	p.t.Helper()
	p.raw(strings.Join(lines, "\n") + "\n")
}

func (p *person) raw(s string) {
	p.t.Helper()
	p.nc.SetWriteDeadline(time.Now().Add(limit))
	if _, err := p.nc.Write([]byte(s)); err != nil {
		p.t.Fatal(err)
	}
}

// line is the next line, without its end.
func (p *person) line() (string, error) {
	p.nc.SetReadDeadline(time.Now().Add(limit))
	s, err := p.r.ReadString('\n')
	if err == nil && !strings.HasSuffix(s, "\r\n") {
		err = fmt.Errorf("%q does not end with CR LF", s)
	}
	return strings.TrimSuffix(s, "\r\n"), err
}

// want reads one line, which has to match.
func (p *person) want(pattern string) string {
	p.t.Helper()
	s, err := p.line()
	if err != nil {
		p.t.Fatalf("no line for %q: %v", pattern, err)
	}
	if !regexp.MustCompile(pattern).MatchString(s) {
		p.t.Fatalf("got %q, want %q", s, pattern)
	}
	return s
}

// closed reads the link's end.
func (p *person) closed() {
	p.t.Helper()
	if s, err := p.line(); err == nil {
		p.t.Fatalf("%q instead of the end of the link", s)
	}
}
