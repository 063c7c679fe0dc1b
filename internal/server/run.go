package server

import (
	"context"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/anser-im/anser/internal/gate"
)

// RunOptions is what Run needs of its program.
type RunOptions struct {
	Stdout  io.Writer    // told where the server is, once it is ready
	Log     *slog.Logger // required
	Chinese bool         // the language of Stdout
}

// Run is the life of a server as a program: it starts one, says so, runs it until ctx
// ends, and shuts it down. A signal (SIGINT, SIGTERM) after that ends the spreading;
// one more ends the process as signals do.
//
// Errors: a StartError; ExitStatus tells the program's exit status.
func Run(ctx context.Context, cfg Config, o RunOptions) error {
	if n, err := gate.RaiseFileLimit(); err != nil {
		o.Log.Warn("the limit of open files could not be raised", "limit", n, "error", err)
	}
	s, err := Start(cfg, Options{Log: o.Log})
	if err != nil {
		return err
	}
	o.Log.Info("ready", "version", ReadVersion().String()) // where it listens stands on Stdout
	s.PrintReady(o.Stdout, o.Chinese)
	notifySystemd("READY=1")

	var ended error
	select {
	case <-ctx.Done():
	case ended = <-s.Failed():
		o.Log.Error("a listener failed", "error", ended)
	}
	notifySystemd("STOPPING=1")
	hurry, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	second := make(chan os.Signal, 1)
	signal.Notify(second, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(second)
	go func() {
		select {
		case <-second:
			signal.Reset(os.Interrupt, syscall.SIGTERM) // a third one is for the runtime
			cancel()
		case <-hurry.Done():
		}
	}()
	if err := s.Shutdown(hurry); err != nil {
		return err
	}
	return ended
}
