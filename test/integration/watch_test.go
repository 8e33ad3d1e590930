package integration

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/cashew-proxy/cashew/internal/config"
	"github.com/cashew-proxy/cashew/internal/memcachedtest"
	"github.com/cashew-proxy/cashew/internal/redistest"
	"github.com/cashew-proxy/cashew/internal/stats"
	"github.com/cashew-proxy/cashew/test/harness"
)

// A command that holds a real server up is in the slow log, first and by name, with those behind it.
func TestSlowLog(t *testing.T) {
	p := harness.Start(t, fmt.Sprintf("alpha: {listen: %s, redis: true, slowlog_threshold: 50, servers: ['%s:1 one']}\n",
		harness.AnyPort, redistest.StartServer(t)), config.Options{})
	c, behind := redistest.Dial(t, p.Addr), redistest.Dial(t, p.Addr)
	for range 100 {
		c.Do("GET", "fast")
	}
	if got := p.Slow(); len(got) != 0 {
		t.Fatalf("before anything was slow: %+v", got)
	}
	c.Send("EVAL", "local t = redis.call('TIME') local e = t[1] * 1000000 + t[2] + 100000 "+
		"repeat t = redis.call('TIME') until t[1] * 1000000 + t[2] >= e return 1", "1", "k")
	harness.Eventually(t, harness.Limit, "the request to be under way", func() bool {
		return p.ServerCounts(0, 0)[stats.ServerRequests] == 101
	})
	behind.Send("SET", "victim", "v")
	c.Read()
	behind.Read()
	got := p.Slow()
	if len(got) == 0 || len(got) > 2 {
		t.Fatalf("the slow log has %+v", got)
	}
	first := got[len(got)-1]
	if first.Command != "EVAL" || first.Pool != "alpha" || first.Server != "one" || first.Serving < 90*time.Millisecond ||
		first.Client != c.Conn().LocalAddr().String() || first.Failure != "" || first.Ago > harness.Limit {
		t.Errorf("the first is %+v", first)
	}
	if len(got) == 2 && (got[0].Command != "SET" || got[0].Key != "victim") {
		t.Errorf("the one behind it is %+v", got[0])
	}
}

// The keys with the most requests and with the most bytes are found, in pools of both protocols.
func TestHotAndBigKeys(t *testing.T) {
	p := harness.Start(t, fmt.Sprintf(`
alpha: {listen: %s, redis: true, hotkeys_sample: 3, servers: ['%s:1 one', '%s:1 two']}
beta: {listen: %s, hotkeys_sample: 3, servers: ['%s:1 mc']}
`, harness.FreeAddr(t), redistest.StartServer(t), redistest.StartServer(t), harness.FreeAddr(t), memcachedtest.StartServer(t)), config.Options{})
	addresses := map[string]string{}
	for i, pool := range p.Snapshot().Pools {
		addresses[pool.Name] = p.Addresses()[i]
	}
	c, m := redistest.Dial(t, addresses["alpha"]), memcachedtest.Dial(t, addresses["beta"])
	c.Do("SET", "big", strings.Repeat("x", 100_000)) // its reply is read past the shared buffer
	m.Do("set big 0 0 50000\r\n" + strings.Repeat("x", 50_000) + "\r\n")
	for i := range 300 {
		c.Do("GET", "hot")
		c.Do("SET", fmt.Sprint("cold", i), "v")
		m.Do("get hot\r\n")
		m.Do(fmt.Sprintf("get cold%d\r\n", i))
		if i%10 == 0 {
			c.Do("GET", "big")
			m.Do("mg big v\r\n")
		}
	}
	for pool, size := range map[string]uint64{"alpha": 100_000, "beta": 50_000} {
		h := p.Hot(pool)
		if h.Every != 3 || h.Requests < 150 || h.Requests > 280 {
			t.Errorf("%s: one of %d is sampled, %d are", pool, h.Every, h.Requests)
		}
		if len(h.ByRequests) == 0 || h.ByRequests[0].Key != "hot" || len(h.ByBytes) == 0 || h.ByBytes[0].Key != "big" ||
			h.ByBytes[0].Peak < size || h.ByBytes[0].Peak > size+100 {
			t.Errorf("%s: %+v", pool, h)
		}
	}
	if h := p.Hot("nosuch"); h.Every != 0 || len(h.ByRequests) != 0 {
		t.Errorf("a pool that there is not: %+v", h)
	}
}

// The access log is there for the pools that want it, and then has keys; otherwise no key gets into the log.
func TestAccessLog(t *testing.T) {
	addr := redistest.StartServer(t)
	text := fmt.Sprintf("alpha: {listen: %s, redis: true, servers: ['%s:1 one']%%s}\n", harness.FreeAddr(t), addr)
	p := harness.Start(t, fmt.Sprintf(text, ""), config.Options{})
	c := redistest.Dial(t, p.Addr)
	c.Do("SET", "secret-one", "value-one")
	if err := reload(t, p, fmt.Sprintf(text, ", access_log_sample: 1")); err != nil {
		t.Fatal(err)
	}
	c.Do("SET", "seen key", "value-two")
	p.Log.Await(t, "msg=access")
	line := regexp.MustCompile(`msg=access pool=alpha client=127\.0\.0\.1:\d+ command=set key="seen key" server=one waiting=\S+ ` +
		`serving=\S+ request_bytes=42 reply_bytes=5 outcome=ok`)
	if log := p.Log.String(); !line.MatchString(log) || strings.Contains(log, "secret-one") || strings.Contains(log, "value-") {
		t.Errorf("the log:\n%s", log)
	}
}
