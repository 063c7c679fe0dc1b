package httpapi

import (
	"io"
	"strings"
	"testing"

	"github.com/anser-im/anser/internal/im"
)

// Bodies that are being read are bounded, all together, and give back what they held.
func TestBodiesAreBounded(t *testing.T) {
	a := &api{}
	a.budget.Store(callsBytes - 10)
	b := &budgeted{ReadCloser: io.NopCloser(strings.NewReader(strings.Repeat("x", 100))), a: a}
	if _, err := io.ReadAll(b); errorOf(err).Kind != im.Busy || errorOf(err).Retry == 0 {
		t.Errorf("%v", err)
	}
	b.release()
	if n := a.budget.Load(); n != callsBytes-10 {
		t.Errorf("%d", n)
	}
	a.budget.Store(0)
	b = &budgeted{ReadCloser: io.NopCloser(strings.NewReader("xyz")), a: a}
	if s, err := io.ReadAll(b); err != nil || string(s) != "xyz" || a.budget.Load() != 3 {
		t.Errorf("%q %v %d", s, err, a.budget.Load())
	}
}

func TestEveryKindHasACodeOfGRPC(t *testing.T) {
	for _, k := range im.Kinds() {
		if rpcCodes[k] == 0 {
			t.Errorf("%v has none", k)
		}
	}
}
