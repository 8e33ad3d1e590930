package sim

import (
	"testing"
	"time"
)

// BenchmarkFleet measures simulated requests a second of a fleet in which nothing goes wrong.
func BenchmarkFleet(b *testing.B) {
	for protocol, speak := range protocols {
		b.Run(protocol, func(b *testing.B) {
			requests := 0
			for b.Loop() {
				c := Config{
					Seed: 1, Servers: 3, ServerConnections: 1, Clients: 20, Requests: 2000, Window: 32, Keys: 8,
					Chunk: 16 << 10, Buffer: 64 << 10, Value: 64, Tick: 50 * time.Microsecond, Limits: DefaultLimits(),
				}
				speak(&c)
				r, err := Run(c)
				if err != nil {
					b.Fatal(err)
				}
				requests += r.Requests
			}
			b.ReportMetric(float64(requests)/b.Elapsed().Seconds(), "requests/s")
		})
	}
}
