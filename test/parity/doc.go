// Package parity has tests only: cashew and twemproxy with the same configuration before the same
// servers get the same requests. What they answer and where the keys end up must be equal, but for
// the differences that docs/from-twemproxy.md lists. And cashew and the servers themselves: sessions of
// requests, whole and nearly whole, get the same bytes back from both, but for what docs/security.md lists.
//
// Nobody imports it.
package parity
