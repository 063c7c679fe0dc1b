package client

import "testing"

// Messages that went before their time, and times that were moved, leave nothing behind.
func TestExpiriesAreBounded(t *testing.T) {
	e := newExpiries()
	far := int64(1) << 40
	for i := range uint64(100_000) {
		if !e.set(dueAt{"u/bob", i, far}) {
			t.Fatal("there is no room")
		}
		delete(e.at, seqKey(keyDue, "u/bob", i)) // it was deleted
		e.set(dueAt{"u/bob", 1 << 30, far + int64(i)})
	}
	if n := len(e.queue); n > 1000 {
		t.Errorf("%d are in the queue for one message", n)
	}
	e.set(dueAt{"u/bob", 7, 5})
	if out := e.pop(10, 10); len(out) != 1 || out[0].seq != 7 {
		t.Errorf("%+v are over", out)
	}
	if at, ok := e.next(); !ok || at != far+99_999 {
		t.Errorf("%d, %v", at, ok)
	}
}
