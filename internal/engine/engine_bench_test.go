package engine_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/cashew-proxy/cashew/internal/engine"
)

// These measure the engine alone, without system calls: what a request costs the proxy beyond them.

func run(b *testing.B, m *mill) {
	perRound := m.requests * len(m.clients)
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; i < b.N; i += perRound {
		m.round()
	}
}

func BenchmarkGet(b *testing.B) {
	for _, c := range []struct{ clients, pipeline int }{{1, 1}, {50, 1}, {1000, 1}, {50, 16}, {50, 100}} {
		b.Run(fmt.Sprintf("clients=%d/pipeline=%d", c.clients, c.pipeline), func(b *testing.B) {
			run(b, newMill(b, c.clients, c.pipeline, gets(c.pipeline), value32))
		})
	}
}

// One key that all clients ask for, each time sent and joined.
func BenchmarkHotGet(b *testing.B) {
	for _, join := range []string{"off", "on"} {
		for _, c := range []struct{ clients, pipeline int }{{50, 1}, {1000, 1}, {50, 16}} {
			b.Run(fmt.Sprintf("join=%s/clients=%d/pipeline=%d", join, c.clients, c.pipeline), func(b *testing.B) {
				run(b, start(b, "config join="+join+" "+watched, requestLength, c.clients, c.pipeline, hotGets(c.pipeline), value32))
			})
		}
	}
}

// What it costs to look for reads that could be joined where there are none.
func BenchmarkJoinInVain(b *testing.B) {
	for _, join := range []string{"off", "on"} {
		b.Run("join="+join, func(b *testing.B) {
			run(b, start(b, "config join="+join+" "+watched, requestLength, 1, 200, gets(200), value32))
		})
	}
}

func BenchmarkMGet100(b *testing.B) { run(b, newMill(b, 50, 1, mget(100), values)) }

func BenchmarkSet16K(b *testing.B) {
	run(b, newMill(b, 50, 1, []byte(array("SET", "a", strings.Repeat("x", 16<<10))), ok))
}

func BenchmarkPing(b *testing.B) { run(b, newMill(b, 50, 1, []byte(array("PING")), ok)) }

func BenchmarkMemcachedGet(b *testing.B) {
	for _, c := range []struct{ clients, pipeline int }{{50, 1}, {50, 16}, {50, 100}} {
		b.Run(fmt.Sprintf("clients=%d/pipeline=%d", c.clients, c.pipeline), func(b *testing.B) {
			run(b, newMemcachedMill(b, c.clients, c.pipeline, memcachedGets("get %s\r\n", c.pipeline), memcachedValues))
		})
	}
}

func BenchmarkMemcachedGet100(b *testing.B) {
	run(b, newMemcachedMill(b, 50, 1, multiGet(100), memcachedValues))
}

// The engines of several workers side by side, each built and run by a goroutine of its own: what a request costs each
// of them. Those of one ledger are the workers of a process; those with a ledger each share nothing at all, and tell what
// the processors take from one another.
func BenchmarkWorkers(b *testing.B) {
	for _, c := range []struct {
		name            string
		engines, shared int
	}{{"1", 1, 1}, {"2-apart", 2, 1}, {"2-together", 2, 2}} {
		b.Run(c.name, func(b *testing.B) {
			snap := snapshot(b, "config timeout=1s stalled=30s idle=1h slow=100ms hot=1000")
			var ready, all sync.WaitGroup
			var ledger *engine.Ledger
			begin := make(chan struct{})
			ready.Add(c.engines)
			for i := range c.engines {
				if i%c.shared == 0 {
					ledger = engine.NewLedger(snap, c.shared)
				}
				l := ledger
				all.Go(func() {
					m := startAs(b, snap, l, i%c.shared, requestLength, 50, 16, gets(16), value32)
					ready.Done()
					<-begin
					for i := 0; i < b.N; i += m.requests * len(m.clients) {
						m.round()
					}
				})
			}
			ready.Wait()
			b.ResetTimer()
			close(begin)
			all.Wait()
		})
	}
}
