package server_test

import (
	"context"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/anser-im/anser/internal/server"
	"github.com/anser-im/anser/internal/store"
	"github.com/anser-im/anser/internal/store/memstore"
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

	st := memstore.New(memstore.Config{})
	s, err := server.Start(cfg, server.Options{OpenStore: func(string) (store.Store, io.Closer, error) { return st, st, nil }})
	if err != nil {
		t.Fatal(err)
	}
	says("")
	st.FailReadOnly(true)
	says("takes no messages")
	st.FailReadOnly(false)
	says("")

	ctx, cancel := context.WithTimeout(context.Background(), testkit.Limit)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	says("none runs")
}
