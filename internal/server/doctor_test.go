package server_test

import (
	"context"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/anser-im/anser/internal/server"
	"github.com/anser-im/anser/internal/store"
	"github.com/anser-im/anser/internal/store/pebblestore"
	"github.com/anser-im/anser/internal/testkit"
)

// What health checks ask is answered by the running server, and no is an error.
func TestCheckReady(t *testing.T) {
	cfg := server.Config{Data: filepath.Join(t.TempDir(), "data"), Listen: []string{"http://127.0.0.1:0"}, Admin: "http://127.0.0.1:0"}
	cfg.Shutdown.Drain = -1
	says := func(want string) {
		t.Helper()
		err := server.CheckReady(t.Context(), cfg)
		if want == "" && err == nil {
			return
		}
		if err == nil || want == "" || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	says("none runs")

	st := &moody{}
	s, err := server.Start(cfg, server.Options{OpenStore: func(dir string) (store.Store, io.Closer, error) {
		db, err := pebblestore.Open(pebblestore.Config{Dir: dir, Small: true})
		if err != nil {
			return nil, nil, err
		}
		st.Store, err = db.App(pebblestore.DefaultApp)
		return st, db, err
	}})
	if err != nil {
		t.Fatal(err)
	}
	says("")
	st.full.Store(true)
	says("takes no messages")
	st.full.Store(false)
	says("")

	ctx, cancel := context.WithTimeout(context.Background(), testkit.Limit)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	says("none runs")
}
