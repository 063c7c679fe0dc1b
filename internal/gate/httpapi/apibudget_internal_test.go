package httpapi

import (
	"context"
	"io"
	"strings"
	"testing"

	"connectrpc.com/connect/v2"

	"github.com/anser-im/anser/internal/gate/rpc"
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

// Calls that are carried out are bounded, and give their places back.
func TestCallsAreBounded(t *testing.T) {
	a := &api{}
	a.running.Store(maxCalls)
	info := &connect.CallInfo{}
	s := connect.NewServer(func(next connect.ServerFunc) connect.ServerFunc { return next })
	s.Register(connect.Method{Spec: connect.Spec{Procedure: "/x/Sync"}, Handler: a.serve(rpc.Of("Sync"))})
	ctx := context.WithValue(t.Context(), callKey{}, &call{})
	if e := errorOf(s.Call(ctx, "/x/Sync", info, nothing{})); e.Kind != im.Busy || e.Retry == 0 {
		t.Errorf("%v", e)
	}
	if n := a.running.Load(); n != maxCalls {
		t.Errorf("%d places are held", n)
	}
}

// nothing is a stream of one empty request.
type nothing struct{}

func (nothing) Receive(any) error  { return nil }
func (nothing) SendHeaders() error { return nil }
func (nothing) Send(any) error     { return nil }

func TestEveryKindHasACodeOfGRPC(t *testing.T) {
	for _, k := range im.Kinds() {
		if rpcCodes[k] == 0 {
			t.Errorf("%v has none", k)
		}
	}
}
