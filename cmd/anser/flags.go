package main

import (
	"fmt"
	"strings"

	"github.com/anser-im/anser/internal/server"
)

// configFlags say which configuration a command works with.
type configFlags struct {
	Config string   `short:"c" help:"Configuration file (YAML)." placeholder:"FILE" env:"ANSER_CONFIG"`
	Data   string   `short:"d" help:"Data directory. Default: ./anser-data." placeholder:"DIR" env:"ANSER_DATA"`
	Set    []string `help:"Set one value: --set limits.send_rate=50. May be repeated." placeholder:"KEY=VALUE" sep:"none"`
}

// load reads the file and what the flags say over it.
func (f *configFlags) load() (server.Config, error) {
	var c server.Config
	if f.Config != "" {
		if err := server.ReadConfig(f.Config, &c); err != nil {
			return c, err
		}
	}
	for _, s := range f.Set {
		key, value, ok := strings.Cut(s, "=")
		if !ok {
			return c, usage("--set takes key=value; this is %q", s)
		}
		if err := c.Set(strings.TrimSpace(key), strings.TrimSpace(value)); err != nil {
			return c, usage("--set: %v", err)
		}
	}
	if f.Data != "" {
		c.Data = f.Data
	}
	return c, nil
}

// usage is an error of the command line.
func usage(format string, args ...any) error {
	return &server.StartError{Exit: server.ExitUsage, Text: fmt.Sprintf(format, args...)}
}
