package wire

import "google.golang.org/protobuf/proto"

// Body is any message of the schema: the body of a frame, or of a verb's request or
// response. A value is used by one goroutine at a time.
type Body interface {
	proto.Message
	Reset()
	SizeVT() int
	MarshalToSizedBufferVT([]byte) (int, error)
	UnmarshalVT([]byte) error
	UnmarshalVTUnsafe([]byte) error
}

// New makes an empty body for frames of type t. It is nil for TypeExt and for types
// that do not exist.
func New(t Type) Body {
	switch t {
	case TypePing:
		return new(Ping)
	case TypePong:
		return new(Pong)
	case TypeHello:
		return new(Hello)
	case TypeWelcome:
		return new(Welcome)
	case TypeReq:
		return new(Req)
	case TypeRes:
		return new(Res)
	case TypeSend:
		return new(Send)
	case TypeSendAck:
		return new(SendAck)
	case TypePush:
		return new(Push)
	case TypeAck:
		return new(Ack)
	case TypeSignal:
		return new(Signal)
	case TypeGoAway:
		return new(GoAway)
	case TypeState:
		return new(ClientState)
	case TypeCancel:
		return new(Cancel)
	}
	return nil
}

// TypeOf is the type of the frame whose body m is, or 0 if m is no frame's body.
func TypeOf(m Body) Type {
	switch m.(type) {
	case *Ping:
		return TypePing
	case *Pong:
		return TypePong
	case *Hello:
		return TypeHello
	case *Welcome:
		return TypeWelcome
	case *Req:
		return TypeReq
	case *Res:
		return TypeRes
	case *Send:
		return TypeSend
	case *SendAck:
		return TypeSendAck
	case *Push:
		return TypePush
	case *Ack:
		return TypeAck
	case *Signal:
		return TypeSignal
	case *GoAway:
		return TypeGoAway
	case *ClientState:
		return TypeState
	case *Cancel:
		return TypeCancel
	}
	return 0
}
