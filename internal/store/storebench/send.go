package storebench

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// flight is one send under way. Its memory is used again for the next.
type flight struct {
	op   store.AppendOp
	msg  im.Message
	line int
}

// send makes n sends, o.Batch of them under way at once, each to the line that to says,
// and counts what is wrong with their numbers.
func (b *bench) send(ctx context.Context, n int, phase string, to func(i int) int) (accepted int, err error) {
	under := min(b.o.Batch, n)
	ended := make(chan *flight, under)
	free := make([]*flight, 0, under)
	for range under {
		f := &flight{}
		f.msg = im.Message{Device: "phone", Type: "an:text", Flags: im.DefaultFlags}
		f.op.Msg, f.op.Read = &f.msg, true
		f.op.Done = func() { ended <- f } // as deep as there are flights
		free = append(free, f)
	}
	for i := 0; i < n || len(free) < under; {
		for i < n && len(free) > 0 {
			if i%4096 == 0 {
				b.o.Progress(i, n, phase)
				if ctx.Err() != nil {
					n = i // those under way come back first
					break
				}
			}
			f := free[len(free)-1]
			free = free[:len(free)-1]
			b.load(f, to(i))
			if err := b.s.Submit(&f.op); err != nil {
				return accepted, fmt.Errorf("send %d was refused: %w", i, err)
			}
			i++
		}
		if len(free) == under {
			break
		}
		f := <-ended
		free = append(free, f)
		if f.op.Err != nil {
			b.r.Errors++
			if err == nil {
				err = f.op.Err
			}
			continue
		}
		accepted++
		b.check(f)
	}
	b.o.Progress(n, n, phase)
	if ctx.Err() != nil {
		return accepted, ctx.Err()
	}
	return accepted, err
}

// load makes f a fresh send to a line, of either of its users.
func (b *bench) load(f *flight, at int) {
	l := &b.convs[at]
	b.ids++
	f.line = at
	f.msg.ID = im.ClientID(uuid(b.ids))
	f.msg.Sender = user(at, b.ids&1)
	start := b.rng.IntN(64 << 10)
	f.msg.Body = b.body[start : start+b.o.Size]
	f.op.Hash = b.ids
	f.op.Conv, f.op.Peer = l.conv, ""
	if l.conv == 0 {
		f.op.Peer = user(at, b.ids&1^1)
	}
	f.op.At, f.op.Dup = 0, false
}

// check holds a number against the one before it in its line: completions come in the
// order of the numbers.
func (b *bench) check(f *flight) {
	l := &b.convs[f.line]
	if l.conv == 0 {
		l.conv = f.op.At
	}
	switch next := l.last + 1; {
	case f.op.Dup || f.op.Seq == l.last:
		b.r.Duplicated++
	case f.op.Seq < next:
		b.r.OutOfOrder++
	case f.op.Seq > next:
		b.r.Lost += int(f.op.Seq - next)
	}
	l.last = max(l.last, f.op.Seq)
}

// user is one of the two of a line.
func user(line int, side uint64) im.UserID {
	b := make([]byte, 0, 12)
	b = append(b, "ab"[side])
	for div := 10_000_000; div > 0; div /= 10 {
		b = append(b, byte('0'+line/div%10))
	}
	return im.UserID(b)
}

// uuid is an id as the SDKs make them: 36 bytes, the time first.
func uuid(n uint64) string {
	var raw [16]byte
	binary.BigEndian.PutUint64(raw[:8], uint64(1_800_000_000_000+n/100)<<16|0x7000|n%100)
	binary.BigEndian.PutUint64(raw[8:], n*0x9E3779B97F4A7C15)
	const hex = "0123456789abcdef"
	var out [36]byte
	at := 0
	for i, c := range raw {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			out[at] = '-'
			at++
		}
		out[at], out[at+1] = hex[c>>4], hex[c&15]
		at += 2
	}
	return string(out[:])
}

// times are the percentiles of what was measured.
func times(took []time.Duration) Times {
	if len(took) == 0 {
		return Times{}
	}
	slices.Sort(took)
	at := func(p float64) float64 { return micros(took[min(int(p*float64(len(took))), len(took)-1)]) / 1000 }
	return Times{P50: at(0.5), P99: at(0.99), Max: at(1)}
}
