package sim

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/cashew-proxy/cashew/internal/message"
	"github.com/cashew-proxy/cashew/internal/ring"
	"github.com/cashew-proxy/cashew/internal/topology"
)

// era is a ring that was in force, with the servers that it names, by number.
type era struct {
	ring    ring.Ring
	servers []int
}

func eraOf(p *topology.Pool) era {
	e := era{ring: p.Ring}
	for _, s := range p.Servers {
		e.servers = append(e.servers, numberOf(s))
	}
	return e
}

// numberOf is a server's number in the fleet. Its position in a snapshot may be another one.
func numberOf(s *topology.Server) int {
	n, err := strconv.Atoi(s.Name[1:])
	if err != nil {
		panic("sim: a server that is not of the fleet: " + s.Name)
	}
	return n
}

// position is where a snapshot has the server with a number; -1 if it has it not.
func position(s *topology.Snapshot, number int) int {
	return slices.IndexFunc(s.Pools[0].Servers, func(s *topology.Server) bool { return numberOf(s) == number })
}

// drawReloads has a quarter of the fleets get other configurations while they work, with a generator of its own.
func (c *Config) drawReloads() {
	r := rand.New(rand.NewPCG(c.Seed, 7))
	if c.FlushAll || !oneIn(r, 4) {
		return // a server that is away keeps what all others forget
	}
	c.ReloadOnce = 20 << r.IntN(5)
}

// editor changes the configuration now and then.
type editor struct {
	rng     *rand.Rand
	address int // changes with every move of the servers
}

// reload puts another configuration in force, now and then: servers come and go, in another order, under other
// addresses, with other numbers of connections.
func (w *world) reload() {
	if !w.stormy && w.cfg.Faults != 0 || !w.alter.some(w.cfg.ReloadOnce) || w.draining {
		return
	}
	r := w.alter.rng
	numbers := r.Perm(w.cfg.Servers)[:draw(r, w.cfg.Servers)]
	if oneIn(r, 3) {
		w.alter.address++
	}
	c := w.cfg
	c.ServerConnections = draw(r, 3)
	c.JoinReads = c.JoinReads && w.result.Reloads%3 > 0
	within := time.Hour
	if w.stormy && oneIn(r, 4) {
		within = time.Duration(r.Int64N(int64(time.Millisecond)))
		w.excuse(message.ErrRemoved)
		for _, s := range w.servers {
			s.hurt = true // its connections may be closed with requests on them
		}
	}
	w.result.Reloads++
	w.putInForce(&c, numbers, within)
}

func (e *editor) some(once int) bool { return e.rng != nil && oneIn(e.rng, once) }

// restore puts the first configuration in force again.
func (w *world) restore() {
	if w.alter.rng == nil {
		return
	}
	numbers := make([]int, w.cfg.Servers)
	for i := range numbers {
		numbers[i] = i
	}
	w.putInForce(&w.cfg, numbers, time.Hour)
	w.alter.rng = nil
}

// putInForce has the engine and the control plane go by a configuration with some of the servers.
func (w *world) putInForce(c *Config, numbers []int, within time.Duration) {
	w.log("reload %v", numbers)
	w.busy = true
	base := newSnapshot(c, numbers, w.alter.address)
	base.Epoch = w.snapshot.Epoch + 1
	next := base
	if w.court != nil {
		w.court.ejector = w.court.ejector.Reload(w.now, base, w.cfg.policies())
		next = w.court.ejector.Snapshot()
		w.court.moved = false // the new ring has it
	}
	w.ledger = w.ledger.Reloaded(w.applied, next, 0)
	if w.court != nil {
		for i, n := range w.court.barred {
			if at := position(next, i); n > 0 && (at < 0 || !next.Pools[0].Servers[at].Ejected) {
				w.court.barred[i] = 0
			}
		}
	}
	w.snapshot, w.applied = next, next
	w.eras = append(w.eras, eraOf(next.Pools[0]))
	for _, k := range w.workers {
		k.engine.Reload(w.now, next, w.ledger, within)
	}
}

// addressOf is where a server is, as the configuration has it.
func addressOf(number, changes int) string { return fmt.Sprintf("s%d@%d", number, changes) }

// newEditor returns one if the fleet is to have it.
func newEditor(c *Config) editor {
	if c.ReloadOnce == 0 {
		return editor{}
	}
	return editor{rng: rand.New(rand.NewPCG(c.Seed, 8))}
}

// keysMove says whether a key may be on other servers at other times.
func (w *world) keysMove() bool { return w.court != nil || w.cfg.ReloadOnce > 0 }
