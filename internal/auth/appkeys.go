package auth

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/anser-im/anser/internal/im"
)

// KeyPrefix begins every app key, so that people and scanners of secrets know one.
const KeyPrefix = "ank_"

const (
	keyBytes   = 32
	keyChars   = len(KeyPrefix) + 2*keyBytes
	keyRow     = "appkey/" // begins the keys of rows; the name follows
	maxKeyName = 64
	maxAppKeys = 1000
	usedEvery  = time.Minute // how often the last use is written, at most
)

// An AppKey is what is known of a key: never the key itself.
type AppKey struct {
	Name     string   // 1-64 of A-Z a-z 0-9 . _ -
	Created  int64    // Unix milliseconds
	LastUsed int64    // Unix milliseconds, about; 0 = never
	Expires  int64    // Unix milliseconds; 0 = never
	Services []string // of the schema that it is good for: MessageService ...; none = all
}

// Allows says whether the key is good for a service of the schema.
func (k *AppKey) Allows(service string) bool {
	return len(k.Services) == 0 || slices.Contains(k.Services, service)
}

// appKeyRow is the row of a key.
type appKeyRow struct {
	Hash     []byte   `json:"hash"` // SHA-256 of the whole key: 32 random bytes need no slow hash
	Created  int64    `json:"created"`
	Used     int64    `json:"used,omitempty"`
	Expires  int64    `json:"expires,omitempty"`
	Services []string `json:"services,omitempty"`
}

func (r appKeyRow) key(name string) AppKey {
	return AppKey{Name: name, Created: r.Created, LastUsed: r.Used, Expires: r.Expires, Services: r.Services}
}

// KeyStore is what app keys ask of a store.
type KeyStore interface {
	Store
	// Rows gives the rows of no user whose keys begin with prefix, in order of their
	// keys, at most limit.
	Rows(ctx context.Context, prefix string, limit int) ([]Row, error)
}

// AppKeys are the keys with which an app's backend acts for its users. All are kept in
// memory by their hash, so that a request reads nothing; who revokes one in this process
// has revoked it when Revoke returns. Any goroutine may use them.
type AppKeys struct {
	store KeyStore
	now   func() time.Time

	mu     sync.Mutex                            // held while rows are written
	ending map[string]bool                       // guarded by mu: names that were revoked and whose rows may still stand
	byHash atomic.Pointer[map[[32]byte]*liveKey] // nil until they were read

	writing sync.WaitGroup // the last uses that are being written
}

type liveKey struct {
	AppKey
	hash    [32]byte
	used    atomic.Int64 // Unix milliseconds
	written atomic.Int64 // the use that was written last
}

// NewAppKeys makes the keys of a store. now nil = time.Now.
func NewAppKeys(st KeyStore, now func() time.Time) *AppKeys {
	if now == nil {
		now = time.Now
	}
	return &AppKeys{store: st, now: now}
}

// Close waits for what is being written.
func (a *AppKeys) Close() { a.writing.Wait() }

// load gives the keys, reading them the first time.
func (a *AppKeys) load(ctx context.Context) (map[[32]byte]*liveKey, error) {
	if m := a.byHash.Load(); m != nil {
		return *m, nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.loadLocked(ctx)
}

func (a *AppKeys) loadLocked(ctx context.Context) (map[[32]byte]*liveKey, error) {
	if m := a.byHash.Load(); m != nil {
		return *m, nil
	}
	rows, err := a.store.Rows(ctx, keyRow, maxAppKeys+1)
	if err != nil {
		return nil, unavailable(err)
	}
	m := make(map[[32]byte]*liveKey, len(rows))
	for _, r := range rows {
		var v appKeyRow
		if err := json.Unmarshal(r.Value, &v); err != nil || len(v.Hash) != sha256.Size {
			return nil, im.Wrap(im.Internal, err, "the record of an app key cannot be read")
		}
		k := &liveKey{AppKey: v.key(strings.TrimPrefix(r.Key, keyRow)), hash: [32]byte(v.Hash)}
		k.used.Store(v.Used)
		k.written.Store(v.Used)
		m[k.hash] = k
	}
	a.byHash.Store(&m)
	return m, nil
}

// Check finds the key that a caller shows. The time that it takes tells nothing of the
// keys there are: they are found by a hash.
//
// Errors: Unauthenticated for what is no key, unknown or revoked, with CodeExpired for
// one whose time is over; Unavailable if the keys cannot be read.
func (a *AppKeys) Check(ctx context.Context, key string) (AppKey, error) {
	bad := im.Errorf(im.Unauthenticated, "the app key is not valid here: make one with \"anser key create\"")
	if len(key) != keyChars || !strings.HasPrefix(key, KeyPrefix) {
		return AppKey{}, bad
	}
	m, err := a.load(ctx)
	if err != nil {
		return AppKey{}, err
	}
	hash := sha256.Sum256([]byte(key))
	k := m[hash]
	if k == nil || subtle.ConstantTimeCompare(k.hash[:], hash[:]) != 1 {
		return AppKey{}, bad
	}
	now := a.now().UnixMilli()
	if k.Expires != 0 && now >= k.Expires {
		return AppKey{}, im.Errorf(im.Unauthenticated, "the app key has expired").WithCode(im.CodeExpired)
	}
	a.use(k, now)
	return k.AppKey, nil
}

// use notes that k was used, in the store once a minute.
func (a *AppKeys) use(k *liveKey, now int64) {
	k.used.Store(now)
	was := k.written.Load()
	if now-was < usedEvery.Milliseconds() || !k.written.CompareAndSwap(was, now) {
		return
	}
	a.writing.Go(func() {
		// Whoever revokes it holds mu: a key that is gone is not written back.
		a.mu.Lock()
		defer a.mu.Unlock()
		if m := a.byHash.Load(); m == nil || (*m)[k.hash] != k {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		a.store.Write(ctx, nil, k.row()) // a hint for people: one that is not written is written a minute later
	})
}

func (k *liveKey) row() Row {
	v, err := json.Marshal(appKeyRow{Hash: k.hash[:], Created: k.Created, Used: k.used.Load(), Expires: k.Expires, Services: k.Services})
	if err != nil {
		panic(err) // numbers and strings alone
	}
	return Row{Key: keyRow + k.Name, Value: v} // kept after its end, so that it is told why it is refused
}

// Create makes a key and answers it: it is told this once and stands nowhere.
//
// Errors: Invalid for a bad name, an end that is past or an empty service; Conflict if
// the name is taken; Limited at 1,000 keys; those of the store.
func (a *AppKeys) Create(ctx context.Context, k AppKey) (key string, _ AppKey, err error) {
	if err := checkKeyName(k.Name); err != nil {
		return "", AppKey{}, err
	}
	now := a.now().UnixMilli()
	if k.Expires != 0 && k.Expires <= now {
		return "", AppKey{}, im.Errorf(im.Invalid, "the key would have expired already")
	}
	if len(k.Services) > 16 || slices.Contains(k.Services, "") {
		return "", AppKey{}, im.Errorf(im.Invalid, "services are at most 16 names like MessageService")
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	was, err := a.loadLocked(ctx)
	if err != nil {
		return "", AppKey{}, err
	}
	if len(was)+len(a.ending) >= maxAppKeys {
		return "", AppKey{}, im.Errorf(im.Limited, "there are %d app keys already: revoke some", maxAppKeys)
	}
	for _, o := range was {
		if o.Name == k.Name {
			return "", AppKey{}, im.Errorf(im.Conflict, "there is an app key called %s already: choose another name, or revoke it first", k.Name)
		}
	}
	var raw [keyBytes]byte
	rand.Read(raw[:]) // never fails: crypto/rand ends the process instead
	key = KeyPrefix + hex.EncodeToString(raw[:])
	k.Created, k.LastUsed, k.Services = now, 0, slices.Clone(k.Services)
	live := &liveKey{AppKey: k, hash: sha256.Sum256([]byte(key))}
	row := live.row()
	if err := a.store.Write(ctx, &Row{Key: row.Key}, row); err != nil {
		if im.IsKind(err, im.Conflict) {
			return "", AppKey{}, im.Errorf(im.Conflict, "there is an app key called %s already: choose another name, or revoke it first", k.Name)
		}
		return "", AppKey{}, unavailable(err)
	}
	a.put(was, live)
	return key, k, nil
}

// put shows the keys with one more. mu is held.
func (a *AppKeys) put(was map[[32]byte]*liveKey, live *liveKey) {
	m := make(map[[32]byte]*liveKey, len(was)+1)
	for h, k := range was {
		m[h] = k
	}
	m[live.hash] = live
	a.byHash.Store(&m)
}

// List tells of all keys, by name.
func (a *AppKeys) List(ctx context.Context) ([]AppKey, error) {
	m, err := a.load(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]AppKey, 0, len(m))
	for _, k := range m {
		o := k.AppKey
		o.LastUsed = k.used.Load()
		out = append(out, o)
	}
	slices.SortFunc(out, func(x, y AppKey) int { return cmp.Compare(x.Name, y.Name) })
	return out, nil
}

// Revoke ends a key: when it returns, nobody is let in by it any more, and that would
// survive a power cut.
//
// Errors: NotFound if there is none of that name; those of the store: the key is then
// refused by this process all the same, and would be good again after a restart until it
// is revoked once more.
func (a *AppKeys) Revoke(ctx context.Context, name string) error {
	if err := checkKeyName(name); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	was, err := a.loadLocked(ctx)
	if err != nil {
		return err
	}
	m := make(map[[32]byte]*liveKey, len(was))
	for h, k := range was {
		if k.Name != name {
			m[h] = k
		}
	}
	if len(m) == len(was) && !a.ending[name] {
		return im.Errorf(im.NotFound, "there is no app key called %s", name)
	}
	a.byHash.Store(&m)
	if a.ending == nil {
		a.ending = map[string]bool{}
	}
	a.ending[name] = true // at most maxAppKeys: its row takes a place until it is gone
	if err := a.store.Write(ctx, nil, Row{Key: keyRow + name}); err != nil {
		return unavailable(err)
	}
	delete(a.ending, name)
	return nil
}

func checkKeyName(name string) error {
	ok := len(name) > 0 && len(name) <= maxKeyName
	for _, c := range []byte(name) {
		ok = ok && (c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-')
	}
	if !ok {
		return im.Errorf(im.Invalid, "the name of a key is 1 to %d of A-Z a-z 0-9 . _ -", maxKeyName)
	}
	return nil
}
