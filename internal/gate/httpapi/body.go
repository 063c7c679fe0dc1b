package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"reflect"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/anser-im/anser/internal/im"
)

// ReadBody reads a request's JSON object into into, a pointer to a struct of strings,
// bools and numbers, within limits of size and time. Fields that the struct does not
// name (letter by letter), fields that come twice and anything after the object are
// refused: who misspells a field is told, and no two readers of a body ever differ.
//
// Errors: Invalid, TooLarge.
func ReadBody(w http.ResponseWriter, r *http.Request, into any) error {
	// A form of another site can send text/plain without asking (CSRF), JSON it cannot.
	if ct, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || ct != "application/json" {
		return im.Errorf(im.Invalid, "the request has no JSON: set Content-Type: application/json")
	}
	if err := holdBody(w, r); err != nil {
		return err
	}
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return im.Wrap(im.Invalid, err, "the request broke off")
	}
	return parseBody(b, into)
}

// held is a body that has been read.
type held struct{ *bytes.Reader }

func (held) Close() error { return nil }

// holdBody reads the body, within limits of size and time, and leaves it in r to be
// read again at once: what a slow client has to be waited for is over then.
//
// Errors: Invalid, TooLarge.
func holdBody(w http.ResponseWriter, r *http.Request) error {
	if _, ok := r.Body.(held); ok {
		return nil
	}
	// Not supported on test recorders; there is nothing to be slow there.
	http.NewResponseController(w).SetReadDeadline(time.Now().Add(readSeconds * time.Second))
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return im.Errorf(im.TooLarge, "the request is larger than %d bytes", maxBody)
	}
	if err != nil {
		return im.Wrap(im.Invalid, err, "the request broke off")
	}
	r.Body = held{bytes.NewReader(b)}
	return nil
}

func parseBody(b []byte, into any) error {
	bad := im.Errorf(im.Invalid, "the request is not one JSON object with the fields that are known here")
	if !utf8.Valid(b) || !json.Valid(b) {
		return bad
	}
	known := map[string]bool{}
	t := reflect.TypeOf(into).Elem()
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		known[name] = true
	}
	// encoding/json takes the last of two equal fields, and fields whose names differ
	// in case; so the names are looked at first.
	d := json.NewDecoder(bytes.NewReader(b))
	if tok, err := d.Token(); err != nil || tok != json.Delim('{') {
		return bad
	}
	for d.More() {
		tok, err := d.Token()
		if err != nil {
			return bad
		}
		name, _ := tok.(string)
		if !known[name] {
			return im.Errorf(im.Invalid, "the request has a field that is not known here, or twice; known are: %s", strings.Join(fieldNames(t), ", "))
		}
		known[name] = false
		if tok, err = d.Token(); err != nil {
			return bad
		}
		if _, nested := tok.(json.Delim); nested {
			return im.Errorf(im.Invalid, "the field %q takes a plain value", name)
		}
	}
	if err := json.Unmarshal(b, into); err != nil {
		return im.Errorf(im.Invalid, "a field of the request has the wrong type")
	}
	return nil
}

func fieldNames(t reflect.Type) []string {
	var out []string
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		out = append(out, name)
	}
	return out
}
