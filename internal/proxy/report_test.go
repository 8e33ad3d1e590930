package proxy

import (
	"log/slog"
	"testing"
	"time"

	"github.com/cashew-proxy/cashew/internal/clock"
	"github.com/cashew-proxy/cashew/internal/redistest"
	"github.com/cashew-proxy/cashew/internal/stats"
)

// A report has what happened before it was asked for: nobody has to wait for counters to be published.
func TestReportIsLive(t *testing.T) {
	p := start(t, snapshot(t, []string{redistest.StartServer(t)}, []string{"127.0.0.1:1"}), slog.New(slog.DiscardHandler))
	p.Ejections(1, 0).Count(17)
	c := redistest.Dial(t, p.Addresses()[0])
	for i := range uint64(5) {
		if got := c.Do("SET", "k", "v"); got != "+OK\r\n" {
			t.Fatalf("SET got %q", got)
		}
		r := p.Report()
		pool, server := r.Pools[0], r.Pools[0].Servers[0]
		if pool.Name != "pool0" || server.Name != "server0" || pool.Counts[stats.Requests] != i+1 ||
			server.Counts[stats.ServerResponses] != i+1 || server.Counts[stats.ServerConnections] != 1 {
			t.Fatalf("after %d requests: %+v", i+1, r)
		}
	}
	if s := p.Report().Pools[1].Servers[0]; s.Ejections != 1 || s.EjectedAt != 17 {
		t.Errorf("the ejection is not there: %+v", s)
	}
}

// A worker that is stuck is not alive, and its counters are those that it has published. Of one that has
// ended they can be read, too.
func TestReportOfAStuckWorker(t *testing.T) {
	p := start(t, snapshot(t, []string{redistest.StartServer(t)}), slog.New(slog.DiscardHandler))
	c := redistest.Dial(t, p.Addresses()[0])
	if got := c.Do("SET", "k", "v"); got != "+OK\r\n" {
		t.Fatalf("SET got %q", got)
	}
	wait(t, "the worker to turn", p.Alive())
	wait(t, "the worker to turn once more", p.Alive()) // so that the turn before is published
	stuck, release := make(chan struct{}), make(chan struct{})
	p.all()[0].loop.Post(func(clock.Instant) {
		close(stuck)
		<-release
	})
	<-stuck
	alive := p.Alive()
	if n := p.Report().Pools[0].Counts[stats.Requests]; n != 1 {
		t.Errorf("a stuck worker has %d requests, want 1", n)
	}
	select {
	case <-alive:
		t.Error("a stuck worker is alive")
	default:
	}
	close(release)
	wait(t, "the worker to turn", alive)
	p.stop()
	<-p.Ended()
	if n := p.Report().Pools[0].Counts[stats.Requests]; n != 1 {
		t.Errorf("a worker that has ended has %d requests, want 1", n)
	}
}

func wait(t *testing.T, what string, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(limit):
		t.Fatalf("in vain: waited for %s", what)
	}
}
