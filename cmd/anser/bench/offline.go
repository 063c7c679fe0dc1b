package bench

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/anser-im/anser/wire"
)

// Run lets many users write to one who is away, and times his return.
func (o *Offline) Run(ctx context.Context, env *Env) error {
	if o.Users < 1 || o.Users >= maxSenders {
		return errors.New("--users is from 1: those who write")
	}
	if err := checkLoad(o.Messages, o.Window, o.Rate, o.Seconds); err != nil {
		return err
	}
	s, err := env.newStage(ctx, "offline", &o.Target, o.Output, o.Size)
	if err != nil {
		return err
	}
	return s.offline(ctx, o)
}

func (s *stage) offline(ctx context.Context, o *Offline) error {
	r, rep := s.run, s.report
	rep.Users, rep.Messages = o.Users, o.Messages
	if err := s.connect(ctx, o.Users+o.Connections, nil); err != nil {
		return errors.Join(err, s.close())
	}
	window := s.credit(o.Window)
	absent := len(r.clients) // the number of who is away
	senders := r.clients[:min(o.Users, o.Messages)]
	for i, c := range senders {
		n := o.Messages / len(senders)
		if i < o.Messages%len(senders) {
			n++
		}
		c.kick(func(int64) {
			conv := "u/" + r.user(absent)
			c.in = newInbox(conv, absent)
			c.send = newSender(r, i, conv, window, n)
		})
	}
	s.keeper = r.keep()
	s.drive(ctx, senders, o.Rate, o.Seconds, 0)
	rep.StoreSeconds = ptr(rep.Seconds)
	rep.AcceptedPerS, rep.DeliveredPerS, rep.DeliveryMs = rep.rate(rep.Accepted), nil, nil

	if ctx.Err() == nil {
		if err := s.comeBack(ctx, senders, absent, rep.Accepted); err != nil {
			return errors.Join(fmt.Errorf("the absent user could not come back: %w", err), s.close())
		}
	}
	return s.conclude(ctx)
}

// rate is n by the report's seconds.
func (r *Report) rate(n uint64) *float64 {
	if r.Seconds <= 0 {
		return nil
	}
	return ptr(float64(n) / r.Seconds)
}

// comeBack logs the absent user in, lets him fetch everything, and reports it.
func (s *stage) comeBack(ctx context.Context, senders []*client, absent int, want uint64) error {
	r, rep := s.run, s.report
	h := &homecoming{run: r, want: want, boxes: make(map[string]*offBox), done: make(chan int64, 1)}
	for i := range senders {
		h.boxes["u/"+r.user(i)] = &offBox{from: uint32(i), lastNum: -1}
	}
	over := s.show.phase("fetching", int64(want), h.shown.Load)
	defer over()
	begin := r.now()
	c, err := r.dial(ctx, s.target, absent)
	if err != nil {
		return err
	}
	c.all = h.event
	r.clients = append(r.clients, c)
	c.read()
	c.kick(func(int64) { h.sync(c, "") })
	end := int64(0)
	select {
	case end = <-h.done:
	case <-time.After(s.waits.patience):
		end = r.now()
	case <-ctx.Done():
		end = r.now()
	}
	pause(ctx, s.waits.settle)
	rep.Seconds = time.Duration(end - begin).Seconds()
	if cpu, ok := cpuOf(s.server.PID); ok {
		rep.ServerCPUSeconds = ptr((cpu - s.cpuFrom).Seconds())
	}
	if rss, ok := rssOf(s.server.PID); ok {
		rep.ServerRSSBytes = &rss
	}
	s.hangUp()
	rep.Delivered = h.delivered
	rep.DeliveredPerS = rep.rate(h.delivered)
	if rep.ServerCPUSeconds != nil && h.delivered > 0 {
		rep.ServerCPUPerMessageUs = ptr(*rep.ServerCPUSeconds * 1e6 / float64(h.delivered))
	}
	for _, from := range senders {
		b := h.boxes["u/"+from.user]
		s.auditSender(from)
		rep.Lost += from.send.accepted.missing(b.seen)
		rep.Duplicated += b.duplicated
		rep.OutOfOrder += b.disordered
		if b.head > 0 {
			rep.Gaps += b.head - b.seqs.count()
		}
	}
	return nil
}

// homecoming is how the absent user gets what he missed: Sync for the heads, then
// pages, as many at a time as the server takes. It is guarded by the client's mu.
type homecoming struct {
	run  *run   // fixed
	want uint64 // fixed: messages that were accepted

	boxes     map[string]*offBox // by address
	queue     []*offBox          // with pages to ask for
	asked     int                // requests that are unanswered
	synced    bool               // every head is known
	delivered uint64
	shown     atomic.Int64 // delivered, for the progress
	over      bool
	done      chan int64 // gets, once, when it held everything or had asked for everything
}

// offBox is one conversation of his.
type offBox struct {
	conv    string
	from    uint32 // the user who wrote
	head    uint64
	next    uint64 // the first number that has not been fetched
	seen    bitset // the sender's numbers that have come
	seqs    bitset // the conversation's numbers that have come
	lastNum int64  // of the last message; -1 = none

	duplicated, disordered uint64
}

// maxAsked bounds the pages that are asked for at a time, below what a session may
// have unanswered.
const maxAsked = 32

func (h *homecoming) sync(c *client, token string) {
	h.asked++
	err := c.request(wire.MethodSync, &wire.SyncRequest{Token: token, Limit: 1000, HeadsOnly: true}, func(res *wire.Res) {
		h.asked--
		h.heads(c, res)
		h.ask(c)
	})
	if err != nil {
		h.run.faults.add("%v", err)
	}
}

// heads takes an answer to Sync.
func (h *homecoming) heads(c *client, res *wire.Res) {
	var y wire.SyncResponse
	if res.Code != 0 {
		h.run.faults.add("Sync was refused: %d %s", res.Code, res.Message)
		return
	}
	if err := wire.Binary.UnmarshalBody(res.Body, &y); err != nil {
		h.run.faults.add("%v", err)
		return
	}
	for _, v := range y.Conversations {
		b := h.boxes[v.Conv]
		if b == nil || b.head > 0 {
			continue // not of this bench, or told again
		}
		b.conv = string([]byte(v.Conv)) // not the frame's memory
		b.head = min(v.GetHead().GetSeq(), maxSeq)
		b.next = max(v.GetMine().GetFrom(), 1)
		if b.next <= b.head {
			h.queue = append(h.queue, b)
		}
	}
	if y.More {
		h.sync(c, string([]byte(y.Token)))
	} else {
		h.synced = true
	}
}

// ask asks for the next pages, and sees whether that was all.
func (h *homecoming) ask(c *client) {
	most := maxAsked
	if n := c.welcome.outstanding; n > 0 {
		most = min(most, n)
	}
	for len(h.queue) > 0 && h.asked < most {
		b := h.queue[0]
		h.queue = h.queue[1:]
		h.asked++
		err := c.request(wire.MethodPage, &wire.PageRequest{Conv: b.conv, From: b.next, To: b.head, Limit: pageLimit}, func(res *wire.Res) {
			h.asked--
			h.page(c, b, res)
			h.ask(c)
		})
		if err != nil {
			h.run.faults.add("%v", err)
		}
	}
	if h.asked == 0 && h.synced {
		h.end()
	}
}

func (h *homecoming) end() {
	if !h.over {
		h.over = true
		h.done <- h.run.now()
	}
}

// page takes a page of b.
func (h *homecoming) page(c *client, b *offBox, res *wire.Res) {
	var p wire.PageResponse
	if res.Code != 0 {
		h.run.faults.add("Page was refused: %d %s", res.Code, res.Message)
		return
	}
	if err := p.UnmarshalVTUnsafe(res.Body); err != nil {
		h.run.faults.add("%v", err)
		return
	}
	g := p.Range
	if g == nil || g.From != b.next || g.To < g.From || g.To > b.head {
		h.run.faults.add("a page that does not cover what was asked for")
		return
	}
	last := uint64(0)
	for _, m := range g.Messages {
		if m.Seq <= last || m.Seq < g.From || m.Seq > g.To {
			b.disordered++
			continue
		}
		last = m.Seq
		h.message(b, m.Seq, m.Body)
	}
	b.next = g.To + 1
	if b.next <= b.head {
		h.queue = append(h.queue, b)
	}
	if err := c.put(&wire.Ack{Push: c.takeAck(), Pulled: []*wire.Pulled{{Conv: b.conv, Seq: g.To}}}); err != nil {
		h.run.faults.add("%v", err)
	}
}

// message counts one message that was fetched.
func (h *homecoming) message(b *offBox, seq uint64, body []byte) {
	sender, number, _, ok := h.run.fill.read(body)
	if !ok || sender != b.from || number >= maxNumber {
		h.run.faults.add("a message was fetched mangled, or from who did not send it")
		return
	}
	if !b.seqs.add(seq) || !b.seen.add(uint64(number)) {
		b.duplicated++
		return
	}
	if int64(number) < b.lastNum {
		b.disordered++
	}
	b.lastNum = max(b.lastNum, int64(number))
	h.delivered++
	h.shown.Store(int64(h.delivered))
	if h.delivered == h.want {
		h.end()
	}
}

// event takes what is pushed meanwhile: nothing is, but a server may send what it
// thinks was missed. Only what was not fetched counts.
func (h *homecoming) event(e *event, _ int64) {
	b := h.boxes[string(e.conv)]
	if b == nil || !e.message || string(e.typ) != bodyType || e.seq == 0 || e.seq > maxSeq || b.seqs.has(e.seq) {
		return
	}
	h.run.faults.add("a message was pushed that nobody had sent now")
}
