package main

import (
	"context"
	"fmt"

	"github.com/anser-im/anser/internal/server"
)

type doctorCmd struct {
	configFlags
	Ready bool `help:"Only ask the running server whether it takes messages; for health checks."`
}

func (*doctorCmd) Help() string {
	return `Checks the configuration, the data directory and its secrets, free space, addresses, the clock, the limit of open files, how fast the disk syncs, the audit log and, if one runs, the server. Changes nothing. The exit status is 1 if something is wrong.`
}

func (c *doctorCmd) Run(ctx context.Context, io *streams) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	if c.Ready {
		return server.CheckReady(ctx, cfg)
	}
	bad := false
	for f := range server.Diagnose(ctx, cfg) {
		mark := map[server.Severity]string{server.Fine: "ok  ", server.Warning: "warn", server.Bad: "BAD "}[f.Severity]
		fmt.Fprintf(io.out, "%s  %-14s %s\n", mark, f.What, f.Text)
		if f.Do != "" {
			fmt.Fprintf(io.out, "%20s -> %s\n", "", f.Do)
		}
		bad = bad || f.Severity == server.Bad
	}
	if bad {
		return errTold
	}
	return nil
}
