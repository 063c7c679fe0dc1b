// Package testkit holds what tests of many rooms need. Only tests import it.
package testkit

import (
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// Soak says whether this run is a long one (`make soak`, ANSER_SOAK=1). A test that
// can go on for hours asks it how much to do; it never skips:
//
//	rounds := 10
//	if testkit.Soak(t) {
//		rounds = 100
//	}
func Soak(t testing.TB) bool {
	t.Helper()
	switch v := os.Getenv("ANSER_SOAK"); v {
	case "", "0":
		return false
	case "1":
		return true
	default:
		t.Fatalf("ANSER_SOAK is %q; it takes 1 or 0", v)
		return false
	}
}

// Limit is how long a test waits for what ought to come at once. It is generous, as
// machines that build at the same time are slow: it ends a test that hangs, and
// measures nothing.
const Limit = 30 * time.Second

// Within runs do in a goroutine of its own and fails the test if it has not returned
// within Limit; the goroutine is then left behind. do may call t.Error, not t.Fatal.
func Within(t testing.TB, what string, do func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		do()
	}()
	timer := time.NewTimer(Limit)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
		t.Fatalf("%s: nothing within %v", what, Limit)
	}
}

// Receive gives the next value of c, and fails the test if none comes within Limit or
// c is closed.
func Receive[T any](t testing.TB, what string, c <-chan T) T {
	t.Helper()
	timer := time.NewTimer(Limit)
	defer timer.Stop()
	select {
	case v, ok := <-c:
		if !ok {
			t.Fatalf("%s: closed", what)
		}
		return v
	case <-timer.C:
		t.Fatalf("%s: nothing within %v", what, Limit)
	}
	panic("unreachable")
}

// Main is for TestMain: it runs the tests and then fails the package if one of its
// goroutines is still there.
//
//	func TestMain(m *testing.M) { testkit.Main(m) }
func Main(m *testing.M, options ...goleak.Option) { goleak.VerifyTestMain(m, options...) }
