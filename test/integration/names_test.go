package integration

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"testing"

	"github.com/cashew-proxy/cashew/internal/config"
	"github.com/cashew-proxy/cashew/internal/redistest"
	"github.com/cashew-proxy/cashew/test/harness"
)

// names is a name server that knows one host. Any goroutine may use it.
type names struct {
	mu   sync.Mutex
	addr netip.Addr // the zero value: there is no such host
}

func (n *names) set(addr string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.addr = netip.Addr{}
	if addr != "" {
		n.addr = netip.MustParseAddr(addr)
	}
}

func (n *names) lookup(context.Context, string, string) ([]netip.Addr, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.addr.IsValid() {
		return nil, errors.New("no such host")
	}
	return []netip.Addr{n.addr}, nil
}

// A server that is replaced by another under its name: the first request that finds the old one gone may
// fail, the next goes to the new one; where servers are ejected, the probe finds the new one, too. While the
// name does not resolve at all, its last address is used.
func TestServerMovesToAnotherAddress(t *testing.T) {
	for _, more := range [][]string{
		nil,
		{"auto_eject_hosts: true", "server_failure_limit: 1", "server_retry_timeout: 100"},
		{"auto_eject_hosts: true", "server_failure_limit: 3", "server_retry_timeout: 100", "on_eject: fail", "preconnect: true"},
	} {
		t.Run(fmt.Sprint(more), func(t *testing.T) {
			old := redistest.StartServer(t)
			_, port, _ := net.SplitHostPort(old)
			moved := "127.0.0.2:" + port
			ns := new(names)
			ns.set("127.0.0.1")
			p := harness.StartWith(t, pool([]string{"cache.test:" + port}, more...), config.Options{}, ns.lookup)
			c := redistest.Dial(t, p.Addr)
			if got := c.Do("SET", "k", "old"); got != "+OK\r\n" {
				t.Fatal(got)
			}
			// Restarted, while nobody knows the name.
			ns.set("")
			kill(t, old)
			redistest.StartServerAt(t, old)
			harness.Eventually(t, harness.Limit, "the last address is used", func() bool { return c.Do("SET", "k", "old") == "+OK\r\n" })
			harness.Eventually(t, harness.Limit, "the log tells of it", func() bool { return p.Log.Has("server name does not resolve") })
			kill(t, old)
			ns.set("127.0.0.2")
			redistest.StartServerAt(t, moved, "--bind", "127.0.0.2")
			harness.Eventually(t, harness.Limit, "the server is found where it has moved to", func() bool {
				return c.Do("SET", "k", "new") == "+OK\r\n"
			})
			if got := redistest.Dial(t, moved).Do("GET", "k"); got != "$3\r\nnew\r\n" {
				t.Errorf("at the new address: %q", got)
			}
			harness.Eventually(t, harness.Limit, "the log tells the new address", func() bool { return p.Log.Has("resolved=" + moved) })
		})
	}
}
