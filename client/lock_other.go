//go:build !unix && !windows

package client

import "os"

// lockExclusive cannot lock there.
func lockExclusive(*os.File) error { return nil }

func syncDir(string) error { return nil }
