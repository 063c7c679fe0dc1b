package types

import (
	"bytes"
	"encoding/json"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// Records of types are JSON, so that a newer server can add to them: one for each
// type, under its name, and a mark with the version of the registry.

// markKey is the mark's; no name holds a space.
const markKey = " version"

// maxRecord is what a store takes (store.Record.Value).
const maxRecord = 64 << 10

// record is the value of a record: of a type, or the mark.
type record struct {
	// of a type
	Flags    im.Flags          `json:"flags"`
	Schema   json.RawMessage   `json:"schema,omitempty"`
	Digest   map[string]string `json:"digest,omitempty"`
	Push     map[string]string `json:"push,omitempty"`
	Search   []string          `json:"search,omitempty"`
	MaxBytes int               `json:"max_bytes,omitempty"`
	Clients  bool              `json:"clients,omitempty"`
	Title    map[string]string `json:"title,omitempty"`
	File     bool              `json:"file,omitempty"`

	Version int64 `json:"version"`

	// of the mark
	Built        string `json:"built,omitempty"`         // which types the server had
	BuiltVersion int64  `json:"built_version,omitempty"` // since when
}

func encodeRecord(e *entry) ([]byte, error) {
	t := &e.t
	b, err := marshal(record{Flags: t.Flags, Schema: t.Schema, Digest: t.Digest, Push: t.Push, Search: t.Search,
		MaxBytes: t.MaxBytes, Clients: t.Clients, Title: t.Title, File: e.file, Version: t.Version})
	if err != nil {
		return nil, im.Wrap(im.Internal, err, "the type could not be written")
	}
	if len(b) > maxRecord {
		return nil, im.Errorf(im.TooLarge, "the type with its schema and texts is %d bytes long; at most %d are allowed", len(b), maxRecord)
	}
	return b, nil
}

// marshal leaves < and > in schemas and texts as they are.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

func decodeRecord(rec store.Record) (*entry, error) {
	var r record
	if err := json.Unmarshal(rec.Value, &r); err != nil {
		return nil, err
	}
	if r.Version == 0 {
		return nil, errNoRecord
	}
	e, err := newEntry(im.MessageType{Name: rec.Key, Flags: r.Flags, Schema: r.Schema, Digest: r.Digest, Push: r.Push,
		Search: r.Search, MaxBytes: r.MaxBytes, Clients: r.Clients, Title: r.Title, Version: r.Version})
	if err != nil {
		return nil, err
	}
	e.file = r.File
	return e, nil
}

func encodeMark(s *state) (store.Record, error) {
	r := s.mark
	r.Version = s.version
	b, err := json.Marshal(r)
	if err != nil {
		return store.Record{}, im.Wrap(im.Internal, err, "the version of the types could not be written")
	}
	return store.Record{Kind: store.TypeRecord, Key: markKey, Value: b}, nil
}

func decodeMark(b []byte) (record, error) {
	var r record
	if err := json.Unmarshal(b, &r); err != nil || r.Version <= 0 {
		return r, im.Wrap(im.Internal, errNoRecord, "the version of the message types cannot be read from the store")
	}
	return r, nil
}
