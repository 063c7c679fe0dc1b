package httpapi

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"connectrpc.com/connect/v2"

	"github.com/anser-im/anser/internal/gate/rpc"
	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/wire"
)

// rpcCodes has the code of gRPC and Connect of each kind of error. Over HTTP they
// become the statuses of the table `status`, but for TooLarge, which the library would
// answer as 400 (see answerWriter).
var rpcCodes = map[im.Kind]connect.Code{
	im.Unauthenticated: connect.CodeUnauthenticated,
	im.Invalid:         connect.CodeInvalidArgument,
	im.TooLarge:        connect.CodeInvalidArgument,
	im.NotFound:        connect.CodeNotFound,
	im.Conflict:        connect.CodeAborted,
	im.Unsupported:     connect.CodeUnimplemented,
	im.Denied:          connect.CodePermissionDenied,
	im.Limited:         connect.CodeResourceExhausted,
	im.Busy:            connect.CodeUnavailable,
	im.Unavailable:     connect.CodeUnavailable,
	im.ReadOnly:        connect.CodeUnavailable,
	im.Internal:        connect.CodeInternal,
}

// problemType is the kind of the detail that every error of the API has.
var problemType = string((&wire.Problem{}).ProtoReflect().Descriptor().FullName())

// rpcError is e as the library tells it: code, text, and a Problem as its detail.
func rpcError(e *im.Error) *connect.Error {
	p := &wire.Problem{Code: rpc.CodeOf(e), Message: e.Text, RetryMs: rpc.RetryMillis(e.Retry)}
	out := connect.NewError(rpcCodes[e.Kind], e.Text)
	value, err := wire.Binary.MarshalBody(p)
	if err != nil {
		return out
	}
	debug, err := wire.JSON.MarshalBody(p)
	if err != nil {
		return out
	}
	return out.WithDetail(&connect.ErrorDetail{Type: problemType, Value: value, Debug: debug})
}

// refuseCall answers a call that is refused before the library sees it, as the library
// answers in the Connect protocol.
func refuseCall(w http.ResponseWriter, status int, e *im.Error) {
	p := &wire.Problem{Code: rpc.CodeOf(e), Message: e.Text}
	value, err := wire.Binary.MarshalBody(p)
	if err != nil {
		WriteError(w, err)
		return
	}
	debug, err := wire.JSON.MarshalBody(p)
	if err != nil {
		WriteError(w, err)
		return
	}
	type detail struct {
		Type  string          `json:"type"`
		Value string          `json:"value"`
		Debug json.RawMessage `json:"debug"`
	}
	w.Header().Set("Anser-Code", strconv.FormatUint(uint64(p.Code), 10))
	WriteJSON(w, status, struct {
		Code    string   `json:"code"`
		Message string   `json:"message"`
		Details []detail `json:"details"`
	}{rpcCodes[e.Kind].String(), e.Text, []detail{{problemType, base64.RawStdEncoding.EncodeToString(value), debug}}})
}

// errorHeaders are for who reads no body: the number, and the time to wait.
func errorHeaders(h *connect.Header, e *im.Error) {
	h.Set("Anser-Code", strconv.FormatUint(uint64(rpc.CodeOf(e)), 10))
	if e.Retry > 0 {
		h.Set("Retry-After", retryAfter(e.Retry))
	}
	if e.Kind == im.Unauthenticated {
		h.Set("WWW-Authenticate", "Bearer") // RFC 9110 §11.6.1
	}
}

// retryAfter is in whole seconds, RFC 9110 §10.2.3.
func retryAfter(d time.Duration) string {
	return strconv.FormatInt(int64((d+time.Second-1)/time.Second), 10)
}

// errorOf is what went wrong, in our words. Errors of the library are about the bytes
// of the request.
func errorOf(err error) *im.Error {
	var e *im.Error
	if errors.As(err, &e) {
		return e
	}
	var large *http.MaxBytesError
	var c *connect.Error
	switch {
	case errors.As(err, &large):
		return im.Errorf(im.TooLarge, "the request is larger than %d bytes", large.Limit)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return im.Wrap(im.Unavailable, err, "the time for this request is over and its outcome not known: repeat it under the same client id")
	case errors.As(err, &c):
		switch c.Code() {
		case connect.CodeResourceExhausted:
			return im.Errorf(im.TooLarge, "the request is larger than %d bytes", maxCall)
		case connect.CodeInvalidArgument:
			return im.Wrap(im.Invalid, err, "the request cannot be read: "+c.Message())
		case connect.CodeUnimplemented:
			return im.Errorf(im.Unsupported, "this server has no such verb, or not in this form")
		case connect.CodeUnknown, connect.CodeInternal: // a body that is not what its head says, or breaks off
			return im.Wrap(im.Invalid, err, "the request broke off, or its parts do not fit together")
		}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return im.Wrap(im.Invalid, err, "the request broke off")
	}
	return im.AsError(err)
}

// answerWriter answers 413 where the library has no status of its own for it.
type answerWriter struct {
	http.ResponseWriter
	tooLarge bool // set before the header is written
}

func (w *answerWriter) WriteHeader(status int) {
	if w.tooLarge && status == http.StatusBadRequest {
		status = http.StatusRequestEntityTooLarge
	}
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (w *answerWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Flush is for the library, which flushes answers of gRPC.
func (w *answerWriter) Flush() { http.NewResponseController(w.ResponseWriter).Flush() }
