package engine

import (
	"github.com/cashew-proxy/cashew/internal/clock"
	"github.com/cashew-proxy/cashew/internal/downstream"
	"github.com/cashew-proxy/cashew/internal/message"
	"github.com/cashew-proxy/cashew/internal/topology"
	"github.com/cashew-proxy/cashew/internal/upstream"
)

// serverSide is the engine as server connections see it.
type serverSide struct{ e *Engine }

var _ upstream.Owner = serverSide{}

// holder returns the session that holds a ticket, nil if its client has gone.
func (o serverSide) holder(t message.Ticket) *downstream.Session {
	if s := o.e.find(t.Client); s != nil {
		return s.client
	}
	return nil
}

func (o serverSide) Reply(t message.Ticket, b []byte, last bool) {
	if c := o.holder(t); c != nil {
		c.Reply(t, b, last)
		if last {
			c.Over(1)
		}
	}
}

func (o serverSide) Replies(t message.Ticket, b []byte, count uint32) bool {
	c := o.holder(t)
	if c == nil {
		return true
	}
	if !c.Replies(t, b, count) {
		return false
	}
	c.Over(count)
	return true
}

func (o serverSide) Room(t message.Ticket, want int) []byte {
	if c := o.holder(t); c != nil {
		return c.Room(t, want)
	}
	return nil
}

func (o serverSide) Filled(t message.Ticket, n int, last bool) {
	if c := o.holder(t); c != nil {
		c.Filled(t, n, last)
		if last {
			c.Over(1)
		}
	}
}

func (o serverSide) Fail(t message.Ticket, err error) {
	if c := o.holder(t); c != nil {
		c.Fail(t, err)
		c.Over(1)
	}
}

func (o serverSide) Late(t message.Ticket) {
	if c := o.holder(t); c != nil {
		c.Fail(t, message.ErrTimeout)
	}
}

func (o serverSide) Over(t message.Ticket) {
	if c := o.holder(t); c != nil {
		c.Over(1)
	}
}

// extra says that a connection is to another database than its pool's own.
func (e *Engine) extra(c *upstream.Conn) bool {
	return c.Lane().Database != serverSide{e}.poolOf(c).Database
}

func (o serverSide) MayDial(c *upstream.Conn) error {
	if o.e.extra(c) && !o.e.filesLeft() {
		return message.ErrNoFiles
	}
	return nil
}

func (o serverSide) Dial(c *upstream.Conn) message.ConnID {
	id, s := o.e.claim()
	s.conn = c
	if !c.Lasting {
		o.e.spareLanes = true
		if s.extra = o.e.extra(c); s.extra {
			o.e.ledger.common.extras.Add(1)
		}
	}
	o.e.host.Dial(id, c.Server)
	return id
}

func (o serverSide) Hangup(c *upstream.Conn) {
	if c.ID == 0 {
		return
	}
	if o.e.slots[c.ID.Slot()].extra {
		o.e.ledger.common.extras.Add(-1)
	}
	o.e.host.Close(c.ID)
	o.e.vacate(c.ID)
	c.Dirty = false
	o.e.resume(c)
}

func (o serverSide) Writable(c *upstream.Conn) {
	if !c.Dirty {
		c.Dirty = true
		o.e.dirty = append(o.e.dirty, c.ID)
	}
}

func (o serverSide) Wake(c *upstream.Conn, at clock.Instant) {
	if c.WakeAt == 0 || at < c.WakeAt {
		c.WakeAt = at
		o.e.timers.push(timer{at: at, conn: c})
	}
}

func (o serverSide) ServerEvent(c *upstream.Conn, ev upstream.Event, err error) {
	o.e.observer.Server(o.poolOf(c), c.Server, ev, err)
	if ev == upstream.Connected {
		o.connected(c)
	}
}

func (o serverSide) Failed(c *upstream.Conn, f upstream.Failure) {
	if pool, state := o.stateOf(c); state != nil {
		state.each((*upstream.Conn).Doubt)
		o.e.observer.Failed(pool, c.Server, f)
	}
}

func (o serverSide) Recovered(c *upstream.Conn) {
	if pool, state := o.stateOf(c); state != nil {
		state.each((*upstream.Conn).Trust)
		o.e.observer.Recovered(pool, c.Server)
	}
}

// stateOf is the pool and the state of a connection's server; nil if the server is leaving.
func (o serverSide) stateOf(c *upstream.Conn) (*topology.Pool, *serverState) {
	pool := o.poolOf(c)
	servers := o.e.pools[pool.Index].servers
	if i := c.Server.Index; i < len(servers) && servers[i].lanes[0][0].Server == c.Server {
		return pool, &servers[i]
	}
	return pool, nil
}

func (o serverSide) Settled(c *upstream.Conn) { o.e.resume(c) }

func (o serverSide) poolOf(c *upstream.Conn) *topology.Pool {
	for i := range o.e.pools {
		if p := o.e.pools[i].pool; p.Name == c.Server.Pool {
			return p
		}
	}
	panic("engine: a server connection of no pool: " + c.Server.Pool)
}
