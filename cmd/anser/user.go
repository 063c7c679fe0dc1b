package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os/user"
	"strings"
	"text/tabwriter"
	"time"

	"golang.org/x/term"

	"github.com/anser-im/anser/internal/server"
)

type userCmd struct {
	Add      userAdd      `cmd:"" help:"Make an account with a password."`
	Passwd   userPasswd   `cmd:"" help:"Give an account another password; signs the user out everywhere."`
	Remove   userRemove   `cmd:"" help:"End signing in by password; messages stay."`
	Revoke   userRevoke   `cmd:"" help:"Make tokens worthless, and end their sessions."`
	Kick     userKick     `cmd:"" help:"End sessions; the tokens stay good."`
	List     userList     `cmd:"" help:"List users with an account."`
	Sessions userSessions `cmd:"" help:"List who is signed in as a user now."`
	Devices  userDevices  `cmd:"" help:"List the devices of a user."`
}

func (*userCmd) Help() string {
	return `Speaks with the server that runs on the data directory. If none runs, the directory is opened itself. Each change leaves a line in audit.log there.

Accounts are for when there is no app server that makes tokens: with one, users need no account here.`
}

// withAdmin opens the admin's verbs and closes them again.
func withAdmin(ctx context.Context, f *configFlags, io *streams, do func(server.Admin) error) (err error) {
	cfg, err := f.load()
	if err != nil {
		return err
	}
	who := "command line"
	if u, err := user.Current(); err == nil {
		who += " " + u.Username
	}
	a, err := server.OpenAdmin(ctx, cfg, who, server.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	return do(a)
}

type userAdd struct {
	configFlags
	User string `arg:"" help:"The user's id."`
}

func (*userAdd) Help() string {
	return `Asks for the password, twice. In a script, give it on standard input: it then is the first line.

    anser user add alice
    printf '%s\n' "$PASSWORD" | anser user add alice`
}

func (c *userAdd) Run(ctx context.Context, io *streams) error {
	return setPassword(ctx, &c.configFlags, io, c.User, server.Add, "The account %s is made.\n")
}

type userPasswd struct {
	configFlags
	User string `arg:"" help:"The user's id."`
}

func (c *userPasswd) Run(ctx context.Context, io *streams) error {
	return setPassword(ctx, &c.configFlags, io, c.User, server.Change, "%s has a new password, and is signed out everywhere.\n")
}

func setPassword(ctx context.Context, f *configFlags, io *streams, u string, mode server.PasswordMode, done string) error {
	return withAdmin(ctx, f, io, func(a server.Admin) error {
		p, err := readPassword(io)
		if err != nil {
			return err
		}
		if err := a.SetPassword(ctx, server.PasswordRequest{User: server.UserID(u), Password: p, Mode: mode}); err != nil {
			return err
		}
		fmt.Fprintf(io.out, done, u)
		return nil
	})
}

// readPassword asks for a password twice, without echo; where standard input is no
// terminal, its first line is the password.
func readPassword(io *streams) (string, error) {
	fd := int(io.in.Fd())
	if !term.IsTerminal(fd) {
		in := bufio.NewScanner(io.in)
		if !in.Scan() {
			if err := in.Err(); err != nil {
				return "", err
			}
			return "", errors.New("there is no password on standard input")
		}
		return in.Text(), nil
	}
	ask := func(what string) (string, error) {
		fmt.Fprint(io.err, what)
		b, err := term.ReadPassword(fd)
		fmt.Fprintln(io.err)
		return string(b), err
	}
	p, err := ask("Password: ")
	if err != nil {
		return "", err
	}
	again, err := ask("Once more: ")
	if err != nil {
		return "", err
	}
	if p != again {
		return "", errors.New("the two are not the same: nothing was changed")
	}
	return p, nil
}

type userRemove struct {
	configFlags
	User string `arg:"" help:"The user's id."`
}

func (c *userRemove) Run(ctx context.Context, io *streams) error {
	return withAdmin(ctx, &c.configFlags, io, func(a server.Admin) error {
		if err := a.RemovePassword(ctx, server.UserID(c.User)); err != nil {
			return err
		}
		fmt.Fprintf(io.out, "%s can no longer sign in by password, and is signed out everywhere.\n", c.User)
		return nil
	})
}

type userRevoke struct {
	configFlags
	User   string `arg:"" help:"The user's id."`
	Device string `help:"Only tokens used on this device."`
	Name   string `help:"Only the token of this name (jti)."`
}

func (*userRevoke) Help() string {
	return `All tokens of the user that were made until now are refused from now on, and their sessions end at once. Tokens made in the next 5 seconds are refused too (clocks may differ).`
}

func (c *userRevoke) Run(ctx context.Context, io *streams) error {
	return withAdmin(ctx, &c.configFlags, io, func(a server.Admin) error {
		err := a.Revoke(ctx, server.RevokeRequest{User: server.UserID(c.User), Device: server.DeviceID(c.Device), JTI: c.Name})
		if err == nil {
			fmt.Fprintf(io.out, "Revoked.\n")
		}
		return err
	})
}

type userKick struct {
	configFlags
	User   string `arg:"" help:"The user's id."`
	Device string `help:"Only the session of this device."`
	Reason string `help:"Told to the user."`
}

func (c *userKick) Run(ctx context.Context, io *streams) error {
	return withAdmin(ctx, &c.configFlags, io, func(a server.Admin) error {
		n, err := a.Kick(ctx, server.KickRequest{User: server.UserID(c.User), Device: server.DeviceID(c.Device), Reason: c.Reason})
		if err == nil {
			fmt.Fprintf(io.out, "Sessions ended: %d\n", n)
		}
		return err
	})
}

type userList struct{ configFlags }

func (c *userList) Run(ctx context.Context, io *streams) error {
	return withAdmin(ctx, &c.configFlags, io, func(a server.Admin) error {
		t := tabwriter.NewWriter(io.out, 0, 0, 2, ' ', 0)
		after, n := server.UserID(""), 0
		for {
			l, err := a.Users(ctx, after, 500)
			if err != nil {
				return err
			}
			for _, u := range l.Users {
				note := ""
				if !u.Password {
					note = "no password"
				}
				online := ""
				if u.Online > 0 {
					online = fmt.Sprintf("online (%d)", u.Online)
				}
				fmt.Fprintln(t, strings.TrimRight(string(u.User)+"\t"+online+"\t"+note, "\t"))
				after, n = u.User, n+1
			}
			if !l.More || len(l.Users) == 0 {
				break
			}
		}
		if n == 0 {
			fmt.Fprintln(io.err, "No user has an account here. Make one with \"anser user add NAME\", or let your app sign tokens.")
		}
		return t.Flush()
	})
}

type userSessions struct {
	configFlags
	User string `arg:"" help:"The user's id."`
}

func (c *userSessions) Run(ctx context.Context, io *streams) error {
	return withAdmin(ctx, &c.configFlags, io, func(a server.Admin) error {
		l, err := a.Sessions(ctx, server.UserID(c.User))
		if err != nil {
			return err
		}
		t := tabwriter.NewWriter(io.out, 0, 0, 2, ' ', 0)
		for _, s := range l {
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\tsince %s\n", s.Device, s.Class, s.Door, s.Addr, timeText(s.Since))
		}
		if len(l) == 0 {
			fmt.Fprintf(io.err, "%s is not signed in.\n", c.User)
		}
		return t.Flush()
	})
}

type userDevices struct {
	configFlags
	User string `arg:"" help:"The user's id."`
}

func (c *userDevices) Run(ctx context.Context, io *streams) error {
	return withAdmin(ctx, &c.configFlags, io, func(a server.Admin) error {
		l, err := a.Devices(ctx, server.UserID(c.User))
		if err != nil {
			return err
		}
		t := tabwriter.NewWriter(io.out, 0, 0, 2, ' ', 0)
		for _, d := range l {
			seen := "last seen " + timeText(d.LastSeen)
			if d.Online {
				seen = "online"
			}
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", d.Device, d.Class, seen, strings.TrimSpace(d.OS+" "+d.SDK))
		}
		if len(l) == 0 {
			fmt.Fprintf(io.err, "%s has used no device.\n", c.User)
		}
		return t.Flush()
	})
}

func timeText(ms int64) string { return time.UnixMilli(ms).Format("2006-01-02 15:04:05") }
