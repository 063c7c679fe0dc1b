package gate

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// URL says where a door listens: tcp://127.0.0.1:7301, line+tls://:7312.
type URL struct {
	Scheme string // as it was written
	Door   string // "native", "line", "http"
	TLS    bool
	Addr   string // host:port; an empty host is every address of this machine, port 0 any free one
}

type scheme struct {
	door string
	tls  bool
}

// schemes by name. The first of a door and kind is the one that is printed.
var schemes = map[string]scheme{
	"tcp":      {"native", false},
	"tls":      {"native", true},
	"tcp+tls":  {"native", true},
	"line":     {"line", false},
	"line+tls": {"line", true},
	"http":     {"http", false},
	"https":    {"http", true},
}

// ParseURL reads a listener's URL. The error is a sentence for who wrote it.
func ParseURL(s string) (URL, error) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme == "" || u.Host == "" {
		return URL{}, fmt.Errorf("%q is no listener: write it like tcp://127.0.0.1:7301", s)
	}
	sch, ok := schemes[u.Scheme]
	if !ok {
		names := make([]string, 0, len(schemes))
		for n := range schemes {
			names = append(names, n+"://")
		}
		slices.Sort(names)
		return URL{}, fmt.Errorf("%q: there is no door %s://, only %s", s, u.Scheme, strings.Join(names, " "))
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Path != "" && u.Path != "/" {
		return URL{}, fmt.Errorf("%q: a listener is a scheme, a host and a port, and nothing else: %s://%s", s, u.Scheme, u.Host)
	}
	host, port, err := net.SplitHostPort(u.Host)
	if err != nil || port == "" {
		return URL{}, fmt.Errorf("%q names no port: write %s://%s:PORT, 0 for any free one", s, u.Scheme, u.Hostname())
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil {
		return URL{}, fmt.Errorf("%q: %q is no port", s, port)
	} else {
		port = strconv.FormatUint(n, 10)
	}
	return URL{Scheme: u.Scheme, Door: sch.door, TLS: sch.tls, Addr: net.JoinHostPort(host, port)}, nil
}

// String is the URL as ParseURL reads it.
func (u URL) String() string { return u.Scheme + "://" + u.Addr }

// Loopback says whether only this machine can reach the address.
func (u URL) Loopback() bool {
	host, _, err := net.SplitHostPort(u.Addr)
	if err != nil {
		return false
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback()
}

// secure is the same listener with TLS.
func (u URL) secure() URL {
	if !u.TLS {
		switch u.Scheme {
		case "http":
			u.Scheme = "https"
		default:
			u.Scheme += "+tls"
		}
		u.TLS = true
	}
	return u
}
