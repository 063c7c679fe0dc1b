package httpapi_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"connectrpc.com/connect/v2"

	"github.com/anser-im/anser/wire"
)

// What is refused before a verb is known is told in the same form as all else: code in
// the words of gRPC, our number in the detail and in Anser-Code.
func TestAllRefusalsHaveOneForm(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		method, path string
		header       [2]string
		status       int
		code, number string
	}{
		"content type": {"POST", "/anser.v1.MessageService/Send", [2]string{"Content-Type", "text/plain"}, 415, "invalid_argument", "3000"},
		"origin":       {"POST", "/anser.v1.MessageService/Send", [2]string{"Origin", "https://evil.example"}, 403, "permission_denied", "4000"},
		"method":       {"GET", "/anser.v1.MessageService/Send", [2]string{}, 405, "invalid_argument", "3000"},
		"service":      {"POST", "/anser.v1.NoService/Send", [2]string{}, 501, "unimplemented", "3010"},
		"no service":   {"POST", "/anser.v1.", [2]string{}, 501, "unimplemented", "3010"},
		"verb":         {"POST", "/anser.v1.MessageService/Nothing", [2]string{"Authorization", "Bearer " + w.token("alice")}, 501, "unimplemented", "3010"},
	} {
		r := httptest.NewRequest(c.method, c.path, strings.NewReader("{}"))
		r.Header.Set("Content-Type", "application/json")
		if c.header[0] != "" {
			r.Header.Set(c.header[0], c.header[1])
		}
		rec := httptest.NewRecorder()
		w.door.ServeHTTP(rec, r)
		var a struct {
			Code, Message string
			Details       []struct {
				Type, Value string
				Debug       wire.Problem
			}
		}
		if err := json.Unmarshal(rec.Body.Bytes(), &a); err != nil {
			t.Errorf("%s: %d %s: %v", name, rec.Code, rec.Body, err)
			continue
		}
		if rec.Code != c.status || a.Code != c.code || a.Message == "" || rec.Header().Get("Anser-Code") != c.number ||
			len(a.Details) != 1 || a.Details[0].Type != "anser.v1.Problem" || a.Details[0].Debug.Message != a.Message {
			t.Errorf("%s: %d %s %v", name, rec.Code, rec.Body, http.Header(rec.Header()))
		}
	}
}

// A service that is not there is Unimplemented to every protocol.
func TestNoSuchService(t *testing.T) {
	w := newWorld(t)
	for name, c := range w.clients("x") {
		err := c.CallUnary(t.Context(), connect.Spec{StreamType: connect.StreamTypeUnary, Procedure: "/anser.v1.NoService/Send"}, &wire.SendRequest{}, &wire.SendResponse{})
		if connect.CodeOf(err) != connect.CodeUnimplemented {
			t.Errorf("%s: %v", name, err)
		}
	}
}
