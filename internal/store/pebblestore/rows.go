package pebblestore

import (
	"bytes"
	"encoding/binary"
	"time"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

func appendSigned(b []byte, n int64) []byte { return binary.AppendVarint(b, n) }

// meta is what the database keeps of itself.
type meta struct {
	epoch  im.Epoch
	bucket uint64    // of client ids: the newest
	began  time.Time // when it began, by the clock of the commits
}

// format is the version of the whole: of keys, of rows and of what is kept. It goes
// up when a program that knows the former one could not read or would break what is
// there; Open refuses what is newer.
//
//	1  messages, conversations, cursors, records
//	2  rows may hold what is one user's alone; reactions, pins, threads, deletions, notes,
//	   timers, business conversations. A store of format 1 is one of format 2 that has none
const format = 2

func appendMeta(b []byte, m *meta) []byte {
	b = appendUint(b, format) // stays in front in every format
	b = append(b, m.epoch[:]...)
	b = appendUint(b, m.bucket)
	return appendSigned(b, m.began.UnixMilli())
}

func decodeMeta(key, row []byte) (m meta, found uint64, err error) {
	d := dec{b: row}
	found = d.num()
	if !d.bad && found > format {
		return m, found, nil
	}
	copy(m.epoch[:], d.bytes(16))
	m.bucket = d.num()
	m.began = time.UnixMilli(d.signed())
	if !d.ok() || found == 0 {
		return m, 0, errRow(key, "description of a store")
	}
	return m, found, nil
}

// idKind is what was done under a client id.
type idKind byte

const (
	sent idKind = 1 + iota
	changed
	made
)

// kept is what became of a client id. time and n are not in its row but in that of
// the message or change.
type kept struct {
	kind idKind
	hash uint64
	seq  im.Seq // or the Ver
	time int64
	n    uint64
	conv im.ConvID // made
}

func appendKept(b []byte, k *kept) []byte {
	b = binary.LittleEndian.AppendUint64(append(b, byte(k.kind)), k.hash)
	b = appendUint(b, uint64(k.seq))
	if k.kind == made {
		b = appendUint(appendUint(b, uint64(k.conv)), uint64(k.time))
	}
	return b
}

func decodeKept(key, row []byte) (kept, error) {
	d := dec{b: row}
	k := kept{kind: idKind(d.u8()), hash: d.fixed64(), seq: im.Seq(d.num())}
	if k.kind == made {
		k.conv, k.time = im.ConvID(d.num()), int64(d.num())
	}
	if !d.ok() || k.kind < sent || k.kind > made {
		return kept{}, errRow(key, "client id")
	}
	return k, nil
}

// changeVersion is that of changes which hold more than the first ones could.
const changeVersion = 2

func appendChange(b []byte, c *im.Change) []byte {
	version := byte(rowVersion)
	if len(c.Added)+len(c.Removed)+len(c.Key) > 0 {
		version = changeVersion
	}
	b = append(b, version, byte(c.Kind))
	b = appendUint(b, uint64(c.Seq))
	b = appendUint(b, uint64(c.Time))
	b = appendPacked(b, c.ID)
	b = appendText(b, c.By)
	b = appendText(b, c.Device)
	b = appendText(b, c.Peer)
	if version == changeVersion {
		b = appendStrings(appendStrings(b, c.Added), c.Removed)
		b = appendText(b, c.Key)
	}
	return b
}

func decodeChange(key []byte, ver im.Ver, row []byte) (im.Change, error) {
	d := dec{b: row}
	version := d.u8()
	if version != rowVersion && version != changeVersion {
		d.fail()
	}
	c := im.Change{Ver: ver}
	c.Kind = im.ChangeKind(d.u8())
	c.Seq = im.Seq(d.num())
	c.Time = int64(d.num())
	c.ID = d.clientID(d.num())
	c.By = im.UserID(d.str())
	c.Device = im.DeviceID(d.str())
	c.Peer = im.UserID(d.str())
	if version == changeVersion {
		c.Added, c.Removed, c.Key = d.strings(), d.strings(), d.str()
	}
	if !d.ok() || c.Kind < im.Edit || c.Kind > im.Noted {
		return im.Change{}, errRow(key, "change")
	}
	return c, nil
}

// muteInfo stands in the byte of the join mode of a muted group.
const muteInfo = 0x80

func appendInfo(b []byte, i *im.GroupInfo) []byte {
	b = append(b, rowVersion, byte(i.Join)|flag(i.Mute)*muteInfo, byte(i.History))
	return appendText(b, i.Name)
}

func decodeInfo(key []byte, id im.GroupID, row []byte) (im.GroupInfo, error) {
	d := dec{b: row}
	d.begin()
	join := d.u8()
	i := im.GroupInfo{ID: id, Join: im.JoinMode(join &^ muteInfo), Mute: join&muteInfo != 0, History: im.HistoryMode(d.u8())}
	i.Name = d.str()
	if !d.ok() || i.Join > im.JoinOpen || i.History > im.HistoryAll {
		return im.GroupInfo{}, errRow(key, "description of a group")
	}
	return i, nil
}

// What stands in the byte of the role where more is set.
const (
	setNick  = 0x80
	setMuted = 0x40
)

// appendMembership encodes a `w` row: who did what to whose membership, and when.
func appendMembership(b []byte, by im.UserID, millis int64, seq im.Seq, set []store.RoleSet) []byte {
	b = appendText(append(b, rowVersion), by)
	b = appendUint(appendUint(b, uint64(millis)), uint64(seq))
	b = appendUint(b, uint64(len(set)))
	for _, s := range set {
		b = append(appendText(b, s.User), byte(s.Role)|flag(s.Nick != nil)*setNick|flag(s.Muted != nil)*setMuted)
		if s.Nick != nil {
			b = appendText(b, *s.Nick)
		}
		if s.Muted != nil {
			b = appendSigned(b, *s.Muted)
		}
	}
	return b
}

// membership is a `w` row.
type membership struct {
	by   im.UserID
	time int64
	seq  im.Seq // of the message that says so; 0 if none
	set  []store.RoleSet
}

func decodeMembership(key, row []byte) (membership, error) {
	d := dec{b: row}
	d.begin()
	m := membership{by: im.UserID(d.str()), time: int64(d.num()), seq: im.Seq(d.num())}
	for range d.count(2) {
		set := store.RoleSet{User: im.UserID(d.str())}
		role := d.u8()
		set.Role = im.Role(role &^ (setNick | setMuted))
		if role&setNick != 0 {
			nick := d.str()
			set.Nick = &nick
		}
		if role&setMuted != 0 {
			until := d.signed()
			set.Muted = &until
		}
		m.set = append(m.set, set)
	}
	if !d.ok() {
		return membership{}, errRow(key, "membership change")
	}
	return m, nil
}

// dueVersion is that of the row of a record with a Due.
const dueVersion = 3

func appendRecord(b []byte, r *store.Record) []byte {
	if r.Due != 0 {
		b = appendSigned(append(b, dueVersion), r.Due)
	} else {
		b = append(b, rowVersion)
	}
	b = appendSigned(b, r.Expires)
	return append(b, r.Value...)
}

// decodeRecord returns a value that is never nil.
func decodeRecord(key, row []byte) (value []byte, expires, due int64, err error) {
	d := dec{b: row}
	switch d.u8() {
	case rowVersion:
	case dueVersion:
		if due = d.signed(); due == 0 {
			d.fail()
		}
	default:
		d.fail()
	}
	expires = d.signed()
	if d.bad {
		return nil, 0, 0, errRow(key, "record")
	}
	return append([]byte{}, d.b...), expires, due, nil
}

// decodeNumber reads a row that is one number: of a conversation, an app or a message.
func decodeNumber(key, row []byte, what string) (uint64, error) {
	d := dec{b: row}
	n := d.num()
	if !d.ok() || n == 0 {
		return 0, errRow(key, what)
	}
	return n, nil
}

var emptyRow = []byte{}

// same compares two keys.
func same(a, b []byte) bool { return bytes.Equal(a, b) }
