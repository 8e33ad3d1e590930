// Package clock has the engine's time: an instant is eight bytes, monotonic, and handed in as an argument.
//
// Engine rooms never ask for the time. The event loop reads System once per turn and passes the
// instant down; simulations and tests pass whatever they like. Everything here is a value.
package clock

import "time"

// Instant is a point of monotonic time in nanoseconds since an arbitrary origin that is fixed for
// the life of the process. Zero means "no instant": a deadline of zero never fires.
type Instant int64

// Never is later than every instant a clock returns.
const Never Instant = 1<<63 - 1

// Add returns the instant d after t.
func (t Instant) Add(d time.Duration) Instant { return t + Instant(d) }

// Sub returns the time that passed from u to t.
func (t Instant) Sub(u Instant) time.Duration { return time.Duration(t - u) }

// origin keeps System positive and never zero: the first reading is one second.
var origin = time.Now().Add(-time.Second)

// System reads the monotonic clock.
func System() Instant { return Instant(time.Since(origin)) }
