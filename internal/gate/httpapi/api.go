package httpapi

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"

	"github.com/anser-im/anser/internal/auth"
	"github.com/anser-im/anser/internal/core"
	"github.com/anser-im/anser/internal/gate/rpc"
	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/wire"
)

// Limits of a call of the API.
const (
	maxCall     = 1 << 20         // bytes of a request's message, decompressed; as a frame of the native protocol
	maxCallBody = maxCall + 4<<10 // bytes of its body as it comes, with what gRPC puts around it
	maxAnswer   = 8 << 20         // bytes of an answer
	callsBytes  = 64 << 20        // bytes of bodies that are being read, all together
	maxCalls    = 1024            // that are being carried out, all together; their answers are in memory
	callSeconds = 30              // for the verb
	minCompress = 1 << 10         // bytes of an answer that is worth compressing
	apiPrefix   = "/anser.v1."    // of all paths
)

// api is the schema's verbs over HTTP: the Connect protocol (JSON or protobuf over
// POST), gRPC and gRPC-Web, told apart by the content type. It is fixed after newAPI,
// but for its counters.
type api struct {
	core     *core.Core
	keys     *auth.AppKeys // nil = none are taken
	log      *slog.Logger
	addr     func(*http.Request) netip.Addr
	mux      *http.ServeMux
	failures auth.Failures
	budget   atomic.Int64 // bytes of bodies being read
	running  atomic.Int64 // calls being carried out
	counts   apiCounts
}

func newAPI(c Config) *api {
	a := &api{core: c.Core, keys: c.Keys, log: c.Log, addr: c.Addr, mux: http.NewServeMux()}
	s := connect.NewServer(a.intercept)
	for _, v := range rpc.Verbs() {
		s.Register(connect.Method{
			Spec:    connect.Spec{StreamType: connect.StreamTypeUnary, Procedure: v.Procedure()},
			Handler: a.serve(v),
		})
	}
	s.SetUnknownHandler(func(context.Context, connect.Spec, connect.ServerStream) error {
		return im.Errorf(im.Unsupported, "this server has no verb of that name")
	})
	a.mux.HandleFunc("/", noService) // the library takes its services alone
	connecthttp.Mount(a.mux, s, connecthttp.WithCodecs(codecs...), connecthttp.WithReadMaxBytes(maxCall),
		connecthttp.WithSendMaxBytes(maxAnswer), connecthttp.WithCompressMinBytes(minCompress))
	return a
}

// noService answers a call of a service that is not in the schema.
func noService(w http.ResponseWriter, r *http.Request) {
	e := im.Errorf(im.Unsupported, "this server has no service of that name")
	if ct := r.Header.Get("Content-Type"); strings.HasPrefix(strings.ToLower(ct), "application/grpc") {
		// gRPC over HTTP2, Responses: an answer of trailers alone.
		w.Header().Set("Content-Type", ct)
		w.Header().Set("Grpc-Status", strconv.Itoa(int(rpcCodes[e.Kind])))
		w.Header().Set("Grpc-Message", e.Text)
		return
	}
	refuseCall(w, status[e.Kind], e)
}

// call is one request on its way. It belongs to its goroutine.
type call struct {
	w    *answerWriter
	addr netip.Addr
	sess *core.Session
}

type callKey struct{}

// ServeHTTP takes a call whose path begins with apiPrefix. Who asks is found out by
// intercept, when the library knows how to answer.
func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !knownContent(r.Header.Get("Content-Type")) {
		// A form of another site can send text/plain without asking (CSRF); this it cannot.
		w.Header().Set("Accept-Post", "application/json, application/proto, application/grpc, application/grpc-web")
		refuseCall(w, http.StatusUnsupportedMediaType, im.Errorf(im.Invalid,
			"set Content-Type to application/json, application/proto, application/grpc or application/grpc-web"))
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	// Not supported on test recorders; there is nothing to be slow there.
	ctl := http.NewResponseController(w)
	ctl.SetReadDeadline(time.Now().Add(readSeconds * time.Second))
	ctl.SetWriteDeadline(time.Now().Add((readSeconds + callSeconds + writeSeconds) * time.Second))

	c := &call{w: &answerWriter{ResponseWriter: w}, addr: a.addr(r)}
	ctx, cancel := context.WithTimeout(context.WithValue(r.Context(), callKey{}, c), (readSeconds+callSeconds)*time.Second)
	defer cancel()
	b := &budgeted{ReadCloser: http.MaxBytesReader(w, r.Body, maxCallBody), a: a}
	defer b.release()
	r = r.WithContext(ctx)
	r.Body = b
	a.counts.inFlight.Add(1)
	defer a.counts.inFlight.Add(-1)
	a.mux.ServeHTTP(c.w, r)
}

// knownContent says whether a content type is one of the API's.
func knownContent(ct string) bool {
	ct, params, _ := strings.Cut(ct, ";")
	switch ct = strings.ToLower(strings.TrimSpace(ct)); ct {
	case "application/json", "application/proto":
		params = strings.ToLower(strings.TrimSpace(params))
		return params == "" || params == "charset=utf-8" || params == `charset="utf-8"`
	case "application/grpc", "application/grpc+proto", "application/grpc+json",
		"application/grpc-web", "application/grpc-web+proto", "application/grpc-web+json":
		return true
	}
	return false
}

// budgeted counts the bytes of a body against those of all.
type budgeted struct {
	io.ReadCloser
	a    *api
	held int64
}

func (b *budgeted) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if n > 0 {
		b.held += int64(n)
		b.a.counts.received.Add(uint64(n))
		if b.a.budget.Add(int64(n)) > callsBytes {
			busy := im.Errorf(im.Busy, "the server is reading too much just now: try again").WithRetry(time.Second)
			return 0, rpcError(busy).WithCause(busy) // the library passes its own kind of error on as it is
		}
	}
	return n, err
}

func (b *budgeted) release() {
	b.a.budget.Add(-b.held)
	b.held = 0
}

// intercept stands around every verb, known or not: it finds out who asks before the
// request is read, and tells errors.
func (a *api) intercept(next connect.ServerFunc) connect.ServerFunc {
	return func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
		c, _ := ctx.Value(callKey{}).(*call)
		info, ok := connect.CallInfoForServerContext(ctx)
		if c == nil || !ok {
			return connect.NewError(connect.CodeInternal, "the call has no head")
		}
		service, _, _ := strings.Cut(strings.TrimPrefix(spec.Procedure, apiPrefix), "/")
		var err error
		if c.sess, err = a.enter(ctx, info.RequestHeader(), service, c.addr); err == nil {
			defer c.sess.Close() // after a panic too, which Recover answers
			if err = next(ctx, spec, stream); err != nil {
				a.rateHeaders(info.ResponseHeader(), c.sess)
			}
		}
		if err == nil {
			a.counts.add(info.Protocol, 0)
			return nil
		}
		e := errorOf(err)
		a.counts.add(info.Protocol, 1+int(e.Kind))
		if e.Kind == im.Internal {
			a.log.Error("a call failed", "procedure", clip(spec.Procedure), "err", e, "cause", e.Unwrap())
		} else {
			a.log.Debug("a call was refused", "procedure", clip(spec.Procedure), "addr", c.addr, "code", rpc.CodeOf(e))
		}
		errorHeaders(info.ResponseHeader(), e)
		c.w.tooLarge = e.Kind == im.TooLarge
		return rpcError(e)
	}
}

// notOverHTTP are verbs of a live link.
var notOverHTTP = map[string]bool{wire.MethodWatch: true, wire.MethodUnwatch: true, wire.MethodRenew: true}

// serve carries a verb out.
func (a *api) serve(v *rpc.Verb) connect.ServerFunc {
	return func(ctx context.Context, _ connect.Spec, stream connect.ServerStream) error {
		c := ctx.Value(callKey{}).(*call)
		info, _ := connect.CallInfoForServerContext(ctx)
		q := v.NewRequest()
		if err := stream.Receive(q); err != nil {
			return err
		}
		if notOverHTTP[v.Name] {
			return im.Errorf(im.Unsupported, "%s is for devices that are connected: over HTTP there is nothing that it could last for", v.Name)
		}
		if key, names := one(info.RequestHeader(), headerIdempotency); key != "" || !names {
			if err := setID(q, key, names); err != nil {
				return err
			}
		}
		defer a.running.Add(-1) // from here on it is in memory whole: slow bodies keep nobody out
		if a.running.Add(1) > maxCalls {
			return im.Errorf(im.Busy, "the server is carrying out too many calls: try again").WithRetry(time.Second)
		}
		answer, err := v.Call(ctx, c.sess, q)
		if err != nil {
			return err
		}
		a.rateHeaders(info.ResponseHeader(), c.sess)
		err = stream.Send(answer)
		if err != nil && connect.CodeOf(err) == connect.CodeResourceExhausted {
			return im.Errorf(im.TooLarge, "the answer is larger than %d bytes: ask for less", maxAnswer)
		}
		return err
	}
}

// rateHeaders tell how fast the user may send, in the fields of
// draft-ietf-httpapi-ratelimit-headers-05 §3.
func (a *api) rateHeaders(h *connect.Header, s *core.Session) {
	burst, left, full, ok := s.Rate()
	if !ok {
		return
	}
	h.Set("RateLimit-Limit", strconv.Itoa(burst))
	h.Set("RateLimit-Remaining", strconv.Itoa(left))
	h.Set("RateLimit-Reset", retryAfter(full))
}
