package server

import (
	"reflect"
	"strings"
	"time"
	"unicode"
)

// The configuration file is read and written by the Go fields themselves: a field
// called SendRate is the key send_rate. So a setting that a package adds to its Config
// is in the file, in --print-config and in docs/CONFIGURATION.md without another line.
//
// Not settings are: unexported fields; functions, interfaces, pointers and bytes,
// which the program plugs in; fields tagged `config:"-"`; and those that the parent's
// tag `config:"omit=A,B"` names, because the file has them elsewhere.

// A setting is one key of the file, or a section of them.
type setting struct {
	key   string
	index int       // of the field in its struct
	doc   string    // the field's comment; "" if it has none
	subs  []setting // of a section; nil = a value
}

var durationType = reflect.TypeFor[time.Duration]()

// settingsOf lists what can be set in t, a struct, leaving out the fields in omit.
func settingsOf(t reflect.Type, omit []string) []setting {
	var out []setting
	for i := range t.NumField() {
		f := t.Field(i)
		tag := f.Tag.Get("config")
		if !f.IsExported() || tag == "-" || contains(omit, f.Name) || !settable(f.Type) {
			continue
		}
		s := setting{key: snake(f.Name), index: i, doc: configDocs[docKey(t, f.Name)]}
		if f.Type.Kind() == reflect.Struct {
			less, _ := strings.CutPrefix(tag, "omit=")
			s.subs = settingsOf(f.Type, strings.Split(less, ","))
			if len(s.subs) == 0 {
				continue
			}
		}
		out = append(out, s)
	}
	return out
}

func contains(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}

// docKey names a field in configDocs: import path, type, field.
func docKey(t reflect.Type, field string) string { return t.PkgPath() + "." + t.Name() + "." + field }

// settable says whether the file can hold a value of type t.
func settable(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Bool, reflect.String, reflect.Int, reflect.Int64, reflect.Int32, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Float64, reflect.Struct:
		return true
	case reflect.Slice:
		return t.Elem().Kind() == reflect.String
	case reflect.Map:
		k := t.Elem().Kind()
		return t.Key().Kind() == reflect.String && (k == reflect.Int || k == reflect.String)
	}
	return false
}

// snake turns a Go name into a key: SendRate is send_rate, JWKS is jwks, TLSCert is
// tls_cert.
func snake(name string) string {
	r := []rune(name)
	var b strings.Builder
	for i, c := range r {
		if unicode.IsUpper(c) && i > 0 &&
			(!unicode.IsUpper(r[i-1]) || i+1 < len(r) && unicode.IsLower(r[i+1])) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(c))
	}
	return b.String()
}
