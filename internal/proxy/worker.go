package proxy

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/cashew-proxy/cashew/internal/clock"
	"github.com/cashew-proxy/cashew/internal/engine"
	"github.com/cashew-proxy/cashew/internal/eventloop"
	"github.com/cashew-proxy/cashew/internal/message"
	"github.com/cashew-proxy/cashew/internal/topology"
)

// worker is one engine on one event loop: the loop's handler. All but newWorker, run and clients belongs to
// the goroutine of run.
type worker struct {
	*engine.Engine
	number int // the first one, 0, has the listeners
	proxy  *Proxy
	loop   *eventloop.Loop
	began  clock.Instant

	snapshot *topology.Snapshot
	ledger   *engine.Ledger
	poolOf   map[int]int // position of a pool by the number of its door
	dormant  bool        // it is to have no clients
	next     int         // worker that gets the next client

	depart  func(message.ConnID, engine.Parcel) // handOver
	clients atomic.Int64                        // as of the last turn

	draining bool
	drained  chan struct{}   // closed when the last client has gone
	panics   []clock.Instant // the last ones
}

func newWorker(p *Proxy, number int, under *inForce) (*worker, error) {
	w := &worker{number: number, proxy: p, began: clock.System(), drained: make(chan struct{}), dormant: number > 0}
	w.depart = w.handOver
	loop, err := eventloop.New(eventloop.Options{
		OnPanic: w.onPanic, Reset: w.reset, Lookup: p.lookup, Named: p.journal.name,
	})
	if err != nil {
		return nil, err
	}
	w.loop = loop
	w.enter(under)
	w.reset()
	return w, nil
}

// reset gives the worker a new engine, without connections.
func (w *worker) reset() eventloop.Handler {
	now, before := clock.System(), w.Engine
	w.Engine = engine.NewWith(w.loop, observer{w.proxy.journal, w.proxy.judge}, w.snapshot, rand.Uint64(), w.ledger, w.number)
	if len(w.ledger.Workers) > 1 {
		w.Engine.SetPeers(peers{w})
	}
	w.Engine.SetDormant(now, w.dormant)
	if before != nil {
		w.Engine.Succeed(before)
	}
	w.Engine.Start(now)
	return w
}

func (w *worker) run() error { return w.loop.Run(w) }

// Turn ends the engine's turn under the snapshot in force.
func (w *worker) Turn(now clock.Instant) ([]message.ConnID, clock.Instant) {
	dirty, next := w.Engine.Turn(now, w.snapshot)
	w.Engine.Depart(now, w.depart)
	if n := int64(w.Clients()); n != w.clients.Load() {
		w.clients.Store(n)
	}
	if w.draining && w.unfinished() == 0 {
		w.draining = false
		close(w.drained)
	}
	return dirty, next
}

// unfinished is the number of clients that are still connected, or have not received everything.
func (w *worker) unfinished() int { return w.Clients() + w.loop.Lingering() }

// Accept tells the engine of a client that came through one of the doors. The workers that have clients get new ones
// in turn.
func (w *worker) Accept(now clock.Instant, number int, peer netip.AddrPort) message.ConnID {
	id := w.Engine.Accept(now, w.poolOf[number], peer)
	if active := int(w.proxy.active.Load()); active > 1 && !w.draining {
		if w.next = (w.next + 1) % active; w.next != w.number {
			w.Engine.Send(id, w.next)
		}
	}
	return id
}

// drain stops accepting and ends every client when it has its answers.
func (w *worker) drain(now clock.Instant) {
	w.loop.StopAccepting()
	w.Engine.Drain(now)
	w.draining = true
}

// shutdown closes every connection.
func (w *worker) shutdown(now clock.Instant) { w.Engine.Shutdown(now) }

// A worker that panics loses its connections and goes on; one that does so all the time does not.
const (
	panicsForgiven = 2
	panicsWithin   = time.Minute
)

// onPanic decides whether the worker goes on after a panic.
func (w *worker) onPanic(value any, stack []byte) bool {
	now := clock.System()
	w.panics = append(w.panics, now)
	if n := len(w.panics) - 1 - panicsForgiven; n >= 0 {
		w.panics = w.panics[n:]
	}
	goOn := len(w.panics) <= panicsForgiven || now.Sub(w.panics[0]) > panicsWithin
	w.proxy.log.Error("panic in a worker: its connections are closed", "worker", w.number, "panic", fmt.Sprint(value), "goes_on", goOn, "stack", string(stack))
	return goOn
}
