package gate_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	proxyproto "github.com/pires/go-proxyproto"

	"github.com/anser-im/anser/internal/gate"
	"github.com/anser-im/anser/internal/testkit"
)

// What is wrong with a listener is said in a sentence that says what to do.
func TestListenErrors(t *testing.T) {
	g := newGate(t, gate.Config{})
	taken := listen(t, g, "tcp://127.0.0.1:0")
	if taken.URL().Addr == "127.0.0.1:0" || taken.URL().String() != "tcp://"+taken.Addr().String() {
		t.Errorf("URL: %v", taken.URL())
	}
	for url, says := range map[string]string{
		"tcp://" + taken.Addr().String(): "taken by another program",
		"tcp://:0":                       "write tcp+tls://:0",
		"tcp://0.0.0.0:0":                "allow_plain",
		"http://0.0.0.0:0":               "write https://0.0.0.0:0",
		"line://[::]:0":                  "write line+tls://[::]:0",
		"tls://127.0.0.1:0":              "tls.cert",
		"tcp://203.0.113.1:0":            "clear text",
	} {
		u, err := gate.ParseURL(url)
		check(t, err)
		ln, err := g.Listen(u, nil)
		if err == nil {
			ln.Close()
			t.Errorf("%s is opened", url)
		} else if !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), url) {
			t.Errorf("%s: %v; want %q", url, err, says)
		}
	}
	open := newGate(t, gate.Config{AllowPlain: true})
	listen(t, open, "tcp://0.0.0.0:0")
	u, _ := gate.ParseURL("tcp://203.0.113.1:0") // TEST-NET-3: nobody has it
	if _, err := open.Listen(u, nil); err == nil || !strings.Contains(err.Error(), "no such address") {
		t.Errorf("%v", err)
	}
}

func TestRaiseFileLimit(t *testing.T) {
	n, err := gate.RaiseFileLimit()
	if err != nil || n < 256 {
		t.Errorf("%d, %v", n, err)
	}
}

// header is a PROXY v2 header.
func header(t testing.TB, src, dst string, change func(*proxyproto.Header)) []byte {
	t.Helper()
	h := proxyproto.HeaderProxyFromAddrs(2, net.TCPAddrFromAddrPort(netip.MustParseAddrPort(src)), net.TCPAddrFromAddrPort(netip.MustParseAddrPort(dst)))
	if change != nil {
		change(h)
	}
	b, err := h.Format()
	check(t, err)
	return b
}

// The address in a PROXY v2 header is the client's, if a trusted peer says so; what
// follows the header is the client's too, to the byte.
func TestProxy(t *testing.T) {
	loopback := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	v4 := header(t, "203.0.113.9:4711", "127.0.0.1:7301", nil)
	v6 := header(t, "[2001:db8::9]:4711", "[::1]:7301", nil)
	local := header(t, "203.0.113.9:4711", "127.0.0.1:7301", func(h *proxyproto.Header) { h.Command = proxyproto.LOCAL })
	tlv := header(t, "203.0.113.9:4711", "127.0.0.1:7301", func(h *proxyproto.Header) {
		check(t, h.SetTLVs([]proxyproto.TLV{{Type: proxyproto.PP2_TYPE_AUTHORITY, Value: []byte("chat.example")}}))
	})
	long := append([]byte(nil), v4...)
	long[14], long[15] = 0xff, 0xff
	for _, c := range []struct {
		name    string
		trusted []netip.Prefix
		door    string
		send    []byte
		addr    string // "" = refused
		read    string
	}{
		{"IPv4", loopback, "tcp", append(v4, "hello"...), "203.0.113.9", "hello"},
		{"IPv6", loopback, "tcp", append(v6, "hello"...), "2001:db8::9", "hello"},
		{"a health check", loopback, "tcp", append(local, "hello"...), "127.0.0.1", "hello"},
		{"with more fields", loopback, "line", append(tlv, "hello"...), "203.0.113.9", "hello"},
		{"no header", loopback, "tcp", []byte("hello"), "127.0.0.1", "hello"},
		{"what begins like a header", loopback, "tcp", []byte("\r\n\r\nhello"), "127.0.0.1", "\r\n\r\nhello"},
		{"nothing at a door that greets", loopback, "line", nil, "127.0.0.1", ""},
		{"version 1", loopback, "http", []byte("PROXY TCP4 203.0.113.9 127.0.0.1 4711 80\r\nGET"), "127.0.0.1", "PROXY TCP4"},
		{"from who is not trusted", nil, "tcp", append(v4, "hello"...), "127.0.0.1", string(v4)},
		{"from another network", []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, "tcp", v4, "127.0.0.1", string(v4)},
		{"cut off", loopback, "tcp", v4[:20], "", ""},
		{"too long", loopback, "tcp", long, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newGate(t, gate.Config{TrustedProxies: c.trusted})
			ln := listen(t, g, c.door+"://127.0.0.1:0")
			nc, err := net.Dial("tcp", ln.Addr().String())
			check(t, err)
			defer nc.Close()
			if len(c.send) > 20 && c.addr != "" { // in two pieces
				nc.Write(c.send[:20])
				time.Sleep(time.Millisecond)
				nc.Write(c.send[20:])
			} else {
				nc.Write(c.send)
			}
			if c.addr == "" {
				nc.(*net.TCPConn).CloseWrite()
				nc.SetReadDeadline(time.Now().Add(testkit.Limit))
				if _, err := nc.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("not closed: %v", err)
				}
				if n := g.Stats(); n.Refused != 1 || n.Links != 0 {
					t.Errorf("%+v", n)
				}
				return
			}
			var a net.Conn
			testkit.Within(t, "Accept", func() { a, err = ln.Accept() })
			check(t, err)
			defer a.Close()
			l := gate.LinkOf(a)
			if l.Addr().String() != c.addr {
				t.Errorf("address %v, want %v", l.Addr(), c.addr)
			}
			if host, _, _ := net.SplitHostPort(l.RemoteAddr().String()); host != c.addr {
				t.Errorf("RemoteAddr %v", l.RemoteAddr())
			}
			if got := read(t, l, len(c.read)); got != c.read {
				t.Errorf("%q, want %q", got, c.read)
			}
		})
	}
}

// Accept goes on while a trusted peer is slow with its header, and Close ends it.
func TestProxySlow(t *testing.T) {
	g := newGate(t, gate.Config{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}})
	ln := listen(t, g, "tcp://127.0.0.1:0")
	slow, err := net.Dial("tcp", ln.Addr().String())
	check(t, err)
	defer slow.Close()
	slow.Write([]byte{0x0d})
	fast, err := net.Dial("tcp", ln.Addr().String())
	check(t, err)
	defer fast.Close()
	fast.Write([]byte{0x03})
	c, err := ln.Accept()
	check(t, err)
	c.Close()
	slow.Close()
	done := make(chan error, 1)
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				done <- err
				return
			}
			c.Close()
		}
	}()
	ln.Close()
	testkit.Within(t, "the end of Accept", func() {
		if err := <-done; !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	})
}

func FuzzProxy(f *testing.F) {
	f.Add(header(f, "203.0.113.9:4711", "127.0.0.1:7301", nil))
	f.Add(header(f, "[2001:db8::9]:4711", "[::1]:7301", nil))
	f.Add([]byte("\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x00"))
	f.Add([]byte("\r\n\r\n\x00\r\nQUIT\n\x21\x31\x00\xd8"))
	f.Add([]byte("hello"))
	f.Fuzz(func(t *testing.T, b []byte) {
		ours, theirs := net.Pipe()
		go func() {
			ours.SetWriteDeadline(time.Now().Add(time.Second))
			ours.Write(b)
			ours.Close()
		}()
		addr, head, err := gate.ReadProxy(theirs, time.Second)
		theirs.Close()
		if err == nil && !addr.IsValid() && len(head) > 0 && !bytes.HasPrefix(b, head) {
			t.Errorf("%x is read as %x", b, head)
		}
	})
}

func TestClientAddr(t *testing.T) {
	g := newGate(t, gate.Config{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")}})
	for _, c := range []struct{ remote, forwarded, want string }{
		{"203.0.113.9:1", "", "203.0.113.9"},
		{"203.0.113.9:1", "198.51.100.1", "203.0.113.9"}, // anybody can write that
		{"10.0.0.1:1", "", "10.0.0.1"},
		{"10.0.0.1:1", "198.51.100.1", "198.51.100.1"},
		{"[::ffff:10.0.0.1]:1", "198.51.100.1", "198.51.100.1"},
		{"10.0.0.1:1", "1.1.1.1, 198.51.100.1, 10.0.0.7", "198.51.100.1"},
		{"10.0.0.1:1", "10.9.9.9, 10.0.0.7", "10.9.9.9"},
		{"10.0.0.1:1", "198.51.100.1, nonsense", "10.0.0.1"},
		{"10.0.0.1:1", "198.51.100.1, nonsense, 10.0.0.7", "10.0.0.7"},
		{"[::1]:1", "2001:db8::1", "2001:db8::1"},
		{"@", "", "invalid IP"},
	} {
		r := &http.Request{RemoteAddr: c.remote, Header: http.Header{}}
		if c.forwarded != "" {
			for _, line := range strings.Split(c.forwarded, ";") {
				r.Header.Add("X-Forwarded-For", line)
			}
		}
		if got := g.ClientAddr(r).String(); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

// writeCert writes a new certificate with a name.
func writeCert(t testing.TB, f gate.TLSFiles, name string) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"localhost"}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	check(t, err)
	k, err := x509.MarshalECPrivateKey(key)
	check(t, err)
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	check(t, os.WriteFile(f.Cert, cert, 0o600))
	check(t, os.WriteFile(f.Key, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: k}), 0o600))
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(cert)
	return pool
}

// TLS: old versions and weak ciphers are refused, a certificate that changes on disk
// is taken, one that is broken is not, and http speaks HTTP/2.
func TestTLS(t *testing.T) {
	dir := t.TempDir()
	files := gate.TLSFiles{Cert: filepath.Join(dir, "c.pem"), Key: filepath.Join(dir, "k.pem")}
	if _, err := gate.NewTLS(files); err == nil {
		t.Error("no file, no error")
	}
	writeCert(t, files, "first")
	tc, err := gate.NewTLS(files)
	check(t, err)
	g := newGate(t, gate.Config{})
	u, err := gate.ParseURL("https://localhost:0")
	check(t, err)
	ln, err := g.Listen(u, tc)
	check(t, err)
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Proto) }),
		ErrorLog: log.New(io.Discard, "", 0)}
	done := make(chan struct{})
	go func() { defer close(done); srv.Serve(ln) }()
	defer func() { srv.Close(); <-done }()

	name := func() string {
		c, err := tls.Dial("tcp", ln.Addr().String(), &tls.Config{InsecureSkipVerify: true})
		check(t, err)
		defer c.Close()
		return c.ConnectionState().PeerCertificates[0].Subject.CommonName
	}
	for _, c := range []*tls.Config{
		{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10},
		{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}},
		{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_GCM_SHA256}},
	} {
		c.InsecureSkipVerify = true
		if nc, err := tls.Dial("tcp", ln.Addr().String(), c); err == nil {
			nc.Close()
			t.Errorf("it speaks %#x with %#x", nc.ConnectionState().Version, nc.ConnectionState().CipherSuite)
		}
	}
	if got := name(); got != "first" {
		t.Errorf("certificate %q", got)
	}
	pool := writeCert(t, files, "second")
	for end := time.Now().Add(testkit.Limit); name() != "second"; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the new certificate is not taken")
		}
	}
	check(t, os.WriteFile(files.Key, []byte("broken"), 0o600))
	time.Sleep(1100 * time.Millisecond) // it looks once a second
	if got := name(); got != "second" {
		t.Errorf("with a broken key file: %q", got)
	}
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: "localhost"}, ForceAttemptHTTP2: true}
	defer tr.CloseIdleConnections()
	res, err := (&http.Client{Transport: tr}).Get("https://" + ln.Addr().String())
	check(t, err)
	body, _ := io.ReadAll(res.Body)
	res.Body.Close()
	if string(body) != "HTTP/2.0" {
		t.Errorf("it speaks %s", body)
	}
}
