package integration

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cashew-proxy/cashew/internal/config"
	"github.com/cashew-proxy/cashew/internal/memcachedtest"
	"github.com/cashew-proxy/cashew/internal/redistest"
	"github.com/cashew-proxy/cashew/test/harness"
)

// pidOf is the process of a server that this test has started.
func pidOf(t *testing.T, server string) int {
	t.Helper()
	pid, err := strconv.Atoi(redistest.Info(t, server, "process_id"))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

func signal(t *testing.T, pid int, s syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(pid, s); err != nil {
		t.Fatal(err)
	}
}

// stopped waits until a process that was sent SIGSTOP or SIGCONT is in the state: T is stopped.
func stopped(t *testing.T, pid int, want bool) {
	t.Helper()
	harness.Eventually(t, harness.Limit, "the server stops or goes on", func() bool {
		b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		if err != nil {
			t.Fatal(err)
		}
		_, rest, _ := strings.Cut(string(b), ") ")
		return strings.HasPrefix(rest, "T") == want
	})
}

// inFlight returns when a request that was written before is with its server: a worker takes what
// clients have sent in the order of their sending, or in one turn.
func inFlight(t *testing.T, proxied string) {
	t.Helper()
	c := redistest.Dial(t, proxied)
	defer c.Close()
	for range 2 {
		if got := c.Do("PING"); got != "+PONG\r\n" {
			t.Fatalf("PING: %q", got)
		}
	}
}

func TestServerKilledInFlightAndBack(t *testing.T) {
	server := redistest.StartServer(t)
	p := harness.Start(t, pool([]string{server}), config.Options{})
	c := redistest.Dial(t, p.Addr)
	if got := c.Do("SET", "k", "v"); got != "+OK\r\n" {
		t.Fatal(got)
	}
	pid := pidOf(t, server)
	signal(t, pid, syscall.SIGSTOP)
	stopped(t, pid, true)
	c.Send("GET", "k")
	inFlight(t, p.Addr)
	signal(t, pid, syscall.SIGKILL)
	// Which of the two depends on whether the kernel had the request still unread at the end.
	if got := c.Read(); got != "-ERR Connection reset by peer\r\n" && got != "-ERR unknown\r\n" {
		t.Errorf("killed in flight: %q", got)
	}
	// A process that is being killed may still listen for a moment.
	harness.Eventually(t, harness.Limit, "the server that is down is named so", func() bool {
		got := c.Do("GET", "k")
		if !strings.HasPrefix(got, "-ERR Connection re") {
			t.Errorf("down: %q", got)
		}
		return got == "-ERR Connection refused\r\n"
	})
	redistest.StartServerAt(t, server)
	harness.Eventually(t, time.Second, "the server that came back is used", func() bool {
		return c.Do("GET", "k") == "$-1\r\n"
	})
}

func TestTimeout(t *testing.T) {
	servers := startServers(t, 3)
	p := harness.Start(t, pool(servers, "timeout: 1000"), config.Options{})
	keys := keyOnEach(t, p.Addr, servers)
	c := redistest.Dial(t, p.Addr)
	pid := pidOf(t, servers[0])
	signal(t, pid, syscall.SIGSTOP)
	stopped(t, pid, true)
	const timedOut = "-ERR Connection timed out\r\n"
	if got := c.Do("GET", keys[0]); got != timedOut {
		t.Errorf("GET: %q", got)
	}
	if got := c.Do("MGET", keys[0], keys[1], keys[2]); got != timedOut {
		t.Errorf("MGET: %q", got)
	}
	if got := c.Do("GET", keys[1]); got != "$-1\r\n" {
		t.Errorf("another server: %q", got)
	}
	signal(t, pid, syscall.SIGCONT)
	harness.Eventually(t, harness.Limit, "the server answers again", func() bool {
		return c.Do("SET", keys[0], "v") == "+OK\r\n"
	})
}

func TestNames(t *testing.T) {
	server := redistest.StartServer(t)
	_, port, _ := net.SplitHostPort(server)
	t.Run("localhost", func(t *testing.T) {
		p := harness.Start(t, pool([]string{"localhost:" + port}), config.Options{})
		if got := redistest.Dial(t, p.Addr).Do("SET", "k", "v"); got != "+OK\r\n" {
			t.Errorf("%q", got)
		}
	})
	t.Run("no such socket", func(t *testing.T) {
		p := harness.Start(t, pool([]string{filepath.Join(t.TempDir(), "none.sock")}), config.Options{})
		for range 2 {
			if got := redistest.Dial(t, p.Addr).Do("GET", "k"); got != "-ERR No such file or directory\r\n" {
				t.Errorf("%q", got)
			}
		}
	})
	t.Run("no such host", func(t *testing.T) {
		p := harness.Start(t, pool([]string{"no-such-host.invalid:6379", server}), config.Options{})
		c := redistest.Dial(t, p.Addr)
		down, up := 0, 0
		for n := range 50 {
			switch got := c.Do("SET", strconv.Itoa(n), "v"); got {
			case "-ERR Host is down\r\n":
				down++
			case "+OK\r\n":
				up++
			default:
				t.Errorf("%q", got)
			}
		}
		if down == 0 || up == 0 {
			t.Errorf("%d requests found no host, %d a server", down, up)
		}
	})
}

// TestServerSettings: what is sent on connecting, over TCP and unix sockets.
func TestServerSettings(t *testing.T) {
	for _, c := range []struct {
		name        string
		server      []string // arguments
		pool        []string // settings
		auth, login []string // of a client, and directly
	}{
		{"password and database", []string{"--requirepass", "secret"}, []string{"redis_auth: secret", "redis_db: 3"}, []string{"AUTH", "secret"}, []string{"AUTH", "secret"}},
		{
			"user",
			[]string{"--user", "alice", "on", ">pw", "~*", "+@all", "--user", "default", "off"},
			[]string{"redis_auth: pw", "redis_user: alice", "redis_db: 3"},
			[]string{"AUTH", "alice", "pw"},
			[]string{"AUTH", "alice", "pw"},
		},
		{"database alone", nil, []string{"redis_db: 3"}, []string{"PING"}, []string{"PING"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "r.sock")
			server := redistest.StartServer(t, append(c.server, "--unixsocket", path)...)
			for i, address := range []string{server, path} {
				p := harness.Start(t, pool([]string{address}, c.pool...), config.Options{})
				client := redistest.Dial(t, p.Addr)
				if got := client.Do(c.auth...); !strings.HasPrefix(got, "+") {
					t.Fatalf("%v: %q", c.auth, got)
				}
				key := "k" + strconv.Itoa(i)
				if got := client.Do("SET", key, "v"); got != "+OK\r\n" {
					t.Errorf("through %s: SET: %q", address, got)
				}
				direct := redistest.Dial(t, server)
				direct.Do(c.login...)
				direct.Do("SELECT", "3")
				if got := direct.Do("GET", key); got != "$1\r\nv\r\n" {
					t.Errorf("through %s: database 3 has %q", address, got)
				}
			}
		})
	}
}

func TestServerRefusesThePassword(t *testing.T) {
	server := redistest.StartServer(t, "--requirepass", "other")
	p := harness.Start(t, pool([]string{server}, "redis_auth: wrong"), config.Options{})
	c := redistest.Dial(t, p.Addr)
	if got := c.Do("AUTH", "wrong"); got != "+OK\r\n" {
		t.Fatal(got)
	}
	for range 2 {
		if got := c.Do("GET", "k"); !strings.HasPrefix(got, "-ERR server refused the connection: WRONGPASS") {
			t.Errorf("%q", got)
		}
	}
	harness.Eventually(t, harness.Limit, "the log says why", func() bool { return p.Log.Has("WRONGPASS") })
	if p.Log.Has("wrong\\") || p.Log.Has("AUTH wrong") {
		t.Errorf("the log has the password:\n%s", p.Log)
	}
}

// TestPreconnectAndKeepAlive looks at the connections where the kernel and the server list them.
func TestPreconnectAndKeepAlive(t *testing.T) {
	for _, keep := range []bool{true, false} {
		server := redistest.StartServer(t)
		p := harness.Start(t, pool([]string{server}, "server_connections: 3", "preconnect: true",
			"tcpkeepalive: "+strconv.FormatBool(keep)), config.Options{})
		direct := redistest.Dial(t, server)
		harness.Eventually(t, harness.Limit, "three connections and this one", func() bool {
			return strings.Count(direct.Do("CLIENT", "LIST"), " addr=") == 4
		})
		c := redistest.Dial(t, p.Addr)
		c.Do("PING")
		direct.Close()
		harness.Eventually(t, harness.Limit, "the direct connection is gone", func() bool {
			return len(sockets(t, "", server)) == 3
		})
		// While something waits for its acknowledgement another timer runs, so the state is waited for.
		harness.Eventually(t, harness.Limit, "the timers of the proxy's four connections fit tcpkeepalive", func() bool {
			timers := append(sockets(t, "", server), sockets(t, p.Addr, "")...)
			for _, timer := range timers {
				if (timer == "02") != keep {
					return false
				}
			}
			return len(timers) == 4
		})
	}
}

// TestPreconnectNeedsNobody: connections are made before there is a client, or anything else to do.
func TestPreconnectNeedsNobody(t *testing.T) {
	for protocol, text := range map[string]string{
		"redis":     pool([]string{redistest.StartServer(t)}, "preconnect: true"),
		"memcached": memcachedPool([]string{memcachedtest.StartServer(t)}, "preconnect: true"),
	} {
		p := harness.Start(t, text, config.Options{})
		harness.Eventually(t, harness.Limit, protocol+": the log says that it is connected", func() bool {
			return p.Log.Has("connected to server")
		})
	}
}

// sockets returns the kernel's timer of each established connection of this host with the local or
// remote address given: 02 is keepalive.
func sockets(t *testing.T, local, remote string) (timers []string) {
	t.Helper()
	b, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) < 6 || f[3] != "01" {
			continue
		}
		if (local == "" || f[1] == kernelAddr(t, local)) && (remote == "" || f[2] == kernelAddr(t, remote)) {
			timer, _, _ := strings.Cut(f[5], ":")
			timers = append(timers, timer)
		}
	}
	return timers
}

// kernelAddr is an address of 127.0.0.1 as the kernel of a little-endian machine lists it.
func kernelAddr(t *testing.T, addr string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	hex := strings.ToUpper(strconv.FormatInt(int64(n)|1<<16, 16))
	return "0100007F:" + hex[1:]
}
