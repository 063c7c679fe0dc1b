package server

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/anser-im/anser/internal/auth"
	"github.com/anser-im/anser/internal/core"
	"github.com/anser-im/anser/internal/gate"
	"github.com/anser-im/anser/internal/gate/httpapi"
	"github.com/anser-im/anser/internal/gate/line"
	"github.com/anser-im/anser/internal/gate/native"
	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
	"github.com/anser-im/anser/internal/types"
)

// Options is what a program gives to a server besides its Config. The zero value works.
type Options struct {
	Log   *slog.Logger     // nil = nothing is logged
	Clock func() time.Time // nil = time.Now
	Fatal func(error)      // called at most once, when the store can go on no longer: the program must end soon; nil = standard error and exit status ExitStore

	// OpenStore is for tests that bring their own. It answers the store of the default
	// app and what closes it. nil = Pebble in the data directory.
	OpenStore func(dir string) (store.Store, io.Closer, error)
}

// Server is one running server. Its methods may be called by any goroutine.
type Server struct {
	cfg      Config // fixed, with defaults
	log      *slog.Logger
	began    time.Time
	secrets  auth.Secrets
	store    store.Store
	closer   io.Closer // of the store
	verifier *auth.Verifier
	revoker  *auth.Revoker
	accounts *auth.Accounts // nil = off
	keys     *auth.AppKeys
	keeper   *auth.Gatekeeper
	types    *types.Registry
	core     *core.Core
	audit    *auditLog
	gate     *gate.Gate
	native   *native.Door
	line     *line.Door // nil = no listener of its
	doors    []*gate.Listener
	admin    net.Listener // nil = off
	http     *httpapi.Door
	public   *http.Server
	private  *http.Server // the admin listener's

	serving  sync.WaitGroup // one for each listener
	draining atomic.Bool
	failed   chan error // holds the first failure of a listener
	stop     sync.Once
}

// Start starts a server: when it returns without error, every listener takes
// connections. Whatever it began is ended again if it fails.
//
// Errors: a StartError.
func Start(cfg Config, o Options) (_ *Server, err error) {
	cfg = cfg.Defaults()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	s := &Server{cfg: cfg, log: o.Log, began: o.Clock(), failed: make(chan error, 1)}
	var undo []func() // in the order of the doing
	defer func() {
		if err != nil {
			for i := len(undo) - 1; i >= 0; i-- {
				undo[i]()
			}
		}
	}()

	files, err := s.readTypes()
	if err != nil {
		return nil, err
	}
	if err := s.openSecrets(); err != nil {
		return nil, err
	}
	if s.audit, err = openAudit(filepath.Join(cfg.Data, AuditFile), o.Log, o.Clock); err != nil {
		return nil, err
	}
	if err := s.openGate(); err != nil {
		return nil, err
	}
	undo = append(undo, s.gate.Close)
	// Addresses are taken before the store is opened, which may last: who starts a
	// second server by mistake is told at once.
	undo = append(undo, s.closeListeners)
	if err := s.listen(); err != nil {
		return nil, err
	}
	if err := s.openStore(o); err != nil {
		return nil, err
	}
	undo = append(undo, func() { s.closer.Close() })
	if err := s.openTypes(files); err != nil {
		return nil, err
	}
	if err := s.openCore(o); err != nil {
		return nil, err
	}
	undo = append(undo, s.core.Close)
	s.openDoors()
	undo = append(undo, s.closeDoors)
	if err := s.writeAddress(); err != nil {
		return nil, err
	}
	s.serve()
	return s, nil
}

// openSecrets reads the secrets of the data directory, or makes both.
func (s *Server) openSecrets() error {
	if err := checkData(s.cfg.Data); err != nil {
		return err
	}
	secrets, err := auth.LoadOrCreateSecrets(s.cfg.Data)
	if err != nil {
		return failf(ExitData, "%w", err)
	}
	s.secrets = secrets
	return nil
}

// openCore makes what stands between the store and the doors.
func (s *Server) openCore(o Options) error {
	vc := auth.Config{App: s.cfg.Auth.App, JWKS: s.cfg.Auth.JWKS, Issuer: s.cfg.Auth.Issuer, Now: o.Clock, Log: s.log}
	if !s.cfg.Auth.NoDataSecret {
		vc.Secret = s.secrets.Token
	}
	for kid, path := range s.cfg.Auth.Secrets {
		b, err := auth.LoadSecret(path)
		if err != nil {
			return failf(ExitConfig, "auth.secrets: %w", err)
		}
		if vc.Secrets == nil {
			vc.Secrets = map[string][]byte{}
		}
		vc.Secrets[kid] = b
	}
	var err error
	if s.verifier, err = auth.NewVerifier(vc); err != nil {
		return failf(ExitConfig, "auth: %w", err)
	}
	as := authStore{s.store}
	s.keys = auth.NewAppKeys(as, o.Clock)
	s.revoker = auth.NewRevoker(as, o.Clock, func(v auth.Revocation) { s.core.Revoked(v) })
	if !s.cfg.Accounts.Off && !s.cfg.Auth.NoDataSecret {
		signer, err := auth.NewSigner(s.secrets.Token, "", o.Clock)
		if err != nil {
			return failf(ExitData, "%w", err)
		}
		s.accounts = auth.NewAccounts(auth.AccountsConfig{App: s.cfg.Auth.App, Store: as, Revoker: s.revoker, Signer: signer, Now: o.Clock})
	}
	cc := s.cfg.Rules
	cc.Limits, cc.Node, cc.Clock, cc.Log, cc.TokenKey = s.cfg.Limits, s.cfg.Node, o.Clock, s.log, s.secrets.Sync
	cc.Types = s.types
	s.core = core.New(cc, s.store, s.verifier, s.revoker)
	return nil
}

// coreOf gives the core of an app: there is one.
func (s *Server) coreOf(app string) *core.Core {
	if app == "" || app == s.cfg.Auth.App {
		return s.core
	}
	return nil
}

// Data is the data directory.
func (s *Server) Data() string { return s.cfg.Data }

// URLs lists where the doors listen, with the real ports, the main one first.
func (s *Server) URLs() []string {
	var first, rest []string
	for _, l := range s.doors {
		u := l.URL()
		if u.Door == "http" && first == nil {
			first = append(first, u.String())
		} else {
			rest = append(rest, u.String())
		}
	}
	return append(first, rest...)
}

// AdminURL is where the admin listener is; "" = off.
func (s *Server) AdminURL() string {
	if s.admin == nil {
		return ""
	}
	return "http://" + s.admin.Addr().String()
}

// Failed gives an error when a listener ended that should not have: the program then
// shuts the server down.
func (s *Server) Failed() <-chan error { return s.failed }

// Shutdown sends clients away spread over the configured time, then ends everything
// and closes the store. When ctx ends, what is left of the spreading is skipped, and
// links are cut off; the store is closed properly all the same. Only the first call
// does anything.
func (s *Server) Shutdown(ctx context.Context) error {
	var err error
	s.stop.Do(func() { err = s.shutdown(ctx) })
	return err
}

func (s *Server) shutdown(ctx context.Context) error {
	s.draining.Store(true)
	s.log.Info("shutting down", "drain", s.cfg.Shutdown.Drain)
	spread := max(0, s.cfg.Shutdown.Drain)
	ctx, cancel := context.WithTimeout(ctx, spread+s.cfg.Shutdown.Grace)
	defer cancel()
	var parallel sync.WaitGroup
	parallel.Go(func() { s.native.Drain(ctx, spread) })
	parallel.Go(func() { s.core.Drain(ctx, spread) }) // of every door, the line door too
	parallel.Wait()
	s.closeDoors()
	s.core.Close()
	s.keys.Close()
	s.gate.Close()
	os.Remove(s.addressFile())
	err := s.closer.Close()
	if err != nil {
		s.log.Error("the store did not close well", "error", err)
		return failf(ExitStore, "the store did not close well: %w", err)
	}
	s.log.Info("ended", "after", time.Since(s.began).Round(time.Second))
	return nil
}

// Abort ends everything at once: links break without a word. For tests of what clients
// make of that; a program uses Shutdown.
func (s *Server) Abort() error {
	var err error
	s.stop.Do(func() {
		s.draining.Store(true)
		s.closeDoors()
		s.core.Close()
		s.keys.Close()
		s.gate.Close()
		err = s.closer.Close() // address file and all stay, as after kill -9
	})
	return err
}

// fail notes the first failure.
func (s *Server) fail(err error) {
	select {
	case s.failed <- err:
	default:
	}
}

// Health is how the server does.
type Health struct {
	Alive bool   // logins and history work
	Ready bool   // sends are taken
	Why   string // if not both
}

// Health looks at core and the store. It is cheap.
func (s *Server) Health() Health {
	sh := s.store.Health()
	state, why := s.core.Health()
	switch {
	case sh.Failed != nil:
		return Health{Why: "the store has failed"}
	case s.draining.Load() || state == core.HealthDraining:
		return Health{Alive: true, Why: "the server is shutting down"}
	case sh.ReadOnly:
		return Health{Alive: true, Why: "the disk is nearly full: messages are refused until there is room"}
	case state == core.HealthStuck:
		// Overloaded is not broken: to be started anew would make it worse.
		return Health{Alive: sh.Pending == 0, Why: why}
	}
	return Health{Alive: true, Ready: true}
}

// addressFile holds the address of the admin listener, for the commands that look for
// a running server.
func (s *Server) addressFile() string { return filepath.Join(s.cfg.Data, AddressFile) }

// AddressFile is the name of the file in the data directory that says where the admin
// listener is while a server runs.
const AddressFile = "admin.addr"

func (s *Server) writeAddress() error {
	if s.admin == nil {
		os.Remove(s.addressFile()) // of a run that was killed
		return nil
	}
	if err := os.WriteFile(s.addressFile(), []byte(s.AdminURL()+"\n"), 0o600); err != nil {
		return failf(ExitData, "the data directory cannot be written to: %w", err)
	}
	return nil
}

var errNoAccounts = im.Errorf(im.Unsupported, "built-in accounts are off on this server (accounts.off or auth.no_data_secret)")

// isClosed says whether err is how a listener ends that was closed.
func isClosed(err error) bool {
	return err == nil || errors.Is(err, http.ErrServerClosed) || errors.Is(err, net.ErrClosed)
}
