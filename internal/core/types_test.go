package core

import (
	"bytes"
	"context"
	"slices"
	"testing"
	"time"

	"github.com/anser-im/anser/internal/im"
)

// someTypes is a registry with a command, a card with a "schema", and a type of the
// app's.
type someTypes struct {
	closed  bool
	checked int // bodies
	list    []im.MessageType
}

func (r *someTypes) Flags(name string) (im.Flags, bool) { return 0, name == "app:cmd" }

func (r *someTypes) Check(m *im.Message, app bool) *im.Error {
	r.checked++
	switch {
	case m.Type == "app:card" && !bytes.HasPrefix(m.Body, []byte("{")):
		return im.Errorf(im.Invalid, "the body of app:card is no object").WithCode(im.CodeSchema)
	case m.Type == "app:own" && !app, m.Type == "app:odd" && r.closed:
		return im.Errorf(im.Invalid, "%s is not for clients to send", m.Type).WithCode(im.CodeNoType)
	case m.Type == "app:card" && m.Digest == "":
		m.Digest = "card " + string(m.Body)
	}
	if m.Type == "app:card" && m.Push == "" {
		m.Push = "a card"
	}
	return nil
}

func (r *someTypes) Digest(m *im.Message, locale string) string { return m.Digest }

func (r *someTypes) PushText(m *im.Message, locale string) string { return m.Push }

func (r *someTypes) Get(name string) (im.MessageType, bool) {
	i := slices.IndexFunc(r.list, func(t im.MessageType) bool { return t.Name == name })
	if i < 0 {
		return im.MessageType{}, false
	}
	return r.list[i], true
}

func (r *someTypes) List(since int64) ([]im.MessageType, int64) {
	return r.list[min(int(since), len(r.list)):], int64(len(r.list))
}

func (r *someTypes) Put(_ context.Context, t im.MessageType) (im.MessageType, error) {
	t.Version = int64(len(r.list) + 1)
	r.list = append(r.list, t)
	return t, nil
}

func (r *someTypes) Remove(_ context.Context, name string) error {
	r.list = slices.DeleteFunc(r.list, func(t im.MessageType) bool { return t.Name == name })
	return nil
}

// TestTypesAreChecked: what the registry says of a body holds for sends and edits, of
// devices, requests and the app; it completes what it has templates for.
func TestTypesAreChecked(t *testing.T) {
	types := &someTypes{}
	w := newWorld(t, Config{Types: types})
	alice, bob := w.login("alice", "phone"), w.login("bob", "phone")
	card := func(m *im.Message) { m.Type = "app:card" }
	_, err := w.send(alice.Session, "u/bob", "no", card)
	w.refused(err, im.Invalid, im.CodeSchema)
	_, err = w.send(w.enter("alice", ""), "u/bob", "no", card)
	w.refused(err, im.Invalid, im.CodeSchema)
	_, err = w.send(w.act("alice"), "u/bob", "no", card)
	w.refused(err, im.Invalid, im.CodeSchema)
	snd, err := w.send(alice.Session, "u/bob", "{}", card)
	w.ok(err)
	if m := bob.next().Msg; m != snd.Msg || m.Digest != "card {}" || m.Push != "a card" || string(m.Body) != "{}" {
		t.Fatalf("bob is told %+v", m)
	}
	snd, err = w.send(alice.Session, "u/bob", "{}", card, func(m *im.Message) { m.Digest, m.Push = "mine", "too" })
	w.ok(err)
	if m := bob.next().Msg; m != snd.Msg || m.Digest != "mine" || m.Push != "too" {
		t.Fatalf("what the sender gave is not kept: %+v", m)
	}
	own := func(m *im.Message) { m.Type = "app:own" }
	_, err = w.send(alice.Session, "u/bob", "x", own)
	w.refused(err, im.Invalid, im.CodeNoType)
	_, err = w.send(w.act("alice"), "u/bob", "x", own)
	w.ok(err)
	_, err = w.send(alice.Session, "u/bob", "x", func(m *im.Message) { m.Type = "unheard:of" })
	w.ok(err)

	// a retry is answered, whatever the registry says by now
	odd := func(m *im.Message) { m.Type, m.ID = "app:odd", "odd" }
	first, err := w.send(alice.Session, "u/bob", "x", odd)
	w.ok(err)
	types.closed = true
	again, err := w.send(alice.Session, "u/bob", "x", odd)
	w.ok(err)
	if !again.Dup || again.Seq != first.Seq {
		t.Fatalf("the retry is %+v", again)
	}
	_, err = w.send(alice.Session, "u/bob", "x", odd, func(m *im.Message) { m.ID = "odd2" })
	w.refused(err, im.Invalid, im.CodeNoType)
}

// A body is held to its type only where that is paid for: a schema may cost more than
// all the rest.
func TestChecksOfTypesArePaidFor(t *testing.T) {
	types := &someTypes{}
	clock := newClock()
	w := newWorld(t, Config{Types: types, Clock: clock.Now, Limits: im.Limits{SendRate: 1, SendBurst: 1}})
	s := w.as("ann")
	seq := w.say("ann", "u/bob", "{}", func(m *im.Message) { m.Type = "app:card" })
	clock.add(time.Minute.Milliseconds())
	for name, ask := range map[string]func() error{
		"edit": func() error {
			_, err := s.Edit(t.Context(), EditRequest{Conv: "u/bob", Seq: seq, Body: []byte("no")})
			return err
		},
		"schedule": func() error {
			_, err := s.Schedule(t.Context(), Schedule{At: clock.Now().Add(time.Hour).UnixMilli(), To: "u/bob",
				Msg: &im.Message{ID: "later", Type: "app:card", Body: []byte("no")}})
			return err
		},
	} {
		clock.add(time.Minute.Milliseconds())
		types.checked = 0
		check(t, name, ask(), im.Invalid, im.CodeSchema)
		check(t, name, ask(), im.Limited, 0)
		if types.checked != 1 {
			t.Errorf("%s: checked %d times", name, types.checked)
		}
	}
}

// TestTypeVerbs: everybody reads types, the app itself alone sets them.
func TestTypeVerbs(t *testing.T) {
	ctx := t.Context()
	w := newWorld(t, Config{Types: &someTypes{}})
	app := w.act("")
	for _, s := range []*Session{w.as("alice"), w.act("alice"), w.enter("alice", "")} {
		_, err := s.TypePut(ctx, im.MessageType{Name: "x:y"})
		if err == nil || s.TypeRemove(ctx, "x:y") == nil {
			t.Fatal("a user sets types")
		}
	}
	put, err := app.TypePut(ctx, im.MessageType{Name: "x:y"})
	w.ok(err)
	for _, s := range []*Session{app, w.as("alice"), w.act("alice")} {
		got, err := s.TypeGet(ctx, "x:y")
		w.ok(err)
		list, version, err := s.TypeList(ctx, 0)
		w.ok(err)
		if got.Version != put.Version || len(list) != 1 || version != 1 {
			t.Fatalf("%+v, %+v, %d", got, list, version)
		}
	}
	w.ok(app.TypeRemove(ctx, "x:y"))
	_, err = app.TypeGet(ctx, "x:y")
	w.refused(err, im.NotFound)

	none := newWorld(t, Config{})
	_, err = none.act("").TypePut(ctx, im.MessageType{})
	none.refused(err, im.Unsupported)
	none.refused(none.act("").TypeRemove(ctx, ""), im.Unsupported)
	_, err = none.as("alice").TypeGet(ctx, "x:y")
	none.refused(err, im.NotFound)
	list, _, err := none.as("alice").TypeList(ctx, 0)
	none.ok(err)
	if list != nil {
		t.Fatal(list)
	}
}
