package client_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lxzan/gws"

	"github.com/anser-im/anser/client"
	"github.com/anser-im/anser/wire"
)

// generous ends a test that hangs; it measures nothing.
const generous = 30 * time.Second

// certificate makes a self-signed one for 127.0.0.1 and the pool that trusts it.
func certificate(t testing.TB) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

// listen serves f on a free port of loopback, as the scheme says, and answers the URL.
func (f *fake) listen(t testing.TB, scheme string, cert tls.Certificate) string {
	t.Helper()
	var ln net.Listener
	var err error
	if scheme == "tls" || scheme == "wss" {
		ln, err = tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}})
	} else {
		ln, err = net.Listen("tcp", "127.0.0.1:0")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	url := scheme + "://" + ln.Addr().String()
	if strings.HasPrefix(scheme, "ws") {
		s := &http.Server{Handler: f.webSocket(t), ErrorLog: log.New(io.Discard, "", 0)}
		f.wg.Go(func() { s.Serve(ln) })
		t.Cleanup(func() { s.Close() })
		return url
	}
	f.wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			f.locked(func() { f.serveLocked(c, url) })
		}
	})
	return url
}

// webSocket bridges WebSocket connections to the fake's stream, in either format.
func (f *fake) webSocket(t testing.TB) http.Handler {
	up := gws.NewUpgrader(&bridge{}, &gws.ServerOption{SubProtocols: []string{wire.SubprotocolBinary, wire.SubprotocolJSON}})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != wire.Path {
			http.Error(w, "not here", http.StatusNotFound)
			return
		}
		ws, err := up.Upgrade(w, r)
		if err != nil {
			return
		}
		a, b := net.Pipe()
		f.locked(func() { f.serveLocked(b, "ws") })
		ws.Session().Store("pipe", a)
		f.wg.Go(func() { // to the client
			defer ws.NetConn().Close()
			buf, tmp := []byte{}, make([]byte, 64<<10)
			for {
				n, err := a.Read(tmp)
				if err != nil {
					return
				}
				if ws.SubProtocol() == wire.SubprotocolBinary {
					// Frames may come several to a message, but whole.
					buf = append(buf, tmp[:n]...)
					whole := 0
					for {
						_, n, err := wire.Next(buf[whole:], 0)
						if err != nil {
							break
						}
						whole += n
					}
					ws.WriteMessage(gws.OpcodeBinary, buf[:whole])
					buf = slices.Clone(buf[whole:])
					continue
				}
				buf = append(buf, tmp[:n]...)
				for {
					fr, n, err := wire.Next(buf, 0)
					if err != nil {
						break
					}
					m := wire.New(fr.Type)
					if err := wire.Binary.Decode(fr, m); err != nil {
						t.Error(err)
					}
					if res, ok := m.(*wire.Res); ok {
						f.locked(func() { res.Body = f.answerJSON(res) })
					}
					out, err := wire.JSON.Append(nil, m)
					if err != nil {
						t.Error(err)
					}
					ws.WriteMessage(gws.OpcodeText, out)
					buf = buf[n:]
				}
			}
		})
		f.wg.Go(ws.ReadLoop)
	})
}

// answerJSON writes the body of res as JSON.
func (f *fake) answerJSON(res *wire.Res) []byte {
	v, _ := wire.VerbOf(f.method[res.Id])
	m := v.NewResponse()
	if err := wire.Binary.UnmarshalBody(res.Body, m); err != nil {
		panic(err)
	}
	b, err := wire.JSON.MarshalBody(m)
	if err != nil {
		panic(err)
	}
	return b
}

type bridge struct{ gws.BuiltinEventHandler }

func (*bridge) OnMessage(ws *gws.Conn, m *gws.Message) {
	defer m.Close()
	p, _ := ws.Session().Load("pipe")
	a := p.(net.Conn)
	b := bytes.Clone(m.Bytes())
	if m.Opcode == gws.OpcodeText {
		if !json.Valid(b) {
			panic("no JSON: " + string(b))
		}
		var out []byte
		err := wire.JSON.Each(b, 0, func(fr wire.Frame) error {
			m := wire.New(fr.Type)
			if err := wire.JSON.Decode(fr, m); err != nil {
				return err
			}
			if r, ok := m.(*wire.Req); ok {
				v, _ := wire.VerbOf(r.Method)
				q := v.NewRequest()
				if err := wire.JSON.UnmarshalBody(r.Body, q); err != nil {
					return err
				}
				r.Body, _ = wire.Binary.MarshalBody(q)
			}
			var err error
			out, err = wire.Binary.Append(out, m)
			return err
		})
		if err != nil {
			panic(err)
		}
		b = out
	}
	a.Write(b)
}

func (*bridge) OnClose(ws *gws.Conn, _ error) {
	if p, ok := ws.Session().Load("pipe"); ok {
		p.(io.Closer).Close()
	}
}

// within waits for what ought to come at once.
func within(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(generous); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s has not come", what)
		}
	}
}

func TestTransports(t *testing.T) {
	cert, pool := certificate(t)
	big := strings.Repeat("0123456789abcdef", 7<<10) // 112 KiB: cut into fragments where there are any
	for _, c := range []struct {
		scheme string
		json   bool
		zstd   bool
	}{{"tcp", false, false}, {"tcp", false, true}, {"tls", false, false}, {"ws", false, false}, {"wss", false, true}, {"ws", true, false}} {
		name := c.scheme
		if c.json {
			name += " json"
		}
		if c.zstd {
			name += " zstd"
		}
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.welcome = func(_ *wire.Hello, w *wire.Welcome) {
				if c.zstd {
					w.Features = []string{wire.FeatureZstd}
				}
			}
			url := f.listen(t, c.scheme, cert)
			a := start(t, nil, endpoints(url), func(o *client.Options) {
				o.TLS = &tls.Config{RootCAs: pool}
				o.JSON = c.json
			})
			within(t, "the login", func() bool { return a.c.State().Synced })
			limited, cancel := context.WithTimeout(ctx, generous)
			defer cancel()
			m := client.Text(big)
			m.Digest, m.Mentions = "big", []string{"bob", "用户7"}
			p, err := a.c.Send(limited, "u/bob", m)
			if err != nil {
				t.Fatal(err)
			}
			if s, err := p.Wait(limited); err != nil || s.Seq != 1 {
				t.Fatal(s, err)
			}
			f.locked(func() {
				if !bytes.Equal(f.sends[0].Body, m.Body) || f.sends[0].Options.Mentions.Users[1] != "用户7" {
					t.Error("the message came otherwise than it was sent")
				}
			})
			f.post("u/bob", "bob", "hi")
			within(t, "the message", func() bool { return strings.Contains(a.log(), "u/bob 2 hi") })
			page, err := a.c.History(limited, "u/bob", 0, 10)
			if err != nil || len(page.Messages) != 2 || !bytes.Equal(page.Messages[0].Body, m.Body) {
				t.Errorf("%v %v", page, err)
			}
			f.drop()
			within(t, "the reconnect", func() bool { return len(f.helloCount()) == 2 && a.c.State().Synced })
			f.post("u/bob", "bob", "again")
			within(t, "the message", func() bool { return strings.Contains(a.log(), "u/bob 3 again") })
		})
	}
}

func (f *fake) helloCount() []*wire.Hello {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.hellos)
}

func TestTLSIsChecked(t *testing.T) {
	cert, _ := certificate(t)
	for _, scheme := range []string{"tls", "wss"} {
		f := newFake(t)
		a := start(t, nil, endpoints(f.listen(t, scheme, cert)))
		within(t, "the failure", func() bool { return a.c.State().Phase == client.Waiting })
		if err := a.c.State().Err; err == nil || !strings.Contains(err.Error(), "certificate") {
			t.Error(err)
		}
		if n := len(f.helloCount()); n != 0 {
			t.Errorf("said Hello %d times to who knows whom", n)
		}
		a.stop()
	}
}

// What a server sends in fragments and compressed is read.
func TestReadsFragments(t *testing.T) {
	bubble(t, "fragments with beats between them", func(t *testing.T, f *fake) {
		a := start(t, f)
		settle(time.Second)
		f.locked(func() {
			m := f.append("u/bob", &wire.Message{Id: "x", Sender: "bob", Type: "an:text", Flags: 3, Body: client.Text(strings.Repeat("hello ", 20_000)).Body})
			for c := range f.conns {
				b := wire.AppendFrame(nil, wire.TypePush, 0, &wire.Push{Number: 1, Events: []*wire.Event{{Conv: "u/bob", Seq: 1, Message: m}}})
				c.sess.number = 1
				cut, err := wire.AppendSplit(nil, b, 1000)
				if err != nil {
					t.Fatal(err)
				}
				for len(cut) > 0 {
					_, n, err := wire.Next(cut, 0)
					if err != nil {
						t.Fatal(err)
					}
					c.putRaw(cut[:n])
					c.putRaw(wire.AppendPong(nil, 0))
					cut = cut[n:]
				}
				m2 := f.append("u/bob", &wire.Message{Id: "y", Sender: "bob", Type: "an:text", Flags: 3, Body: client.Text(strings.Repeat("zstd ", 20_000)).Body})
				b = wire.AppendFrame(nil, wire.TypePush, 0, &wire.Push{Number: 2, Events: []*wire.Event{{Conv: "u/bob", Seq: 2, Message: m2}}})
				c.sess.number = 2
				if b, err = wire.AppendCompressed(nil, b); err != nil || len(b) > 10_000 {
					t.Fatal(err, len(b))
				}
				c.putRaw(b)
			}
		})
		settle(time.Second)
		got := a.log(client.EventMessage)
		if len(got) < 220_000 || !strings.Contains(got, "u/bob 2 zstd") {
			t.Errorf("%d bytes told", len(got))
		}
	})
}
