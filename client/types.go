package client

import (
	"fmt"
	"reflect"
	"strings"
	"sync"

	"github.com/anser-im/anser/wire"
)

// Encoder is a body that makes its own bytes. A type without it is JSON: see EncodeJSON.
type Encoder interface{ Encode() ([]byte, error) }

// Decoder is a body that reads its own bytes, on a pointer. It must not keep b. A type
// without it is JSON: see DecodeJSON.
type Decoder interface{ Decode(b []byte) error }

// Digester is a body that says what stands for it where its type cannot be shown: one
// line, which is sent along.
type Digester interface{ Digest() string }

// Searchable is a body that says by what words it is found on the device; nil = by none.
type Searchable interface{ SearchableWords() []string }

// Unknown is the value of a message whose type is not registered in this program: of a
// newer version, or of another application. Body is as it was sent.
type Unknown struct {
	Type string
	Body []byte
}

// Undecoded is the value of a message whose body could not be decoded. Body is as it was
// sent: nothing is lost, and a later version may read it.
type Undecoded struct {
	Type string
	Body []byte
	Err  error
}

// registration is one type of message.
type registration struct {
	name    string
	flags   Flags
	goType  reflect.Type      // not a pointer
	titles  map[string]string // by language
	builtIn bool
}

// registry holds the types of this program.
var registry = struct {
	sync.RWMutex
	byName map[string]*registration       // guarded by the lock
	byType map[reflect.Type]*registration // guarded by the lock
}{byName: map[string]*registration{}, byType: map[reflect.Type]*registration{}}

// TypeOption is what few types need.
type TypeOption func(*registration)

// Title says what the type is called in a language ("en", "zh-CN"): it stands for a
// message of it that has no digest.
func Title(locale, title string) TypeOption {
	return func(r *registration) { r.titles[language(locale)] = title }
}

// Register tells this program of a type of message: name is its object name
// ("acme:card", 1-64 bytes; "an:" is ours), flags what becomes of its messages where a
// send does not say otherwise, and T what its bodies are in Go. Messages of it then have
// a *T as their Value, and a T or *T is sent with SendValue. T's methods may be those of
// Encoder, Decoder, Digester and Searchable; without the first two it is JSON, and an
// embedded Base keeps the keys that every type shares, and those that T does not know.
//
//	type Card struct {
//		client.Base
//		Title string `json:"title"`
//	}
//
//	func (c *Card) Digest() string { return "[Card] " + c.Title }
//
//	err := client.Register[Card]("acme:card", client.Counted)
//
// Register before New: it holds for the whole program. Of two registrations of one name
// the later wins. A type that is not registered is not sent, and received as an Unknown.
//
// Errors: *Error with CodeInvalid for a name that is empty, too long, not UTF-8 or ours,
// and for flags that contradict each other.
func Register[T any](name string, flags Flags, options ...TypeOption) error {
	switch {
	case name == "" || len(name) > 64 || !allUTF8(name):
		return &Error{Code: wire.CodeInvalid, Message: fmt.Sprintf("%q is no name of a type: 1-64 bytes of UTF-8", name)}
	case strings.HasPrefix(name, "an:"):
		return &Error{Code: wire.CodeInvalid, Message: fmt.Sprintf("the type %q cannot be registered: an: is not the application's", name)}
	case flags != Command && flags != Stored && flags != Counted && flags != Status:
		return &Error{Code: wire.CodeInvalid, Message: fmt.Sprintf("the flags %d are none of Command, Stored, Counted, Status", flags)}
	}
	register[T](name, flags, false, options...)
	return nil
}

func register[T any](name string, flags Flags, builtIn bool, options ...TypeOption) {
	t := reflect.TypeFor[T]()
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	r := &registration{name: name, flags: flags, goType: t, titles: map[string]string{}, builtIn: builtIn}
	for _, o := range options {
		o(r)
	}
	registry.Lock()
	defer registry.Unlock()
	if old := registry.byName[name]; old != nil && registry.byType[old.goType] == old {
		delete(registry.byType, old.goType)
	}
	registry.byName[name], registry.byType[t] = r, r
}

// registered is what is known of a type; nil = it is not registered.
func registered(name string) *registration {
	registry.RLock()
	defer registry.RUnlock()
	return registry.byName[name]
}

// pointer makes v a pointer to what it is, so that methods on pointers are found.
func pointer(v any) reflect.Value {
	p := reflect.ValueOf(v)
	if !p.IsValid() || p.Kind() == reflect.Pointer {
		return p
	}
	at := reflect.New(p.Type())
	at.Elem().Set(p)
	return at
}

// Encode makes a message of v, a registered type or a body of ours, by value or pointer.
// What Base says of mentions and burning is taken into the message's own fields.
//
// Errors: *Error with CodeNoType if v's type is not registered; that of its Encode.
func Encode(v any) (Outgoing, error) {
	if raw, ok := v.(*Undecoded); ok && raw != nil && registered(raw.Type) != nil {
		return Outgoing{Type: raw.Type, Body: raw.Body}, nil // on as it came
	}
	p := pointer(v)
	if !p.IsValid() || p.IsNil() {
		return Outgoing{}, &Error{Code: wire.CodeInvalid, Message: "there is no value to send"}
	}
	registry.RLock()
	r := registry.byType[p.Type().Elem()]
	registry.RUnlock()
	if r == nil {
		return Outgoing{}, &Error{Code: wire.CodeNoType, Message: fmt.Sprintf("%T is not registered: see client.Register", v)}
	}
	out := Outgoing{Type: r.name}
	var err error
	if e, ok := p.Interface().(Encoder); ok {
		out.Body, err = e.Encode()
	} else {
		out.Body, err = EncodeJSON(p.Interface())
	}
	if err != nil {
		return Outgoing{}, fmt.Errorf("anser: encoding a %s: %w", r.name, err)
	}
	if d, ok := p.Interface().(Digester); ok {
		out.Digest = clip(d.Digest())
	}
	if b := baseOf(p); b != nil {
		b.into(&out)
	}
	return out, nil
}

// Value is the message's body in Go: a pointer to the registered type (*TextBody,
// *Card), *Undecoded if it could not be decoded, *Unknown if its type is not registered
// here, and nil if it was recalled. It is decoded anew with each call.
func (m *Message) Value() any {
	if m.Recalled {
		return nil
	}
	return decode(m.Type, m.Body)
}

func decode(name string, body []byte) any {
	r := registered(name)
	if r == nil {
		return &Unknown{Type: name, Body: body}
	}
	v := reflect.New(r.goType).Interface()
	var err error
	if d, ok := v.(Decoder); ok {
		err = d.Decode(body)
	} else {
		err = DecodeJSON(body, v)
	}
	if err != nil {
		return &Undecoded{Type: name, Body: body, Err: err}
	}
	return v
}
