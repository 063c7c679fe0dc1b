package httpapi

import (
	"log/slog"
	"net/http"
	"net/netip"

	"github.com/anser-im/anser/internal/auth"
	"github.com/anser-im/anser/internal/core"
)

// Limits of a request. A body is a few short strings.
const (
	maxBody        = 8 << 10  // bytes
	maxHeader      = 16 << 10 // bytes, all lines of a request's head
	readSeconds    = 10       // for a head, and again for a body
	writeSeconds   = 10       // for an answer
	idleSeconds    = 60       // between two requests of a connection
	loginsInFlight = 64       // logins, refreshes and logouts at once; the rest is told Busy
)

// Health is how the server does.
type Health struct {
	Alive bool   // the service path works: logins and history do
	Ready bool   // sends are taken too
	Why   string // if not both: a short sentence for an operator, without internals
}

// Config is what the handler needs. Only Health is required.
type Config struct {
	Health   func() Health                   // cheap; called for each health request
	Accounts *auth.Accounts                  // nil = no /v1/login, /v1/refresh, /v1/logout
	Core     *core.Core                      // whose verbs the API offers; nil = no API
	Keys     *auth.AppKeys                   // the app keys that the API takes; nil = none
	WS       http.Handler                    // at /v1/ws; nil = none
	Addr     func(*http.Request) netip.Addr  // of the client, behind trusted proxies; nil = that of the socket
	Origins  func(r *http.Request) (ok bool) // whether a browser's page of this Origin may sign in and use the API; nil = only pages of this host
	Version  string                          // shown on the page
	Log      *slog.Logger                    // nil = nothing is logged
}
