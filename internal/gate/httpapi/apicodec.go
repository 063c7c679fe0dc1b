package httpapi

import (
	"bytes"
	"context"
	"io"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/proto"

	"github.com/anser-im/anser/internal/gate/rpc"
	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/wire"
)

// codec is an encoding of the API: the same two as on the native protocol, so that a
// body means the same by every door. They bound what a message can ask for, check what
// is text, and do not pass through the library's own.
type codec struct {
	name   string
	format wire.Format
}

// codecs replaces the library's: without protobuf among them it would answer 415.
var codecs = []connect.Codec{codec{connect.CodecNameProto, wire.Binary}, codec{connect.CodecNameJSON, wire.JSON}}

func (c codec) Name() string { return c.name }

// UnmarshalRead reads a message. What it says is memory of its own.
func (c codec) UnmarshalRead(_ context.Context, src io.Reader, msg any) error {
	var b []byte
	var err error
	if whole, ok := src.(interface{ Len() int }); ok { // it is in memory, and bounded, already
		b = make([]byte, whole.Len())
		_, err = io.ReadFull(src, b)
	} else {
		b, err = io.ReadAll(src)
	}
	if err != nil {
		return err
	}
	m, ok := msg.(wire.Body)
	if !ok {
		return im.Errorf(im.Unsupported, "this server has no verb of that name")
	}
	return rpc.Read(c.format, b, m)
}

// MarshalWrite writes a message.
func (c codec) MarshalWrite(_ context.Context, dst io.Writer, msg any) error {
	m, ok := msg.(wire.Body)
	if !ok { // what the library says around the schema: the status of gRPC
		return marshalOther(dst, msg)
	}
	if buf, ok := dst.(interface{ AvailableBuffer() []byte }); ok {
		b, err := c.format.AppendBody(buf.AvailableBuffer(), m)
		if err != nil {
			return err
		}
		_, err = dst.Write(b)
		return err
	}
	b, err := c.format.MarshalBody(m)
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, bytes.NewReader(b))
	return err
}

// marshalOther writes a message that is none of the schema, as protobuf.
func marshalOther(dst io.Writer, msg any) error {
	m, ok := msg.(proto.Message)
	if !ok {
		return im.Errorf(im.Internal, "%T is no message", msg)
	}
	b, err := proto.Marshal(m)
	if err == nil {
		_, err = dst.Write(b)
	}
	return err
}
