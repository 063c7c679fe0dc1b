package core

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"

	"github.com/anser-im/anser/internal/im"
)

// syncToken is what a Sync token says. It is authenticated for one user and opaque to
// him.
type syncToken struct {
	epoch im.Epoch
	pos   im.Position // P: where the Sync it belongs to began
	phase syncPhase

	// while the Sync goes on
	since im.Position // where it was asked from; 0 = all is told
	time  int64       // key of what was told last
	conv  im.ConvID
}

// syncPhase says how far a Sync is.
type syncPhase byte

const (
	syncEnded syncPhase = iota // all is told: the next Sync tells what moved since pos
	syncList                   // conversations by time, newest first
	syncMoved                  // those that moved meanwhile, by number
)

const (
	tokenVersion = 1
	tokenBody    = 2 + 16 + 4*8
	tokenMAC     = 16
)

// seal makes the token for u.
func (c *Core) seal(u im.UserID, t syncToken) string {
	b := make([]byte, 0, tokenBody+tokenMAC)
	b = append(b, tokenVersion, byte(t.phase))
	b = append(b, t.epoch[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(t.pos))
	b = binary.BigEndian.AppendUint64(b, uint64(t.since))
	b = binary.BigEndian.AppendUint64(b, uint64(t.time))
	b = binary.BigEndian.AppendUint64(b, uint64(t.conv))
	b = append(b, c.tokenMAC(u, b)...)
	return base64.RawURLEncoding.EncodeToString(b)
}

// unseal reads a token that was made for u with our key; false if it is none. That
// is no error to a client: its data may be from a server that had another key.
func (c *Core) unseal(u im.UserID, s string) (syncToken, bool) {
	var t syncToken
	if len(s) != base64.RawURLEncoding.EncodedLen(tokenBody+tokenMAC) {
		return t, false
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || len(b) != tokenBody+tokenMAC || b[0] != tokenVersion || b[1] > byte(syncMoved) {
		return t, false
	}
	if !hmac.Equal(b[tokenBody:], c.tokenMAC(u, b[:tokenBody])) {
		return t, false
	}
	t.phase = syncPhase(b[1])
	copy(t.epoch[:], b[2:])
	n := b[18:]
	t.pos = im.Position(binary.BigEndian.Uint64(n))
	t.since = im.Position(binary.BigEndian.Uint64(n[8:]))
	t.time = int64(binary.BigEndian.Uint64(n[16:]))
	t.conv = im.ConvID(binary.BigEndian.Uint64(n[24:]))
	return t, true
}

func (c *Core) tokenMAC(u im.UserID, body []byte) []byte {
	h := hmac.New(sha256.New, c.key)
	h.Write([]byte("anser sync token\x00"))
	h.Write([]byte(u))
	h.Write([]byte{0}) // no id holds it
	h.Write(body)
	return h.Sum(nil)[:tokenMAC]
}
