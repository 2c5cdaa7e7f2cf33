// Package socket reads, writes and accepts on TCP sockets at less cost than
// package net, for what net/http does not ask of them:
//
//   - What takes no time is not told to Go's scheduler.
//   - An accepted connection has no goroutine before something has come.
//   - Go's poller learns of it when it is waited for again: a client that asks
//     once and leaves has gone by then.
//
// Where this is not known to work, connections are package net's.
package socket
