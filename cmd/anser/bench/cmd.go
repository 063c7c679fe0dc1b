package bench

import (
	"context"
	"errors"
	"io"
	"time"
)

// ErrUnsound is the error of a bench that ran and found a message lost, doubled, out
// of order or refused: the report has been written, the program ends with status 1.
var ErrUnsound = errors.New("the server did not keep its promises")

// Env is what the commands need from the program around them.
type Env struct {
	Stdout io.Writer // the report, and the JSON with --json=-
	Stderr io.Writer // progress

	// Version is told in the JSON. Empty = not told.
	Version string

	// Launch starts a server of its own as another process, over the data directory
	// o.Dir. Nil = this program with "serve".
	Launch func(ctx context.Context, o LaunchOptions) (*Server, error)

	// StoreRun drives the store alone. Nil = the command says that this build cannot.
	// progress is called now and then, from any goroutine, with what is being done and
	// how far it is. What it answers is marshalled as a JSON object; its fields "lost",
	// "duplicated", "out_of_order" and "errors", where it has them, decide the status.
	StoreRun func(ctx context.Context, o StoreOptions, progress func(what string, done, total int64)) (any, error)

	waits waits // zero = the defaults; tests shorten them
}

// waits are the pauses of a bench.
type waits struct {
	patience time.Duration // how long nothing may move before what is missing counts as lost
	settle   time.Duration // after the last delivery, before the CPU is read
	idle     time.Duration // idle: after the logins, before the watching
}

func (w waits) defaults() waits {
	for _, v := range []struct {
		d    *time.Duration
		then time.Duration
	}{{&w.patience, defaultPatience}, {&w.settle, settleFor}, {&w.idle, settleIdle}} {
		if *v.d == 0 {
			*v.d = v.then
		}
	}
	return w
}

// Cmd is "anser bench".
type Cmd struct {
	Pairs   Pairs   `cmd:"" help:"Users talk in pairs: each sends its partner messages, and gets as many."`
	Fanout  Fanout  `cmd:"" help:"One user talks to a group whose members are all online."`
	Idle    Idle    `cmd:"" help:"Connections that log in and then only beat: memory and CPU of each."`
	Offline Offline `cmd:"" help:"Many users write to one who is away: how long until he holds it all."`
	Store   Store   `cmd:"" help:"The store alone, without connections, over many messages."`
}

// Target says which server is driven.
type Target struct {
	Addr       string `help:"Server to drive: tcp://host:port, tls://, ws://, wss:// (or http://, https://). Without it a server of its own is started, in a process of its own, with a fresh data directory, free ports and default settings but for the send rate per user, which is lifted." placeholder:"URL"`
	SecretFile string `help:"File with the secret that the server checks tokens with (\"secret\" in its data directory). Needed with --addr." placeholder:"FILE" type:"path"`
	Door       string `help:"Door to use: tcp, tls, ws or wss. Default: what --addr says, else tcp." placeholder:"DOOR" enum:",tcp,tls,ws,wss" default:""`
	PID        int    `name:"pid" help:"Process whose CPU and memory are read, with --addr. Default: who listens there, if that can be seen on this machine." placeholder:"N"`
	CA         string `name:"ca" help:"File with the certificate that a TLS server is checked against. Default: the system's." placeholder:"FILE" type:"path"`
	Insecure   bool   `help:"Take any certificate of a TLS server."`
	Data       string `help:"Data directory of the server that is started; it is left in place. Default: a fresh one, removed at the end." placeholder:"DIR" type:"path"`
}

// Output says where the report goes.
type Output struct {
	JSON  string `name:"json" help:"Write the figures as JSON to this file; \"-\" is the standard output, the table then goes to the standard error." placeholder:"FILE"`
	Quiet bool   `help:"No progress."`
}

// Pairs is "anser bench pairs".
type Pairs struct {
	Target
	Output
	Users       int     `help:"Connected users, an even number. Default ${default}." default:"1000" placeholder:"N"`
	Messages    int     `help:"Messages that each user sends. Default ${default}, or as many as fit with --seconds." default:"1000" placeholder:"N"`
	Size        int     `help:"Bytes of a message body. Default ${default}." default:"128" placeholder:"B"`
	Window      int     `help:"Messages of one user that may be unacknowledged. Default ${default}; never above the server's credit." default:"32" placeholder:"K"`
	Rate        float64 `help:"Sends a second, of all users together, by the clock. Default: flat out." placeholder:"R"`
	Connections int     `help:"Further connections, that only beat." placeholder:"N"`
	Seconds     float64 `help:"Stop sending after so long, whatever --messages says." placeholder:"S"`
	Spread      int     `help:"With the --data of a \"bench store\" with so many conversations: take the pairs from those, evenly." placeholder:"N"`
}

// Fanout is "anser bench fanout".
type Fanout struct {
	Target
	Output
	Users       int     `help:"Members of the group, all online; one of them sends. Default ${default}." default:"1000" placeholder:"N"`
	Messages    int     `help:"Messages that are sent. Default ${default}, or as many as fit with --seconds." default:"1000" placeholder:"N"`
	Size        int     `help:"Bytes of a message body. Default ${default}." default:"128" placeholder:"B"`
	Window      int     `help:"Messages that may be unacknowledged. Default ${default}; never above the server's credit." default:"4" placeholder:"K"`
	Rate        float64 `help:"Sends a second, by the clock. Default: flat out." placeholder:"R"`
	Connections int     `help:"Further connections, that only beat." placeholder:"N"`
	Seconds     float64 `help:"Stop sending after so long, whatever --messages says." placeholder:"S"`
}

// Idle is "anser bench idle".
type Idle struct {
	Target
	Output
	Connections int     `help:"Connections, each of a user of its own. Default ${default}." default:"10000" aliases:"users" placeholder:"N"`
	Seconds     float64 `help:"How long they are watched, after they have settled. Default ${default}." default:"60" placeholder:"S"`

	// All benches take the same flags, so that a script can give them to each.
	Messages int     `hidden:"" help:"Not used: idle connections send nothing."`
	Size     int     `hidden:"" help:"Not used: idle connections send nothing."`
	Window   int     `hidden:"" help:"Not used: idle connections send nothing."`
	Rate     float64 `hidden:"" help:"Not used: idle connections send nothing."`
}

// Offline is "anser bench offline".
type Offline struct {
	Target
	Output
	Users       int     `help:"Users who write to the absent one. Default ${default}." default:"100" placeholder:"N"`
	Messages    int     `help:"Messages in all. Default ${default}." default:"10000" placeholder:"N"`
	Size        int     `help:"Bytes of a message body. Default ${default}." default:"128" placeholder:"B"`
	Window      int     `help:"Messages of one user that may be unacknowledged. Default ${default}." default:"32" placeholder:"K"`
	Rate        float64 `help:"Sends a second, of all users together. Default: flat out." placeholder:"R"`
	Connections int     `help:"Further connections, that only beat." placeholder:"N"`
	Seconds     float64 `help:"Stop storing after so long, whatever --messages says." placeholder:"S"`
}
