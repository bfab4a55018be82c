// Command withpostgres runs another command beside a private PostgreSQL server that nobody else sees and that leaves nothing
// behind. It finds the server's binaries or installs them with the system's package manager when it is root, makes a fresh
// cluster in a temporary folder under an account without rights, and tells the command its address in XYRA_TEST_POSTGRES.
//
// Three things may end first, and each takes the rest along: the command (the server is stopped), a signal to this process
// (it is handed to the command, and the server is stopped when that has ended), or this process itself by a signal that
// cannot be caught: then a keeper process, whose standard input is a pipe from here, sees the pipe close, stops the server and
// removes the folder.
package main
