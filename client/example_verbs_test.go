package client_test

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/anser-im/anser/client"
	"github.com/anser-im/anser/wire"
)

// Order is a type of message of an application's own.
type Order struct {
	client.Base
	Number string `json:"number"`
	Items  int    `json:"items"`
}

// Digest stands for an order where its type cannot be shown.
func (o *Order) Digest() string { return "[Order] " + o.Number }

// SearchableWords finds it on the device.
func (o *Order) SearchableWords() []string { return []string{o.Number} }

func ExampleRegister() {
	if err := client.Register[Order]("shop:order", client.Counted); err != nil { // before New
		fmt.Println(err)
		return
	}
	people, end := exampleUsers("alice", "bob")
	defer end()
	alice, bob := people[0], people[1]

	alice.SendValue(context.Background(), "u/bob", Order{Number: "A-17", Items: 3})
	m := bob.message()
	switch v := m.Value().(type) {
	case *Order:
		fmt.Println(v.Number, v.Items)
	case *client.Unknown:
		fmt.Println("a newer version is needed to show", v.Type)
	case *client.Undecoded:
		fmt.Println("what came is no order, but it is not lost:", v.Body)
	}
	fmt.Println(m.Line("en"))
	// Output:
	// A-17 3
	// [Order] A-17
}

func ExampleClient_Recall() {
	people, end := exampleUsers("alice", "bob")
	defer end()
	alice, bob := people[0], people[1]
	ctx := context.Background()

	seq := alice.say("u/bob", client.Text("see you at noo"))
	alice.Edit(ctx, "u/bob", seq, client.Text("see you at noon"))
	fmt.Println(bob.change().Message.Text())

	r, err := alice.Recall(ctx, "u/bob", seq)
	fmt.Println(r.Former.Text(), err) // to be written anew
	fmt.Println(bob.change().Message.Recalled)
	// Output:
	// see you at noon
	// see you at noon <nil>
	// true
}

func ExampleClient_React() {
	people, end := exampleUsers("alice", "bob")
	defer end()
	alice, bob := people[0], people[1]
	ctx := context.Background()

	seq := alice.say("u/bob", client.Text("we won"))
	bob.React(ctx, "u/alice", seq, "🎉")
	change := alice.change()
	fmt.Println(change.By, change.Added, change.Message.Reactions)
	list, _, err := alice.Reactions(ctx, "u/bob", seq, "🎉", client.Reacted{}, 10)
	fmt.Println(list[0].User, list[0].Key, err)
	// Output:
	// bob [🎉] [{🎉 1}]
	// bob 🎉 <nil>
}

func ExampleClient_Delete() {
	people, end := exampleUsers("alice", "bob")
	defer end()
	alice, bob := people[0], people[1]
	ctx := context.Background()

	for _, text := range []string{"one", "two", "three"} {
		alice.say("u/bob", client.Text(text))
		bob.message()
	}
	bob.Delete(ctx, "u/alice", 1) // on all of bob's devices, and for nobody else
	fmt.Println(bob.await(func(e client.Event) bool { return e.Kind == client.EventDeleted }).Ranges)

	alice.DeleteForAll(ctx, "u/bob", 2)
	fmt.Println(bob.change().Kind)

	for _, m := range bob.Kept("u/alice", nil, 10) {
		fmt.Println(m.Seq, m.Text())
	}
	// Output:
	// [{1 1}]
	// delete
	// 3 three
}

func ExampleClient_Replies() {
	people, end := exampleUsers("alice", "bob")
	defer end()
	alice, bob := people[0], people[1]
	ctx := context.Background()

	seq := alice.say("u/bob", client.Text("tea or coffee?"))
	reply := client.Text("tea")
	reply.ReplyTo = seq
	bob.say("u/alice", reply)

	list, _, _ := alice.Replies(ctx, "u/bob", seq, 0, 10)
	fmt.Println(list[0].Sender, list[0].Text())
	page, err := alice.History(ctx, "u/bob", 0, 10)
	fmt.Println(page.Messages[0].Extra.Replies, err)
	// Output:
	// bob tea
	// 1 <nil>
}

func ExampleClient_Threads() {
	people, end := exampleUsers("alice", "bob")
	defer end()
	alice, bob := people[0], people[1]
	ctx := context.Background()
	group, _, _ := alice.GroupCreate(ctx, client.NewGroup{Name: "Trip", Members: []string{"bob"}})

	root := alice.say(group, client.Text("where do we sleep?"))
	m := client.Text("I know a hut")
	m.Thread = root
	bob.say(group, m)

	threads, _, err := alice.Threads(ctx, group, 0, 10)
	t := threads[0]
	fmt.Println(t.First.Text(), t.Count, t.Unread, t.Last.Text(), err)
	// Output: where do we sleep? 1 1 I know a hut <nil>
}

func ExampleClient_Forward() {
	people, end := exampleUsers("alice", "bob", "carol")
	defer end()
	alice, carol := people[0], people[2]
	ctx := context.Background()

	alice.say("u/bob", client.Text("the key is under the mat"))
	alice.say("u/bob", client.Text("the blue one"))
	done, err := alice.Forward(ctx, client.Forward{Conv: "u/bob", Seqs: []uint64{1, 2}, To: []string{"u/carol"}, Merged: true, Title: "For Carol"})
	fmt.Println(len(done), err)

	record := carol.message().Value().(*client.MergedBody)
	fmt.Println(record.Title)
	for _, m := range record.Messages {
		fmt.Println(m.Sender, m.Value().(*client.TextBody).Content)
	}
	// Output:
	// 1 <nil>
	// For Carol
	// alice the key is under the mat
	// alice the blue one
}

func ExampleClient_Vote() {
	people, end := exampleUsers("alice", "bob")
	defer end()
	alice, bob := people[0], people[1]
	ctx := context.Background()

	poll := &client.PollBody{Question: "Lunch?", Options: []client.PollOption{{ID: "r", Text: "rice"}, {ID: "n", Text: "noodles"}}}
	alice.SendValue(ctx, "u/bob", poll)
	m := bob.message()
	bob.Vote(ctx, "u/alice", m.Seq, "n")
	now := alice.change().Message
	for _, o := range poll.Options {
		fmt.Println(o.Text, poll.Count(now, o.ID))
	}
	// Output:
	// rice 0
	// noodles 1
}

// An AI's answer, shown while it is being written.
func ExampleClient_OpenStream() {
	people, end := exampleUsers("bot", "bob")
	defer end()
	bot, bob := people[0], people[1]
	ctx := context.Background()

	s, err := bot.OpenStream(ctx, "u/bob", client.StreamOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, part := range []string{"Forty", "-two."} {
		s.Append(ctx, part)
		e := bob.await(func(e client.Event) bool { return e.Kind == client.EventStatus })
		fmt.Printf("%q\n", e.Message.Value().(*client.StreamPartBody).Text)
	}
	s.End(ctx, nil)
	fmt.Println(bob.message().Value().(*client.StreamBody).Text)
	// Output:
	// "Forty"
	// "-two."
	// Forty-two.
}

func ExampleClient_Schedule() {
	people, end := exampleUsers("alice", "bob")
	defer end()
	alice, bob := people[0], people[1]
	ctx := context.Background()

	m := client.Text("good morning")
	m.ID = "morning-1" // the same id again replaces it
	alice.Schedule(ctx, "u/bob", m, time.Now().Add(8*time.Hour))
	list, _, _ := alice.ListScheduled(ctx, "", 10)
	fmt.Println(list[0].ID, list[0].Conv)
	alice.Schedule(ctx, "u/bob", m, time.Now().Add(20*time.Millisecond))
	fmt.Println(bob.message().Text())
	// Output:
	// morning-1 u/bob
	// good morning
}

func ExampleClient_Remind() {
	people, end := exampleUsers("alice")
	defer end()
	alice := people[0]

	alice.Remind(context.Background(), client.Reminder{At: time.Now().Add(20 * time.Millisecond), Text: "call Bob"})
	e := alice.await(func(e client.Event) bool {
		if e.Kind != client.EventNoted {
			return false
		}
		r, ok := e.Note.Reminder()
		return ok && !r.Fired.IsZero()
	})
	r, _ := e.Note.Reminder()
	fmt.Println(r.Text)
	// Output: call Bob
}

func ExampleClient_List() {
	people, end := exampleUsers("alice", "bob", "carol")
	defer end()
	alice, bob, carol := people[0], people[1], people[2]
	ctx := context.Background()

	bob.say("u/alice", client.Text("hello"))
	alice.message()
	carol.say("u/alice", client.Text("are you there?"))
	alice.message()
	alice.Pin(ctx, "u/bob", true)
	alice.NotifyLevel(ctx, "u/carol", wire.LevelNone)

	list, err := alice.List(ctx, client.ListQuery{Limit: 20})
	for _, c := range list.Conversations {
		fmt.Println(c.Conv, c.Mine.Unread, c.Level, c.Digest)
	}
	total, _ := alice.Unread(ctx, client.Filter{NotMuted: true})
	fmt.Println(total.Messages, err) // the badge
	// Output:
	// u/bob 1 all hello
	// u/carol 1 none are you there?
	// 1 <nil>
}

func ExampleClient_SetDraft() {
	people, end := exampleUsers("alice")
	defer end()
	alice := people[0]
	ctx := context.Background()

	alice.SetDraft(ctx, client.Draft{Conv: "u/bob", Body: []byte("Dear B")})
	drafts, _, err := alice.Drafts(ctx, "", 10) // on any of her devices
	fmt.Printf("%s %s %v\n", drafts[0].Conv, drafts[0].Body, err)
	// Output: u/bob Dear B <nil>
}

func ExampleClient_ReadBy() {
	people, end := exampleUsers("alice", "bob", "carol")
	defer end()
	alice, bob := people[0], people[1]
	ctx := context.Background()
	group, _, _ := alice.GroupCreate(ctx, client.NewGroup{Name: "Team", Members: []string{"bob", "carol"}})

	seq := alice.say(group, client.Text("please read"))
	bob.Read(ctx, group, seq)
	read, _ := alice.ReadBy(ctx, group, seq, "", 100)
	unread, err := alice.UnreadBy(ctx, group, seq, "", 100)
	fmt.Println(read.Users, unread.Users, err)
	// Output: [bob] [carol] <nil>
}

func ExampleClient_SetProfile() {
	people, end := exampleUsers("alice", "bob")
	defer end()
	alice, bob := people[0], people[1]
	ctx := context.Background()

	bob.SetProfile(ctx, client.SetProfile{Name: new("Bob B."), Fields: map[string]client.ProfileField{
		"city":  {Value: "Berlin"},
		"phone": {Value: "+49 30 1234", Visible: client.VisibleNone},
	}})
	profiles, err := alice.Profiles(ctx, "bob")
	fmt.Println(profiles[0].Name, profiles[0].Fields["city"].Value, len(profiles[0].Fields), err)
	presence, _ := alice.Presence(ctx, "bob")
	fmt.Println(presence[0].Online)
	// Output:
	// Bob B. Berlin 1 <nil>
	// [phone]
}

func ExampleClient_Search() {
	people, end := exampleUsers("alice", "bob")
	defer end()
	alice, bob := people[0], people[1]

	alice.say("u/bob", client.Text("我们去北京吧"))
	bob.message()
	bob.SetLocal("u/alice", 1, map[string]string{"starred": "yes"}) // on this device alone
	for _, m := range bob.Search(client.Search{Text: "北京"}) {
		fmt.Println(m.Conv, m.Seq, m.Text(), m.Local.Fields["starred"])
	}
	// Output: u/alice 1 我们去北京吧 yes
}

// Any verb by name, in the JSON of the HTTP API.
func ExampleClient_Call() {
	people, end := exampleUsers("alice")
	defer end()
	alice := people[0]
	ctx := context.Background()

	answer, err := alice.Call(ctx, wire.MethodSetProfile, []byte(`{"name":"Alice A."}`))
	fmt.Println(strings.Contains(string(answer), `"name":"Alice A."`), err)
	_, err = alice.Call(ctx, wire.MethodPin, []byte(`{"conv":"g/nowhere","seq":"1"}`))
	fmt.Println(client.IsCode(err, wire.CodeNotFound))
	// Output:
	// true <nil>
	// true
}

func ExampleLineOf() {
	people, end := exampleUsers("shop", "bob")
	defer end()
	shop, bob := people[0], people[1]

	bob.say(client.LineOf("shop", "orders"), client.Text("where is my order?"))
	m := shop.message()
	fmt.Println(m.Conv, m.Text()) // beside what the two say in u/bob
	// Output: u/bob/orders where is my order?
}
