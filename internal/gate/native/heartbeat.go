package native

import (
	"github.com/anser-im/anser/internal/core"
	"github.com/anser-im/anser/wire"
)

// ping answers a beat with the node's health, which core finds out the way a send
// would go: a store that hangs does not answer as well.
func (c *conn) ping(f wire.Frame) error {
	health := c.health()
	if len(f.Body) == 0 && c.f == wire.Binary {
		c.mu.Lock()
		ok := !c.gone && !c.said
		if ok {
			c.grow()
			c.out = c.seal(wire.AppendPong(c.out, health))
		}
		c.mu.Unlock()
		if ok {
			c.l.Wake()
		}
		return nil
	}
	return c.longPing(f, health)
}

func (c *conn) longPing(f wire.Frame, health wire.Health) error {
	var p wire.Ping
	if err := c.f.Decode(f, &p); err != nil {
		return c.broken(err)
	}
	pong := &wire.Pong{Time: p.Time, Health: uint32(health)}
	if p.Time != 0 {
		pong.ServerTime = c.core.Now().UnixMilli()
	}
	c.beat(p.NextS)
	c.answer(pong)
	return nil
}

// beat notes when the client's next beat is due; 0 = as before.
func (c *conn) beat(nextS uint32) {
	if nextS > 0 {
		c.l.Expect(c.d.cfg.Heartbeat.patience(nextS))
	}
}

// Silent is gate.Owner's: nothing came for 1.5 beats and the grace.
func (c *conn) Silent() {
	c.end(ending{reason: wire.ReasonSilent, code: wire.CodeSilent, text: "nothing came from you for longer than you announced",
		resumable: true, why: whySilent})
}

// health is core's, or that the door drains.
func (c *conn) health() wire.Health {
	h, _ := c.core.Health()
	w := healths[h]
	if c.d.draining.Load() {
		w = max(w, wire.HealthDraining)
	}
	return w
}

var healths = map[core.Health]wire.Health{
	core.HealthOK:       wire.HealthOK,
	core.HealthSlow:     wire.HealthSlow,
	core.HealthDraining: wire.HealthDraining,
	core.HealthStuck:    wire.HealthStuck,
}
