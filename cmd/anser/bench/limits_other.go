//go:build !linux && !darwin

package bench

import "syscall"

func needFiles(int) error { return nil }

func ownGroup() *syscall.SysProcAttr { return nil }
