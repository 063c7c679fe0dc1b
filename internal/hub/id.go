package hub

import (
	"crypto/rand"
	"encoding/base32"
)

// ID names a session to the device that may go on with it: 128 random bits, a secret.
// The zero ID names none.
type ID [16]byte

// NewID makes a random ID.
func NewID() ID {
	var id ID
	rand.Read(id[:]) // never fails: crypto/rand ends the process instead
	return id
}

var base = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// String is the ID in 26 base32 characters.
func (id ID) String() string { return base.EncodeToString(id[:]) }

// ParseID is the reverse of String.
func ParseID(s string) (ID, bool) {
	var id ID
	if base.DecodedLen(len(s)) != len(id) {
		return ID{}, false
	}
	n, err := base.Decode(id[:], []byte(s))
	return id, err == nil && n == len(id) && id != ID{}
}
