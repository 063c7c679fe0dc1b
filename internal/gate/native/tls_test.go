package native_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/anser-im/anser/internal/gate"
)

// certificate makes a certificate for 127.0.0.1, and answers the server's
// configuration and the client's.
func certificate(t testing.TB) (server, client *tls.Config) {
	t.Helper()
	dir := t.TempDir()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	check(t, err)
	k, err := x509.MarshalECPrivateKey(key)
	check(t, err)
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	f := gate.TLSFiles{Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}
	check(t, os.WriteFile(f.Cert, cert, 0o600))
	check(t, os.WriteFile(f.Key, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: k}), 0o600))
	server, err = gate.NewTLS(f)
	check(t, err)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(cert)
	return server, &tls.Config{RootCAs: pool, ServerName: "127.0.0.1"}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// secure is a TLS connection to addr.
func (w *world) secure(addr string, tc *tls.Config, alpn ...string) net.Conn {
	w.Helper()
	tc = tc.Clone()
	tc.NextProtos = alpn
	nc, err := tls.Dial("tcp", addr, tc)
	w.ok(err)
	w.Cleanup(func() { nc.Close() })
	return nc
}
