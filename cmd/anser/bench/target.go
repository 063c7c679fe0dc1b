package bench

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"

	"github.com/anser-im/anser/wire"
)

// target is how the server is reached.
type target struct {
	door   string      // tcp, tls, ws, wss
	host   string      // host:port to dial
	name   string      // for the Host header
	path   string      // of the WebSocket; "" = none
	tls    *tls.Config // nil = plain
	secret []byte      // signs tokens
}

// doors are the schemes of an address, and which door each names.
var doors = map[string]string{
	"tcp": "tcp",
	"tls": "tls", "tcp+tls": "tls",
	"ws": "ws", "http": "ws",
	"wss": "wss", "https": "wss",
}

// newTarget reads addr, which has a scheme of doors, or none if door is given.
func newTarget(addr, door string, secret []byte, ca []byte, insecure bool) (*target, error) {
	u, err := url.Parse(addr)
	if err != nil || u.Host == "" {
		if door == "" {
			door = "tcp"
		}
		u = &url.URL{Scheme: door, Host: addr}
	}
	named, ok := doors[u.Scheme]
	switch {
	case !ok:
		return nil, fmt.Errorf("%s: the address begins with none of tcp://, tls://, ws://, wss://, http://, https://", addr)
	case door != "" && door != named:
		return nil, fmt.Errorf("%s is no address for the door %s", addr, door)
	}
	t := &target{door: named, host: u.Host, name: u.Host, secret: secret}
	host, port, err := net.SplitHostPort(u.Host)
	if err != nil || port == "" {
		return nil, fmt.Errorf("%s: the address has no port", addr)
	}
	if named == "ws" || named == "wss" {
		t.path = wire.Path
		if u.Path != "" && u.Path != "/" {
			t.path = u.Path
		}
	}
	if named == "tls" || named == "wss" {
		t.tls = &tls.Config{ServerName: host, InsecureSkipVerify: insecure}
		if ca != nil {
			t.tls.RootCAs = x509.NewCertPool()
			if !t.tls.RootCAs.AppendCertsFromPEM(ca) {
				return nil, errors.New("the file given as certificate holds none in PEM")
			}
		}
	}
	return t, nil
}

// perSource is how many connections one source address makes to one listener: fewer
// than there are ephemeral ports.
const perSource = 20_000

// source is the address from which connection i is made: "" leaves it to the system.
// A loopback server can be reached from all of 127.0.0.0/8.
func (t *target) source(i int) string {
	if i < perSource {
		return ""
	}
	host, _, _ := net.SplitHostPort(t.host)
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || ip.To4() == nil || !ip.IsLoopback()) {
		return ""
	}
	return fmt.Sprintf("127.0.0.%d", 1+i/perSource%250)
}

// open finds the server: the one that t names, or one that is started.
func (e *Env) open(t *Target) (*target, *Server, error) {
	if t.SecretFile == "" {
		return nil, nil, errors.New("with --addr the secret file of the server is needed to make tokens: --secret-file FILE (it is \"secret\" in the server's data directory)")
	}
	secret, err := readSecret(t.SecretFile)
	if err != nil {
		return nil, nil, err
	}
	var ca []byte
	if t.CA != "" {
		if ca, err = os.ReadFile(t.CA); err != nil {
			return nil, nil, fmt.Errorf("the certificate file cannot be read: %w", err)
		}
	}
	tg, err := newTarget(t.Addr, t.Door, secret, ca, t.Insecure)
	if err != nil {
		return nil, nil, err
	}
	s := &Server{PID: t.PID}
	if s.PID == 0 {
		s.PID = listenerPID(tg.host)
	}
	return tg, s, nil
}
