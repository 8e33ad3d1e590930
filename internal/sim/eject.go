package sim

import (
	"math/rand/v2"
	"time"

	"github.com/cashew-proxy/cashew/internal/clock"
	"github.com/cashew-proxy/cashew/internal/control"
	"github.com/cashew-proxy/cashew/internal/hashkit"
	"github.com/cashew-proxy/cashew/internal/message"
	"github.com/cashew-proxy/cashew/internal/stats"
	"github.com/cashew-proxy/cashew/internal/topology"
	"github.com/cashew-proxy/cashew/internal/upstream"
)

// court stands for the control plane: it takes the engine's reports of failing servers, late and not always,
// asks the real ejector, publishes what that decides, and probes servers that are out.
type court struct {
	ejector *control.Ejector
	rng     *rand.Rand
	reports []report // in the order in which they are taken
	probes  []probe

	moved  bool     // the snapshot to come into force has another ring
	barred []uint64 // by server: one more than the requests it had been given when it was ejected, 0 if it is not
}

type report struct {
	due     clock.Instant
	server  int  // its number
	good    bool // it has recovered
	failure upstream.Failure
}

type probe struct {
	server int // its number
	due    clock.Instant
}

// drawEjection has servers ejected in a third of the fleets, with a generator of its own.
func (c *Config) drawEjection() {
	r := rand.New(rand.NewPCG(c.Seed, 5))
	if !oneIn(r, 3) {
		return
	}
	c.FailureLimit = draw(r, 3)
	c.RetryTimeout = time.Millisecond << r.IntN(10)
	if oneIn(r, 6) {
		c.RetryTimeout = 2_000_000 * time.Millisecond
	}
	c.EjectLimit = [...]int{100, 100, 50, 34}[r.IntN(4)]
	c.KeepRing = oneIn(r, 3)
}

func (w *world) newCourt() {
	c := &w.cfg
	w.eras = []era{eraOf(w.snapshot.Pools[0])}
	w.applied = w.snapshot
	if c.FailureLimit == 0 {
		return
	}
	w.court = &court{
		ejector: control.NewEjector(w.snapshot, c.policies(), c.Seed),
		rng:     rand.New(rand.NewPCG(c.Seed, 6)),
		barred:  make([]uint64, c.Servers),
	}
}

func (c *Config) policies() []control.Policy {
	return []control.Policy{{FailureLimit: c.FailureLimit, RetryTimeout: c.RetryTimeout, Share: c.EjectLimit, KeepRing: c.KeepRing}}
}

// Failed implements engine.Observer. Some reports are late, so late even that the engine goes on before they are
// taken, and some are lost.
func (w *world) Failed(_ *topology.Pool, s *topology.Server, f upstream.Failure) {
	w.log("failed %s %+v", s.Name, f)
	c := w.court
	if c == nil {
		w.fail("a failure of %s is reported that nobody wants to know", s.Name)
		return
	}
	r := report{due: w.now, server: numberOf(s), failure: f}
	switch c.rng.IntN(16) {
	case 0, 1, 2:
		r.due += clock.Instant(c.rng.Int64N(int64(upstream.VerdictWithin)))
	case 3:
		r.due += clock.Instant(c.rng.Int64N(3 * int64(upstream.VerdictWithin)))
	case 4:
		return
	}
	c.report(r)
}

// Recovered implements engine.Observer.
func (w *world) Recovered(_ *topology.Pool, s *topology.Server) {
	w.log("recovered %s", s.Name)
	if c := w.court; c != nil {
		c.report(report{due: w.now, server: numberOf(s), good: true})
	}
}

// report takes its place behind those that came before.
func (c *court) report(r report) {
	if n := len(c.reports); n > 0 {
		r.due = max(r.due, c.reports[n-1].due)
	}
	c.reports = append(c.reports, r)
}

// judge decides what is to be decided by now.
func (w *world) judge() {
	c := w.court
	if c == nil {
		return
	}
	for len(c.reports) > 0 && c.reports[0].due <= w.now {
		r := c.reports[0]
		c.reports = c.reports[1:]
		w.busy = true
		at := position(c.ejector.Snapshot(), r.server)
		switch {
		case at < 0: // it was removed meanwhile
			continue
		case r.good:
			c.ejector.Recovered(0, at)
			continue
		case c.ejector.Failed(r.failure.At, 0, at, r.failure.Dialed):
			w.result.Ejections++
			w.decree("eject", r.server)
			w.excuse(message.ErrNoServer)
		}
		w.log("verdict server%d", r.server)
		w.apply()
		for _, k := range w.workers {
			k.engine.Verdict(w.now, w.snapshot, w.snapshot.Pools[0].Servers[at].ID())
		}
	}
	w.probe()
	if len(c.reports) > 0 {
		w.wakeAt(c.reports[0].due)
	}
}

// probe asks servers that are out whether they can serve.
func (w *world) probe() {
	c := w.court
	for _, p := range c.ejector.Due(w.now) {
		number := numberOf(c.ejector.Snapshot().Pools[0].Servers[p.Server])
		c.probes = append(c.probes, probe{number, w.now + clock.Instant(c.rng.Int64N(5e6))})
	}
	left := c.probes[:0]
	for _, p := range c.probes {
		if w.now < p.due {
			left = append(left, p)
			w.wakeAt(p.due)
			continue
		}
		w.busy = true
		at := position(c.ejector.Snapshot(), p.server)
		if at < 0 {
			continue // it was removed meanwhile
		}
		s := w.servers[p.server]
		healthy := w.now >= max(s.down, s.silent, s.mute, s.loading)
		w.log("probe server%d %v", p.server, healthy)
		if c.ejector.Probed(w.now, control.Probe{Server: at}, healthy) {
			w.result.Returns++
			w.decree("readmit", p.server)
		}
	}
	c.probes = left
	w.wakeAt(c.ejector.Next())
}

// decree publishes what the ejector has decided. It is in force when the engine has been given it.
func (w *world) decree(what string, server int) {
	w.log("%s server%d", what, server)
	w.snapshot = w.court.ejector.Snapshot()
	w.court.moved = !w.cfg.KeepRing
}

// apply is called before the engine is given the snapshot.
func (w *world) apply() {
	if w.snapshot == w.applied {
		return
	}
	w.applied = w.snapshot
	c := w.court
	if c == nil {
		return
	}
	if c.moved {
		c.moved = false
		w.eras = append(w.eras, eraOf(w.snapshot.Pools[0]))
	}
	for _, s := range w.snapshot.Pools[0].Servers {
		switch i := numberOf(s); {
		case !s.Ejected:
			c.barred[i] = 0
		case c.barred[i] == 0:
			c.barred[i] = 1 + w.given(i)
		}
	}
}

// given is how many requests a server has been given, ever.
func (w *world) given(server int) (n uint64) {
	for _, k := range w.workers {
		n += k.engine.ServerCounters(0, position(w.applied, server)).Local(stats.ServerRequests)
	}
	return n
}

// checkBarred sees to it that servers that are out are given nothing.
func (w *world) checkBarred() {
	if w.court == nil {
		return
	}
	for i, n := range w.court.barred {
		if n > 0 && n != 1+w.given(i) {
			w.fail("server %d was given %d requests after it was ejected", i, 1+w.given(i)-n)
		}
	}
}

// checkReturned is called when everything has healed: every server is to have returned, and from now on each key
// is to be where it was at first.
func (w *world) checkReturned() {
	for i, s := range w.applied.Pools[0].Servers {
		if s.Ejected && w.violation == nil {
			w.fail("server %d has healed and is still out", i)
		}
	}
	w.eras = append(w.eras, w.eras[0])
	w.firstEra = len(w.eras) - 1
}

// ownerIn is the server that a key belongs to by a ring, -1 if the ring is empty.
func (w *world) ownerIn(e era, key string) int {
	p := w.snapshot.Pools[0]
	if len(w.servers) == 1 {
		return 0
	}
	if i := e.ring.Pick(hashkit.Hash(p.Hash, p.HashTag, []byte(key))); i >= 0 {
		return e.servers[i]
	}
	return -1
}

// erasSince are those that were in force since the one with a number.
func (w *world) erasSince(number int) []era { return w.eras[max(number, w.firstEra):] }

// crosses judges the reply to a command with two keys, which are on one server or not.
func (c *client) crosses(e *expect, reply []byte) string {
	for _, r := range c.w.erasSince(e.since) {
		want := crossServer
		if c.w.ownerIn(r, e.args[3]) == c.w.ownerIn(r, e.args[4]) {
			want = e.exact
		}
		if string(reply) == want {
			return ""
		}
	}
	return short(e.exact) + " or that the keys are apart"
}
