package server

import (
	"context"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/anser-im/anser/internal/gate/httpapi"
	"github.com/anser-im/anser/internal/im"
)

// adminHandler serves the admin listener.
//
//	GET  /metrics                                   Prometheus
//	GET  /debug/pprof/...                           profiles
//	GET  /v1/status                                 Status
//	GET  /v1/users?after=&limit=                    UserList
//	GET  /v1/users/sessions?user=, /v1/users/devices?user=
//	POST /v1/users/password, /remove, /revoke, /kick
//	GET  /v1/keys                                   KeyList
//	POST /v1/keys/create, /v1/keys/revoke
//
// Everything needs the admin token as Bearer, but /metrics where the configuration
// opens it; and a Host that names this machine, so that no page of a foreign name that
// resolves to loopback gets here (DNS rebinding).
func (s *Server) adminHandler() http.Handler {
	m := http.NewServeMux()
	m.Handle("GET /metrics", promhttp.HandlerFor(s.metrics(), promhttp.HandlerOpts{}))
	m.HandleFunc("GET /debug/pprof/", pprof.Index)
	m.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	m.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	m.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	m.HandleFunc("GET /debug/pprof/trace", pprof.Trace)

	m.HandleFunc("GET /v1/status", answer(func(ctx context.Context, a *adminOps, r *http.Request) (any, error) { return s.Status(), nil }, s))
	m.HandleFunc("GET /v1/users", answer(func(ctx context.Context, a *adminOps, r *http.Request) (any, error) {
		limit, err := strconv.Atoi(r.URL.Query().Get("limit"))
		if err != nil && r.URL.Query().Get("limit") != "" {
			return nil, im.Errorf(im.Invalid, "limit is no number")
		}
		return a.Users(ctx, im.UserID(r.URL.Query().Get("after")), limit)
	}, s))
	m.HandleFunc("GET /v1/users/sessions", answer(func(ctx context.Context, a *adminOps, r *http.Request) (any, error) {
		return a.Sessions(ctx, im.UserID(r.URL.Query().Get("user")))
	}, s))
	m.HandleFunc("GET /v1/users/devices", answer(func(ctx context.Context, a *adminOps, r *http.Request) (any, error) {
		return a.Devices(ctx, im.UserID(r.URL.Query().Get("user")))
	}, s))
	m.HandleFunc("POST /v1/users/password", take(func(ctx context.Context, a *adminOps, q PasswordRequest) (any, error) {
		return struct{}{}, a.SetPassword(ctx, q)
	}, s))
	m.HandleFunc("POST /v1/users/remove", take(func(ctx context.Context, a *adminOps, q UserRequest) (any, error) {
		return struct{}{}, a.RemovePassword(ctx, q.User)
	}, s))
	m.HandleFunc("POST /v1/users/revoke", take(func(ctx context.Context, a *adminOps, q RevokeRequest) (any, error) {
		return struct{}{}, a.Revoke(ctx, q)
	}, s))
	m.HandleFunc("POST /v1/users/kick", take(func(ctx context.Context, a *adminOps, q KickRequest) (any, error) {
		n, err := a.Kick(ctx, q)
		return KickAnswer{n}, err
	}, s))
	m.HandleFunc("GET /v1/keys", answer(func(ctx context.Context, a *adminOps, r *http.Request) (any, error) { return a.Keys(ctx) }, s))
	m.HandleFunc("POST /v1/keys/create", take(func(ctx context.Context, a *adminOps, q KeyRequest) (any, error) { return a.CreateKey(ctx, q) }, s))
	m.HandleFunc("POST /v1/keys/revoke", take(func(ctx context.Context, a *adminOps, q KeyName) (any, error) {
		return struct{}{}, a.RevokeKey(ctx, q.Name)
	}, s))
	m.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		httpapi.WriteError(w, im.Errorf(im.NotFound, "there is nothing at this path"))
	})
	return httpapi.Recover(s.log, httpapi.Secure(s.guard(m)))
}

// guard lets only admins through.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isLocalHost(r.Host) {
			s.log.Warn("an admin request for a foreign host was refused", "host", shorten(r.Host), "addr", r.RemoteAddr)
			httpapi.WriteError(w, im.Errorf(im.Denied, "this listener answers to the name localhost or a loopback address alone"))
			return
		}
		if s.cfg.OpenMetrics && r.URL.Path == "/metrics" {
			next.ServeHTTP(w, r)
			return
		}
		token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !ok || !s.secrets.IsAdmin(token) {
			if ok {
				s.log.Warn("a wrong admin token was refused", "addr", r.RemoteAddr)
			}
			httpapi.WriteError(w, im.Errorf(im.Unauthenticated, "the admin token is needed: Authorization: Bearer, with what the file admin-token in the data directory holds"))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// isLocalHost says whether a Host header names this machine.
func isLocalHost(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if strings.EqualFold(host, "localhost") {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}

func shorten(s string) string {
	if len(s) > 100 {
		return s[:100]
	}
	return s
}

// adminPatience is how long an admin's request may take.
const adminPatience = 30 * time.Second

// answer serves a question.
func answer(do func(context.Context, *adminOps, *http.Request) (any, error), s *Server) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), adminPatience)
		defer cancel()
		v, err := do(ctx, s.ops("admin "+r.RemoteAddr), r)
		s.reply(w, r, v, err)
	}
}

// take serves a write.
func take[Q any](do func(context.Context, *adminOps, Q) (any, error), s *Server) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var q Q
		if err := httpapi.ReadBody(w, r, &q); err != nil {
			httpapi.WriteError(w, err)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), adminPatience)
		defer cancel()
		v, err := do(ctx, s.ops("admin "+r.RemoteAddr), q)
		s.reply(w, r, v, err)
	}
}

func (s *Server) reply(w http.ResponseWriter, r *http.Request, v any, err error) {
	if err == nil {
		httpapi.WriteJSON(w, http.StatusOK, v)
		return
	}
	if e := im.AsError(err); e.Kind == im.Internal {
		s.log.Error("an admin request failed", "path", r.URL.Path, "error", e.Unwrap())
	}
	httpapi.WriteError(w, err)
}

// ops is what an admin may do here.
func (s *Server) ops(by string) *adminOps {
	return &adminOps{store: s.store, accounts: s.accounts, revoker: s.revoker, keys: s.keys, core: s.core, audit: s.audit, by: by}
}
