package main

import (
	"fmt"

	"github.com/anser-im/anser/internal/server"
)

type versionCmd struct{}

func (*versionCmd) Run(io *streams) error {
	v := server.ReadVersion()
	fmt.Fprintln(io.out, v)
	if v.Time != "" {
		changed := ""
		if v.Modified {
			changed = ", with changes"
		}
		fmt.Fprintf(io.out, "revision  %s of %s%s\n", v.Revision, v.Time, changed)
	}
	fmt.Fprintf(io.out, "built by  %s for %s\n", v.Go, v.Platform)
	return nil
}
