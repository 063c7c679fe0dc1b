package bench

import (
	"math"
	"math/bits"
	"sync/atomic"
	"time"
)

// hist counts durations in buckets whose width grows with the value: 1,024 ns up to
// 131 us, then 1/64 of the power of two, so a quantile is right to 1.6 %. Any
// goroutine may add; which shard it passes only spreads the cache lines.
type hist struct {
	shards [histShards]histShard
}

const (
	histShards = 8
	histUnit   = 10 // buckets begin at 1<<histUnit ns
	histSub    = 6  // 1<<histSub buckets to a power of two
	histSize   = (64 - histUnit - histSub) << histSub
)

type histShard struct {
	counts [histSize]atomic.Uint32
	max    atomic.Int64
	_      [56]byte // the next shard's first line is another's
}

// add counts one duration, below 0 as 0.
func (h *hist) add(shard int, d int64) {
	if d < 0 {
		d = 0
	}
	s := &h.shards[shard%histShards]
	s.counts[histIndex(uint64(d))].Add(1)
	for {
		m := s.max.Load()
		if d <= m || s.max.CompareAndSwap(m, d) {
			return
		}
	}
}

func histIndex(ns uint64) int {
	u := ns >> histUnit
	if u < 2<<histSub {
		return int(u)
	}
	e := bits.Len64(u) - histSub - 1
	return e<<histSub + int(u>>e)
}

// histValue is the middle of bucket i in ns.
func histValue(i int) float64 {
	e := i>>histSub - 1
	if e <= 0 {
		return (float64(i) + 0.5) * (1 << histUnit)
	}
	return (float64(i-e<<histSub) + 0.5) * math.Exp2(float64(e+histUnit))
}

// Quantiles is a distribution of latencies in milliseconds.
type Quantiles struct {
	P50  float64 `json:"p50"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p999"`
	Max  float64 `json:"max"`
}

// quantiles sums up what was added; nil if nothing was.
func (h *hist) quantiles() *Quantiles {
	var counts [histSize]uint64
	var total uint64
	var top int64
	for i := range h.shards {
		s := &h.shards[i]
		top = max(top, s.max.Load())
		for j := range s.counts {
			n := uint64(s.counts[j].Load())
			counts[j] += n
			total += n
		}
	}
	if total == 0 {
		return nil
	}
	const ms = float64(time.Millisecond)
	at := func(q float64) float64 {
		rank, sum := uint64(math.Ceil(q*float64(total))), uint64(0)
		for i, n := range counts {
			if sum += n; sum >= rank {
				return min(histValue(i), float64(top)) / ms
			}
		}
		return float64(top) / ms
	}
	return &Quantiles{P50: at(0.50), P99: at(0.99), P999: at(0.999), Max: float64(top) / ms}
}
