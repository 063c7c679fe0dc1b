//go:build unix

package pebblestore_test

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
	"github.com/anser-im/anser/internal/store/pebblestore"
)

// BenchmarkPairs is the work of the pairs benchmark without a server: 1,000 users in
// 500 pairs, each with window sends of 128 bytes under way, on the disk of the test's
// directory. cpu-us/op is of the whole process; the driver's part of it, ids and
// channels, is under a microsecond.
func BenchmarkPairs(b *testing.B) {
	for _, window := range []int{1, 32} {
		b.Run(fmt.Sprint("window=", window), func(b *testing.B) {
			db, err := pebblestore.Open(pebblestore.Config{Dir: b.TempDir(), MinFree: -1})
			if err != nil {
				b.Fatal(err)
			}
			defer db.Close()
			s, err := db.App(pebblestore.DefaultApp)
			if err != nil {
				b.Fatal(err)
			}
			pairs(b, s, window)
		})
	}
}

// slot is one send under way.
type slot struct {
	op  store.AppendOp
	msg im.Message
}

func pairs(b *testing.B, s store.Store, window int) {
	const users = 1000
	var name [users]im.UserID
	for i := range name {
		name[i] = im.UserID(fmt.Sprintf("user%04d", i))
	}
	ended := make(chan *slot, users*window)
	var slots []*slot
	for i := range name {
		peer := name[i^1]
		for range window {
			sl := &slot{}
			sl.msg = im.Message{Sender: name[i], Device: "phone", Type: "an:text", Flags: im.DefaultFlags, Body: make([]byte, 128)}
			sl.op = store.AppendOp{Peer: peer, Msg: &sl.msg, Read: true}
			sl.op.Done = func() { ended <- sl }
			slots = append(slots, sl)
		}
	}
	n := uint64(0)
	submit := func(sl *slot) {
		n++
		var id uuid.UUID
		binary.BigEndian.PutUint64(id[8:], n)
		sl.msg.ID = im.ClientID(id.String())
		sl.op.Hash = n
		if sl.op.At != 0 {
			sl.op.Conv, sl.op.Peer = sl.op.At, ""
		}
		if err := s.Submit(&sl.op); err != nil {
			b.Fatal(err)
		}
	}
	for i := 0; i < len(slots); i += window { // the conversations
		submit(slots[i])
		if sl := <-ended; sl.op.Err != nil {
			b.Fatal(sl.op.Err)
		}
		for j := i; j < i+window; j++ {
			slots[j].op.At = slots[i].op.At
		}
	}
	before := s.Stats()
	var m0, m1 runtime.MemStats
	runtime.ReadMemStats(&m0)
	cpu0, began := cpu(b), time.Now()
	b.ResetTimer()
	left := b.N
	flying := 0
	for _, sl := range slots {
		if left > 0 {
			left--
			flying++
			submit(sl)
		}
	}
	for flying > 0 {
		sl := <-ended
		if sl.op.Err != nil {
			b.Fatal(sl.op.Err)
		}
		if left > 0 {
			left--
			submit(sl)
		} else {
			flying--
		}
	}
	b.StopTimer()
	took := time.Since(began)
	runtime.ReadMemStats(&m1)
	after := s.Stats()
	b.ReportMetric(float64(cpu(b)-cpu0)/1e3/float64(b.N), "cpu-us/op")
	b.ReportMetric(float64(b.N)/took.Seconds(), "sends/s")
	b.ReportMetric(float64(m1.Mallocs-m0.Mallocs)/float64(b.N), "mallocs/op")
	b.ReportMetric(float64(b.N)/float64(after.Commits-before.Commits), "sends/commit")
	b.ReportMetric(float64(after.Bytes-before.Bytes)/float64(b.N), "logbytes/op")
}

// cpu is the user and system time of the process, in nanoseconds.
func cpu(b *testing.B) int64 {
	var ru syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &ru); err != nil {
		b.Fatal(err)
	}
	return ru.Utime.Nano() + ru.Stime.Nano()
}
