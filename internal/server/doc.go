// Package server puts the rooms together to one running server: it reads the
// configuration, opens the store, starts core and the doors, and ends them in the
// reverse order. It is the only package that names concrete types of all others.
//
//	cfg, err := server.ReadConfig(file)  // or server.Config{}: the first start
//	s, err := server.Start(ctx, cfg, server.Options{Log: log})
//	...
//	s.Shutdown(ctx)
//
// Two servers fit in one process: nothing is kept in package variables.
package server
