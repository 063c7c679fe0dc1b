// Card is a client that knows a message type of its own: it prints each acme:card that
// arrives as the Go value that it is, and ends after as many as it was told.
//
//	ANSER_TOKEN=$(anser token bob) go run ./docs/examples/card tcp://127.0.0.1:7301 1
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/signal"
	"strconv"

	"github.com/anser-im/anser/client"
)

// Card is the body of an acme:card.
type Card struct {
	client.Base        // the keys that every type shares, and those of later versions
	Title       string `json:"title"`
	Count       int    `json:"count"`
	Picture     string `json:"picture,omitempty"`
}

// Digest stands for the card where it cannot be shown.
func (c *Card) Digest() string { return fmt.Sprintf("[Card] %s x %d", c.Title, c.Count) }

// SearchableWords are what a card is found by on the device.
func (c *Card) SearchableWords() []string { return []string{c.Title} }

func main() {
	log.SetFlags(0)
	if len(os.Args) != 3 {
		log.Fatal("usage: card tcp://HOST:PORT HOW-MANY (the token stands in ANSER_TOKEN)")
	}
	many, err := strconv.Atoi(os.Args[2])
	if err != nil {
		log.Fatalf("how many? %v", err)
	}
	if err := client.Register[Card]("acme:card", client.Counted); err != nil {
		log.Fatal(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	cards := make(chan *Card)
	c, err := client.New(client.Options{
		Endpoints: []string{os.Args[1]},
		Token:     func(context.Context) (string, error) { return os.Getenv("ANSER_TOKEN"), nil },
		OnEvent: func(e client.Event) {
			if e.Kind != client.EventMessage {
				return
			}
			if card, ok := e.Message.Value().(*Card); ok {
				select {
				case cards <- card:
				case <-ctx.Done():
				}
			}
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := c.Start(); err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	for range many {
		select {
		case card := <-cards:
			fmt.Printf("a card: %d x %q\n", card.Count, card.Title)
		case <-ctx.Done():
			return
		}
	}
}
