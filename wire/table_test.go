package wire

import "testing"

// The JSON reader notes the fields it has seen in the bits of a word, and the tables
// are found by the index of a message in its file.
func TestTables(t *testing.T) {
	list := File_anser_proto.Messages()
	if len(messages) != list.Len() {
		t.Fatalf("%d tables for %d messages", len(messages), list.Len())
	}
	for i, m := range messages {
		d := list.Get(i)
		if d.Index() != i {
			t.Errorf("%s has index %d, stands at %d", d.Name(), d.Index(), i)
		}
		for j := range d.Fields().Len() {
			fd := d.Fields().Get(j)
			if fd.Number() >= 64 {
				t.Errorf("%s: field numbers end at 63", fd.FullName())
			}
			f := m.field(fd.Number())
			if f == nil || f.name != string(fd.Name()) || m.byName[f.name] != f {
				t.Errorf("%s is not in the tables", fd.FullName())
			}
			if fd.Name() == "t" {
				t.Errorf("%s: the key t is the type of the frame", fd.FullName())
			}
		}
		if d.Messages().Len() > 0 {
			t.Errorf("%s has messages inside, which have no index of their own", d.Name())
		}
	}
	if n := len(messages[0].fields); messages[0].field(-1) != nil || messages[0].field(1<<29-1) != nil || n == 0 {
		t.Error("fields that do not exist are found")
	}
}
