package core

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/anser-im/anser/internal/im"
)

func TestE4_ForwardOneByOne(t *testing.T) {
	clock := newClock()
	w := newWorld(t, Config{Clock: clock.Now})
	ctx := t.Context()
	g := w.group("ann", "bob")
	one := w.say("bob", g, "one", func(m *im.Message) { m.Digest, m.Mentions = "d1", &im.Mentions{Users: []im.UserID{"ann"}} })
	two := w.say("bob", g, `{"x":2}`, func(m *im.Message) {
		m.Type, m.Flags, m.Expires, m.ReplyTo = "app:card", im.Persist, clock.Now().UnixMilli()+9999, one
	})
	phone := w.login("ann", "phone")
	w.ok(w.as("dan").Block(ctx, "ann"))
	q := ForwardRequest{From: g, Seqs: []im.Seq{one, two}, To: []im.Address{"u/cat", "u/dan", "u/ann"}, ID: "f1"}
	a, err := phone.Forward(ctx, q)
	w.ok(err)
	if len(a) != 3 || a[0].To != "u/cat" || !slices.Equal(a[0].Seqs, []im.Seq{1, 2}) || a[0].Err != nil || !slices.Equal(a[2].Seqs, []im.Seq{1, 2}) {
		t.Fatalf("%+v", a)
	}
	if a[1].Seqs != nil || a[1].Err == nil || a[1].Err.Code != im.CodeNotAccepted {
		t.Fatalf("%+v", a[1])
	}
	m1, m2 := w.message("cat", "u/ann", 1), w.message("cat", "u/ann", 2)
	if string(m1.Body) != "one" || m1.Digest != "d1" || m1.Sender != "ann" || m1.Mentions != nil || m1.Flags != im.DefaultFlags ||
		*m1.Origin != (im.Origin{Sender: "bob", Time: clock.Now().UnixMilli(), Type: "an:text"}) {
		t.Fatalf("%+v %+v", m1, m1.Origin)
	}
	if m2.Type != "app:card" || m2.Flags != im.Persist || m2.Expires != clock.Now().UnixMilli()+9999 || m2.ReplyTo != 0 {
		t.Fatalf("%+v", m2)
	}
	it := phone.until(func(it Item) bool { return it.Addr == "u/cat" && it.Msg != nil }) // the answer does not hold it
	if it.Msg.Origin == nil {
		t.Fatalf("%+v", it.Msg)
	}
	// forwarded again it still says who said it first
	if _, err = w.as("cat").Forward(ctx, ForwardRequest{From: "u/ann", Seqs: []im.Seq{1}, To: []im.Address{"u/eve"}}); err != nil {
		t.Fatal(err)
	}
	if m := w.message("eve", "u/cat", 1); m.Origin.Sender != "bob" || m.Sender != "cat" {
		t.Fatalf("%+v", m.Origin)
	}
	// a retry sends nothing twice, also when the originals are gone and he has left
	again, err := phone.Forward(ctx, q)
	w.ok(err)
	_, err = w.as("bob").Recall(ctx, RecallRequest{Conv: g, Seq: one})
	w.ok(err)
	q.To = []im.Address{"u/cat", "u/ann"}
	gone, err := phone.Forward(ctx, q)
	w.ok(err)
	_, err = w.as("ann").Leave(ctx, g)
	w.ok(err)
	left, err := phone.Forward(ctx, q)
	w.ok(err)
	for _, list := range [][]Forwarded{again, gone, left} {
		if last := list[len(list)-1]; !slices.Equal(list[0].Seqs, []im.Seq{1, 2}) || !slices.Equal(last.Seqs, []im.Seq{1, 2}) {
			t.Fatalf("%+v", list)
		}
	}
	if got := w.shown("cat", "u/ann"); len(got) != 2 {
		t.Fatalf("%v", got)
	}
	q.ID = "f2"
	_, err = phone.Forward(ctx, q)
	w.refused(err, im.NotFound)
}

func TestWhatIsNotForwarded(t *testing.T) {
	w := newWorld(t, Config{})
	ctx := t.Context()
	g := w.group("ann", "bob") // 1 is the server's
	recalled, deleted := w.say("ann", g, "x"), w.say("ann", g, "x")
	_, err := w.as("ann").Recall(ctx, RecallRequest{Conv: g, Seq: recalled})
	w.ok(err)
	_, err = w.as("ann").Delete(ctx, DeleteRequest{Conv: g, Seqs: []im.Seq{deleted}, ForAll: true})
	w.ok(err)
	directed := w.say("ann", g, "x", func(m *im.Message) { m.To = []im.UserID{"bob"} })
	command := w.say("ann", g, "x", func(m *im.Message) { m.Flags = 0 })
	fine := w.say("ann", g, "x")
	w.say("ann", "u/bob", "x", func(m *im.Message) { m.Burn = 5 })
	for _, c := range []struct {
		from im.Address
		seqs []im.Seq
		to   []im.Address
		want im.Kind
	}{
		{g, []im.Seq{1}, []im.Address{"u/cat"}, im.Denied},
		{g, []im.Seq{recalled}, []im.Address{"u/cat"}, im.Denied},
		{g, []im.Seq{deleted}, []im.Address{"u/cat"}, im.NotFound},
		{g, []im.Seq{directed}, []im.Address{"u/cat"}, im.Denied},
		{g, []im.Seq{command}, []im.Address{"u/cat"}, im.Denied},
		{g, []im.Seq{fine, 99}, []im.Address{"u/cat"}, im.NotFound},
		{"u/ann", []im.Seq{1}, []im.Address{"u/cat"}, im.Denied},
		{"u/zed", []im.Seq{1}, []im.Address{"u/cat"}, im.NotFound},
		{g, []im.Seq{fine, fine}, []im.Address{"u/cat"}, im.Invalid},
		{g, []im.Seq{fine, directed}, []im.Address{"u/cat"}, im.Invalid},
		{g, nil, []im.Address{"u/cat"}, im.Invalid},
		{g, []im.Seq{fine}, nil, im.Invalid},
		{g, []im.Seq{fine}, []im.Address{"u/cat", "u/cat"}, im.Invalid},
		{g, []im.Seq{fine}, make([]im.Address, 21), im.TooLarge},
		{g, make([]im.Seq, 101), []im.Address{"u/cat"}, im.TooLarge},
		{g, []im.Seq{fine}, []im.Address{"u/cat"}, 0},
	} {
		_, err := w.as("bob").Forward(ctx, ForwardRequest{From: c.from, Seqs: c.seqs, To: c.to})
		check(t, fmt.Sprint(c.from, c.seqs, c.to), err, c.want, 0)
	}
	a, err := w.as("bob").Forward(ctx, ForwardRequest{From: g, Seqs: []im.Seq{fine}, To: []im.Address{"nonsense", "g/none", "u/cat"}})
	w.ok(err)
	if a[0].Err == nil || a[0].Err.Kind != im.Invalid || a[1].Err == nil || a[1].Err.Kind != im.NotFound || a[2].Err != nil {
		t.Fatalf("%+v", a)
	}
}

func TestC5_ForwardMerged(t *testing.T) {
	w := newWorld(t, Config{})
	ctx := t.Context()
	g := w.group("ann", "bob")
	var seqs []im.Seq
	for i := range 7 {
		seqs = append(seqs, w.say("bob", g, fmt.Sprintf(`{"content":"%d %s"}`, i, strings.Repeat("长", 200))))
	}
	seqs = append(seqs, w.say("ann", g, "\xff\x00", func(m *im.Message) { m.Type = "app:raw" }))
	a, err := w.as("ann").Forward(ctx, ForwardRequest{From: g, Seqs: seqs, To: []im.Address{"u/cat"}, Merged: true, Title: "what bob said", ID: "m1"})
	w.ok(err)
	again, err := w.as("ann").Forward(ctx, ForwardRequest{From: g, Seqs: seqs, To: []im.Address{"u/cat"}, Merged: true, Title: "what bob said", ID: "m1"})
	w.ok(err)
	if len(a) != 1 || !slices.Equal(a[0].Seqs, []im.Seq{1}) || !slices.Equal(again[0].Seqs, []im.Seq{1}) {
		t.Fatalf("%+v %+v", a, again)
	}
	m := w.message("cat", "u/ann", 1)
	var body merged
	w.ok(json.Unmarshal(m.Body, &body))
	if m.Type != MergedType || m.Origin != nil || body.Title != "what bob said" || len(body.Digest) != 5 || len(body.Messages) != 8 {
		t.Fatalf("%s", m.Body)
	}
	for i, line := range body.Digest {
		if utf8.RuneCountInString(line) != 100 || !strings.HasPrefix(line, fmt.Sprintf("bob: %d 长", i)) {
			t.Errorf("%q", line)
		}
	}
	if first := body.Messages[0]; first.Sender != "bob" || first.Type != "an:text" || !strings.Contains(string(first.Body), `{"content":"0 长`) || first.Time == 0 {
		t.Errorf("%+v", first)
	}
	if last := body.Messages[7]; last.Body != nil || string(last.Bytes) != "\xff\x00" || last.Sender != "ann" {
		t.Errorf("%+v", last)
	}
	big := []im.Seq{w.say("bob", g, string(bytes.Repeat([]byte("x"), 70<<10))), w.say("bob", g, string(bytes.Repeat([]byte("x"), 70<<10)))}
	a, err = w.as("ann").Forward(ctx, ForwardRequest{From: g, Seqs: big, To: []im.Address{"u/cat"}, Merged: true})
	w.ok(err)
	if a[0].Err == nil || a[0].Err.Kind != im.TooLarge {
		t.Fatalf("%+v", a)
	}
	_, err = w.as("ann").Forward(ctx, ForwardRequest{From: g, Seqs: big, To: []im.Address{"u/cat"}, Merged: true, Title: strings.Repeat("x", 301)})
	w.refused(err, im.TooLarge)
}

// Forwarding many messages is one request for every ten of them to each target.
func TestForwardingIsLimited(t *testing.T) {
	clock := newClock()
	w := newWorld(t, Config{Clock: clock.Now, Limits: im.Limits{SendRate: 1, SendBurst: 5}})
	var seqs []im.Seq
	for range 25 {
		seqs = append(seqs, w.say("bob", "u/ann", "x"))
	}
	q := ForwardRequest{From: "u/bob", Seqs: seqs, To: []im.Address{"u/cat", "u/dan"}, ID: "f"}
	s := w.as("ann")
	a, err := s.Forward(t.Context(), q)
	w.ok(err)
	if len(a[0].Seqs) != 25 || a[1].Seqs != nil || a[1].Err == nil || a[1].Err.Kind != im.Limited || a[1].Err.Retry != 1e9 {
		t.Fatalf("%+v %+v", a[0], a[1])
	}
	clock.add(10_000)
	a, err = s.Forward(t.Context(), q) // counts again, and sends what was refused
	w.ok(err)
	if len(a[0].Seqs) != 25 || a[1].Err == nil {
		t.Fatalf("%+v %+v", a[0], a[1])
	}
	clock.add(10_000)
	q.To = q.To[1:]
	a, err = s.Forward(t.Context(), q)
	w.ok(err)
	if len(a[0].Seqs) != 25 {
		t.Fatalf("%+v", a[0])
	}
	if n := len(w.shown("cat", "u/ann")); n != 25 {
		t.Fatalf("%d messages", n)
	}
}

// Whom a body names, and how long it burns, by the keys of clients of old stays behind
// as well.
func TestForwardsLeaveReservedKeysBehind(t *testing.T) {
	w := newWorld(t, Config{})
	g, h := w.group("ann", "bob", "cat"), w.group("ann", "cat")
	seq := w.sendAs(w.as("bob"), g, &im.Message{Body: []byte(`{"mentionedInfo":{"type":2,"userIdList":["cat"]},"burnDuration":5}`)})
	if m := w.message("ann", g, seq); m.Mentions == nil {
		t.Fatalf("%+v", m)
	}
	a, err := w.as("ann").Forward(t.Context(), ForwardRequest{From: g, Seqs: []im.Seq{seq}, To: []im.Address{h, "u/cat"}})
	w.ok(err)
	for _, f := range a {
		if f.Err != nil {
			t.Fatal(f.Err)
		}
		if m := w.message("ann", f.To, f.Seqs[0]); m.Mentions != nil || m.Burn != 0 {
			t.Errorf("%s: %+v, burns %d s", f.To, m.Mentions, m.Burn)
		}
	}
}
