package proxy

import (
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cashew-proxy/cashew/internal/clock"
	"github.com/cashew-proxy/cashew/internal/redistest"
	"github.com/cashew-proxy/cashew/internal/stats"
)

// several starts a proxy with so many workers.
func several(t *testing.T, threads int, servers ...string) *Proxy {
	t.Helper()
	s := snapshot(t, servers)
	s.Threads = threads
	return start(t, s, slog.New(slog.DiscardHandler))
}

// shuffle has all clients of a worker go to another one.
func (p *Proxy) shuffle(from, to int) {
	w := p.all()[from]
	w.loop.Post(func(now clock.Instant) { w.Engine.SendShare(now, all, 0, to) })
}

// Clients that ask all the time, alone and in pipelines, are sent from worker to worker, while the configuration is
// reloaded with other numbers of workers: each reads what it has written last, in its order.
func TestClientsMove(t *testing.T) {
	p := several(t, 3, redistest.StartServer(t), redistest.StartServer(t))
	var over atomic.Bool
	var asked atomic.Int64
	var clients sync.WaitGroup
	for id := range 12 {
		c := redistest.Dial(t, p.Addresses()[0])
		clients.Go(func() {
			for round := 0; !over.Load(); round++ {
				want := ""
				for i := range 1 + id%4*5 {
					key, value := fmt.Sprintf("%d-%d", id, i), fmt.Sprint(round)
					c.Send("SET", key, value)
					c.Send("GET", key)
					want += fmt.Sprintf("+OK\r\n$%d\r\n%s\r\n", len(value), value)
				}
				got := ""
				for range strings.Count(want, "$") * 2 {
					got += c.Read()
				}
				if asked.Add(1); got != want {
					t.Errorf("client %d, round %d: got %q, want %q", id, round, got, want)
					return
				}
			}
		})
	}
	for i := range 30 {
		p.shuffle(i%3, (i+1+i%2)%3)
		before := asked.Load()
		until(t, "the clients to go on", func() bool { return asked.Load() > before+20 || t.Failed() })
		if i%5 == 4 {
			next := *p.Snapshot()
			next.Epoch++
			next.Threads = 1 + i%4
			if err := p.Reload(&next, time.Second); err != nil {
				t.Fatal(err)
			}
		}
	}
	over.Store(true)
	clients.Wait()
	r := p.Report()
	if n := r.Pools[0].Counts[stats.ForwardErrors]; n != 0 {
		t.Errorf("%d errors", n)
	}
	served := 0
	for _, w := range r.Workers {
		if w.Loop.Reads > 100 {
			served++
		}
	}
	if served < 3 {
		t.Errorf("only %d workers have served: %+v", served, r.Workers)
	}
}

// With a number of workers each gets its share of the clients, and one client sees and steers those of all.
func TestClientsOfAllWorkers(t *testing.T) {
	p := several(t, 2, redistest.StartServer(t))
	var clients []*redistest.Client
	for i := range 6 {
		c := redistest.Dial(t, p.Addresses()[0])
		if got := c.Do("CLIENT", "SETNAME", fmt.Sprint("n", i)); got != "+OK\r\n" {
			t.Fatal(got)
		}
		clients = append(clients, c)
	}
	until(t, "each worker to have half of the clients", func() bool {
		return p.all()[0].clients.Load() == 3 && p.all()[1].clients.Load() == 3
	})
	for i, c := range clients[:2] { // of either worker
		list := c.Do("CLIENT", "LIST")
		for k := range clients {
			if !strings.Contains(list, fmt.Sprintf(" name=n%d ", k)) {
				t.Errorf("client %d does not see %d: %q", i, k, list)
			}
		}
		if info := c.Do("INFO", "clients"); !strings.Contains(info, "connected_clients:6\r\n") {
			t.Error(info)
		}
	}
	if got := clients[0].Do("CLIENT", "PAUSE", "60000", "WRITE"); got != "+OK\r\n" {
		t.Fatal(got)
	}
	for _, c := range clients[1:] {
		c.Send("SET", "k", "v")
	}
	until(t, "all to wait", func() bool {
		all, err := p.Clients("pool0", 100)
		held := 0
		for _, c := range all {
			if c.Partial > 0 {
				held++
			}
		}
		return err == nil && len(all) == 6 && held == 5
	})
	if got := clients[0].Do("CLIENT", "UNPAUSE"); got != "+OK\r\n" {
		t.Fatal(got)
	}
	for _, c := range clients[1:] {
		if got := c.Read(); got != "+OK\r\n" {
			t.Fatal(got)
		}
	}
	if got := clients[0].Do("CLIENT", "KILL", "TYPE", "normal"); got != ":5\r\n" {
		t.Errorf("CLIENT KILL got %q", got)
	}
	for i, c := range clients[1:] {
		if got, err := c.TryRead(); err == nil {
			t.Errorf("client %d lives, and got %q", i+1, got)
		}
	}
	until(t, "they are counted", func() bool {
		v := p.PoolCounts(0)
		return v[stats.ClientsAccepted] == 6 && v[stats.ClientsClosed] == 5
	})
}

// A limit of clients is one for all workers, and a panic of one gives its places back.
func TestClientLimitOfAllWorkers(t *testing.T) {
	s := snapshot(t, []string{redistest.StartServer(t)})
	s.Threads, s.Pools[0].ClientConnections = 2, 4
	p := start(t, s, slog.New(slog.DiscardHandler))
	var clients []*redistest.Client // to be reachable: the collector closes what is not
	dial := func() *redistest.Client {
		clients = append(clients, redistest.Dial(t, p.Addresses()[0]))
		return clients[len(clients)-1]
	}
	for range 4 {
		if got := dial().Do("PING"); got != "+PONG\r\n" {
			t.Fatal(got)
		}
	}
	if got := dial().Do("PING"); !strings.HasPrefix(got, "-ERR max number of clients reached") {
		t.Errorf("the fifth got %q", got)
	}
	until(t, "the workers to share them", func() bool { return p.all()[1].clients.Load() == 2 })
	p.all()[1].loop.Post(func(clock.Instant) { panic("on purpose") })
	until(t, "the panic", func() bool { return p.PoolCounts(0)[stats.ClientsClosed] == 3 })
	for range 2 {
		if got := dial().Do("PING"); got != "+PONG\r\n" {
			t.Errorf("after the panic got %q", got)
		}
	}
	runtime.KeepAlive(clients)
}
