package rpc

import (
	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/wire"
)

// maxShared is how large a request may be of which all names and texts are pieces. Of
// larger ones each is a copy: core keeps some for long, and none may hold on to a whole
// megabyte of which it is six bytes.
const maxShared = 4 << 10

// Read reads a request from its body, which is q's from then on.
//
// Errors: Invalid if body is no such request.
func Read(f wire.Format, body []byte, q wire.Body) error {
	if err := f.UnmarshalBody(body, q); err != nil {
		return wrong(err)
	}
	if len(body) <= maxShared {
		return nil
	}
	own, err := wire.Binary.MarshalBody(q)
	if err != nil {
		return wrong(err)
	}
	q.Reset()
	if err := q.UnmarshalVT(own); err != nil {
		return wrong(err)
	}
	return nil
}

func wrong(err error) error { return im.Errorf(im.Invalid, "the request's body is wrong: %w", err) }
