// Command bench measures what recording and reading cost on this machine, on both databases, beside what they are compared
// with: the same handler without the commit, a handler that does nothing, a bare COPY, bare transactions.
//
// It needs nothing but the Go toolchain and a PostgreSQL server (tools/withpostgres finds or starts one). Servers, load
// generator and rivals are processes of their own; the servers are the built xyra. What is compared takes turns, A B A B,
// and medians of the rounds are shown: a machine that changes its speed then moves both. Everything listens on loopback
// and lives in a temporary folder.
//
// docs/benchmarks.md says how to read the table.
package main
