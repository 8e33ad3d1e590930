// Package integration has tests only: cashew before real Redis servers, as a library in the test's
// process where that is enough, as a program where signals, memory or the command line matter.
//
// Nobody imports it.
package integration
