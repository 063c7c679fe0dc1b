// Package auth says who somebody is: it verifies and signs tokens, keeps what was
// revoked, and runs the built-in accounts for apps that have no server of their own.
//
// A door asks a Gatekeeper whether an address may have one more connection that has
// not signed in, a Verifier what a token says, Claims.CheckUse whether it may be used
// on this device and door, and a Revoker whether it has been revoked. The built-in
// accounts (Accounts) turn a password into a short token and a refresh token.
//
// Every refusal is an im.Error whose text says what to do. No text, cause or log line
// of this package holds a token, a password or a secret.
package auth
