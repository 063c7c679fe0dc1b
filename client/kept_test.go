package client

import (
	"bytes"
	"reflect"
	"testing"
	"time"
)

// What is written is what is read, of every part.
func TestKeptRecord(t *testing.T) {
	m := &Message{Conv: "u/bob", Seq: 7, Ver: 3, N: 5, NA: 1, Time: time.UnixMilli(1), ID: "i", Sender: "bob", Device: "d", Type: "an:text", Flags: 3,
		Body: []byte("{}"), Digest: "d", Mentions: []string{"a"}, MentionsAll: true, ReplyTo: 2, Thread: 1, Expires: time.UnixMilli(9), Push: "p",
		To: []string{"x"}, Recalled: true, RecalledBy: "z", Silent: true, Edited: time.UnixMilli(4), Burn: 5 * time.Second,
		Reactions: []Reaction{{"👍", 2}}, Expansion: map[string]string{"k": "v"}, Pin: &Pin{By: "b", Time: time.UnixMilli(3)},
		Origin: &Origin{Sender: "o", Time: time.UnixMilli(2), Type: "t"}, Extra: &Extra{Mine: []string{"👍", "vote:1"}}, mineVer: 3}
	for i := range reflect.ValueOf(m).Elem().NumField() { // a part that is added must be here
		f := reflect.TypeFor[Message]().Field(i)
		if reflect.ValueOf(m).Elem().Field(i).IsZero() && f.Name != "Local" {
			t.Errorf("%s is not tested", f.Name)
		}
	}
	got, err := readKept("u/bob", keptRecord(m))
	if err != nil || !reflect.DeepEqual(got, m) {
		t.Errorf("%+v\n%+v %v", got, m, err)
	}
}

func FuzzReadKept(f *testing.F) {
	f.Add(keptRecord(&Message{Seq: 1, Type: "an:text", Body: []byte("x"), Extra: &Extra{Mine: []string{"a"}}}))
	f.Add([]byte{1, 0, 0})
	f.Add([]byte{2})
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := readKept("u/bob", bytes.Clone(b))
		if err != nil {
			return
		}
		again, err := readKept("u/bob", keptRecord(m))
		if err != nil || !reflect.DeepEqual(again, m) {
			t.Fatalf("%+v\n%+v %v", m, again, err)
		}
	})
}

func FuzzReadRanges(f *testing.F) {
	f.Add(ranges{{1, 2}, {9, 9}}.record())
	f.Add([]byte{1, 5, 3})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := readRanges(b)
		if err != nil {
			return
		}
		again, err := readRanges(r.record())
		if err != nil || !reflect.DeepEqual(again, r) {
			t.Fatalf("%v %v %v", r, again, err)
		}
		last := uint64(0)
		for _, s := range r {
			if s.from <= last || s.to < s.from {
				t.Fatalf("%v is no set", r)
			}
			last = s.to
		}
	})
}

// A body comes back as it was read, whatever it holds.
func FuzzBodies(f *testing.F) {
	f.Add("an:text", []byte(`{"content":"x","other":{"a":1}}`))
	f.Add("an:poll", []byte(`{"question":"q","options":[{"id":"1","text":"t"}],"extra":"e"}`))
	f.Add("an:merged", []byte(`{"messages":[{"sender":"a","time":1,"type":"an:text","body":{"content":"x"}}]}`))
	f.Add("an:group", []byte(`{"op":"mute","by":"a","until":"5"}`))
	f.Add("an:text", []byte("\xff"))
	f.Fuzz(func(t *testing.T, name string, b []byte) {
		m := &Message{Type: name, Body: b}
		v := m.Value()
		m.Line("zh")
		m.Words()
		m.Text()
		switch v.(type) {
		case *Unknown, *Undecoded:
			return
		}
		o, err := Encode(v)
		if err != nil {
			t.Fatalf("%s %q: %v", name, b, err)
		}
		if again := decode(name, o.Body); !reflect.DeepEqual(again, v) {
			o2, err := Encode(again)
			if err != nil || !bytes.Equal(o.Body, o2.Body) { // an empty list and none are alike
				t.Fatalf("%s %q: %s, then %s %v", name, b, o.Body, o2.Body, err)
			}
		}
	})
}

func TestWithout(t *testing.T) {
	a := ranges{{1, 10}, {20, 30}}
	for _, c := range []struct{ o, want ranges }{
		{nil, a}, {ranges{{1, 30}}, nil}, {ranges{{5, 5}}, ranges{{1, 4}, {6, 10}, {20, 30}}}, {ranges{{8, 22}, {29, 40}}, ranges{{1, 7}, {23, 28}}},
	} {
		if got := a.without(c.o); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%v without %v is %v", a, c.o, got)
		}
	}
}
