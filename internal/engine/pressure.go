package engine

import (
	"github.com/cashew-proxy/cashew/internal/downstream"
	"github.com/cashew-proxy/cashew/internal/upstream"
)

// Clients that send to a server with more than queueHigh bytes unsent are not read from until it is
// down to queueLow: the sender is slowed before anybody is refused.
const (
	queueHigh = 1 << 20
	queueLow  = 256 << 10
)

// holdForServer slows a client down until the server has taken what it was sent.
func (e *Engine) holdForServer(s *downstream.Session, c *upstream.Conn) {
	if s.HeldForServer() {
		return
	}
	s.HoldForServer()
	c.Waiters = append(c.Waiters, s.ID)
}

// drainedServer lets waiting clients go on once the queue is short.
func (e *Engine) drainedServer(c *upstream.Conn) {
	if len(c.Waiters) > 0 && c.Queued() <= queueLow {
		e.resume(c)
	}
}

// resume lets every client go on that waits for the connection.
func (e *Engine) resume(c *upstream.Conn) {
	for _, id := range c.Waiters {
		if s := e.find(id); s != nil && s.client != nil {
			s.client.ServerDrained()
		}
	}
	c.Waiters = c.Waiters[:0]
}

// relieve lets clients be read again that were held because of memory, once a quarter of the limit
// is free.
func (e *Engine) relieve() {
	if limit := e.desk.MemoryLimit; !e.desk.Held || limit > 0 && e.pool.InUse() > limit/4*3 {
		return
	}
	e.desk.Held = false
	for i := range e.slots {
		if c := e.slots[i].client; c != nil {
			c.MemoryFreed()
		}
	}
}
