package integration

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/cashew-proxy/cashew/internal/config"
	"github.com/cashew-proxy/cashew/internal/memcachedtest"
	"github.com/cashew-proxy/cashew/internal/stats"
	"github.com/cashew-proxy/cashew/test/harness"
)

// TestGetsShareLines: many clients ask a memcached for values in rows, short ones and large ones, the same and others,
// what is not there, and what they write in between. Each gets what he would have got alone; and the server, which counts keys and not
// lines, says that it was asked for each.
func TestGetsShareLines(t *testing.T) {
	server := memcachedtest.StartServer(t)
	p := harness.Start(t, memcachedPool([]string{server}), config.Options{})
	held := map[string]string{"missing": "END\r\n"}
	setter := memcachedtest.Dial(t, p.Addr)
	for i, size := range []int{0, 1, 30, 1500, 20_000, 300_000} {
		key, value := fmt.Sprintf("held%d", i), strings.Repeat("END\r\n", size/5+1)[:size]
		setter.Do(fmt.Sprintf("set %s %d 0 %d\r\n%s\r\n", key, i, size, value))
		held[key] = fmt.Sprintf("VALUE %s %d %d\r\n%s\r\nEND\r\n", key, i, size, value)
	}
	keys := []string{"held0", "missing", "held1", "held2", "held2", "held3", "held1", "missing", "held4", "held5", "held2"}
	const clients, rounds = 20, 30
	var all sync.WaitGroup
	for i := range clients {
		c := memcachedtest.Dial(t, p.Addr)
		all.Go(func() {
			own := fmt.Sprintf("own%d", i)
			for r := range rounds {
				request, want := "", []string{}
				for k := range keys {
					key := keys[(i+r+k)%len(keys)]
					request += "get " + key + "\r\n"
					want = append(want, held[key])
				}
				number := fmt.Sprint(100 + r)
				request += "set " + own + " 0 0 3\r\n" + number + "\r\nget " + own + "\r\nget missing\r\n"
				want = append(want, "STORED\r\n", "VALUE "+own+" 0 3\r\n"+number+"\r\nEND\r\n", "END\r\n")
				c.Send(request)
				for k, w := range want {
					if got := c.Read(); got != w {
						t.Errorf("client %d, round %d, reply %d: got %.60q of %d bytes, want %.60q of %d", i, r, k, got, len(got), w, len(w))
						return
					}
				}
			}
		})
	}
	all.Wait()
	asked := clients * rounds * (len(keys) + 2)
	counts := p.Report().Pools[0].Servers[0].Counts
	if n := keysAsked(t, server); n != asked {
		t.Errorf("the server was asked for %d keys, by %d requests", n, asked)
	}
	if merged := counts[stats.MergedGets]; merged < uint64(asked/2) {
		t.Errorf("only %d of %d gets were sent in another one's line", merged, asked)
	}
}
