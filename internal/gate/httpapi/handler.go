package httpapi

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"runtime/debug"
	"strings"
	"time"

	"github.com/anser-im/anser/internal/im"
)

// handler is the HTTP door. It is fixed after New.
type handler struct {
	Config
	page   page
	places chan struct{} // one for each login in flight
}

// A Door is the handler of the public listeners.
type Door struct {
	http.Handler
	api *api // nil = none
}

// Stats counts what the API did.
func (d *Door) Stats() Stats {
	if d.api == nil {
		return Stats{}
	}
	return d.api.counts.stats()
}

// New makes the handler of the public listeners.
func New(c Config) *Door {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Addr == nil {
		c.Addr = SocketAddr
	}
	if c.Origins == nil {
		c.Origins = SameOrigin
	}
	h := &handler{Config: c, page: newPage(c.Version), places: make(chan struct{}, loginsInFlight)}
	routes := map[string]route{
		"/":            {get: h.page.serve},
		"/favicon.svg": {get: h.page.asset},
		"/anser.css":   {get: h.page.asset},
		"/healthz":     {get: h.healthz},
		"/readyz":      {get: h.readyz},
	}
	if c.Accounts != nil {
		routes["/v1/login"] = route{post: h.signIn(h.login)}
		routes["/v1/refresh"] = route{post: h.signIn(h.refresh)}
		routes["/v1/logout"] = route{post: h.signIn(h.logout)}
	}
	if c.WS != nil {
		routes["/v1/ws"] = route{get: c.WS.ServeHTTP}
	}
	d := &Door{}
	if c.Core != nil {
		d.api = newAPI(c)
		routes[apiPrefix] = route{post: h.cors(d.api)}
		routes["/v1/docs"] = route{get: reference("docs.html", "text/html; charset=utf-8")}
		routes["/v1/docs.css"] = route{get: reference("docs.css", "text/css; charset=utf-8")}
		routes["/v1/openapi.json"] = route{get: reference("openapi.json", "application/json")}
	}
	d.Handler = Recover(c.Log, Secure(routing(routes)))
	return d
}

// A route has the handler of each method; nil = not allowed.
type route struct{ get, post http.HandlerFunc }

// routing serves exact paths, and what begins with apiPrefix, and tells all others in
// JSON what is wrong.
func routing(routes map[string]route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// net/http reads what is left of a body before it answers: also where nobody takes one
		// a slow one ends. Not supported on test recorders; there is nothing to be slow there.
		http.NewResponseController(w).SetReadDeadline(time.Now().Add(readSeconds * time.Second))
		path := r.URL.Path
		if strings.HasPrefix(path, apiPrefix) {
			path = apiPrefix
		}
		p, ok := routes[path]
		if !ok {
			WriteError(w, im.Errorf(im.NotFound, "there is nothing at this path"))
			return
		}
		var serve http.HandlerFunc
		switch r.Method {
		case http.MethodGet, http.MethodHead:
			serve = p.get
		case http.MethodPost, http.MethodOptions:
			serve = p.post
		}
		if serve == nil {
			allow := "GET, HEAD"
			if p.get == nil {
				allow = "POST"
			}
			w.Header().Set("Allow", allow)
			if path == apiPrefix {
				refuseCall(w, http.StatusMethodNotAllowed, im.Errorf(im.Invalid, "this path takes %s", allow))
				return
			}
			WriteJSON(w, http.StatusMethodNotAllowed, problem{Code: im.CodeInvalid, Message: "this path takes " + allow})
			return
		}
		serve(w, r)
	})
}

// Secure sets the headers that keep browsers from doing with an answer what it is not
// for. The policy lets a page load its own styles and images and nothing else.
func Secure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		if r.TLS != nil {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		next.ServeHTTP(w, r)
	})
}

// Recover turns a panic, which is a bug of ours, into a line in the log and an answer.
func Recover(log *slog.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if v == http.ErrAbortHandler {
				panic(v)
			}
			log.Error("a request ended in a panic", "method", r.Method, "path", clip(r.URL.Path), "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
			WriteError(w, im.Errorf(im.Internal, "something went wrong on the server; it has been logged"))
		}()
		next.ServeHTTP(w, r)
	})
}

// clip bounds what of a request is logged.
func clip(s string) string {
	if len(s) > 100 {
		s = s[:100] + "…"
	}
	return strings.ToValidUTF8(s, "?")
}

// Tune sets the limits of a server for the public: time for heads, idle connections,
// size of heads. What remains of a request is limited by its handler.
func Tune(s *http.Server, log *slog.Logger) {
	s.ReadHeaderTimeout = readSeconds * time.Second
	s.IdleTimeout = idleSeconds * time.Second
	s.MaxHeaderBytes = maxHeader
	// gRPC needs HTTP/2, without TLS too (h2c, by prior knowledge: RFC 9113 §3.3).
	s.Protocols = new(http.Protocols)
	s.Protocols.SetHTTP1(true)
	s.Protocols.SetHTTP2(true)
	s.Protocols.SetUnencryptedHTTP2(true)
	s.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: 64, WriteByteTimeout: writeSeconds * time.Second,
		SendPingTimeout: idleSeconds * time.Second, PingTimeout: readSeconds * time.Second,
		MaxReceiveBufferPerConnection: 1 << 20, MaxReceiveBufferPerStream: 256 << 10}
	if log != nil {
		s.ErrorLog = slog.NewLogLogger(log.Handler(), slog.LevelDebug) // broken clients, port scans
	}
}

// SocketAddr is the address of the other end of the connection.
func SocketAddr(r *http.Request) netip.Addr {
	a, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return a.Addr().Unmap()
}

// SameOrigin says whether a request comes from no browser's page, or from a page of
// the host that it is sent to. The scheme is not compared: a proxy may have ended TLS.
func SameOrigin(r *http.Request) bool {
	origins := r.Header.Values("Origin")
	if len(origins) == 0 {
		return true
	}
	if len(origins) > 1 {
		return false
	}
	u, err := url.Parse(origins[0])
	return err == nil && u.Host != "" && strings.EqualFold(u.Host, r.Host)
}
