// Command anser is the server and its tools: serve, chat, token, user, doctor, bench,
// version. "anser --help" teaches the rest.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/anser-im/anser/cmd/anser/bench"
	"github.com/anser-im/anser/cmd/anser/chat"
	"github.com/anser-im/anser/cmd/anser/types"
	"github.com/anser-im/anser/internal/server"
)

// cli is the command line.
type cli struct {
	Serve   serveCmd     `cmd:"" help:"Run the server."`
	Chat    chat.Command `cmd:"" help:"Talk in the terminal."`
	Token   tokenCmd     `cmd:"" help:"Make a token for a user, to sign in with."`
	User    userCmd      `cmd:"" help:"Built-in accounts, sessions and devices of users."`
	Key     keyCmd       `cmd:"" help:"App keys, for your backend to use the HTTP API with."`
	Types   types.Cmd    `cmd:"" help:"Message types: check files, register them, write code from them."`
	Doctor  doctorCmd    `cmd:"" help:"Look for what is wrong, and say what to do."`
	Bench   bench.Cmd    `cmd:"" help:"Measure a server."`
	Version versionCmd   `cmd:"" help:"Print the version."`
}

const description = `An instant-messaging server: a message that it has acknowledged is on disk.

Try it, in three terminals:

    anser serve
    anser chat alice
    anser chat bob --to alice

Or without any client: "anser token alice", then "nc 127.0.0.1 7302", and type LOGIN and the token.

All settings are in docs/CONFIGURATION.md; "anser serve --print-config" prints them.`

// streams are where a command reads and writes.
type streams struct {
	in       *os.File
	out, err io.Writer
}

func main() { os.Exit(run(os.Args[1:])) }

// run does what the command line says and gives the exit status.
func run(args []string) int {
	// The first signal ends in order; who waits no longer sends a second one (serve) or
	// is ended by it.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	io := &streams{os.Stdin, os.Stdout, os.Stderr}

	exited := -1
	parser, err := kong.New(&cli{},
		kong.Name("anser"),
		kong.Description(description),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true, WrapUpperBound: 100}),
		kong.Exit(func(code int) { exited = code; panic(exit{}) }),
		kong.Writers(io.out, io.err),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(io),
		kong.Bind(&types.Env{Stdin: io.in, Stdout: io.out, Stderr: io.err}, benchEnv(io), chat.Signer(signForChat)),
	)
	if err != nil {
		panic(err) // the command line itself is wrong: a bug of ours
	}
	k, err := parse(parser, args)
	if exited >= 0 {
		return exited // --help
	}
	if err != nil {
		fmt.Fprintf(io.err, "anser: %v\n", err)
		fmt.Fprintf(io.err, "Run \"%s --help\" to see what there is.\n", helpFor(err))
		return server.ExitUsage
	}
	err = k.Run()
	if err == nil {
		return 0
	}
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return 130 // ended by a signal, as shells tell it
	}
	if !errors.Is(err, errTold) {
		fmt.Fprintf(io.err, "anser: %v\n", err)
	}
	return server.ExitStatus(err)
}

// exit unwinds from kong's help, which expects that Exit does not return.
type exit struct{}

func parse(p *kong.Kong, args []string) (k *kong.Context, err error) {
	defer func() {
		if v := recover(); v != nil {
			if _, ok := v.(exit); !ok {
				panic(v)
			}
		}
	}()
	if len(args) == 0 {
		args = []string{"--help"}
	}
	return p.Parse(args)
}

// helpFor is the command whose help explains err.
func helpFor(err error) string {
	var p *kong.ParseError
	if errors.As(err, &p) && p.Context != nil {
		if words := strings.Fields(p.Context.Command()); len(words) > 0 {
			var names []string
			for _, w := range words {
				if strings.HasPrefix(w, "<") {
					break
				}
				names = append(names, w)
			}
			return strings.Join(append([]string{"anser"}, names...), " ")
		}
	}
	return "anser"
}

// errTold ends the program with status 1 when all has been said.
var errTold = errors.New("")

func benchEnv(io *streams) *bench.Env {
	return &bench.Env{Stdout: io.out, Stderr: io.err, Version: server.ReadVersion().String(), StoreRun: benchStore}
}

func benchStore(ctx context.Context, o bench.StoreOptions, progress func(what string, done, total int64)) (any, error) {
	return server.BenchStore(ctx, o.Data, server.BenchStoreOptions{
		Preload:       o.Preload,
		Conversations: o.Conversations,
		Messages:      o.Messages,
		Batch:         o.Batch,
		Size:          o.Size,
		Progress:      func(done, total int, phase string) { progress(phase, int64(done), int64(total)) },
	})
}

// signForChat lets "anser chat" sign in without a password where it can read the
// server's secret.
func signForChat(data, user, device string) (string, error) {
	return server.SignToken(server.TokenRequest{User: server.UserID(user), Device: server.DeviceID(device), DataDir: data})
}
