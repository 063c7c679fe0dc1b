package server

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/anser-im/anser/internal/auth"
	"github.com/anser-im/anser/internal/gate"
	"github.com/anser-im/anser/internal/gate/httpapi"
	"github.com/anser-im/anser/internal/gate/line"
	"github.com/anser-im/anser/internal/gate/native"
)

func (s *Server) openGate() error {
	proxies, err := s.cfg.proxies()
	if err != nil {
		return err
	}
	s.keeper = auth.NewGatekeeper(s.cfg.Unauthenticated.PerAddress, s.cfg.Unauthenticated.Total)
	gc := s.cfg.Links
	gc.TrustedProxies, gc.AllowPlain, gc.Gatekeeper, gc.Log = proxies, s.cfg.AllowPlain, s.keeper, s.log
	s.gate = gate.New(gc)
	return nil
}

// listen takes the address of every listener.
func (s *Server) listen() error {
	var secure *tls.Config
	for _, text := range s.cfg.Listen {
		u, err := gate.ParseURL(text)
		if err != nil {
			return failf(ExitConfig, "listen: %w", err)
		}
		var tc *tls.Config
		if u.TLS {
			if s.cfg.TLS.Cert == "" {
				return failf(ExitConfig, "listen: %s needs a certificate: set tls.cert and tls.key (--tls-cert, --tls-key)", u)
			}
			if secure == nil {
				if secure, err = gate.NewTLS(gate.TLSFiles{Cert: s.cfg.TLS.Cert, Key: s.cfg.TLS.Key, Log: s.log}); err != nil {
					return failf(ExitConfig, "tls: %w", err)
				}
			}
			tc = secure
		}
		l, err := s.gate.Listen(u, tc)
		if err != nil {
			return listenError(u.String(), err)
		}
		s.doors = append(s.doors, l)
	}
	if s.cfg.Admin == adminOff {
		return nil
	}
	l, err := listenAdmin(s.cfg.Admin)
	if err != nil {
		return err
	}
	s.admin = l
	return nil
}

// listenError says which address and what to do.
func listenError(where string, err error) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return failf(ExitPort, "%s is taken: another program, perhaps another anser, listens there. End it, or choose another address with --listen", where)
	}
	if errors.Is(err, syscall.EACCES) {
		return failf(ExitPort, "%s cannot be listened on: ports below 1024 need a privilege. Choose a higher one with --listen", where)
	}
	return failf(ExitPort, "%w", err)
}

// listenAdmin takes the admin address, which must be on this machine: what is behind
// it is for whoever holds the token, and travels in the clear.
func listenAdmin(text string) (net.Listener, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" || u.Host == "" || u.Path != "" && u.Path != "/" || u.Port() == "" {
		return nil, failf(ExitConfig, "admin: %q is no address like http://127.0.0.1:7309, and not \"off\"", text)
	}
	host := u.Hostname()
	if a, err := netip.ParseAddr(host); host != "localhost" && (err != nil || !a.IsLoopback()) {
		return nil, failf(ExitConfig, "admin: %s can be reached from other machines, and is not encrypted: choose an address of loopback, and a tunnel (ssh -L) to reach it", text)
	}
	l, err := net.Listen("tcp", u.Host)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, failf(ExitPort, "the admin address %s is taken: another program, perhaps another anser, listens there. End it, or choose another with --admin", text)
	}
	if err != nil {
		return nil, failf(ExitPort, "the admin address %s cannot be listened on: %w", text, err)
	}
	return l, nil
}

// openDoors makes what serves the listeners.
func (s *Server) openDoors() {
	nc := s.cfg.Native
	nc.Core, nc.Heartbeat, nc.Node, nc.Nodes, nc.Origins, nc.Log = s.coreOf, s.cfg.Heartbeat, s.cfg.Node, s.cfg.Nodes, s.cfg.Origins, s.log
	s.native = native.New(s.gate, nc)
	if slices.ContainsFunc(s.doors, func(l *gate.Listener) bool { return l.URL().Door == "line" }) {
		lc := s.cfg.Line
		lc.Log = s.log
		s.line = line.New(lc, s.core)
	}
	s.http = httpapi.New(httpapi.Config{
		Health:   func() httpapi.Health { return httpapi.Health(s.Health()) },
		Accounts: s.accounts, Core: s.core, Keys: s.keys, WS: s.native.WebSocket(), Addr: s.gate.ClientAddr,
		Origins: s.originAllowed, Version: ReadVersion().String(), Log: s.log,
	})
	s.public = &http.Server{Handler: s.http}
	httpapi.Tune(s.public, s.log)
	s.public.ConnState = s.newHTTPLimit().state
	s.private = &http.Server{Handler: s.adminHandler()}
	httpapi.Tune(s.private, s.log)
}

// originAllowed says whether a browser's page may sign in: of this host, or configured.
func (s *Server) originAllowed(r *http.Request) bool {
	if httpapi.SameOrigin(r) {
		return true
	}
	o := r.Header.Get("Origin")
	for _, a := range s.cfg.Origins {
		if a == "*" || strings.EqualFold(a, o) {
			return true
		}
	}
	return false
}

// serve starts a goroutine for each listener; Shutdown waits for them.
func (s *Server) serve() {
	for _, l := range s.doors {
		s.serving.Go(func() {
			var err error
			switch l.URL().Door {
			case "http":
				err = s.public.Serve(l)
			case "line":
				err = s.line.Serve(l)
			default:
				err = s.native.Serve(l)
			}
			if !isClosed(err) {
				s.fail(failf(ExitFailure, "the listener %s ended: %w", l.URL(), err))
			}
		})
	}
	if s.admin != nil {
		s.serving.Go(func() {
			if err := s.private.Serve(s.admin); !isClosed(err) {
				s.fail(failf(ExitFailure, "the admin listener ended: %w", err))
			}
		})
	}
}

// closeListeners gives the addresses back.
func (s *Server) closeListeners() {
	for _, l := range s.doors {
		l.Close()
	}
	if s.admin != nil {
		s.admin.Close()
	}
}

// closeDoors ends every listener and link and waits for them. HTTP requests under way
// have two seconds.
func (s *Server) closeDoors() {
	s.closeListeners()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	for _, h := range []*http.Server{s.public, s.private} {
		if h.Shutdown(ctx) != nil {
			h.Close()
		}
	}
	s.native.Close()
	if s.line != nil {
		s.line.Close()
	}
	s.serving.Wait()
}
