package rpc_test

import (
	"bytes"
	"runtime"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/anser-im/anser/internal/gate/rpc"
	"github.com/anser-im/anser/wire"
)

// A name that outlives its request does not hold on to all of it, however it was padded.
func TestNamesOutliveTheirRequest(t *testing.T) {
	binary, err := wire.Binary.MarshalBody(&wire.BlockRequest{User: "bob"})
	if err != nil {
		t.Fatal(err)
	}
	binary = protowire.AppendTag(binary, 1000, protowire.BytesType) // a field that nobody knows
	binary = protowire.AppendBytes(binary, make([]byte, 1<<20))
	for _, c := range []struct {
		name string
		f    wire.Format
		body []byte
	}{
		{"protobuf", wire.Binary, binary},
		{"JSON, blanks", wire.JSON, []byte(strings.Repeat(" ", 1<<20) + `{"user":"bob"}`)},
		{"JSON, another field", wire.JSON, []byte(`{"user":"bob","more":"` + strings.Repeat("x", 1<<20) + `"}`)},
	} {
		const requests = 50
		names := make([]string, 0, requests)
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		for range requests {
			q := new(wire.BlockRequest)
			if err := rpc.Read(c.f, bytes.Clone(c.body), q); err != nil || q.User != "bob" {
				t.Fatalf("%s: %q %v", c.name, q.User, err)
			}
			names = append(names, q.User)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > requests<<20/4 {
			t.Errorf("%s: %d names hold %d bytes", c.name, len(names), grown)
		}
		runtime.KeepAlive(names)
	}
}

// What a large request says is the same as what a small one says.
func TestLargeRequestsAreRead(t *testing.T) {
	q := &wire.SendBatchRequest{}
	for range 50 {
		q.Sends = append(q.Sends, &wire.SendRequest{Id: "i", Conv: "u/bob", Body: []byte(`{"content":"` + strings.Repeat("é", 1000) + `"}`),
			Options: &wire.SendOptions{To: []string{"bob"}, Mentions: &wire.Mentions{Users: []string{"bob"}}}})
	}
	for _, f := range []wire.Format{wire.Binary, wire.JSON} {
		b, err := f.MarshalBody(q)
		if err != nil {
			t.Fatal(err)
		}
		got := new(wire.SendBatchRequest)
		if err := rpc.Read(f, b, got); err != nil {
			t.Fatal(err)
		}
		again, err := f.MarshalBody(got)
		if err != nil || !bytes.Equal(again, b) {
			t.Errorf("%d bytes became %d, %v", len(b), len(again), err)
		}
	}
}
