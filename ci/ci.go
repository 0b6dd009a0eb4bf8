// Package ci is layer 2: is this change provably unsafe? It walks a tree once, offers
// each file to every reader that wants it, and reports what was found, what was looked
// at and what was not.
//
// It knows no environment, no exposure and no exception, and it decides nothing: its
// reports become evidence, and package decide judges them.
package ci
