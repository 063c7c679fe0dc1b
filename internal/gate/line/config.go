package line

import (
	"log/slog"
	"time"
)

// Config says how the door behaves. The zero value works.
type Config struct {
	LoginTimeout time.Duration // from the connection to LOGIN; 0 = 60 s
	LoginTries   int           // wrong tokens before the link is closed; 0 = 3
	Idle         time.Duration // without a line from the client; 0 = 10 min
	WriteTimeout time.Duration // a link that takes no byte for so long is closed; 0 = 10 s
	MaxLine      int           // bytes of a line, its end not counted; 0 = 4,096 (what a terminal passes)
	MissedLines  int           // missed messages shown at login, the newest; 0 = 100
	Log          *slog.Logger  // nil = nothing is logged
}

func (c Config) defaults() Config {
	def(&c.LoginTimeout, 60*time.Second)
	def(&c.LoginTries, 3)
	def(&c.Idle, 10*time.Minute)
	def(&c.WriteTimeout, 10*time.Second)
	def(&c.MaxLine, 4096)
	def(&c.MissedLines, 100)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

func def[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}
