package auth

import (
	"slices"
	"time"

	"github.com/anser-im/anser/internal/im"
)

// Leeway is how far the clocks of those who make tokens may be from ours.
const Leeway = 5 * time.Second

// Claims is what a verified token says.
type Claims struct {
	App      string      // the app whose Verifier took it
	User     im.UserID   // sub; a well-formed user id
	Device   im.DeviceID // dev: the only device that may use it; "" = any
	Class    im.Class    // class of the device; "" = not said
	Doors    []string    // doors it is good for ("line"); nil = all, empty = none
	JTI      string      // its name, by which it alone can be revoked; at most MaxJTI bytes; "" = none
	IssuedAt time.Time   // iat; to the millisecond
	Expires  time.Time   // exp, without the leeway: when a live link needs a newer one
}

// MaxJTI is the most bytes of a token's name, MaxDoors the most doors it lists.
const (
	MaxJTI   = 128
	MaxDoors = 16
)

// CheckUse says whether the token may be used by device at door ("native", "line",
// "mqtt" ...). device may be "" at doors whose clients name none; a token bound to a
// device is then refused.
//
// Errors: Unauthenticated with CodeOtherDevice or CodeDoor.
func (c Claims) CheckUse(device im.DeviceID, door string) error {
	if c.Device != "" && c.Device != device {
		return im.Errorf(im.Unauthenticated, "this token is bound to another device: use it there, or get one for this device").WithCode(im.CodeOtherDevice)
	}
	if c.Doors != nil && !slices.Contains(c.Doors, door) {
		return im.Errorf(im.Unauthenticated, "this token is not good for this door: get one whose claim \"doors\" names %q, or that has no such claim", door).WithCode(im.CodeDoor)
	}
	return nil
}

// check says what is wrong with the claims' contents, nil if nothing is. Times are
// not looked at.
func (c *Claims) check() error {
	if err := im.CheckName("user id", string(c.User)); err != nil {
		return badClaim("its user id (sub) is missing or not allowed")
	}
	if c.Device != "" && im.CheckName("device id", string(c.Device)) != nil {
		return badClaim("its device id (dev) is not allowed")
	}
	if c.Class != "" && im.CheckClass(c.Class) != nil {
		return badClaim("its class is none of phone, tablet, desktop, web, bot, line")
	}
	if len(c.JTI) > MaxJTI {
		return badClaim("its jti is too long")
	}
	if len(c.Doors) > MaxDoors {
		return badClaim("it lists too many doors")
	}
	return nil
}

// badToken is the answer to a token that proves nothing. It never says more than that.
func badToken(why string) error {
	return im.Errorf(im.Unauthenticated, "the token is not valid (%s): get a new one from your app", why)
}

// badClaim is the answer to a token that is signed by a known key and still no good.
func badClaim(why string) error {
	return im.Errorf(im.Unauthenticated, "the token is signed well, but %s: get one that is right from your app", why)
}
