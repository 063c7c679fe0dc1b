package server

import "github.com/anser-im/anser/internal/im"

// Names that programs use with this package, which may not import im.
type (
	UserID   = im.UserID
	DeviceID = im.DeviceID
	Class    = im.Class
)
