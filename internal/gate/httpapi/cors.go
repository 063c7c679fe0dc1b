package httpapi

import (
	"net/http"

	"github.com/anser-im/anser/internal/im"
)

// Headers that pages of configured origins may send to the API, and read of it.
const (
	corsSend = "Authorization, Content-Type, Anser-As, Anser-Device, Anser-Locale, Idempotency-Key, " +
		"Connect-Protocol-Version, Connect-Timeout-Ms, Grpc-Timeout, X-Grpc-Web, X-User-Agent"
	corsRead = "Anser-Code, Retry-After, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, " +
		"Grpc-Status, Grpc-Message, Grpc-Status-Details-Bin"
)

// cors lets pages of this host and of configured origins use what next serves, and
// refuses all others: nothing here takes cookies, so a foreign page could do nothing
// with its visitor's rights, but it has no business here either.
func (h *handler) cors(next http.Handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if o := r.Header.Get("Origin"); o != "" {
			w.Header().Add("Vary", "Origin")
			if !h.Origins(r) {
				refuseCall(w, http.StatusForbidden, im.Errorf(im.Denied, "pages of this site may not use the API: add it to origins in the configuration"))
				return
			}
			w.Header().Set("Access-Control-Allow-Origin", o) // Fetch §3.2: without credentials
			w.Header().Set("Access-Control-Expose-Headers", corsRead)
			w.Header().Set("Cross-Origin-Resource-Policy", "cross-origin")
		}
		if r.Method == http.MethodOptions {
			w.Header().Set("Access-Control-Allow-Methods", "POST")
			w.Header().Set("Access-Control-Allow-Headers", corsSend)
			w.Header().Set("Access-Control-Max-Age", "600")
			w.WriteHeader(http.StatusNoContent)
			return
		}
		next.ServeHTTP(w, r)
	}
}
