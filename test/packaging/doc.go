// Package packaging has only tests: the Debian package is built, installed, started, upgraded over, removed
// and purged, in a root of its own that is thrown away.
package packaging
