// Package httpapi is the HTTP door: the API, health, signing in with the built-in
// accounts, the page that a browser finds, and the place where the native door's
// WebSocket hangs.
//
//	POST /anser.v1.<Service>/<Verb>   the API: Connect (JSON or protobuf), gRPC, gRPC-Web
//	GET  /v1/docs, /v1/openapi.json   what it offers, for people and for tools
//
//	GET  /            a page for people, in English or Chinese
//	GET  /healthz     200 while the service path works, else 503
//	GET  /readyz      200 while sends are taken, else 503
//	POST /v1/login    {"user", "password", "device"} -> a Grant
//	POST /v1/refresh  {"refresh_token"} -> a Grant
//	POST /v1/logout   {"refresh_token"} -> {}
//	GET  /v1/ws       the native protocol over WebSocket
//
// A Grant is {"user", "token", "expires_in", "refresh_token", "refresh_expires_in"};
// times are seconds from now, so that a wrong clock does no harm. Errors are
// {"code", "message", "retry_ms"} with the numbers of the native protocol; where there
// is a time to wait, Retry-After has it too. Unknown, double and misplaced fields are
// refused.
package httpapi
