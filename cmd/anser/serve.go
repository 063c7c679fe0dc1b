package main

import (
	"context"
	"os"

	"github.com/anser-im/anser/internal/server"
)

type serveCmd struct {
	configFlags
	Listen      []string `short:"l" help:"Where a door listens, a URL; may be repeated, and replaces the default: http://127.0.0.1:7300, tcp://127.0.0.1:7301, line://127.0.0.1:7302. Port 0 takes any free one." placeholder:"URL" env:"ANSER_LISTEN" sep:","`
	Admin       string   `help:"Where the admin listener is; \"off\" = none. Default: http://127.0.0.1:7309." placeholder:"URL" env:"ANSER_ADMIN"`
	AllowPlain  *bool    `help:"Let doors without TLS listen beyond this machine." env:"ANSER_ALLOW_PLAIN" negatable:""`
	TLSCert     string   `name:"tls-cert" help:"Certificate and its chain, PEM." placeholder:"FILE" env:"ANSER_TLS_CERT"`
	TLSKey      string   `name:"tls-key" help:"Its private key, PEM." placeholder:"FILE" env:"ANSER_TLS_KEY"`
	OpenMetrics *bool    `help:"Let /metrics on the admin listener answer without the admin token." env:"ANSER_OPEN_METRICS" negatable:""`
	LogLevel    string   `help:"error, warn, info or debug. Default: info." placeholder:"LEVEL" env:"ANSER_LOG_LEVEL"`
	LogFormat   string   `help:"console, text or json. Default: console on a terminal, else text." placeholder:"FORMAT" env:"ANSER_LOG_FORMAT"`
	PrintConfig bool     `help:"Print the configuration in force, with comments, and end."`
}

func (*serveCmd) Help() string {
	return `Nothing needs to be configured: "anser serve" listens on this machine alone and keeps its data in ./anser-data. When it is ready it says where, and what to do next.

    anser serve
    anser serve --data /var/lib/anser --config /etc/anser.yaml
    anser serve --listen https://:443 --listen tls://:7301 --tls-cert cert.pem --tls-key key.pem
    anser serve --print-config > anser.yaml

Ctrl-C or SIGTERM sends clients away in order and ends; a second one ends at once. Exit status: 64 the command line, 78 a setting is wrong, 69 an address is taken, 73 the data directory cannot be used (another server has it), 74 the store failed, 1 anything else.`
}

// config is the file with the flags over it.
func (c *serveCmd) config() (server.Config, error) {
	cfg, err := c.load()
	if err != nil {
		return cfg, err
	}
	if len(c.Listen) > 0 {
		cfg.Listen = c.Listen
	}
	set(&cfg.Admin, c.Admin)
	set(&cfg.TLS.Cert, c.TLSCert)
	set(&cfg.TLS.Key, c.TLSKey)
	set(&cfg.Log.Level, c.LogLevel)
	set(&cfg.Log.Format, c.LogFormat)
	if c.AllowPlain != nil {
		cfg.AllowPlain = *c.AllowPlain
	}
	if c.OpenMetrics != nil {
		cfg.OpenMetrics = *c.OpenMetrics
	}
	return cfg, nil
}

func set(to *string, s string) {
	if s != "" {
		*to = s
	}
}

func (c *serveCmd) Run(ctx context.Context, io *streams) error {
	cfg, err := c.config()
	if err != nil {
		return err
	}
	if c.PrintConfig {
		return cfg.Defaults().Print(io.out)
	}
	return server.Run(ctx, cfg, server.RunOptions{
		Stdout: io.out, Log: server.NewLogger(io.err, cfg.Log), Chinese: server.Chinese(os.Getenv),
	})
}
