package engine

import (
	"github.com/cashew-proxy/cashew/internal/clock"
	"github.com/cashew-proxy/cashew/internal/message"
	"github.com/cashew-proxy/cashew/internal/upstream"
)

// timer is one call of Expire that was asked for. Whoever it is for looks at its own deadlines then;
// so a deadline that moves away costs nothing until the old instant comes.
type timer struct {
	at     clock.Instant
	client message.ConnID // or
	conn   *upstream.Conn
}

// timers is a binary heap, the earliest first.
type timers struct{ heap []timer }

func (t *timers) push(x timer) {
	t.heap = append(t.heap, x)
	h := t.heap
	for i := len(h) - 1; i > 0; {
		up := (i - 1) / 2
		if h[up].at <= h[i].at {
			return
		}
		h[up], h[i] = h[i], h[up]
		i = up
	}
}

func (t *timers) pop() timer {
	h := t.heap
	first, n := h[0], len(h)-1
	h[0] = h[n]
	h[n] = timer{}
	h = h[:n]
	t.heap = h
	for i := 0; ; {
		least := i
		for _, k := range [2]int{2*i + 1, 2*i + 2} {
			if k < n && h[k].at < h[least].at {
				least = k
			}
		}
		if least == i {
			return first
		}
		h[i], h[least] = h[least], h[i]
		i = least
	}
}

// next is the earliest instant, Never if there is none.
func (t *timers) next() clock.Instant {
	if len(t.heap) == 0 {
		return clock.Never
	}
	return t.heap[0].at
}

// expire runs the timers that are due. One that was asked for again earlier finds that its instant
// is no longer the one noted, and is dropped.
func (e *Engine) expire() {
	for e.timers.next() <= e.now {
		t := e.timers.pop()
		if t.conn != nil {
			if t.conn.WakeAt == t.at {
				t.conn.WakeAt = 0
				if next := t.conn.Expire(e.now); next != clock.Never {
					serverSide{e}.Wake(t.conn, next)
				}
			}
			continue
		}
		if s := e.find(t.client); s != nil && s.client.WakeAt == t.at {
			c := s.client
			c.WakeAt = 0
			if next := c.Expire(e.now); next != clock.Never {
				clientSide{e}.Wake(c, next)
			}
		}
	}
}

// trimEvery is how often unused buffers go back.
const trimEvery = clock.Instant(1e9)

// trim gives back what was not needed for a while, about once a second as long as there is anything.
func (e *Engine) trim() {
	if e.nextTrim == 0 {
		if e.pool.Free() > 0 || e.spareLanes {
			e.nextTrim = e.now + trimEvery
		}
		return
	}
	if e.now < e.nextTrim {
		return
	}
	e.nextTrim = 0
	e.pool.Trim()
	e.eachConn((*upstream.Conn).Trim)
	e.retireLanes()
	if e.pool.Free() > 0 || e.spareLanes {
		e.nextTrim = e.now + trimEvery
	}
}

// next is when the engine wants its next Turn.
func (e *Engine) next() clock.Instant {
	if len(e.awakened) > 0 {
		return e.now
	}
	next := min(e.timers.next(), e.pausesEnd(), e.leaveNext())
	for _, at := range [2]clock.Instant{e.nextTrim, e.heldUntil} {
		if at != 0 {
			next = min(next, at)
		}
	}
	return next
}
