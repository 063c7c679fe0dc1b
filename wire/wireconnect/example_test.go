package wireconnect_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"

	"github.com/anser-im/anser/wire"
	"github.com/anser-im/anser/wire/wireconnect"
)

// bearer puts an app key, and the user for whom it is used, on every call.
func bearer(key, user string) connect.ClientInterceptor {
	return func(next connect.ClientFunc) connect.ClientFunc {
		return func(ctx context.Context, spec connect.Spec) (connect.ClientStream, error) {
			info, _ := connect.CallInfoForClientContext(ctx)
			info.RequestHeader().Set("Authorization", "Bearer "+key)
			info.RequestHeader().Set("Anser-As", user)
			return next(ctx, spec)
		}
	}
}

// A backend sends a message for a user, and finds the number of an error. Here the
// server is one of this example; yours is at http://127.0.0.1:7300.
func Example() {
	server := httptest.NewServer(answers())
	defer server.Close()

	c := connect.NewClient(connecthttp.NewTransport(http.DefaultClient, server.URL), bearer("ank_...", "alice"))
	messages := wireconnect.NewMessageServiceClient(c)
	sent, err := messages.Send(context.Background(), &wire.SendRequest{Id: "order-1002", Conv: "u/bob", Body: []byte(`{"content":"hello"}`)})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("sent as number", sent.Seq)

	_, err = messages.Page(context.Background(), &wire.PageRequest{Conv: "g/nothere"})
	var refused *connect.Error
	if errors.As(err, &refused) {
		for _, d := range refused.Details() {
			p := &wire.Problem{}
			if d.Type == "anser.v1.Problem" && p.UnmarshalVT(d.Value) == nil {
				fmt.Println("refused:", p.Code, p.Message)
			}
		}
	}
	// Output:
	// sent as number 7
	// refused: 3004 no such conversation, or you are not in it
}

// answers stands in for a server.
func answers() http.Handler {
	s := connect.NewServer()
	wireconnect.RegisterMessageServiceHandler(s, handler{})
	mux := http.NewServeMux()
	connecthttp.Mount(mux, s)
	return mux
}

type handler struct {
	wireconnect.UnimplementedMessageServiceHandler
}

func (handler) Send(context.Context, *wire.SendRequest) (*wire.SendResponse, error) {
	return &wire.SendResponse{Id: "order-1002", Seq: 7}, nil
}

func (handler) Page(context.Context, *wire.PageRequest) (*wire.PageResponse, error) {
	p := &wire.Problem{Code: wire.CodeNotFound, Message: "no such conversation, or you are not in it"}
	b, err := p.MarshalVT()
	if err != nil {
		return nil, err
	}
	return nil, connect.NewError(connect.CodeNotFound, p.Message).WithDetail(&connect.ErrorDetail{Type: "anser.v1.Problem", Value: b})
}
