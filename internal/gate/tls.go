package gate

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// TLSFiles says where a certificate is: PEM files, read again when they change.
type TLSFiles struct {
	Cert string       // the certificate and its chain
	Key  string       // its private key
	Log  *slog.Logger // told of files that cannot be read again; nil = nobody
}

// NewTLS makes the TLS configuration of listeners: TLS 1.2 at least, and AEAD ciphers
// alone. It fails if the files are no certificate with its key. A change is seen
// within a second, at the next handshake; files that are wrong by then are logged, and
// the certificate before them stays in use.
func NewTLS(f TLSFiles) (*tls.Config, error) {
	k := &keeper{files: f}
	if k.files.Log == nil {
		k.files.Log = slog.New(slog.DiscardHandler)
	}
	stamp, err := k.stampNow()
	if err != nil {
		return nil, fmt.Errorf("the certificate cannot be read: %w", err)
	}
	if k.cert, err = k.load(); err != nil {
		return nil, err
	}
	k.stamp = stamp
	return &tls.Config{
		GetCertificate: k.get,
		MinVersion:     tls.VersionTLS12,
		// Of TLS 1.2; those of 1.3 are all AEAD.
		CipherSuites: []uint16{
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
			tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		},
	}, nil
}

// keeper holds the certificate that is in use.
type keeper struct {
	files TLSFiles // fixed

	mu     sync.Mutex
	cert   *tls.Certificate // guarded by mu
	stamp  stamp            // guarded by mu: of the files that cert is from, or that were wrong
	looked time.Time        // guarded by mu
}

// stamp tells two states of the files apart.
type stamp struct {
	cert, key         time.Time
	certSize, keySize int64
}

func (k *keeper) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if now := time.Now(); now.Sub(k.looked) >= time.Second {
		k.looked = now
		k.renew()
	}
	return k.cert, nil
}

// renew loads the files if they changed; k.mu is held.
func (k *keeper) renew() {
	s, err := k.stampNow()
	if err != nil {
		if s != k.stamp {
			k.stamp = s
			k.files.Log.Error("the TLS certificate cannot be read again: going on with the one before", "err", err)
		}
		return
	}
	if s == k.stamp {
		return
	}
	k.stamp = s
	cert, err := k.load()
	if err != nil { // perhaps half written: the next change is looked at again
		k.files.Log.Error("the TLS certificate changed and is not usable: going on with the one before", "err", err)
		return
	}
	k.cert = cert
	k.files.Log.Info("the TLS certificate was loaded again", "cert", k.files.Cert)
}

func (k *keeper) stampNow() (stamp, error) {
	c, err := os.Stat(k.files.Cert)
	if err != nil {
		return stamp{}, err
	}
	p, err := os.Stat(k.files.Key)
	if err != nil {
		return stamp{}, err
	}
	return stamp{c.ModTime(), p.ModTime(), c.Size(), p.Size()}, nil
}

func (k *keeper) load() (*tls.Certificate, error) {
	cert, err := tls.LoadX509KeyPair(k.files.Cert, k.files.Key)
	if err != nil {
		return nil, fmt.Errorf("%s and %s are no certificate with its key: %w", k.files.Cert, k.files.Key, err)
	}
	return &cert, nil
}
