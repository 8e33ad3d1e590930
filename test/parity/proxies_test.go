package parity

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cashew-proxy/cashew/internal/config"
	"github.com/cashew-proxy/cashew/internal/redistest"
	"github.com/cashew-proxy/cashew/test/harness"
)

// shape is one configuration: what decides where keys go.
type shape struct {
	hash, distribution, tag string
	weights                 []int // one server each
	named                   bool
	memcached               bool
}

func (s shape) String() string {
	return fmt.Sprintf("%s %s tag %s weights %v named %v", s.hash, s.distribution, s.tag, s.weights, s.named)
}

var shapes = []shape{
	{"fnv1a_64", "ketama", "", []int{1, 1, 1}, true, false},
	{"md5", "ketama", "{}", []int{1, 2, 5}, false, false},
	{"murmur", "modula", "{}", []int{1, 1, 1}, true, false},
	{"crc16", "modula", "$$", []int{3, 1}, true, false},
	{"jenkins", "ketama", "", []int{10, 1, 4, 4}, false, false},
	{"hsieh", "modula", "", []int{1, 1}, false, false},
	{"crc32a", "ketama", "{}", []int{1, 1, 1, 1, 1}, true, false},
	{"one_at_a_time", "ketama", "ab", []int{2, 1}, true, false},
	{"fnv1_32", "modula", "{}", []int{1, 1, 1, 1, 1}, false, false},
	{"crc32", "ketama", "", []int{1, 1, 1}, true, false},
}

// config is the configuration file for both, which differs in listen alone.
func (s shape) config(listen string, servers []string, more ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "alpha:\n  listen: %s\n  redis: %v\n  hash: %s\n  distribution: %s\n", listen, !s.memcached, s.hash, s.distribution)
	if s.tag != "" {
		fmt.Fprintf(&b, "  hash_tag: \"%s\"\n", s.tag)
	}
	for _, line := range more {
		b.WriteString("  " + line + "\n")
	}
	b.WriteString("  servers:\n")
	for i, weight := range s.weights {
		fmt.Fprintf(&b, "    - %s:%d", servers[i], weight)
		if s.named {
			fmt.Fprintf(&b, " server%d", i)
		}
		b.WriteString("\n")
	}
	return b.String()
}

// plain is the shape for tests in which placement does not matter.
var plain = shape{"murmur", "ketama", "{}", []int{1, 1, 1}, true, false}

// startTwemproxy runs nutcracker and returns its address.
func startTwemproxy(t *testing.T, s shape, servers []string, more ...string) string {
	t.Helper()
	const attempts = 5 // somebody else may take one of the two ports before it does
	var last *harness.Process
	for range attempts {
		addr, statistics := harness.FreeAddr(t), harness.FreeAddr(t)
		file := filepath.Join(t.TempDir(), "nutcracker.yml")
		if err := os.WriteFile(file, []byte(s.config(addr, servers, more...)), 0o600); err != nil {
			t.Fatal(err)
		}
		_, port, _ := strings.Cut(statistics, ":")
		last = harness.Run(t, "nutcracker", "-c", file, "-a", "127.0.0.1", "-s", port, "-v", "4")
		up := false
		harness.Eventually(t, harness.Limit, "nutcracker listens or ends", func() bool {
			c, err := redistest.TryDial(t, addr)
			if up = err == nil; up {
				c.Close()
			}
			return up || last.Ended()
		})
		if up && !last.Ended() {
			return addr
		}
	}
	t.Fatalf("nutcracker did not start: %s", last.Err)
	return ""
}

// startCashew runs cashew as nutcracker's link would.
func startCashew(t *testing.T, s shape, servers []string, more ...string) string {
	t.Helper()
	return harness.Start(t, s.config(harness.AnyPort, servers, more...), config.Options{Compat: true}).Addr
}

func startServers(t *testing.T, n int) (servers []string) {
	t.Helper()
	for range n {
		servers = append(servers, redistest.StartServer(t, "--enable-debug-command", "yes"))
	}
	return servers
}
