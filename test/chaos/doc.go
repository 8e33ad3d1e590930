// Package chaos loads a cashew process with clients that know what each reply must be, while servers die,
// clients misbehave and the configuration changes. docs/reliability.md tells what is tried and what came of it.
//
// A short run is a test like all others; `make chaos` is a long one.
package chaos
