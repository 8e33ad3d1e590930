package control

import (
	"math/rand/v2"
	"time"

	"github.com/cashew-proxy/cashew/internal/clock"
	"github.com/cashew-proxy/cashew/internal/ring"
	"github.com/cashew-proxy/cashew/internal/topology"
)

// Policy is when servers of a pool are ejected, and when they may return.
type Policy struct {
	FailureLimit int           // failures in a row; 0 is no ejection
	RetryTimeout time.Duration // until the first probe
	Share        int           // percent of the servers that may be out at once
	KeepRing     bool          // the keys of an ejected server stay with it, and their requests fail
}

const (
	// together is the time in which several losses are one failure: the connections of a server are lost at the
	// same moment, to one worker or to many.
	together = 10 * time.Millisecond
	// probeMost bounds the pauses between probes that fail: each is half as long again as the one before, up to
	// probeMost or four times the first, whichever is less, but never less than the first.
	probeMost = time.Minute
	// relapses is how often the time out doubles for a server that fails again soon after its return.
	relapses = 3
)

// Ejector decides which servers get requests. It is a value without goroutines or a clock of its own: the
// time comes with every call. Snapshot gives the outcome.
type Ejector struct {
	base     *topology.Snapshot // every server live
	policies []Policy           // by pool
	records  [][]record         // by pool and server
	current  *topology.Snapshot
	rng      *rand.Rand // jitter of probes
}

// record is what is known of one server.
type record struct {
	failures int
	last     clock.Instant // the last failure that counted; 0 is none
	out      bool
	spared   bool // it would be out, but for the limit
	probing  bool
	probeAt  clock.Instant // of a server that is out
	pause    time.Duration // before the next probe but one
	away     time.Duration // how long it stays out at least, this time or the last
	back     clock.Instant // when it last returned
	lapses   int           // ejections in a row, each soon after a return
	version  string        // that it says it is; "" until it has answered
	held     bool          // it is out until somebody lets it return
}

// Probe is a question that is to be put to a server that is out.
type Probe struct{ Pool, Server int }

// NewEjector returns an ejector for a snapshot in which every server is live, with the policies of its pools.
func NewEjector(s *topology.Snapshot, policies []Policy, seed uint64) *Ejector {
	e := &Ejector{base: s, current: s, policies: policies, rng: rand.New(rand.NewPCG(seed, 0))}
	for _, p := range s.Pools {
		e.records = append(e.records, make([]record, len(p.Servers)))
	}
	return e
}

// Reload returns an ejector for another snapshot in which every server is live. What is known of servers that both
// have, under the same address, is kept: those that are out stay out if their pool still ejects. They are asked at
// once, as what kept them out may have been changed.
func (e *Ejector) Reload(now clock.Instant, s *topology.Snapshot, policies []Policy) *Ejector {
	next := NewEjector(s, policies, e.rng.Uint64())
	for i, p := range s.Pools {
		before := e.base.Pool(p.Name)
		if before == nil || before.Protocol != p.Protocol {
			continue
		}
		out := false
		for k, server := range p.Servers {
			was := before.Server(server.Name)
			if was == nil || was.Network != server.Network || was.Address != server.Address {
				continue
			}
			h := e.records[before.Index][was.Index]
			h.out = h.out && (h.held || policies[i].FailureLimit > 0)
			h.probeAt, h.pause = now, policies[i].RetryTimeout
			next.records[i][k] = h
			out = out || h.out
		}
		if out {
			next.rebuild(i)
		}
		next.chooseVersion(i)
	}
	return next
}

// Eject takes a server out until Readmit, whatever the pool's policy says. It reports whether there is a new
// snapshot.
func (e *Ejector) Eject(pool, server int) bool {
	h := &e.records[pool][server]
	h.held = true
	if h.out {
		return false
	}
	h.out = true
	e.rebuild(pool)
	return true
}

// Readmit lets a server return at once. It reports whether there is a new snapshot.
func (e *Ejector) Readmit(now clock.Instant, pool, server int) bool {
	h := &e.records[pool][server]
	h.held = false
	if !h.out {
		return false
	}
	e.back(now, pool, h)
	return true
}

// back has a server be in the ring again.
func (e *Ejector) back(now clock.Instant, pool int, h *record) {
	h.out, h.back, h.failures, h.last = false, now, 0, 0
	e.rebuild(pool)
}

// Snapshot is the topology in force.
func (e *Ejector) Snapshot() *topology.Snapshot { return e.current }

// Failed counts a failure of a server. Dialed is when the connection that was lost had been dialed, 0 if none
// was lost. It reports whether the server is ejected by it, and there is a new snapshot.
func (e *Ejector) Failed(now clock.Instant, pool, server int, dialed clock.Instant) bool {
	p, h := &e.policies[pool], &e.records[pool][server]
	// A connection that was dialed after the last failure is another failure, however soon it comes.
	again := dialed != 0 && dialed < h.last && now.Sub(h.last) < together
	// One from before the server's return tells nothing of the server that has returned.
	stale := dialed != 0 && dialed < h.back
	if p.FailureLimit == 0 || h.out || again || stale {
		return false
	}
	h.last = now
	if h.failures++; h.failures < p.FailureLimit {
		return false
	}
	h.failures = 0
	if h.spared = !e.mayGo(pool); h.spared {
		return false
	}
	if h.back != 0 && now.Sub(h.back) < 2*h.away {
		h.lapses = min(h.lapses+1, relapses)
	} else {
		h.lapses = 0
	}
	h.away = p.RetryTimeout << h.lapses
	h.out, h.pause, h.probeAt = true, p.RetryTimeout, now.Add(h.away)
	e.rebuild(pool)
	return true
}

// mayGo says whether one more server of the pool may be out.
func (e *Ejector) mayGo(pool int) bool {
	out := 1
	for i := range e.records[pool] {
		if e.records[pool][i].out {
			out++
		}
	}
	return out*100 <= e.policies[pool].Share*len(e.records[pool])
}

// Recovered forgets the failures of a server that has answered.
func (e *Ejector) Recovered(pool, server int) {
	h := &e.records[pool][server]
	h.failures, h.spared = 0, false
}

// Next is when Due has something to say; Never if no server is out.
func (e *Ejector) Next() clock.Instant {
	next := clock.Never
	for i := range e.records {
		for k := range e.records[i] {
			if h := &e.records[i][k]; h.out && !h.held && !h.probing {
				next = min(next, h.probeAt)
			}
		}
	}
	return next
}

// Due returns the probes whose time has come. Each is to be answered by Probed, and until then there is
// none for the same server.
func (e *Ejector) Due(now clock.Instant) (due []Probe) {
	for i := range e.records {
		for k := range e.records[i] {
			if h := &e.records[i][k]; h.out && !h.held && !h.probing && h.probeAt <= now {
				h.probing = true
				due = append(due, Probe{i, k})
			}
		}
	}
	return due
}

// Probed takes the outcome of a probe. It reports whether the server returns, and there is a new snapshot.
func (e *Ejector) Probed(now clock.Instant, p Probe, healthy bool) bool {
	h, policy := &e.records[p.Pool][p.Server], &e.policies[p.Pool]
	h.probing = false
	if !h.out || h.held {
		return false
	}
	if healthy {
		e.back(now, p.Pool, h)
		return true
	}
	most := max(policy.RetryTimeout, min(4*policy.RetryTimeout, probeMost))
	h.pause = min(h.pause+h.pause/2, most)
	// A fifth more or less, so that many proxies do not ask at once.
	jitter := time.Duration(e.rng.Int64N(int64(h.pause)*2/5+1)) - h.pause/5
	h.probeAt = now.Add(h.pause + jitter)
	return false
}

// Out says whether a server is ejected, and Held whether that is because somebody wanted it.
func (e *Ejector) Out(pool, server int) bool  { return e.records[pool][server].out }
func (e *Ejector) Held(pool, server int) bool { return e.records[pool][server].held }

// Spared says that a server has failed often enough to be ejected, and keeps its keys because no more servers of
// the pool may be out.
func (e *Ejector) Spared(pool, server int) bool { return e.records[pool][server].spared }

// rebuild makes the next snapshot, in which one pool's servers and ring have changed.
func (e *Ejector) rebuild(pool int) {
	base := e.base.Pools[pool]
	p := *base
	p.Version = e.current.Pools[pool].Version
	p.Servers = nil
	var nodes []ring.Node
	for i, s := range base.Servers {
		server := *s
		server.Ejected = e.records[pool][i].out
		p.Servers = append(p.Servers, &server)
		if !server.Ejected {
			nodes = append(nodes, ring.Node{Name: s.Name, Weight: s.Weight, Index: i})
		}
	}
	if !e.policies[pool].KeepRing {
		p.Ring = ring.New(p.Distribution, nodes)
	}
	e.replace(&p)
}

// replace makes the next snapshot, in which one pool is another.
func (e *Ejector) replace(p *topology.Pool) {
	next := *e.current
	next.Epoch++
	next.Pools = append([]*topology.Pool(nil), e.current.Pools...)
	next.Pools[p.Index] = p
	e.current = &next
}
