package testkit_test

import (
	"testing"

	"github.com/anser-im/anser/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

func TestSoak(t *testing.T) {
	for value, want := range map[string]bool{"": false, "0": false, "1": true} {
		t.Setenv("ANSER_SOAK", value)
		if got := testkit.Soak(t); got != want {
			t.Errorf("ANSER_SOAK=%q: %v", value, got)
		}
	}
}

func TestWaits(t *testing.T) {
	done := false
	testkit.Within(t, "a function that returns", func() { done = true })
	if !done {
		t.Error("Within did not wait")
	}
	c := make(chan int, 1)
	c <- 7
	if got := testkit.Receive(t, "a value that is there", c); got != 7 {
		t.Errorf("received %d", got)
	}
}
