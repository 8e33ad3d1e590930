package engine

import (
	"github.com/cashew-proxy/cashew/internal/clock"
	"github.com/cashew-proxy/cashew/internal/downstream"
	"github.com/cashew-proxy/cashew/internal/message"
)

// clientSide is the engine as client sessions see it.
type clientSide struct{ e *Engine }

var _ downstream.Owner = clientSide{}

// Send gives a request to the connection that the client is tied to. server is negative if the ring is
// empty.
func (o clientSide) Send(s *downstream.Session, server int, t message.Ticket, b []byte, owned bool) error {
	e := o.e
	if server < 0 {
		if owned {
			e.pool.Put(b)
		}
		return message.ErrNoServer
	}
	c := e.connOf(s, server)
	err := c.Send(e.now, t, s.Class, b, owned, s.Key)
	if err == message.ErrVerdict {
		e.await(s, c)
		return err
	}
	if err == nil {
		s.Sending()
	}
	if c.Queued() > queueHigh {
		e.holdForServer(s, c)
	}
	return err
}

func (o clientSide) Judged(s *downstream.Session, server int) bool {
	if server < 0 {
		return false
	}
	c := o.e.connOf(s, server)
	if !c.Judged(o.e.now) {
		return false
	}
	o.e.await(s, c)
	return true
}

// AnyServer prefers servers to which the client's connection is there, then those to which others are, and takes
// turns among them. Those that are ejected may still be connected, and are passed over.
func (o clientSide) AnyServer(s *downstream.Session) int {
	state := &o.e.pools[s.Pool.Index]
	n := len(state.servers)
	state.turn++
	choice, best := -1, 0
	for i := range n {
		server := (state.turn + i) % n
		if s.Pool.Servers[server].Ejected {
			continue
		}
		merit := 1
		if lanes := state.servers[server].lanes; int(s.LaneNumber) < len(lanes) && lanes[s.LaneNumber].ready(s) {
			return server
		} else if lanes[0].ready(s) {
			merit = 2
		}
		if merit > best {
			choice, best = server, merit
		}
	}
	return choice
}

func (o clientSide) Writable(s *downstream.Session) {
	if !s.Dirty {
		s.Dirty = true
		o.e.dirty = append(o.e.dirty, s.ID)
	}
}

func (o clientSide) Interest(s *downstream.Session, read bool) { o.e.host.Interest(s.ID, read) }

func (o clientSide) Wake(s *downstream.Session, at clock.Instant) {
	if s.WakeAt == 0 || at < s.WakeAt {
		s.WakeAt = at
		o.e.timers.push(timer{at: at, client: s.ID})
	}
}

func (o clientSide) ClientEvent(s *downstream.Session, ev downstream.Event, reason string) {
	o.e.observer.Client(s.Pool, o.e.slots[s.ID.Slot()].peer, ev, reason)
}

func (e *Engine) newSession() *downstream.Session {
	if n := len(e.sessions) - 1; n >= 0 {
		s := e.sessions[n]
		e.sessions = e.sessions[:n]
		return s
	}
	return new(downstream.Session)
}

// closeClient ends a client's connection. Requests of its that are in flight find nobody when their
// replies come.
func (e *Engine) closeClient(id message.ConnID, s *slot) {
	c := s.client
	if c.Leaves() {
		e.host.Close(id)
	} else {
		e.host.Finish(id)
	}
	e.count(&e.pools[c.Pool.Index], -1)
	c.Release()
	e.vacate(id)
	if len(e.sessions) < 1024 {
		e.sessions = append(e.sessions, c)
	}
}
