package downstream

import "github.com/cashew-proxy/cashew/internal/topology"

// dialect is all in which the protocols differ for a session: how requests are told apart and
// dispatched, and what errors look like. The order of answers, what is stored, bounds and flow are the
// same for all. A dialect has no state: the session has it, and the desk.
type dialect interface {
	// requests dispatches every whole request at the front of b and returns what is left: the
	// beginning of another one, or nothing.
	requests(s *Session, b []byte) []byte
	// takeOver moves how far the parser of the desk has come with that beginning to p.
	takeOver(d *Desk, p *partial)
	// resume goes on parsing p, to which bytes were added. It returns the request's length once it is
	// whole, else 0.
	resume(s *Session, p *partial) (int, error)
	// missing is a lower bound of the bytes that p still needs when so many have come.
	missing(p *partial, come int) int
	// stored dispatches the request of p, which is whole. If it was given away, p.buf is nil afterwards.
	stored(s *Session, p *partial)
	// appendError appends a failure or a violation of the protocol as the client understands it.
	appendError(dst []byte, err error) []byte
	// full is the reply to a client above the pool's bound.
	full() string
}

func dialectOf(p *topology.Pool) dialect {
	if p.Protocol == topology.Memcached {
		return memcachedDialect{}
	}
	return redisDialect{}
}
