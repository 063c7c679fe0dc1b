package typegen

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/anser-im/anser/internal/im"
)

// Swift writes structs that are Codable, one for each type, with the type's name and
// flags as static members. Enumerations are structs over their text, so that one of a
// newer version is no error.
//
// The error says which type code cannot be made from, and why.
func Swift(types []im.MessageType) ([]byte, error) {
	f, err := build(types, []string{"Any", "AnyObject", "Array", "Author", "Bool", "Codable", "CodingKeys", "Data", "Date", "Decoder", "Dictionary", "Double", "Encoder", "Error", "Indirect", "Int", "JSONValue", "MentionedInfo", "Never", "Optional", "Protocol", "Result", "Self", "Set", "String", "Type", "Void"})
	if err != nil {
		return nil, err
	}
	w := swiftWriter{f: f}
	w.file()
	return w.b.Bytes(), nil
}

type swiftWriter struct {
	b bytes.Buffer
	f *file
}

func (w *swiftWriter) p(format string, args ...any) { fmt.Fprintf(&w.b, format, args...) }

func (w *swiftWriter) doc(indent, text string) {
	for _, l := range comment(text) {
		w.p("%s\n", strings.TrimRight(indent+"/// "+l, " "))
	}
}

const swiftBase = `import Foundation

/// What the sender attached of himself.
public struct Author: Codable, Hashable, Sendable {
    public var id: String?
    public var name: String?
    public var portrait: String?
    public var extra: String?

    public init(id: String? = nil, name: String? = nil, portrait: String? = nil, extra: String? = nil) {
        self.id = id
        self.name = name
        self.portrait = portrait
        self.extra = extra
    }
}

/// Whom a body mentions: 1 everybody, 2 those in userIdList.
public struct MentionedInfo: Codable, Hashable, Sendable {
    public var type: Int?
    public var userIdList: [String]?
    public var mentionedContent: String?

    public init(type: Int? = nil, userIdList: [String]? = nil, mentionedContent: String? = nil) {
        self.type = type
        self.userIdList = userIdList
        self.mentionedContent = mentionedContent
    }
}

/// Any JSON value.
public enum JSONValue: Codable, Hashable, Sendable {
    case null
    case bool(Bool)
    case number(Double)
    case string(String)
    case array([JSONValue])
    case object([String: JSONValue])

    public init(from decoder: Decoder) throws {
        let c = try decoder.singleValueContainer()
        if c.decodeNil() {
            self = .null
        } else if let v = try? c.decode(Bool.self) {
            self = .bool(v)
        } else if let v = try? c.decode(Double.self) {
            self = .number(v)
        } else if let v = try? c.decode(String.self) {
            self = .string(v)
        } else if let v = try? c.decode([JSONValue].self) {
            self = .array(v)
        } else {
            self = .object(try c.decode([String: JSONValue].self))
        }
    }

    public func encode(to encoder: Encoder) throws {
        var c = encoder.singleValueContainer()
        switch self {
        case .null: try c.encodeNil()
        case .bool(let v): try c.encode(v)
        case .number(let v): try c.encode(v)
        case .string(let v): try c.encode(v)
        case .array(let v): try c.encode(v)
        case .object(let v): try c.encode(v)
        }
    }
}

/// A value that holds values of its own kind.
public final class Indirect<T: Codable & Hashable & Sendable>: Codable, Hashable, Sendable {
    public let value: T

    public init(_ value: T) { self.value = value }
    public init(from decoder: Decoder) throws { value = try T(from: decoder) }
    public func encode(to encoder: Encoder) throws { try value.encode(to: encoder) }
    public static func == (a: Indirect, b: Indirect) -> Bool { a.value == b.value }
    public func hash(into hasher: inout Hasher) { hasher.combine(value) }
}
`

func (w *swiftWriter) file() {
	w.p("// %s\n\n%s", Generated, swiftBase)
	for _, d := range w.f.decls {
		switch {
		case d.kind == record:
			w.record(d)
		case d.kind == words:
			w.words(d)
		case d.kind == mixed && d.tag != "":
			w.union(d)
		}
	}
	for _, t := range w.f.types {
		if t.body != nil && t.body.name == t.name {
			continue
		}
		w.p("\n")
		if t.body == nil {
			w.doc("", t.Title["en"])
			w.p("public typealias %s = JSONValue\n", t.name)
			continue
		}
		w.doc("", t.body.doc)
		w.p("public typealias %s = %s\n", t.name, w.typeOf(t.body))
	}
	w.p("\n/// The object names of the types, and their flags.\npublic enum MessageTypes {\n")
	taken := newNames(nil)
	for _, t := range w.f.types {
		w.p("    public static let %s = (name: %s, flags: %d)\n", swiftName(taken.take(camel(t.name))), swiftQuote(t.Name), t.Flags)
	}
	w.p("}\n")
}

func (w *swiftWriter) record(d *node) {
	root := false
	for _, t := range w.f.types {
		root = root || t.body == d
	}
	type member struct{ name, json, typ, doc string }
	var members []member
	taken := newNames([]string{"encode", "hash", "hashValue", "self", "init"})
	for _, f := range d.fields {
		if k, ok := base[f.json]; ok && root && f.of.real().kind == k {
			continue
		}
		t := w.typeOf(f.of)
		if f.loops && (f.of.real().kind == record || f.of.real().kind == mixed) && t != "JSONValue" {
			t = "Indirect<" + strings.TrimSuffix(t, "?") + ">"
		}
		if !f.required || f.of.nullable() {
			t = strings.TrimSuffix(t, "?") + "?"
		}
		doc := f.doc
		if fixed := f.of.real().fixed; fixed != "" {
			doc = strings.TrimSpace(doc + " Always " + swiftQuote(fixed) + ".")
		}
		members = append(members, member{taken.take(camel(f.json)), f.json, t, doc})
	}
	if root {
		own := func(name string) bool {
			return slices.ContainsFunc(d.fields, func(f field) bool { return f.json == name && f.of.real().kind != base[name] })
		}
		for _, m := range []member{
			{"user", "user", "Author?", "Who sends it, as the sender wants to be seen."},
			{"mentionedInfo", "mentionedInfo", "MentionedInfo?", "Whom it mentions."},
			{"extra", "extra", "String?", "The app's own."},
			{"burnDuration", "burnDuration", "Int?", "Seconds for which it is there once it was read."},
		} {
			if !own(m.json) {
				m.name = taken.take(m.name)
				members = append(members, m)
			}
		}
	}
	w.p("\n")
	w.doc("", d.doc)
	w.p("public struct %s: Codable, Hashable, Sendable {\n", d.name)
	for _, m := range members {
		w.doc("    ", m.doc)
		w.p("    public var %s: %s\n", swiftName(m.name), m.typ)
	}
	if len(members) > 0 {
		w.p("\n    enum CodingKeys: String, CodingKey {\n")
		for _, m := range members {
			w.p("        case %s = %s\n", swiftName(m.name), swiftQuote(m.json))
		}
		w.p("    }\n")
	}
	var args []string
	for _, m := range members {
		a := swiftName(m.name) + ": " + m.typ
		if strings.HasSuffix(m.typ, "?") {
			a += " = nil"
		}
		args = append(args, a)
	}
	w.p("\n    public init(%s) {\n", strings.Join(args, ", "))
	for _, m := range members {
		w.p("        self.%s = %s\n", m.name, swiftName(m.name))
	}
	w.p("    }\n}\n")
}

func (w *swiftWriter) words(d *node) {
	w.p("\n")
	w.doc("", d.doc)
	w.p("public struct %s: RawRepresentable, Codable, Hashable, Sendable {\n    public var rawValue: String\n\n    public init(rawValue: String) { self.rawValue = rawValue }\n\n", d.name)
	taken := newNames([]string{"rawValue", "init", "self"})
	for _, v := range d.values {
		w.p("    public static let %s = %s(rawValue: %s)\n", swiftName(taken.take(camel(v))), d.name, swiftQuote(v))
	}
	w.p("}\n")
}

func (w *swiftWriter) union(d *node) {
	w.p("\n")
	w.doc("", d.doc)
	w.p("public indirect enum %s: Codable, Hashable, Sendable {\n", d.name)
	taken := newNames([]string{"unknown", "init", "self", "Tag"})
	var cases []string
	for i, v := range d.variants {
		cases = append(cases, swiftName(taken.take(camel(d.tags[i]))))
		w.p("    case %s(%s)\n", cases[i], v.real().name)
	}
	w.p("    /// One that this version does not know.\n    case unknown(JSONValue)\n\n")
	w.p("    private enum Tag: String, CodingKey {\n        case tag = %s\n    }\n\n", swiftQuote(d.tag))
	w.p("    public init(from decoder: Decoder) throws {\n        let c = try decoder.container(keyedBy: Tag.self)\n        switch try? c.decode(String.self, forKey: .tag) {\n")
	for i, v := range d.variants {
		w.p("        case %s: self = .%s(try %s(from: decoder))\n", swiftQuote(d.tags[i]), strings.Trim(cases[i], "`"), v.real().name)
	}
	w.p("        default: self = .unknown(try JSONValue(from: decoder))\n        }\n    }\n\n")
	w.p("    public func encode(to encoder: Encoder) throws {\n        switch self {\n")
	for _, c := range cases {
		w.p("        case .%s(let v): try v.encode(to: encoder)\n", strings.Trim(c, "`"))
	}
	w.p("        case .unknown(let v): try v.encode(to: encoder)\n        }\n    }\n}\n")
}

func (w *swiftWriter) typeOf(n *node) string {
	null := ""
	if n.nullable() {
		null = "?"
	}
	n = n.real()
	switch n.kind {
	case text:
		return "String" + null
	case integer:
		return "Int" + null
	case float:
		return "Double" + null
	case boolean:
		return "Bool" + null
	case list:
		return "[" + w.typeOf(n.elem) + "]" + null
	case dict:
		return "[String: " + w.typeOf(n.elem) + "]" + null
	case record, words:
		return n.name + null
	case mixed:
		if n.tag != "" {
			return n.name + null
		}
	}
	return "JSONValue"
}

var swiftWords = strings.Fields("as associatedtype break case catch class continue default defer deinit do else enum extension fallthrough false fileprivate for func guard if import in init inout internal is let nil open operator private protocol public repeat rethrows return self static struct subscript super switch throw throws true try typealias var where while")

func swiftName(s string) string {
	if slices.Contains(swiftWords, s) {
		return "`" + s + "`"
	}
	return s
}

// swiftQuote is a string literal: other escapes than JSON's.
func swiftQuote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || r == 0x7F || r == 0x2028 || r == 0x2029:
			fmt.Fprintf(&b, "\\u{%x}", r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
