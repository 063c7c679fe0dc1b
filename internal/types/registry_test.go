package types

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
	"github.com/anser-im/anser/internal/store/memstore"
)

// open is a registry over a fresh store.
func open(t testing.TB, cfg Config) (*Registry, *memstore.Store) {
	t.Helper()
	st := memstore.New(memstore.Config{})
	t.Cleanup(func() { st.Close() })
	return reopen(t, st, cfg), st
}

func reopen(t testing.TB, st Store, cfg Config) *Registry {
	t.Helper()
	r, err := Open(context.Background(), st, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

const cardSchema = `{
	"type": "object",
	"required": ["title", "price"],
	"properties": {
		"title": {"type": "string", "minLength": 1},
		"price": {"type": "number", "minimum": 0},
		"photos": {"type": "array", "items": {"type": "string"}},
		"user": {"type": "object", "properties": {"name": {"type": "string"}}}
	}
}`

func card() im.MessageType {
	return im.MessageType{Name: "acme:card", Flags: im.DefaultFlags, Schema: []byte(cardSchema), Clients: true,
		Digest: map[string]string{"en": "[Card] {title}", "zh-CN": "[卡片] {title}"}, Search: []string{"/title", "/photos"},
		Title: map[string]string{"en": "Card", "zh-CN": "卡片"}}
}

func put(t testing.TB, r *Registry, typ im.MessageType) im.MessageType {
	t.Helper()
	got, err := r.Put(context.Background(), typ)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func message(typ, body string) *im.Message {
	return &im.Message{Type: typ, Body: []byte(body), Flags: im.DefaultFlags}
}

// A type is registered by name, with flags of its own, and is there after a restart
// with the version that it had.
func TestD1_RegisteredByName(t *testing.T) {
	r, st := open(t, Config{})
	if _, ok := r.Flags("acme:card"); ok {
		t.Fatal("it has flags before it was registered")
	}
	typ := card()
	typ.Flags = im.Count // completed: COUNT implies PERSIST
	got := put(t, r, typ)
	if got.Flags != im.Persist|im.Count || got.Version == 0 {
		t.Fatalf("registered as %+v", got)
	}
	if f, ok := r.Flags("acme:card"); !ok || f != 3 {
		t.Errorf("its flags are %d, %v", f, ok)
	}
	again := reopen(t, st, Config{})
	if loaded, ok := again.Get("acme:card"); !ok || !same(loaded, got) || loaded.Version != got.Version {
		t.Errorf("after a restart it is %+v; it was %+v", loaded, got)
	}
	if err := again.Check(message("acme:card", `{"title": "T"}`), false); err == nil {
		t.Error("after a restart its schema is forgotten")
	}
}

// Sends of types that nobody registered pass, unless the app has closed its types.
func TestD1_UnregisteredSendsAreRefusedWhereClosed(t *testing.T) {
	r, _ := open(t, Config{})
	if err := r.Check(message("acme:none", "\x00\xff"), false); err != nil {
		t.Errorf("open: %v", err)
	}
	r, _ = open(t, Config{Closed: true})
	for _, app := range []bool{false, true} {
		if err := r.Check(message("acme:none", "{}"), app); err == nil || err.Kind != im.Invalid || err.Code != im.CodeNoType {
			t.Errorf("closed, app %v: %v", app, err)
		}
	}
	if err := r.Check(message("an:text", `{"content":"x"}`), false); err != nil {
		t.Errorf("closed, an:text: %v", err)
	}
	put(t, r, card())
	if err := r.Check(message("acme:card", `{"title":"x","price":1}`), false); err != nil {
		t.Errorf("closed, registered: %v", err)
	}
}

func TestServerOnlyTypes(t *testing.T) {
	r, _ := open(t, Config{})
	typ := card()
	typ.Clients = false
	put(t, r, typ)
	m := message("acme:card", `{"title":"x","price":1}`)
	if err := r.Check(m, false); err == nil || err.Code != im.CodeNoType {
		t.Errorf("from a client: %v", err)
	}
	if err := r.Check(m, true); err != nil {
		t.Errorf("from the app: %v", err)
	}
	if err := r.Check(message("an:group", `{"op":"add","by":"x"}`), false); err == nil {
		t.Error("a client may send an:group")
	}
}

func TestMaxBytesOfAType(t *testing.T) {
	r, _ := open(t, Config{})
	put(t, r, im.MessageType{Name: "acme:small", MaxBytes: 10, Clients: true})
	if err := r.Check(message("acme:small", "0123456789"), false); err != nil {
		t.Error(err)
	}
	if err := r.Check(message("acme:small", "0123456789a"), false); err == nil || err.Kind != im.TooLarge {
		t.Errorf("one byte more: %v", err)
	}
}

func TestNamesOfTheServer(t *testing.T) {
	r, _ := open(t, Config{})
	if _, err := r.Put(context.Background(), im.MessageType{Name: "an:mine"}); !im.IsKind(err, im.Invalid) {
		t.Errorf("Put: %v", err)
	}
	if err := r.Remove(context.Background(), "an:text"); !im.IsKind(err, im.Invalid) {
		t.Errorf("Remove: %v", err)
	}
	if err := r.Remove(context.Background(), "acme:none"); !im.IsKind(err, im.NotFound) {
		t.Errorf("Remove of none: %v", err)
	}
}

// What is wrong with a type is said when it is registered.
func TestPutRefuses(t *testing.T) {
	r, _ := open(t, Config{})
	deep := strings.Repeat(`{"items":`, 70) + "{}" + strings.Repeat("}", 70)
	for _, c := range []struct {
		change func(*im.MessageType)
		says   string
	}{
		{func(t *im.MessageType) { t.Name = "" }, "name: is missing"},
		{func(t *im.MessageType) { t.Name = "acme card" }, "printable"},
		{func(t *im.MessageType) { t.Name = strings.Repeat("x", 65) }, "64"},
		{func(t *im.MessageType) { t.Flags = 8 }, "flags"},
		{func(t *im.MessageType) { t.Flags = 17 }, "flags"},
		{func(t *im.MessageType) { t.MaxBytes = -1 }, "max_bytes"},
		{func(t *im.MessageType) { t.Schema = []byte(`{"type":"strong"}`) }, "the schema at /type"},
		{func(t *im.MessageType) { t.Schema = []byte(`{"properties":{"a":{"minLength":-1}}}`) }, "/properties/a/minLength must be at least 0"},
		{func(t *im.MessageType) { t.Schema = []byte(`{"type":`) }, "is not JSON"},
		{func(t *im.MessageType) { t.Schema = []byte(`{"type":"object","type":"array"}`) }, "twice"},
		{func(t *im.MessageType) { t.Schema = []byte(deep) }, "levels deep"},
		{func(t *im.MessageType) { t.Schema = []byte(`{"$ref":"https://example.com/a.json"}`) }, "nothing is read from elsewhere"},
		{func(t *im.MessageType) { t.Schema = []byte(`{"$ref":"file:///etc/passwd"}`) }, "nothing is read from elsewhere"},
		{func(t *im.MessageType) { t.Schema = []byte(`{"$ref":"/etc/passwd"}`) }, "nothing is read from elsewhere"},
		{func(t *im.MessageType) { t.Schema = []byte(`{"$ref":"#/$defs/none"}`) }, "not there"},
		{func(t *im.MessageType) { t.Schema = []byte(`{"$ref":"#none"}`) }, "not there"},
		{func(t *im.MessageType) { t.Schema = []byte(`{"$schema":"http://json-schema.org/draft-07/schema#"}`) }, "another draft"},
		{func(t *im.MessageType) { t.Schema = []byte(`{"pattern":"(?=a)"}`) }, "regular expression"},
		{func(t *im.MessageType) { t.Schema = []byte(`{"pattern":"` + strings.Repeat("a", 1001) + `"}`) }, "1001"},
		{func(t *im.MessageType) { t.Schema = []byte(`{"title":"` + strings.Repeat("a", maxSchema) + `"}`) }, "32768"},
		{func(t *im.MessageType) { t.Schema = []byte(`{"enum":[` + strings.Repeat("1,", maxNodes) + `1]}`) }, "4000 values"},
		{func(t *im.MessageType) { t.Schema = []byte(`{"minimum":1e999999}`) }, "exponent"},
		{func(t *im.MessageType) { t.Digest["xx-"] = "a" }, "no language"},
		{func(t *im.MessageType) { t.Digest["fr"] = "{title" }, "in fr, at character"},
		{func(t *im.MessageType) { t.Push = map[string]string{"en": "{n, plural, one {x}}"} }, "lack other"},
		{func(t *im.MessageType) { t.Search = []string{"title"} }, "JSON pointer"},
	} {
		typ := card()
		c.change(&typ)
		if _, err := r.Put(context.Background(), typ); !im.IsKind(err, im.Invalid) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%q is not in: %v", c.says, err)
		}
	}
	if _, ok := r.Get("acme:card"); ok {
		t.Error("one of them was registered")
	}
}

// Versions only grow, across updates that break what was, removals and restarts; what
// is the same keeps its own.
func TestVersionsGrow(t *testing.T) {
	r, st := open(t, Config{})
	_, v0 := r.List(0)
	one := put(t, r, card())
	if one.Version <= v0 {
		t.Errorf("version %d after %d", one.Version, v0)
	}
	if same := put(t, r, card()); same.Version != one.Version {
		t.Errorf("the same again has version %d, was %d", same.Version, one.Version)
	}
	breaking := card()
	breaking.Schema = []byte(`{"type":"array"}`)
	two := put(t, r, breaking)
	if two.Version <= one.Version {
		t.Errorf("an update has version %d, before it %d", two.Version, one.Version)
	}
	if list, v := r.List(one.Version); len(list) != 1 || list[0].Name != "acme:card" || v != two.Version {
		t.Errorf("since %d: %d types, version %d", one.Version, len(list), v)
	}
	if err := r.Remove(context.Background(), "acme:card"); err != nil {
		t.Fatal(err)
	}
	_, removed := r.List(0)
	if removed <= two.Version {
		t.Errorf("after the removal the version is %d", removed)
	}
	r = reopen(t, st, Config{})
	if _, v := r.List(0); v != removed {
		t.Errorf("after a restart the version is %d, was %d", v, removed)
	}
	if three := put(t, r, card()); three.Version <= removed {
		t.Errorf("registered anew it has version %d, the removal had %d", three.Version, removed)
	}
}

// Files win at the start over what the API left, and types go with their files; what
// has not changed keeps its version.
func TestTypesFromFiles(t *testing.T) {
	r, st := open(t, Config{})
	put(t, r, im.MessageType{Name: "acme:api", Clients: true})
	over := card()
	over.Digest = nil
	put(t, r, over)

	files := []File{{"card.yaml", card()}, {"other.yaml", im.MessageType{Name: "acme:other", Clients: true}}}
	r = reopen(t, st, Config{Files: files})
	first, ok := r.Get("acme:card")
	if !ok || first.Digest["en"] != "[Card] {title}" {
		t.Fatalf("the file does not hold: %+v", first)
	}
	_, version := r.List(0)
	r = reopen(t, st, Config{Files: files})
	if again, _ := r.Get("acme:card"); again.Version != first.Version {
		t.Errorf("unchanged, its version went from %d to %d", first.Version, again.Version)
	}
	if _, v := r.List(0); v != version {
		t.Errorf("nothing changed, and the version went from %d to %d", version, v)
	}
	r = reopen(t, st, Config{Files: files[:1]})
	if _, ok := r.Get("acme:other"); ok {
		t.Error("a type is there without its file")
	}
	if _, ok := r.Get("acme:api"); !ok {
		t.Error("a type of the API went with the files")
	}
	if _, v := r.List(0); v <= version {
		t.Error("a type went and the version stayed")
	}
}

// A store that fails changes nothing; the registry can be used on.
type failing struct {
	Store
	mu   sync.Mutex
	err  error // of Submit
	done error // by Done
}

func (f *failing) Submit(op store.Op) error {
	f.mu.Lock()
	err, done := f.err, f.done
	f.mu.Unlock()
	switch {
	case err != nil:
		return err
	case done != nil:
		op.Base().Err = done
		op.Base().Done()
		return nil
	}
	return f.Store.Submit(op)
}

func TestStoreRefuses(t *testing.T) {
	st := memstore.New(memstore.Config{})
	t.Cleanup(func() { st.Close() })
	f := &failing{Store: st}
	r := reopen(t, f, Config{})
	for _, set := range []func(){
		func() { f.err, f.done = im.Errorf(im.ReadOnly, "full"), nil },
		func() { f.err, f.done = nil, im.Errorf(im.Unavailable, "broken") },
	} {
		set()
		if _, err := r.Put(context.Background(), card()); err == nil {
			t.Fatal("it says that it is registered")
		}
		if _, ok := r.Get("acme:card"); ok {
			t.Fatal("it is registered, and not stored")
		}
	}
	f.err, f.done = nil, nil
	put(t, r, card())
}

func TestPutEndsWithItsContext(t *testing.T) {
	st := memstore.New(memstore.Config{})
	t.Cleanup(func() { st.Close() })
	r := reopen(t, st, Config{})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	r.turn <- struct{}{} // somebody writes
	if _, err := r.Put(ctx, card()); !im.IsKind(err, im.Busy) || !errors.Is(err, context.Canceled) {
		t.Errorf("Put: %v", err)
	}
	<-r.turn
	put(t, r, card())
}

// Readers and writers at once: each reader sees one whole state.
func TestLive(t *testing.T) {
	r, _ := open(t, Config{})
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		wg.Go(func() {
			var last int64
			for {
				select {
				case <-stop:
					return
				default:
				}
				_, v := r.List(0)
				if v < last {
					t.Errorf("the version fell from %d to %d", last, v)
				}
				last = v
				r.Check(message("acme:card", `{"title":"x","price":1}`), false)
				r.Digest(message("acme:card", `{"title":"x","price":1}`), "zh-CN")
			}
		})
	}
	for i := range 50 {
		typ := card()
		typ.MaxBytes = 1000 + i
		put(t, r, typ)
		if i%10 == 9 {
			if err := r.Remove(context.Background(), typ.Name); err != nil {
				t.Error(err)
			}
		}
	}
	close(stop)
	wg.Wait()
}

func TestDamagedRecordIsTold(t *testing.T) {
	_, st := open(t, Config{})
	for _, value := range []string{"{", "{}", `{"version":3,"schema":{"type":"strong"}}`} {
		done := make(chan struct{})
		op := &store.PutOp{Records: []store.Record{{Kind: store.TypeRecord, Key: "acme:x", Value: []byte(value)}}}
		op.Done = func() { close(done) }
		if err := st.Submit(op); err != nil {
			t.Fatal(err)
		}
		<-done
		if _, err := Open(context.Background(), st, Config{}); !im.IsKind(err, im.Internal) {
			t.Errorf("%s: %v", value, err)
		}
	}
}

func TestTooManyTypes(t *testing.T) {
	st := memstore.New(memstore.Config{})
	t.Cleanup(func() { st.Close() })
	var files []File
	for i := range maxTypes {
		files = append(files, File{"x", im.MessageType{Name: "acme:" + strings.Repeat("x", i%50) + string(rune('a'+i/50)), Clients: true}})
	}
	r := reopen(t, st, Config{Files: files})
	if _, err := r.Put(context.Background(), card()); !im.IsKind(err, im.TooLarge) {
		t.Errorf("one more: %v", err)
	}
	put(t, r, im.MessageType{Name: files[0].Type.Name, MaxBytes: 5}) // no new one
}

func dir(t *testing.T, files map[string]string) string {
	t.Helper()
	d := t.TempDir()
	for name, text := range files {
		write(t, filepath.Join(d, name), text)
	}
	return d
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
