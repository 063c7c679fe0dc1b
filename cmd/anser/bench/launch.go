package bench

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Server is a server that a bench has to itself.
type Server struct {
	PID int // 0 = not known: its CPU and memory are then not reported

	URLs       map[string]string // by door: "tcp" -> tcp://127.0.0.1:40321; "ws" is the base, without the path
	SecretFile string            // signs tokens
	CA         []byte            // certificate in PEM that its TLS doors show; nil = the system's authorities

	// Stop ends the server and waits for it. Nil = there is nothing to end.
	Stop func() error
}

// LaunchOptions says which server a bench wants.
type LaunchOptions struct {
	Dir  string // of its data; there, and perhaps empty
	Door string // the door that is used: tcp, tls, ws, wss

	// Exe is the program; "" = the running one.
	Exe string
}

// Lifted names the settings of a started server that are not its defaults, as the
// JSON has them.
var Lifted = []string{"send_rate"}

// serverConfig is the configuration of a started server: defaults, but for free
// ports, the lifted send rate, and a certificate where the door needs one.
func serverConfig(o LaunchOptions, cert, key string) string {
	var b strings.Builder
	b.WriteString("listen:\n  - http://127.0.0.1:0\n  - tcp://127.0.0.1:0\n")
	switch o.Door {
	case "tls":
		b.WriteString("  - tls://127.0.0.1:0\n")
	case "wss":
		b.WriteString("  - https://127.0.0.1:0\n")
	}
	b.WriteString("admin: http://127.0.0.1:0\n")
	b.WriteString("limits:\n  send_rate: -1\n")
	if cert != "" {
		fmt.Fprintf(&b, "tls:\n  cert: %q\n  key: %q\n", cert, key)
	}
	return b.String()
}

// startWithin is how long a server may take to be ready: opening a large store takes
// some seconds.
const startWithin = 2 * time.Minute

// stopWithin is how long it may take to end.
const stopWithin = 30 * time.Second

// Serve starts "serve" in a process of its own and reads from its standard output
// where it listens.
func Serve(ctx context.Context, o LaunchOptions) (*Server, error) {
	exe := o.Exe
	if exe == "" {
		var err error
		if exe, err = os.Executable(); err != nil {
			return nil, err
		}
	}
	s := &Server{URLs: make(map[string]string), SecretFile: filepath.Join(o.Dir, "secret")}
	own, err := os.MkdirTemp("", "anser-bench-conf-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(own) // read at the start only
	var cert, key string
	if o.Door == "tls" || o.Door == "wss" {
		cert, key = filepath.Join(own, "cert.pem"), filepath.Join(own, "key.pem")
		if s.CA, err = makeCert(cert, key); err != nil {
			return nil, err
		}
	}
	conf := filepath.Join(own, "anser.yaml")
	if err := os.WriteFile(conf, []byte(serverConfig(o, cert, key)), 0o600); err != nil {
		return nil, err
	}
	cmd := exec.Command(exe, "serve", "--config", conf, "--data", o.Dir)
	cmd.SysProcAttr = ownGroup() // Ctrl-C is for the bench, which then ends the server
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	log := new(tail)
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("the server could not be started: %w", err)
	}
	s.PID = cmd.Process.Pid
	ready := make(chan error, 1)
	exited := make(chan struct{})
	var exit error // read it after exited
	go func() {
		defer close(exited)
		ready <- readReady(stdout, s.URLs, o.Door)
		io.Copy(io.Discard, stdout) // what it says later must not block it
		exit = cmd.Wait()           // only after the last read
	}()
	s.Stop = sync.OnceValue(func() error {
		if cmd.Process.Signal(os.Interrupt) != nil { // some systems have no such signal
			cmd.Process.Kill()
		}
		select {
		case <-exited:
		case <-time.After(stopWithin):
			cmd.Process.Kill()
			<-exited
			return fmt.Errorf("the server did not end within %v and was killed; it said last:\n%s", stopWithin, log)
		}
		if exit != nil {
			return fmt.Errorf("the server ended with %w; it said last:\n%s", exit, log)
		}
		return nil
	})
	limit := time.NewTimer(startWithin)
	defer limit.Stop()
	select {
	case err = <-ready:
	case <-limit.C:
		err = fmt.Errorf("it was not ready within %v", startWithin)
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		cmd.Process.Kill()
		<-exited
		return nil, fmt.Errorf("the server did not start: %w; it said last:\n%s", err, log)
	}
	return s, nil
}

// lastLine is in the last line that a server prints when it is ready.
const lastLine = "anser token"

// readReady reads what a server says when it is ready: a line for each listener,
// beginning with its URL, the main one first, and a last line with the next command.
// Of two URLs for one door the first counts: the admin listener comes behind.
func readReady(r io.Reader, urls map[string]string, door string) error {
	in := bufio.NewScanner(r)
	for in.Scan() {
		line := in.Text()
		if strings.Contains(line, lastLine) {
			if urls[door] == "" {
				return fmt.Errorf("it named no listener for %s", door)
			}
			return nil
		}
		word, _, _ := strings.Cut(line, " ")
		u, err := url.Parse(word)
		if err != nil || u.Host == "" {
			continue
		}
		if d, ok := doors[u.Scheme]; ok && urls[d] == "" {
			urls[d] = word
		}
	}
	if err := in.Err(); err != nil {
		return err
	}
	return errors.New("it ended")
}

// makeCert makes a certificate for the loopback addresses and its key, and answers
// the certificate in PEM.
func makeCert(certFile, keyFile string) ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	tmpl := &x509.Certificate{
		SerialNumber:          big.NewInt(now.UnixNano()),
		Subject:               pkix.Name{CommonName: "anser bench"},
		NotBefore:             now.Add(-time.Hour),
		NotAfter:              now.Add(tokenLife),
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		IsCA:                  true,
		DNSNames:              []string{"localhost"},
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		return nil, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err := os.WriteFile(certFile, cert, 0o600); err != nil {
		return nil, err
	}
	return cert, os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), 0o600)
}

// tail keeps the end of what is written to it.
type tail struct {
	mu sync.Mutex
	b  []byte // guarded by mu; at most tailSize
}

const tailSize = 4 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, p...)
	if n := len(t.b) - tailSize; n > 0 {
		t.b = append(t.b[:0], t.b[n:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(bytes.TrimSpace(t.b))
}
