package auth

import (
	"context"

	"github.com/anser-im/anser/internal/im"
)

// A Row is what auth asks a store to keep: the account of User (Key is ""), or, with
// User "", the secret called Key. Nobody but auth reads Value.
type Row struct {
	User    im.UserID
	Key     string // at most 256 bytes, no NUL
	Value   []byte // at most 2 KiB; nil = there is none
	Expires int64  // Unix milliseconds after which it may be dropped; 0 = never
}

// Store is all that auth asks of a store.
type Store interface {
	// Read gives the value of a row, nil if there is none. It sees every Write that
	// has returned. The caller does not alter it.
	Read(ctx context.Context, user im.UserID, key string) ([]byte, error)

	// Write writes rows, all or none, and returns when that would survive a power
	// cut. A nil Value removes. If was is not nil, the row of its User and Key must
	// hold exactly its Value (nil = be absent): else nothing is written and the
	// error is im.Conflict.
	Write(ctx context.Context, was *Row, rows ...Row) error
}
