package server

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/anser-im/anser/internal/testkit"
)

func TestChinese(t *testing.T) {
	for env, want := range map[string]bool{
		"": false, "LANG=zh_CN.UTF-8": true, "LANG=en_US.UTF-8": false, "LANG=C": false, "LANG=ZH_tw": true,
		"LANG=zh_CN LC_MESSAGES=en_US": false, "LANG=en LC_MESSAGES=zh_CN": true, "LANG=zh LC_MESSAGES=zh LC_ALL=C": false, "LC_ALL=zh_HK LANG=en": true,
	} {
		get := func(name string) string {
			for _, f := range strings.Fields(env) {
				if v, ok := strings.CutPrefix(f, name+"="); ok {
					return v
				}
			}
			return ""
		}
		if Chinese(get) != want {
			t.Errorf("%q: not %v", env, want)
		}
	}
}

func TestNotifySystemd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	for _, name := range []string{path, fmt.Sprintf("@anser-test-%d", time.Now().UnixNano())} {
		c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		t.Setenv("NOTIFY_SOCKET", name)
		notifySystemd("READY=1")
		c.SetReadDeadline(time.Now().Add(testkit.Limit))
		b := make([]byte, 100)
		n, err := c.Read(b)
		if err != nil || string(b[:n]) != "READY=1" {
			t.Errorf("%s: %q %v", name, b[:n], err)
		}
	}
	for _, nobody := range []string{"", "relative", "/nowhere/at/all"} { // no harm
		t.Setenv("NOTIFY_SOCKET", nobody)
		notifySystemd("READY=1")
	}
}

// Idle HTTP connections have a limit in all; a WebSocket gives its place back.
func TestHTTPLimit(t *testing.T) {
	s := &Server{cfg: Config{TrustedProxies: []string{"10.0.0.0/8"}}}
	l := s.newHTTPLimit()
	conn := func(addr string) *fakeConn {
		return &fakeConn{addr: net.TCPAddrFromAddrPort(netip.MustParseAddrPort(addr))}
	}
	var open []*fakeConn
	for i := range maxHTTPPerAddr + 5 {
		c := conn(fmt.Sprintf("203.0.113.7:%d", 1000+i))
		l.state(c, http.StateNew)
		open = append(open, c)
	}
	closed := 0
	for _, c := range open {
		if c.closed {
			closed++
		}
	}
	if closed != 5 {
		t.Errorf("%d of 5 too many were closed", closed)
	}
	l.state(open[0], http.StateHijacked)
	l.state(open[1], http.StateClosed)
	l.state(open[len(open)-1], http.StateClosed) // had no place: gives none back
	for i := range 3 {
		c := conn(fmt.Sprintf("203.0.113.7:%d", 2000+i))
		if l.state(c, http.StateNew); c.closed != (i == 2) {
			t.Errorf("connection %d: closed %v", i, c.closed)
		}
	}
	for i := range maxHTTPPerAddr + 5 { // a proxy stands for many, and so does loopback
		for _, addr := range []string{"10.1.2.3", "127.0.0.1"} {
			c := conn(fmt.Sprintf("%s:%d", addr, 1000+i))
			if l.state(c, http.StateNew); c.closed {
				t.Fatalf("%s: connection %d was closed", addr, i)
			}
		}
	}
}

type fakeConn struct {
	net.Conn
	addr   net.Addr
	closed bool
}

func (c *fakeConn) RemoteAddr() net.Addr { return c.addr }
func (c *fakeConn) Close() error         { c.closed = true; return nil }

func TestLoggerFormats(t *testing.T) {
	for format, want := range map[string]string{"": "level=WARN msg=hello", "text": "level=WARN msg=hello", "json": `"msg":"hello"`, "console": "WRN hello"} {
		var b strings.Builder
		log := NewLogger(&b, LogConfig{Level: "warn", Format: format})
		log.Info("nothing")
		log.Warn("hello")
		if !strings.Contains(b.String(), want) || strings.Contains(b.String(), "nothing") || strings.Contains(b.String(), "\x1b") {
			t.Errorf("%q: %q", format, b.String())
		}
	}
	if !NewLogger(&strings.Builder{}, LogConfig{Level: "debug"}).Enabled(t.Context(), slog.LevelDebug) {
		t.Error("debug")
	}
}

func TestQuoteShell(t *testing.T) {
	for in, want := range map[string]string{"/var/lib/anser": "/var/lib/anser", "a b": "'a b'", "it's": `'it'\''s'`, "": "''", "$HOME": "'$HOME'"} {
		if got := quoteShell(in); got != want {
			t.Errorf("%q: %s", in, got)
		}
	}
}

func TestIsLocalHost(t *testing.T) {
	for host, want := range map[string]bool{"localhost": true, "127.9.9.9:1": true, "[::1]": true, "::1": true, "": false, "localhost.": false, "[::1%25eth0]": true, "evil": false} {
		if isLocalHost(host) != want {
			t.Errorf("%q: not %v", host, want)
		}
	}
}
