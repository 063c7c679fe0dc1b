// Package mobile is the Anser client for phones: package client with a face that
// gomobile can bind to Java, Kotlin, Objective-C and Swift.
//
//	gomobile bind -target=android -o anser.aar github.com/anser-im/anser/client/mobile
//	gomobile bind -target=ios -o Anser.xcframework github.com/anser-im/anser/client/mobile
//
// An application makes Options, implements Handler and TokenSource, and then:
//
//	MobileClient c = Mobile.newClient(options, handler, tokens);
//	c.start();
//	String id = c.sendText("u/bob", "hello");
//
// Numbers are 64-bit integers, times Unix milliseconds, 0 = none. Lists have a length
// and a get. Calls that ask the server block, at most Options.TimeoutSeconds: make them
// off the main thread. An error's text begins with the code of the refusal, which
// ErrorCode reads; 0 is one that is not the server's.
//
// iOS lets no program beat in the background: call Close or let the system suspend the
// program, and have pushes wake it. On Android tell SetBackground and NetworkChanged.
package mobile
