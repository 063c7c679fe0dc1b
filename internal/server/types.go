package server

import (
	"context"
	"time"

	"github.com/anser-im/anser/internal/types"
)

// TypesConfig says which types of message there are, besides the server's own and
// those that were registered over the API.
type TypesConfig struct {
	// A directory of files, each with one type of message (docs/MESSAGES.md). It is read
	// at the start; a type that comes from there replaces one of its name, and goes when
	// its file is gone. Default: none.
	Dir string
	// Refuse messages of types that are not registered. Default: they pass, untouched.
	Closed bool
	// The language of digests where nobody asked for one: en, zh-CN or any that types
	// have texts in. Default: en.
	Locale string
}

// readTypes reads the files of types.
func (s *Server) readTypes() ([]types.File, error) {
	if l := s.cfg.Types.Locale; l != "" && !types.LocaleOK(l) {
		return nil, failf(ExitConfig, "types.locale: %q is no language; en and zh-CN are", l)
	}
	if s.cfg.Types.Dir == "" {
		return nil, nil
	}
	files, err := types.ReadDir(s.cfg.Types.Dir)
	if err != nil {
		return nil, failf(ExitConfig, "types.dir: %w", err)
	}
	return files, nil
}

// openTypes opens the registry of the default app.
func (s *Server) openTypes(files []types.File) (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // a disk that hangs is told, not waited for
	defer cancel()
	s.types, err = types.Open(ctx, s.store, types.Config{Closed: s.cfg.Types.Closed, Locale: s.cfg.Types.Locale, Files: files})
	if err != nil {
		return failf(ExitData, "the message types: %w", err)
	}
	if len(files) > 0 {
		s.log.Info("message types from files", "types", len(files), "dir", s.cfg.Types.Dir)
	}
	return nil
}
