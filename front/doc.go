// Package front answers the plainest requests before net/http sees them: a POST of HTTP/1.1 to a few paths, complete and
// small, without anything that needs thought. What is unusual in any way, down to a letter in the head, it leaves to
// net/http together with the bytes it has read, and with it the rest of that connection. So there is one reading of what
// is strange, net/http's, and a cheaper one of what is not.
//
// Of a request that costs 22 µs of processor time, net/http's own share is about half: a goroutine that watches for the
// client to leave, four timers, contexts, maps of headers. None of them helps a request that has arrived whole.
package front
