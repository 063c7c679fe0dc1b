package httpapi_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/proto"

	"github.com/anser-im/anser/internal/auth"
	"github.com/anser-im/anser/internal/core"
	"github.com/anser-im/anser/internal/gate/httpapi"
	"github.com/anser-im/anser/internal/types"
	"github.com/anser-im/anser/wire"
	"github.com/anser-im/anser/wire/wireconnect"
)

// The same call says the same by every protocol and encoding, and so does a refusal.
func TestP1_EveryProtocolSaysTheSame(t *testing.T) {
	w := newWorld(t)
	w.ok(second(w.core.Login(t.Context(), core.Login{Token: w.token("bob"), Door: "native", Device: "d", Wake: func() {}, Ended: func(core.End) {}})))
	var first *wire.SendResponse
	var page *wire.PageResponse
	var refusal *wire.Problem
	for name, c := range w.clients(w.token("alice")) {
		m, err := wireconnect.NewMessageServiceClient(c), error(nil)
		sent, err := m.Send(t.Context(), &wire.SendRequest{Id: "one", Conv: "u/bob", Type: "an:text", Body: []byte(`{"text":"你好 <&> 1.50"}`),
			Options: &wire.SendOptions{Digest: "你好", Mentions: &wire.Mentions{Users: []string{"bob"}}, Push: "p"}})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if sent.Seq != 1 || sent.Id != "one" || sent.Duplicate != (first != nil) {
			t.Errorf("%s: %v", name, sent)
		}
		sent.Duplicate = false
		got, err := m.Page(t.Context(), &wire.PageRequest{Conv: "u/bob"})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		_, err = m.Page(t.Context(), &wire.PageRequest{Conv: "g/nothere"})
		p := problemOf(t, err, connect.CodeNotFound)
		if first == nil {
			first, page, refusal = sent, got, p
		}
		if !proto.Equal(sent, first) || !proto.Equal(got, page) || !proto.Equal(p, refusal) {
			t.Errorf("%s:\n%v\n%v\n%v", name, sent, got, p)
		}
	}
	if len(page.Range.Messages) != 1 || string(page.Range.Messages[0].Body) != `{"text":"你好 <&> 1.50"}` || refusal.Code != wire.CodeNotFound || refusal.Message == "" {
		t.Errorf("%v %v", page, refusal)
	}
	a := w.post("Page", `{"conv":"u/bob"}`, bearer(w.token("alice"))...)
	if !strings.Contains(a.body, `"body":{"text":"你好 <&> 1.50"}`) || !strings.Contains(a.body, `"seq":"1"`) {
		t.Errorf("by hand: %s", a.body)
	}
	s := w.door.Stats()
	for _, p := range []string{"connect", "grpc", "grpcweb"} {
		if s.Calls[p]["OK"] == 0 || s.Calls[p]["NotFound"] == 0 {
			t.Errorf("%s is not counted: %v", p, s.Calls[p])
		}
	}
	if s.InFlight != 0 || s.Received == 0 {
		t.Errorf("%+v", s)
	}
}

func second[A, B any](_ A, b B) B { return b }

func problemOf(t *testing.T, err error, code connect.Code) *wire.Problem {
	t.Helper()
	var c *connect.Error
	if !errors.As(err, &c) || c.Code() != code || len(c.Details()) != 1 || c.Details()[0].Type != "anser.v1.Problem" {
		t.Fatalf("%v", err)
	}
	p := &wire.Problem{}
	if err := proto.Unmarshal(c.Details()[0].Value, p); err != nil || p.Message != c.Message() {
		t.Fatalf("%v %v", p, err)
	}
	return p
}

// Nothing answers without a token or key that is good: every verb, every protocol,
// every way in which a token can be wrong.
func TestP1_NothingWithoutAToken(t *testing.T) {
	w := newWorld(t)
	past, far := time.Now().Add(-time.Minute), time.Now().Add(time.Hour)
	revoked := w.token("carol")
	w.ok(second(w.rev.RevokeUser(t.Context(), "carol")))
	foreign, err := auth.NewSigner([]byte("another secret of 32 bytes, 12345"), "", nil)
	w.ok(err)
	forged, err := foreign.Sign(auth.Claims{User: "alice", Expires: far})
	w.ok(err)
	gone := w.key(auth.AppKey{Name: "gone"})
	w.ok(w.keys.Revoke(t.Context(), "gone"))
	over := w.key(auth.AppKey{Name: "over", Expires: time.Now().Add(time.Millisecond).UnixMilli()})
	for until := time.Now().Add(2 * time.Millisecond); time.Now().Before(until); { // by the key's own clock
	}
	cases := map[string][]string{
		"none":                {},
		"empty":               {"Authorization", "Bearer "},
		"no scheme":           {"Authorization", w.token("alice")},
		"basic":               {"Authorization", "Basic " + w.token("alice")},
		"rubbish":             bearer("x"),
		"alg none":            bearer("eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSIsImV4cCI6OTk5OTk5OTk5OX0."),
		"forged":              bearer(forged),
		"expired":             bearer(w.token("alice", func(c *auth.Claims) { c.Expires, c.IssuedAt = past, past.Add(-time.Hour) })),
		"revoked":             bearer(revoked),
		"another door's":      bearer(w.token("alice", func(c *auth.Claims) { c.Doors = []string{"line"} })),
		"another device's":    append(bearer(w.token("alice", func(c *auth.Claims) { c.Device = "phone" })), "Anser-Device", "laptop"),
		"two":                 {"Authorization", "Bearer " + w.token("alice"), "Authorization", "Bearer " + w.token("bob")},
		"cookie":              {"Cookie", "Authorization=Bearer " + w.token("alice") + "; token=" + w.token("alice")},
		"unknown key":         as("ank_"+strings.Repeat("0", 64), "alice"),
		"revoked key":         as(gone, "alice"),
		"expired key":         as(over, "alice"),
		"short key":           as("ank_", "alice"),
		"token for another":   as(w.token("alice"), "bob"),
		"key of two users":    {"Authorization", "Bearer " + w.key(auth.AppKey{Name: "good"}), "Anser-As", "alice", "Anser-As", "bob"},
		"key for bad user":    as(w.key(auth.AppKey{Name: "good2"}), "a b"),
		"key of another kind": as(w.key(auth.AppKey{Name: "good3", Services: []string{"NoService"}}), "alice"),
	}
	n := 0
	for name, headers := range cases {
		for _, v := range wire.Verbs() {
			n++
			a := w.do(v.Procedure(), strings.NewReader(`{}`), headers...)
			if a.StatusCode < 400 || a.StatusCode >= 500 || a.code() == 0 || a.Header.Get("Anser-Code") != strconv.Itoa(int(a.code())) {
				t.Errorf("%s, %s: %d %s", name, v.Name, a.StatusCode, a.body)
			}
			if a.StatusCode == 401 && a.Header.Get("WWW-Authenticate") != "Bearer" {
				t.Errorf("%s, %s: no WWW-Authenticate", name, v.Name)
			}
		}
		// gRPC says what was refused in its own status, with 200 around it.
		for _, ct := range []string{"application/grpc", "application/grpc-web+proto", "application/proto"} {
			v := wire.Verbs()[n%len(wire.Verbs())]
			a := w.grpc(v.Procedure(), ct, nil, headers...)
			if status := grpcStatus(a); ct != "application/proto" && (status == "" || status == "0") || ct == "application/proto" && a.StatusCode < 400 {
				t.Errorf("%s, %s, %s: %d, status %q, %q", name, v.Name, ct, a.StatusCode, status, a.body)
			}
		}
	}
	if n < 1500 {
		t.Errorf("only %d cases", n)
	}
	for _, secret := range []string{revoked, forged, gone, over} {
		if strings.Contains(w.log.String(), secret) {
			t.Error("the log holds a token")
		}
	}
	// A path that is no verb, and a service that is none, tell nothing either.
	for _, path := range []string{"/anser.v1.MessageService/", "/anser.v1.MessageService/send", "/anser.v1.Nothing/Send", "/anser.v1.", "/anser.v1.MessageService/Send/x"} {
		if a := w.do(path, strings.NewReader(`{}`)); a.StatusCode < 400 {
			t.Errorf("%s: %d %s", path, a.StatusCode, a.body)
		}
	}
}

// grpc sends one framed message over HTTP/2 without TLS, by hand.
func (w *world) grpc(path, ct string, body []byte, headers ...string) answer {
	w.Helper()
	if ct != "application/proto" {
		body = append([]byte{0, 0, 0, 0, byte(len(body))}, body...)
	}
	r, err := http.NewRequestWithContext(w.Context(), http.MethodPost, w.base+path, bytes.NewReader(body))
	w.ok(err)
	r.Header.Set("Content-Type", ct)
	r.Header.Set("TE", "trailers")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	resp, err := w.h2.Do(r)
	w.ok(err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	w.ok(err)
	return answer{Response: resp, body: string(b)}
}

func grpcStatus(a answer) string {
	for _, s := range []string{a.Trailer.Get("Grpc-Status"), a.Header.Get("Grpc-Status")} {
		if s != "" {
			return s
		}
	}
	if _, after, ok := strings.Cut(strings.ToLower(a.body), "grpc-status: "); ok {
		return after[:1]
	}
	return ""
}

// Bytes of gRPC as a foreign client writes them, framed by hand.
func TestGRPCByHand(t *testing.T) {
	w := newWorld(t)
	q := must(wire.Binary.MarshalBody(&wire.SendRequest{Id: "1", Conv: "u/alice", Body: []byte(`"note"`)}))
	a := w.grpc("/anser.v1.MessageService/Send", "application/grpc", q, bearer(w.token("alice"))...)
	if a.StatusCode != 200 || a.ProtoMajor != 2 || grpcStatus(a) != "0" || len(a.body) < 6 || a.body[0] != 0 || int(a.body[4]) != len(a.body)-5 {
		t.Fatalf("%d %v %v %q", a.StatusCode, a.Header, a.Trailer, a.body)
	}
	var r wire.SendResponse
	if err := proto.Unmarshal([]byte(a.body[5:]), &r); err != nil || r.Seq != 1 || r.Id != "1" {
		t.Errorf("%v %v", &r, err)
	}
	if a := w.grpc("/anser.v1.MessageService/Nothing", "application/grpc", nil, bearer(w.token("alice"))...); grpcStatus(a) != "12" {
		t.Errorf("no such verb: %v %v", a.Header, a.Trailer)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// An app key does for each user what that user could do, and as itself what the app
// does.
func TestP1_AppKey(t *testing.T) {
	w := newWorld(t)
	key := w.key(auth.AppKey{Name: "backend"})
	a := w.post("Send", `{"conv":"u/bob","body":{"text":"from the app"},"id":"k1"}`, as(key, "alice")...)
	if a.StatusCode != 200 || a.Header.Get("RateLimit-Limit") != "" {
		t.Fatalf("%d %s", a.StatusCode, a.body)
	}
	for user, addr := range map[string]string{"alice": "u/bob", "bob": "u/alice"} {
		if a := w.post("Page", `{"conv":"`+addr+`"}`, as(key, user)...); a.StatusCode != 200 || !strings.Contains(a.body, `"sender":"alice"`) || strings.Contains(a.body, `"device"`) {
			t.Errorf("%s: %d %s", user, a.StatusCode, a.body)
		}
	}
	if a := w.post("Conversation", `{"conv":"u/bob"}`, as(key, "alice")...); !strings.Contains(a.body, `"mine":{"from":"1"`) && a.StatusCode != 200 {
		t.Errorf("%s", a.body)
	}
	if a := w.post("Page", `{"conv":"u/bob"}`, bearer(key)...); a.StatusCode != 400 || a.code() != wire.CodeInvalid {
		t.Errorf("as nobody: %d %s", a.StatusCode, a.body)
	}
	// A key for some services is refused elsewhere.
	some := w.key(auth.AppKey{Name: "some", Services: []string{"UserService"}})
	if a := w.post("Blocks", `{}`, as(some, "alice")...); a.StatusCode != 200 {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
	if a := w.post("Page", `{"conv":"u/bob"}`, as(some, "alice")...); a.StatusCode != 403 || a.code() != wire.CodeDenied {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
	// Who revokes it has revoked it, on connections that are open too.
	w.ok(w.keys.Revoke(t.Context(), "backend"))
	if a := w.post("Page", `{"conv":"u/bob"}`, as(key, "alice")...); a.StatusCode != 401 {
		t.Errorf("after it was revoked: %d", a.StatusCode)
	}
	if strings.Contains(w.log.String(), key) || strings.Contains(w.log.String(), some) {
		t.Error("the log holds a key")
	}
	// The same of a user's token.
	token := w.token("alice")
	if a := w.post("Page", `{"conv":"u/bob"}`, bearer(token)...); a.StatusCode != 200 {
		t.Fatalf("%d %s", a.StatusCode, a.body)
	}
	w.ok(second(w.rev.RevokeUser(t.Context(), "alice")))
	if a := w.post("Page", `{"conv":"u/bob"}`, bearer(token)...); a.StatusCode != 401 || a.code() != wire.CodeRevoked {
		t.Errorf("after it was revoked: %d %s", a.StatusCode, a.body)
	}
}

func TestP1_IdempotencyKey(t *testing.T) {
	w := newWorld(t)
	send := func(body, key string) answer {
		return w.post("Send", body, append(bearer(w.token("alice")), "Idempotency-Key", key)...)
	}
	for i, key := range []string{"k1", `"k1"`, "k1"} { // also as a structured field
		a := send(`{"conv":"u/bob","body":1}`, key)
		if a.StatusCode != 200 || !strings.Contains(a.body, `"id":"k1","seq":"1"`) || strings.Contains(a.body, "duplicate") != (i > 0) {
			t.Errorf("%d: %d %s", i, a.StatusCode, a.body)
		}
	}
	if a := send(`{"conv":"u/bob","body":2}`, "k1"); a.StatusCode != 409 || a.code() != wire.CodeConflict {
		t.Errorf("the same key for something else: %d %s", a.StatusCode, a.body)
	}
	if a := send(`{"conv":"u/bob","body":1,"id":"other"}`, "k1"); a.StatusCode != 400 {
		t.Errorf("two ids: %d %s", a.StatusCode, a.body)
	}
	if a := send(`{"conv":"u/bob","body":1,"id":"k1"}`, "k1"); a.StatusCode != 200 || !strings.Contains(a.body, "duplicate") {
		t.Errorf("the same id twice: %d %s", a.StatusCode, a.body)
	}
	for _, bad := range []string{strings.Repeat("k", 65), "a b", "ä"} {
		if a := send(`{"conv":"u/bob","body":1}`, bad); a.StatusCode < 400 || a.StatusCode > 413 {
			t.Errorf("%q: %d %s", bad, a.StatusCode, a.body)
		}
	}
	batch := `{"sends":[{"conv":"u/bob","body":1},{"conv":"u/bob","body":2,"id":"mine"}]}`
	for i := range 2 {
		a := w.post("SendBatch", batch, append(bearer(w.token("alice")), "Idempotency-Key", "b")...)
		if a.StatusCode != 200 || !strings.Contains(a.body, `"id":"b.0","seq":"2"`) || !strings.Contains(a.body, `"id":"mine","seq":"3"`) || strings.Count(a.body, "duplicate") != 2*i {
			t.Errorf("%d: %d %s", i, a.StatusCode, a.body)
		}
	}
	// Where there is no client id, the verb may be repeated anyway.
	if a := w.post("Read", `{"conv":"u/bob"}`, append(bearer(w.token("alice")), "Idempotency-Key", "r")...); a.StatusCode != 200 {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
}

func TestP1_Batch(t *testing.T) {
	w := newWorld(t)
	var sends []string
	for i := range 100 {
		to := "u/bob"
		if i%10 == 9 {
			to = "g/nothere"
		}
		sends = append(sends, fmt.Sprintf(`{"conv":%q,"body":%d,"id":"i%d"}`, to, i, i))
	}
	a := w.post("SendBatch", `{"sends":[`+strings.Join(sends, ",")+`]}`, bearer(w.token("alice"))...)
	if a.StatusCode != 200 {
		t.Fatalf("%d %s", a.StatusCode, a.body)
	}
	var r wire.SendBatchResponse
	w.ok(wire.JSON.UnmarshalBody([]byte(a.body), &r))
	if len(r.Outcomes) != 100 {
		t.Fatalf("%d outcomes", len(r.Outcomes))
	}
	seq := uint64(0)
	for i, o := range r.Outcomes {
		if i%10 == 9 {
			if o.Code != wire.CodeNotFound || o.Message == "" || o.Sent != nil {
				t.Errorf("%d: %v", i, o)
			}
			continue
		}
		if seq++; o.Code != 0 || o.Sent.Seq != seq || o.Sent.Id != fmt.Sprint("i", i) {
			t.Errorf("%d: %v, want number %d", i, o, seq)
		}
	}
	if a := w.post("SendBatch", `{"sends":[`+strings.Repeat(`{},`, 100)+`{}]}`, bearer(w.token("alice"))...); a.StatusCode != 413 {
		t.Errorf("101: %d %s", a.StatusCode, a.body)
	}
	if a := w.post("SendBatch", `{"sends":[{},{"conv":"u/bob","flags":999}]}`, bearer(w.token("alice"))...); a.StatusCode != 200 || strings.Count(a.body, `"code":3000`) != 2 {
		t.Errorf("nothing in them: %d %s", a.StatusCode, a.body)
	}
}

// Limits are told before and when they are reached.
func TestP1_RatesAreTold(t *testing.T) {
	w := newWorld(t, func(c *core.Config, _ *httpapi.Config) { c.Limits.SendRate, c.Limits.SendBurst = 0.001, 3 })
	for i := range 3 {
		a := w.post("Send", `{"conv":"u/bob","body":1}`, bearer(w.token("alice"))...)
		if a.StatusCode != 200 || a.Header.Get("RateLimit-Limit") != "3" || a.Header.Get("RateLimit-Remaining") != strconv.Itoa(2-i) || a.Header.Get("RateLimit-Reset") == "" {
			t.Errorf("%d: %d %v", i, a.StatusCode, a.Header)
		}
	}
	a := w.post("Send", `{"conv":"u/bob","body":1}`, bearer(w.token("alice"))...)
	wait, _ := strconv.Atoi(a.Header.Get("Retry-After"))
	if a.StatusCode != 429 || a.code() != wire.CodeLimited || wait < 900 || a.Header.Get("RateLimit-Remaining") != "0" || a.fail.Details[0].Debug.RetryMs < 900_000 {
		t.Errorf("%d %v %s", a.StatusCode, a.Header, a.body)
	}
	if a := w.post("Send", `{"conv":"u/bob","body":1}`, bearer(w.token("carol"))...); a.StatusCode != 200 {
		t.Errorf("another user: %d", a.StatusCode)
	}
	if a := w.post("Send", `{"conv":"u/bob","body":1}`, as(w.key(auth.AppKey{Name: "k"}), "alice")...); a.StatusCode != 200 {
		t.Errorf("the app for him: %d %s", a.StatusCode, a.body)
	}
}

// Every kind of error has a code of gRPC, and the status that the documents name.
func TestErrorsOfTheAPI(t *testing.T) {
	w := newWorld(t)
	alice := bearer(w.token("alice"))
	w.post("Send", `{"conv":"u/bob","body":1}`, alice...)
	for name, c := range map[string]struct {
		verb, body string
		status     int
		code       uint32
	}{
		"invalid":       {"Page", `{"conv":"x"}`, 400, wire.CodeInvalid},
		"no JSON":       {"Page", `{`, 400, wire.CodeInvalid},
		"no object":     {"Page", `[]`, 400, wire.CodeInvalid},
		"wrong type":    {"Page", `{"conv":7}`, 400, wire.CodeInvalid},
		"twice":         {"Page", `{"conv":"u/bob","conv":"u/bob"}`, 400, wire.CodeInvalid},
		"behind":        {"Page", `{"conv":"u/bob"}x`, 400, wire.CodeInvalid},
		"no UTF-8":      {"Page", "{\"conv\":\"u/\xff\"}", 400, wire.CodeInvalid},
		"absent":        {"Page", `{"conv":"g/nothere"}`, 404, wire.CodeNotFound},
		"large body":    {"Send", `{"conv":"u/bob","body":"` + strings.Repeat("x", 130<<10) + `"}`, 413, wire.CodeTooLarge},
		"large call":    {"Send", `{"conv":"u/bob","body":"` + strings.Repeat("x", 2<<20) + `"}`, 413, wire.CodeTooLarge},
		"not over HTTP": {"Renew", `{}`, 501, wire.CodeUnsupported},
		"watch":         {"Watch", `{"users":["bob"]}`, 501, wire.CodeUnsupported},
		"no verb":       {"Nothing", `{}`, 501, wire.CodeUnsupported},
		"the app's":     {"TypePut", `{"type":{"name":"a:b"}}`, 403, wire.CodeDenied},
		"not his":       {"GroupAdd", `{"conv":"g/nothere","users":["bob"]}`, 404, wire.CodeNotFound},
	} {
		a := w.post(c.verb, c.body, alice...)
		if a.StatusCode != c.status || a.code() != c.code || a.fail.Message == "" || a.Header.Get("Anser-Code") != strconv.Itoa(int(c.code)) {
			t.Errorf("%s: %d %s %v", name, a.StatusCode, a.body, a.Header["Anser-Code"])
		}
		if a.Header.Get("Cache-Control") != "no-store" || a.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %v", name, a.Header)
		}
	}
	if a := w.post("Page", `{"conv":"u/bob","later":{"x":[1]},"Conv":"u/eve"}`, alice...); a.StatusCode != 200 {
		t.Errorf("fields that are not known: %d %s", a.StatusCode, a.body)
	}
	for ct, status := range map[string]int{
		"text/plain": 415, "": 415, "application/x-www-form-urlencoded": 415, "application/json; charset=latin1": 415, "application/grpc-web-text": 415,
		"application/json; charset=utf-8": 200, "application/xml": 415, "multipart/form-data; boundary=x": 415, "application/connect+json": 415,
	} {
		if a := w.post("Page", `{"conv":"u/bob"}`, append(alice, "Content-Type", ct)...); a.StatusCode != status {
			t.Errorf("%q: %d %s", ct, a.StatusCode, a.body)
		}
	}
	for _, method := range []string{"GET", "PUT", "DELETE", "HEAD"} {
		r, _ := http.NewRequest(method, w.base+"/anser.v1.MessageService/Page?encoding=json&message=%7B%7D&connect=v1", nil)
		r.Header.Set("Authorization", alice[1])
		resp, err := w.h1.Do(r)
		w.ok(err)
		resp.Body.Close()
		if resp.StatusCode != 405 {
			t.Errorf("%s: %d", method, resp.StatusCode)
		}
	}
}

// Pages of other sites have no business here, unless configured; then they may read
// what they need.
func TestP1_CORS(t *testing.T) {
	w := newWorld(t, func(_ *core.Config, c *httpapi.Config) {
		c.Origins = func(r *http.Request) bool {
			return httpapi.SameOrigin(r) || r.Header.Get("Origin") == "https://chat.example.com"
		}
	})
	w.post("Send", `{"conv":"u/bob","body":1}`, bearer(w.token("alice"))...)
	call := func(method, origin string) *http.Response {
		r, _ := http.NewRequest(method, w.base+"/anser.v1.MessageService/Page", strings.NewReader(`{"conv":"u/bob"}`))
		r.Header.Set("Origin", origin)
		r.Header.Set("Content-Type", "application/json")
		if method == "POST" {
			r.Header.Set("Authorization", "Bearer "+w.token("alice"))
		}
		resp, err := w.h1.Do(r)
		w.ok(err)
		resp.Body.Close()
		return resp
	}
	for origin, ok := range map[string]bool{"https://chat.example.com": true, w.base: true, "https://evil.example": false, "null": false, "https://chat.example.com.evil.example": false} {
		pre, post := call("OPTIONS", origin), call("POST", origin)
		if ok && (pre.StatusCode != 204 || post.StatusCode != 200 || !strings.Contains(pre.Header.Get("Access-Control-Allow-Headers"), "Authorization") ||
			!strings.Contains(post.Header.Get("Access-Control-Expose-Headers"), "Anser-Code") || post.Header.Get("Access-Control-Allow-Origin") != origin) {
			t.Errorf("%s: %d %v, %d %v", origin, pre.StatusCode, pre.Header, post.StatusCode, post.Header)
		}
		if !ok && (pre.StatusCode != 403 || post.StatusCode != 403 || post.Header.Get("Access-Control-Allow-Origin") != "") {
			t.Errorf("%s: %d, %d", origin, pre.StatusCode, post.StatusCode)
		}
		for _, r := range []*http.Response{pre, post} {
			if r.Header.Get("Access-Control-Allow-Credentials") != "" || r.Header.Get("Access-Control-Allow-Origin") == "*" {
				t.Errorf("%s: %v", origin, r.Header)
			}
		}
	}
}

// An address that shows one bad token after the other has to wait, and others do not.
func TestBadTokensAreSlowedDown(t *testing.T) {
	var addr atomic.Value
	addr.Store(netip.MustParseAddr("203.0.113.7"))
	w := newWorld(t, func(_ *core.Config, c *httpapi.Config) {
		c.Addr = func(*http.Request) netip.Addr { return addr.Load().(netip.Addr) }
	})
	w.post("Send", `{"conv":"u/bob","body":1}`, bearer(w.token("alice"))...)
	var a answer
	for n := 0; n < 200 && a.Response == nil || a.StatusCode == 401; n++ {
		a = w.post("Page", `{"conv":"u/bob"}`, bearer("x"+strconv.Itoa(n))...)
	}
	if a.StatusCode != 429 || a.code() != wire.CodeLimited || a.Header.Get("Retry-After") == "" {
		t.Fatalf("%d %s", a.StatusCode, a.body)
	}
	addr.Store(netip.MustParseAddr("203.0.113.8"))
	if a := w.post("Page", `{"conv":"u/bob"}`, bearer(w.token("alice"))...); a.StatusCode != 200 {
		t.Errorf("another address: %d %s", a.StatusCode, a.body)
	}
}

// Digests are in the language that the caller asks for, else in the first of his
// browser's.
func TestP1_LocaleOfDigests(t *testing.T) {
	registry, err := types.Alone()
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, func(c *core.Config, _ *httpapi.Config) { c.Types = registry })
	if a := w.post("Send", `{"conv":"u/bob","type":"an:image","body":{"url":"https://example.com/a.png"}}`, bearer(w.token("alice"))...); a.StatusCode != 200 {
		t.Fatalf("%d %s", a.StatusCode, a.body)
	}
	key := w.key(auth.AppKey{Name: "k"})
	for _, c := range []struct{ locale, accept, want string }{
		{"", "", "[Image]"}, {"zh-CN", "", "[图片]"}, {"en", "zh-CN", "[Image]"}, {"", "zh-CN,zh;q=0.9,en;q=0.8", "[图片]"},
		{"", "de;q=0.9", "[Image]"}, {"<script>", "zh", "[Image]"}, {"", strings.Repeat("x", 1000), "[Image]"},
	} {
		for _, who := range [][]string{bearer(w.token("bob")), as(key, "bob")} {
			headers := who
			if c.locale != "" {
				headers = append(headers, "Anser-Locale", c.locale)
			}
			if c.accept != "" {
				headers = append(headers, "Accept-Language", c.accept)
			}
			if a := w.post("Conversation", `{"conv":"u/alice"}`, headers...); !strings.Contains(a.body, `"digest":"`+c.want+`"`) {
				t.Errorf("%q, %q: %s", c.locale, c.accept, a.body)
			}
		}
	}
}
