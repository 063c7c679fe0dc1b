package server

import (
	"context"
	"io"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/anser-im/anser/internal/auth"
)

// offline is an Admin over the files of a data directory on which no server runs.
type offline struct {
	*adminOps
	closer io.Closer
}

func openOffline(cfg Config, who string, o Options) (Admin, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	s := &Server{cfg: cfg, log: o.Log}
	if err := s.openSecrets(); err != nil {
		return nil, err
	}
	audit, err := openAudit(filepath.Join(cfg.Data, AuditFile), o.Log, o.Clock)
	if err != nil {
		return nil, err
	}
	if err := s.openStore(o); err != nil {
		return nil, err
	}
	as := authStore{s.store}
	ops := &adminOps{store: s.store, audit: audit, by: who, revoker: auth.NewRevoker(as, o.Clock, nil), keys: auth.NewAppKeys(as, o.Clock)}
	if !cfg.Accounts.Off && !cfg.Auth.NoDataSecret {
		signer, err := auth.NewSigner(s.secrets.Token, "", o.Clock)
		if err != nil {
			s.closer.Close()
			return nil, failf(ExitData, "%w", err)
		}
		ops.accounts = auth.NewAccounts(auth.AccountsConfig{App: cfg.Auth.App, Store: as, Revoker: ops.revoker, Signer: signer, Now: o.Clock})
	}
	return &offline{adminOps: ops, closer: s.closer}, nil
}

func (o *offline) Running() bool                          { return false }
func (o *offline) Close() error                           { return o.closer.Close() }
func (o *offline) Status(context.Context) (Status, error) { return Status{}, errNotRunning }
