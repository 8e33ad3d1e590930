// Package proxy runs the data plane: a worker is an engine on an event loop, in a goroutine of its
// own. The package opens the listeners, starts the workers, has clients move between them, drains them and reports
// what they saw.
//
// A Proxy is safe for use by any goroutine; what happens inside a worker is its own business, and is
// asked for through its mailbox.
//
// Files: proxy.go has the life of all workers, worker.go that of one, balance.go how many of them have clients, move.go what
// they want of each other, reload.go and steer.go what is wanted of them, report.go and watch.go what they tell.
package proxy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/cashew-proxy/cashew/internal/clock"
	"github.com/cashew-proxy/cashew/internal/engine"
	"github.com/cashew-proxy/cashew/internal/eventloop"
	"github.com/cashew-proxy/cashew/internal/stats"
	"github.com/cashew-proxy/cashew/internal/topology"
	"github.com/cashew-proxy/cashew/internal/upstream"
)

// Proxy is the listeners and the workers that serve them.
type Proxy struct {
	log      *slog.Logger
	journal  *journal
	judge    Judge
	lookup   eventloop.LookupFunc
	inForce  atomic.Pointer[inForce]
	lastDoor int                       // number of the last one that was opened
	workers  atomic.Pointer[[]*worker] // more may come, none goes
	active   atomic.Int64              // how many of them, the first ones, get clients
	balancer *balancer
	running  sync.WaitGroup
	ended    chan struct{} // closed when the last worker has ended
	endErr   error         // of the first one that could not go on
	failOnce sync.Once
	stopOnce sync.Once
}

// Judge is told of servers that fail and recover, where the pool ejects, and of new connections. It answers Failed
// with Verdict. The calls must not block.
type Judge interface {
	Connected(pool *topology.Pool, server *topology.Server)
	Failed(pool *topology.Pool, server *topology.Server, f upstream.Failure)
	Recovered(pool *topology.Pool, server *topology.Server)
}

// observer is what the engine tells everything to.
type observer struct {
	*journal
	judge Judge
}

func (o observer) Server(p *topology.Pool, s *topology.Server, e upstream.Event, err error) {
	if o.judge != nil && e == upstream.Connected {
		o.judge.Connected(p, s)
	}
	o.journal.Server(p, s, e, err)
}

func (o observer) Failed(p *topology.Pool, s *topology.Server, f upstream.Failure) {
	if o.judge != nil {
		o.judge.Failed(p, s, f)
	}
}

func (o observer) Recovered(p *topology.Pool, s *topology.Server) {
	if o.judge != nil {
		o.judge.Recovered(p, s)
	}
}

// SetJudge says who is told of failures, before Start. Without anybody requests for a server that has just
// failed wait for a verdict that does not come.
func (p *Proxy) SetJudge(j Judge) { p.judge = j }

// SetLookup says how addresses of servers' names are found, before Start. Without it, it is the system's way.
func (p *Proxy) SetLookup(f eventloop.LookupFunc) { p.lookup = f }

// Verdict tells the workers that it is decided, by the snapshot in force, what becomes of a server that has
// failed.
func (p *Proxy) Verdict(server topology.ServerID) {
	for _, w := range p.all() {
		w.loop.Post(func(now clock.Instant) { w.Engine.Verdict(now, w.snapshot, server) })
	}
}

// Log writes a line about a server, where the worker's are written: what repeats is summed up, unless each is to be
// written. It is for after Start.
func (p *Proxy) Log(level slog.Level, text string, pool *topology.Pool, server *topology.Server, err error, each bool) {
	p.journal.note(level, text, pool, server, err, each)
}

// New returns a proxy for the snapshot's pools. Nothing is opened yet.
func New(s *topology.Snapshot, log *slog.Logger) *Proxy {
	p := &Proxy{log: log, ended: make(chan struct{})}
	_, most := threads(s)
	p.inForce.Store(&inForce{snapshot: s, ledger: engine.NewLedger(s, most)})
	p.workers.Store(new([]*worker))
	p.active.Store(1)
	return p
}

// Start opens all listeners and begins to serve. On an error nothing is left open.
func (p *Proxy) Start() error {
	first := *p.inForce.Load()
	doors, fresh, err := p.openDoors(nil, first.snapshot)
	if err != nil {
		return err
	}
	first.doors = doors
	p.inForce.Store(&first)
	p.journal = newJournal(p.log)
	workers, err := p.hire(&first)
	if err == nil {
		loop := workers[0].loop
		for i, d := range doors {
			if err = loop.AddListener(d.number, fresh[d.number], first.snapshot.Pools[i].ClientKeepAlive); err != nil {
				break
			}
			delete(fresh, d.number)
		}
	}
	if err != nil {
		discard(workers)
		p.journal.close()
		fresh.close()
		return err
	}
	p.employ(workers)
	p.balancer = newBalancer(p)
	p.balancer.obey(first.snapshot)
	go func() {
		p.running.Wait()
		p.journal.close()
		close(p.ended)
	}()
	return nil
}

// all are the workers that there are.
func (p *Proxy) all() []*worker { return *p.workers.Load() }

// hire makes the workers that a configuration needs and that are not there. On an error there are none.
func (p *Proxy) hire(under *inForce) (added []*worker, err error) {
	for i := len(p.all()); i < len(under.ledger.Workers); i++ {
		w, err := newWorker(p, i, under)
		if err != nil {
			discard(added)
			return nil, err
		}
		added = append(added, w)
	}
	return added, nil
}

func discard(workers []*worker) {
	for _, w := range workers {
		w.loop.Discard()
	}
}

// employ has workers begin to work. If one cannot go on, none does.
func (p *Proxy) employ(added []*worker) {
	workers := append(slices.Clone(p.all()), added...)
	p.workers.Store(&workers)
	for _, w := range added {
		p.running.Go(func() {
			if err := w.run(); err != nil {
				p.failOnce.Do(func() { p.endErr = err })
				p.stop()
			}
		})
	}
}

// stop ends all workers as they are.
func (p *Proxy) stop() {
	for _, w := range p.all() {
		w.loop.Stop()
	}
}

// Addresses are where the pools listen, in the snapshot's order, with the ports that the system chose.
func (p *Proxy) Addresses() (all []string) {
	for _, d := range p.inForce.Load().doors {
		all = append(all, d.address)
	}
	return all
}

// Snapshot is the topology in force.
func (p *Proxy) Snapshot() *topology.Snapshot { return p.inForce.Load().snapshot }

// Ended is closed when the workers have ended, after Shutdown or because one could not go on.
func (p *Proxy) Ended() <-chan struct{} { return p.ended }

// Shutdown stops accepting, lets what is in flight finish, and ends the workers. When ctx is done the
// rest is closed as it is, and the error says how many clients that were.
func (p *Proxy) Shutdown(ctx context.Context) error {
	workers := p.all()
	if len(workers) == 0 {
		return nil
	}
	p.stopOnce.Do(func() {
		p.balancer.stop()
		for _, w := range workers {
			w.loop.Post(w.drain)
		}
	})
	cut := p.drained(ctx, workers)
	for _, w := range workers {
		w.loop.Post(w.shutdown)
	}
	p.stop()
	<-p.ended
	return errors.Join(cut, p.endErr)
}

// drained waits until every worker has served its clients. An error says how many were not.
func (p *Proxy) drained(ctx context.Context, workers []*worker) error {
	for _, w := range workers {
		select {
		case <-w.drained:
		case <-p.ended:
			return nil
		case <-ctx.Done():
			n := 0
			for _, a := range inquire(p, func(w *worker, _ clock.Instant) int { return w.unfinished() }) {
				n += a.of
			}
			if n == 0 {
				return nil
			}
			return fmt.Errorf("%d clients were cut off at the shutdown timeout", n)
		}
	}
	return nil
}

// PoolCounts are a pool's, in the snapshot's order, of all workers as of their last turns.
func (p *Proxy) PoolCounts(pool int) (v stats.Values) {
	for _, c := range p.inForce.Load().ledger.Workers {
		v.Plus(c.Pools[pool].ReadAll())
	}
	return v
}

// ServerCounts are those of a server of a pool, in the snapshot's order.
func (p *Proxy) ServerCounts(pool, server int) (v stats.Values) {
	for _, c := range p.inForce.Load().ledger.Workers {
		v.Plus(c.Servers[pool][server].ReadAll())
	}
	return v
}
