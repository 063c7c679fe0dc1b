package bench

import "github.com/anser-im/anser/wire"

// inbox is one conversation as one client sees it: it holds what has arrived against
// what ought to. It is guarded by the client's mu.
type inbox struct {
	conv string // fixed: its address
	from uint32 // fixed: the user whose messages come here

	seen       bitset // numbers of the sender that have arrived
	delivered  uint64
	duplicated uint64
	disordered uint64

	pushed   bitset // sequence numbers that came live: pushed, hidden, or answered to an own send
	pulled   bitset // sequence numbers that were fetched
	lastSeq  uint64 // of the last message pushed
	lastNum  int64  // its number with its sender; -1 = none
	settled  uint64 // the first sequence number that has not come yet
	head     uint64 // the highest that exists, as far as was told
	fetching bool   // a Page is asked for
}

// maxSeq bounds the memory that a wrong sequence number could ask for.
const maxSeq = 1 << 31

func newInbox(conv string, from int) *inbox {
	return &inbox{conv: conv, from: uint32(from), lastNum: -1, settled: 1}
}

// event takes one event of a PUSH.
func (in *inbox) event(c *client, e *event, now int64) {
	if string(e.conv) != in.conv {
		if e.message || e.hidden {
			c.run.faults.add("a message of a conversation that is none of the bench's: %.80q", e.conv)
		}
		return
	}
	switch {
	case e.message && string(e.typ) == bodyType:
		in.message(c, e.seq, e.body, now)
	case e.message || e.hidden:
		in.mark(c, e.seq) // what the server says of the group, or what is not for this user
	}
	if e.head > in.head {
		in.head = e.head
		in.fetch(c)
	}
	if e.sync {
		in.head = max(in.head, in.settled)
		in.fetch(c)
	}
}

// mark notes that a sequence number has come live; false if it had before, or cannot
// be right.
func (in *inbox) mark(c *client, seq uint64) bool {
	if seq == 0 || seq > maxSeq {
		c.run.faults.add("a message with the number %d", seq)
		return false
	}
	if !in.pushed.add(seq) {
		in.duplicated++
		return false
	}
	return true
}

// own notes the number that an own send got.
func (in *inbox) own(c *client, seq uint64) { in.mark(c, seq) }

// message takes a message that was pushed.
func (in *inbox) message(c *client, seq uint64, body []byte, now int64) {
	if !in.mark(c, seq) || in.pulled.has(seq) {
		return
	}
	sender, number, due, ok := c.run.fill.read(body)
	if !ok || sender != in.from || number >= maxNumber {
		c.run.faults.add("a message arrived mangled, or from who did not send it")
		return
	}
	if seq < in.lastSeq || int64(number) < in.lastNum {
		in.disordered++
	}
	in.lastSeq, in.lastNum = max(in.lastSeq, seq), max(in.lastNum, int64(number))
	in.count(c, number, due, now)
}

// count counts a message that has its own sequence number here.
func (in *inbox) count(c *client, number uint32, due, now int64) {
	if !in.seen.add(uint64(number)) {
		in.duplicated++ // the same message under two numbers
		return
	}
	in.delivered++
	c.turnCount.delivered++
	c.lastAt = now
	r := c.run
	r.delivery.add(c.index, now-due)
	if int(number) < len(r.reached) && r.reached[number].Add(1) == r.members {
		r.last.add(c.index, now-due)
	}
}

// fetch asks for what the server says exists and has not come: it does so in groups
// that are too large or too lively for every message to be pushed.
func (in *inbox) fetch(c *client) {
	if in.fetching {
		return // page asks for the rest
	}
	for in.pushed.has(in.settled) || in.pulled.has(in.settled) {
		in.settled++
	}
	if in.settled > in.head {
		return
	}
	in.fetching = true
	err := c.request(wire.MethodPage, &wire.PageRequest{Conv: in.conv, From: in.settled, Limit: pageLimit}, func(res *wire.Res) {
		in.fetching = false
		in.page(c, res)
	})
	if err != nil {
		c.run.faults.add("%v", err)
	}
}

// pageLimit is the most messages of a page.
const pageLimit = 200

// page takes the answer to fetch.
func (in *inbox) page(c *client, res *wire.Res) {
	var p wire.PageResponse
	if res.Code != 0 {
		c.run.faults.add("Page was refused: %d %s", res.Code, res.Message)
		return
	}
	if err := wire.Binary.UnmarshalBody(res.Body, &p); err != nil {
		c.run.faults.add("%v", err)
		return
	}
	g := p.Range
	if g == nil || g.From != in.settled || g.To < g.From || g.To > maxSeq {
		c.run.faults.add("a page that does not cover what was asked for")
		return
	}
	now, last := c.run.now(), uint64(0)
	for _, m := range g.Messages {
		if m.Seq <= last || m.Seq < g.From || m.Seq > g.To {
			in.disordered++
			continue
		}
		last = m.Seq
		if in.pulled.has(m.Seq) || in.pushed.has(m.Seq) || m.Type != bodyType {
			continue // what is fetched may have come live meanwhile
		}
		sender, number, due, ok := c.run.fill.read(m.Body)
		if !ok || sender != in.from || number >= maxNumber {
			c.run.faults.add("a message was fetched mangled, or from who did not send it")
			continue
		}
		in.count(c, number, due, now)
	}
	for s := g.From; s <= g.To; s++ {
		in.pulled.add(s)
	}
	if err := c.put(&wire.Ack{Push: c.takeAck(), Pulled: []*wire.Pulled{{Conv: in.conv, Seq: g.To}}}); err != nil {
		c.run.faults.add("%v", err)
	}
	if p.Head != nil {
		in.head = max(in.head, min(p.Head.Seq, maxSeq))
	}
	in.fetch(c)
}

// gaps is how many numbers are left out below the highest that came. fresh says that
// the conversation is as old as the run, so that its numbers begin at 1; otherwise
// they begin with the first that came.
func (in *inbox) gaps(fresh bool) uint64 {
	var all bitset
	for _, b := range []bitset{in.pushed, in.pulled} {
		for i, w := range b {
			if w != 0 {
				for len(all) <= i {
					all = append(all, 0)
				}
				all[i] |= w
			}
		}
	}
	low, high, ok := all.bounds()
	if !ok {
		return 0
	}
	if fresh {
		low = 1
	}
	return high - low + 1 - all.count()
}
