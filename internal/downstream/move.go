package downstream

import (
	"github.com/cashew-proxy/cashew/internal/clock"
	"github.com/cashew-proxy/cashew/internal/message"
	"github.com/cashew-proxy/cashew/internal/stats"
	"github.com/cashew-proxy/cashew/internal/topology"
)

// Rests says that nothing of the client's is half read, queued, on its way or unsent: what it is, is all there is of it,
// and another worker can take it over.
func (s *Session) Rests() bool {
	return s.outstanding == 0 && s.inFlight.n == 0 && s.holds == 0 && s.partial == nil && s.out.Len() == 0 &&
		!s.strayed && !s.ending && s.skip == 0 && s.stored == 0 && len(s.big) == 0
}

// ActiveSince says that the client has sent something since then.
func (s *Session) ActiveSince(t clock.Instant) bool { return s.active >= t }

// Depart takes a session that rests away from its worker.
func (s *Session) Depart() {
	d := s.desk
	s.inFlight.reset(&d.rings)
	s.out.Clear(d.Pool)
	d.Owner.Leave(s, s.LaneNumber)
	d.Pool.Charge(-s.told())
	s.desk, s.counters = nil, nil
	s.Bound, s.Dirty, s.WakeAt, s.direct = 0, false, 0, toScratch
}

// told is how many bytes the client has told of itself.
func (s *Session) told() int64 {
	return int64(len(s.name) + len(s.libraryName) + len(s.libraryVersion))
}

// Arrive makes a session that has departed one of another worker, which has its pool in another snapshot.
func (s *Session) Arrive(d *Desk, id message.ConnID, pool *topology.Pool, counters *stats.Block) {
	s.ID, s.desk, s.Pool, s.dialect, s.counters = id, d, pool, dialectOf(pool), counters
	d.Pool.Charge(s.told())
	number, ok := d.Owner.Enter(s, s.lane)
	if s.LaneNumber = number; !ok { // the number is that of the pool's own lane, where its requests do not belong
		s.Abort()
		return
	}
	if t := pool.ClientIdleTimeout; t > 0 {
		d.Owner.Wake(s, s.active.Add(t))
	}
}
