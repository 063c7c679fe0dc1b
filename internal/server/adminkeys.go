package server

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/anser-im/anser/internal/auth"
	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/wire"
)

// KeyRequest says what key to make. A request's body has no lists, so Services is one
// string.
type KeyRequest struct {
	Name     string `json:"name"`                 // 1-64 of A-Z a-z 0-9 . _ -
	Services string `json:"services,omitempty"`   // "MessageService,GroupService"; "" = all
	Expires  int64  `json:"expires_ms,omitempty"` // Unix milliseconds; 0 = never
}

// KeyName names a key.
type KeyName struct {
	Name string `json:"name"`
}

// NewKey is a key that was made. Key is told this once.
type NewKey struct {
	KeyInfo
	Key string `json:"key"`
}

// KeyList is the list of app keys.
type KeyList struct {
	Keys []KeyInfo `json:"keys"`
}

// KeyInfo is what is known of a key.
type KeyInfo struct {
	Name     string   `json:"name"`
	Created  int64    `json:"created_ms"`           // Unix milliseconds
	LastUsed int64    `json:"last_used_ms"`         // Unix milliseconds, to a minute; 0 = never
	Expires  int64    `json:"expires_ms,omitempty"` // Unix milliseconds; 0 = never
	Services []string `json:"services,omitempty"`   // none = all
}

func keyInfo(k auth.AppKey) KeyInfo {
	return KeyInfo{Name: k.Name, Created: k.Created, LastUsed: k.LastUsed, Expires: k.Expires, Services: k.Services}
}

func (a *adminOps) CreateKey(ctx context.Context, q KeyRequest) (_ NewKey, err error) {
	defer func() { a.audit.note(a.by, "create-key", entry{Key: q.Name, After: keyGood(q)}, err) }()
	var services []string
	if q.Services != "" {
		services = strings.Split(q.Services, ",")
	}
	if err := checkServices(services); err != nil {
		return NewKey{}, err
	}
	key, k, err := a.keys.Create(ctx, auth.AppKey{Name: q.Name, Expires: q.Expires, Services: services})
	return NewKey{KeyInfo: keyInfo(k), Key: key}, err
}

// keyGood says what a key is good for, for the audit log.
func keyGood(q KeyRequest) string {
	s := "services: all"
	if q.Services != "" {
		s = "services: " + shorten(q.Services)
	}
	if q.Expires != 0 {
		s += ", until " + time.UnixMilli(q.Expires).UTC().Format(time.RFC3339)
	}
	return s
}

// checkServices refuses names that the schema does not have.
func checkServices(list []string) error {
	var known []string
	for _, v := range wire.Verbs() {
		if !slices.Contains(known, v.Service) {
			known = append(known, v.Service)
		}
	}
	for _, s := range list {
		if !slices.Contains(known, s) {
			return im.Errorf(im.Invalid, "there is no service %q; there are %s", shorten(s), strings.Join(known, ", "))
		}
	}
	return nil
}

func (a *adminOps) Keys(ctx context.Context) (KeyList, error) {
	list, err := a.keys.List(ctx)
	if err != nil {
		return KeyList{}, err
	}
	out := KeyList{Keys: []KeyInfo{}}
	for _, k := range list {
		out.Keys = append(out.Keys, keyInfo(k))
	}
	return out, nil
}

func (a *adminOps) RevokeKey(ctx context.Context, name string) (err error) {
	defer func() { a.audit.note(a.by, "revoke-key", entry{Key: shorten(name)}, err) }()
	return a.keys.Revoke(ctx, name)
}
