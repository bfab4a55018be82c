// Package legacy brings the database of an existing deployment, the Python program that Xyra takes the place of, into a
// store.
//
// A Source reads it in one snapshot and writes nothing. Its tables have had several layouts, so tables and columns are
// found by what the database itself says of them: plural or singular names, older or newer columns; what is missing takes
// a default and what is not understood is named. Values are read as text, so that a binary float becomes the shortest
// decimal that stands for it.
//
// Import keeps ids, times, password hashes, keys and invoices as they are. A cost that the old program had made by itself
// for an activity or an outcome becomes that event's charge. The report sets totals before beside totals after, and every
// difference has a sentence; Import can be run again, and adds only what is new.
package legacy
