package pebblestore

import (
	"github.com/anser-im/anser/internal/im"
)

// former is what a message said before an edit, or before it was deleted.
type former struct {
	said     int64 // since when it had said so; 0 = since it was sent
	deleted  int64 // when it was deleted; 0 = it was edited
	digest   string
	push     string       // deleted
	mentions *im.Mentions // deleted
	body     []byte
}

// formerVersion is that of rows which hold more than digest and body.
const formerVersion = 2

// What of a former follows.
const (
	formerDeleted = 1 << iota
	formerMentions
	formerAll
	knownFormer = 1<<iota - 1
)

// appendFormer encodes f; the body is the rest of the row.
func appendFormer(b []byte, f *former) []byte {
	var has uint64
	if f.deleted != 0 {
		has |= formerDeleted
	}
	if f.mentions != nil {
		has |= formerMentions
		if f.mentions.All {
			has |= formerAll
		}
	}
	b = appendUint(appendUint(append(b, formerVersion), has), uint64(f.said))
	if f.deleted != 0 {
		b = appendText(appendUint(b, uint64(f.deleted)), f.push)
	}
	if f.mentions != nil {
		b = appendRoles(appendUsers(b, f.mentions.Users), f.mentions.Roles)
	}
	return append(appendText(b, f.digest), f.body...)
}

func decodeFormer(key, row []byte) (former, error) {
	d := dec{b: row}
	f := former{}
	switch d.u8() {
	case rowVersion: // as it was before anything was deleted
	case formerVersion:
		has := d.num()
		f.said = int64(d.num())
		if has&formerDeleted != 0 {
			f.deleted, f.push = int64(d.num()), d.str()
		}
		if has&formerMentions != 0 {
			f.mentions = &im.Mentions{All: has&formerAll != 0, Users: d.users(), Roles: d.roles()}
		}
		if has&^knownFormer != 0 || has&formerAll != 0 && f.mentions == nil || (f.deleted != 0) != (has&formerDeleted != 0) {
			d.fail()
		}
	default:
		d.fail()
	}
	f.digest = d.str()
	if d.bad || f.said < 0 || f.deleted < 0 {
		return former{}, errRow(key, "former body")
	}
	if len(d.b) > 0 {
		f.body = d.b[:len(d.b):len(d.b)]
	}
	return f, nil
}
