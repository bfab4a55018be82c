// Package telemetry tells those who run an installation how it is: metrics for Prometheus, and traces, metrics and logs over
// OTLP or to Application Insights. Watchers are handed to the API and the recorder by the program; nothing here is on the way
// of a request but a few counters prepared before it came. Every buffer is bounded: what a slow receiver does not take is
// dropped and counted, never waited for.
package telemetry
