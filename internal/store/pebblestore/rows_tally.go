package pebblestore

import (
	"github.com/anser-im/anser/internal/im"
)

// A tally's row stands from the first to the last message that counts there.

func appendTally(b []byte, t *im.Tally) []byte {
	b = append(b, rowVersion)
	b = appendUint(appendUint(b, uint64(t.Replies)), uint64(t.Thread))
	if t.Thread != 0 {
		b = appendUint(appendUint(b, uint64(t.ThreadLast)), uint64(t.ThreadTime))
	}
	return b
}

func decodeTally(key []byte, seq im.Seq, row []byte) (im.Tally, error) {
	d := dec{b: row}
	d.begin()
	t := im.Tally{Seq: seq, Replies: int(d.num()), Thread: int(d.num())}
	if t.Thread != 0 {
		t.ThreadLast, t.ThreadTime = im.Seq(d.num()), int64(d.num())
	}
	if !d.ok() || t.Replies < 0 || t.Thread < 0 || (t.Thread == 0) != (t.ThreadLast == 0) {
		return im.Tally{}, errRow(key, "tally")
	}
	return t, nil
}

// A message in a thread has a row that holds its time, 0 if it is not counted there.

func decodeTime(key, row []byte, what string) (int64, error) {
	d := dec{b: row}
	n := d.num()
	if !d.ok() || int64(n) < 0 {
		return 0, errRow(key, what)
	}
	return int64(n), nil
}
