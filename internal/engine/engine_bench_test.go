package engine_test

import (
	"fmt"
	"strings"
	"testing"
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
