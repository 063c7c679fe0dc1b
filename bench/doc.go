// Bench measures Anser beside a ceiling: the least that a durable message can cost
// with Go, sockets and a disk on the same machine, in the same hour. It is a module of
// its own and shares no code with the server.
//
//	go run . ceiling pairs  --users 1000 --messages 1000 --window 32
//	go run . ceiling fanout --users 1000 --messages 1000 --window 4
//	go run . compare --runs 3 --markdown table.md
//
// The ceiling is a relay: frames with a length in front, one log file, one fdatasync
// for all that is waiting, an acknowledgement after it, and the message to who it is
// for. It has no logins, no numbers, no groups, no history and finds nothing again. Its
// driver prints the same JSON fields as "anser bench". Compare runs both in turn and
// writes the table that docs/PERFORMANCE.md keeps.
//
// It needs Linux: it reads the server's CPU from /proc.
package main
