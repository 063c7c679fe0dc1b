package wire

import (
	"strconv"
	"sync"
)

// JSONFormat is the JSON encoding. Use JSON.
//
// Field names are those of the schema and fields that are zero are left out. 64-bit
// integers are strings; numbers are taken too where they are exact. Unknown keys are
// passed over; a known key that stands twice is refused, and so is text that is not
// UTF-8. The body of a message, send, edit or signal stands in "body" as the JSON
// value it is, byte by byte, where it is JSON of at most MaxBodyDepth levels with no
// white space around it; any other body stands in "body_base64". The bodies of req
// and res are the JSON objects of the verb. The same message always gives the same
// text.
type JSONFormat struct{}

// JSON is the JSON encoding.
var JSON JSONFormat

// Subprotocol is SubprotocolJSON.
func (JSONFormat) Subprotocol() string { return SubprotocolJSON }

var typesByName = func() map[string]Type {
	m := make(map[string]Type)
	for t := TypePing; t <= TypeExt; t++ {
		m[t.String()] = t
	}
	return m
}()

// Each goes through a unit: one frame or an array of frames; see Format. An empty
// unit and an empty array are refused.
func (JSONFormat) Each(unit []byte, max int, do func(Frame) error) error {
	if max <= 0 {
		max = MaxFrame
	}
	if len(unit) > max {
		return tooLarge("a JSON message of %d bytes; the limit is %d", len(unit), max)
	}
	i := skipSpace(unit, 0)
	array := byteAt(unit, i) == '['
	if array {
		i = skipSpace(unit, i+1)
	}
	for more := true; more; {
		f, end, err := scanFrame(unit, i)
		if err != nil {
			return err
		}
		if err := do(f); err != nil {
			return err
		}
		i, more = end, false
		if array {
			if i, more, err = scanNext(unit, i, ']'); err != nil {
				return err
			}
		}
	}
	if i = skipSpace(unit, i); i < len(unit) {
		return jsonError(i, "something stands behind the end")
	}
	return nil
}

// scanFrame passes over the frame at b[i] and reads its type, wherever in the object
// that stands.
func scanFrame(b []byte, i int) (Frame, int, *Error) {
	if byteAt(b, i) != '{' {
		return Frame{}, i, jsonError(i, "an object is missing")
	}
	start, found := i, false
	f := Frame{Type: TypeExt}
	i = skipSpace(b, i+1)
	for more := byteAt(b, i) != '}'; more; {
		key, escaped, value, err := scanKey(b, i)
		if err != nil {
			return f, value, err
		}
		end, err := scanValue(b, value, MaxJSONDepth-2)
		if err != nil {
			return f, end, err
		}
		if !escaped && string(key) == "t" {
			if found || b[value] != '"' {
				return f, value, jsonError(value, `"t" takes one string`)
			}
			found = true
			if t, ok := typesByName[string(b[value+1:end-1])]; ok {
				f.Type = t
			}
		}
		if i, more, err = scanNext(b, end, '}'); err != nil {
			return f, i, err
		}
		if !more {
			i--
		}
	}
	if !found {
		return f, start, jsonError(start, `"t", the type of the frame, is missing`)
	}
	f.Body = b[start : i+1 : i+1]
	return f, i + 1, nil
}

// Decode reads a frame; see Format. m is memory of its own. The answer does not
// depend on whether Each has looked at the frame before.
func (JSONFormat) Decode(f Frame, m Body) error { return JSON.UnmarshalBody(f.Body, m) }

// Append appends {"t":...} for m; see Format.
func (JSONFormat) Append(dst []byte, m Body) ([]byte, error) {
	t := TypeOf(m)
	if t == 0 {
		return dst, errNoFrame
	}
	n := len(dst)
	dst = append(append(append(dst, `{"t":"`...), t.String()...), '"')
	dst, err := appendMessage(dst, m, true)
	if err != nil {
		return dst[:n], err
	}
	return append(dst, '}'), nil
}

// UnmarshalBody reads an object; see Format.
func (JSONFormat) UnmarshalBody(b []byte, m Body) error {
	m.Reset()
	if len(b) == 0 {
		return nil
	}
	r := jsonReader{b: b}
	// One level is set aside for an array of frames around it.
	pb, end, err := r.object(make([]byte, 0, len(b)), skipSpace(b, 0), MaxJSONDepth-1, tableOf(m))
	if err != nil {
		return err
	}
	if end = skipSpace(b, end); end < len(b) {
		return jsonError(end, "something stands behind the end")
	}
	if err := m.UnmarshalVTUnsafe(pb); err != nil { // pb is m's alone
		return &Error{Code: CodeMalformed, Text: err.Error(), cause: err}
	}
	return nil
}

// AppendBody appends an object; see Format.
func (JSONFormat) AppendBody(dst []byte, m Body) ([]byte, error) {
	n := len(dst)
	dst, err := appendMessage(append(dst, '{'), m, false)
	if err != nil {
		return dst[:n], err
	}
	return append(dst, '}'), nil
}

// MarshalBody gives an object; see Format.
func (JSONFormat) MarshalBody(m Body) ([]byte, error) { return JSON.AppendBody(nil, m) }

// scratch holds protobuf bytes on their way into JSON.
var scratch = sync.Pool{New: func() any { return new([]byte) }}

// maxScratch is the largest buffer that is kept for later.
const maxScratch = 64 << 10

func appendMessage(dst []byte, m Body, comma bool) ([]byte, error) {
	p := scratch.Get().(*[]byte)
	pb := appendSized((*p)[:0], m.SizeVT(), m)
	dst, err := appendMembers(dst, pb, tableOf(m), comma)
	if cap(pb) <= maxScratch {
		*p = pb
	}
	scratch.Put(p)
	return dst, err
}

// AppendMessageEvent appends an Event; see Format.
func (JSONFormat) AppendMessageEvent(dst []byte, conv string, seq uint64, message []byte) []byte {
	dst = append(dst, '{')
	if conv != "" {
		dst = append(appendQuoted(append(dst, `"conv":`...), conv), ',')
	}
	if seq != 0 {
		dst = append(strconv.AppendUint(append(dst, `"seq":"`...), seq, 10), `",`...)
	}
	dst = append(append(dst, `"message":`...), message...)
	return append(dst, '}')
}

// AppendPush appends a push; see Format.
func (JSONFormat) AppendPush(dst []byte, number uint64, events [][]byte) []byte {
	dst = append(dst, `{"t":"push"`...)
	if number != 0 {
		dst = append(strconv.AppendUint(append(dst, `,"number":"`...), number, 10), '"')
	}
	for i, e := range events {
		if i == 0 {
			dst = append(dst, `,"events":[`...)
		} else {
			dst = append(dst, ',')
		}
		dst = append(dst, e...)
	}
	if len(events) > 0 {
		dst = append(dst, ']')
	}
	return append(dst, '}')
}
