package client

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/anser-im/anser/wire"
)

// endpoint is one place where a server listens.
type endpoint struct {
	name   string // as it was written; what State.Endpoint shows
	tls    bool
	ws     bool
	host   string // for TLS's name check and for Host
	addr   string // host:port
	url    string // of a WebSocket
	linked bool   // was told by a server, not configured
}

// parseEndpoint reads tcp://host:port, tls://host:port (also tcp+tls://),
// ws://host[:port][/path] and wss://; http and https mean ws and wss.
func parseEndpoint(s string) (endpoint, error) {
	u, err := url.Parse(s)
	if err != nil {
		return endpoint{}, fmt.Errorf("anser: the endpoint %q is no URL", s)
	}
	e := endpoint{name: s, host: u.Hostname()}
	port := ""
	switch strings.ToLower(u.Scheme) {
	case "tcp":
	case "tls", "tcp+tls":
		e.tls = true
	case "ws", "http":
		e.ws, port = true, "80"
	case "wss", "https":
		e.ws, e.tls, port = true, true, "443"
	default:
		return endpoint{}, fmt.Errorf("anser: the endpoint %q begins with none of tcp://, tls://, ws://, wss://", s)
	}
	if u.Port() != "" {
		port = u.Port()
	}
	if e.host == "" || port == "" {
		return endpoint{}, fmt.Errorf("anser: the endpoint %q needs a host and a port", s)
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" || !e.ws && strings.Trim(u.Path, "/") != "" {
		return endpoint{}, fmt.Errorf("anser: the endpoint %q has parts that are not used", s)
	}
	e.addr = net.JoinHostPort(e.host, port)
	if e.ws {
		w := url.URL{Scheme: "ws", Host: e.addr, Path: u.Path}
		if e.tls {
			w.Scheme = "wss"
		}
		if w.Path == "" || w.Path == "/" {
			w.Path = wire.Path
		}
		e.url = w.String()
	}
	return e, nil
}

// loopback says whether the endpoint is on this machine by its name alone.
func (e endpoint) loopback() bool {
	if e.host == "localhost" {
		return true
	}
	ip := net.ParseIP(e.host)
	return ip != nil && ip.IsLoopback()
}

// key tells whether two endpoints are the same place.
func (e endpoint) key() string {
	return fmt.Sprint(e.tls, e.ws, e.addr, e.url)
}

// maxLinked bounds the endpoints that servers may tell.
const maxLinked = 16

// follow picks those of nodes that may be dialled: the configured ones, and others
// only over TLS with a checked name, so that nobody on the way can send the token
// elsewhere.
func follow(configured []endpoint, nodes []string, cfg *tls.Config) []endpoint {
	var out []endpoint
	for _, n := range nodes {
		e, err := parseEndpoint(n)
		if err != nil {
			continue
		}
		known := false
		for _, c := range configured {
			if c.key() == e.key() {
				e, known = c, true
			}
		}
		if !known {
			if !e.tls || cfg != nil && (cfg.InsecureSkipVerify || cfg.ServerName != "") {
				continue // ServerName: one name is checked for all, so it says nothing of this host
			}
			e.linked = true
		}
		out = append(out, e)
		if len(out) == maxLinked {
			break
		}
	}
	return out
}
