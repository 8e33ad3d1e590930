package proxy

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/cashew-proxy/cashew/internal/clock"
	"github.com/cashew-proxy/cashew/internal/downstream"
	"github.com/cashew-proxy/cashew/internal/redistest"
	"github.com/cashew-proxy/cashew/internal/topology"
)

// What is asked of a worker is what its clients have told and done, and no more of it than was asked for.
func TestClients(t *testing.T) {
	p := start(t, snapshot(t, []string{redistest.StartServer(t)}, []string{"127.0.0.1:1"}), slog.New(slog.DiscardHandler))
	a, b := redistest.Dial(t, p.Addresses()[0]), redistest.Dial(t, p.Addresses()[0])
	other := redistest.Dial(t, p.Addresses()[1])
	a.Do("CLIENT", "SETNAME", "anna")
	a.Do("CLIENT", "SETINFO", "LIB-NAME", "lib")
	b.Do("PING")
	other.Do("PING")
	all, err := p.Clients("pool0", 10)
	if err != nil || len(all) != 2 || all[0].Name != "anna" || all[0].Library != "lib" || all[0].Protocol != 2 || all[1].Number <= all[0].Number ||
		!strings.HasPrefix(all[0].Peer.String(), "127.0.0.1:") || all[0].Age < 0 || all[0].Age > limit || all[0].Pending != 0 {
		t.Errorf("%+v, %v", all, err)
	}
	if some, err := p.Clients("pool0", 1); err != nil || len(some) != 1 {
		t.Errorf("%+v, %v", some, err)
	}
	var missing NotFoundError
	if _, err := p.Clients("none", 1); !errors.As(err, &missing) || err.Error() != `no pool "none"` {
		t.Error(err)
	}
}

// A pause that an operator has put in force is there until he ends it, or its time is over: neither a panic ends it nor
// another pool of the same name.
func TestPause(t *testing.T) {
	before := snapshot(t, []string{redistest.StartServer(t)})
	p := start(t, before, slog.New(slog.DiscardHandler))
	if err := p.Pause("pool0", downstream.PauseWrites, time.Hour); err != nil {
		t.Fatal(err)
	}
	p.all()[0].loop.Post(func(clock.Instant) { panic("a bug") })
	next, other := *before, *before.Pools[0]
	other.Database = 1
	next.Epoch, next.Pools = 2, []*topology.Pool{&other}
	if err := p.Reload(&next, time.Second); err != nil {
		t.Fatal(err)
	}
	s := p.Status()
	if at := s.Pools[0]; at.Paused != downstream.PauseWrites || at.Left < 59*time.Minute || at.Left > time.Hour || at.Address != p.Addresses()[0] {
		t.Errorf("%+v", s)
	}
	c := redistest.Dial(t, p.Addresses()[0])
	c.Send("SET", "k", "v")
	until(t, "the client is there", func() bool { all, _ := p.Clients("pool0", 1); return len(all) == 1 && all[0].Held > 0 })
	if err := p.Pause("pool0", downstream.PauseNone, 0); err != nil {
		t.Fatal(err)
	}
	if got := c.Read(); got != "+OK\r\n" {
		t.Error(got)
	}
	if at := p.Status().Pools[0]; at.Paused != downstream.PauseNone || at.Left != 0 {
		t.Errorf("%+v", at)
	}
	var missing NotFoundError
	if err := p.Pause("none", downstream.PauseAll, time.Second); !errors.As(err, &missing) {
		t.Error(err)
	}
}

// A worker that is stuck keeps nobody waiting who asks.
func TestStuckWorkerIsAsked(t *testing.T) {
	p := start(t, snapshot(t, []string{"127.0.0.1:1"}), slog.New(slog.DiscardHandler))
	stuck, release := make(chan struct{}), make(chan struct{})
	p.all()[0].loop.Post(func(clock.Instant) { close(stuck); <-release })
	<-stuck
	if _, err := p.Clients("pool0", 1); !errors.Is(err, ErrNoAnswer) {
		t.Error(err)
	}
	if s := p.Status(); len(s.Pools) != 1 || s.Snapshot != p.Snapshot() {
		t.Errorf("%+v", s)
	}
	close(release)
}
