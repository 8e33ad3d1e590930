package integration

import (
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/cashew-proxy/cashew/internal/config"
	"github.com/cashew-proxy/cashew/internal/redistest"
	"github.com/cashew-proxy/cashew/internal/stats"
	"github.com/cashew-proxy/cashew/test/harness"
)

// TestNobodyWaitsForOthers: a server is stuck and has a full queue, a client waits for it with its other half
// answered, and a client does not read what it asked for. There is no timeout that could help. A thousand
// requests to another server, and as many to another pool, are all answered right meanwhile.
func TestNobodyWaitsForOthers(t *testing.T) {
	bad, good := startBad(t, &redisDialect), redistest.StartServer(t)
	over := make(chan struct{})
	t.Cleanup(func() { close(over) })
	bad.set(&trouble{request: func(*net.TCPConn, *dialect, []string) bool { <-over; return false }}, 1) // it reads no more
	text := pool([]string{bad.Addr, good}, "client_output_limit: 64mb", "client_output_timeout: 0")
	other := "b:" + strings.TrimPrefix(strings.Replace(pool([]string{good}), harness.AnyPort, harness.OtherPort, 1), "a:")
	p := harness.Start(t, text+other, config.Options{})
	whole := topologyOf(t, p)
	stuckKeys, keys := keysOf(whole, 0), keysOf(whole, 1)

	// Clients whose requests are more than the server and its queue take.
	var writers sync.WaitGroup
	t.Cleanup(writers.Wait)
	value := strings.Repeat("v", 64<<10)
	for i := range 3 {
		c := redistest.Dial(t, p.Addr)
		t.Cleanup(c.Close)
		writers.Go(func() {
			for range 300 {
				if c.TryWrite(redistest.Request("SET", stuckKeys[i], value)) != nil {
					return
				}
			}
		})
	}
	split := redistest.Dial(t, p.Addr)
	split.Send("MGET", stuckKeys[0], keys[0])
	split.Send("GET", keys[0])
	const unread = 200
	direct := redistest.Dial(t, good)
	direct.Do("SETRANGE", "large", fmt.Sprint(100<<10), "x")
	large := direct.Do("GET", "large")
	lazy := redistest.Dial(t, p.Addresses()[1])
	lazy.Write(strings.Repeat(redistest.Request("GET", "large"), unread))
	harness.Eventually(t, harness.Limit, "the server's queue is full, and the client has more than it reads", func() bool {
		s := p.Report().Pools[0].Servers[0]
		taken := p.PoolCounts(1)[stats.Requests] == unread || p.PoolCounts(1)[stats.ReadPauses] > 0
		return s.Counts[stats.ServerQueuedBytes] >= 1<<20 && taken
	})

	here, there := redistest.Dial(t, p.Addr), redistest.Dial(t, p.Addresses()[1])
	for i := range 500 {
		for at, c := range []*redistest.Client{here, there} {
			key, v := keys[i%len(keys)], fmt.Sprintf("%d of %d", i, at)
			if got := c.Do("SET", key, v); got != "+OK\r\n" {
				t.Fatalf("request %d: %q", i, got)
			}
			if got, want := c.Do("GET", key), fmt.Sprintf("$%d\r\n%s\r\n", len(v), v); got != want {
				t.Fatalf("request %d: %q, want %q", i, got, want)
			}
		}
	}
	if n := p.PoolCounts(0)[stats.ForwardErrors] + p.PoolCounts(0)[stats.ClientsClosed]; n != 0 {
		t.Errorf("%d errors or ends of stuck clients: they were not stuck all the time", n)
	}
	// What was stuck is not lost.
	for i := range unread {
		if got := lazy.Read(); got != large {
			t.Fatalf("value %d: %d bytes, %.50q", i, len(got), got)
		}
	}
}
