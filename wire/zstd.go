package wire

import (
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
// src is one zstd frame that tells its content size: so nothing is allocated that
// will not be used, and no bytes are decoded only to find that they are too many.
func decompress(src []byte, limit int) ([]byte, error) {
	var h zstd.Header
	if err := h.Decode(src); err != nil || h.Skippable || !h.HasFCS {
		return nil, &Error{Code: CodeMalformed, Text: "the body is no zstd frame that tells its content size", cause: err}
	}
	if h.FrameContentSize > uint64(limit) {
		return nil, tooLarge("a frame of %d bytes when decompressed; the limit is %d", h.FrameContentSize, limit)
	}
	if !blocksFit(src, &h) {
		return nil, malformed("the blocks of a zstd frame are not what its header says")
	}
	b, err := decoder().DecodeAll(src, make([]byte, 0, h.FrameContentSize))
	if err != nil {
		return nil, &Error{Code: CodeMalformed, Text: "the body is no zstd frame", cause: err}
	}
	return b, nil
}

// blocksFit walks over the blocks of src without decoding them (RFC 8878 §3.1.1.2).
// They must end where src does, and those that say their size (a run of one byte
// says 128 KiB in four) must not come to more than the frame tells: the decoder finds
// that out only after it has made room. Compressed ones it bounds by itself.
func blocksFit(src []byte, h *zstd.Header) bool {
	const raw, run, compressed = 0, 1, 2
	var size uint64
	for i := h.HeaderSize; i+3 <= len(src); {
		block := int(src[i]) | int(src[i+1])<<8 | int(src[i+2])<<16
		n := block >> 3
		i += 3
		switch block >> 1 & 3 {
		case raw:
			size += uint64(n)
			i += n
		case run:
			size += uint64(n)
			i++
		case compressed:
			i += n
		default:
			return false
		}
		if size > h.FrameContentSize {
			return false
		}
		if block&1 != 0 { // the last one
			if h.HasCheckSum {
				i += 4
			}
			return i == len(src)
		}
	}
	return false
}
