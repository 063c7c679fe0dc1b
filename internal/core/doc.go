// Package core holds the rules of Anser: who may do what, and what follows from it. A
// door signs a device in (Core.Login) and gets a Session; everything a user does is a
// method of it, everything he is told comes out of Session.Take. core knows no
// protocol: doors translate.
//
// Who may: the caller of a Session's method is the session's user, nothing else is
// asked of a door. A conversation one is not in is NotFound, as one that is not there.
package core
