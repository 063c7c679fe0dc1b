package client

import "strings"

// NetworkNone is the kind of network when there is none.
const NetworkNone = "none"

// NetworkChanged tells that the device is on another network now, or on one again:
// label names it ("wifi:home", "cell:46000"; at most 64 bytes), kind is
// wire.NetworkWifi, NetworkCell, NetworkWired or NetworkNone. The link of the old
// network is left at once and the next attempt is made without waiting. With
// NetworkNone the client waits to be told of another. Telling the same again means that
// the network came up anew: while connected it only makes sure that the link lives.
func (c *Client) NetworkChanged(label, kind string) {
	label = clipLabel(label)
	c.mu.Lock()
	same := c.net.label == label && c.net.kind == kind
	c.net.label, c.net.kind = label, kind
	online := c.link != nil
	if c.attempt != nil && !same {
		c.attempt(errRebind) // it goes on over a network that is gone
	}
	c.mu.Unlock()
	switch {
	case same && online:
		c.Probe()
		return
	case online:
		poke(c.rebind)
	}
	poke(c.redial)
}

// clipLabel makes label one that the server takes: at most 64 bytes of UTF-8.
func clipLabel(label string) string {
	return strings.ToValidUTF8(label[:min(len(label), 64)], "")
}

// noNetwork says whether the application told that there is no network.
func (c *Client) noNetwork() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.net.kind == NetworkNone
}

// SetBackground tells whether the application is in the background. There the beats go
// out as seldom as the network allows, and the server holds back what is only of use
// to someone who looks. Coming to the foreground also cuts a pending wait short.
func (c *Client) SetBackground(background bool) {
	c.mu.Lock()
	changed := c.net.background != background
	c.net.background = background
	l := c.link
	c.mu.Unlock()
	if !changed {
		return
	}
	if l != nil {
		poke(l.pulse)
	}
	if !background {
		poke(c.redial)
	}
}

// Probe makes sure within about two seconds that the link lives: call it when something
// says that there is news, such as a push from the platform.
func (c *Client) Probe() {
	c.mu.Lock()
	c.probe = true
	l := c.link
	c.mu.Unlock()
	if l != nil {
		poke(l.pulse)
	}
	poke(c.redial)
}
