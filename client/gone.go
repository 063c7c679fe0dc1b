package client

import (
	"encoding/binary"

	"github.com/anser-im/anser/wire"
)

// maxGone is how many ranges of what the user deleted for himself are remembered of one
// conversation. The server keeps fewer.
const maxGone = 4096

// withdrawn takes what the user's row says that he deleted for himself, on whichever
// device: what was delivered of it is told to go, the rest is settled.
func (c *Client) withdrawn(cv *convo, m *wire.Mine, b *batch) {
	if m == nil || cv.addr == "me" || len(m.Gone) == 0 && c.gone[cv.addr] == nil {
		return
	}
	before := c.gone[cv.addr]
	var now ranges
	for _, r := range m.Gone {
		if r.From > 0 && r.From <= r.To && r.To <= maxNumber && len(now) < maxGone {
			now = now.add(r.From, r.To)
		}
	}
	var news []Range
	for _, s := range now.without(before) {
		c.unkeep(cv.addr, s.from, s.to, b)
		c.undue(cv.addr, s.from, s.to, b)
		if cv.met && s.from <= cv.done {
			news = append(news, Range{s.from, min(s.to, cv.done)})
		}
	}
	if len(news) > 0 {
		b.event(Event{Kind: EventDeleted, Conv: cv.addr, Ranges: news})
	}
	if cv.met {
		out := c.out(cv, b)
		for _, s := range now {
			cv.withdraw(s.from, s.to, out)
		}
	}
	if len(now) == 0 {
		c.ungone(cv.addr, b)
		return
	}
	c.gone[cv.addr] = now
	b.puts.Set(keyGone+cv.addr, now.record())
}

// ungone forgets what was deleted of a conversation.
func (c *Client) ungone(conv string, b *batch) {
	if c.gone[conv] != nil {
		delete(c.gone, conv)
		b.puts.Delete(keyGone + conv)
	}
}

// void forgets what was kept of a conversation that is told anew, or no more.
func (c *Client) void(conv string, b *batch) {
	c.ungone(conv, b)
	c.undue(conv, 0, maxNumber, b)
	c.unkeep(conv, 0, maxNumber, b)
}

// without is what of r is not in o.
func (r ranges) without(o ranges) (out ranges) {
	for _, s := range r {
		from := s.from
		for _, t := range o {
			if t.to < from || t.from > s.to {
				continue
			}
			if t.from > from {
				out = out.add(from, t.from-1)
			}
			from = t.to + 1
		}
		if from <= s.to {
			out = out.add(from, s.to)
		}
	}
	return out
}

// record is the set as it is kept.
func (r ranges) record() []byte {
	b := []byte{1}
	for _, s := range r {
		b = binary.AppendUvarint(binary.AppendUvarint(b, s.from), s.to)
	}
	return b
}

// readRanges is the reverse of record.
func readRanges(b []byte) (r ranges, err error) {
	if len(b) == 0 || b[0] != 1 {
		return nil, errRecord
	}
	for b = b[1:]; len(b) > 0; {
		from, n := binary.Uvarint(b)
		if n <= 0 {
			return nil, errRecord
		}
		to, k := binary.Uvarint(b[n:])
		if k <= 0 || from == 0 || from > to || to > maxNumber || len(r) > 0 && from <= r[len(r)-1].to || len(r) >= maxGone {
			return nil, errRecord
		}
		r = append(r, span{from, to})
		b = b[n+k:]
	}
	return r, nil
}
