package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cashew-proxy/cashew/internal/memcachedtest"
	"github.com/cashew-proxy/cashew/internal/redistest"
	"github.com/cashew-proxy/cashew/internal/servertest"
)

// few is a keyspace that is quick to fill.
var few = keyspace{"key:", 500, 32}

func portOf(t *testing.T, addr string) (port int) {
	t.Helper()
	if _, err := fmt.Sscanf(addr, "127.0.0.1:%d", &port); err != nil {
		t.Fatalf("%s: %v", addr, err)
	}
	return port
}

// statistics asks memcached for some of its statistics.
func statistics(t *testing.T, port int, names ...string) map[string]int {
	t.Helper()
	c, err := dial(port)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	have := map[string]int{}
	for _, name := range names {
		if have[name], err = c.statistic(name); err != nil {
			t.Fatal(err)
		}
		for { // the rest
			line, err := c.r.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			if line == "END\r\n" {
				break
			}
		}
	}
	return have
}

// TestCountsAreTheServers: what the generator says it did is what a real memcached says.
func TestCountsAreTheServers(t *testing.T) {
	port := portOf(t, memcachedtest.StartServer(t, "-t", "1"))
	if err := fill(port, memcached, few); err != nil {
		t.Fatal(err)
	}
	if n, err := keysOf(port, memcached); err != nil || n != few.keys {
		t.Errorf("the server has %d keys (%v), want %d", n, err, few.keys)
	}
	names := []string{"cmd_get", "get_hits", "cmd_set", "curr_items"}
	for _, c := range []struct {
		plan plan
		gets int
		sets int
	}{
		{plan{Verb: "get", Keys: 1, Clients: 1, Pipeline: 1, Requests: 300}, 300, 0},
		{plan{Verb: "get", Keys: 1, Clients: 50, Pipeline: 16, Requests: 10_001}, 10_001, 0},
		{plan{Verb: "get", Keys: 100, Clients: 7, Pipeline: 3, Requests: 500}, 50_000, 0},
		{plan{Verb: "set", Keys: 1, Clients: 50, Pipeline: 1, Requests: 5_000}, 0, 5_000},
		{plan{Verb: "set", Keys: 1, Clients: 3, Pipeline: 100, Requests: 5_050}, 0, 5_050},
	} {
		before := statistics(t, port, names...)
		p := c.plan
		p.Port, p.Protocol, p.space = port, memcached, few
		r, err := generate(p)
		if err != nil {
			t.Fatalf("%+v: %v", p, err)
		}
		after := statistics(t, port, names...)
		if r.Requests != p.Requests || r.Wrong != 0 || r.FirstWrong != "" || r.Seconds <= 0 || r.P50 <= 0 || r.P99 < r.P50 {
			t.Errorf("%+v: %+v", p, r)
		}
		gets, hits, sets := after["cmd_get"]-before["cmd_get"], after["get_hits"]-before["get_hits"], after["cmd_set"]-before["cmd_set"]
		if gets != c.gets || hits != c.gets || sets != c.sets || after["curr_items"] != few.keys {
			t.Errorf("%+v: the server counts %d gets, %d hits, %d sets and has %d keys", p, gets, hits, sets, after["curr_items"])
		}
	}
}

// TestRedisIsUnderstoodToo: so that the generator can be compared with redis-benchmark.
func TestRedisIsUnderstoodToo(t *testing.T) {
	port := portOf(t, redistest.StartServer(t))
	for _, verb := range []string{"set", "get"} {
		p := plan{
			Port: port, Protocol: redis, Verb: verb, Keys: 1, Clients: 5, Pipeline: 4, Requests: few.keys,
			space: few, inOrder: true,
		}
		r, err := generate(p)
		if err != nil || r.Requests != few.keys || r.Wrong != 0 {
			t.Errorf("%s: %+v, %v", verb, r, err)
		}
	}
	if n, err := keysOf(port, redis); err != nil || n != few.keys {
		t.Errorf("%d keys were written (%v), want %d", n, err, few.keys)
	}
	if _, err := generate(plan{Port: port, Protocol: redis, Verb: "get", Keys: 2, Clients: 1, Pipeline: 1, Requests: 1, space: few}); err == nil {
		t.Error("a GET with two keys is accepted")
	}
}

// fake answers each line of every connection; it closes the connection where the reply is "".
func fake(t *testing.T, reply func(line string, n int) string) (port int) {
	t.Helper()
	return portOf(t, servertest.Fake(t, func(c *net.TCPConn) {
		lines := bufio.NewScanner(c)
		for n := 0; lines.Scan(); n++ {
			text := reply(lines.Text(), n)
			if _, err := io.WriteString(c, text); err != nil || text == "" {
				return
			}
		}
	}))
}

// hit is the right reply to a get.
func hit(line string) string {
	var b []byte
	for _, key := range strings.Fields(line)[1:] {
		i := number([]byte(key[len(few.prefix):]))
		b = fmt.Appendf(b, "VALUE %s 0 %d\r\n%s\r\n", key, few.valueSize, few.appendValue(nil, i))
	}
	return string(b) + "END\r\n"
}

// TestWrongRepliesAreCounted: each sort of them, and the stream stays in step.
func TestWrongRepliesAreCounted(t *testing.T) {
	wrongs := map[string]func(line string) string{
		"a miss":        func(string) string { return "END\r\n" },
		"an error":      func(string) string { return "SERVER_ERROR out of memory\r\n" },
		"another key":   func(string) string { return hit("get key:000000000999") },
		"another value": func(line string) string { return strings.Replace(hit(line), "xxx\r\n", "xxy\r\n", 1) },
		"a shorter value": func(line string) string {
			return strings.Replace(strings.Replace(hit(line), " 0 32", " 0 31", 1), "x\r", "\r", 1)
		},
		"a key too much":      func(line string) string { return hit(line + " key:000000000001") },
		"no number for a key": func(line string) string { return strings.Replace(hit(line), "key:0", "key:x", 1) },
		"the last one double": func(line string) string {
			words := strings.Fields(line)
			words[1] = words[len(words)-1]
			if len(words) == 2 {
				return hit("get key:000000000998")
			}
			return hit(strings.Join(words, " "))
		},
	}
	for name, wrong := range wrongs {
		for _, keys := range []int{1, 3} {
			port := fake(t, func(line string, n int) string {
				if n%4 == 2 {
					return wrong(line)
				}
				return hit(line)
			})
			// A client sends 25 requests, of which the third, seventh and so on are answered wrongly.
			r, err := generate(plan{
				Port: port, Protocol: memcached, Verb: "get", Keys: keys, Clients: 4, Pipeline: 25, Requests: 100, space: few,
			})
			if err != nil || r.Requests != 100 || r.Wrong != 4*6 || !strings.HasPrefix(r.FirstWrong, `"get key:`) {
				t.Errorf("%s, %d keys: %+v, %v; want 24 wrong replies", name, keys, r, err)
			}
		}
	}
}

// TestOrderOfValuesIsFree: a proxy gathers values from several servers.
func TestOrderOfValuesIsFree(t *testing.T) {
	port := fake(t, func(line string, _ int) string {
		words := strings.Fields(line)
		slices.Reverse(words[1:])
		return hit(strings.Join(words, " "))
	})
	r, err := generate(plan{Port: port, Protocol: memcached, Verb: "get", Keys: 10, Clients: 2, Pipeline: 2, Requests: 50, space: few})
	if err != nil || r.Requests != 50 || r.Wrong != 0 {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestWhatCannotBeCounted ends the run.
func TestWhatCannotBeCounted(t *testing.T) {
	for name, c := range map[string]struct {
		reply func(line string, n int) string
		want  string
	}{
		"a closed connection": {func(string, int) string { return "" }, "closed"},
		"an empty line":       {func(string, int) string { return "\r\n" }, "is no reply"},
		"nonsense for length": {func(string, int) string { return "VALUE key:000000000001 0 many\r\n" }, "is no reply"},
		"a reply too much":    {func(line string, _ int) string { return hit(line) + "END\r\n" }, "a reply to nothing"},
	} {
		port := fake(t, c.reply)
		_, err := generate(plan{Port: port, Protocol: memcached, Verb: "get", Keys: 1, Clients: 1, Pipeline: 1, Requests: 1000, space: few})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestRepliesInPieces: replies are found whatever bytes come together.
func TestRepliesInPieces(t *testing.T) {
	for _, c := range []struct {
		protocol, verb string
		keys           int
		reply          func(keys []int) string
		wrong          int
	}{
		{memcached, "get", 2, func(keys []int) string { return hit(fmt.Sprintf("get key:%012d key:%012d", keys[0], keys[1])) }, 0},
		{memcached, "get", 1, func([]int) string { return "END\r\n" }, 3},
		{memcached, "set", 1, func([]int) string { return "STORED\r\n" }, 0},
		{memcached, "set", 1, func([]int) string { return "NOT_STORED\r\n" }, 3},
		{redis, "get", 1, func(keys []int) string { return fmt.Sprintf("$32\r\n%s\r\n", few.appendValue(nil, keys[0])) }, 0},
		{redis, "get", 1, func([]int) string { return "$-1\r\n" }, 3},
		{redis, "get", 1, func([]int) string { return "$3\r\nabc\r\n" }, 3},
		{redis, "set", 1, func([]int) string { return "+OK\r\n" }, 0},
		{redis, "set", 1, func([]int) string { return "-ERR no\r\n" }, 3},
	} {
		w, err := newWire(c.protocol, c.verb, few, c.keys)
		if err != nil {
			t.Fatal(err)
		}
		keys := []int{5, 6, 7, 8, 9, 10}[:3*c.keys]
		var all string
		for i := range 3 {
			all += c.reply(keys[i*c.keys : (i+1)*c.keys])
		}
		for piece := 1; piece <= len(all); piece++ {
			g := &generator{plan: plan{Keys: c.keys}, wire: w, base: time.Now()}
			one := &client{keys: keys, asked: 3}
			for b := range slices.Chunk([]byte(all), piece) {
				if err := g.take(one, b); err != nil {
					t.Fatalf("%+v in pieces of %d: %v", c, piece, err)
				}
			}
			if g.result.Requests != 3 || g.result.Wrong != c.wrong || len(one.in) != 0 || g.latencies.total != 3 {
				t.Fatalf("%s %s %q in pieces of %d: %+v, %d bytes left", c.protocol, c.verb, all, piece, g.result, len(one.in))
			}
		}
	}
}

// TestLargeRequests: what does not fit into the sockets is sent when there is room, although no reply
// comes before all of it has been sent.
func TestLargeRequests(t *testing.T) {
	port := portOf(t, memcachedtest.StartServer(t, "-I", "32m", "-m", "512"))
	for _, c := range []struct {
		space    keyspace
		pipeline int
	}{{keyspace{"key:", 2, 16 << 20}, 1}, {keyspace{"key:", 20, 512 << 10}, 15}} {
		for _, verb := range []string{"set", "get"} {
			p := plan{Port: port, Protocol: memcached, Verb: verb, Keys: 1, Clients: 2, Pipeline: c.pipeline, Requests: 4 * c.pipeline, space: c.space}
			p.inOrder = verb == "set"
			r, err := generate(p)
			if err != nil || r.Wrong != 0 || r.Requests != p.Requests {
				t.Fatalf("%s of %d bytes: %+v, %v", verb, c.space.valueSize, r, err)
			}
		}
	}
}

func TestHistogram(t *testing.T) {
	var h histogram
	if q := h.quantile(0.5); q != 0 {
		t.Errorf("nothing has the median %v", q)
	}
	// 1 to 100 000 µs, each once: the quantiles are known.
	for us := 1; us <= 100_000; us++ {
		h.add(time.Duration(us)*time.Microsecond, 1)
	}
	if h.most != 100*time.Millisecond {
		t.Errorf("the longest is %v", h.most)
	}
	for _, c := range []struct{ q, want float64 }{{0.001, 0.1}, {0.01, 1}, {0.5, 50}, {0.99, 99}, {1, 100}} {
		got := h.quantile(c.q)
		if got > c.want || got < c.want*(1-2.0/exact) {
			t.Errorf("the quantile %v is %v ms, want %v", c.q, got, c.want)
		}
	}
	for n := uint64(0); n < 1<<36; n = n*5/4 + 1 {
		if i := bucket(n); least(i) > n || least(i+1) <= n {
			t.Fatalf("%d is counted among %d to %d", n, least(i), least(i+1))
		}
	}
	h.add(200*time.Hour, 1)
	if got := h.quantile(1); got < 1e6 {
		t.Errorf("an endless latency is counted as %v ms", got)
	}
}
