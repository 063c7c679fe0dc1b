package httpapi

import (
	"bytes"
	"net/http"
	"time"
)

//go:generate go run gen.go

// reference serves what the API offers, for people and for tools. It is the same for
// everybody and tells nothing of this server's data, so it needs no token.
func reference(name, contentType string) http.HandlerFunc {
	b, err := static.ReadFile("static/" + name)
	if err != nil {
		panic(err) // it is built in
	}
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.Header().Set("Cache-Control", "no-cache")
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(b))
	}
}
