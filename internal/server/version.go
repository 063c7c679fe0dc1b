package server

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// Release is the version, set when a release is linked:
// -ldflags "-X github.com/anser-im/anser/internal/server.Release=1.2.3".
var Release string

// Version is what is known of the build.
type Version struct {
	Release  string // "" = none: built from a working tree
	Revision string // of the repository; "" = not recorded
	Time     string // of that revision, RFC 3339
	Modified bool   // the tree had changes
	Go       string // the compiler's version
	Platform string // linux/amd64
}

// ReadVersion reads it from the program itself.
func ReadVersion() Version {
	v := Version{Release: Release, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	if v.Release == "" && info.Main.Version != "(devel)" {
		v.Release = info.Main.Version // of "go install module@version"
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Revision = s.Value
		case "vcs.time":
			v.Time = s.Value
		case "vcs.modified":
			v.Modified = s.Value == "true"
		}
	}
	return v
}

// String is one line without details.
func (v Version) String() string {
	s := "anser development build"
	if v.Release != "" {
		s = "anser " + v.Release
	}
	if v.Revision != "" {
		s += fmt.Sprintf(" (%.12s)", v.Revision)
	}
	return s
}
