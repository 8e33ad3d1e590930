package upstream

import (
	"testing"
	"time"

	"github.com/cashew-proxy/cashew/internal/clock"
	"github.com/cashew-proxy/cashew/internal/message"
	"github.com/cashew-proxy/cashew/internal/stats"
	"github.com/cashew-proxy/cashew/internal/topology"
)

const (
	us = clock.Instant(time.Microsecond)
	ms = clock.Instant(time.Millisecond)
)

// timed is how many requests of a class there were in a phase, and what they took together.
func timed(c *Conn, class stats.Class, p stats.Phase) (n uint64, sum time.Duration) {
	h := c.counters.Latency.Copy()[class][p]
	return h.Count(), time.Duration(h.Sum)
}

// Requests of two turns, the first of which leaves in two pieces: each has the time of the piece with its end. Replies
// come one by one, or several at a time.
func TestTimesOfRequests(t *testing.T) {
	for _, runs := range []bool{false, true} {
		c, l, _ := newConn(topology.Settings{})
		l.runs = runs
		send := func(now clock.Instant, n uint32, class stats.Class) {
			if err := c.Send(now, ticket(n), class, []byte("x"), false, message.Key{}); err != nil {
				t.Fatal(err)
			}
		}
		send(1000*us, 1, stats.Read)
		c.Connected(1000*us, nil)
		send(1000*us, 2, stats.Read)
		send(1000*us, 3, stats.Write)
		c.Sent(1000*us, 1)
		c.Sent(1100*us, 1)
		c.Sent(1100*us, 1) // a second write of the same turn
		send(1200*us, 4, stats.Write)
		send(1300*us, 5, stats.Other)
		c.Sent(1300*us, 2)
		c.Received(1400*us, []byte(":1\r\n:2\r\n:3\r\n:4\r\n:5\r\n"))
		for _, want := range []struct {
			class            stats.Class
			n                uint64
			waiting, serving clock.Instant
		}{{stats.Read, 2, 0 + 100, 400 + 300}, {stats.Write, 2, 100 + 100, 300 + 100}, {stats.Other, 1, 0, 100}} {
			n, waiting := timed(c, want.class, stats.Waiting)
			m, serving := timed(c, want.class, stats.Serving)
			if n != want.n || m != want.n || waiting != time.Duration(want.waiting*us) || serving != time.Duration(want.serving*us) {
				t.Errorf("runs %v: class %s: %d waited %v, %d were served in %v, want %+v", runs, stats.ClassNames[want.class],
					n, waiting, m, serving, want)
			}
		}
	}
}

// A connection that is lost forgets what it has sent: the next socket's requests have times of their own.
func TestTimesAfterALoss(t *testing.T) {
	c, _, _ := newConn(topology.Settings{})
	_ = c.Send(1*us, ticket(1), stats.Read, []byte("0123456789"), false, message.Key{})
	c.Connected(1*us, nil)
	c.Sent(1*us, 10)
	c.Lost(2*us, nil)
	_ = c.Send(3*us, ticket(2), stats.Read, []byte("x"), false, message.Key{})
	c.Connected(4*us, nil)
	c.Sent(5*us, 1)
	c.Received(9*us, []byte("+OK\r\n"))
	n, waiting := timed(c, stats.Read, stats.Waiting)
	_, serving := timed(c, stats.Read, stats.Serving)
	if n != 1 || waiting != 2*time.Microsecond || serving != 4*time.Microsecond {
		t.Errorf("%d requests waited %v and were served in %v", n, waiting, serving)
	}
}

// Marks are bounded: a request that leaves in very many pieces may count as sent too late, and nothing is lost.
func TestMarksAreBounded(t *testing.T) {
	var m marks
	for i := range uint64(3 * mostMarks) {
		m.add(mark{i + 1, clock.Instant(i + 1)})
	}
	if len(m.ring) > mostMarks {
		t.Errorf("a ring of %d", len(m.ring))
	}
	if got := m.covering(3 * mostMarks); got.to != 3*mostMarks || got.at != 3*mostMarks {
		t.Errorf("the last is %+v", got)
	}
	if got := m.covering(3 * mostMarks); got.to != 3*mostMarks || m.n != 1 {
		t.Errorf("asked again: %+v of %d", got, m.n)
	}
}
