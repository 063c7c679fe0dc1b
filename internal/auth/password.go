package auth

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/argon2"

	"github.com/anser-im/anser/internal/im"
)

// Bounds of a password, in bytes. They are taken as they come, in whatever encoding.
const (
	MinPassword = 8
	MaxPassword = 1024
)

// CheckPassword says whether p may become a password.
//
// Errors: Invalid, TooLarge.
func CheckPassword(p string) error {
	if len(p) < MinPassword {
		return im.Errorf(im.Invalid, "the password is too short: at least %d bytes are needed", MinPassword)
	}
	if len(p) > MaxPassword {
		return im.Errorf(im.TooLarge, "the password is too long: at most %d bytes are allowed", MaxPassword)
	}
	return nil
}

// cost is what one hashing of argon2id takes (RFC 9106 §3.1).
type cost struct {
	kib, passes uint32
	lanes       uint8
}

// standardCost takes 19 MiB and about 40 ms of one core.
var standardCost = cost{kib: 19 << 10, passes: 2, lanes: 1}

// Bounds on hashing.
const (
	hashSlots   = 2  // at once
	hashWaiters = 64 // behind them: some 1.5 s
)

// hasher hashes passwords, a few at once. Any goroutine may use it.
type hasher struct {
	cost    cost // fixed
	slots   chan struct{}
	waiting atomic.Int64
	done    atomic.Int64 // hashings so far
	dummy   string       // fixed: a well-formed hash of no password
}

func newHasher(c cost) *hasher {
	var b [48]byte
	rand.Read(b[:])
	// The hash is random, not computed: nothing matches it, and comparing costs the same.
	return &hasher{cost: c, slots: make(chan struct{}, hashSlots), dummy: phc(c, b[:16], b[16:])}
}

// acquire waits for a slot.
//
// Errors: Busy if too many wait already, or ctx ends first.
func (h *hasher) acquire(ctx context.Context) error {
	select {
	case h.slots <- struct{}{}:
		return nil
	default:
	}
	if h.waiting.Add(1) > hashWaiters {
		h.waiting.Add(-1)
		return im.Errorf(im.Busy, "too many people are signing in at this moment: try again").WithRetry(2 * time.Second)
	}
	defer h.waiting.Add(-1)
	select {
	case h.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return im.Wrap(im.Busy, ctx.Err(), "signing in took too long: try again").WithRetry(2 * time.Second)
	}
}

// hash makes the PHC string of a password, with a fresh salt.
func (h *hasher) hash(ctx context.Context, password string) (string, error) {
	if err := h.acquire(ctx); err != nil {
		return "", err
	}
	defer func() { <-h.slots }()
	var salt [16]byte
	rand.Read(salt[:])
	h.done.Add(1)
	return phc(h.cost, salt[:], argon2.IDKey([]byte(password), salt[:], h.cost.passes, h.cost.kib, h.cost.lanes, 32)), nil
}

// verify says whether password made s. s "" is an account without a password: it
// takes the same work and is never right.
func (h *hasher) verify(ctx context.Context, s, password string) (bool, error) {
	if s == "" {
		s = h.dummy
	}
	c, salt, sum, err := parsePHC(s)
	if err != nil {
		return false, im.Wrap(im.Internal, err, "the stored password of this account cannot be read")
	}
	if err := h.acquire(ctx); err != nil {
		return false, err
	}
	defer func() { <-h.slots }()
	h.done.Add(1)
	got := argon2.IDKey([]byte(password), salt, c.passes, c.kib, c.lanes, uint32(len(sum)))
	return subtle.ConstantTimeCompare(got, sum) == 1, nil
}

var b64 = base64.RawStdEncoding.Strict() // of the PHC string format

func phc(c cost, salt, sum []byte) string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, c.kib, c.passes, c.lanes, b64.EncodeToString(salt), b64.EncodeToString(sum))
}

var errPHC = errors.New("auth: not an argon2id hash in PHC form") // never quotes the hash

// parsePHC reads $argon2id$v=19$m=..,t=..,p=..$salt$hash, and refuses costs that one
// login must not have: above 256 MiB, 16 passes or 8 lanes.
func parsePHC(s string) (cost, []byte, []byte, error) {
	var c cost
	f := strings.Split(s, "$")
	if len(s) > 512 || len(f) != 6 || f[0] != "" || f[1] != "argon2id" || f[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return c, nil, nil, errPHC
	}
	if n, err := fmt.Sscanf(f[3], "m=%d,t=%d,p=%d", &c.kib, &c.passes, &c.lanes); n != 3 || err != nil ||
		f[3] != fmt.Sprintf("m=%d,t=%d,p=%d", c.kib, c.passes, c.lanes) {
		return c, nil, nil, errPHC
	}
	if c.kib < 8*uint32(c.lanes) || c.kib > 256<<10 || c.passes < 1 || c.passes > 16 || c.lanes < 1 || c.lanes > 8 {
		return c, nil, nil, errPHC
	}
	if strings.ContainsAny(s, "\r\n") { // the decoder would skip them
		return c, nil, nil, errPHC
	}
	salt, err1 := b64.DecodeString(f[4])
	sum, err2 := b64.DecodeString(f[5])
	if err1 != nil || err2 != nil || len(salt) < 8 || len(salt) > 64 || len(sum) < 16 || len(sum) > 64 {
		return c, nil, nil, errPHC
	}
	return c, salt, sum, nil
}
