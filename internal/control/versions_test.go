package control

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cashew-proxy/cashew/internal/clock"
	"github.com/cashew-proxy/cashew/internal/topology"
	"github.com/cashew-proxy/cashew/internal/upstream"
)

func TestLower(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"7.0.15", "7.2.4", true},
		{"7.2.4", "7.0.15", false},
		{"7.0.9", "7.0.15", true},
		{"7.0", "7.0.1", true},
		{"7.0.1", "7.0", false},
		{"7.0.1", "7.0.1", false},
		{"10.0", "9.9", false},
		{"unstable", "7.0.1", false},
	} {
		if got := lower(c.a, c.b); got != c.want {
			t.Errorf("lower(%q, %q) is %v", c.a, c.b, got)
		}
	}
}

// The lowest of the servers' versions counts, in whatever order they answer, and ejections keep it.
func TestSetVersion(t *testing.T) {
	w := newWard(t, 2, Policy{})
	check := func(server int, version string, changes bool, want string) {
		t.Helper()
		before := w.e.Snapshot()
		if got := w.e.SetVersion(0, server, version); got != changes || (w.e.Snapshot() != before) != changes {
			t.Errorf("%q: a new snapshot: %v", version, got)
		}
		if got := w.e.Snapshot().Pools[0].ServerVersion(); got != want {
			t.Errorf("after %q it is %q, want %q", version, got, want)
		}
		if changes && w.e.Snapshot().Epoch != before.Epoch+1 {
			t.Errorf("epoch %d after %d", w.e.Snapshot().Epoch, before.Epoch)
		}
	}
	check(0, "", false, "7.0.0")
	check(0, "7.2.4", true, "7.2.4")
	check(1, "8.0.0", false, "7.2.4")
	check(0, "8.2.1", true, "8.0.0")
	check(1, "6.2.9", true, "6.2.9")
	w.fail(0)
	if p := w.e.Snapshot().Pools[0]; !p.Servers[0].Ejected || p.Version != "6.2.9" {
		t.Errorf("after an ejection: %+v", p)
	}
	check(0, "6.0.0", true, "6.0.0")
	if p := w.e.Snapshot().Pools[0]; !p.Servers[0].Ejected {
		t.Error("a version brings a server back")
	}
}

// Servers are asked until each has answered; one that returns is asked once more; a memcached never.
func TestVersionsAreAsked(t *testing.T) {
	cfg := load(t, `
p:
  listen: 127.0.0.1:1
  redis: true
  auto_eject_hosts: true
  server_retry_timeout: 1
  server_failure_limit: 1
  servers: ["127.0.0.1:2:1", "127.0.0.1:3:1"]
q:
  listen: 127.0.0.1:2
  servers: ["127.0.0.1:4:1"]
`)
	n := &notebook{told: make(chan struct{}, 1)}
	var mu sync.Mutex
	versions := map[string]string{"127.0.0.1:3": "7.2.0"}
	version := func(_ context.Context, s *topology.Server, set *topology.Settings) (string, error) {
		mu.Lock()
		defer mu.Unlock()
		if set.Protocol == topology.Memcached {
			t.Error("a memcached was asked")
		}
		if v := versions[s.Address]; v != "" {
			return v, nil
		}
		return "", errors.New("nobody there")
	}
	healthy := func(context.Context, *topology.Server, *topology.Settings) error { return nil }
	c := New(NewEjector(Build(cfg, 1), Policies(cfg), 1), n, healthy, version)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		c.Run(ctx)
	}()
	told := func() string {
		n.mu.Lock()
		defer n.mu.Unlock()
		if n.current == nil {
			return ""
		}
		return n.current.Pools[0].Version
	}
	n.until(t, "the second server has answered", func() bool { return told() == "7.2.0" })
	mu.Lock()
	versions["127.0.0.1:2"] = "7.0.1"
	mu.Unlock()
	n.until(t, "the first server has answered, too", func() bool { return told() == "7.0.1" })
	mu.Lock()
	versions["127.0.0.1:2"] = "7.1.0"
	mu.Unlock()
	pool := Build(cfg, 1).Pools[0]
	c.Failed(pool, pool.Servers[0], upstream.Failure{Err: errors.New("refused"), At: clock.System()})
	n.until(t, "the first is back, and has been asked", func() bool { return told() == "7.1.0" })
	cancel()
	<-ended
}

// A server that has told, or refuses to, is left alone until there is a new connection to it, and for a minute at least; one
// that does not answer is asked again, at longer and longer intervals.
func TestServersAreAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := Build(load(t, `
p:
  listen: 127.0.0.1:1
  redis: true
  servers: ["127.0.0.1:2:1 refuses", "127.0.0.1:3:1 silent", "127.0.0.1:4:1 tells"]
`), 1)
		pool := s.Pools[0]
		asked := map[string]int{}
		var mu sync.Mutex
		there, tells := false, "6.2.0"
		version := func(_ context.Context, s *topology.Server, _ *topology.Settings) (string, error) {
			mu.Lock()
			defer mu.Unlock()
			asked[s.Name]++
			if s.Name == "silent" && !there {
				return "", errors.New("nobody there")
			}
			if s.Name == "tells" {
				return tells, nil
			}
			return "", nil
		}
		n := &notebook{told: make(chan struct{}, 1)}
		c := New(NewEjector(s, []Policy{{}}, 1), n, nil, version)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			c.Run(ctx)
		}()
		check := func(after time.Duration, refuses, silents, told int, says string) {
			t.Helper()
			time.Sleep(after)
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			if asked["refuses"] != refuses || asked["silent"] != silents || asked["tells"] != told {
				t.Errorf("%v later: %v", after, asked)
			}
			n.mu.Lock()
			defer n.mu.Unlock()
			if got := n.current.Pools[0].Version; got != says {
				t.Errorf("%v later: clients are told %s, want %s", after, got, says)
			}
		}
		check(10*time.Second, 1, 4, 1, "6.2.0") // at once, and after 1, 2 and 4 seconds
		mu.Lock()
		there, tells = true, "7.0.0"
		mu.Unlock()
		check(24*time.Hour, 1, 5, 1, "6.2.0")
		c.Connected(pool, pool.Server("refuses"))
		check(time.Second, 2, 5, 1, "6.2.0")
		c.Connected(pool, pool.Server("tells")) // it was replaced
		check(time.Second, 2, 5, 2, "7.0.0")
		mu.Lock()
		tells = "8.0.0"
		mu.Unlock()
		for range 3 {
			c.Connected(pool, pool.Server("tells"))
		}
		check(57*time.Second, 2, 5, 2, "7.0.0")
		check(3*time.Second, 2, 5, 3, "8.0.0")
		check(24*time.Hour, 2, 5, 3, "8.0.0")
		cancel()
		<-ended
	})
}
