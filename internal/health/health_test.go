package health

import (
	"bufio"
	"context"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cashew-proxy/cashew/internal/memcachedtest"
	"github.com/cashew-proxy/cashew/internal/redistest"
	"github.com/cashew-proxy/cashew/internal/servertest"
	"github.com/cashew-proxy/cashew/internal/topology"
)

func redisAt(addr string) *topology.Server {
	return &topology.Server{Name: "s", Network: "tcp", Address: addr}
}

func TestRealServers(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "redis.sock")
	plain := redistest.StartServer(t, "--unixsocket", socket)
	locked := redistest.StartServer(t, "--requirepass", "secret")
	memcached := memcachedtest.StartServer(t)
	for _, c := range []struct {
		name   string
		server *topology.Server
		set    topology.Settings
		want   string // part of the error; "" for none
	}{
		{"redis", redisAt(plain), topology.Settings{}, ""},
		{"redis, unix socket", &topology.Server{Network: "unix", Address: socket}, topology.Settings{Database: 3}, ""},
		{"redis, name", redisAt(strings.Replace(plain, "127.0.0.1", "localhost", 1)), topology.Settings{}, ""},
		{"a database that is not there", redisAt(plain), topology.Settings{Database: 99}, `SELECT is answered with "-ERR"`},
		{"password", redisAt(locked), topology.Settings{Auth: "secret", Database: 1}, ""},
		{"password and user", redisAt(locked), topology.Settings{Auth: "secret", User: "default"}, ""},
		{"wrong password", redisAt(locked), topology.Settings{Auth: "hunter2"}, `AUTH is answered with "-WRONGPASS"`},
		{"no password", redisAt(locked), topology.Settings{}, `PING is answered with "-NOAUTH`},
		{"memcached", redisAt(memcached), topology.Settings{Protocol: topology.Memcached}, ""},
		{"memcached for redis", redisAt(memcached), topology.Settings{}, `PING is answered with "ERROR"`},
		{"redis for memcached", redisAt(plain), topology.Settings{Protocol: topology.Memcached}, `version is answered with "-ERR"`},
		{"nobody", redisAt("127.0.0.1:1"), topology.Settings{}, "refused"},
		{"no such name", redisAt("nobody.invalid:6379"), topology.Settings{}, "nobody.invalid"},
	} {
		if v, err := (Checker{}).Version(context.Background(), c.server, &c.set); c.want == "" && c.name != "memcached" && v != redistest.Info(t, plain, "redis_version") {
			t.Errorf("%s: version %q, %v", c.name, v, err)
		}
		err := (Checker{}).Probe(context.Background(), c.server, &c.set)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error has the password", c.name)
		}
	}
}

// A name may have several addresses: one that can be connected to is enough.
func TestProbeOfAName(t *testing.T) {
	_, port, _ := net.SplitHostPort(redistest.StartServer(t))
	s := redisAt("cache.test:" + port)
	for _, c := range []struct {
		addrs []string
		want  string // part of the error; "" for none
	}{
		{[]string{"127.0.0.1"}, ""},
		{[]string{"127.0.0.2", "127.0.0.1"}, ""},
		{[]string{"127.0.0.2"}, "refused"},
		{nil, "no address"},
	} {
		k := Checker{Lookup: func(_ context.Context, network, host string) (addrs []netip.Addr, err error) {
			if network != "ip" || host != "cache.test" {
				t.Errorf("lookup of %s %s", network, host)
			}
			for _, a := range c.addrs {
				addrs = append(addrs, netip.MustParseAddr(a))
			}
			return addrs, nil
		}}
		err := k.Probe(context.Background(), s, &topology.Settings{})
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, want %q", c.addrs, err, c.want)
		}
	}
}

// What is no version is not passed on, and a server that does not tell is not one that does not answer.
func TestStrangeVersions(t *testing.T) {
	for answer, want := range map[string]struct {
		version string
		fails   bool
	}{
		"$33\r\n# Server\r\nredis_version:7.2.4\r\nx\r\n":     {version: "7.2.4"},
		"$33\r\n# Server\r\nredis_version:7.2\r\n\nx\r\n\r\n": {version: "7.2"},
		"$33\r\n# Server\r\nredis_version:7 2\r\n\r\n":        {},
		"$33\r\n# Server\r\nredis_vers:7\r\n\r\n":             {},
		"-NOPERM this user has no permissions\r\n":            {},
		"$9\r\n" + strings.Repeat("x\r\n", 2000):              {},
		"$33\r\n# Server\r\n":                                 {fails: true},
	} {
		version, err := (Checker{}).Version(context.Background(), fake(t, answer), &topology.Settings{})
		if version != want.version || (err != nil) != want.fails {
			t.Errorf("%.40q: %q, %v", answer, version, err)
		}
	}
}

// fake accepts one connection after the other and answers each line as it is told; nothing if answer is "".
func fake(t *testing.T, answer string) *topology.Server {
	t.Helper()
	return redisAt(servertest.Fake(t, func(c *net.TCPConn) {
		r := bufio.NewReader(c)
		for {
			if _, err := r.ReadString('\n'); err != nil {
				return
			}
			if answer != "" {
				c.Write([]byte(answer)) // the prober may have gone
				return
			}
		}
	}))
}

// Servers that are up and cannot serve, or that say nothing or anything.
func TestFakes(t *testing.T) {
	for answer, want := range map[string]string{
		"-LOADING Redis is loading the dataset in memory\r\n": `"-LOADING Redis is loading`,
		"-MASTERDOWN Link with MASTER is down and so on\r\n":  `"-MASTERDOWN Link with`,
		"+PON\r\n":                 `"+PON"`,
		"+PONG":                    "no answer to PING",
		strings.Repeat("x", 1<<16): "no answer to PING",
	} {
		if err := (Checker{}).Probe(context.Background(), fake(t, answer), &topology.Settings{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: %v, want %q", answer, err, want)
		}
	}
	if err := (Checker{}).Probe(context.Background(), fake(t, ""), &topology.Settings{Timeout: 50 * time.Millisecond}); err == nil ||
		err.Error() != "no answer to PING: i/o timeout" { // the same each time: no port of ours
		t.Errorf("of a silent server: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(20*time.Millisecond, cancel)
	if err := (Checker{}).Probe(ctx, fake(t, ""), &topology.Settings{}); err == nil {
		t.Error("a probe that was given up has succeeded")
	}
}
