package native

import (
	"encoding/binary"
	"io"
	"time"

	"github.com/anser-im/anser/internal/gate"
	"github.com/anser-im/anser/wire"
)

// guard reads for gws and looks at the headers of frames on the way, because gws takes
// memory for the length that a header claims: before HELLO was taken nothing above
// 64 KiB may be claimed, and what is claimed is charged to the node's budget of
// unfinished frames. The goroutine that reads owns it.
type guard struct {
	c   *conn
	src io.Reader

	head   [14]byte // of the frame whose header is being read
	have   int      // bytes of it
	left   uint64   // of the payload that is passing
	size   uint64   // claimed so far by the message that is being read
	charge int      // taken from the budget for it
	whole  []int    // taken for messages that are read and not yet handed over
}

// free is what a message may claim without being charged.
const free = 4 << 10

func (g *guard) Read(p []byte) (int, error) {
	n, err := g.src.Read(p)
	if n > 0 {
		if e := g.look(p[:n]); e != nil {
			g.c.end(*e)
			return 0, g.swallow()
		}
	}
	if err != nil && isTimeout(err) && !g.c.ws.in && !g.c.isEnding() {
		g.c.end(ending{reason: wire.ReasonSilent, code: wire.CodeSilent, text: "no HELLO came in time", why: whySilent})
		return n, g.swallow()
	}
	return n, err
}

// swallow reads on without looking until the last words have been written and the
// client has gone; only then does gws hear that the connection has ended.
func (g *guard) swallow() error {
	g.c.l.SetReadDeadline(time.Now().Add(3 * time.Second)) // no effect if the link is closing: it has its own
	var b [512]byte
	for {
		if _, err := g.src.Read(b[:]); err != nil {
			return err
		}
	}
}

// look follows the frames in p; it answers why they must not be read.
func (g *guard) look(p []byte) *ending {
	for len(p) > 0 {
		if g.left > 0 {
			n := min(g.left, uint64(len(p)))
			g.left -= n
			p = p[n:]
			continue
		}
		g.head[g.have] = p[0]
		g.have++
		p = p[1:]
		need := 2
		if g.have >= 2 {
			switch g.head[1] & 0x7f {
			case 126:
				need += 2
			case 127:
				need += 8
			}
			if g.head[1]&0x80 != 0 {
				need += 4
			}
		}
		if g.have < need {
			continue
		}
		g.have = 0
		if e := g.frame(); e != nil {
			return e
		}
	}
	return nil
}

// frame looks at a header that is complete.
func (g *guard) frame() *ending {
	switch n := g.head[1] & 0x7f; n {
	case 126:
		g.left = uint64(binary.BigEndian.Uint16(g.head[2:]))
	case 127:
		g.left = binary.BigEndian.Uint64(g.head[2:])
	default:
		g.left = uint64(n)
	}
	if g.head[0]&0x08 != 0 { // control: 125 bytes at most, which gws sees to
		return nil
	}
	limit := uint64(wire.MaxFirstFrame)
	if g.c.ws.in {
		limit = uint64(g.c.inMax)
	}
	if g.left > limit || g.size+g.left > limit {
		return &ending{reason: wire.ReasonTooLarge, code: wire.CodeFrameSize, text: "a message above the limit", why: whyTooLarge}
	}
	g.size += g.left
	if want := int(g.size); want > free && want > g.charge {
		if !g.c.d.budget.Take(want - g.charge) {
			e := broken(&wire.Error{Code: wire.CodeBusy, Text: gate.ErrNoRoom.Error()})
			return &e
		}
		g.charge = want
	}
	if g.head[0]&0x80 != 0 { // FIN
		g.whole = append(g.whole, g.charge)
		g.size, g.charge = 0, 0
	}
	return nil
}

// done gives back what the message took that has just been handed over.
func (g *guard) done() {
	if len(g.whole) == 0 {
		return
	}
	if n := g.whole[0]; n > 0 {
		g.c.d.budget.Give(n)
	}
	g.whole = append(g.whole[:0], g.whole[1:]...)
}

// close gives everything back.
func (g *guard) close() {
	for len(g.whole) > 0 {
		g.done()
	}
	if g.charge > 0 {
		g.c.d.budget.Give(g.charge)
		g.charge = 0
	}
}
