package proxy

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/cashew-proxy/cashew/internal/clock"
	"github.com/cashew-proxy/cashew/internal/engine"
	"github.com/cashew-proxy/cashew/internal/eventloop"
	"github.com/cashew-proxy/cashew/internal/message"
	"github.com/cashew-proxy/cashew/internal/topology"
)

// worker is one engine on one event loop: the loop's handler. All but newWorker and run belongs to
// the goroutine of run.
type worker struct {
	*engine.Engine
	proxy *Proxy
	loop  *eventloop.Loop
	began clock.Instant

	snapshot *topology.Snapshot
	poolOf   map[int]int // position of a pool by the number of its door

	draining bool
	drained  chan struct{}   // closed when the last client has gone
	panics   []clock.Instant // the last ones
}

func newWorker(p *Proxy) (*worker, error) {
	w := &worker{proxy: p, began: clock.System(), drained: make(chan struct{})}
	loop, err := eventloop.New(eventloop.Options{
		OnPanic: w.onPanic, Reset: w.reset, Lookup: p.lookup, Named: p.journal.name,
	})
	if err != nil {
		return nil, err
	}
	w.loop = loop
	w.enter(p.inForce.Load())
	w.reset()
	return w, nil
}

// reset gives the worker a new engine, without connections.
func (w *worker) reset() eventloop.Handler {
	now, before := clock.System(), w.Engine
	w.Engine = engine.NewWith(w.loop, observer{w.proxy.journal, w.proxy.judge}, w.snapshot, rand.Uint64(),
		w.proxy.inForce.Load().counters)
	if before != nil {
		w.Engine.KeepPauses(before)
	}
	w.Engine.Start(now)
	return w
}

func (w *worker) run() error { return w.loop.Run(w) }

// Turn ends the engine's turn under the snapshot in force.
func (w *worker) Turn(now clock.Instant) ([]message.ConnID, clock.Instant) {
	dirty, next := w.Engine.Turn(now, w.snapshot)
	if w.draining && w.unfinished() == 0 {
		w.draining = false
		close(w.drained)
	}
	return dirty, next
}

// unfinished is the number of clients that are still connected, or have not received everything.
func (w *worker) unfinished() int { return w.Clients() + w.loop.Lingering() }

// Accept tells the engine of a client that came through one of the doors.
func (w *worker) Accept(now clock.Instant, number int, peer netip.AddrPort) message.ConnID {
	return w.Engine.Accept(now, w.poolOf[number], peer)
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
	w.proxy.log.Error("panic in a worker: its connections are closed", "panic", fmt.Sprint(value), "goes_on", goOn, "stack", string(stack))
	return goOn
}
