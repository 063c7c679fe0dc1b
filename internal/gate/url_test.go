package gate_test

import (
	"strings"
	"testing"

	"github.com/anser-im/anser/internal/gate"
)

func TestParseURL(t *testing.T) {
	for s, want := range map[string]gate.URL{
		"tcp://127.0.0.1:7301":     {Scheme: "tcp", Door: "native", Addr: "127.0.0.1:7301"},
		"tls://:7301":              {Scheme: "tls", Door: "native", TLS: true, Addr: ":7301"},
		"tcp+tls://0.0.0.0:0":      {Scheme: "tcp+tls", Door: "native", TLS: true, Addr: "0.0.0.0:0"},
		"line://localhost:7302":    {Scheme: "line", Door: "line", Addr: "localhost:7302"},
		"line+tls://[::1]:07302/":  {Scheme: "line+tls", Door: "line", TLS: true, Addr: "[::1]:7302"},
		"http://chat.example:80":   {Scheme: "http", Door: "http", Addr: "chat.example:80"},
		"https://127.0.0.1:443":    {Scheme: "https", Door: "http", TLS: true, Addr: "127.0.0.1:443"},
		"HTTP://[fe80::1%25lo]:80": {Scheme: "http", Door: "http", Addr: "[fe80::1%lo]:80"},
	} {
		u, err := gate.ParseURL(s)
		if err != nil || u != want {
			t.Errorf("%s: %+v, %v; want %+v", s, u, err, want)
		}
	}
	for s, says := range map[string]string{
		"":                          "write it like tcp://",
		"127.0.0.1:7301":            "write it like tcp://",
		"tcp:7301":                  "write it like tcp://",
		"tcp://":                    "write it like tcp://",
		"ftp://127.0.0.1:21":        "there is no door ftp://",
		"tcp://127.0.0.1":           "names no port",
		"tcp://127.0.0.1:":          "names no port",
		"tcp://127.0.0.1:65536":     "is no port",
		"tcp://127.0.0.1:http":      "write it like tcp://",
		"tcp://127.0.0.1:-1":        "write it like tcp://",
		"http://127.0.0.1:80/chat":  "nothing else",
		"http://127.0.0.1:80?a=b":   "nothing else",
		"http://u:p@127.0.0.1:80":   "nothing else",
		"tcp://127.0.0.1:7301#frag": "nothing else",
	} {
		if u, err := gate.ParseURL(s); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %+v, %v; want an error that says %q", s, u, err, says)
		}
	}
}

func TestLoopback(t *testing.T) {
	for s, want := range map[string]bool{
		"tcp://127.0.0.1:1": true, "tcp://127.9.9.9:1": true, "tcp://[::1]:1": true, "tcp://LocalHost:1": true,
		"tcp://[::ffff:127.0.0.1]:1": true,
		"tcp://:1":                   false, "tcp://0.0.0.0:1": false, "tcp://[::]:1": false, "tcp://10.0.0.1:1": false,
		"tcp://localhost.example:1": false, "tcp://127.0.0.1.example:1": false,
	} {
		u, err := gate.ParseURL(s)
		if err != nil || u.Loopback() != want {
			t.Errorf("%s: %v, %v", s, u.Loopback(), err)
		}
	}
}
