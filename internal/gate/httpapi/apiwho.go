package httpapi

import (
	"context"
	"net/netip"
	"strings"
	"time"

	"connectrpc.com/connect/v2"

	"github.com/anser-im/anser/internal/auth"
	"github.com/anser-im/anser/internal/core"
	"github.com/anser-im/anser/internal/im"
)

// Headers of a request.
const (
	headerAs          = "Anser-As"        // with an app key: for which user
	headerLocale      = "Anser-Locale"    // language of digests
	headerDevice      = "Anser-Device"    // which device of the user this is
	headerIdempotency = "Idempotency-Key" // the client id of what is done
)

// enter finds out who asks, before a byte of the body is read. Whoever gets the session
// closes it.
//
// Errors: Unauthenticated without a token or key that is good; Limited where the
// address has shown too many that were not; Denied where the key is not good for the
// service; Invalid for headers that contradict each other.
func (a *api) enter(ctx context.Context, h *connect.Header, service string, addr netip.Addr) (*core.Session, error) {
	token, err := bearer(h)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	if err := a.failures.Allow(addr, now); err != nil {
		return nil, err
	}
	s, err := a.let(ctx, h, token, service, addr)
	if im.IsKind(err, im.Unauthenticated) {
		a.failures.Wrong(addr, now)
	}
	return s, err
}

func (a *api) let(ctx context.Context, h *connect.Header, token, service string, addr netip.Addr) (*core.Session, error) {
	as, names := one(h, headerAs)
	locale := localeOf(h)
	if strings.HasPrefix(token, auth.KeyPrefix) {
		if a.keys == nil {
			return nil, im.Errorf(im.Unauthenticated, "this server takes no app keys")
		}
		key, err := a.keys.Check(ctx, token)
		switch {
		case err != nil:
			return nil, err
		case !names:
			return nil, im.Errorf(im.Invalid, "%s stands twice", headerAs)
		case !key.Allows(service):
			return nil, im.Errorf(im.Denied, "the app key %s is not for %s", key.Name, service)
		}
		return a.core.Act(im.UserID(as), locale)
	}
	if as != "" || !names {
		return nil, im.Errorf(im.Invalid, "%s goes with an app key: a user's token names its user", headerAs)
	}
	device, names := one(h, headerDevice)
	if !names {
		return nil, im.Errorf(im.Invalid, "%s stands twice", headerDevice)
	}
	return a.core.Enter(ctx, core.Login{Token: token, Device: im.DeviceID(device), Addr: addr, Locale: locale})
}

// bearer is the token of RFC 6750 §2.1. Nothing else is looked at: no cookie, which
// pages of other sites could have sent, and no parameter, which logs would keep.
func bearer(h *connect.Header) (string, error) {
	need := im.Errorf(im.Unauthenticated, "a token or app key is needed: Authorization: Bearer <token>")
	v, names := one(h, "Authorization")
	if !names || v == "" {
		return "", need
	}
	scheme, token, _ := strings.Cut(v, " ")
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return "", need
	}
	return token, nil
}

// one is a header that stands once; false if it stands twice.
func one(h *connect.Header, name string) (string, bool) {
	v := h.Values(name)
	switch len(v) {
	case 0:
		return "", true
	case 1:
		return v[0], true
	}
	return "", false
}

// localeOf is the language of digests: as asked for, else the first that the client
// names (RFC 9110 §12.5.4).
func localeOf(h *connect.Header) string {
	l := h.Get(headerLocale)
	if l == "" {
		l, _, _ = strings.Cut(h.Get("Accept-Language"), ",")
		l, _, _ = strings.Cut(l, ";")
	}
	l = strings.TrimSpace(l)
	if len(l) > 35 || strings.ContainsFunc(l, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_')
	}) {
		return ""
	}
	return l
}
