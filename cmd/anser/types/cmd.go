// Package types is "anser types": message types of an app, from files or a running
// server, and code made from them.
package types

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/typegen"
	"github.com/anser-im/anser/internal/types"
)

// Cmd is the command line.
type Cmd struct {
	Check  checkCmd  `cmd:"" help:"Check the file of a type, and a body against it."`
	Gen    genCmd    `cmd:"" help:"Write Go, TypeScript or Swift from schemas."`
	List   listCmd   `cmd:"" help:"List types."`
	Get    getCmd    `cmd:"" help:"Print one type."`
	Put    putCmd    `cmd:"" help:"Register types with a running server."`
	Remove removeCmd `cmd:"" help:"Take a type out of a running server."`
}

// Help is what "anser types --help" says besides.
func (*Cmd) Help() string {
	return `A type of message has a name (acme:card), flags, a JSON Schema that bodies are held to, and lines that stand for it in each language: docs/MESSAGES.md. Types come from files (types.dir of the server) or are registered with a running server.

    anser types check types/card.yaml '{"title": "Bike"}'
    anser types put types/card.yaml --server http://127.0.0.1:7300 --key-file app.key
    anser types gen --lang ts --dir types -o web/types.ts`
}

// Env is where commands write, and read what is given as "-".
type Env struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
}

type checkCmd struct {
	serverFlags
	File string `arg:"" help:"File of the type; or its name: of one of the server's own (an:poll), or one that a running server has."`
	Body string `arg:"" optional:"" help:"A body: JSON, @FILE or - for standard input."`
}

func (*checkCmd) Help() string {
	return `Prints the lines that stand for a message with that body, in each language. Exit status 1: the file or the body is wrong; it says where.

    anser types check types/card.yaml
    anser types check types/card.yaml @body.json
    anser types check acme:card @body.json --server http://127.0.0.1:7300 --key-file app.key
    echo '{"question": "Lunch?"}' | anser types check an:poll -`
}

// Run carries it out.
func (c *checkCmd) Run(ctx context.Context, env *Env) error {
	t, err := c.find(ctx)
	if err != nil {
		return err
	}
	if c.Body == "" {
		fmt.Fprintf(env.Stdout, "%s is well formed.\n", t.Name)
		return nil
	}
	body := []byte(c.Body)
	switch {
	case c.Body == "-":
		if body, err = io.ReadAll(io.LimitReader(env.Stdin, 1<<20)); err != nil {
			return err
		}
	case c.Body[0] == '@':
		if body, err = os.ReadFile(c.Body[1:]); err != nil {
			return err
		}
	}
	if err := types.Validate(t, body); err != nil {
		return err
	}
	var own []im.MessageType
	if !t.Built {
		own = append(own, t)
	}
	r, err := types.Alone(own...)
	if err != nil {
		return err
	}
	m := &im.Message{Type: t.Name, Flags: t.Flags, Body: body}
	for _, lang := range languages(t) {
		fmt.Fprintf(env.Stdout, "%s: %s\n", lang, cmp.Or(r.Digest(m, lang), "(no digest)"))
		if p := r.PushText(m, lang); p != "" && p != r.Digest(m, lang) {
			fmt.Fprintf(env.Stdout, "%s, notification: %s\n", lang, p)
		}
	}
	return nil
}

func (c *checkCmd) find(ctx context.Context) (im.MessageType, error) {
	for _, t := range types.Builtin() {
		if t.Name == c.File {
			return t, nil
		}
	}
	_, err := os.Stat(c.File)
	if errors.Is(err, os.ErrNotExist) && strings.Contains(c.File, ":") && filepath.Ext(c.File) == "" {
		return c.get(ctx, c.File)
	}
	f, err := types.ReadFile(c.File)
	return f.Type, err
}

// languages are those in which a type says anything; English if there are none.
func languages(t im.MessageType) []string {
	all := map[string]bool{}
	for _, m := range []map[string]string{t.Digest, t.Push, t.Title} {
		for l := range m {
			all[l] = true
		}
	}
	if len(all) == 0 {
		return []string{"en"}
	}
	return slices.Sorted(maps.Keys(all))
}

// source is where types come from.
type source struct {
	Dir string `help:"From the files of this directory, instead of a server." placeholder:"DIR" type:"path"`
	serverFlags
}

// types are all of the app's, and with builtin the server's own.
func (s *source) types(ctx context.Context, builtin bool) ([]im.MessageType, error) {
	var list []im.MessageType
	if s.Dir != "" {
		files, err := types.ReadDir(s.Dir)
		if err != nil {
			return nil, err
		}
		for _, f := range files {
			list = append(list, f.Type)
		}
		if builtin {
			list = append(list, types.Builtin()...)
		}
		return list, nil
	}
	list, err := s.list(ctx)
	if err != nil {
		return nil, err
	}
	if !builtin {
		list = slices.DeleteFunc(list, func(t im.MessageType) bool { return t.Built })
	}
	return list, nil
}

type genCmd struct {
	source
	Lang    string `required:"" enum:"go,ts,swift" help:"go, ts or swift."`
	Out     string `short:"o" help:"File, or for Go a directory. Default: standard output." placeholder:"PATH"`
	Package string `help:"Name of the Go package. Default: the directory's, else messages." placeholder:"NAME"`
	BuiltIn bool   `name:"built-in" help:"The server's own types too (ts, swift; the Go SDK has them)."`
}

func (*genCmd) Help() string {
	return `The same types give the same bytes, so that what is made can be committed and compared.

    anser types gen --lang go --dir types -o internal/messages
    anser types gen --lang ts --dir types -o web/src/types.ts
    anser types gen --lang swift --server https://im.example.com --key-file app.key -o Types.swift

Go: call Register of the package before client.New; messages then have the types as their Value.`
}

// Run carries it out.
func (c *genCmd) Run(ctx context.Context, env *Env) error {
	if c.BuiltIn && c.Lang == "go" {
		return errors.New("--built-in is for ts and swift: the Go SDK has the server's types already (client.TextBody ...)")
	}
	list, err := c.types(ctx, c.BuiltIn)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return errors.New("there are no types to write code for")
	}
	out, file := c.Out, ""
	switch {
	case out == "":
	case c.Lang == "go" && filepath.Ext(out) != ".go":
		if err := os.MkdirAll(out, 0o777); err != nil {
			return err
		}
		file = filepath.Join(out, "messages.go")
	default:
		file = out
	}
	var code []byte
	switch c.Lang {
	case "go":
		code, err = typegen.Go(list, typegen.GoOptions{Package: cmp.Or(c.Package, packageOf(file))})
	case "ts":
		code, err = typegen.TypeScript(list)
	case "swift":
		code, err = typegen.Swift(list)
	}
	if err != nil {
		return err
	}
	if file == "" {
		_, err = env.Stdout.Write(code)
		return err
	}
	if err := os.WriteFile(file, code, 0o666); err != nil {
		return err
	}
	fmt.Fprintf(env.Stderr, "%s: %d types\n", file, len(list))
	return nil
}

// packageOf is the directory's name where it can be a package's.
func packageOf(file string) string {
	if file == "" {
		return ""
	}
	abs, err := filepath.Abs(file)
	if err != nil {
		return ""
	}
	name := strings.ToLower(filepath.Base(filepath.Dir(abs)))
	if strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" || name == "" || name[0] < 'a' || name == "client" {
		return ""
	}
	return name
}

type listCmd struct {
	source
	BuiltIn bool `name:"built-in" help:"The server's own types too."`
}

// Run carries it out.
func (c *listCmd) Run(ctx context.Context, env *Env) error {
	list, err := c.types(ctx, c.BuiltIn)
	if err != nil {
		return err
	}
	slices.SortFunc(list, func(a, b im.MessageType) int { return strings.Compare(a.Name, b.Name) })
	w := tabwriter.NewWriter(env.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tFLAGS\tSCHEMA\tLANGUAGES\tSENT BY\tVERSION")
	for _, t := range list {
		schema, by := "-", "clients"
		if len(t.Schema) > 0 {
			schema = fmt.Sprintf("%d bytes", len(t.Schema))
		}
		if !t.Clients {
			by = "the app"
		}
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\t%d\n", t.Name, t.Flags, schema, strings.Join(languages(t), " "), by, t.Version)
	}
	return w.Flush()
}

type getCmd struct {
	source
	Name string `arg:"" help:"Name of the type: acme:card."`
}

func (*getCmd) Help() string {
	return `Prints it as a file in JSON, which "put" and types.dir take again.`
}

// Run carries it out.
func (c *getCmd) Run(ctx context.Context, env *Env) error {
	if c.Dir != "" {
		list, err := c.types(ctx, true)
		if err != nil {
			return err
		}
		for _, t := range list {
			if t.Name == c.Name {
				return print(env.Stdout, t)
			}
		}
		return fmt.Errorf("no file in %s has the type %s", c.Dir, c.Name)
	}
	t, err := c.get(ctx, c.Name)
	if err != nil {
		return err
	}
	return print(env.Stdout, t)
}

func print(w io.Writer, t im.MessageType) error {
	b, err := types.FileOf(t)
	if err != nil {
		return err
	}
	_, err = w.Write(b)
	return err
}

type putCmd struct {
	serverFlags
	Files []string `arg:"" help:"Files of types." type:"existingfile"`
}

// Run carries it out.
func (c *putCmd) Run(ctx context.Context, env *Env) error {
	var list []types.File
	for _, path := range c.Files { // all are read before the first is sent
		f, err := types.ReadFile(path)
		if err != nil {
			return err
		}
		list = append(list, f)
	}
	for _, f := range list {
		t, err := c.put(ctx, f.Type)
		if err != nil {
			return fmt.Errorf("%s: %w", f.Path, err)
		}
		fmt.Fprintf(env.Stdout, "%s is registered, version %d.\n", t.Name, t.Version)
	}
	return nil
}

type removeCmd struct {
	serverFlags
	Name string `arg:"" help:"Name of the type: acme:card."`
}

func (*removeCmd) Help() string {
	return `Messages of it stay, and new ones are like those of any type that is not registered. One that comes from a file of the server's is there again after its next start.`
}

// Run carries it out.
func (c *removeCmd) Run(ctx context.Context, env *Env) error {
	if err := c.remove(ctx, c.Name); err != nil {
		return err
	}
	fmt.Fprintf(env.Stdout, "%s is registered no longer.\n", c.Name)
	return nil
}
