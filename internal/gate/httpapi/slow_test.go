package httpapi_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// begun tells that it is read, and ends when it is let go.
type begun struct {
	once sync.Once
	in   chan<- struct{}
	end  <-chan struct{}
}

func (b *begun) Read([]byte) (int, error) {
	b.once.Do(func() { b.in <- struct{}{} })
	<-b.end
	return 0, io.ErrUnexpectedEOF
}

// Clients that send their bodies slowly keep nobody from signing in.
func TestSlowBodiesKeepNobodyOut(t *testing.T) {
	d := newDoor(t, nil)
	if _, err := d.accounts.SetPassword(t.Context(), "alice", password); err != nil {
		t.Fatal(err)
	}
	const slow = 200
	in, end := make(chan struct{}, slow), make(chan struct{})
	var wg sync.WaitGroup
	for range slow {
		wg.Go(func() {
			r := httptest.NewRequest(http.MethodPost, "/v1/login", &begun{in: in, end: end})
			r.Header.Set("Content-Type", "application/json")
			d.h.ServeHTTP(httptest.NewRecorder(), r)
		})
	}
	for range slow {
		<-in
	}
	w := d.do("POST", "/v1/login", js(map[string]string{"user": "alice", "password": password}))
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "token") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	close(end)
	wg.Wait()
}
