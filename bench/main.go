package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

const usage = `usage:
  bench ceiling pairs|fanout [--users N] [--messages N] [--size B] [--window K] [--dir DIR]
  bench compare [--runs N] [--anser PROGRAM] [--only NAME,...] [--full DIR] [--json FILE] [--markdown FILE]
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:])
	switch {
	case err == nil:
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	default:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) >= 1 && args[0] == "compare" {
		return compare(ctx, args[1:])
	}
	if len(args) >= 2 && args[0] == "ceiling" {
		switch args[1] {
		case "serve": // the child of the other two
			return serveRelay(ctx, args[2:])
		case "pairs", "fanout":
			return driveRelay(ctx, args[1], args[2:])
		}
	}
	fmt.Fprint(os.Stderr, usage)
	return flag.ErrHelp
}
