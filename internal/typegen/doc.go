// Package typegen writes Go, TypeScript and Swift from the schemas of message types:
// one declaration for each object, enumeration and union, with the schema's
// descriptions as comments, and what the SDKs need to know of a type (its name and
// flags).
//
// What a schema says beyond the shape of a body (lengths, patterns, ranges) is not in
// the code: the server checks it. What has no shape in a language (a value of several
// types, a list whose places differ) is raw JSON there.
//
// The same types give the same bytes, whatever their order.
package typegen
