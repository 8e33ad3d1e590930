package control

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cashew-proxy/cashew/internal/clock"
	"github.com/cashew-proxy/cashew/internal/topology"
	"github.com/cashew-proxy/cashew/internal/upstream"
)

// notebook is a plane that writes down what it is told.
type notebook struct {
	mu       sync.Mutex
	current  *topology.Snapshot
	verdicts int
	counted  int
	probes   [2]int // by outcome
	spared   int
	lines    []string      // of the log: server, text, reason
	told     chan struct{} // has room for one
}

func (n *notebook) note(f func()) {
	n.mu.Lock()
	f()
	n.mu.Unlock()
	select {
	case n.told <- struct{}{}:
	default:
	}
}

func (n *notebook) Publish(s *topology.Snapshot)         { n.note(func() { n.current = s }) }
func (n *notebook) Verdict(topology.ServerID)            { n.note(func() { n.verdicts++ }) }
func (n *notebook) CountEjection(_, _ int, at time.Time) { n.note(func() { n.counted++ }) }
func (n *notebook) CountSpared(int, int)                 { n.note(func() { n.spared++ }) }
func (n *notebook) CountProbe(_, _ int, ok bool)         { n.note(func() { n.probes[n.index(ok)]++ }) }

func (n *notebook) index(ok bool) int {
	if ok {
		return 1
	}
	return 0
}

func (n *notebook) Log(_ slog.Level, text string, _ *topology.Pool, s *topology.Server, err error, _ bool) {
	n.note(func() { n.lines = append(n.lines, fmt.Sprintf("%s: %s: %v", s.Name, text, err)) })
}

func (n *notebook) epoch() (epoch uint64, out, verdicts int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.current == nil {
		return 0, 0, n.verdicts
	}
	for _, s := range n.current.Pools[0].Servers {
		if s.Ejected {
			out++
		}
	}
	return n.current.Epoch, out, n.verdicts
}

// until waits for something to be true of the notebook.
func (n *notebook) until(t *testing.T, what string, f func() bool) {
	t.Helper()
	limit := time.After(20 * time.Second)
	for !f() {
		select {
		case <-n.told:
		case <-limit:
			t.Fatal("never: ", what)
		}
	}
}

func unknown(context.Context, *topology.Server, *topology.Settings) (string, error) {
	return "", errors.New("it does not say")
}

// Reports from many goroutines each get their verdict; servers go, are probed one question at a time, and
// return. The end waits for probes.
func TestControl(t *testing.T) {
	cfg := load(t, `
p:
  listen: 127.0.0.1:1
  redis: true
  auto_eject_hosts: true
  server_retry_timeout: 1
  servers: ["127.0.0.1:2:1", "127.0.0.1:3:1", "127.0.0.1:4:1"]
`)
	s := Build(cfg, 1)
	n := &notebook{told: make(chan struct{}, 1)}
	var mu sync.Mutex
	asked, asking := 0, map[int]bool{}
	probe := func(ctx context.Context, server *topology.Server, _ *topology.Settings) error {
		mu.Lock()
		defer mu.Unlock()
		if asking[server.Index] {
			t.Error("two questions to one server at once")
		}
		asking[server.Index] = true
		defer delete(asking, server.Index)
		if asked++; asked < 5 {
			return errors.New("not yet")
		}
		return nil
	}
	c := New(NewEjector(s, Policies(cfg), 1), n, probe, unknown)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		c.Run(ctx)
	}()
	var reporters sync.WaitGroup
	const reports = 50
	for _, server := range s.Pools[0].Servers[:2] {
		reporters.Go(func() {
			for range reports {
				c.Failed(s.Pools[0], server, upstream.Failure{Err: errors.New("refused"), At: clock.System()})
			}
		})
	}
	reporters.Wait()
	n.until(t, "every report has its verdict", func() bool { _, _, verdicts := n.epoch(); return verdicts == 2*reports })
	n.until(t, "all are back", func() bool { epoch, out, _ := n.epoch(); return epoch >= 5 && out == 0 })
	n.mu.Lock()
	if n.counted < 2 {
		t.Errorf("%d ejections are counted", n.counted)
	}
	if n.probes[0] != 4 || n.probes[1] < 2 {
		t.Errorf("%d probes failed, %d did not; 4 and at least 2 were to", n.probes[0], n.probes[1])
	}
	n.mu.Unlock()
	c.Recovered(s.Pools[0], s.Pools[0].Servers[0])
	cancel()
	<-ended
}

// A server that eject_limit spares is told and counted once, however often it fails, and once more when it has
// been well in between.
func TestSparedServersAreTold(t *testing.T) {
	cfg := load(t, `
p:
  listen: 127.0.0.1:1
  redis: true
  auto_eject_hosts: true
  server_failure_limit: 1
  eject_limit: 50
  servers: ["127.0.0.1:2:1 a", "127.0.0.1:3:1 b"]
`)
	s := Build(cfg, 1)
	n := &notebook{told: make(chan struct{}, 1)}
	c := New(NewEjector(s, Policies(cfg), 1), n, nil, nil)
	a, b := s.Pools[0].Servers[0], s.Pools[0].Servers[1]
	fail := func(server *topology.Server) {
		c.Failed(s.Pools[0], server, upstream.Failure{Err: errors.New("refused"), At: clock.System()})
	}
	fail(a)
	for range 2 {
		for range 3 {
			fail(b)
		}
		c.Recovered(s.Pools[0], b)
	}
	c.judge()
	want := []string{
		"a: server ejected: refused",
		"b: server fails and keeps its keys: eject_limit is reached: refused",
		"b: server fails and keeps its keys: eject_limit is reached: refused",
	}
	if !slices.Equal(n.lines, want) || n.counted != 1 || n.spared != 2 || n.verdicts != 7 {
		t.Errorf("%q; %d ejected, %d spared, %d verdicts", n.lines, n.counted, n.spared, n.verdicts)
	}
}

// What is said of a server before a reload is not held against another one that has taken its name.
func TestFailuresOfTheOldAddress(t *testing.T) {
	at := func(address string) *topology.Snapshot {
		return Build(load(t, "p: {listen: \"127.0.0.1:1\", redis: true, servers: [\""+address+":1 a\", \"127.0.0.1:3:1 b\"]}\n"), 1)
	}
	s, policies := at("127.0.0.1:2"), []Policy{{FailureLimit: 1, RetryTimeout: time.Hour, Share: 100}}
	n := &notebook{told: make(chan struct{}, 1)}
	c := New(NewEjector(s, policies, 1), n, nil, nil)
	for _, server := range s.Pools[0].Servers {
		c.Failed(s.Pools[0], server, upstream.Failure{Err: errors.New("refused"), At: clock.System()})
	}
	c.ejector = c.ejector.Reload(clock.System(), at("127.0.0.1:9"), policies)
	c.judge()
	if c.ejector.Out(0, 0) || !c.ejector.Out(0, 1) || n.verdicts != 1 {
		t.Errorf("out: %v, %v; %d verdicts", c.ejector.Out(0, 0), c.ejector.Out(0, 1), n.verdicts)
	}
}
