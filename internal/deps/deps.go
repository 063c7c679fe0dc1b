//go:build deps

// Package deps pins the libraries until the rooms import them.
package deps

import (
	_ "github.com/cockroachdb/pebble/v2"
	_ "google.golang.org/protobuf/proto"
	_ "github.com/planetscale/vtprotobuf/protohelpers"
	_ "github.com/lxzan/gws"
	_ "github.com/golang-jwt/jwt/v5"
	_ "github.com/MicahParks/keyfunc/v3"
	_ "golang.org/x/crypto/argon2"
	_ "github.com/alecthomas/kong"
	_ "github.com/goccy/go-yaml"
	_ "github.com/reeflective/readline"
	_ "github.com/vbauerster/mpb/v8"
	_ "github.com/prometheus/client_golang/prometheus/promhttp"
	_ "github.com/lmittmann/tint"
	_ "pgregory.net/rapid"
	_ "github.com/anishathalye/porcupine"
	_ "go.uber.org/goleak"
	_ "golang.org/x/time/rate"
	_ "github.com/maypok86/otter/v2"
	_ "github.com/klauspost/compress/zstd"
	_ "github.com/pires/go-proxyproto"
	_ "golang.org/x/text/unicode/norm"
	_ "github.com/google/uuid"
	_ "github.com/cespare/xxhash/v2"
	_ "golang.org/x/sync/errgroup"
	_ "golang.org/x/sys/unix"
	_ "golang.org/x/term"
	_ "golang.org/x/mobile/bind"
	_ "github.com/rogpeppe/go-internal/testscript"
	_ "golang.org/x/text/language"
)
