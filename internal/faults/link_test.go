package faults

import (
	"bufio"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/anser-im/anser/wire"
)

// limit is how long anything may take that is not meant to hang.
const limit = 60 * time.Second

// token signs in user by the server's secret: a JWT (RFC 7519) made here, so that the
// tests share no code with what they test.
func token(secret, user string) string {
	part := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			panic(err)
		}
		return base64.RawURLEncoding.EncodeToString(b)
	}
	now := time.Now().Unix()
	text := part(map[string]any{"alg": "HS256", "typ": "JWT"}) + "." +
		part(map[string]any{"sub": user, "iat": now, "exp": now + 3600})
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// link is one connection of the native protocol that does what it is told and nothing
// by itself: no heartbeat, no acknowledgement, no retry.
type link struct {
	nc net.Conn
	r  *bufio.Reader
	re wire.Reassembler

	mu  sync.Mutex // held while writing
	buf []byte     // guarded by mu
	req uint64     // guarded by mu
}

// dial opens a link and signs in.
func dial(addr, token, device string) (*link, *wire.Welcome, error) {
	return dialNext(addr, token, device, 300)
}

// dialNext is dial with the announced beat.
func dialNext(addr, token, device string, next uint32) (*link, *wire.Welcome, error) {
	nc, err := net.DialTimeout("tcp", addr, limit)
	if err != nil {
		return nil, nil, err
	}
	l := &link{nc: nc, r: bufio.NewReaderSize(nc, 16<<10)}
	nc.SetDeadline(time.Now().Add(limit))
	err = l.write(&wire.Hello{Version: wire.Version, Token: token, Device: &wire.Device{Id: device, Class: wire.ClassDesktop},
		NextS: next, Caps: &wire.Caps{Fragments: true}})
	if err != nil {
		nc.Close()
		return nil, nil, err
	}
	f, err := l.read()
	if err != nil {
		nc.Close()
		return nil, nil, err
	}
	w := new(wire.Welcome)
	if f.Type != wire.TypeWelcome {
		nc.Close()
		away := new(wire.GoAway)
		if f.Type == wire.TypeGoAway && wire.Binary.Decode(f, away) == nil {
			return nil, nil, fmt.Errorf("refused: %d %s", away.Code, away.Message)
		}
		return nil, nil, fmt.Errorf("a %v frame instead of a welcome", f.Type)
	}
	if err := wire.Binary.Decode(f, w); err != nil {
		nc.Close()
		return nil, nil, err
	}
	nc.SetDeadline(time.Time{})
	return l, w, nil
}

func (l *link) close() { l.nc.Close() }

func (l *link) write(ms ...wire.Body) (err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.buf = l.buf[:0]
	for _, m := range ms {
		if l.buf, err = wire.Binary.Append(l.buf, m); err != nil {
			return err
		}
	}
	_, err = l.nc.Write(l.buf)
	return err
}

// read is the next whole frame; its body is the caller's.
func (l *link) read() (wire.Frame, error) {
	for {
		head, err := l.r.Peek(2)
		if err != nil {
			return wire.Frame{}, err
		}
		n := 2
		for head[n-1] >= 0x80 && n < 5 {
			if head, err = l.r.Peek(n + 1); err != nil {
				return wire.Frame{}, err
			}
			n++
		}
		size, shift := 0, 0
		for _, b := range head[1:n] {
			size |= int(b&0x7f) << shift
			shift += 7
		}
		whole := make([]byte, n+size)
		if _, err := io.ReadFull(l.r, whole); err != nil {
			return wire.Frame{}, err
		}
		f, _, err := wire.Next(whole, 0)
		if err != nil {
			return wire.Frame{}, err
		}
		f, ok, err := l.re.Add(f)
		if err != nil || ok {
			return f, err
		}
	}
}

// call makes a request on a link that nobody else reads, passing over everything until
// the answer.
func (l *link) call(method string, in, out wire.Body) error {
	body, err := wire.Binary.MarshalBody(in)
	if err != nil {
		return err
	}
	l.mu.Lock()
	l.req++
	id := l.req
	l.mu.Unlock()
	if err := l.write(&wire.Req{Id: id, Method: method, Body: body}); err != nil {
		return err
	}
	l.nc.SetReadDeadline(time.Now().Add(limit))
	defer l.nc.SetReadDeadline(time.Time{})
	for {
		f, err := l.read()
		if err != nil {
			return err
		}
		switch f.Type {
		case wire.TypePush: // what nobody acknowledges would stop at the window
			p := new(wire.Push)
			if wire.Binary.Decode(f, p) == nil {
				l.write(&wire.Ack{Push: p.Number})
			}
		case wire.TypeGoAway:
			away := new(wire.GoAway)
			wire.Binary.Decode(f, away)
			return fmt.Errorf("sent away: %d %s", away.Code, away.Message)
		case wire.TypeRes:
			res := new(wire.Res)
			if err := wire.Binary.Decode(f, res); err != nil {
				return err
			}
			if res.Id != id {
				continue
			}
			if res.Code != wire.CodeOK {
				return fmt.Errorf("%s: %d %s", method, res.Code, res.Message)
			}
			return wire.Binary.UnmarshalBody(res.Body, out)
		}
	}
}

// must is call that has to succeed.
func (l *link) must(t testing.TB, method string, in, out wire.Body) {
	t.Helper()
	if err := l.call(method, in, out); err != nil {
		t.Fatal(err)
	}
}
