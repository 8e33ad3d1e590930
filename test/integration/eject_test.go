package integration

import (
	"context"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cashew-proxy/cashew/internal/config"
	"github.com/cashew-proxy/cashew/internal/control"
	"github.com/cashew-proxy/cashew/internal/memcachedtest"
	"github.com/cashew-proxy/cashew/internal/redistest"
	"github.com/cashew-proxy/cashew/internal/route"
	"github.com/cashew-proxy/cashew/internal/stats"
	"github.com/cashew-proxy/cashew/internal/topology"
	"github.com/cashew-proxy/cashew/test/harness"
)

const ejectKeys = 200

func ejectKey(i int) string { return fmt.Sprintf("key:%d", i) }

// topologyOf is the pool of a configuration with some servers out, as the rules make it: what the proxy
// does is compared with it.
func topologyOf(t *testing.T, p *harness.Proxy, out ...int) *topology.Pool {
	t.Helper()
	e := control.NewEjector(p.Snapshot(), []control.Policy{{FailureLimit: 1, RetryTimeout: time.Hour, Share: 100}}, 1)
	for _, server := range out {
		e.Failed(1, 0, server, 0)
	}
	return e.Snapshot().Pools[0]
}

// keysOf are the keys that live on a server.
func keysOf(pool *topology.Pool, server int) (keys []string) {
	for i := range ejectKeys {
		if route.Explain(pool, []byte(ejectKey(i))).Server.Index == server {
			keys = append(keys, ejectKey(i))
		}
	}
	return keys
}

// kill ends a server as a crash would, and waits until nobody listens at its address.
func kill(t *testing.T, server string) {
	t.Helper()
	signal(t, pidOf(t, server), syscall.SIGKILL)
	harness.Eventually(t, harness.Limit, "the server is gone", func() bool {
		c, err := redistest.TryDial(t, server)
		if err == nil {
			c.Close()
		}
		return err != nil
	})
}

// The classic: four servers on one ring, one is killed. Its keys can be written and read at once, on the
// servers that the ring names; it comes back, is probed, and its keys return to it.
func TestServerIsEjectedAndReturns(t *testing.T) {
	for _, limit := range []int{0, 2} {
		t.Run(fmt.Sprint("limit ", limit), func(t *testing.T) {
			servers := startServers(t, 4)
			p := harness.Start(t, pool(servers, "distribution: ketama", "auto_eject_hosts: true",
				fmt.Sprint("server_failure_limit: ", limit), "server_retry_timeout: 300", "timeout: 400"), config.Options{})
			c := redistest.Dial(t, p.Addr)
			for i := range ejectKeys {
				if got := c.Do("SET", ejectKey(i), "before"); got != "+OK\r\n" {
					t.Fatal(got)
				}
			}
			const dead = 2
			before, without := topologyOf(t, p), topologyOf(t, p, dead)
			lost := keysOf(before, dead)
			if len(lost) < 10 {
				t.Fatalf("only %d keys live on the server", len(lost))
			}
			kill(t, servers[dead])
			failures := 0
			for _, k := range lost {
				for {
					got := c.Do("SET", k, "after")
					if got == "+OK\r\n" {
						break
					}
					if failures++; !strings.HasPrefix(got, "-ERR ") || failures > max(limit, 1) {
						t.Fatalf("error number %d: %q", failures, got)
					}
				}
			}
			for _, k := range lost {
				if got := c.Do("GET", k); got != "$5\r\nafter\r\n" {
					t.Fatalf("%s: %q", k, got)
				}
				owner := route.Explain(without, []byte(k)).Server.Index
				if got := redistest.Dial(t, servers[owner]).Do("GET", k); got != "$5\r\nafter\r\n" {
					t.Errorf("%s is not on server %d, which the ring names: %q", k, owner, got)
				}
			}
			for _, k := range keysOf(before, 0) {
				if got := c.Do("GET", k); got != "$6\r\nbefore\r\n" {
					t.Errorf("%s, which lives elsewhere: %q", k, got)
				}
			}
			p.Log.Await(t, "server ejected")
			report := p.Report().Pools[0].Servers[dead]
			if report.Ejections != 1 || report.EjectedAt == 0 {
				t.Errorf("%+v", report)
			}
			// Nothing is there, and no client pays for finding out.
			harness.Eventually(t, harness.Limit, "a probe fails", func() bool { return p.Log.Has("probe of an ejected server failed") })
			if got := c.Do("GET", lost[0]); got != "$5\r\nafter\r\n" {
				t.Errorf("during probes: %q", got)
			}
			redistest.StartServerAt(t, servers[dead])
			harness.Eventually(t, harness.Limit, "the keys return", func() bool {
				got := c.Do("GET", lost[0])
				if got != "$5\r\nafter\r\n" && got != "$-1\r\n" {
					t.Fatalf("while the server returns: %q", got)
				}
				return got == "$-1\r\n"
			})
			p.Log.Await(t, "server readmitted")
			for _, k := range lost {
				if got := c.Do("SET", k, "back"); got != "+OK\r\n" {
					t.Fatal(got)
				}
				if got := redistest.Dial(t, servers[dead]).Do("GET", k); got != "$4\r\nback\r\n" {
					t.Errorf("%s is not back on its server: %q", k, got)
				}
			}
		})
	}
}

// The values that operators have: a retry timeout of half an hour and a limit of 0.
func TestEjectionWithALongRetryTimeout(t *testing.T) {
	servers := startServers(t, 4)
	p := harness.Start(t, pool(servers, "auto_eject_hosts: true", "server_retry_timeout: 2000000", "server_failure_limit: 0"), config.Options{})
	c := redistest.Dial(t, p.Addr)
	c.Do("SET", "warm", "up")
	kill(t, servers[1])
	lost := keysOf(topologyOf(t, p), 1)
	errors := 0
	for _, k := range lost {
		if got := c.Do("SET", k, "x"); got != "+OK\r\n" {
			errors++
		}
		if got := c.Do("SET", k, "x"); got != "+OK\r\n" {
			t.Fatalf("%s, the second time: %q", k, got)
		}
	}
	if errors != 1 {
		t.Errorf("%d errors", errors)
	}
	redistest.StartServerAt(t, servers[1])
	for range 20 {
		if got := c.Do("GET", lost[0]); got != "$1\r\nx\r\n" {
			t.Fatalf("the server is back before its time: %q", got)
		}
	}
}

// Control ejects for as long as anybody is served, be it during the orderly end.
func TestEjectionDuringTheEnd(t *testing.T) {
	servers := startServers(t, 2)
	p := harness.Start(t, pool(servers, "auto_eject_hosts: true", "server_failure_limit: 1", "server_retry_timeout: 100000"), config.Options{})
	var clients []*redistest.Client
	var pids []int
	for i, server := range topologyOf(t, p).Servers {
		pid := pidOf(t, server.Address)
		signal(t, pid, syscall.SIGSTOP)
		stopped(t, pid, true)
		c := redistest.Dial(t, p.Addr)
		c.Send("GET", keysOf(topologyOf(t, p), i)[0])
		harness.Eventually(t, harness.Limit, "the request is on its way", func() bool {
			return p.Report().Pools[0].Servers[i].Counts[stats.ServerInFlight] == 1
		})
		clients, pids = append(clients, c), append(pids, pid)
	}
	ended := make(chan error, 1)
	go func() { ended <- p.Shutdown(context.Background()) }()
	draining(t, p.Addr)
	signal(t, pids[0], syscall.SIGKILL)
	if got := clients[0].Read(); !strings.HasPrefix(got, "-ERR ") {
		t.Errorf("of the server that is gone: %q", got)
	}
	p.Log.Await(t, "server ejected")
	signal(t, pids[1], syscall.SIGCONT)
	if got := clients[1].Read(); got != "$-1\r\n" {
		t.Errorf("of the other: %q", got)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// A server that restarts while nobody waits for it has not failed: the next request finds it again.
func TestIdleRestartIsNoFailure(t *testing.T) {
	servers := startServers(t, 2)
	p := harness.Start(t, pool(servers, "auto_eject_hosts: true", "server_failure_limit: 1", "server_retry_timeout: 100000"), config.Options{})
	c := redistest.Dial(t, p.Addr)
	key := keysOf(topologyOf(t, p), 0)[0]
	for range 3 {
		if got := c.Do("SET", key, "x"); got != "+OK\r\n" {
			t.Fatal(got)
		}
		kill(t, servers[0])
		redistest.StartServerAt(t, servers[0])
	}
	if got := c.Do("GET", key); got != "$-1\r\n" || p.Log.Has("server ejected") {
		t.Errorf("%q; the log:\n%s", got, p.Log)
	}
}

// All servers out: requests are refused at once. One that keeps the ring, or may not empty it, says so.
func TestEveryServerOut(t *testing.T) {
	for _, c := range []struct{ line, want string }{
		{"on_eject: rehash", "-ERR Connection refused\r\n"},
		{"on_eject: fail", "-ERR Connection refused\r\n"},
		{"eject_limit: 0", "-ERR Connection refused\r\n"},
	} {
		servers := []string{harness.FreeAddr(t), harness.FreeAddr(t)}
		p := harness.Start(t, pool(servers, "auto_eject_hosts: true", "server_retry_timeout: 100000", c.line), config.Options{})
		client := redistest.Dial(t, p.Addr)
		for i := range 50 {
			if got := client.Do("GET", ejectKey(i)); got != c.want {
				t.Fatalf("%s: %q", c.line, got)
			}
		}
		if got := client.Do("PING"); got != "+PONG\r\n" {
			t.Error(got)
		}
		is, isNot := "server ejected", "eject_limit is reached"
		if c.line == "eject_limit: 0" {
			is, isNot = isNot, is
		}
		p.Log.Await(t, is)
		if p.Log.Has(isNot) {
			t.Errorf("%s: the log:\n%s", c.line, p.Log)
		}
	}
}

// on_eject: fail keeps the other servers' keys, and errors for its own, until it answers a probe.
func TestEjectedServerKeepsItsKeys(t *testing.T) {
	servers := startServers(t, 3)
	p := harness.Start(t, pool(servers, "auto_eject_hosts: true", "on_eject: fail", "server_failure_limit: 1", "server_retry_timeout: 200"), config.Options{})
	c := redistest.Dial(t, p.Addr)
	whole := topologyOf(t, p)
	for i := range ejectKeys {
		c.Do("SET", ejectKey(i), "x")
	}
	kill(t, servers[0])
	for i := range ejectKeys {
		want := "$1\r\nx\r\n"
		if route.Explain(whole, []byte(ejectKey(i))).Server.Index == 0 {
			want = "-ERR Connection re"
		}
		if got := c.Do("GET", ejectKey(i)); !strings.HasPrefix(got, want) && got != "-ERR unknown\r\n" {
			t.Fatalf("%s: %q, want %q", ejectKey(i), got, want)
		}
	}
	redistest.StartServerAt(t, servers[0])
	harness.Eventually(t, harness.Limit, "the server is used again", func() bool { return c.Do("GET", keysOf(whole, 0)[0]) == "$-1\r\n" })
}

// A memcached that goes and returns, with misses instead of errors while it is judged.
func TestMemcachedIsEjectedAndReturns(t *testing.T) {
	servers := startMemcached(t, 3)
	gone := harness.FreeAddr(t)
	p := harness.Start(t, memcachedPool(append(servers, gone), "auto_eject_hosts: true", "server_failure_limit: 1",
		"server_retry_timeout: 200", "on_server_error: miss"), config.Options{})
	c := memcachedtest.Dial(t, p.Addr)
	lost := keysOf(topologyOf(t, p), 3)
	if got := c.Do("get " + lost[0] + "\r\n"); got != "END\r\n" {
		t.Fatal(got)
	}
	for _, k := range lost {
		if got := c.Do("set " + k + " 0 0 1\r\nx\r\n"); got != "STORED\r\n" {
			t.Fatalf("%s: %q", k, got)
		}
	}
	memcachedtest.StartServerAt(t, gone)
	harness.Eventually(t, harness.Limit, "the server is used", func() bool { return c.Do("get "+lost[0]+"\r\n") == "END\r\n" })
}

// A server that hangs is ejected by the timeout, and no client of other servers waits for it.
func TestStoppedServerIsEjected(t *testing.T) {
	servers := startServers(t, 3)
	p := harness.Start(t, pool(servers, "auto_eject_hosts: true", "server_failure_limit: 1", "server_retry_timeout: 300", "timeout: 200"), config.Options{})
	c := redistest.Dial(t, p.Addr)
	whole := topologyOf(t, p)
	key := keysOf(whole, 1)[0]
	c.Do("SET", key, "x")
	pid := pidOf(t, servers[1])
	signal(t, pid, syscall.SIGSTOP)
	stopped(t, pid, true)
	defer signal(t, pid, syscall.SIGCONT)
	c.Send("GET", key)
	other := redistest.Dial(t, p.Addr)
	for range 50 {
		if got := other.Do("GET", keysOf(whole, 0)[0]); got != "$-1\r\n" {
			t.Fatalf("another server's key: %q", got)
		}
	}
	if got := c.Read(); got != "-ERR Connection timed out\r\n" {
		t.Fatal(got)
	}
	if got := c.Do("GET", key); got != "$-1\r\n" {
		t.Errorf("after the ejection: %q", got)
	}
	// It accepts connections, as the kernel does for it, but answers no probe.
	harness.Eventually(t, harness.Limit, "a probe fails", func() bool { return p.Log.Has("probe of an ejected server failed") })
	signal(t, pid, syscall.SIGCONT)
	harness.Eventually(t, harness.Limit, "the server is used again", func() bool { return c.Do("GET", key) == "$1\r\nx\r\n" })
}
