package server

import (
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/anser-im/anser/internal/core"
	"github.com/anser-im/anser/internal/gate"
	"github.com/anser-im/anser/internal/gate/line"
	"github.com/anser-im/anser/internal/gate/native"
	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store/pebblestore"
)

// Config is all that can be set: one YAML file. The zero value is the first start:
// doors on loopback alone, data in ./anser-data. The comments of the fields are the
// comments of --print-config and the text of docs/CONFIGURATION.md; after a change run
// "go generate ./internal/server".
type Config struct {
	// The doors, as URLs; a port 0 takes any free one. The first http or https URL is
	// the one shown to people. Default: http://127.0.0.1:7300 (WebSocket at /v1/ws,
	// health, login), tcp://127.0.0.1:7301 (native), line://127.0.0.1:7302 (nc). With
	// TLS: https, tls, line+tls. A list here replaces the default.
	Listen []string

	// Lets http, tcp and line listen beyond loopback, where all that is said can be
	// read on the way. Default: false; such an address ends the start. Behind a proxy
	// that ends TLS it is what you want.
	AllowPlain bool

	// The admin listener, for "anser user", metrics and profiles; everything on it
	// needs the admin token. "off" = none. Default: http://127.0.0.1:7309.
	Admin string

	// Lets /metrics on the admin listener answer without the admin token. Default: false.
	OpenMetrics bool

	// The directory of secrets and messages; made with mode 0700 if it is not there.
	// Default: ./anser-data.
	Data string

	// Certificates of the listeners with TLS.
	TLS TLSConfig

	// Addresses or networks (10.0.0.0/8) of proxies in front of this server. From them,
	// and from nobody else, X-Forwarded-For and the PROXY protocol are believed.
	// Default: none.
	TrustedProxies []string

	// Web origins, besides the server's own, whose pages may open a WebSocket, sign in or
	// use the HTTP API (https://chat.example.com). "*" = all. Default: none.
	Origins []string

	// Whose tokens are taken, besides those signed with the secret of the data directory.
	Auth AuthConfig

	// The built-in accounts: POST /v1/login and "anser user".
	Accounts AccountsConfig

	// Limits, all told to clients in the error that they cause. 0 = the default.
	Limits im.Limits

	// This node's name, told to clients. Default: anser.
	Node string

	// Addresses of other nodes that serve the same data, told to clients so that they
	// know where to go when this one ends (tls://im2.example.com:7301). Default: none.
	Nodes []string

	// Connections that have not signed in yet.
	Unauthenticated UnauthenticatedConfig

	// How often clients let themselves be heard. Zero settings have their defaults.
	Heartbeat native.Heartbeat

	// Which types of message there are.
	Types TypesConfig

	// What users may do.
	Rules core.Config `config:"omit=Limits,Node"`

	// All connections.
	Links gate.Config `config:"omit=AllowPlain"`

	// The native protocol, over TCP and WebSocket.
	Native native.Config `config:"omit=Heartbeat,Node,Nodes,Origins"`

	// The line door, for nc.
	Line line.Config

	// The store on disk.
	Store pebblestore.Config `config:"omit=Dir"`

	// How the server ends.
	Shutdown ShutdownConfig

	// What is logged, to standard error.
	Log LogConfig
}

// TLSConfig says where certificates are.
type TLSConfig struct {
	// A file with the certificate and its chain, PEM. Read again when it changes.
	// Default: none; a listener with TLS then ends the start.
	Cert string
	// A file with the private key, PEM. Default: none.
	Key string
}

// AuthConfig says whose tokens are taken.
type AuthConfig struct {
	// The app's id, which a token's aud must name if it has one. Default: default.
	App string
	// A file, or an https URL, with the public keys of your issuer (a JWKS): EdDSA,
	// ES256 or RS256. Default: none.
	JWKS string
	// What its tokens say in iss; required with jwks. Default: none.
	Issuer string
	// More HS256 secrets by the kid of their tokens, each a file of mode 0600 with at
	// least 32 bytes, for app servers of their own and for changing a secret. Default: none.
	Secrets map[string]string
	// Refuse tokens signed with the secret of the data directory, and so those of
	// "anser token" and of the built-in accounts. Default: false.
	NoDataSecret bool
}

// AccountsConfig says how the built-in accounts behave.
type AccountsConfig struct {
	// Turns /v1/login, /v1/refresh and /v1/logout off. Default: false. Nobody has an
	// account until "anser user add".
	Off bool
}

// UnauthenticatedConfig bounds connections that have not signed in.
type UnauthenticatedConfig struct {
	// From one address (IPv6: one /64) other than loopback. 0 = 100; negative = no limit.
	PerAddress int
	// In all. 0 = 1,000; negative = no limit.
	Total int
}

// ShutdownConfig says how the server ends.
type ShutdownConfig struct {
	// On SIGTERM or SIGINT clients are sent away spread over this time, so that they do
	// not all arrive elsewhere at once; it is over when the last one has gone, or with a
	// second signal. 0 = 8s; negative = at once.
	Drain time.Duration
	// The most time that ending takes after that, before what still runs is cut off.
	// 0 = 10s.
	Grace time.Duration
}

// LogConfig says what is logged.
type LogConfig struct {
	// How much: error, warn, info or debug. Default: info. No level logs message
	// bodies, tokens or passwords.
	Level string
	// How: console (for people, with colours on a terminal), text (key=value) or json.
	// Default: console on a terminal, else text.
	Format string
}

// The addresses of a first start.
const (
	defaultAdmin = "http://127.0.0.1:7309"
	defaultData  = "anser-data"
	adminOff     = "off"
)

func defaultListen() []string {
	return []string{"http://127.0.0.1:7300", "tcp://127.0.0.1:7301", "line://127.0.0.1:7302"}
}

// Defaults is c with every zero setting that has a default here set to it.
func (c Config) Defaults() Config {
	if len(c.Listen) == 0 {
		c.Listen = defaultListen()
	}
	if c.Admin == "" {
		c.Admin = defaultAdmin
	}
	if c.Data == "" {
		c.Data = "./" + defaultData
	}
	if c.Auth.App == "" {
		c.Auth.App = "default"
	}
	if c.Shutdown.Drain == 0 {
		c.Shutdown.Drain = 8 * time.Second
	}
	if c.Shutdown.Grace == 0 {
		c.Shutdown.Grace = 10 * time.Second
	}
	if c.Log.Level == "" {
		c.Log.Level = "info"
	}
	c.Limits = c.Limits.Defaults()
	return c
}

// proxies reads TrustedProxies.
func (c Config) proxies() ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, s := range c.TrustedProxies {
		if p, err := netip.ParsePrefix(s); err == nil {
			out = append(out, p.Masked())
			continue
		}
		a, err := netip.ParseAddr(s)
		if err != nil {
			return nil, failf(ExitConfig, "trusted_proxies: %q is neither an address nor a network like 10.0.0.0/8", s)
		}
		out = append(out, netip.PrefixFrom(a, a.BitLen()))
	}
	return out, nil
}

// checkData refuses a data directory that others may look into.
func checkData(dir string) error {
	fi, err := os.Stat(dir)
	if err != nil {
		return nil // not there yet, or told better by who opens it
	}
	if !fi.IsDir() {
		return failf(ExitData, "the data directory %s is a file: choose another with --data", dir)
	}
	if m := fi.Mode().Perm(); m&0o077 != 0 && runtime.GOOS != "windows" {
		abs, err := filepath.Abs(dir)
		if err != nil {
			abs = dir
		}
		return failf(ExitData, "others may look into the data directory %s (mode %#o): run \"chmod 700 %s\", or choose another with --data", dir, m, abs)
	}
	return nil
}

// check says what is wrong with settings that no other package looks at.
func (c Config) check() error {
	switch c.Log.Level {
	case "", "error", "warn", "info", "debug":
	default:
		return failf(ExitConfig, "log.level is %q; it takes error, warn, info or debug", c.Log.Level)
	}
	switch c.Log.Format {
	case "", "console", "text", "json":
	default:
		return failf(ExitConfig, "log.format is %q; it takes console, text or json", c.Log.Format)
	}
	if (c.TLS.Cert == "") != (c.TLS.Key == "") {
		return failf(ExitConfig, "tls.cert and tls.key go together; one of them is missing")
	}
	if c.Auth.JWKS != "" && c.Auth.Issuer == "" {
		return failf(ExitConfig, "auth.jwks is set without auth.issuer: set it to what the tokens say in iss")
	}
	for class := range c.Limits.SessionsByClass {
		if err := im.CheckClass(class); err != nil {
			return failf(ExitConfig, "limits.sessions_by_class: %w", err)
		}
	}
	if _, err := c.proxies(); err != nil {
		return err
	}
	return nil
}
