package pebblestore

import (
	"bytes"
	"math/bits"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// Every key is the app's number, a tag, and what the tag says. App 0 is the database
// itself. Numbers are written so that their bytes order as they do: a byte that says
// how many bytes follow, then those, the highest first. Strings end in 00, which no
// id may hold, but for the last of a key, which ends with it.
const (
	tagMeta   = '0' // app 0: meta
	tagFiles  = '1' // app 0: by what the store knows its files
	tagApp    = 'n' // app 0: name -> number of the app
	tagCommit = 't' // app 0: position -> what the commit touched
	tagID     = 'd' // app 0: bucket app conv sender clientid -> what became of it

	tagAddress    = 'a' // kind ... -> conv; that of a direct conversation ends with its line, if it has one
	tagBlock      = 'b' // user peer -> nothing
	tagCursor     = 'c' // user device conv -> seq
	tagBurning    = 'B' // user conv seq -> nothing: burns once user has read it
	tagExpiry     = 'e' // what time ... -> nothing: what Sweep has to look at
	tagFormer     = 'f' // conv seq ver -> the body before that change
	tagMember     = 'g' // conv user -> present members
	tagHead       = 'h' // conv -> head
	tagInfo       = 'i' // conv -> what a group is called
	tagPin        = 'k' // conv seq -> nothing; conv -> how many are pinned
	tagLast       = 'l' // conv seq -> the first of the thread whose newest it is
	tagMessage    = 'm' // conv seq -> message
	tagInThread   = 'o' // conv root seq -> its time
	tagNotes      = 'N' // user -> how many notes there are whose keys begin with this and that
	tagRecord     = 'p' // kind user key -> record
	tagReply      = 'q' // conv seq reply -> nothing
	tagReaction   = 'r' // conv seq emoji user -> when
	tagRow        = 'u' // user conv -> row; a left one stays
	tagChange     = 'v' // conv ver -> change
	tagMembership = 'w' // conv mver -> membership change
	tagTally      = 'y' // conv seq -> how many replies and what thread it has
	tagMention    = '@' // user conv seq -> nothing
)

// Kinds of expiry entries.
const (
	expiryMessage = 'm' // expires conv seq
	expiryCommand = 'k' // time conv seq
	expiryDeleted = 'd' // time conv seq: of the deletion
	expiryRecord  = 'p' // expires kind user key
	expiryTimer   = 't' // due user key; Sweep has nothing to do with it
)

// appendNum writes n so that bytes order as numbers do.
func appendNum(b []byte, n uint64) []byte {
	size := (bits.Len64(n) + 7) / 8
	b = append(b, byte(size))
	for i := size - 1; i >= 0; i-- {
		b = append(b, byte(n>>(8*i)))
	}
	return b
}

// takeNum reads what appendNum wrote.
func takeNum(b []byte) (n uint64, rest []byte, ok bool) {
	if len(b) == 0 || b[0] > 8 || len(b) < 1+int(b[0]) {
		return 0, nil, false
	}
	size := int(b[0])
	for _, c := range b[1 : 1+size] {
		n = n<<8 | uint64(c)
	}
	return n, b[1+size:], true
}

// takeString reads a string that ends in 00.
func takeString(b []byte) (s string, rest []byte, ok bool) {
	i := bytes.IndexByte(b, 0)
	if i < 0 {
		return "", nil, false
	}
	return string(b[:i]), b[i+1:], true
}

func appendString[S ~string](b []byte, s S) []byte {
	b = append(b, s...)
	return append(b, 0)
}

func appendTag(b []byte, app uint32, tag byte) []byte {
	return append(appendNum(b, uint64(app)), tag)
}

// after is the first key that does not begin with prefix.
func after(prefix []byte) []byte {
	end := bytes.Clone(prefix)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i] < 0xff {
			end[i]++
			return end[:i+1]
		}
	}
	return nil
}

func keyIdentity(b []byte) []byte { return appendTag(b, 0, tagFiles) }

func keyMeta(b []byte) []byte { return appendTag(b, 0, tagMeta) }

func keyApp(b []byte, name string) []byte { return append(appendTag(b, 0, tagApp), name...) }

func keyCommit(b []byte, p im.Position) []byte {
	return appendNum(appendTag(b, 0, tagCommit), uint64(p))
}

func keyBucket(b []byte, bucket uint64) []byte { return appendNum(appendTag(b, 0, tagID), bucket) }

// keyID names what sender did in conv, 0 for the making of a group. The id of a
// canonical UUID takes 17 bytes.
func keyID(b []byte, bucket uint64, app uint32, conv im.ConvID, sender im.UserID, id im.ClientID) []byte {
	b = appendNum(keyBucket(b, bucket), uint64(app))
	b = appendString(appendNum(b, uint64(conv)), sender)
	return appendClientID(b, id)
}

func keyDirect(b []byte, app uint32, users [2]im.UserID) []byte {
	b = append(appendTag(b, app, tagAddress), 'd')
	return append(appendString(b, users[0]), users[1]...)
}

// keyLine is keyDirect for the business conversation of a name; "" is the plain one.
func keyLine(b []byte, app uint32, users [2]im.UserID, line string) []byte {
	b = keyDirect(b, app, users)
	if line == "" {
		return b
	}
	return append(append(b, 0), line...)
}

func keyGroup(b []byte, app uint32, id im.GroupID) []byte {
	return append(append(appendTag(b, app, tagAddress), 'g'), id...)
}

func keySelf(b []byte, app uint32, u im.UserID) []byte {
	return append(append(appendTag(b, app, tagAddress), 's'), u...)
}

func keyBlock(b []byte, app uint32, u, peer im.UserID) []byte {
	return append(appendString(appendTag(b, app, tagBlock), u), peer...)
}

func keyCursor(b []byte, app uint32, u im.UserID, d im.DeviceID, conv im.ConvID) []byte {
	b = appendString(appendString(appendTag(b, app, tagCursor), u), d)
	return appendNum(b, uint64(conv))
}

func keyConv(b []byte, app uint32, tag byte, conv im.ConvID) []byte {
	return appendNum(appendTag(b, app, tag), uint64(conv))
}

func keyMessage(b []byte, app uint32, conv im.ConvID, seq im.Seq) []byte {
	return appendNum(keyConv(b, app, tagMessage, conv), uint64(seq))
}

func keyFormers(b []byte, app uint32, conv im.ConvID, seq im.Seq) []byte {
	return appendNum(keyConv(b, app, tagFormer, conv), uint64(seq))
}

func keyFormer(b []byte, app uint32, conv im.ConvID, seq im.Seq, ver im.Ver) []byte {
	return appendNum(keyFormers(b, app, conv, seq), uint64(ver))
}

func keyReply(b []byte, app uint32, conv im.ConvID, to, seq im.Seq) []byte {
	return appendNum(keyOf(b, app, tagReply, conv, to), uint64(seq))
}

func keyInThread(b []byte, app uint32, conv im.ConvID, root, seq im.Seq) []byte {
	return appendNum(keyOf(b, app, tagInThread, conv, root), uint64(seq))
}

func keyReaction(b []byte, app uint32, conv im.ConvID, seq im.Seq, key string, u im.UserID) []byte {
	return append(appendString(keyOf(b, app, tagReaction, conv, seq), key), u...)
}

// keyOf is what begins with a message.
func keyOf(b []byte, app uint32, tag byte, conv im.ConvID, seq im.Seq) []byte {
	return appendNum(keyConv(b, app, tag, conv), uint64(seq))
}

func keyBurnings(b []byte, app uint32, u im.UserID, conv im.ConvID) []byte {
	return appendNum(appendString(appendTag(b, app, tagBurning), u), uint64(conv))
}

func keyBurning(b []byte, app uint32, u im.UserID, conv im.ConvID, seq im.Seq) []byte {
	return appendNum(keyBurnings(b, app, u, conv), uint64(seq))
}

func keyChange(b []byte, app uint32, conv im.ConvID, ver im.Ver) []byte {
	return appendNum(keyConv(b, app, tagChange, conv), uint64(ver))
}

func keyMembership(b []byte, app uint32, conv im.ConvID, mver im.MVer) []byte {
	return appendNum(keyConv(b, app, tagMembership, conv), uint64(mver))
}

func keyMember(b []byte, app uint32, conv im.ConvID, u im.UserID) []byte {
	return append(keyConv(b, app, tagMember, conv), u...)
}

func keyRows(b []byte, app uint32, u im.UserID) []byte {
	return appendString(appendTag(b, app, tagRow), u)
}

func keyRow(b []byte, app uint32, u im.UserID, conv im.ConvID) []byte {
	return appendNum(keyRows(b, app, u), uint64(conv))
}

func keyMentions(b []byte, app uint32, u im.UserID, conv im.ConvID) []byte {
	return appendNum(appendString(appendTag(b, app, tagMention), u), uint64(conv))
}

func keyMention(b []byte, app uint32, u im.UserID, conv im.ConvID, seq im.Seq) []byte {
	return appendNum(keyMentions(b, app, u, conv), uint64(seq))
}

func keyRecords(b []byte, app uint32, k store.RecordKind, u im.UserID) []byte {
	return appendString(append(appendTag(b, app, tagRecord), byte(k)), u)
}

func keyRecord(b []byte, app uint32, k store.RecordKind, u im.UserID, key string) []byte {
	return append(keyRecords(b, app, k, u), key...)
}

func keyExpiries(b []byte, app uint32, what byte) []byte {
	return append(appendTag(b, app, tagExpiry), what)
}

func keyExpiry(b []byte, app uint32, what byte, at int64, conv im.ConvID, seq im.Seq) []byte {
	b = appendNum(keyExpiries(b, app, what), uint64(max(at, 0)))
	return appendNum(appendNum(b, uint64(conv)), uint64(seq))
}

func keyRecordExpiry(b []byte, app uint32, r *store.Record) []byte {
	b = appendNum(keyExpiries(b, app, expiryRecord), uint64(max(r.Expires, 0)))
	return append(appendString(append(b, byte(r.Kind)), r.User), r.Key...)
}

// keyDue is the entry of a timer.
func keyDue(b []byte, app uint32, due int64, u im.UserID, key string) []byte {
	b = appendNum(keyExpiries(b, app, expiryTimer), uint64(max(due, 0)))
	return append(appendString(b, u), key...)
}

func keyNoteCounts(b []byte, app uint32, u im.UserID) []byte {
	return append(appendTag(b, app, tagNotes), u...)
}
