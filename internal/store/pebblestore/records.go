package pebblestore

import (
	"bytes"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

func (w *writer) block(it *item, o *store.BlockOp) error {
	s := it.s
	self, err := w.address(it.hint, keySelf(w.k[:0], s.app, o.User))
	if err != nil {
		return err
	}
	row, err := w.row(it.hint, keyBlock(w.k[:0], s.app, o.User, o.Peer))
	if err != nil {
		return err
	}
	if (row != nil) == o.On {
		if self != nil {
			o.At = self.id
		}
		return nil
	}
	lines, err := w.lines(it.hint, s, pair(o.User, o.Peer))
	if err != nil {
		return err
	}
	w.k, w.v = keyBlock(w.k[:0], s.app, o.User, o.Peer), w.v[:0]
	kind := im.BlockAdded
	if o.On {
		w.set()
		w.recent.put(w.k, emptyRow)
	} else {
		w.remove()
		kind = im.BlockRemoved
	}
	if self == nil {
		self = w.newSelf(s, o.User)
	}
	w.touch(self).row = true
	self.now.Ver++
	o.Moved, o.At = true, self.id
	o.Change = im.Change{Ver: self.now.Ver, Kind: kind, By: o.User, Device: o.Device, Time: w.millis(), Peer: o.Peer}
	w.log(self, &o.Change)
	for _, c := range lines {
		w.touch(c).row = true
		c.now.MVer++
	}
	return nil
}

func (w *writer) putRecords(it *item, o *store.PutOp) error {
	s := it.s
	if o.If != nil {
		key := keyRecord(w.k[:0], s.app, o.If.Kind, o.If.User, o.If.Key)
		row, err := w.row(it.hint, key)
		if err != nil {
			return err
		}
		var have []byte
		if row != nil {
			if have, _, _, err = decodeRecord(key, row); err != nil {
				return err
			}
		}
		if (row != nil) != (o.If.Value != nil) || !bytes.Equal(have, o.If.Value) {
			return errChanged()
		}
	}
	before, err := w.recordsBefore(it.hint, s, o.Records)
	if err != nil {
		return err
	}
	for i := range o.Records {
		w.setRecord(s, &o.Records[i], before[i])
	}
	return nil
}

func (w *writer) cursor(it *item, o *store.CursorOp) error {
	key := keyCursor(w.k[:0], it.s.app, o.User, o.Device, o.Conv)
	w.k = key
	have, err := w.number(it.hint, key, "number of a message")
	if err != nil {
		return err
	}
	if uint64(o.Seq) > have {
		w.v = appendUint(w.v[:0], uint64(o.Seq))
		w.put()
	}
	return nil
}
