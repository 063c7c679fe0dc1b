package httpapi

import (
	"slices"
	"sync/atomic"

	"github.com/anser-im/anser/internal/im"
)

// Stats counts what the API did.
type Stats struct {
	Calls    map[string]map[string]uint64 // by protocol (connect, grpc, grpcweb), then OK or a kind of error
	InFlight int64
	Received uint64 // bytes of requests' bodies
}

// protocols of the API.
var protocols = [...]string{"connect", "grpc", "grpcweb"}

// apiCounts are the counters; they are read while they move.
type apiCounts struct {
	calls    [len(protocols)][16]atomic.Uint64 // by protocol, then 0 = OK, 1 + kind
	inFlight atomic.Int64
	received atomic.Uint64
}

// add counts a call; outcome is 0 for OK, else 1 + kind.
func (a *apiCounts) add(protocol string, outcome int) {
	if i := slices.Index(protocols[:], protocol); i >= 0 {
		a.calls[i][outcome].Add(1)
	}
}

func (a *apiCounts) stats() Stats {
	s := Stats{Calls: map[string]map[string]uint64{}, InFlight: a.inFlight.Load(), Received: a.received.Load()}
	for i, p := range protocols {
		m := map[string]uint64{"OK": a.calls[i][0].Load()}
		for _, k := range im.Kinds() {
			m[k.String()] = a.calls[i][1+k].Load()
		}
		s.Calls[p] = m
	}
	return s
}
