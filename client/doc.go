// Package client is the Go SDK of Anser: one user on one device, connected as well as
// the network allows.
//
// It finds a server among several endpoints, logs in, comes back by itself when the
// connection breaks, sends what waits to be sent in order and once, and gives the
// application what arrives: in order in each conversation, and each message once in a
// run of the program. What was missed while away is fetched; what was sent while away
// goes out later. Kept in a Store, both hold across restarts.
//
//	store, err := client.OpenFileStore(client.StoreDir(dir, "alice", "laptop"))
//	c, err := client.New(client.Options{
//		Endpoints: []string{"wss://im.example.com", "tls://im.example.com:7301"},
//		Token:     func(ctx context.Context) (string, error) { return askMyServer(ctx) },
//		Device:    client.Device{ID: "laptop", Class: wire.ClassDesktop},
//		Store:     store,
//		OnEvent: func(e client.Event) {
//			if e.Kind == client.EventMessage {
//				fmt.Printf("%s: %s\n", e.Message.Sender, e.Message.Text())
//			}
//		},
//	})
//	err = c.Start()
//	_, err = c.Send(ctx, "u/bob", client.Text("hello")) // kept; sent when there is a connection
//
// # Once
//
// After a crash of the program, and only then, the messages of the last moment may come
// again, with the same numbers: the application had them and the store had not noted it
// yet. Who wants to exclude that keeps message and note in one transaction: see Store.
//
// # Verbs
//
// History, Edit, React, Vote, List, Schedule and the like are answered by the server; each
// verb of docs/PROTOCOL.md has a method, and Call makes any by its name. They wait
// for a connection as long as their context allows, and repeat by themselves what failed
// for the moment. Their error is the context's, an *Error, a *StopError, or ErrUnknown:
// the connection broke while the answer was under way, and what was asked for may have
// been done or not.
//
// # Types of message
//
// A body in Go is sent with SendValue and comes as Message.Value: *TextBody, *PollBody and
// the others of ours, or a type of the application's own (Register). One that is not
// registered here is an *Unknown, one that cannot be read an *Undecoded; both hold the
// bytes as they came. Message.Line stands for any message in a list.
//
// # What is kept here
//
// The client gives the application what happens, and the application keeps it. With
// Options.Keep the client keeps the newest messages of each conversation itself, in the
// Store: Kept and Search read them without a server, edits, recalls, deletions, reactions
// and expiry are followed, and Insert and SetLocal add what this device alone knows.
//
// Messages go away by EventChange (deleted for all), EventDeleted (this user deleted them
// for himself, on whichever device) and EventExpired (their time is over).
//
// # Goroutines
//
// Run owns a few: one delivers to the application, one each tells state and signals,
// and a connection has one that reads, one that writes, and one each for the heartbeat,
// the outbox, what is fetched, and the token. All have ended when Run returns. OnEvents
// may take as long as it likes: the server then holds back what it cannot deliver, and
// the link lives on.
package client
