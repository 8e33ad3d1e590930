package integration

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/cashew-proxy/cashew/internal/config"
	"github.com/cashew-proxy/cashew/internal/memcachedtest"
	"github.com/cashew-proxy/cashew/internal/redistest"
	"github.com/cashew-proxy/cashew/internal/stats"
	"github.com/cashew-proxy/cashew/test/harness"
)

const hotClients, hotRounds, hotPipeline = 30, 20, 8

// TestHotKeyOfRedis: many clients read one key and now and then write it. What each reads is what the key held when it
// asked, or later; and the server gets fewer reads than the clients have sent.
func TestHotKeyOfRedis(t *testing.T) {
	server := redistest.StartServer(t)
	p := harness.Start(t, pool([]string{server}, "coalesce_reads: true"), config.Options{})
	redistest.Dial(t, p.Addr).Do("SET", "n", "0")
	var all sync.WaitGroup
	for i := range hotClients {
		c := redistest.Dial(t, p.Addr)
		all.Go(func() {
			least := 0 // what the counter has at least, as this client knows
			expect := func(what string, atLeast int) {
				n, err := strconv.Atoi(what)
				if err != nil || n < atLeast {
					t.Errorf("client %d read %q, but there were %d already", i, what, atLeast)
				}
				least = max(least, n)
			}
			for r := range hotRounds {
				for range hotPipeline {
					c.Send("GET", "n")
				}
				writes := r%5 == 0
				if writes {
					c.Send("INCR", "n")
					c.Send("GET", "n")
				}
				for range hotPipeline {
					expect(bulkText(c.Read()), least)
				}
				if writes {
					expect(strings.Trim(c.Read(), ":\r\n"), least+1)
					expect(bulkText(c.Read()), least)
				}
			}
		})
	}
	all.Wait()
	const increments = hotClients * (hotRounds / 5)
	const asked = hotClients*hotRounds*hotPipeline + increments
	joined := p.Report().Pools[0].Servers[0].Counts[stats.JoinedReads]
	calls := regexp.MustCompile(`calls=(\d+)`).FindStringSubmatch(redistest.Info(t, server, "cmdstat_get"))
	if n, _ := strconv.Atoi(calls[1]); n+int(joined) != asked || joined == 0 {
		t.Errorf("the server was asked %d times, %d reads were joined, of %d", n, joined, asked)
	}
	if got := redistest.Dial(t, server).Do("GET", "n"); bulkText(got) != fmt.Sprint(increments) {
		t.Errorf("the counter is %q", got)
	}
}

// bulkText is what a bulk string says.
func bulkText(reply string) string { return strings.Split(reply+"\n", "\r\n")[1] }

// TestHotKeyOfMemcached is the same with a value that is large enough to come in pieces.
func TestHotKeyOfMemcached(t *testing.T) {
	server := memcachedtest.StartServer(t)
	p := harness.Start(t, memcachedPool([]string{server}, "coalesce_reads: true"), config.Options{})
	value := strings.Repeat("v", 300_000)
	memcachedtest.Dial(t, p.Addr).Do("set k 0 0 300000\r\n" + value + "\r\n")
	want := "VALUE k 0 300000\r\n" + value + "\r\nEND\r\n"
	var all sync.WaitGroup
	for i := range hotClients {
		c := memcachedtest.Dial(t, p.Addr)
		all.Go(func() {
			for range hotRounds {
				c.Send("get k\r\nget k\r\nmn\r\n")
				for range 2 {
					if got := c.Read(); got != want {
						t.Errorf("client %d got %d bytes", i, len(got))
					}
				}
				c.Line()
			}
		})
	}
	all.Wait()
	const asked = 2 * hotClients * hotRounds
	joined := p.Report().Pools[0].Servers[0].Counts[stats.JoinedReads]
	if n := keysAsked(t, server); n+int(joined) != asked || joined == 0 {
		t.Errorf("the server was asked %d times, %d reads were joined, of %d", n, joined, asked)
	}
}

// keysAsked is for how many keys a memcached was asked, by its own account.
func keysAsked(t *testing.T, server string) int {
	t.Helper()
	m := regexp.MustCompile(`STAT cmd_get (\d+)`).FindStringSubmatch(memcachedtest.Dial(t, server).Do("stats\r\n"))
	n, err := strconv.Atoi(m[1])
	if err != nil {
		t.Fatal(err)
	}
	return n
}
