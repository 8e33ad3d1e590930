package proxy

import (
	"fmt"
	"log/slog"
	"testing"
)

// BenchmarkReport measures what a reader costs the worker: it stands still for as long.
func BenchmarkReport(b *testing.B) {
	for _, servers := range []int{10, 1000} {
		b.Run(fmt.Sprintf("servers=%d", servers), func(b *testing.B) {
			p := start(b, snapshot(b, make([]string, servers)), slog.New(slog.DiscardHandler))
			b.ReportAllocs()
			for b.Loop() {
				p.Report()
			}
		})
	}
}
