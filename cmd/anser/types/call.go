package types

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/wire"
)

// serverFlags say which server, and with which right.
type serverFlags struct {
	Server  string `help:"The server's URL." default:"http://127.0.0.1:7300" placeholder:"URL" env:"ANSER_SERVER"`
	Key     string `help:"An app key (anser key create); better in the environment or a file than here, where others may see it." placeholder:"KEY" env:"ANSER_KEY"`
	KeyFile string `help:"File with the app key." placeholder:"FILE" env:"ANSER_KEY_FILE"`
}

const (
	callTime  = 30 * time.Second
	maxAnswer = 128 << 20 // bytes: a thousand types of the largest kind
)

// key is the app key.
func (f *serverFlags) key() (string, error) {
	if f.KeyFile != "" {
		b, err := os.ReadFile(f.KeyFile)
		if err != nil {
			return "", err
		}
		return strings.TrimSpace(string(b)), nil
	}
	if f.Key == "" {
		return "", errors.New("an app key is needed: make one by \"anser key create NAME\", and give it by --key-file or ANSER_KEY")
	}
	return f.Key, nil
}

// call carries out a verb of AppService over HTTP, in JSON.
func (f *serverFlags) call(ctx context.Context, verb string, q, into wire.Body) error {
	key, err := f.key()
	if err != nil {
		return err
	}
	body, err := wire.JSON.MarshalBody(q)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	url := strings.TrimRight(f.Server, "/") + "/anser.v1.AppService/" + verb
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+key)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("the server cannot be asked: %w", err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("the server's answer broke off: %w", err)
	}
	if res.StatusCode != http.StatusOK {
		var told struct{ Message string }
		if json.Unmarshal(b, &told) == nil && told.Message != "" {
			return errors.New(told.Message)
		}
		return fmt.Errorf("%s answers %s: is it an Anser server?", f.Server, res.Status)
	}
	if err := wire.JSON.UnmarshalBody(b, into); err != nil {
		return fmt.Errorf("the server's answer cannot be read: %w", err)
	}
	return nil
}

func (f *serverFlags) list(ctx context.Context) ([]im.MessageType, error) {
	var r wire.TypesResponse
	if err := f.call(ctx, wire.MethodTypes, &wire.TypesRequest{}, &r); err != nil {
		return nil, err
	}
	var out []im.MessageType
	for _, t := range r.Types {
		out = append(out, ofWire(t))
	}
	return out, nil
}

func (f *serverFlags) get(ctx context.Context, name string) (im.MessageType, error) {
	var r wire.TypeResponse
	err := f.call(ctx, wire.MethodType, &wire.TypeRequest{Name: name}, &r)
	return ofWire(r.Type), err
}

func (f *serverFlags) put(ctx context.Context, t im.MessageType) (im.MessageType, error) {
	var r wire.TypeResponse
	err := f.call(ctx, wire.MethodTypePut, &wire.TypePutRequest{Type: toWire(t)}, &r)
	return ofWire(r.Type), err
}

func (f *serverFlags) remove(ctx context.Context, name string) error {
	return f.call(ctx, wire.MethodTypeRemove, &wire.TypeRemoveRequest{Name: name}, &wire.Empty{})
}

func toWire(t im.MessageType) *wire.MessageType {
	flags := uint32(t.Flags)
	return &wire.MessageType{Name: t.Name, Flags: &flags, Schema: t.Schema, Digest: pairs(t.Digest), Push: pairs(t.Push),
		Search: t.Search, MaxBytes: uint32(t.MaxBytes), ServerOnly: !t.Clients, Title: pairs(t.Title)}
}

func ofWire(w *wire.MessageType) im.MessageType {
	t := im.MessageType{Name: w.GetName(), Flags: im.DefaultFlags, Schema: w.GetSchema(), Digest: texts(w.GetDigest()), Push: texts(w.GetPush()),
		Search: w.GetSearch(), MaxBytes: int(w.GetMaxBytes()), Clients: !w.GetServerOnly(), Title: texts(w.GetTitle()), Built: w.GetBuiltIn(), Version: w.GetVersion()}
	if w != nil && w.Flags != nil {
		t.Flags = im.Flags(*w.Flags)
	}
	return t
}

func pairs(m map[string]string) []*wire.Pair {
	var out []*wire.Pair
	for k, v := range m {
		out = append(out, &wire.Pair{Key: k, Value: v})
	}
	return out
}

func texts(list []*wire.Pair) map[string]string {
	var out map[string]string
	for _, p := range list {
		if out == nil {
			out = map[string]string{}
		}
		out[p.GetKey()] = p.GetValue()
	}
	return out
}
