package proxy

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/cashew-proxy/cashew/internal/clock"
	"github.com/cashew-proxy/cashew/internal/redistest"
	"github.com/cashew-proxy/cashew/internal/stats"
	"github.com/cashew-proxy/cashew/internal/topology"
)

// A panic loses clients, and nothing of what was seen of slow requests, of hot keys and of big ones.
func TestPanicKeepsWhatWasSeen(t *testing.T) {
	s := snapshot(t, []string{redistest.StartServer(t)})
	s.Threads = 2
	s.Pools[0].SlowThreshold, s.Pools[0].HotKeysSample, s.Pools[0].BigThreshold = 1, 1, 2048
	p := start(t, s, slog.New(slog.DiscardHandler))
	for i := range 2 { // one client for each worker
		c := redistest.Dial(t, p.Addresses()[0])
		c.Do("SET", fmt.Sprint("key", i), string(make([]byte, 3000)))
	}
	look := func(when string) {
		t.Helper()
		slow, hot := p.Slow(), p.Hot("pool0")
		if len(slow) != 2 || len(hot.ByRequests) != 2 || len(hot.ByBytes) != 2 || len(hot.Big) != 2 || hot.Requests != 2 {
			t.Errorf("%s: %+v, %+v", when, slow, hot)
		}
	}
	look("before")
	for _, w := range p.all() {
		w.loop.Post(func(clock.Instant) { panic("a bug") })
	}
	look("after a panic in each worker")
	redistest.Dial(t, p.Addresses()[0]).Do("SET", "key2", "v")
	if slow := p.Slow(); len(slow) != 3 || slow[0].Key != "key2" {
		t.Errorf("what comes later: %+v", slow)
	}
}

// A panic within a reload is an error of the reload: the worker goes on without its clients, under the configuration that
// was in force, with the listeners it had and no others; and the next reload is done.
func TestPanicInAReload(t *testing.T) {
	for _, threads := range []int{1, 2} {
		s := snapshot(t, []string{redistest.StartServer(t)}, []string{redistest.StartServer(t)})
		s.Threads = threads
		p := start(t, s, slog.New(slog.DiscardHandler))
		before := p.Addresses()
		old := redistest.Dial(t, before[0])
		old.Do("SET", "k", "v")
		next := *s
		next.Epoch = 2
		extra := *s.Pools[1]
		extra.Name, extra.Index, extra.Listen.Address = "extra", 1, freeAddress(t)
		server := *extra.Servers[0]
		server.Pool = extra.Name
		extra.Servers = []*topology.Server{&server}
		next.Pools = []*topology.Pool{s.Pools[0], &extra} // one is to go
		bad := extra
		bad.Servers = []*topology.Server{nil}
		broken := next
		broken.Pools = []*topology.Pool{s.Pools[0], &bad}
		if err := p.Reload(&broken, time.Second); err == nil || err.Error() != "panic in the worker" {
			t.Fatalf("Reload: %v", err)
		}
		if threads == 1 { // else it is the other worker's, which has nothing to do with it
			if got, err := old.TryRead(); err == nil {
				t.Errorf("the client from before the panic got %q", got)
			}
			until(t, "the client is counted", func() bool {
				v := p.PoolCounts(0)
				return v[stats.ClientsAccepted] == 1 && v[stats.ClientsClosed] == 1
			})
		} else if got := old.Do("GET", "k"); got != "$1\r\nv\r\n" {
			t.Errorf("another worker's client got %q", got)
		}
		if _, err := redistest.TryDial(t, extra.Listen.Address); err == nil {
			t.Error("the new pool's listener is open")
		}
		if !slices.Equal(p.Addresses(), before) || p.Snapshot() != s {
			t.Errorf("in force is %+v at %v", p.Snapshot(), p.Addresses())
		}
		if got := redistest.Dial(t, before[0]).Do("GET", "k"); got != "$1\r\nv\r\n" {
			t.Errorf("after the panic: %q", got)
		}
		if got := redistest.Dial(t, before[1]).Do("PING"); got != "+PONG\r\n" {
			t.Errorf("of the pool that was to go: %q", got)
		}
		if err := p.Reload(&next, time.Second); err != nil {
			t.Fatal(err)
		}
		if got := redistest.Dial(t, extra.Listen.Address).Do("GET", "none"); got != "$-1\r\n" {
			t.Errorf("after the next reload: %q", got)
		}
		if _, err := redistest.TryDial(t, before[1]); err == nil {
			t.Error("the pool that has gone still listens")
		}
	}
}

// A reload at the moment in which the last client of what is leaving goes finds it whole or gone, never in between: a pool
// that comes back begins anew, at the address that it had.
func TestReloadWhenTheLastClientGoes(t *testing.T) {
	for _, threads := range []int{1, 2} {
		s := snapshot(t, []string{redistest.StartServer(t)}, []string{redistest.StartServer(t)})
		s.Threads = threads
		s.Pools[1].Listen.Address = freeAddress(t)
		p := start(t, s, slog.New(slog.DiscardHandler))
		less := *s
		less.Pools = s.Pools[:1]
		steady := redistest.Dial(t, p.Addresses()[0])
		for round := range 200 {
			c := redistest.Dial(t, s.Pools[1].Listen.Address)
			if got := c.Do("SET", "k", fmt.Sprint(round)); got != "+OK\r\n" {
				t.Fatalf("round %d: %q", round, got)
			}
			switch round % 3 {
			case 0: // it goes before the reload has seen it, perhaps
				c.Close()
			case 1: // it has a request on its way, whose answer it does not wait for
				c.Send("GET", "k")
				c.Close()
			}
			reloaded := less
			reloaded.Epoch = uint64(2 + 2*round)
			if err := p.Reload(&reloaded, time.Second); err != nil {
				t.Fatal(err)
			}
			if round%3 == 2 { // the pool is leaving, and does not wait for a client that has nothing to get
				if got, err := c.TryRead(); err == nil {
					t.Fatalf("round %d: %q", round, got)
				}
			}
			back := *s
			back.Epoch = uint64(3 + 2*round)
			if err := p.Reload(&back, time.Second); err != nil {
				t.Fatal(err)
			}
			if got := steady.Do("PING"); got != "+PONG\r\n" {
				t.Fatalf("round %d: %q", round, got)
			}
		}
		if got := redistest.Dial(t, p.Addresses()[1]).Do("GET", "k"); got != "$3\r\n199\r\n" {
			t.Errorf("at the end: %q", got)
		}
		if v := p.PoolCounts(1); v[stats.ClientsAccepted]-v[stats.ClientsClosed] > 1 || len(p.Addresses()) != 2 {
			t.Errorf("%d clients came, %d went", v[stats.ClientsAccepted], v[stats.ClientsClosed])
		}
		if all, err := p.Clients("pool1", 10); err != nil || len(all) > 1 {
			t.Errorf("%+v, %v", all, err)
		}
		// Nothing is left of those who went without their replies.
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		if err := p.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		cancel()
	}
}
