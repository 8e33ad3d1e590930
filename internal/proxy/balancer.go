package proxy

import (
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cashew-proxy/cashew/internal/clock"
	"github.com/cashew-proxy/cashew/internal/topology"
)

// balancer does what the balance decides: a goroutine that measures the workers.
type balancer struct {
	p    *Proxy
	end  chan struct{}
	done chan struct{}
	once sync.Once

	mu      sync.Mutex
	balance balance

	at    clock.Instant
	slept []uint64 // by worker, in nanoseconds
	used  time.Duration
}

func newBalancer(p *Proxy) *balancer {
	b := &balancer{p: p, end: make(chan struct{}), done: make(chan struct{}), balance: balance{active: 1}}
	go b.run()
	return b
}

// stop returns when no client is told to move any more.
func (b *balancer) stop() {
	b.once.Do(func() { close(b.end) })
	<-b.done
}

func (b *balancer) run() {
	defer close(b.done)
	t := time.NewTicker(tick)
	defer t.Stop()
	for {
		select {
		case <-b.end:
			return
		case <-b.p.ended:
			return
		case <-t.C:
			b.look()
		}
	}
}

// obey has the number of workers be what a snapshot says.
func (b *balancer) obey(s *topology.Snapshot) {
	b.mu.Lock()
	defer b.mu.Unlock()
	least, most := threads(s)
	b.apply(b.balance.bound(least, most))
}

// look is one tick.
func (b *balancer) look() {
	b.mu.Lock()
	defer b.mu.Unlock()
	loads, processors := b.measure()
	if b.balance.restless(loads) {
		b.apply(b.balance.tick(loads, processors))
	}
}

// measure says what the workers did since it was called last.
func (b *balancer) measure() (loads []load, processors float64) {
	now, used := clock.System(), processorTime()
	length := float64(max(now.Sub(b.at), 1))
	for i, w := range b.p.all() {
		slept := w.loop.Stats().Slept
		if i == len(b.slept) {
			b.slept = append(b.slept, slept)
		}
		busy := 1 - float64(slept-b.slept[i])/length
		loads = append(loads, load{busy: max(busy, 0), clients: int(w.clients.Load())})
		b.slept[i] = slept
	}
	processors = float64(used-b.used) / length
	b.at, b.used = now, used
	return loads, processors
}

// apply has workers be active, and clients move.
func (b *balancer) apply(moves []move) {
	workers, active := b.p.all(), b.balance.active
	if before := int(b.p.active.Load()); before != active {
		// The workers must not starve the rest: signals, logs, name resolution.
		if runtime.GOMAXPROCS(0) <= active {
			runtime.GOMAXPROCS(active + 1)
		}
		for _, w := range workers {
			w.loop.Post(func(now clock.Instant) {
				w.dormant = w.number >= active
				w.Engine.SetDormant(now, w.dormant)
			})
		}
		b.p.active.Store(int64(active))
		b.p.log.Info("workers that serve clients", "workers", active, "before", before)
	}
	for _, m := range moves {
		w := workers[m.from]
		if w.clients.Load() == 0 {
			continue
		}
		w.loop.Post(func(now clock.Instant) {
			since := now - clock.Instant(time.Second)
			if m.share == all {
				since = 0
			}
			w.Engine.SendShare(now, m.share, since, m.to)
		})
	}
}

// threads is how many workers have clients at least and at most.
func threads(s *topology.Snapshot) (least, most int) {
	if s.Threads > 0 {
		return s.Threads, s.Threads
	}
	return 1, MostWorkers(0)
}

// MostWorkers is how many workers there may be, if so many are configured; 0 is as many as are worth it.
func MostWorkers(configured int) int {
	if configured > 0 {
		return configured
	}
	return processors
}

// processors is how many the process may use, before it is changed for the workers' sake. Go knows control groups.
var processors = runtime.GOMAXPROCS(0)

// processorTime is how much the process has used of them.
func processorTime() time.Duration {
	var r unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &r) != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
