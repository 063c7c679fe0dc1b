//go:build !linux

package bench

import (
	"runtime"
	"time"
)

// On other systems the server's CPU and memory are not read: they are left out of the
// report.

func cpuOf(int) (time.Duration, bool) { return 0, false }
func rssOf(int) (int64, bool)         { return 0, false }
func listenerPID(string) int          { return 0 }
func filesystem(string) string        { return "" }
func loadAverage() (float64, bool)    { return 0, false }
func cpuModel() string                { return runtime.GOARCH }
func kernel() string                  { return runtime.GOOS }
func sleep(d time.Duration)           { time.Sleep(d) }
