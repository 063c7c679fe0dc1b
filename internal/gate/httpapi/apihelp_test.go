package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"

	"github.com/anser-im/anser/internal/auth"
	"github.com/anser-im/anser/internal/core"
	"github.com/anser-im/anser/internal/gate/httpapi"
	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store/memstore"
	"github.com/anser-im/anser/wire"
)

var apiSecret = []byte("0123456789abcdef0123456789abcdef")

// Rows is for app keys.
func (s *rows) Rows(_ context.Context, prefix string, limit int) (out []auth.Row, _ error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, v := range s.rows {
		if key, ok := strings.CutPrefix(k, "\x00"); ok && strings.HasPrefix(key, prefix) && len(out) < limit {
			out = append(out, auth.Row{Key: key, Value: v})
		}
	}
	return out, s.fail
}

// log is what was logged.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// world is an API before a core over the model of a store, on a real socket.
type world struct {
	testing.TB
	core   *core.Core
	rows   *rows
	rev    *auth.Revoker
	keys   *auth.AppKeys
	signer *auth.Signer
	door   *httpapi.Door
	base   string // http://127.0.0.1:...
	log    *logged
	h1, h2 *http.Client
}

func newWorld(t testing.TB, change ...func(*core.Config, *httpapi.Config)) *world {
	t.Helper()
	w := &world{TB: t, rows: &rows{rows: map[string][]byte{}}, log: &logged{}}
	st := memstore.New(memstore.Config{})
	v, err := auth.NewVerifier(auth.Config{Secret: apiSecret})
	w.ok(err)
	w.signer, err = auth.NewSigner(apiSecret, "", nil)
	w.ok(err)
	w.rev = auth.NewRevoker(w.rows, nil, func(r auth.Revocation) { w.core.Revoked(r) })
	w.keys = auth.NewAppKeys(w.rows, nil)
	log := slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	cc := core.Config{SweepEvery: -1}
	hc := httpapi.Config{Health: func() httpapi.Health { return httpapi.Health{Alive: true, Ready: true} }, Keys: w.keys, Log: log}
	cc.Limits.SendRate = -1
	for _, f := range change {
		f(&cc, &hc)
	}
	w.core = core.New(cc, st, v, w.rev)
	hc.Core = w.core
	w.door = httpapi.New(hc)
	srv := &http.Server{Handler: w.door}
	httpapi.Tune(srv, nil)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	w.ok(err)
	var serving sync.WaitGroup
	serving.Go(func() { srv.Serve(ln) })
	w.base = "http://" + ln.Addr().String()
	one, two := &http.Transport{}, &http.Transport{Protocols: new(http.Protocols)}
	two.Protocols.SetUnencryptedHTTP2(true)
	w.h1, w.h2 = &http.Client{Transport: one}, &http.Client{Transport: two}
	t.Cleanup(func() {
		one.CloseIdleConnections()
		two.CloseIdleConnections()
		srv.Close()
		serving.Wait()
		w.core.Close()
		w.keys.Close()
		st.Close()
	})
	return w
}

func (w *world) ok(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) token(user string, change ...func(*auth.Claims)) string {
	w.Helper()
	c := auth.Claims{User: im.UserID(user), Expires: time.Now().Add(time.Hour)}
	for _, f := range change {
		f(&c)
	}
	s, err := w.signer.Sign(c)
	w.ok(err)
	return s
}

func (w *world) key(k auth.AppKey) string {
	w.Helper()
	key, _, err := w.keys.Create(w.Context(), k)
	w.ok(err)
	return key
}

// answer is what a POST was answered.
type answer struct {
	*http.Response
	body string
	fail struct {
		Code    string
		Message string
		Details []struct {
			Type, Value string
			Debug       struct {
				Code    uint32
				Message string
				RetryMs uint32 `json:"retry_ms"`
			}
		}
	}
}

// code is our number of an error; 0 = none.
func (a answer) code() uint32 {
	if len(a.fail.Details) == 0 {
		return 0
	}
	return a.fail.Details[0].Debug.Code
}

// post asks in JSON.
func (w *world) post(verb, body string, headers ...string) answer {
	w.Helper()
	v, ok := wire.VerbOf(verb)
	path := "/anser.v1.MessageService/" + verb
	if ok {
		path = v.Procedure()
	}
	return w.do(path, strings.NewReader(body), headers...)
}

func (w *world) do(path string, body io.Reader, headers ...string) answer {
	w.Helper()
	r, err := http.NewRequestWithContext(w.Context(), http.MethodPost, w.base+path, body)
	w.ok(err)
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		if headers[i+1] == "" {
			r.Header.Del(headers[i])
		} else {
			r.Header.Add(headers[i], headers[i+1])
			if headers[i] == "Content-Type" {
				r.Header.Set(headers[i], headers[i+1])
			}
		}
	}
	resp, err := w.h1.Do(r)
	w.ok(err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	w.ok(err)
	a := answer{Response: resp, body: string(b)}
	if resp.StatusCode != 200 {
		json.Unmarshal(b, &a.fail)
	}
	return a
}

func bearer(token string) []string { return []string{"Authorization", "Bearer " + token} }

func as(key, user string) []string {
	return []string{"Authorization", "Bearer " + key, "Anser-As", user}
}

// clients speak each protocol of the API, with the generated code.
func (w *world) clients(token string) map[string]*connect.Client {
	auth := func(next connect.ClientFunc) connect.ClientFunc {
		return func(ctx context.Context, spec connect.Spec) (connect.ClientStream, error) {
			info, _ := connect.CallInfoForClientContext(ctx)
			info.RequestHeader().Set("Authorization", "Bearer "+token)
			return next(ctx, spec)
		}
	}
	client := func(h *http.Client, o ...connecthttp.Option) *connect.Client {
		return connect.NewClient(connecthttp.NewTransport(h, w.base, o...), auth)
	}
	own := connecthttp.WithCodecs(jsonCodec{})
	return map[string]*connect.Client{
		"connect proto":  client(w.h1),
		"connect json":   client(w.h1, own),
		"connect h2":     client(w.h2, connecthttp.WithSendGzip()),
		"grpc":           client(w.h2, connecthttp.WithGRPC()),
		"grpc json":      client(w.h2, connecthttp.WithGRPC(), own),
		"grpc-web":       client(w.h1, connecthttp.WithGRPCWeb()),
		"grpc-web json":  client(w.h1, connecthttp.WithGRPCWeb(), own),
		"grpc-web h2 gz": client(w.h2, connecthttp.WithGRPCWeb(), connecthttp.WithSendGzip()),
	}
}

// jsonCodec is our JSON, for clients.
type jsonCodec struct{}

func (jsonCodec) Name() string { return connect.CodecNameJSON }

func (jsonCodec) MarshalWrite(_ context.Context, dst io.Writer, msg any) error {
	b, err := wire.JSON.MarshalBody(msg.(wire.Body))
	if err == nil {
		_, err = dst.Write(b)
	}
	return err
}

func (jsonCodec) UnmarshalRead(_ context.Context, src io.Reader, msg any) error {
	b, err := io.ReadAll(src)
	if err != nil {
		return err
	}
	return wire.JSON.UnmarshalBody(b, msg.(wire.Body))
}
