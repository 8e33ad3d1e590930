package engine

import (
	"slices"
	"time"

	"github.com/cashew-proxy/cashew/internal/downstream"
	"github.com/cashew-proxy/cashew/internal/message"
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
	e.await(s, c)
}

// await has the client hear of the connection when its queue is short again, or its server judged.
func (e *Engine) await(s *downstream.Session, c *upstream.Conn) {
	if len(c.Waiters) == cap(c.Waiters) {
		// Clients may come and go all the time while the server takes nothing.
		c.Waiters = slices.DeleteFunc(c.Waiters, func(id message.ConnID) bool { return e.find(id) == nil })
	}
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
			if s.client.Stalled() {
				e.awakened = append(e.awakened, id)
			}
		}
	}
	c.Waiters = c.Waiters[:0]
}

// buffersApart is by how many bytes the workers may be wrong about what each of the others holds in buffers: one tells
// the others no sooner, so that telling costs nothing.
const buffersApart = 64 << 10

// share tells the other workers how much memory is in use here, and learns how much they use.
func (e *Engine) share() {
	own, all := e.own(), &e.ledger.common.buffered
	in := e.pool.InUse()
	if d := in - own.buffered; d >= buffersApart || d <= -buffersApart || in == 0 && d != 0 {
		all.Add(d)
		own.buffered = in
	}
	e.desk.Elsewhere = all.Load() - own.buffered
}

// heldAtMost is how long clients are held because of memory. What fills it may be requests that never
// end: the others are slowed to a read in this time, not stopped.
const heldAtMost = 100 * time.Millisecond

// relieve lets clients be read again that were held because of memory, once a quarter of the limit
// is free or they have waited.
func (e *Engine) relieve() {
	if !e.desk.Held {
		return
	}
	if e.heldUntil == 0 {
		e.heldUntil = e.now.Add(heldAtMost)
	}
	if limit := e.desk.MemoryLimit; limit > 0 && e.desk.InUse() > limit/4*3 && e.now < e.heldUntil {
		return
	}
	e.desk.Held, e.heldUntil = false, 0
	for i := range e.slots {
		if c := e.slots[i].client; c != nil {
			c.MemoryFreed()
		}
	}
}
