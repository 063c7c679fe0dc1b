package httpapi_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anser-im/anser/wire"
)

func gzipped(b []byte) []byte {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	z.Write(b)
	z.Close()
	return out.Bytes()
}

// serve gives one request to the handler itself, without a socket.
func (w *world) serve(path string, body io.Reader, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, path, body)
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	rec := httptest.NewRecorder()
	w.door.ServeHTTP(rec, r)
	return rec
}

// allocated is how many bytes do allocates, at least.
func allocated(do func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	do()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// What is small as it comes and large inside is refused at the limit, not beyond it.
func TestBombs(t *testing.T) {
	w := newWorld(t)
	alice := bearer(w.token("alice"))
	w.serve("/anser.v1.MessageService/Page", strings.NewReader(`{}`), alice...) // what is allocated once
	zeros := gzipped(make([]byte, 32<<20))
	deep := func(n int) string { return strings.Repeat(`[`, n) + strings.Repeat(`]`, n) }
	for name, c := range map[string]struct {
		verb    string
		body    []byte
		headers []string
		status  int
		most    uint64 // bytes allocated
	}{
		"gzip of zeros":    {"Page", zeros, []string{"Content-Encoding", "gzip"}, 413, 12 << 20},
		"gzip of gzip":     {"Page", gzipped(zeros), []string{"Content-Encoding", "gzip"}, 400, 8 << 20},
		"gzip cut off":     {"Page", zeros[:len(zeros)/200], []string{"Content-Encoding", "gzip"}, 400, 8 << 20},
		"no gzip":          {"Page", []byte(`{"conv":"u/bob"}`), []string{"Content-Encoding", "gzip"}, 400, 1 << 20},
		"unknown encoding": {"Page", []byte(`{}`), []string{"Content-Encoding", "br"}, 501, 1 << 20},
		"levels":           {"Send", []byte(`{"conv":"u/bob","body":` + deep(20_000) + `}`), nil, 400, 1 << 20},
		"unknown levels":   {"Send", []byte(`{"x":` + deep(20_000) + `}`), nil, 400, 1 << 20},
		"parts":            {"SendBatch", []byte(`{"sends":[` + strings.Repeat(`{},`, 300_000) + `{}]}`), nil, 400, 16 << 20},
		"keys":             {"Page", []byte(`{` + strings.Repeat(`"k":1,`, 150_000) + `"conv":"x"}`), nil, 400, 8 << 20},
		"protobuf length":  {"Page", []byte{0x0a, 0xff, 0xff, 0xff, 0xff, 0x07}, []string{"Content-Type", "application/proto"}, 400, 1 << 20},
		"protobuf groups":  {"Page", bytes.Repeat([]byte{0x0b}, 500_000), []string{"Content-Type", "application/proto"}, 400, 8 << 20},
	} {
		v, _ := wire.VerbOf(c.verb)
		var rec *httptest.ResponseRecorder
		n := allocated(func() { rec = w.serve(v.Procedure(), bytes.NewReader(c.body), append(alice, c.headers...)...) })
		if rec.Code != c.status {
			t.Errorf("%s: %d %s", name, rec.Code, rec.Body)
		}
		if n > c.most {
			t.Errorf("%s: %d bytes were allocated", name, n)
		}
	}
	// A length of 2 GiB is believed by nobody.
	n := allocated(func() {
		rec := w.serve("/anser.v1.MessageService/Page", bytes.NewReader([]byte{0, 0x7f, 0xff, 0xff, 0xff, 1, 2}), append(alice, "Content-Type", "application/grpc")...)
		if rec.Header().Get("Grpc-Status") != "3" && rec.Result().Trailer.Get("Grpc-Status") != "3" {
			t.Errorf("gRPC: %v %v", rec.Header(), rec.Result().Trailer)
		}
	})
	if n > 1<<20 {
		t.Errorf("gRPC: %d bytes were allocated", n)
	}
}

// deadlines notes what a handler asks of a connection.
type deadlines struct {
	*httptest.ResponseRecorder
	read, write time.Time
}

func (d *deadlines) SetReadDeadline(t time.Time) error  { d.read = t; return nil }
func (d *deadlines) SetWriteDeadline(t time.Time) error { d.write = t; return nil }

// Bodies that come slowly keep nobody out, and have an end.
func TestSlowCallsKeepNobodyOut(t *testing.T) {
	w := newWorld(t)
	alice := bearer(w.token("alice"))
	const slow = 200
	in, end := make(chan struct{}, slow), make(chan struct{})
	var wg sync.WaitGroup
	for range slow {
		wg.Go(func() {
			if rec := w.serve("/anser.v1.MessageService/Send", &begun{in: in, end: end}, alice...); rec.Code != 400 {
				t.Errorf("a body that broke off: %d %s", rec.Code, rec.Body)
			}
		})
	}
	for range slow {
		<-in
	}
	if n := w.door.Stats().InFlight; n != slow {
		t.Errorf("%d calls in flight", n)
	}
	r := httptest.NewRequest(http.MethodPost, "/anser.v1.MessageService/Send", strings.NewReader(`{"conv":"u/bob","body":1}`))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set(alice[0], alice[1])
	d := &deadlines{ResponseRecorder: httptest.NewRecorder()}
	w.door.ServeHTTP(d, r)
	if d.Code != http.StatusOK {
		t.Errorf("%d %s", d.Code, d.Body)
	}
	if left := time.Until(d.read); left <= 0 || left > 10*time.Second {
		t.Errorf("a body may come for %v", left)
	}
	if left := time.Until(d.write); left <= 0 || left > time.Minute {
		t.Errorf("an answer may be taken for %v", left)
	}
	close(end)
	wg.Wait()
}

// Whatever comes as a request's body is answered in words, and ends nothing.
func FuzzCall(f *testing.F) {
	w := newWorld(f)
	alice := bearer(w.token("alice"))
	verbs := wire.Verbs()
	for i, v := range verbs {
		f.Add(i, []byte(`{"conv":"u/bob","id":"1","seq":"1"}`), false)
		b, err := wire.Binary.MarshalBody(v.NewRequest())
		w.ok(err)
		f.Add(i, b, true)
	}
	f.Add(0, []byte(`{"conv":"u/bob","body":{"a":[1,"\ud800"]},"options":{"mentions":{"roles":["admin"]},"to":["x"]}}`), false)
	f.Add(1, []byte(`{"sends":[{"conv":"u/bob","body":1},null]}`), false)
	f.Fuzz(func(t *testing.T, verb int, body []byte, binary bool) {
		v := verbs[uint(verb)%uint(len(verbs))]
		headers := alice
		if binary {
			headers = append(alice, "Content-Type", "application/proto")
		}
		rec := w.serve(v.Procedure(), bytes.NewReader(body), headers...)
		if rec.Code == http.StatusInternalServerError {
			t.Fatalf("%s %q: %s", v.Name, body, rec.Body)
		}
		if rec.Code == http.StatusOK && !binary {
			if err := wire.JSON.UnmarshalBody(rec.Body.Bytes(), v.NewResponse()); err != nil {
				t.Fatalf("%s: the answer %q: %v", v.Name, rec.Body, err)
			}
		}
	})
}

// serveGet is serve for pages.
func (w *world) serveGet(path string) *httptest.ResponseRecorder {
	rec := httptest.NewRecorder()
	w.door.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, path, nil))
	return rec
}
