package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/anser-im/anser/internal/server"
)

type tokenCmd struct {
	configFlags
	User    string        `arg:"" help:"The user's id."`
	Device  string        `help:"Good for this device alone."`
	Class   string        `help:"Class of the device: phone, tablet, desktop, web, bot or line."`
	Doors   []string      `help:"Good at these doors alone: native, line." sep:","`
	Name    string        `help:"A name (jti), by which this one token can be revoked."`
	App     string        `help:"The app it is for (aud). Default: any app of this server."`
	Expires time.Duration `help:"How long it is good." default:"24h" placeholder:"TIME"`
	KeyID   string        `name:"kid" help:"Name of the secret, where it is one of auth.secrets."`
	Secret  string        `help:"File with the secret. Default: the one in the data directory." placeholder:"FILE"`
}

func (*tokenCmd) Help() string {
	return `Signs with the secret file of the data directory; no server need run. The token alone goes to standard output, so it can be used in place:

    anser token alice
    anser token bot7 --class bot --expires 720h
    printf 'LOGIN %s\nSEND bob hello\n' "$(anser token alice)" | nc 127.0.0.1 7302

Your own app makes tokens the same way: a JWT signed with HS256 and the text of that file as the key, with sub (the user), iat and exp.`
}

func (c *tokenCmd) Run(io *streams) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	var doors []string
	for _, d := range c.Doors {
		if d = strings.TrimSpace(d); d != "" {
			doors = append(doors, d)
		}
	}
	if c.Expires <= 0 {
		return usage("--expires is not above 0")
	}
	t, err := server.SignToken(server.TokenRequest{
		User: server.UserID(c.User), App: c.App, Device: server.DeviceID(c.Device), Class: server.Class(c.Class),
		Doors: doors, Name: c.Name, Life: c.Expires, KeyID: c.KeyID, Secret: c.Secret, DataDir: cfg.Data,
	})
	if err != nil {
		return err
	}
	fmt.Fprintln(io.out, t)
	if f, ok := io.out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		fmt.Fprintf(io.err, "Whoever has it is %s until %s.\n", c.User, time.Now().Add(c.Expires).Format("2006-01-02 15:04"))
	}
	return nil
}
