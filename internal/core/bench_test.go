package core

import (
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/anser-im/anser/internal/auth"
	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
	"github.com/anser-im/anser/internal/store/memstore"
)

// nullStore answers sends at once and keeps nothing but heads: what is left is core's
// own work.
type nullStore struct {
	*memstore.Store
	mu   sync.Mutex
	seqs map[[2]im.UserID]*store.Head
	next im.ConvID
	all  map[im.ConvID]*store.Head
}

func (s *nullStore) Submit(op store.Op) error {
	o, ok := op.(*store.AppendOp)
	if !ok {
		return s.Store.Submit(op)
	}
	s.mu.Lock()
	k := [2]im.UserID{o.Msg.Sender, o.Peer}
	if k[1] < k[0] {
		k[0], k[1] = k[1], k[0]
	}
	h := s.all[o.Conv]
	if h == nil {
		h = s.seqs[k]
	}
	if h == nil {
		s.next++
		h = &store.Head{Conv: s.next, Kind: im.Direct, Members: 2, Sides: [2]store.Side{{User: k[0]}, {User: k[1]}}}
		s.seqs[k], s.all[h.Conv] = h, h
	}
	h.Seq++
	o.At, o.Seq, o.N, o.Time = h.Conv, h.Seq, uint64(h.Seq), 1
	o.Msg.Seq, o.Msg.N, o.Msg.Time = o.Seq, o.N, o.Time
	s.mu.Unlock()
	o.Done()
	return nil
}

func (s *nullStore) Head(conv im.ConvID) (store.Head, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h := s.all[conv]; h != nil {
		return *h, true
	}
	return store.Head{}, false
}

func (s *nullStore) Delivered(conv im.ConvID, u im.UserID, seq im.Seq) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h := s.all[conv]; h != nil {
		if side := h.Side(u); side != nil && seq > side.Delivered {
			side.Delivered = seq
			return true
		}
	}
	return false
}

// benchWorld is a core over st with users u0, u1 ... signed in.
func benchWorld(b *testing.B, st store.Store, users int) (*Core, []*Session) {
	v, err := auth.NewVerifier(auth.Config{Secret: testSecret})
	if err != nil {
		b.Fatal(err)
	}
	signer, _ := auth.NewSigner(testSecret, "", nil)
	c := New(Config{SweepEvery: -1, Limits: im.Limits{SendRate: -1}}, st, v, nil)
	b.Cleanup(c.Close)
	var all []*Session
	for i := range users {
		token, _ := signer.Sign(auth.Claims{User: im.UserID(fmt.Sprint("u", i)), Expires: time.Now().Add(time.Hour)})
		s, err := c.Login(b.Context(), Login{Token: token, Door: "native", Device: "phone", Wake: func() {}})
		if err != nil {
			b.Fatal(err)
		}
		all = append(all, s)
	}
	return c, all
}

// A send on its way through core, from Send to Take and Ack at the other user, over a
// store that costs next to nothing.
func BenchmarkSendToTake(b *testing.B) {
	mem := memstore.New(memstore.Config{})
	defer mem.Close()
	_, all := benchWorld(b, &nullStore{Store: mem, seqs: map[[2]im.UserID]*store.Head{}, all: map[im.ConvID]*store.Head{}}, 1000)
	body := make([]byte, 128)
	snds := make([]Send, len(all))
	to := make([]im.Address, len(all))
	for i := range all {
		to[i] = im.DirectAddress(all[i^1].user)
		snds[i].Done = func(s *Send) {
			if s.Err != nil {
				b.Error(s.Err)
			}
		}
	}
	var items []Item
	ids := make([]im.ClientID, 1<<12)
	for i := range ids {
		ids[i] = im.ClientID(fmt.Sprint(i))
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		n := i % len(all)
		snd := &snds[n]
		snd.To, snd.Msg = to[n], &im.Message{ID: ids[i%len(ids)], Type: "an:text", Body: body}
		all[n].Send(snd)
		var first uint64
		items, first = all[n^1].Take(items[:0], 100, 32<<10)
		if len(items) == 0 {
			b.Fatal("nothing came")
		}
		if i/len(all)%64 == 63 {
			all[n^1].Ack(first+uint64(len(items))-1, nil)
		}
	}
}

// A message to a group of 1,000 who are all here.
func BenchmarkFanOut(b *testing.B) {
	mem := memstore.New(memstore.Config{})
	defer mem.Close()
	c, all := benchWorld(b, mem, 1000)
	var members []im.UserID
	for _, s := range all[1:500] {
		members = append(members, s.user)
	}
	g, err := all[0].GroupCreate(b.Context(), NewGroup{ID: "g", Members: members})
	if err != nil {
		b.Fatal(err)
	}
	members = nil
	for _, s := range all[500:] {
		members = append(members, s.user)
	}
	if _, err := all[0].GroupAdd(b.Context(), im.GroupAddress(g.ID), members); err != nil {
		b.Fatal(err)
	}
	var items []Item
	drain := func() int {
		n := 0
		for _, s := range all {
			var first uint64
			items, first = s.Take(items[:0], 100, 1<<20)
			n += len(items)
			if len(items) > 0 {
				s.Ack(first+uint64(len(items))-1, nil)
			}
		}
		return n
	}
	for drain() > 0 {
	}
	b.ReportAllocs()
	i, got := 0, 0
	for b.Loop() {
		i++
		snd := &Send{To: im.GroupAddress(g.ID), Msg: &im.Message{ID: im.ClientID(fmt.Sprint("m", i)), Type: "an:text", Body: make([]byte, 128)}}
		if err := all[0].SendWait(b.Context(), snd); err != nil {
			b.Fatal(err)
		}
		for want := i * 999; got < want; {
			got += drain()
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(got), "ns/delivery")
	_ = c
}

// What a session that only waits costs in memory, and a login in time.
func BenchmarkLogin(b *testing.B) {
	mem := memstore.New(memstore.Config{})
	defer mem.Close()
	c, _ := benchWorld(b, mem, 0)
	signer, _ := auth.NewSigner(testSecret, "", nil)
	tokens := make([]string, b.N)
	for i := range tokens {
		tokens[i], _ = signer.Sign(auth.Claims{User: im.UserID(fmt.Sprint("u", i)), Expires: time.Now().Add(time.Hour)})
	}
	keep := make([]*Session, b.N)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		s, err := c.Login(b.Context(), Login{Token: tokens[i], Door: "native", Device: "phone", Wake: func() {}})
		if err != nil {
			b.Fatal(err)
		}
		keep[i] = s
	}
	b.StopTimer()
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(b.N), "heap-B/session") // the store's device row is in it
	runtime.KeepAlive(keep)
}
