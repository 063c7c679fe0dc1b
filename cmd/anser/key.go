package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/anser-im/anser/internal/server"
)

type keyCmd struct {
	Create keyCreate `cmd:"" help:"Make an app key, and show it once."`
	List   keyList   `cmd:"" help:"List app keys."`
	Revoke keyRevoke `cmd:"" help:"End an app key at once."`
}

func (*keyCmd) Help() string {
	return `With an app key your app's backend uses the HTTP API for any user (docs/API.md). Speaks with the server that runs on the data directory; if none runs, the directory is opened itself. Each change leaves a line in audit.log there.`
}

type keyCreate struct {
	configFlags
	Name     string        `arg:"" help:"What it is called: 1-64 of A-Z a-z 0-9 . _ -"`
	Services []string      `help:"Only for these services of the API, with commas between them: MessageService,GroupService. Default: all."`
	Expires  time.Duration `help:"Good for so long (720h). Default: until it is revoked."`
}

func (*keyCreate) Help() string {
	return `The key is the only line on standard output:

    KEY=$(anser key create backend)
    curl -H "Authorization: Bearer $KEY" -H "Anser-As: alice" ...

Keep it where you keep passwords: whoever has it can speak for every user. The server keeps its hash alone.`
}

func (c *keyCreate) Run(ctx context.Context, io *streams) error {
	return withAdmin(ctx, &c.configFlags, io, func(a server.Admin) error {
		q := server.KeyRequest{Name: c.Name, Services: strings.Join(c.Services, ",")}
		if c.Expires != 0 {
			q.Expires = time.Now().Add(c.Expires).UnixMilli()
		}
		k, err := a.CreateKey(ctx, q)
		if err != nil {
			return err
		}
		fmt.Fprintf(io.err, "The app key %s, which is shown this once:\n", k.Name)
		fmt.Fprintln(io.out, k.Key)
		return nil
	})
}

type keyList struct{ configFlags }

func (c *keyList) Run(ctx context.Context, io *streams) error {
	return withAdmin(ctx, &c.configFlags, io, func(a server.Admin) error {
		l, err := a.Keys(ctx)
		if err != nil {
			return err
		}
		t := tabwriter.NewWriter(io.out, 0, 0, 2, ' ', 0)
		for _, k := range l.Keys {
			used := "never used"
			if k.LastUsed != 0 {
				used = "last used " + timeText(k.LastUsed)
			}
			until := ""
			if k.Expires != 0 {
				until = "until " + timeText(k.Expires)
				if k.Expires <= time.Now().UnixMilli() {
					until = "expired " + timeText(k.Expires)
				}
			}
			services := "all services"
			if len(k.Services) > 0 {
				services = strings.Join(k.Services, ",")
			}
			fmt.Fprintln(t, strings.TrimRight(fmt.Sprintf("%s\tcreated %s\t%s\t%s\t%s", k.Name, timeText(k.Created), used, services, until), "\t"))
		}
		if len(l.Keys) == 0 {
			fmt.Fprintln(io.err, "There is no app key. Make one with \"anser key create NAME\".")
		}
		return t.Flush()
	})
}

type keyRevoke struct {
	configFlags
	Name string `arg:"" help:"Its name."`
}

func (c *keyRevoke) Run(ctx context.Context, io *streams) error {
	return withAdmin(ctx, &c.configFlags, io, func(a server.Admin) error {
		if err := a.RevokeKey(ctx, c.Name); err != nil {
			return err
		}
		fmt.Fprintf(io.out, "The app key %s is revoked.\n", c.Name)
		return nil
	})
}
