package proxy

import (
	"cmp"
	"slices"
	"time"

	"github.com/cashew-proxy/cashew/internal/clock"
	"github.com/cashew-proxy/cashew/internal/engine"
)

// SlowEntry is a request that took longer than its pool's slowlog_threshold.
type SlowEntry struct {
	Ago          time.Duration // since its reply had come, or it had failed
	Pool, Server string
	Client       string // "" if it has gone, or is of a unix socket
	Command      string // "" if it is not known: only the oldest requests in flight are remembered
	Key          string // the first key, cut to 64 bytes; any bytes
	Waiting      time.Duration
	Serving      time.Duration
	Failure      string // why it had no reply, or none in time; "" if it had one
}

// Slow returns the last slow requests, the latest first: those of workers that answer.
func (p *Proxy) Slow() (all []SlowEntry) {
	for _, a := range inquire(p, (*worker).slow) {
		all = append(all, a.of...)
	}
	slices.SortStableFunc(all, func(a, b SlowEntry) int { return cmp.Compare(a.Ago, b.Ago) })
	return all
}

func (w *worker) slow(now clock.Instant) (all []SlowEntry) {
	for _, a := range w.Engine.Slow() {
		e := SlowEntry{
			Ago: now.Sub(a.Done), Pool: a.Pool, Server: a.Server, Command: a.Command, Key: a.Key,
			Waiting: a.Waiting, Serving: a.Serving, Failure: a.Failure,
		}
		if a.Client.IsValid() {
			e.Client = a.Client.String()
		}
		all = append(all, e)
	}
	return all
}

// Hot returns what samples say of the keys of a pool: nothing if there is no such pool, or no worker answers.
func (p *Proxy) Hot(pool string) (h engine.Hot) {
	for _, a := range inquire(p, func(w *worker, now clock.Instant) (h engine.Hot) {
		if of := w.snapshot.Pool(pool); of != nil {
			h = w.Engine.Hot(now, of.Index)
		}
		return h
	}) {
		h.Plus(&a.of)
	}
	return h
}
