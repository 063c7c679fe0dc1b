package wire

import (
	"errors"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// One encoder and one decoder serve everybody: their EncodeAll and DecodeAll may be
// called from any goroutine and take their working memory from pools inside.
var (
	encoder = sync.OnceValue(func() *zstd.Encoder {
		e, err := zstd.NewWriter(nil,
			zstd.WithEncoderLevel(zstd.SpeedFastest),
			zstd.WithLowerEncoderMem(true),
			zstd.WithWindowSize(MaxFrame),
			zstd.WithEncoderCRC(false)) // the transport has its own
		if err != nil {
			panic("wire: " + err.Error()) // options that do not fit together
		}
		return e
	})
	decoder = sync.OnceValue(func() *zstd.Decoder {
		d, err := zstd.NewReader(nil,
			zstd.WithDecoderConcurrency(0),
			zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxMemory(maxLen+1),
			zstd.WithDecodeAllCapLimit(true)) // never more than the room it is given
		if err != nil {
			panic("wire: " + err.Error())
		}
		return d
	})
)

// AppendCompressed appends frame, one whole binary frame, compressed if its body has
// more than CompressOver bytes and gets smaller by it, else as it is. Compress first,
// then cut. Do so only for a peer that reads it: Caps.zstd of a client, FeatureZstd
// of a server. PING, PONG and HELLO are left alone. It fails if frame is not exactly
// one frame.
func AppendCompressed(dst, frame []byte) ([]byte, error) {
	f, err := one(frame)
	if err != nil {
		return dst, err
	}
	if len(f.Body) <= CompressOver || f.Flags != 0 || f.Type <= TypeHello {
		return append(dst, frame...), nil
	}
	p := scratch.Get().(*[]byte)
	b := encoder().EncodeAll(f.Body, (*p)[:0])
	if len(b) < len(f.Body) {
		dst = AppendRaw(dst, f.Type, FlagZstd, b)
	} else {
		dst = append(dst, frame...)
	}
	if cap(b) <= maxScratch {
		*p = b
	}
	scratch.Put(p)
	return dst, nil
}

// decompress answers what src stands for, at most limit bytes, in memory of its own.
func decompress(src []byte, limit int) ([]byte, error) {
	var h zstd.Header
	if err := h.Decode(src); err != nil {
		return nil, &Error{Code: CodeMalformed, Text: "the body is no zstd frame", cause: err}
	}
	size := 4 * len(src) // a guess, where the header does not say
	if h.HasFCS {
		if h.FrameContentSize > uint64(limit) {
			return nil, tooLarge("a frame of %d bytes when decompressed; the limit is %d", h.FrameContentSize, limit)
		}
		size = int(h.FrameContentSize)
	}
	for size = min(max(size, CompressOver), limit); ; size = min(2*size, limit) {
		b, err := decoder().DecodeAll(src, make([]byte, 0, size))
		switch {
		case err == nil:
			return b, nil
		case !errors.Is(err, zstd.ErrDecoderSizeExceeded):
			return nil, &Error{Code: CodeMalformed, Text: "the body is no zstd frame", cause: err}
		case size == limit:
			return nil, tooLarge("a frame of more than %d bytes when decompressed", limit)
		}
	}
}
