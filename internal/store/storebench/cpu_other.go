//go:build !unix

package storebench

import "time"

// cpuTime is not known here: the CPU figures stay 0.
func cpuTime() time.Duration { return 0 }
