package integration

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cashew-proxy/cashew/internal/config"
	"github.com/cashew-proxy/cashew/internal/redistest"
	"github.com/cashew-proxy/cashew/internal/stats"
	"github.com/cashew-proxy/cashew/test/harness"
)

// reload puts a configuration in force.
func reload(t *testing.T, p *harness.Proxy, text string) error {
	t.Helper()
	path := filepath.Join(t.TempDir(), "next.yml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, _, err := config.Load(path, config.Options{})
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return p.Reload(cfg)
}

// checkingLoad is clients that know what every reply must be, and go on until they are stopped.
type checkingLoad struct {
	requests atomic.Uint64
	clients  sync.WaitGroup
	stop     context.CancelFunc
}

// startLoad connects clients that write keys of their own and read them, in pipelines. A value tells whose it
// is, of which key, and how old; a key may have moved to a server that has an older value of it, or none, but if
// the keys stay where they are, never.
func startLoad(t *testing.T, addr string, clients int, keysStay bool) *checkingLoad {
	ctx, cancel := context.WithCancel(context.Background())
	l := &checkingLoad{stop: cancel}
	t.Cleanup(l.end)
	for n := range clients {
		c := redistest.Dial(t, addr)
		l.clients.Go(func() {
			for round := 0; ctx.Err() == nil; round++ {
				if err := l.round(c, n, round, keysStay); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	return l
}

func (l *checkingLoad) end() {
	l.stop()
	l.clients.Wait()
}

// round is one pipeline: it is sent whole, then its replies are read.
func (l *checkingLoad) round(c *redistest.Client, n, round int, keysStay bool) error {
	const keys = 8
	key := func(k int) string { return fmt.Sprintf("load:%d:%d", n, k) }
	value := func(k, round int) string { return fmt.Sprintf("%s=%d", key(k), round) }
	var b strings.Builder
	for k := range keys {
		b.WriteString(redistest.Request("SET", key(k), value(k, round)))
		b.WriteString(redistest.Request("GET", key(k)))
		b.WriteString(redistest.Request("MGET", key(k), key((k+1)%keys)))
		b.WriteString(redistest.Request("PING", value(k, round)))
	}
	c.Write(b.String())
	for k := range keys {
		for i, right := range []func(reply string) bool{
			func(reply string) bool { return reply == "+OK\r\n" },
			func(reply string) bool { return readBack(reply, key(k), value(k, round), keysStay) },
			func(reply string) bool {
				// The second key's value is of this round, for the last key, or the one before.
				first, second := bulk(value(k, round)), bulk(value((k+1)%keys, round-1))
				if k == keys-1 {
					second = bulk(value(0, round))
				}
				return !keysStay && strings.HasPrefix(reply, "*2\r\n") || round == 0 || reply == "*2\r\n"+first+second
			},
			func(reply string) bool { return reply == bulk(value(k, round)) },
		} {
			reply, err := c.TryRead()
			if err != nil || !right(reply) {
				return fmt.Errorf("client %d, round %d, key %d: reply %d is %q, %v", n, round, k, i, reply, err)
			}
			l.requests.Add(1)
		}
	}
	return nil
}

func bulk(s string) string { return fmt.Sprintf("$%d\r\n%s\r\n", len(s), s) }

// readBack says whether a reply may be that to a GET of a key that was just written.
func readBack(reply, key, value string, keysStay bool) bool {
	if reply == bulk(value) {
		return true
	}
	return !keysStay && (reply == "$-1\r\n" || strings.Contains(reply, "\r\n"+key+"="))
}

// A hundred reloads while clients work: settings change, a pool comes and goes, and no request is lost, answered
// twice or wrongly; nobody is disconnected, and the servers' connections stay.
func TestHundredReloads(t *testing.T) {
	servers := startServers(t, 4)
	main, other := harness.FreeAddr(t), harness.FreeAddr(t)
	text := func(round int) string {
		b := fmt.Sprintf("main:\n  listen: %s\n  redis: true\n  distribution: ketama\n  timeout: %d\n  client_idle_timeout: %d\n"+
			"  servers:\n  - %s:1 one\n  - %s:1 two\n", main, 10000+round, 60000+round, servers[0], servers[1])
		if round%3 == 1 {
			b += fmt.Sprintf("a:\n  listen: %s\n  redis: true\n  servers: [\"%s:1 one\"]\n", other, servers[2+round%2])
		}
		return b
	}
	p := harness.Start(t, text(0), config.Options{})
	l := startLoad(t, main, 8, true)
	passer := func() {
		c := redistest.Dial(t, other)
		if got := c.Do("SET", "k", "v"); got != "+OK\r\n" {
			t.Error(got)
		}
		c.Close()
	}
	for round := 1; round <= 100; round++ {
		before := l.requests.Load()
		if err := reload(t, p, text(round)); err != nil {
			t.Fatal(err)
		}
		if round%3 == 1 {
			passer()
		}
		harness.Eventually(t, harness.Limit, "the clients go on", func() bool { return t.Failed() || l.requests.Load() > before+500 })
		if t.Failed() {
			return
		}
	}
	l.end()
	t.Log("requests: ", l.requests.Load())
	at := p.Snapshot().Pool("main")
	for k := range at.Servers {
		if n := p.ServerCounts(at.Index, k)[stats.ServerDials]; n != 1 {
			t.Errorf("%s was dialed %d times", at.Servers[k].Name, n)
		}
	}
	if n, m := p.PoolCounts(at.Index)[stats.Requests], l.requests.Load(); n != m {
		t.Errorf("%d requests are counted, %d were answered", n, m)
	}
}

// Servers come, go and move to other addresses while clients work. Keys move; no reply is another's.
func TestReloadsThatMoveKeys(t *testing.T) {
	servers := startServers(t, 4)
	main := harness.FreeAddr(t)
	text := func(round int) string {
		b := fmt.Sprintf("main:\n  listen: %s\n  redis: true\n  distribution: ketama\n  server_connections: %d\n  servers:\n", main, 1+round%2)
		for i := range 4 {
			if (round>>i)&1 == 0 || i == round%4 {
				b += fmt.Sprintf("  - %s:%d s%d\n", servers[(i+round/16)%4], 1+round%3, i)
			}
		}
		return b
	}
	p := harness.Start(t, text(0), config.Options{})
	l := startLoad(t, main, 8, false)
	for round := 1; round <= 100; round++ {
		before := l.requests.Load()
		if err := reload(t, p, text(round)); err != nil {
			t.Fatal(err)
		}
		harness.Eventually(t, harness.Limit, "the clients go on", func() bool { return t.Failed() || l.requests.Load() > before+500 })
		if t.Failed() {
			return
		}
	}
	l.end()
	t.Log("requests: ", l.requests.Load())
	if n := p.PoolCounts(0)[stats.ForwardErrors]; n != 0 {
		t.Errorf("%d requests failed", n)
	}
}

// What cannot be done is not done by halves.
func TestReloadIsRefusedWhole(t *testing.T) {
	server := startServers(t, 1)[0]
	first, taken := harness.FreeAddr(t), startServers(t, 1)[0]
	text := func(more string) string {
		return fmt.Sprintf("main: {listen: \"%s\", redis: true, servers: [\"%s:1\"]}\n", first, server) + more
	}
	p := harness.Start(t, text(""), config.Options{})
	c := redistest.Dial(t, first)
	c.Do("SET", "k", "v")
	third := harness.FreeAddr(t)
	harness.Eventually(t, harness.Limit, "the server has told its version", func() bool { return p.Snapshot().Pools[0].Version != "" })
	before := p.Snapshot()
	err := reload(t, p, text(fmt.Sprintf("a: {listen: \"%s\", servers: [\"%s:1\"]}\nb: {listen: \"%s\", servers: [\"%s:1\"]}\n",
		third, server, taken, server)))
	if err == nil || !strings.Contains(err.Error(), "pool b: listen on "+taken+": Address already in use") {
		t.Fatal(err)
	}
	if p.Snapshot() != before || c.Do("GET", "k") != bulk("v") {
		t.Error("something has changed")
	}
	if _, err := redistest.TryDial(t, third); err == nil {
		t.Error("the listener that could be opened is open")
	}
	// Two pools swap their ports: clients of each stay, new ones come to the other.
	if err := reload(t, p, text(fmt.Sprintf("a: {listen: \"%s\", redis: true, servers: [\"%s:1\"]}\n", third, taken))); err != nil {
		t.Fatal(err)
	}
	swapped := fmt.Sprintf("main: {listen: \"%s\", redis: true, servers: [\"%s:1\"]}\na: {listen: \"%s\", redis: true, servers: [\"%s:1\"]}\n",
		third, server, first, taken)
	if err := reload(t, p, swapped); err != nil {
		t.Fatal(err)
	}
	fresh := redistest.Dial(t, third)
	if c.Do("GET", "k") != bulk("v") || fresh.Do("GET", "k") != bulk("v") || redistest.Dial(t, first).Do("GET", "k") != "$-1\r\n" {
		t.Error("clients are not where they should be")
	}
}
