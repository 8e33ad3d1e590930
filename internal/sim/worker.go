package sim

import (
	"math/rand/v2"

	"github.com/cashew-proxy/cashew/internal/clock"
	"github.com/cashew-proxy/cashew/internal/downstream"
	"github.com/cashew-proxy/cashew/internal/engine"
	"github.com/cashew-proxy/cashew/internal/message"
	"github.com/cashew-proxy/cashew/internal/topology"
)

// worker is one engine of the proxy with its connections: the engine's Host, and what it has of the other workers.
type worker struct {
	w      *world
	number int
	engine *engine.Engine
	byID   map[message.ConnID]*pipe
	mail   []letter // in the order in which it is read

	adopting bool // a client has no id yet by which it can be found
}

// letter is something that another worker wants done.
type letter struct {
	due clock.Instant
	do  func()
}

// drawWorkers has a third of the fleets be served by several workers, with a generator of its own.
func (c *Config) drawWorkers() {
	r := rand.New(rand.NewPCG(c.Seed, 9))
	if !oneIn(r, 3) {
		return
	}
	c.Workers = 2 + r.IntN(2)
	c.MoveOnce = 4 << r.IntN(6)
}

// hire makes the workers.
func (w *world) hire() {
	w.ledger = engine.NewLedger(w.snapshot, max(w.cfg.Workers, 1))
	for i := range w.ledger.Workers {
		k := &worker{w: w, number: i, byID: map[message.ConnID]*pipe{}}
		k.engine = engine.NewWith(k, w, w.snapshot, w.cfg.Seed, w.ledger, i)
		k.engine.Buffers().Mangle = true
		if w.cfg.Workers > 1 {
			k.engine.SetPeers(k)
		}
		w.workers = append(w.workers, k)
	}
	if w.cfg.Workers > 1 {
		w.moves = rand.New(rand.NewPCG(w.cfg.Seed, 10))
	}
}

// post has a worker do something in some later turn, behind what it is to do already.
func (k *worker) post(do func()) {
	due := k.w.now + clock.Instant(k.w.moves.Int64N(int64(2*k.w.cfg.Tick)))
	if n := len(k.mail); n > 0 {
		due = max(due, k.mail[n-1].due)
	}
	k.mail = append(k.mail, letter{due, do})
	k.w.busy = true
}

func (k *worker) readMail() {
	for len(k.mail) > 0 && k.mail[0].due <= k.w.now {
		l := k.mail[0]
		k.mail = k.mail[1:]
		k.w.busy = true
		l.do()
	}
	if len(k.mail) > 0 {
		k.w.wakeAt(k.mail[0].due)
	}
}

// move has clients go to other workers, now and then: some of one's, or all.
func (w *world) move() {
	if w.moves == nil || w.draining || !oneIn(w.moves, w.cfg.MoveOnce) {
		return
	}
	from, to := w.workers[w.moves.IntN(len(w.workers))], w.moves.IntN(len(w.workers))
	share := 1.0
	if !oneIn(w.moves, 3) {
		share = w.moves.Float64()
	}
	from.engine.SendShare(w.now, share, 0, to)
	if oneIn(w.moves, 4) {
		from.engine.SetDormant(w.now, oneIn(w.moves, 2))
	}
}

// turn is one turn of a worker.
func (k *worker) turn() (next clock.Instant) {
	w := k.w
	k.readMail()
	dirty, next := k.engine.Turn(w.now, w.snapshot)
	for _, id := range dirty {
		if p := k.byID[id]; p != nil {
			p.deserted = p.deserted || w.sabotage(ForgetOutput)
			w.flush(p)
		}
	}
	k.engine.Depart(w.now, k.depart)
	return next
}

// depart has a client on its way to another worker. The first one hands all over, as it alone accepts.
func (k *worker) depart(id message.ConnID, parcel engine.Parcel) {
	w, p := k.w, k.byID[id]
	w.log("depart %s to worker %d", w.name(p), parcel.To)
	w.result.Moves++
	delete(k.byID, id)
	p.at = nil
	to := w.workers[parcel.To]
	arrive := func() { to.adopt(p, parcel) }
	if k.number == 0 {
		to.post(arrive)
		return
	}
	w.workers[0].post(func() { to.post(arrive) })
}

func (k *worker) adopt(p *pipe, parcel engine.Parcel) {
	k.adopting = true
	id, ok := k.engine.Adopt(k.w.now, parcel)
	if k.adopting = false; !ok {
		k.w.fail("client %d has lost its pool", p.client.number)
		return
	}
	p.id = id
	k.own(p)
	k.w.log("arrived %s at worker %d", k.w.name(p), k.number)
}

// own makes a connection the worker's.
func (k *worker) own(p *pipe) {
	if k.byID[p.id] != nil {
		k.w.fail("connection id %x is given twice", p.id)
	}
	p.at = k
	k.byID[p.id] = p
	k.w.busy = true
}

// Look, Kill and Pause are the worker's Peers.
func (k *worker) Look(id message.ConnID, pool string, q downstream.Question) {
	var views []downstream.View
	for _, other := range k.others() {
		other.post(func() {
			views = append(views, other.engine.Testify(k.w.now, pool, q))
			if len(views) == len(k.w.workers)-1 {
				k.post(func() { k.engine.Informed(k.w.now, id, views) })
			}
		})
	}
}

// Kill implements engine.Peers.
func (k *worker) Kill(pool string, numbers []uint64) {
	for _, other := range k.others() {
		other.post(func() { other.engine.Kill(k.w.now, pool, numbers) })
	}
}

// Pause implements engine.Peers.
func (k *worker) Pause(pool string, mode downstream.Pause, until clock.Instant) {
	for _, other := range k.others() {
		other.post(func() { other.engine.SetPause(k.w.now, pool, mode, until) })
	}
}

func (k *worker) others() (all []*worker) {
	for _, other := range k.w.workers {
		if other != k {
			all = append(all, other)
		}
	}
	return all
}

// Dial is the engine's wish to connect to a server.
func (k *worker) Dial(id message.ConnID, s *topology.Server) {
	w, number := k.w, numberOf(s)
	to := w.servers[number]
	if len(w.servers) > 1 && w.sabotage(WrongServer) {
		to = w.servers[(number+1)%len(w.servers)]
	}
	if at := position(w.applied, number); at < 0 || w.applied.Pools[0].Servers[at].Ejected {
		w.fail("server %d is dialed, which is ejected or removed", number)
	}
	p := &pipe{id: id, server: to, interest: true, dialing: true, since: len(w.eras) - 1}
	p.due = max(w.now, to.mute) + clock.Instant(w.rng.Int64N(int64(2*w.cfg.Tick)))
	k.own(p)
	w.pipes = append(w.pipes, p)
	w.log("dial %s", w.name(p))
}

// Interest is the engine's wish to read from a connection or not.
func (k *worker) Interest(id message.ConnID, read bool) {
	w, p := k.w, k.byID[id]
	switch {
	case k.adopting: // of one that is to end at once: what it sends still is read, and dropped
	case p == nil || p.closed:
		w.fail("interest in connection %x, which is closed", id)
	case p.interest == read:
		w.fail("%s: interest %v again", w.name(p), read)
	case read && w.sabotage(StayDeaf):
	default:
		p.interest = read
		w.log("interest %s %v", w.name(p), read)
	}
}

// Finish is Close: here nobody loses what was written.
func (k *worker) Finish(id message.ConnID) { k.Close(id) }

// Close is the engine's end of a connection.
func (k *worker) Close(id message.ConnID) {
	w, p := k.w, k.byID[id]
	if p == nil || p.closed {
		w.fail("connection %x is closed twice", id)
		return
	}
	w.log("close %s", w.name(p))
	p.closed, p.want = true, false
	p.done = p.done || p.dialing || p.reset != nil
	delete(k.byID, id)
	w.busy = true
}

// outstanding is how many requests the sessions of all workers count, and how many server connections have.
func (w *world) outstanding() (counted, waiting uint64) {
	for _, k := range w.workers {
		c, n := k.engine.Outstanding()
		counted, waiting = counted+c, waiting+n
	}
	return counted, waiting
}

// deliverAll has the workers read what others have written to them, however late.
func (w *world) deliverAll() {
	for left := true; left; {
		left = false
		for _, k := range w.workers {
			for _, l := range k.mail {
				w.now = max(w.now, l.due)
			}
			k.readMail()
			left = left || len(k.mail) > 0
		}
	}
}
