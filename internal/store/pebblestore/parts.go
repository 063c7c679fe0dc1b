package pebblestore

import (
	"github.com/anser-im/anser/internal/im"
)

// Parts of messages that few have.

func appendRoles(b []byte, roles []im.Role) []byte {
	b = appendUint(b, uint64(len(roles)))
	for _, r := range roles {
		b = append(b, byte(r))
	}
	return b
}

func (d *dec) roles() []im.Role {
	n := d.count(1)
	if n == 0 {
		return nil
	}
	out := make([]im.Role, n)
	for i := range out {
		if out[i] = im.Role(d.u8()); out[i] > im.Owner {
			d.fail()
		}
	}
	return out
}

func appendReactions(b []byte, list []im.Reaction) []byte {
	b = appendUint(b, uint64(len(list)))
	for i := range list {
		b = appendUint(appendText(b, list[i].Key), uint64(list[i].Count))
	}
	return b
}

func (d *dec) reactions() []im.Reaction {
	n := d.count(2)
	if n == 0 {
		d.fail() // then there is no list
		return nil
	}
	out := make([]im.Reaction, n)
	for i := range out {
		out[i] = im.Reaction{Key: d.str(), Count: int(d.num())}
		if out[i].Count <= 0 {
			d.fail()
		}
	}
	return out
}

func appendPairs(b []byte, list []im.Pair) []byte {
	b = appendUint(b, uint64(len(list)))
	for i := range list {
		b = appendText(appendText(b, list[i].Key), list[i].Value)
	}
	return b
}

func (d *dec) pairs() []im.Pair {
	n := d.count(2)
	if n == 0 {
		d.fail()
		return nil
	}
	out := make([]im.Pair, n)
	for i := range out {
		out[i] = im.Pair{Key: d.str(), Value: d.str()}
	}
	return out
}

func appendPin(b []byte, p *im.Pin) []byte { return appendUint(appendText(b, p.By), uint64(p.Time)) }

func (d *dec) pin() *im.Pin { return &im.Pin{By: im.UserID(d.str()), Time: int64(d.num())} }

func appendOrigin(b []byte, o *im.Origin) []byte {
	return appendText(appendUint(appendText(b, o.Sender), uint64(o.Time)), o.Type)
}

func (d *dec) origin() *im.Origin {
	return &im.Origin{Sender: im.UserID(d.str()), Time: int64(d.num()), Type: d.str()}
}

func appendStrings(b []byte, list []string) []byte {
	b = appendUint(b, uint64(len(list)))
	for _, s := range list {
		b = appendText(b, s)
	}
	return b
}

func (d *dec) strings() []string {
	n := d.count(1)
	if n == 0 {
		return nil
	}
	out := make([]string, n)
	for i := range out {
		out[i] = d.str()
	}
	return out
}
