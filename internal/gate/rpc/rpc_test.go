package rpc

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/anser-im/anser/internal/core"
	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/wire"
)

// Every RPC of the schema has a row that takes its request and answers its answer, and
// the path under which HTTP finds it.
func TestEveryVerbHasARow(t *testing.T) {
	n := 0
	services := wire.File_anser_proto.Services()
	for i := range services.Len() {
		methods := services.Get(i).Methods()
		for j := range methods.Len() {
			m := methods.Get(j)
			n++
			v := Of(string(m.Name()))
			if v == nil {
				t.Errorf("%s has no row", m.FullName())
				continue
			}
			if q := v.NewRequest().ProtoReflect().Descriptor(); q.FullName() != m.Input().FullName() {
				t.Errorf("%s asks by %s", m.FullName(), q.FullName())
			}
			if a := v.NewResponse().ProtoReflect().Descriptor(); a.FullName() != m.Output().FullName() {
				t.Errorf("%s is answered by %s", m.FullName(), a.FullName())
			}
			if want := "/" + string(services.Get(i).FullName()) + "/" + string(m.Name()); v.Procedure() != want {
				t.Errorf("%s is at %s", m.FullName(), v.Procedure())
			}
		}
	}
	if n != len(Verbs()) || n != len(rows) || n < 80 {
		t.Errorf("%d RPCs, %d verbs, %d rows", n, len(Verbs()), len(rows))
	}
	if Of("send") != nil || Of("") != nil {
		t.Error("a verb of another name is found")
	}
	r := verb(doPage)
	if r.fits(&wire.SyncRequest{}, &wire.PageResponse{}) || r.fits(&wire.PageRequest{}, &wire.SyncResponse{}) || !r.fits(&wire.PageRequest{}, &wire.PageResponse{}) {
		t.Error("a row that does not fit is not found out")
	}
}

func TestEveryKindOfErrorHasACode(t *testing.T) {
	for _, k := range im.Kinds() {
		if _, ok := codes[k]; !ok {
			t.Errorf("%v has no code", k)
		}
		if got := CodeOf(&im.Error{Kind: k, Code: 9999}); got != codes[k] {
			t.Errorf("%v with a code that is not known here: %d", k, got)
		}
	}
	for _, c := range []im.Code{im.CodeSchema, im.CodeNoType, im.CodeNotListed, im.CodeTooLate, im.CodeMuted, im.CodeExpired} {
		if got := CodeOf(&im.Error{Kind: im.Internal, Code: c}); got != uint32(c) {
			t.Errorf("%d is told as %d", c, got)
		}
	}
	for d, want := range map[time.Duration]uint32{0: 0, -time.Second: 0, 1: 1, time.Millisecond: 1, 1500 * time.Microsecond: 2, 1 << 62: 1 << 31} {
		if got := RetryMillis(d); got != want {
			t.Errorf("%v: %d", d, got)
		}
	}
}

// full fills everything that v points to with values that are not zero, each its own.
func full(v any) { (&filler{}).fill(reflect.ValueOf(v).Elem()) }

type filler struct{ n int64 }

func (f *filler) fill(v reflect.Value) {
	f.n++
	switch v.Kind() {
	case reflect.String:
		v.SetString("s" + string(rune('a'+f.n%26)) + string(rune('0'+f.n/26%10)))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(f.n)
	case reflect.Uint32, reflect.Uint64:
		v.SetUint(uint64(f.n))
	case reflect.Uint8:
		v.SetUint(1) // an enumeration: its first
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		if _, isErr := v.Interface().(*im.Error); !isErr {
			f.fill(v.Elem())
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			f.fill(v.Index(i))
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range 2 {
			k, e := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			f.fill(k)
			f.fill(e)
			v.SetMapIndex(k, e)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				f.fill(v.Field(i))
			}
		}
	}
}

func of[T any]() *T {
	v := new(T)
	full(v)
	return v
}

// empty names the fields of m, and of the messages in it, that have no value.
func empty(m protoreflect.Message, path string) (names []string) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		name := path + string(f.Name())
		if !m.Has(f) {
			names = append(names, name)
			continue
		}
		if f.Kind() != protoreflect.MessageKind {
			continue
		}
		if f.IsList() {
			names = append(names, empty(m.Get(f).List().Get(0).Message(), name+".")...)
		} else {
			names = append(names, empty(m.Get(f).Message(), name+".")...)
		}
	}
	return names
}

// What core says in full is told in full: no field of the schema is forgotten.
func TestNothingIsForgotten(t *testing.T) {
	event := &core.Event{Seq: 1, Ver: 2, Hidden: true, Sync: true, Msg: of[im.Message](), Change: of[im.Change](), State: of[im.State]()}
	conv := of[core.Conversation]()
	extra := of[core.Extra]()
	for name, c := range map[string]struct {
		got     proto.Message
		without []string // fields that have their values elsewhere
	}{
		"event":        {Event("u/bob", event), nil},
		"message":      {Message(of[im.Message]()), nil},
		"conversation": {wireConversation(conv), []string{"page.extras"}}, // filled by Page
		"extra":        {wireExtra(&extra.Tally, extra.Mine), nil},
		"thread":       {wireThread(of[core.Thread]()), []string{"extra.mine"}},
		"scheduled":    {wireScheduled(of[core.Schedule]()), nil},
		"reminder":     {wireReminder(of[core.Reminder]()), nil},
		"saved":        {wireSaved(of[core.Saved]()), nil},
		"draft":        {wireDraft(of[core.Draft]()), nil},
		"quiet":        {wireQuiet(of[core.Quiet]()), nil},
		"profile":      {wireProfile(of[core.Profile]()), nil},
		"type":         {wireType(of[im.MessageType]()), []string{"server_only"}}, // Clients is true
	} {
		got := slices.DeleteFunc(empty(c.got.ProtoReflect(), ""), func(f string) bool { return slices.Contains(c.without, f) })
		if len(got) > 0 {
			t.Errorf("%s: nothing is said of %v", name, got)
		}
	}
	if w := wireType(&im.MessageType{}); !w.ServerOnly || w.Flags == nil || *w.Flags != 0 {
		t.Errorf("a type of commands for the app alone: %v", w)
	}
	for k := im.Edit; k <= im.Noted; k++ {
		if changeKinds[k] == "" {
			t.Errorf("change kind %d has no word", k)
		}
	}
	if w := wireChange(&im.Change{Kind: im.Delete, Msg: of[im.Message]()}); w.Message != nil {
		t.Error("what was deleted for all is shown")
	}
}

// Plain things stay plain: no empty parts, and no allocation for them.
func TestPlainMessage(t *testing.T) {
	m := &im.Message{Seq: 7, ID: "1", Sender: "alice", Type: "an:text", Flags: im.DefaultFlags, Body: []byte(`"x"`)}
	w := Message(m)
	want := &wire.Message{Seq: 7, Id: "1", Sender: "alice", Type: "an:text", Flags: 3, Body: []byte(`"x"`)}
	if !proto.Equal(w, want) {
		t.Errorf("%v", w)
	}
	if n := testing.AllocsPerRun(100, func() { w.Reset(); Fill(w, m) }); n != 0 {
		t.Errorf("Fill allocates %v times for a plain message", n)
	}
	if s := wireMine(&im.Mine{}); s.Settings != nil {
		t.Errorf("settings where nothing is set: %v", s)
	}
}

// A send says all that it can to core, and a scheduled one says the same back.
func TestSendIsToldInFull(t *testing.T) {
	q := &wire.SendRequest{Id: "1", Conv: "g/x", Type: "an:text", Flags: proto.Uint32(3), Body: []byte("b"), Options: &wire.SendOptions{
		Digest: "d", Mentions: &wire.Mentions{All: true, Users: []string{"bob"}, Roles: []string{"admin"}}, ReplyTo: 4, Thread: 5,
		Expires: 6, Push: "p", To: []string{"carol"}, BurnS: 7}}
	if missing := empty(q.ProtoReflect(), ""); len(missing) > 0 {
		t.Fatalf("the test says nothing of %v", missing)
	}
	snd, err := sending(q)
	if err != nil {
		t.Fatal(err)
	}
	if !snd.HasFlags || snd.To != "g/x" || snd.Msg.Burn != 7 || snd.Msg.Mentions.Roles[0] != im.Admin {
		t.Errorf("%+v %+v", snd, snd.Msg)
	}
	if back := incoming(snd.To, snd.Msg, snd.HasFlags); !proto.Equal(back, q) {
		t.Errorf("%v\n%v", back, q)
	}
	plain := &wire.SendRequest{Id: "1", Conv: "u/bob", Type: "an:text", Body: []byte("b")}
	snd, err = sending(plain)
	if err != nil {
		t.Fatal(err)
	}
	if back := incoming(snd.To, snd.Msg, snd.HasFlags); !proto.Equal(back, plain) {
		t.Errorf("%v", back)
	}
	a, _ := outgoing(&wire.SendRequest{})
	b, _ := outgoing(nil)
	if a.ID == "" || a.ID == b.ID || im.CheckClientID(a.ID) != nil || a.Type != "an:text" {
		t.Errorf("without an id: %q, %q, type %q", a.ID, b.ID, a.Type)
	}
}

func TestWordsThatAreNone(t *testing.T) {
	for name, f := range map[string]func() error{
		"role":    func() error { _, err := Roles([]string{"king"}); return err },
		"roles":   func() error { _, err := Roles(slices.Repeat([]string{"admin"}, 4)); return err },
		"join":    func() error { _, err := joinMode("closed"); return err },
		"history": func() error { _, err := historyMode("none"); return err },
		"kind":    func() error { _, err := kinds([]string{"party"}); return err },
		"no kind": func() error { _, err := kinds([]string{""}); return err },
		"level":   func() error { _, err := level(proto.String("loud")); return err },
		"flags":   func() error { _, err := outgoing(&wire.SendRequest{Flags: proto.Uint32(259)}); return err },
		"days":    func() error { _, err := quiet(&wire.Quiet{Days: make([]uint32, 8)}); return err },
		"language": func() error {
			_, err := messageType(&wire.MessageType{Digest: []*wire.Pair{{Key: "en"}, {Key: "en"}}})
			return err
		},
		"type": func() error { _, err := messageType(&wire.MessageType{Flags: proto.Uint32(257)}); return err },
	} {
		if err := f(); !im.IsKind(err, im.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
