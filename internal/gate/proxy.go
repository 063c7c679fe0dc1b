package gate

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	proxyproto "github.com/pires/go-proxyproto"
)

const (
	maxProxied   = 256             // headers being read at a time
	proxyTimeout = 5 * time.Second // for a header that has begun
	maxProxyV2   = 4 << 10         // bytes of a header behind its first 16

	// How long to wait for a header at a door that speaks first: its client may be
	// waiting too. Proxies send it with the connection.
	proxyGreets = 300 * time.Millisecond
)

// trusted says whether a is one of the proxies.
func trusted(proxies []netip.Prefix, a netip.Addr) bool {
	a = a.Unmap()
	return slices.ContainsFunc(proxies, func(p netip.Prefix) bool { return p.Contains(a) })
}

// readProxied accepts for Accept where there are trusted proxies.
func (ln *Listener) readProxied() {
	places := make(chan struct{}, maxProxied)
	for {
		raw, err := ln.accept()
		if err != nil {
			ln.once.Do(func() { close(ln.quit) })
			return
		}
		addr := addrPort(raw.RemoteAddr())
		if !trusted(ln.g.cfg.TrustedProxies, addr.Addr()) {
			ln.hand(raw, addr, nil)
			continue
		}
		select {
		case places <- struct{}{}:
		case <-ln.quit:
			raw.Close()
			return
		}
		ln.reading.Go(func() {
			defer func() { <-places }()
			patience := proxyTimeout
			if ln.url.Door == "line" && !ln.url.TLS {
				patience = proxyGreets
			}
			client, head, err := readProxy(raw, patience)
			if err != nil {
				ln.g.refused.Add(1)
				ln.g.log.Warn("a trusted proxy sent a bad PROXY header", "listener", ln.url.String(), "peer", addr.String(), "err", err)
				raw.Close()
				return
			}
			if client.IsValid() {
				addr = client
			}
			ln.hand(raw, addr, head)
		})
	}
}

// hand gives the connection to Accept.
func (ln *Listener) hand(raw net.Conn, addr netip.AddrPort, head []byte) {
	c := ln.admit(raw, addr, head)
	if c == nil {
		return
	}
	select {
	case ln.proxied <- c:
	case <-ln.quit:
		LinkOf(c).Abort(nil)
	}
}

// readProxy reads the header of the PROXY protocol, version 2, from a peer that is
// trusted, and nothing behind it. Without a header it answers what it has read
// instead; the zero address says that the socket's is the client's own, as for a
// proxy's health check (section 2.2: LOCAL).
func readProxy(c net.Conn, patience time.Duration) (client netip.AddrPort, head []byte, err error) {
	c.SetReadDeadline(time.Now().Add(patience))
	defer c.SetReadDeadline(time.Time{})
	sig := proxyproto.SIGV2
	b := make([]byte, 16)
	n := 0
	for n < len(b) {
		k, err := c.Read(b[n:])
		n += k
		if m := min(n, len(sig)); !bytes.Equal(b[:m], sig[:m]) {
			return client, b[:n], nil
		}
		if err != nil {
			if n == 0 { // nothing at all: the door's own deadlines go on from here
				return client, nil, nil
			}
			return client, nil, err
		}
		if n == k {
			c.SetReadDeadline(time.Now().Add(proxyTimeout))
		}
	}
	size := int(binary.BigEndian.Uint16(b[14:]))
	if size > maxProxyV2 {
		return client, nil, errors.New("the header is too long")
	}
	b = append(b, make([]byte, size)...)
	if _, err := io.ReadFull(c, b[16:]); err != nil {
		return client, nil, err
	}
	h, err := proxyproto.Read(bufio.NewReaderSize(bytes.NewReader(b), len(b)))
	if err != nil {
		return client, nil, err
	}
	if h.Command.IsProxy() {
		client = addrPort(h.SourceAddr)
	}
	return client, nil, nil
}

// ClientAddr is the address of the client that made r: of the connection (where the
// PROXY protocol has been heard already), or, where that is a trusted proxy's, the
// last one in X-Forwarded-For that is none. The zero Addr if there is no telling.
func (g *Gate) ClientAddr(r *http.Request) netip.Addr {
	return ClientAddr(r, g.cfg.TrustedProxies)
}

// ClientAddr is Gate.ClientAddr for a list of proxies.
func ClientAddr(r *http.Request, proxies []netip.Prefix) netip.Addr {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	a := ap.Addr().Unmap()
	if !trusted(proxies, a) {
		return a
	}
	// Each proxy appends whom it heard. What stands before the first untrusted one,
	// from the right, anybody may have written.
	list := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(list) - 1; i >= 0; i-- {
		f, err := netip.ParseAddr(strings.TrimSpace(list[i]))
		if err != nil {
			break
		}
		a = f.Unmap()
		if !trusted(proxies, a) {
			break
		}
	}
	return a
}
