package pebblestore

import "github.com/anser-im/anser/internal/im"

// dirt is what only `t` rows hold. An entry may have been cleaned since; it says so.
type dirt struct {
	convs   []*conv
	members []cached
}

// checkpoint writes what stood only in `t` rows when it began, some of it with each
// commit, and then drops those rows.
type checkpoint struct {
	on    bool
	left  dirt
	below im.Position // `t` rows up to here will be superseded
}

// checkpointRows is how many rows of heads and cursors go along with one commit.
const checkpointRows = 500

// start begins a checkpoint of what has been applied.
func (p *checkpoint) start(w *writer) {
	p.on, p.left, p.below = true, w.dirty, w.position
	w.dirty, w.entries = dirt{}, 0
}

// step adds its part to the commit under way.
func (p *checkpoint) step(w *writer) {
	if !p.on {
		if w.entries < w.db.checkpointEvery {
			return
		}
		p.start(w)
	}
	n := 0
	for ; n < checkpointRows && len(p.left.convs) > 0; n++ {
		last := len(p.left.convs) - 1
		c := p.left.convs[last]
		p.left.convs[last] = nil
		p.left.convs = p.left.convs[:last]
		if !c.dirty {
			continue
		}
		if t := w.touchedBy(c); t != nil {
			t.row = true // written as this commit leaves it
			continue
		}
		c.dirty = false
		w.k = keyConv(w.k[:0], c.app.app, tagHead, c.id)
		w.v = appendHead(w.v[:0], c.now)
		w.set()
	}
	for ; n < checkpointRows && len(p.left.members) > 0; n++ {
		last := len(p.left.members) - 1
		k := p.left.members[last]
		p.left.members[last] = cached{}
		p.left.members = p.left.members[:last]
		if k.m.dirty {
			w.setMember(k.c, k.m)
		}
	}
	if len(p.left.convs) == 0 && len(p.left.members) == 0 {
		p.on = false
		w.batch().DeleteRange(keyCommit(nil, 0), keyCommit(nil, p.below+1), nil)
	}
}

// last writes, when the queue is closed and empty, all that a restart would have to
// gather from `t` rows.
func (w *writer) last() {
	w.db.deliveredMu.Lock()
	delivered := len(w.db.deliveries) > 0
	w.db.deliveredMu.Unlock()
	if delivered {
		w.commitEmpty()
	}
	for w.points.on || len(w.dirty.convs) > 0 || len(w.dirty.members) > 0 {
		if w.db.failed.Load() != nil {
			return
		}
		if !w.points.on {
			w.points.start(w)
		}
		w.commitEmpty()
	}
}

// commitEmpty makes a commit of what rides with any. w.b may be there already.
func (w *writer) commitEmpty() {
	if w.b == nil {
		w.b = <-w.db.free
	}
	w.begin()
	w.finish(true)
}
