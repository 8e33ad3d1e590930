package downstream

import (
	"unsafe"

	"github.com/cashew-proxy/cashew/internal/bytebuf"
	"github.com/cashew-proxy/cashew/internal/message"
	"github.com/cashew-proxy/cashew/internal/resp"
	"github.com/cashew-proxy/cashew/internal/stats"
)

// directSize is how much of an argument must be missing for it to be read past the shared buffer.
const directSize = 32 << 10

// Space returns where the next bytes should be read to: behind the first part of a large request, or
// scratch.
func (s *Session) Space(scratch []byte) []byte {
	s.direct = toScratch
	scratch = scratch[:min(len(scratch), turnBytes)]
	p := s.partial
	if p == nil {
		return scratch
	}
	missing := s.dialect.missing(p, len(p.buf))
	if missing < directSize {
		return scratch
	}
	if len(p.buf) == cap(p.buf) && !s.growPartial(missing) {
		return scratch
	}
	s.direct = toPartial
	n := min(cap(p.buf)-len(p.buf), missing)
	return p.buf[len(p.buf) : len(p.buf)+n : len(p.buf)+n]
}

// turnBytes is what one client can bring into a turn, large requests apart: all others wait for what is done with it.
const turnBytes = 64 << 10

// growth is how many bytes of room there may be for each one that has come, so that an announced length alone costs
// nothing, and little is copied from a buffer to a larger one. What is mapped and not written to takes no memory.
const growth = 16

// ahead is for how many of the missing bytes to make room after so many have come. A few more are not left for later: for
// them all that came before would be copied once more.
func ahead(missing, come int) int {
	if missing <= growth*come {
		return missing
	}
	return (growth - 1) * come
}

// growPartial makes room for some of the missing bytes.
func (s *Session) growPartial(missing int) bool {
	p, d := s.partial, s.desk
	more := max(ahead(missing, len(p.buf)), min(missing, bytebuf.MapSize))
	if !d.room(more) {
		return false // store will refuse what comes
	}
	p.buf = d.Pool.Grow(p.buf, more)
	return true
}

// room says that n bytes more may be buffered.
func (d *Desk) room(n int) bool {
	return d.MemoryLimit == 0 || d.InUse()+int64(n) <= d.MemoryLimit
}

// refuseMemory closes a client whose request cannot be stored.
func (s *Session) refuseMemory() {
	s.counters.Inc(stats.MemoryRefused)
	s.desk.Owner.ClientEvent(s, Overflowed, "memory_limit reached")
	s.protocolEnd(message.ErrMemory)
}

// Received takes bytes from the client, borrowed, or read to where Space said.
func (s *Session) Received(b []byte) {
	d := s.desk
	s.active = d.Now
	s.counters.Add(stats.ClientReadBytes, uint64(len(b)))
	if s.ending {
		return
	}
	if s.partial != nil {
		b = s.receivedMore(b)
	}
	if len(b) > 0 {
		if b = s.dialect.requests(s, b); len(b) > 0 {
			s.keep(b)
		}
	}
	s.afterRead()
}

// afterRead holds the client if it has asked for much.
func (s *Session) afterRead() {
	if s.inFlight.n >= requestsHigh {
		s.hold(holdRequests)
	}
	s.holdForOutput()
	if d := s.desk; d.MemoryLimit > 0 && s.partial == nil && d.InUse() > d.MemoryLimit/8*7 {
		s.hold(holdMemory)
		d.Held = true
	}
}

// keep stores the beginning of a request, or the requests of a session that has stopped, and takes over how far the
// first was parsed. A little is always kept: clients should not be closed because others fill the memory.
func (s *Session) keep(b []byte) {
	d := s.desk
	if len(b) <= keptAlways || d.room(len(b)) {
		s.keepAnyway(b)
		return
	}
	p := d.getPartial()
	s.dialect.takeOver(d, p)
	d.putPartial(p)
	s.refuseMemory()
}

// keptAlways is how much of a client's bytes is kept whatever the memory limit says.
const keptAlways = 4 << 10

func (s *Session) keepAnyway(b []byte) {
	d := s.desk
	p := d.getPartial()
	s.dialect.takeOver(d, p)
	size := len(b)
	if missing := s.dialect.missing(p, len(b)); missing >= directSize && d.room(size+ahead(missing, size)) {
		size += ahead(missing, size)
	}
	p.buf = append(d.Pool.Get(size), b...)
	p.charge(d.Pool)
	s.partial = p
}

// receivedMore goes on with a stored request. It returns what follows the request in b, nil if there
// is nothing more to parse.
func (s *Session) receivedMore(b []byte) []byte {
	p := s.partial
	used := 0
	if s.direct == toPartial { // b lies behind p.buf already, and ends with the request at the latest
		p.buf = p.buf[:len(p.buf)+len(b)]
		used = len(b)
	}
	for {
		n, err := s.dialect.resume(s, p)
		if err != nil {
			s.protocolError(err)
			return nil
		}
		if n > 0 {
			// What was copied beyond the request's end is parsed where it came from.
			rest := b[used-(len(p.buf)-n):]
			p.buf = p.buf[:n]
			s.partial = nil
			s.dialect.stored(s, p)
			if s.Stalled() && s.again {
				s.again, s.partial = false, p
				if len(rest) > 0 {
					s.store(rest)
				}
				return nil
			}
			s.desk.putPartial(p)
			if s.Stalled() && len(rest) > 0 {
				s.keep(rest)
				return nil
			}
			if s.ending || len(rest) == 0 {
				return nil
			}
			return rest
		}
		p.charge(s.desk.Pool)
		if used == len(b) {
			return nil
		}
		// Only what the request is known to miss is copied, or a little more.
		more := min(len(b)-used, max(s.dialect.missing(p, len(p.buf)), 256))
		if !s.store(b[used : used+more]) {
			return nil
		}
		used += more
	}
}

// store appends bytes to the partial request, within the memory limit.
func (s *Session) store(b []byte) bool {
	p, d := s.partial, s.desk
	if len(p.buf)+len(b) > cap(p.buf) {
		more := max(len(b), len(p.buf))
		if !d.room(more) {
			s.refuseMemory()
			return false
		}
		p.buf = d.Pool.Grow(p.buf, more)
	}
	p.buf = append(p.buf, b...)
	return true
}

func (d *Desk) getPartial() *partial {
	if n := len(d.partials) - 1; n >= 0 {
		p := d.partials[n]
		d.partials = d.partials[:n]
		return p
	}
	return new(partial)
}

// charge counts the list of arguments as memory in use: where they are short it is several times
// their bytes.
func (p *partial) charge(pool *bytebuf.Pool) {
	size := int64(cap(p.redis.Args)+cap(p.memcached.Tokens)) * int64(unsafe.Sizeof(resp.Arg{}))
	pool.Charge(size - p.charged)
	p.charged = size
}

// The free list holds so many partials. Lists of arguments longer than shortArgs, which are 4 KiB, are
// kept with the first few of them only, and those longer than longArgs not at all: 8 MiB in all.
const (
	freePartials = 1024
	withLongArgs = 64
	shortArgs    = 1 << 8
	longArgs     = 1 << 12
)

func (d *Desk) putPartial(p *partial) {
	d.Pool.Put(p.buf)
	p.buf = nil
	d.Pool.Charge(-p.charged)
	p.charged = 0
	p.redis.Reset()
	p.memcached.Reset()
	if n := cap(p.redis.Args) + cap(p.memcached.Tokens); n > longArgs || n > shortArgs && len(d.partials) >= withLongArgs {
		p.redis.Args, p.memcached.Tokens = nil, nil
	}
	if len(d.partials) < freePartials {
		d.partials = append(d.partials, p)
	}
}

// protocolError answers what is no request with the protocol's error, and ends the session.
func (s *Session) protocolError(err error) {
	s.counters.Inc(stats.ClientErrors)
	s.desk.Owner.ClientEvent(s, ProtocolError, err.Error())
	s.protocolEnd(err)
}

// protocolEnd gives a last error in its turn.
func (s *Session) protocolEnd(err error) {
	if s.partial != nil {
		s.desk.putPartial(s.partial)
		s.partial = nil
	}
	s.answerLocally(s.dialect.appendError(s.desk.scratch[:0], err))
	s.end()
}
