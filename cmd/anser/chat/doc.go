// Package chat is `anser chat`: a terminal client on the Go SDK. app.go holds what is
// known and what happens; command files change it; a screen (terminal.go for people,
// plain.go for pipes) reads lines and shows others above them.
package chat
