package httpapi

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/anser-im/anser/internal/im"
)

// status has the HTTP status of each kind of error.
var status = map[im.Kind]int{
	im.Unauthenticated: http.StatusUnauthorized,
	im.Invalid:         http.StatusBadRequest,
	im.TooLarge:        http.StatusRequestEntityTooLarge,
	im.NotFound:        http.StatusNotFound,
	im.Conflict:        http.StatusConflict,
	im.Unsupported:     http.StatusNotImplemented,
	im.Denied:          http.StatusForbidden,
	im.Limited:         http.StatusTooManyRequests,
	im.Busy:            http.StatusServiceUnavailable,
	im.Unavailable:     http.StatusServiceUnavailable,
	im.ReadOnly:        http.StatusServiceUnavailable,
	im.Internal:        http.StatusInternalServerError,
}

// problem is the body of a refusal.
type problem struct {
	Code    im.Code `json:"code"`
	Message string  `json:"message"`
	Retry   int64   `json:"retry_ms,omitempty"`
}

// WriteError answers with err as status, JSON and, where there is a time to wait,
// Retry-After. Causes stay inside: log them before.
func WriteError(w http.ResponseWriter, err error) {
	e := im.AsError(err)
	if e.Retry > 0 {
		s := (e.Retry + time.Second - 1) / time.Second // RFC 9110 §10.2.3: whole seconds
		w.Header().Set("Retry-After", strconv.FormatInt(int64(s), 10))
	}
	if e.Kind == im.Unauthenticated {
		w.Header().Set("WWW-Authenticate", "Bearer") // RFC 9110 §11.6.1: a 401 names a scheme
	}
	WriteJSON(w, status[e.Kind], problem{e.Code, e.Text, e.Retry.Milliseconds()})
}

// WriteJSON answers with v, never to be kept by a cache.
func WriteJSON(w http.ResponseWriter, code int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		code, b = http.StatusInternalServerError, []byte(`{"code":6009,"message":"the answer could not be written"}`)
	}
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(len(b)+1))
	w.WriteHeader(code)
	w.Write(append(b, '\n'))
}
