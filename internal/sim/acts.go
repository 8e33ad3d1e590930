package sim

import (
	"fmt"
	"time"

	"github.com/cashew-proxy/cashew/internal/clock"
	"github.com/cashew-proxy/cashew/internal/stats"
	"github.com/cashew-proxy/cashew/internal/topology"
)

// run plays the acts: the storm, the calm after it, requests that must all succeed, the end.
func (w *world) run() {
	for _, k := range w.workers {
		k.engine.Start(w.now)
	}
	w.untilIdle()
	if w.draining || w.stopped {
		w.shutDown()
		return
	}
	w.heal()
	w.restore()
	w.untilIdle()
	w.now += clock.Instant(2 * time.Second) // longer than any pause between attempts to connect
	w.checkReturned()
	w.strict = w.cfg.MemoryLimit == 0
	for i, c := range w.clients {
		if c.over {
			w.clients[i] = w.newClient(c.seat, 10)
		} else {
			c.left = 10
		}
	}
	w.untilIdle()
	w.checkAtRest()
	w.finish()
}

// finish ends all clients, in one of the ways there are, and looks for what is left.
func (w *world) finish() {
	drain := oneIn(w.rng, 3)
	w.cfg.Keep = false
	for _, c := range w.clients {
		switch {
		case c.over:
		case drain:
			c.left = 5
			c.generate()
			c.write()
		case oneIn(w.rng, 2):
			c.pipe.fin, c.ending = true, true
		default:
			c.reset()
		}
	}
	if drain {
		w.drain()
	}
	w.untilIdle()
	w.shutDown()
}

func (w *world) drain() {
	w.draining = true
	w.log("drain")
	for _, k := range w.workers {
		k.engine.Drain(w.now)
	}
}

// shutDown ends the engine and looks for what is left of it.
func (w *world) shutDown() {
	if w.violation != nil {
		return
	}
	w.deliverAll()
	for _, k := range w.workers {
		if n := k.engine.Clients(); n != 0 && !w.stopped {
			w.fail("worker %d has %d clients after the last one went", k.number, n)
		}
		k.engine.Shutdown(w.now)
		if n := k.engine.Clients(); n != 0 {
			w.fail("worker %d has %d clients after the shutdown", k.number, n)
		}
		if n := k.engine.Buffers().InUse(); n != 0 {
			w.fail("%d bytes of worker %d's buffers are in use after the shutdown", n, k.number)
		}
	}
	for _, p := range w.pipes {
		if !p.closed {
			w.fail("connection %x was never closed", p.id)
		}
	}
}

// untilIdle runs turns until nothing will happen any more.
func (w *world) untilIdle() {
	const most = 1_000_000
	w.idle = false
	for !w.idle && w.violation == nil {
		w.turn()
		switch {
		case !w.stormy:
		case w.turns == w.cfg.StopAfter:
			w.stopped = true
			return
		case w.turns == w.cfg.DrainAfter:
			w.drain()
		}
		if w.turns > most {
			w.fail("no end after %d turns", most)
		}
	}
	for _, c := range w.clients {
		if c.over {
			continue
		}
		if c.owed > 0 {
			w.fail("client %d waits for ever: %d requests unanswered, the first is %s", c.number, c.owed, short(fmt.Sprint(c.waiting[0].args)))
		}
		if w.violation != nil {
			return
		}
		w.dialect.settle(c, len(c.waiting))
		c.waiting = nil
	}
	w.flushing, w.flushed = 0, w.flushes // nothing is under way any more
}

// checkAtRest looks at a fleet that has nothing to do.
func (w *world) checkAtRest() {
	if w.violation != nil {
		return
	}
	for _, p := range w.pipes {
		if !p.closed && !p.interest && (p.client == nil || !p.client.ending) {
			w.fail("%s is at rest and is not read from", w.name(p))
		}
	}
}

// count collects the engine's own counters.
func (w *world) count() {
	w.result.Counted = map[string]uint64{}
	for _, k := range w.workers {
		for i, d := range stats.PoolTable {
			w.result.Counted[d.Name] += k.engine.PoolCounters(0).Local(stats.Counter(i))
		}
		for s := range w.applied.Pools[0].Servers {
			counters := k.engine.ServerCounters(0, s)
			for i, d := range stats.ServerTable {
				w.result.Counted["server "+d.Name] += counters.Local(stats.Counter(i))
			}
			w.checkTimes(s, counters)
		}
	}
	w.checkClasses()
}

// checkClasses: every request is of one class, with the proxy and with the server.
func (w *world) checkClasses() {
	for _, prefix := range []string{"", "server "} {
		all, sum := w.result.Counted[prefix+"requests"], uint64(0)
		for _, c := range stats.ClassNames {
			sum += w.result.Counted[prefix+c+"_requests"]
		}
		if sum != all && w.violation == nil {
			w.fail("%srequests: %d, but %d of all classes", prefix, all, sum)
		}
	}
}

// checkTimes: every reply of a server was timed in both phases, within the time that there was.
func (w *world) checkTimes(server int, counters *stats.Block) {
	var timed [stats.Phases]uint64
	for _, class := range counters.Latency.Copy() {
		for p := range class {
			n := class[p].Count()
			timed[p] += n
			if longest := uint64(w.now-beginning) * n; class[p].Sum > longest && w.violation == nil {
				w.fail("server %d: requests took %d ns in phase %d, more than the %d that there were", server, class[p].Sum, p, longest)
			}
		}
	}
	for p, n := range timed {
		if replies := counters.Local(stats.ServerResponses); n != replies && w.violation == nil {
			w.fail("server %d: %d replies, %d times in phase %d", server, replies, n, p)
		}
	}
}

// publish replaces the snapshot by another that says the same.
func (w *world) publish() {
	w.log("publish")
	next, pool := *w.snapshot, *w.snapshot.Pools[0]
	pool.Servers = nil
	for _, s := range w.snapshot.Pools[0].Servers {
		server := *s
		pool.Servers = append(pool.Servers, &server)
	}
	next.Epoch++
	next.Pools = []*topology.Pool{&pool}
	w.snapshot = &next
}
