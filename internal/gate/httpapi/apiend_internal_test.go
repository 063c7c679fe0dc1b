package httpapi

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"

	"github.com/anser-im/anser/internal/auth"
	"github.com/anser-im/anser/internal/core"
	"github.com/anser-im/anser/internal/gate/rpc"
	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store/memstore"
)

// timed is an answer that notes until when its request may be read.
type timed struct {
	*httptest.ResponseRecorder
	read []time.Time
}

func (t *timed) SetReadDeadline(at time.Time) error {
	t.read = append(t.read, at)
	return nil
}

// userAPI is an API with a user's token.
func userAPI(t *testing.T) (*api, string) {
	t.Helper()
	secret := []byte("0123456789abcdef0123456789abcdef")
	v, err := auth.NewVerifier(auth.Config{Secret: secret})
	if err != nil {
		t.Fatal(err)
	}
	signer, err := auth.NewSigner(secret, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	token, err := signer.Sign(auth.Claims{User: "alice", Expires: time.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	st := memstore.New(memstore.Config{})
	c := core.New(core.Config{SweepEvery: -1}, st, v, nil)
	t.Cleanup(func() {
		c.Close()
		st.Close()
	})
	return newAPI(Config{Core: c, Log: slog.New(slog.DiscardHandler), Addr: func(*http.Request) netip.Addr { return netip.Addr{} }}), token
}

func ask(token string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/anser.v1.ConversationService/Sync", strings.NewReader("{}"))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+token)
	return r
}

// A bug in a verb leaves no session behind.
func TestSessionIsClosedAfterAPanic(t *testing.T) {
	a, token := userAPI(t)
	var sess *core.Session
	s := connect.NewServer(a.intercept)
	s.Register(connect.Method{
		Spec: connect.Spec{StreamType: connect.StreamTypeUnary, Procedure: rpc.Of("Sync").Procedure()},
		Handler: func(ctx context.Context, _ connect.Spec, _ connect.ServerStream) error {
			sess = ctx.Value(callKey{}).(*call).sess
			panic("a bug")
		},
	})
	a.mux = http.NewServeMux()
	connecthttp.Mount(a.mux, s, connecthttp.WithCodecs(codecs...))
	w := httptest.NewRecorder()
	Recover(a.log, a).ServeHTTP(w, ask(token))
	if w.Code != http.StatusInternalServerError || sess == nil {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if _, _, err := sess.Page(t.Context(), core.PageQuery{Conv: "u/bob"}); !im.IsKind(err, im.Unavailable) {
		t.Errorf("the session goes on: %v", err)
	}
}

// No path waits for a body for ever: net/http reads what a handler leaves of one before
// the answer goes out.
func TestEveryPathHasATimeForReading(t *testing.T) {
	a, _ := userAPI(t)
	d := New(Config{Health: func() Health { return Health{} }, Core: a.core})
	for _, r := range [][2]string{{"POST", "/nothing"}, {"POST", "/"}, {"GET", "/"}, {"PUT", "/v1/openapi.json"},
		{"POST", "/anser.v1.MessageService/Send"}, {"OPTIONS", "/anser.v1.MessageService/Send"}} {
		for _, origin := range []string{"", "https://evil.example"} {
			q := httptest.NewRequest(r[0], r[1], strings.NewReader("x"))
			if origin != "" {
				q.Header.Set("Origin", origin)
			}
			w := &timed{ResponseRecorder: httptest.NewRecorder()}
			d.ServeHTTP(w, q)
			if len(w.read) == 0 {
				t.Errorf("%s %s %s, answered %d, may go on for ever", r[0], r[1], origin, w.Code)
			}
		}
	}
}
