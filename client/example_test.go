package client_test

import (
	"context"
	"fmt"
	"net"

	"github.com/anser-im/anser/client"
	"github.com/anser-im/anser/wire"
)

// exampleServer is a server for the examples: one user, alice, whom bob has written.
func exampleServer() (dial func(context.Context, string) (net.Conn, error), end func()) {
	f := newFake(exampleTB{})
	f.post("u/bob", "bob", "are you there?")
	return f.dial, f.close
}

func Example() {
	dial, end := exampleServer()
	defer end()

	came := make(chan *client.Message, 100)
	c, err := client.New(client.Options{
		Endpoints: []string{"tcp://127.0.0.1:7301"}, // tls://host:port or wss://host beyond this machine
		Token:     func(ctx context.Context) (string, error) { return "token of my server", nil },
		Device:    client.Device{ID: "laptop", Class: wire.ClassDesktop},
		OnEvent: func(e client.Event) {
			if e.Kind == client.EventMessage {
				came <- e.Message
			}
		},
		Dial: dial, // only here: without it the network is dialled
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := c.Start(); err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()

	m := <-came
	fmt.Printf("%s: %s\n", m.Sender, m.Text())

	ctx := context.Background()
	p, err := c.Send(ctx, m.Conv, client.Text("yes, I am"))
	if err != nil {
		fmt.Println(err)
		return
	}
	sent, err := p.Wait(ctx) // not needed: it is sent in any case
	fmt.Println(sent.Conv, sent.Seq, err)
	// Output:
	// bob: are you there?
	// u/bob 2 <nil>
}

// A bot that answers every message exactly once: the answer is queued in the
// transaction that notes the message as taken.
func ExampleClient_SendIn() {
	dial, end := exampleServer()
	defer end()

	store := client.NewMemStore() // a bot that must not forget uses OpenFileStore
	answered := make(chan client.Sent, 1)
	var c *client.Client
	c, err := client.New(client.Options{
		Endpoints: []string{"tcp://127.0.0.1:7301"},
		Token:     func(ctx context.Context) (string, error) { return "token", nil },
		Device:    client.Device{ID: "echo", Class: wire.ClassBot},
		Store:     store,
		OnEvents: func(tx client.Tx, events []client.Event) error {
			for _, e := range events {
				switch e.Kind {
				case client.EventMessage:
					if _, err := c.SendIn(tx, e.Conv, client.Text("you said: "+e.Message.Text())); err != nil {
						return err // the same events come again
					}
				case client.EventSent:
					answered <- *e.Sent
				}
			}
			return nil
		},
		Dial: dial,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := c.Start(); err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	fmt.Println((<-answered).Conv)
	page, err := c.History(context.Background(), "u/bob", 0, 10)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, m := range page.Messages {
		fmt.Printf("%d %s: %s\n", m.Seq, m.Sender, m.Text())
	}
	// Output:
	// u/bob
	// 1 bob: are you there?
	// 2 alice: you said: are you there?
}

func ExampleText() {
	m := client.Text("1 < 2 & 用户")
	fmt.Println(m.Type, string(m.Body))
	// Output: an:text {"content":"1 < 2 & 用户"}
}
