package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/cashew-proxy/cashew/internal/clock"
	"github.com/cashew-proxy/cashew/internal/eventloop"
	"github.com/cashew-proxy/cashew/internal/redistest"
	"github.com/cashew-proxy/cashew/internal/stats"
)

// Every pool has a port of its own and serves its own servers.
func TestPoolsAreApart(t *testing.T) {
	one, two := redistest.StartServer(t), redistest.StartServer(t)
	p := start(t, snapshot(t, []string{one}, []string{two}), slog.New(slog.DiscardHandler))
	a, b := redistest.Dial(t, p.Addresses()[0]), redistest.Dial(t, p.Addresses()[1])
	for _, c := range []struct {
		client *redistest.Client
		args   []string
		want   string
	}{
		{a, []string{"SET", "k", "one"}, "+OK\r\n"},
		{b, []string{"GET", "k"}, "$-1\r\n"},
		{b, []string{"SET", "k", "two"}, "+OK\r\n"},
		{a, []string{"GET", "k"}, "$3\r\none\r\n"},
		{redistest.Dial(t, two), []string{"GET", "k"}, "$3\r\ntwo\r\n"},
	} {
		if got := c.client.Do(c.args...); got != c.want {
			t.Errorf("%q got %q, want %q", c.args, got, c.want)
		}
	}
	until(t, "the counters to be published", func() bool {
		return p.PoolCounts(0)[stats.Requests] == 2 && p.PoolCounts(1)[stats.Requests] == 2 &&
			p.ServerCounts(1, 0)[stats.ServerResponses] == 2
	})
	if n := p.all()[0].loop.Stats().Accepts; n != 2 {
		t.Errorf("the loop accepted %d connections, want 2", n)
	}
}

// paused starts a proxy before a server that lets no write pass, and a client that waits for one.
func paused(t *testing.T) (p *Proxy, c, server *redistest.Client) {
	t.Helper()
	address := redistest.StartServer(t)
	server = redistest.Dial(t, address)
	if got := server.Do("CLIENT", "PAUSE", "60000", "WRITE"); got != "+OK\r\n" {
		t.Fatalf("CLIENT PAUSE got %q", got)
	}
	p = start(t, snapshot(t, []string{address}), slog.New(slog.DiscardHandler))
	c = redistest.Dial(t, p.Addresses()[0])
	c.Send("SET", "k", "v")
	until(t, "the request to be forwarded", func() bool { return p.ServerCounts(0, 0)[stats.ServerRequests] == 1 })
	return p, c, server
}

// What is in flight at a shutdown is answered; nobody else gets in, and idle clients are let go.
func TestShutdownDrains(t *testing.T) {
	p, c, server := paused(t)
	idle := redistest.Dial(t, p.Addresses()[0])
	idle.Write("*2\r\n$3\r\nGET\r\n$1") // and never more
	done := make(chan error, 1)
	go func() { done <- p.Shutdown(context.Background()) }()
	if got, err := idle.TryRead(); err == nil {
		t.Fatalf("an idle client got %q", got)
	}
	if _, err := redistest.TryDial(t, p.Addresses()[0]); err == nil {
		t.Error("a client got in during the shutdown")
	}
	select {
	case err := <-done:
		t.Fatalf("the proxy ended with a request in flight: %v", err)
	default:
	}
	if got := server.Do("CLIENT", "UNPAUSE"); got != "+OK\r\n" {
		t.Fatalf("CLIENT UNPAUSE got %q", got)
	}
	if got := c.Read(); got != "+OK\r\n" {
		t.Errorf("the request in flight got %q", got)
	}
	if got, err := c.TryRead(); !errors.Is(err, io.EOF) {
		t.Errorf("after its answer the client got %q, %v", got, err)
	}
	if err := <-done; err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	<-p.Ended()
	if err := p.Shutdown(context.Background()); err != nil {
		t.Errorf("Shutdown of a proxy that has ended: %v", err)
	}
}

// A shutdown whose time is up closes what is left and says how many that were.
func TestShutdownCutsOff(t *testing.T) {
	p, c, _ := paused(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	err := p.Shutdown(ctx)
	if err == nil || err.Error() != "1 clients were cut off at the shutdown timeout" {
		t.Errorf("Shutdown: %v", err)
	}
	if got, err := c.TryRead(); err == nil {
		t.Errorf("the client that was cut off got %q", got)
	}
}

// If one listener cannot be opened, none stays open.
func TestStartOpensAllOrNothing(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	s := snapshot(t, []string{"127.0.0.1:1"}, []string{"127.0.0.1:1"})
	first := freeAddress(t)
	s.Pools[0].Listen.Address, s.Pools[1].Listen.Address = first, taken.Addr().String()
	p := New(s, slog.New(slog.DiscardHandler))
	err = p.Start()
	if err == nil || !strings.Contains(err.Error(), "pool1") || !strings.Contains(err.Error(), "Address already in use") {
		t.Fatalf("Start: %v", err)
	}
	ln, err := net.Listen("tcp", first)
	if err != nil {
		t.Fatalf("the first pool's listener is still open: %v", err)
	}
	ln.Close()
	if err := p.Shutdown(context.Background()); err != nil {
		t.Errorf("Shutdown of what never started: %v", err)
	}
}

// A worker that panics loses its connections and goes on; its counts stay. The third time in a minute
// is one too many: the proxy ends, and whoever waits for an answer of the worker is told.
func TestPanics(t *testing.T) {
	lines := &record{}
	p := start(t, snapshot(t, []string{redistest.StartServer(t)}), slog.New(lines))
	for i := range panicsForgiven {
		c := redistest.Dial(t, p.Addresses()[0])
		if got := c.Do("SET", "k", "v"); got != "+OK\r\n" {
			t.Fatalf("SET got %q", got)
		}
		p.all()[0].loop.Post(func(clock.Instant) { panic("on purpose") })
		if got, err := c.TryRead(); err == nil {
			t.Fatalf("after the panic the client got %q", got)
		}
		until(t, "the counters to be published", func() bool { return p.all()[0].loop.Stats().Panics == uint64(i+1) })
	}
	c := redistest.Dial(t, p.Addresses()[0])
	if got := c.Do("GET", "k"); got != "$1\r\nv\r\n" {
		t.Fatalf("GET got %q", got)
	}
	if got, want := c.Do("CLIENT", "ID"), fmt.Sprintf(":%d\r\n", panicsForgiven+1); got != want {
		t.Errorf("the client's number is %q, want %q: a number that somebody else has had", got, want)
	}
	until(t, "the counters to be published", func() bool { return p.PoolCounts(0)[stats.Requests] == panicsForgiven+2 })
	if n, m := p.PoolCounts(0)[stats.ClientsAccepted], p.PoolCounts(0)[stats.ClientsClosed]; n-m != 1 {
		t.Errorf("%d clients were accepted and %d closed, and one is there", n, m)
	}
	answers := inquire(p, func(w *worker, _ clock.Instant) int {
		if w.number == 0 {
			panic("once more")
		}
		return 1
	})
	if answers[0].ok {
		t.Errorf("a worker that ended answered %+v", answers)
	}
	<-p.Ended()
	if err := p.Shutdown(context.Background()); err == nil || !strings.Contains(err.Error(), "once more") {
		t.Errorf("Shutdown: %v", err)
	}
	for i, a := range inquire(p, func(*worker, clock.Instant) int { return 1 }) {
		if a.ok {
			t.Errorf("worker %d has ended and answered %d", i, a.of)
		}
	}
	count := 0
	for _, l := range lines.all() {
		if strings.HasPrefix(l, "panic in a worker") {
			count++
		}
	}
	if count != panicsForgiven+1 {
		t.Errorf("%d panics were logged:\n%s", count, strings.Join(lines.all(), "\n"))
	}
}

// Panics are forgiven that are far enough apart.
func TestOldPanicsAreForgiven(t *testing.T) {
	p := New(snapshot(t, []string{"127.0.0.1:1"}), slog.New(slog.DiscardHandler))
	loop, err := eventloop.New(eventloop.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer loop.Discard()
	w := &worker{proxy: p, loop: loop}
	for i := range 5 {
		if !w.onPanic("x", nil) {
			t.Fatalf("panic %d ended the worker", i)
		}
		for k := range w.panics {
			w.panics[k] -= clock.Instant(panicsWithin/2 + time.Second)
		}
	}
	if !w.onPanic("x", nil) || w.onPanic("x", nil) {
		t.Error("three panics at once did not end the worker, or two did")
	}
	if len(w.panics) > panicsForgiven+1 {
		t.Errorf("%d panics are remembered", len(w.panics))
	}
}
