package types

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/anser-im/anser/internal/im"
)

// The server's own types: one file each, of the form that ReadDir reads. The fields
// that every body may have (reserved.json) are put into each schema.
//
//go:embed builtin/*.json
var builtinFiles embed.FS

const reservedFile = "reserved.json"

// unchecked are types whose bodies are not looked at before a send: the most of all
// messages, and the parts of a stream, which core makes. Their schemas are for
// documents and generated code. Their digest is made when it is asked for.
var unchecked = map[string]bool{"an:text": true, "an:stream.part": true}

// notices have a digest of their own.
var notices = map[string]func(body any, chinese bool) string{"an:group": groupNotice}

// builtin are the server's types by name, and what tells one set from another. They are
// read when they are first asked for: most commands of the program never do.
var builtin = sync.OnceValues(loadBuiltin)

func loadBuiltin() (map[string]*entry, string) {
	out := map[string]*entry{}
	sum := sha256.New()
	common, err := builtinFiles.ReadFile("builtin/" + reservedFile)
	must(err)
	list, err := builtinFiles.ReadDir("builtin")
	must(err)
	for _, d := range list {
		b, err := builtinFiles.ReadFile("builtin/" + d.Name())
		must(err)
		sum.Write(b)
		if d.Name() == reservedFile {
			continue
		}
		t, err := parseFile(b, true, nil)
		must(err)
		t.Schema, err = addFields(t.Schema, common)
		must(err)
		t.Built = true
		e, err := newEntry(t)
		must(err)
		e.notice = notices[t.Name]
		if e.light = e.light || unchecked[t.Name]; e.light {
			e.schema = nil
		}
		out[t.Name] = e
	}
	return out, hex.EncodeToString(sum.Sum(nil)[:8])
}

// must ends the program for what tests would have found: these files are ours.
func must(err error) {
	if err != nil {
		panic(fmt.Errorf("a message type of the server's own: %w", err))
	}
}

// addFields puts the properties of an object schema behind those of another.
func addFields(schema, common []byte) ([]byte, error) {
	var s, c map[string]json.RawMessage
	if err := json.Unmarshal(schema, &s); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(common, &c); err != nil {
		return nil, err
	}
	// Spliced as text, so that fields keep their order.
	at := bytes.LastIndexByte(s["properties"], '}')
	if at < 0 {
		return nil, fmt.Errorf("the schema has no properties")
	}
	more := bytes.TrimSpace(common)
	own := bytes.TrimSpace(s["properties"][:at])
	var joined bytes.Buffer
	joined.Write(own)
	if !bytes.HasSuffix(own, []byte("{")) {
		joined.WriteByte(',')
	}
	joined.Write(more[1:])
	return bytes.Replace(schema, s["properties"], joined.Bytes(), 1), nil
}

// builtins are the server's types at a version of the registry.
func builtins(version int64) []*entry {
	all, _ := builtin()
	out := make([]*entry, 0, len(all))
	for _, e := range all {
		c := *e
		c.t.Version = version
		out = append(out, &c)
	}
	return out
}

// Builtin lists the server's own types, by name, with Version 0.
func Builtin() []im.MessageType {
	all, _ := builtin()
	var out []im.MessageType
	for _, name := range sortedKeys(all) {
		out = append(out, clone(all[name].t))
	}
	return out
}
