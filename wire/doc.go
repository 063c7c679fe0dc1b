// Package wire is the native protocol of Anser for programs that speak it: frames,
// the messages inside them, and their two encodings. It is public, does no I/O and
// starts no goroutine; docs/PROTOCOL.md says what the frames mean and which rules
// hold between them.
//
// # Binary
//
// On TCP, TLS, QUIC and WebSocket binary messages a frame is one byte of flags and
// type, the body's length as a varint, and the body in protobuf. Reading a stream:
//
//	f, n, err := wire.Next(buf, wire.MaxFrame) // f.Body aliases buf
//	if err == wire.ErrShort {
//		// read more; n, if not 0, is the length of the whole frame
//	}
//	f, ok, err := reassembler.Add(f) // puts fragments together, decompresses
//	if ok && f.Type == wire.TypeSend {
//		err = wire.Binary.Decode(f, &send) // send's strings and bytes alias f.Body
//	}
//
// Writing:
//
//	out, err = wire.Binary.Append(out, &wire.SendAck{Id: id, Seq: 7})
//
// # JSON
//
// On WebSocket text messages a frame is an object with its type in "t", and a
// message holds one such object or an array of them. [JSON] and [Binary] are both a
// [Format], so that the code above them is written once.
//
// # Memory
//
// What Next and Decode give back points into the bytes they were given. Copy what
// is to outlive the buffer.
package wire
