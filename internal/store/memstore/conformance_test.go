package memstore_test

import (
	"testing"

	"github.com/anser-im/anser/internal/store/memstore"
	"github.com/anser-im/anser/internal/store/storetest"
)

// memory is the store with the Reopen that the suite wants.
func memory(_ testing.TB, o storetest.Options) storetest.Opened {
	if o.Unsafe {
		return storetest.Opened{}
	}
	cfg := memstore.Config{Clock: o.Clock, QueueOps: o.QueueOps}
	s := memstore.New(cfg)
	return storetest.Opened{
		Store:        s,
		Reopen:       func() storetest.Store { s = s.Reopen(cfg); return s },
		Stall:        func() func() { s.Hold(); return s.Release },
		FailReadOnly: func(on bool) { s.FailReadOnly(on) },
	}
}

func TestConformance(t *testing.T) { storetest.Run(t, memory) }
