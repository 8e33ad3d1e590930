package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/cashew-proxy/cashew/internal/config"
	"github.com/cashew-proxy/cashew/internal/memcachedtest"
	"github.com/cashew-proxy/cashew/internal/redistest"
	"github.com/cashew-proxy/cashew/test/harness"
)

// TestErrorsOfRealServers: what a Redis says of itself reaches the client as it is. What concerns one request
// leaves the server where it is; what says that it cannot serve ejects it, until it can.
func TestErrorsOfRealServers(t *testing.T) {
	nobody := strings.Split(harness.FreeAddr(t), ":")
	for _, c := range []struct {
		name   string
		args   []string
		begin  func(t *testing.T, server string) // brings the server into the state
		end    func(t *testing.T, server string) // and out of it
		want   string
		counts bool
	}{
		{
			name:  "OOM",
			begin: func(t *testing.T, s string) { redistest.Dial(t, s).Do("CONFIG", "SET", "maxmemory", "1") },
			end:   func(t *testing.T, s string) { redistest.Dial(t, s).Do("CONFIG", "SET", "maxmemory", "0") },
			want:  "-OOM ",
		},
		{
			name:  "READONLY",
			begin: func(t *testing.T, s string) { redistest.Dial(t, s).Do("REPLICAOF", nobody[0], nobody[1]) },
			end:   func(t *testing.T, s string) { redistest.Dial(t, s).Do("REPLICAOF", "NO", "ONE") },
			want:  "-READONLY ",
		},
		{
			name: "MASTERDOWN", args: []string{"--replica-serve-stale-data", "no", "--replica-read-only", "no"},
			begin: func(t *testing.T, s string) { redistest.Dial(t, s).Do("REPLICAOF", nobody[0], nobody[1]) },
			end:   func(t *testing.T, s string) { redistest.Dial(t, s).Do("REPLICAOF", "NO", "ONE") },
			want:  "-MASTERDOWN ", counts: true,
		},
		{
			name: "BUSY", args: []string{"--busy-reply-threshold", "1"},
			begin: func(t *testing.T, s string) {
				redistest.Dial(t, s).Send("EVAL", "while true do end", "0")
				harness.Eventually(t, harness.Limit, "the server is busy", func() bool {
					return strings.HasPrefix(redistest.Dial(t, s).Do("GET", "k"), "-BUSY ")
				})
			},
			end:  func(t *testing.T, s string) { redistest.Dial(t, s).Do("SCRIPT", "KILL") },
			want: "-BUSY ",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			servers := []string{redistest.StartServer(t, c.args...), redistest.StartServer(t)}
			p := harness.Start(t, pool(servers, "auto_eject_hosts: true", "server_failure_limit: 2", "server_retry_timeout: 200"), config.Options{})
			client := redistest.Dial(t, p.Addr)
			keys := keysOf(topologyOf(t, p), 0)
			if got := client.Do("SET", keys[0], "before"); got != "+OK\r\n" {
				t.Fatal(got)
			}
			c.begin(t, servers[0])
			for i := range 5 {
				want := c.want
				if c.counts && i >= 2 {
					want = "+OK\r\n"
				}
				if got := client.Do("SET", keys[i], "during"); !strings.HasPrefix(got, want) {
					t.Errorf("request %d: %q, want %q", i, got, want)
				}
			}
			c.end(t, servers[0])
			harness.Eventually(t, harness.Limit, "the server is used again", func() bool {
				return client.Do("GET", keys[0]) == "$6\r\nbefore\r\n" && client.Do("SET", keys[0], "before") == "+OK\r\n"
			})
			if c.counts {
				p.Log.Await(t, "server ejected")
			} else if p.Log.Has("server ejected") {
				t.Errorf("ejected; the log:\n%s", p.Log)
			}
		})
	}
}

// TestServersWithTooManyClients: the servers' own words, or the end of the connection if that overtakes them;
// with ejection they are out after as many failures as the limit says.
func TestServersWithTooManyClients(t *testing.T) {
	for _, d := range []*dialect{&redisDialect, &memcachedDialect} {
		args := []string{"--maxclients", "1"}
		if d.name == "memcached" {
			args = []string{"-c", "20", "-t", "1"}
		}
		x := &trouble{want: append([]string{"max number of clients reached", "ERROR Too many open connections\r\n", nonsense}, ends...)}
		for _, eject := range []bool{false, true} {
			t.Run(fmt.Sprint(d.name, " eject ", eject), func(t *testing.T) {
				full, good := d.start(t, args...), d.start(t)
				settings := []string{"server_failure_limit: 2", "server_retry_timeout: 200", fmt.Sprint("auto_eject_hosts: ", eject)}
				p := harness.Start(t, d.pool([]string{full, good}, settings...), config.Options{})
				key := keysOf(topologyOf(t, p), 0)[0]
				// Whoever is in keeps all others out. The one that asked whether the server is up may still be there,
				// so that the last one in is tried until it is full for sure.
				var in []rawClient
				for refused := 0; refused < 10; {
					c := d.dial(t, full)
					_ = say(c.Conn(), d.get("k"))
					if got, err := c.TryRead(); err != nil || got != d.miss {
						refused++
						continue
					}
					in = append(in, c)
				}
				c := &asker{t: t, d: d, addr: p.Addr}
				for i := range 5 {
					if eject && i == 2 {
						p.Log.Await(t, "server ejected") // requests wait for it, but not longer than a busy machine may take
					}
					got := c.ask(key)
					if eject && i >= 2 {
						if got != d.miss {
							t.Errorf("after the ejection: %q", got)
						}
					} else if !x.allowed(d, key, got) {
						t.Errorf("request %d: %q", i, got)
					}
				}
				for _, c := range in {
					c.Close()
				}
				harness.Eventually(t, harness.Limit, "the server is used again", func() bool {
					return c.ask(key) == d.miss && (!eject || p.Log.Has("server readmitted"))
				})
			})
		}
	}
}

// TestUnixSocketVanishes: a connection that is there goes on; once it is lost the server is not there, and with
// ejection its keys move, until it is back.
func TestUnixSocketVanishes(t *testing.T) {
	for _, eject := range []bool{false, true} {
		t.Run(fmt.Sprint("eject ", eject), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "r.sock")
			server, other := redistest.StartServer(t, "--unixsocket", path), redistest.StartServer(t)
			p := harness.Start(t, pool([]string{path, other}, "server_failure_limit: 2", "server_retry_timeout: 200",
				fmt.Sprint("auto_eject_hosts: ", eject)), config.Options{})
			c := redistest.Dial(t, p.Addr)
			key := keysOf(topologyOf(t, p), 0)[0]
			if got := c.Do("SET", key, "v"); got != "+OK\r\n" {
				t.Fatal(got)
			}
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			if got := c.Do("GET", key); got != "$1\r\nv\r\n" {
				t.Errorf("without the socket's name: %q", got)
			}
			kill(t, server)
			const gone = "-ERR No such file or directory\r\n"
			for i := range 5 {
				want := gone
				if eject && i >= 2 {
					want = "$-1\r\n"
				}
				// The first may be sent before the end of the connection is seen.
				if got := c.Do("GET", key); got != want && (i > 0 || got != "-ERR unknown\r\n" && got != "-ERR Connection reset by peer\r\n") {
					t.Errorf("request %d: %q, want %q", i, got, want)
				}
			}
			redistest.StartServerAt(t, server, "--unixsocket", path)
			harness.Eventually(t, harness.Limit, "the server is used again", func() bool {
				return c.Do("GET", key) == "$-1\r\n" && (!eject || p.Log.Has("server readmitted"))
			})
		})
	}
}

// TestMemcachedThatStops is the same as for Redis: it hangs, is ejected, and is used again when it goes on.
func TestMemcachedThatStops(t *testing.T) {
	servers := startMemcached(t, 2)
	p := harness.Start(t, memcachedPool(servers, "auto_eject_hosts: true", "server_failure_limit: 1", "server_retry_timeout: 200", "timeout: 200"), config.Options{})
	c := memcachedtest.Dial(t, p.Addr)
	key := keysOf(topologyOf(t, p), 0)[0]
	if got := c.Do("set " + key + " 0 0 1\r\nx\r\n"); got != "STORED\r\n" {
		t.Fatal(got)
	}
	pid := memcachedPID(t, servers[0])
	signal(t, pid, syscall.SIGSTOP)
	defer signal(t, pid, syscall.SIGCONT)
	stopped(t, pid, true)
	if got := c.Do("get " + key + "\r\n"); got != "SERVER_ERROR Connection timed out\r\n" {
		t.Error(got)
	}
	if got := c.Do("get " + key + "\r\n"); got != "END\r\n" {
		t.Errorf("after the ejection: %q", got)
	}
	signal(t, pid, syscall.SIGCONT)
	harness.Eventually(t, harness.Limit, "the server is used again", func() bool {
		return c.Do("get "+key+"\r\n") == "VALUE "+key+" 0 1\r\nx\r\nEND\r\n"
	})
}

func memcachedPID(t *testing.T, server string) (pid int) {
	t.Helper()
	for line := range strings.Lines(memcachedtest.Dial(t, server).Do("stats\r\n")) {
		if n, err := fmt.Sscanf(line, "STAT pid %d", &pid); n == 1 && err == nil {
			return pid
		}
	}
	t.Fatal("no pid among the statistics")
	return 0
}
