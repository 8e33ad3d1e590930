// Package proxy runs the data plane: a worker is an engine on an event loop, in a goroutine of its
// own. The package opens the listeners, starts the worker, drains it and reports what it saw.
//
// A Proxy is safe for use by any goroutine; what happens inside a worker is its own business, and is
// asked for through its mailbox.
package proxy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/cashew-proxy/cashew/internal/clock"
	"github.com/cashew-proxy/cashew/internal/engine"
	"github.com/cashew-proxy/cashew/internal/eventloop"
	"github.com/cashew-proxy/cashew/internal/stats"
	"github.com/cashew-proxy/cashew/internal/topology"
	"github.com/cashew-proxy/cashew/internal/upstream"
)

// Proxy is the listeners and the worker that serves them.
type Proxy struct {
	log      *slog.Logger
	journal  *journal
	judge    Judge
	lookup   eventloop.LookupFunc
	inForce  atomic.Pointer[inForce]
	lastDoor int // number of the last one that was opened
	worker   *worker
	ended    chan struct{}
	endErr   error
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

// Verdict tells the worker that it is decided, by the snapshot in force, what becomes of a server that has
// failed.
func (p *Proxy) Verdict(server topology.ServerID) {
	if w := p.worker; w != nil {
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
	p.inForce.Store(&inForce{snapshot: s, counters: engine.NewCounters(s)})
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
	w, err := newWorker(p)
	if err == nil {
		for i, d := range doors {
			if err = w.loop.AddListener(d.number, fresh[d.number], first.snapshot.Pools[i].ClientKeepAlive); err != nil {
				break
			}
			delete(fresh, d.number)
		}
		if err != nil {
			w.loop.Discard()
		}
	}
	if err != nil {
		p.journal.close()
		fresh.close()
		return err
	}
	// The workers must not starve the rest: signals, logs, name resolution.
	if runtime.GOMAXPROCS(0) < 2 {
		runtime.GOMAXPROCS(2)
	}
	p.worker = w
	go func() {
		defer close(p.ended)
		p.endErr = w.run()
		p.journal.close()
	}()
	return nil
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

// Ended is closed when the worker has ended, after Shutdown or because it could not go on.
func (p *Proxy) Ended() <-chan struct{} { return p.ended }

// Shutdown stops accepting, lets what is in flight finish, and ends the worker. When ctx is done the
// rest is closed as it is, and the error says how many clients that were.
func (p *Proxy) Shutdown(ctx context.Context) error {
	w := p.worker
	if w == nil {
		return nil
	}
	p.stopOnce.Do(func() { w.loop.Post(w.drain) })
	var cut error
	select {
	case <-w.drained:
	case <-p.ended:
		return p.endErr
	case <-ctx.Done():
		if n := p.ask(w.unfinished); n > 0 {
			cut = fmt.Errorf("%d clients were cut off at the shutdown timeout", n)
		}
	}
	w.loop.Post(w.shutdown)
	w.loop.Stop()
	<-p.ended
	return errors.Join(cut, p.endErr)
}

// ask runs f in the worker and returns what it says, 0 if the worker ends first: one that panics once
// too often drops its mail.
func (p *Proxy) ask(f func() int) int {
	answer := make(chan int, 1)
	if !p.worker.loop.Post(func(clock.Instant) { answer <- f() }) {
		return 0
	}
	select {
	case n := <-answer:
		return n
	case <-p.ended:
		return 0
	}
}

// PoolCounters returns the counters of a pool, in the snapshot's order.
func (p *Proxy) PoolCounters(pool int) *stats.Block { return p.inForce.Load().counters.Pools[pool] }

// ServerCounters returns the counters of a server of a pool, in the snapshot's order.
func (p *Proxy) ServerCounters(pool, server int) *stats.Block {
	return p.inForce.Load().counters.Servers[pool][server]
}

// LoopStats returns the event loop's counters.
func (p *Proxy) LoopStats() eventloop.Stats { return p.worker.loop.Stats() }
