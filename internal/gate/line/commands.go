package line

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/anser-im/anser/internal/core"
	"github.com/anser-im/anser/internal/im"
)

// help is what HELP answers.
var help = []string{
	"* LOGIN <token> [device]    sign in; the device's place is kept (default: line)",
	"* SEND <to> <text>          say something: to is bob, or g/<group>",
	"* TO <to>                   every line goes there until a line with a single dot",
	"* HISTORY <to> [n]          the newest n messages (default 20, at most 200)",
	"* READ <to> [number]        mark as read, up to a number (default: all)",
	"* WHO g/<group>             who is in it",
	"* JOIN g/<group>            enter an open group; LEAVE g/<group> goes out",
	"* ACK ON|OFF                ON: what you are shown comes again next time until you READ it",
	"* PING, QUIT",
	"+OK commands may be in any case; answers begin with +OK or -ERR, messages with <sender>",
}

// command is one command that needs a login.
type command struct {
	usage string
	run   func(*conn, context.Context, string) error
}

var commandTable map[string]command

func init() { // not in the declaration: HELP's neighbours refer to the table
	commandTable = map[string]command{
		"SEND":    {"SEND <to> <text>", (*conn).cmdSend},
		"TO":      {"TO <to>", (*conn).cmdTo},
		"HISTORY": {"HISTORY <to> [n]", (*conn).cmdHistory},
		"READ":    {"READ <to> [number]", (*conn).cmdRead},
		"WHO":     {"WHO g/<group>", (*conn).cmdWho},
		"JOIN":    {"JOIN g/<group>", (*conn).cmdJoin},
		"LEAVE":   {"LEAVE g/<group>", (*conn).cmdLeave},
		"ACK":     {"ACK ON or ACK OFF", (*conn).cmdAck},
	}
}

// commands reads and carries out lines until the link ends.
func (c *conn) commands(ctx context.Context) {
	for {
		text, ok := c.read(c.d.cfg.Idle)
		if !ok {
			return
		}
		if c.to != "" {
			c.talk(ctx, text)
			continue
		}
		name, rest := word(text)
		switch upper := strings.ToUpper(name); upper {
		case "":
		case "HELP":
			c.write(help...)
		case "PING":
			c.write("+OK PONG")
		case "QUIT":
			c.write("+OK goodbye")
			return
		case "LOGIN":
			c.write(fmt.Sprintf("-ERR %d you are signed in as %s; QUIT first", im.CodeInvalid, c.sess.User()))
		default:
			cmd, known := commandTable[upper]
			if !known {
				c.write(fmt.Sprintf("-ERR %d unknown command %q: to talk type SEND bob %s, or HELP", im.CodeInvalid, clip(name), clip(text)))
				continue
			}
			if err := cmd.run(c, ctx, strings.TrimRight(rest, " \t")); err == errUsage {
				c.write(fmt.Sprintf("-ERR %d type %s", im.CodeInvalid, cmd.usage))
			} else if err != nil {
				c.write(refusal(err))
			}
		}
	}
}

// errUsage says that a command's words are off.
var errUsage = im.Errorf(im.Invalid, "usage")

// talk is one line while TO holds.
func (c *conn) talk(ctx context.Context, text string) {
	switch {
	case text == ".":
		c.write(fmt.Sprintf("+OK no longer talking to %s", c.to))
		c.to = ""
	case strings.TrimSpace(text) == "":
	default:
		if err := c.send(ctx, c.to, text); err != nil {
			c.write(refusal(err))
		}
	}
}

func (c *conn) cmdSend(ctx context.Context, rest string) error {
	to, text := word(rest)
	if to == "" || text == "" {
		return errUsage
	}
	return c.send(ctx, address(to), text)
}

func (c *conn) send(ctx context.Context, to im.Address, text string) error {
	id, err := uuid.NewV7()
	if err != nil {
		return err
	}
	s := &core.Send{To: to, Msg: &im.Message{ID: im.ClientID(id.String()), Type: textType, Body: textBody(text)}}
	if err := c.sess.SendWait(ctx, s); err != nil {
		return err
	}
	c.write(fmt.Sprintf("+OK %s#%d", to, s.Seq))
	return nil
}

func (c *conn) cmdTo(ctx context.Context, rest string) error {
	to, more := word(rest)
	if to == "" || more != "" {
		return errUsage
	}
	addr := address(to)
	kind, _, err := addr.Split()
	switch {
	case err != nil:
		return err
	case kind == im.Group: // said now rather than at the first line
		if _, err := c.sess.Conversation(ctx, addr); err != nil {
			return err
		}
	case kind != im.Direct:
		return im.Errorf(im.Unsupported, "nobody can be talked to at %s", addr)
	}
	c.to = addr
	c.write(fmt.Sprintf("+OK talking to %s; every line goes there until a line with a single dot", addr))
	return nil
}

func (c *conn) cmdHistory(ctx context.Context, rest string) error {
	to, rest := word(rest)
	n, more := word(rest)
	limit := 20
	if n != "" {
		v, err := strconv.Atoi(n)
		if err != nil || v < 1 {
			return errUsage
		}
		limit = min(v, 200)
	}
	if to == "" || more != "" {
		return errUsage
	}
	addr := address(to)
	page, _, err := c.sess.Page(ctx, core.PageQuery{Conv: addr, Backward: true, Limit: limit})
	if err != nil {
		return err
	}
	lines := make([]string, 0, len(page.Messages)+1)
	for _, m := range page.Messages {
		if m.Shown() {
			lines = append(lines, fmt.Sprintf("#%d %s <%s> %s", m.Seq, time.UnixMilli(m.Time).UTC().Format("2006-01-02 15:04:05Z"), m.Sender, digest(m, c.sess.Digest)))
		}
	}
	c.write(append(lines, fmt.Sprintf("+OK %d messages of %s", len(lines), addr))...)
	return nil
}

func (c *conn) cmdRead(ctx context.Context, rest string) error {
	to, rest := word(rest)
	n, more := word(rest)
	var seq im.Seq
	if n != "" {
		v, err := strconv.ParseUint(strings.TrimPrefix(n, "#"), 10, 64)
		if err != nil || v == 0 {
			return errUsage
		}
		seq = im.Seq(v)
	}
	if to == "" || more != "" {
		return errUsage
	}
	addr := address(to)
	mine, err := c.sess.Read(ctx, addr, seq)
	if err != nil {
		return err
	}
	c.taken(addr, mine.Read)
	c.write(fmt.Sprintf("+OK %s read up to #%d, %d unread", addr, mine.Read, mine.Unread))
	return nil
}

func (c *conn) cmdWho(ctx context.Context, rest string) error {
	to, more := word(rest)
	if to == "" || more != "" {
		return errUsage
	}
	addr := address(to)
	members, cut, _, err := c.sess.GroupMembers(ctx, addr, "", 200)
	if err != nil {
		return err
	}
	lines := make([]string, 0, len(members)+1)
	for _, m := range members {
		text := fmt.Sprintf("* %s (%s)", m.User, m.Role)
		if m.Online {
			text += " online"
		}
		lines = append(lines, text)
	}
	end := fmt.Sprintf("+OK %d members of %s", len(members), addr)
	if cut {
		end = fmt.Sprintf("+OK the first %d members of %s", len(members), addr)
	}
	c.write(append(lines, end)...)
	return nil
}

func (c *conn) cmdJoin(ctx context.Context, rest string) error {
	return c.enter(ctx, rest, "joined", c.sess.Join)
}

func (c *conn) cmdLeave(ctx context.Context, rest string) error {
	return c.enter(ctx, rest, "left", c.sess.Leave)
}

func (c *conn) enter(ctx context.Context, rest, did string, verb func(context.Context, im.Address) (core.GroupChanged, error)) error {
	to, more := word(rest)
	if to == "" || more != "" {
		return errUsage
	}
	addr := address(to)
	if _, err := verb(ctx, addr); err != nil {
		return err
	}
	c.write(fmt.Sprintf("+OK %s %s", did, addr))
	return nil
}

func (c *conn) cmdAck(_ context.Context, rest string) error {
	switch strings.ToUpper(rest) {
	case "ON":
		c.amu.Lock()
		c.ackOn = true
		c.amu.Unlock()
		c.write("+OK READ says what you have taken")
	case "OFF":
		c.amu.Lock()
		c.ackOn = false
		c.amu.Unlock()
		c.taken("", 0)
		c.write("+OK what you are shown counts as taken")
	default:
		return errUsage
	}
	return nil
}
