package sim

import (
	"slices"
	"time"

	"github.com/cashew-proxy/cashew/internal/clock"
	"github.com/cashew-proxy/cashew/internal/message"
)

// Fault is a set of things that may go wrong.
type Fault uint32

// The faults.
const (
	Kill        Fault = 1 << iota // a server dies, refuses connections for a while, and comes back with its data
	Cut                           // a server connection is reset or closed
	Silent                        // a server does nothing for a while
	Slow                          // a server takes its time for every request
	NoConnect                     // attempts to connect are not answered for a while
	Garbage                       // a server answers with what is no reply
	Surplus                       // a server answers twice
	HalfAnswer                    // a server answers with part of a reply and goes
	Loading                       // a server answers every request with an error
	ClientReset                   // a client is gone
	HalfClose                     // a client closes its side and waits for the rest
	Stall                         // a client reads nothing for a while

	faultCount = iota
	AllFaults  = 1<<faultCount - 1
)

// What the system says of broken connections.
var (
	errRefused = &message.Failure{Text: "Connection refused"}
	errReset   = &message.Failure{Text: "Connection reset by peer"}
	errPipe    = &message.Failure{Text: "Broken pipe"}
)

// inject lets something go wrong now and then.
func (w *world) inject() {
	if !w.stormy || !oneIn(w.rng, w.cfg.FaultOnce) {
		return
	}
	var choice []Fault
	for i := range faultCount {
		if f := Fault(1) << i; w.cfg.Faults&f != 0 {
			choice = append(choice, f)
		}
	}
	f := choice[w.rng.IntN(len(choice))]
	w.result.Faults++
	if f >= ClientReset {
		w.injectClient(f, w.clients[w.rng.IntN(len(w.clients))])
		return
	}
	s := w.servers[w.rng.IntN(len(w.servers))]
	w.log("fault %x server%d", f, s.index)
	w.injectServer(f, s)
}

// excuse notes that requests may get these errors from now on.
func (w *world) excuse(errs ...*message.Failure) {
	if !w.gullible {
		return
	}
	w.broken = true
	for _, e := range errs {
		w.excused[e.Text] = true
	}
}

// spell is how long a fault lasts: turns when the fleet is busy, some part of the timeout otherwise.
func (w *world) spell() clock.Instant {
	longest := 200 * w.cfg.Tick
	if w.cfg.Timeout > 0 && oneIn(w.rng, 2) {
		longest = max(longest, 2*w.cfg.Timeout)
	}
	return w.now.Add(time.Duration(w.rng.Int64N(int64(longest))))
}

func (w *world) injectServer(f Fault, s *server) {
	s.hurt = true
	switch f {
	case Kill:
		if slices.ContainsFunc(s.links, s.spares) {
			return
		}
		w.excuse(errRefused, errReset, errPipe, message.ErrEOF)
		s.down = w.spell()
		for _, l := range s.links {
			s.end(l, oneIn(w.rng, 2))
		}
	case Silent:
		s.silent = w.spell()
	case Slow:
		s.slow = w.spell() + w.spell() - w.now
	case NoConnect:
		s.mute = w.spell()
	case Loading:
		s.loading = w.spell()
	default:
		if len(s.links) > 0 {
			w.injectLink(f, s, s.links[w.rng.IntN(len(s.links))])
		}
	}
}

func (w *world) injectLink(f Fault, s *server, l *link) {
	switch f {
	case Cut:
		if s.spares(l) {
			return
		}
		w.excuse(errReset, errPipe, message.ErrEOF)
		s.end(l, oneIn(w.rng, 2))
	case HalfAnswer:
		w.excuse(errReset, errPipe, message.ErrEOF)
		l.trick = f
	default:
		w.excuse(message.ErrReply)
		l.trick = f
	}
}

func (w *world) injectClient(f Fault, c *client) {
	if c.over {
		return
	}
	w.log("fault %x client%d", f, c.number)
	switch f {
	case ClientReset:
		c.reset()
	case HalfClose:
		c.halfClose = true
	case Stall:
		c.stalled = w.spell() + 2*clock.Instant(w.cfg.Limits.StalledClient)
	}
}

// heal ends every fault that lasts.
func (w *world) heal() {
	w.stormy = false
	for _, s := range w.servers {
		if s.old { // it is replaced by a newer one
			s.old = false
			for _, l := range s.links {
				s.end(l, false)
			}
		}
		s.down, s.silent, s.slow, s.mute, s.loading = 0, 0, 0, 0, 0
		for _, l := range s.links {
			l.trick = 0
		}
	}
	for _, c := range w.clients {
		c.stalled = 0
	}
	w.cfg.Tick = time.Microsecond
	w.cfg.Chunk = max(w.cfg.Chunk, 256)
	w.cfg.Buffer = max(w.cfg.Buffer, 1<<10)
	w.cfg.Huge = 0
}
