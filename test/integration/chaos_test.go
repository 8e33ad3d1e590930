package integration

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cashew-proxy/cashew/internal/config"
	"github.com/cashew-proxy/cashew/internal/redistest"
	"github.com/cashew-proxy/cashew/internal/stats"
	"github.com/cashew-proxy/cashew/test/harness"
)

// TestNobodyGetsAnothersReply: clients send tokens of their own in pipelines while servers stop, go on
// and hang up. Each reply is the token or an error.
func TestNobodyGetsAnothersReply(t *testing.T) {
	servers := startServers(t, 3)
	p := harness.Start(t, pool(servers, "timeout: 30", "server_connections: 2"), config.Options{})
	var over atomic.Bool
	var echoed, failed atomic.Int64
	var all sync.WaitGroup
	for id := range 20 {
		c := redistest.Dial(t, p.Addr)
		all.Go(func() {
			for round := 0; !over.Load(); round++ {
				good, bad, err := echoes(c, fmt.Sprintf("%d-%d", id, round))
				echoed.Add(int64(good))
				failed.Add(int64(bad))
				if err != nil {
					t.Errorf("client %d, round %d: %v", id, round, err)
					return
				}
			}
		})
	}
	for round := range 12 {
		before := failed.Load()
		if server := servers[round%3]; round%2 == 0 {
			pid := pidOf(t, server)
			signal(t, pid, syscall.SIGSTOP)
			harness.Eventually(t, harness.Limit, "requests fail", func() bool { return failed.Load() > before })
			signal(t, pid, syscall.SIGCONT)
		} else {
			redistest.Dial(t, server).Do("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
		}
		good := echoed.Load()
		harness.Eventually(t, harness.Limit, "requests succeed again", func() bool { return echoed.Load() > good+1000 })
	}
	over.Store(true)
	all.Wait()
	if failed.Load() == 0 || p.PoolCounts(0)[stats.ForwardErrors] == 0 {
		t.Error("nothing failed: the test has not tested")
	}
}

// echoes sends a pipeline of tokens to all servers and counts the replies that are right and those
// that are errors.
func echoes(c *redistest.Client, token string) (good, bad int, err error) {
	const depth = 30
	var b strings.Builder
	for i := range depth {
		b.WriteString(redistest.Request("EVAL", "return ARGV[1]", "1", fmt.Sprint(i), fmt.Sprintf("%s-%d", token, i)))
		b.WriteString(redistest.Request("EXISTS", "a", "b", "c", "d", "e", "f"))
	}
	if err := c.TryWrite(b.String()); err != nil {
		return 0, 0, err
	}
	for i := range depth {
		mine := fmt.Sprintf("%s-%d", token, i)
		for _, want := range []string{fmt.Sprintf("$%d\r\n%s\r\n", len(mine), mine), ":0\r\n"} {
			switch got, err := c.TryRead(); {
			case err != nil:
				return good, bad, err
			case got == want:
				good++
			case strings.HasPrefix(got, "-ERR "):
				bad++
			default:
				return good, bad, fmt.Errorf("%q, want %q", got, want)
			}
		}
	}
	return good, bad, nil
}
