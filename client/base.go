package client

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"
)

// Base holds the keys that a body of any type may have. Embed it in a type that is JSON:
// what it does not know of a body that it reads stays in Other, and is written again.
type Base struct {
	User          *Author        `json:"user,omitempty"`          // who the sender says he is
	MentionedInfo *MentionedInfo `json:"mentionedInfo,omitempty"` // whom the message names
	Extra         string         `json:"extra,omitempty"`         // the application's own
	BurnDuration  int            `json:"burnDuration,omitempty"`  // seconds it is kept once it was read; 0 = it does not burn

	Other map[string]json.RawMessage `json:"-"` // keys that the type does not know
}

// Author is what the sender attached of himself.
type Author struct {
	ID       string `json:"id,omitempty"`
	Name     string `json:"name,omitempty"`
	Portrait string `json:"portrait,omitempty"` // URL
	Extra    string `json:"extra,omitempty"`
}

// Whom MentionedInfo names.
const (
	MentionAll   = 1
	MentionUsers = 2
)

// MentionedInfo says in the body whom the message names. Encode takes it into the
// message's own mentions, by which the server counts.
type MentionedInfo struct {
	Type             int      `json:"type"` // MentionAll, MentionUsers
	UserIDs          []string `json:"userIdList,omitempty"`
	MentionedContent string   `json:"mentionedContent,omitempty"` // for the notification
}

// into puts what the server must know into the message's own fields.
func (b *Base) into(o *Outgoing) {
	if i := b.MentionedInfo; i != nil {
		o.MentionsAll = i.Type == MentionAll
		if i.Type == MentionUsers {
			o.Mentions = slices.Clone(i.UserIDs)
		}
		o.Push = i.MentionedContent
	}
	if b.BurnDuration > 0 {
		o.Burn = time.Duration(b.BurnDuration) * time.Second
	}
}

var baseType = reflect.TypeFor[Base]()

// baseOf is the Base embedded in the struct that p points to; nil if it has none.
func baseOf(p reflect.Value) *Base {
	if p.Kind() != reflect.Pointer || p.IsNil() || p.Elem().Kind() != reflect.Struct {
		return nil
	}
	s := p.Elem()
	for i := range s.NumField() {
		if f := s.Type().Field(i); f.Anonymous && f.Type == baseType {
			return s.Field(i).Addr().Interface().(*Base)
		}
	}
	return nil
}

// EncodeJSON makes v's JSON, with the keys that an embedded Base keeps in Other. It
// leaves <, > and & as they are.
func EncodeJSON(v any) ([]byte, error) {
	var buf bytes.Buffer
	e := json.NewEncoder(&buf)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	out := bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
	p := pointer(v)
	b := baseOf(p)
	if b == nil || len(b.Other) == 0 || out[len(out)-1] != '}' {
		return out, nil
	}
	known := keysOf(p.Type().Elem())
	for _, k := range slices.Sorted(maps.Keys(b.Other)) {
		raw := b.Other[k]
		if known[k] || !json.Valid(raw) {
			continue
		}
		out = out[:len(out)-1]
		if len(out) > 1 {
			out = append(out, ',')
		}
		name, err := json.Marshal(k)
		if err != nil {
			return nil, err
		}
		out = append(append(append(append(out, name...), ':'), raw...), '}')
	}
	return out, nil
}

// errNoObject says that a body is JSON, but not an object.
var errNoObject = errors.New("anser: the body is no JSON object")

// DecodeJSON reads v, a pointer, from b. An embedded Base is given in Other the keys that
// v does not know.
func DecodeJSON(b []byte, v any) error {
	if err := json.Unmarshal(b, v); err != nil {
		return err
	}
	p := reflect.ValueOf(v)
	base := baseOf(p)
	if base == nil {
		return nil
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(b, &all); err != nil {
		return err
	}
	if all == nil {
		return errNoObject
	}
	for k := range keysOf(p.Type().Elem()) {
		delete(all, k)
	}
	if len(all) > 0 {
		base.Other = all
	}
	return nil
}

var keys sync.Map // reflect.Type -> map[string]bool

// keysOf are the JSON keys of a struct, those of embedded ones too.
func keysOf(t reflect.Type) map[string]bool {
	if m, ok := keys.Load(t); ok {
		return m.(map[string]bool)
	}
	m := make(map[string]bool)
	collect(t, m)
	keys.Store(t, m)
	return m
}

func collect(t reflect.Type, into map[string]bool) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		ft := f.Type
		if ft.Kind() == reflect.Pointer {
			ft = ft.Elem()
		}
		switch {
		case f.Anonymous && name == "" && ft.Kind() == reflect.Struct:
			collect(ft, into)
		case !f.IsExported() || f.Tag.Get("json") == "-":
		case name == "":
			into[f.Name] = true
		default:
			into[name] = true
		}
	}
}
