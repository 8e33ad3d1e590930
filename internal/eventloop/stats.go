package eventloop

// Stats are a loop's counters since it was made; Connections is a gauge.
type Stats struct {
	Turns       uint64 // turns of the loop
	Waits       uint64 // calls of the poller's wait, sleeping or not
	Sleeps      uint64 // those that could sleep
	Wakeups     uint64 // how often mail woke the loop
	Reads       uint64 // system calls that read from connections
	Writes      uint64 // system calls that write to connections
	Controls    uint64 // changes of what the poller watches; with epoll each is a system call
	Accepts     uint64 // accepted connections, refused ones included
	AcceptStops uint64 // how often a listener had to rest because there was no descriptor
	Dials       uint64 // calls of Dial
	Stale       uint64 // events and calls for connections that are gone
	Panics      uint64 // panics of the handler
	Slept       uint64 // nanoseconds spent waiting for something to happen
	Connections uint64 // open connections, those being dialed included
}

const statsFields = 14

// fields lists the counters in the order in which they are published.
func (s *Stats) fields() [statsFields]*uint64 {
	return [...]*uint64{
		&s.Turns, &s.Waits, &s.Sleeps, &s.Wakeups, &s.Reads, &s.Writes, &s.Controls,
		&s.Accepts, &s.AcceptStops, &s.Dials, &s.Stale, &s.Panics, &s.Slept, &s.Connections,
	}
}

// publish makes the counters visible to other goroutines. It stores only what has changed, because
// an atomic store costs several times what a comparison does.
func (l *Loop) publish() {
	for i, f := range l.count.fields() {
		if v := *f; l.published[i].Load() != v {
			l.published[i].Store(v)
		}
	}
}

// Stats returns the counters as they were at the end of a recent turn. Any goroutine may call it.
// Each counter is right by itself; two of them may be of neighbouring turns.
func (l *Loop) Stats() (s Stats) {
	for i, f := range s.fields() {
		*f = l.published[i].Load()
	}
	return s
}
