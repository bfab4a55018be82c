// Package catalog keeps organizations, their agents and their billing models. Each verb runs inside the caller's
// transaction: it loads under a lock what it decides on, decides, saves and audits, so that of two requests at once the
// second sees what the first has done.
//
// A billing model is a list of components with versions; the four model types of the API are presets of it. The package
// turns presets into components and back, and makes a new version only when the type or a component changes. Whether a
// caller may use a route at all has been decided before; what depends on the object is decided here.
package catalog
