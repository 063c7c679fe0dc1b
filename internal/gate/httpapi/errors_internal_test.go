package httpapi

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/anser-im/anser/internal/im"
)

func TestEveryKindHasAStatus(t *testing.T) {
	for _, k := range im.Kinds() {
		w := httptest.NewRecorder()
		WriteError(w, im.Errorf(k, "text").WithRetry(1500*time.Millisecond))
		if w.Code < 400 || w.Code != status[k] {
			t.Errorf("%v: %d", k, w.Code)
		}
		if w.Header().Get("Retry-After") != "2" || !strings.Contains(w.Body.String(), `"retry_ms":1500`) {
			t.Errorf("%v: %v %s", k, w.Header(), w.Body)
		}
	}
	w := httptest.NewRecorder()
	WriteError(w, http.ErrBodyNotAllowed)
	if w.Code != 500 || strings.Contains(w.Body.String(), "http:") {
		t.Errorf("a foreign error: %d %s", w.Code, w.Body)
	}
}

func FuzzBody(f *testing.F) {
	for _, s := range []string{``, `{}`, `{"user":"a","password":"b"}`, `{"user":"a","user":"b"}`, `{"user":null}`, `{"user":[1]}`, `{"user":"\ud800"}`, `{"user":"a"}x`, `{"uſer":"a"}`, `{"USER":"a"}`, ` { "user" : "a" } `} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		type fields struct {
			User     string `json:"user"`
			Password string `json:"password"`
		}
		var q fields
		if err := parseBody(b, &q); err != nil {
			if im.AsError(err).Kind != im.Invalid {
				t.Fatalf("%q: %v", b, err)
			}
			return
		}
		// A reader that takes the first of two fields understands the same.
		var names []string
		d := json.NewDecoder(bytes.NewReader(b))
		d.Token()
		for d.More() {
			name, _ := d.Token()
			if slices.Contains(names, name.(string)) {
				t.Fatalf("%q: a field was taken twice", b)
			}
			names = append(names, name.(string))
			d.Token()
		}
		again, err := json.Marshal(q)
		if err != nil {
			t.Fatal(err)
		}
		var r fields
		if err := parseBody(again, &r); err != nil || r != q {
			t.Fatalf("%q: %v, read again as %v: %v", b, q, r, err)
		}
	})
}
