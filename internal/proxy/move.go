package proxy

import (
	"time"

	"github.com/cashew-proxy/cashew/internal/clock"
	"github.com/cashew-proxy/cashew/internal/downstream"
	"github.com/cashew-proxy/cashew/internal/engine"
	"github.com/cashew-proxy/cashew/internal/eventloop"
	"github.com/cashew-proxy/cashew/internal/message"
)

// What one worker wants of another goes by mail. Clients, and what concerns a client by its number, go by the first
// worker's: a reload reaches that one first, and through it the others. So no worker ever gets a client from one that
// goes by a newer configuration than itself.

// handOver sends a client to another worker.
func (w *worker) handOver(id message.ConnID, parcel engine.Parcel) {
	socket, ok := w.loop.Detach(id)
	if !ok { // it has failed since the engine was told last
		w.Engine.Lose(parcel)
		return
	}
	w.byFirst(func() {
		to := w.proxy.all()[parcel.To]
		if !to.loop.Post(func(now clock.Instant) { to.adopt(now, parcel, socket) }) {
			socket.Close() // the process ends
		}
	}, socket.Close)
}

// byFirst has f run in the first worker, or otherwise if that has ended.
func (w *worker) byFirst(f, otherwise func()) {
	if w.number == 0 {
		f()
	} else if !w.proxy.all()[0].loop.Post(func(clock.Instant) { f() }) {
		otherwise()
	}
}

func (w *worker) adopt(now clock.Instant, parcel engine.Parcel, socket eventloop.Socket) {
	id, ok := w.Engine.Adopt(now, parcel)
	if !ok { // a reload has taken its pool away
		socket.Close()
		return
	}
	w.loop.Attach(id, socket)
}

// peers are the other workers, as a worker's engine sees them.
type peers struct{ w *worker }

// others calls f for each of them, in its goroutine.
func (p peers) others(f func(w *worker, now clock.Instant)) {
	for _, w := range p.w.proxy.all() {
		if w != p.w {
			w.loop.Post(func(now clock.Instant) { f(w, now) })
		}
	}
}

// Look implements engine.Peers. Whoever does not answer is left out.
func (p peers) Look(id message.ConnID, pool string, q downstream.Question) {
	go func() {
		answers := inquire(p.w.proxy, func(w *worker, now clock.Instant) (v downstream.View) {
			if w != p.w {
				v = w.Engine.Testify(now, pool, q)
			}
			return v
		})
		views := make([]downstream.View, len(answers))
		for i, a := range answers {
			views[i] = a.of
		}
		p.w.loop.Post(func(now clock.Instant) { p.w.Engine.Informed(now, id, views) })
	}()
}

// Kill implements engine.Peers.
func (p peers) Kill(pool string, numbers []uint64) {
	p.w.byFirst(func() {
		p.others(func(w *worker, now clock.Instant) { w.Engine.Kill(now, pool, numbers) })
	}, func() {})
}

// Pause implements engine.Peers.
func (p peers) Pause(pool string, mode downstream.Pause, until clock.Instant) {
	p.others(func(w *worker, now clock.Instant) { w.Engine.SetPause(now, pool, mode, until) })
}

// inquireWithin is how long a worker has to answer. One that is stuck must not hide what tells so.
const inquireWithin = 500 * time.Millisecond

// answer is what one worker says; nothing if it did not answer in time.
type answer[T any] struct {
	of T
	ok bool
}

// inquire asks every worker, each between two of its turns.
func inquire[T any](p *Proxy, f func(w *worker, now clock.Instant) T) []answer[T] {
	workers := p.all()
	answers, mail := make([]answer[T], len(workers)), make([]chan T, len(workers))
	for i, w := range workers {
		mail[i] = make(chan T, 1)
		if !w.loop.Post(func(now clock.Instant) { mail[i] <- f(w, now) }) {
			close(mail[i])
		}
	}
	timer := time.NewTimer(inquireWithin)
	defer timer.Stop()
	over := false
	for i := range answers {
		if !over {
			select {
			case v, ok := <-mail[i]:
				answers[i] = answer[T]{v, ok}
			case <-p.ended:
				over = true
			case <-timer.C:
				over = true
			}
			continue
		}
		select {
		case v, ok := <-mail[i]:
			answers[i] = answer[T]{v, ok}
		default:
		}
	}
	return answers
}
