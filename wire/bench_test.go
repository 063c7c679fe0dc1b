package wire_test

import (
	"bytes"
	"testing"

	"github.com/anser-im/anser/wire"
)

// The message of the figures: a push of about 200 bytes.
func benchPush() *wire.Push {
	m := message()
	m.Body = []byte(`{"content":"` + string(bytes.Repeat([]byte("words "), 10)) + `"}`)
	return &wire.Push{Number: 7, Events: []*wire.Event{{Conv: "u/alice", Seq: m.Seq, Message: m}}}
}

func BenchmarkAppend(b *testing.B) {
	for name, f := range formats {
		b.Run(name, func(b *testing.B) {
			m, buf := benchPush(), make([]byte, 0, 4096)
			b.ReportAllocs()
			for b.Loop() {
				buf, _ = f.Append(buf[:0], m)
			}
			b.ReportMetric(float64(len(buf)), "B")
		})
	}
}

// A push as a door makes it: the message was encoded once, for all its receivers.
func BenchmarkAppendPush(b *testing.B) {
	for name, f := range formats {
		b.Run(name, func(b *testing.B) {
			shared, err := f.MarshalBody(benchPush().Events[0].Message)
			if err != nil {
				b.Fatal(err)
			}
			buf, event, events := make([]byte, 0, 4096), make([]byte, 0, 4096), make([][]byte, 1)
			b.ReportAllocs()
			for b.Loop() {
				event = f.AppendMessageEvent(event[:0], "u/alice", 1042, shared)
				events[0] = event
				buf = f.AppendPush(buf[:0], 7, events)
			}
		})
	}
}

func BenchmarkDecodeSend(b *testing.B) {
	for name, f := range formats {
		b.Run(name, func(b *testing.B) {
			unit, err := f.Append(nil, &wire.Send{Id: "0199a1b2-0001", Conv: "u/bob", Type: "an:text", Body: benchPush().Events[0].Message.Body})
			if err != nil {
				b.Fatal(err)
			}
			m := new(wire.Send)
			decode := func(fr wire.Frame) error { return f.Decode(fr, m) }
			b.ReportAllocs()
			for b.Loop() {
				if err := f.Each(unit, 0, decode); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkDecodePush(b *testing.B) {
	for name, f := range formats {
		b.Run(name, func(b *testing.B) {
			unit, err := f.Append(nil, benchPush())
			if err != nil {
				b.Fatal(err)
			}
			m := new(wire.Push)
			decode := func(fr wire.Frame) error { return f.Decode(fr, m) }
			b.ReportAllocs()
			for b.Loop() {
				if err := f.Each(unit, 0, decode); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkCompress(b *testing.B) {
	events := make([]*wire.Event, 50)
	for i := range events {
		events[i] = benchPush().Events[0]
	}
	frame, err := wire.Binary.Append(nil, &wire.Push{Number: 50, Events: events})
	if err != nil {
		b.Fatal(err)
	}
	small, err := wire.AppendCompressed(nil, frame)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("write", func(b *testing.B) {
		buf := make([]byte, 0, len(frame))
		b.SetBytes(int64(len(frame)))
		b.ReportAllocs()
		for b.Loop() {
			buf, _ = wire.AppendCompressed(buf[:0], frame)
		}
	})
	b.Run("read", func(b *testing.B) {
		b.SetBytes(int64(len(frame)))
		b.ReportAllocs()
		var r wire.Reassembler
		for b.Loop() {
			f, _, err := wire.Next(small, 0)
			if err == nil {
				_, _, err = r.Add(f)
			}
			if err != nil {
				b.Fatal(err)
			}
		}
	})
}
