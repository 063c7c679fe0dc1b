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

// What is in memory has no power to cut, no sync to leave out, no bytes to search, no
// costs to speak of, and keeps a list by number, so that none can be passed over.
func TestConformance(t *testing.T) {
	storetest.Run(t, memory, "CrashAnywhere", "OwnAfterCrash", "IndexCleaned", "CostOfSize", "UnsafeLoses", "FormerBodies", "LargeNumbers")
}
