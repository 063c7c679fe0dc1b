package mobile_test

import (
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const path = "github.com/anser-im/anser/client/mobile"

// Only what phones can bind: string, bool, int, int64, float64, []byte, pointers to the
// package's own structs, its own callback interfaces, and error.
func TestOnlyTypesThatPhonesCanBind(t *testing.T) {
	pkg := typecheck(t)
	for _, bad := range unbindable(pkg) {
		t.Error(bad)
	}
	if n := len(pkg.Scope().Names()); n < 40 {
		t.Errorf("only %d names were looked at", n)
	}
}

// The check itself finds what it is for.
func TestUnbindableIsFound(t *testing.T) {
	src := `package p
		type T struct{ A uint64; B []string; C map[string]int; D *T; E []byte; f uint; Ok int64 }
		func (T) ByValue() {}
		func (*T) Two() (int, string) { return 0, "" }
		func (*T) Chan(c chan int) {}
		func (*T) Fine(s string, b []byte, t *T, i I) (*T, error) { return nil, nil }
		type I interface { Bad(x float32); Good(s string) (int, error) }
		func Variadic(s ...string) {}
		type Words []string
		var V uint8
		const K = "fine"
		func Value(t T) {}
		type G[P any] struct{}
	`
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, "p.go", src, 0)
	if err != nil {
		t.Fatal(err)
	}
	pkg, err := new(types.Config).Check("p", fset, []*ast.File{f}, nil)
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Join(unbindable(pkg), "\n")
	for _, want := range []string{"T.A", "T.B", "T.C", "T.ByValue", "T.Two", "T.Chan", "I.Bad", "Variadic", "Words", "V", "Value", "G"} {
		if !strings.Contains(got+":", want+":") {
			t.Errorf("%s was not found", want)
		}
	}
	for _, fine := range []string{"T.D:", "T.E:", "T.f:", "T.Ok:", "T.Fine:", "I.Good:", "K:"} {
		if strings.Contains(got, fine) {
			t.Errorf("%s was found", fine)
		}
	}
}

// typecheck reads this package, with what it imports from the build's export data.
func typecheck(t *testing.T) *types.Package {
	t.Helper()
	out, err := exec.Command("go", "list", "-export", "-deps", "-f", "{{.ImportPath}}={{.Export}}", path).Output()
	if err != nil {
		t.Fatal(err)
	}
	exports := map[string]string{}
	for _, line := range strings.Split(string(out), "\n") {
		if p, file, ok := strings.Cut(line, "="); ok {
			exports[p] = file
		}
	}
	fset := token.NewFileSet()
	var files []*ast.File
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(fset, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	cfg := types.Config{Importer: importer.ForCompiler(fset, "gc", func(p string) (io.ReadCloser, error) { return os.Open(exports[p]) })}
	pkg, err := cfg.Check(path, fset, files, nil)
	if err != nil {
		t.Fatal(err)
	}
	return pkg
}

// unbindable names what of the exported face of pkg phones cannot bind, and why.
func unbindable(pkg *types.Package) (bad []string) {
	report := func(name, why string) { bad = append(bad, fmt.Sprintf("%s: %s", name, why)) }
	// ok says whether a value of type t can pass.
	ok := func(t types.Type) bool {
		switch u := types.Unalias(t).(type) {
		case *types.Basic:
			switch u.Kind() {
			case types.String, types.Bool, types.Int, types.Int64, types.Float64, types.UntypedString, types.UntypedBool, types.UntypedInt:
				return true
			}
		case *types.Slice:
			b, isBasic := u.Elem().(*types.Basic)
			return isBasic && b.Kind() == types.Byte
		case *types.Pointer:
			n, isNamed := types.Unalias(u.Elem()).(*types.Named)
			if !isNamed || n.Obj().Pkg() != pkg {
				return false
			}
			_, isStruct := n.Underlying().(*types.Struct)
			return isStruct && n.TypeParams() == nil
		case *types.Named:
			if u.Obj().Pkg() == nil && u.Obj().Name() == "error" {
				return true
			}
			_, isInterface := u.Underlying().(*types.Interface)
			return isInterface && u.Obj().Pkg() == pkg
		}
		return false
	}
	signature := func(name string, s *types.Signature) {
		if s.Variadic() || s.TypeParams() != nil {
			report(name, "variadic or generic")
			return
		}
		for v := range s.Params().Variables() {
			if !ok(v.Type()) {
				report(name, "takes "+v.Type().String())
			}
		}
		switch r := s.Results(); {
		case r.Len() > 2, r.Len() == 2 && r.At(1).Type().String() != "error":
			report(name, "answers "+r.String())
		default:
			for v := range r.Variables() {
				if !ok(v.Type()) {
					report(name, "answers "+v.Type().String())
				}
			}
		}
	}
	for _, name := range pkg.Scope().Names() {
		obj := pkg.Scope().Lookup(name)
		if !obj.Exported() {
			continue
		}
		switch o := obj.(type) {
		case *types.Func:
			signature(name, o.Signature())
		case *types.Var, *types.Const:
			if !ok(obj.Type()) {
				report(name, "is a "+obj.Type().String())
			}
		case *types.TypeName:
			n, isNamed := o.Type().(*types.Named)
			if !isNamed || n.TypeParams() != nil {
				report(name, "is an alias or generic")
				continue
			}
			switch u := n.Underlying().(type) {
			case *types.Struct:
				for f := range u.Fields() {
					if f.Exported() && !ok(f.Type()) {
						report(name+"."+f.Name(), "is a "+f.Type().String())
					}
				}
				for m := range n.Methods() {
					if !m.Exported() {
						continue
					}
					if _, isPointer := m.Signature().Recv().Type().(*types.Pointer); !isPointer {
						report(name+"."+m.Name(), "has a receiver by value")
					}
					signature(name+"."+m.Name(), m.Signature())
				}
			case *types.Interface:
				for m := range u.Methods() {
					signature(name+"."+m.Name(), m.Signature())
				}
			default:
				report(name, "is a "+u.String())
			}
		}
	}
	return bad
}

// The generator of the bindings leaves out in silence what it cannot bind, but for a
// comment: none may be in what it writes.
func TestBindingsAreComplete(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.Command("go", "tool", "gobind", "-lang=go,objc,java", "-outdir="+dir, path)
	if out, err := cmd.CombinedOutput(); err != nil || strings.Contains(string(out), "skipped") {
		t.Fatalf("gobind: %v\n%s", err, out)
	}
	bound := map[string]bool{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(p)
		for i, line := range strings.Split(string(b), "\n") {
			if strings.Contains(line, "skipped") {
				t.Errorf("%s:%d: %s", filepath.Base(p), i+1, strings.TrimSpace(line))
			}
		}
		bound[filepath.Base(p)] = true
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Mobile.objc.h", "Client.java", "Handler.java", "go_mobilemain.go"} {
		if !bound[want] {
			t.Errorf("%s was not written", want)
		}
	}
}
