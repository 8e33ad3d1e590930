package engine_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cashew-proxy/cashew/internal/stats"
)

// one has one server, and a client that asks it.
func one(t *testing.T, config string) (s *stage, ask func(after time.Duration, request, reply string)) {
	s = newStage(t, snapshot(t, config+" servers=1"), 1<<30)
	r := &runner{s}
	r.settle()
	ask = func(after time.Duration, request, reply string) {
		t.Helper()
		c := s.client("a")
		c.toProxy = append(c.toProxy, request...)
		r.settle()
		s.advance(after)
		r.settle()
		for _, p := range s.peers {
			if p.server != nil && len(p.received) > 0 {
				p.received, p.toProxy = nil, append(p.toProxy, reply...)
			}
		}
		r.settle()
		c.received = nil
	}
	return s, ask
}

func redis(words ...string) string { return array(words...) }

// The slow log names what was slow, wherever its first key stands; the latest comes first, and old ones go.
func TestSlowLog(t *testing.T) {
	s, ask := one(t, "config slow=10ms")
	long := strings.Repeat("k", 100)
	for _, c := range []struct{ request, command, key string }{
		{redis("get", "a"), "get", "a"},
		{redis("SET", "b", strings.Repeat("v", 1000)), "SET", "b"},
		{redis("EVAL", "return 1", "1", "c"), "EVAL", "c"},
		{redis("EVAL", "return 1", "0"), "EVAL", ""},
		{redis("OBJECT", "ENCODING", "d"), "OBJECT", "d"},
		{redis("BITOP", "AND", "e", "f"), "BITOP", "e"},
		{redis("GET", long), "GET", long[:64]},
		{redis("PUBLISH", "channel", "text"), "PUBLISH", ""},
		{redis("XREAD", "COUNT", "10", "STREAMS", "g", "0"), "XREAD", "g"},
		{redis("XREADGROUP", "GROUP", "group", strings.Repeat("c", 100), "COUNT", "10", "STREAMS", "h", "i", ">", ">"), "XREADGROUP", "h"},
		{redis("XREAD", "STREAMS", long, "0"), "XREAD", long[:64]},
		{redis("EVAL", "return '"+long+"'", "2", "j", "l", "m"), "EVAL", "j"},
		{redis("EVALSHA", strings.Repeat("0", 40), "1", "m"+long), "EVALSHA", ("m" + long)[:64]},
		{redis("EVAL", "return '"+long+"'", "0", "arg"), "EVAL", ""},
		{redis("FCALL", "function", "1", "n"), "FCALL", "n"},
		{redis("ZUNION", "2", "o", "p"), "ZUNION", "o"},
		{redis("XINFO", "STREAM", "q"), "XINFO", "q"},
		{redis("MEMORY", "USAGE", "r"), "MEMORY", "r"},
		{redis("MGET", long, "s"), "MGET", long[:64]},
	} {
		ask(12*time.Millisecond, c.request, ":1\r\n")
		got := s.e.Slow()
		if len(got) == 0 {
			t.Fatalf("%s is not in the slow log", c.command)
		}
		if a := got[0]; a.Command != c.command || a.Key != c.key || a.Serving != 12*time.Millisecond || a.Pool != "pool" ||
			a.Server != "s0" || !a.Client.IsValid() || a.Done != s.now || a.Failure != "" {
			t.Errorf("%s: %+v", c.command, a)
		}
	}
	ask(9*time.Millisecond, redis("GET", "fast"), ":1\r\n")
	for i := range 200 {
		ask(10*time.Millisecond, redis("GET", fmt.Sprint("key", i)), ":1\r\n")
	}
	got := s.e.Slow()
	if len(got) != 128 || got[0].Key != "key199" || got[127].Key != "key72" {
		t.Errorf("%d entries, from %+v to %+v", len(got), got[0], got[len(got)-1])
	}
}

// A memcached's requests are named in its own way.
func TestSlowLogOfMemcached(t *testing.T) {
	s, ask := one(t, "config memcached slow=10ms")
	for _, c := range []struct{ request, reply, command, key string }{
		{"get a b\r\n", "END\r\n", "get", "a"},
		{"gat 5 c\r\n", "END\r\n", "gat", "c"},
		{"set d 0 0 1\r\nx\r\n", "STORED\r\n", "set", "d"},
		{"mg e v\r\n", "EN\r\n", "mg", "e"},
		{"  get " + strings.Repeat("f", 250) + "\r\n", "END\r\n", "get", strings.Repeat("f", 64)},
		{"get " + strings.Repeat("g", 250) + " h\r\n", "END\r\n", "get", strings.Repeat("g", 64)},
	} {
		ask(20*time.Millisecond, c.request, c.reply)
		if got := s.e.Slow(); len(got) == 0 || got[0].Command != c.command || got[0].Key != c.key {
			t.Errorf("%q: %+v", c.request, got)
		}
	}
}

// Hot keys are those with the most requests, big ones those with the most bytes. Half is forgotten each minute, and
// a reload forgets nothing.
func TestHotKeys(t *testing.T) {
	s, ask := one(t, "config hot=1")
	if h := s.e.Hot(s.now, 0); h.Every != 1 || h.Requests != 0 || len(h.ByRequests) != 0 {
		t.Errorf("before anything: %+v", h)
	}
	big := "$1000\r\n" + strings.Repeat("x", 1000) + "\r\n"
	for i := range 60 {
		ask(0, redis("GET", "hot"), "$1\r\nx\r\n")
		ask(0, redis("GET", fmt.Sprint("cold", i)), "$1\r\nx\r\n")
		if i%10 == 0 {
			ask(0, redis("GET", "big"), big)
		}
	}
	check := func(requests uint64) {
		t.Helper()
		h := s.e.Hot(s.now, 0)
		if h.Requests/2 != requests/2 || h.ByRequests[0].Key != "hot" || h.ByRequests[0].Weight != requests*60/126 {
			t.Errorf("by requests: %d, %+v", h.Requests, h.ByRequests[0])
		}
		size := uint64(len(redis("GET", "big")) + len(big))
		if h.ByBytes[0].Key != "big" || h.ByBytes[0].Weight != 6*size*requests/126 || h.ByBytes[0].Peak != size {
			t.Errorf("by bytes: %+v of %d", h.ByBytes[0], h.Bytes)
		}
	}
	check(126)
	(&runner{s}).reload(snapshot(t, "config hot=1 timeout=5s servers=1"))
	check(126)
	s.advance(61 * time.Second)
	check(63)
	s.advance(100 * time.Hour)
	if h := s.e.Hot(s.now, 0); h.Requests != 0 || len(h.ByRequests) != 0 {
		t.Errorf("after days: %+v", h)
	}
}

// Long keys that begin alike are not taken for one, however they are asked for; a short one is shown as it is.
func TestHotKeysThatBeginAlike(t *testing.T) {
	s, ask := one(t, "config hot=1 big=2048")
	begin := strings.Repeat("k", 64)
	big := "$3000\r\n" + strings.Repeat("x", 3000) + "\r\n"
	for i := range 4 {
		ask(0, redis("GET", begin+"1"), big)                               // all of it is kept
		ask(0, redis("GET", begin+"1"+strings.Repeat("z", 100)), ":1\r\n") // it is not
		ask(0, redis("SET", begin+"2", strings.Repeat("v", 3000)), "+OK\r\n")
		if i%2 == 0 {
			ask(0, redis("MGET", begin+"2", "other"), "*2\r\n$-1\r\n$-1\r\n")
			ask(0, redis("EVAL", strings.Repeat(" ", 100), "1", begin+"1"), ":1\r\n")
			ask(0, redis("GET", begin), ":1\r\n")
		}
	}
	h := s.e.Hot(s.now, 0)
	weights := map[uint64]int{}
	for _, k := range h.ByRequests {
		weights[k.Weight]++
		if whole := k.Weight == 2; whole != (k.Key == begin) || !strings.HasPrefix(k.Key, begin) || !whole && len(k.Key) != 64+len("…")+8 {
			t.Errorf("%+v", k)
		}
	}
	if len(h.ByRequests) != 4 || weights[6] != 2 || weights[4] != 1 || weights[2] != 1 {
		t.Errorf("%+v", h.ByRequests)
	}
	if len(h.Big) != 2 || h.BigThreshold != 2048 || h.Big[0].Peak < 3000 || h.Big[0].Weight != 4*h.Big[0].Peak || h.Big[0].Key == h.Big[1].Key {
		t.Errorf("big: %+v", h.Big)
	}
	for _, k := range h.Big { // it is the same key in either list
		if !slices.ContainsFunc(h.ByRequests, func(o stats.Heavy) bool { return o.Key == k.Key && o.Weight == 6 }) {
			t.Errorf("%+v", k)
		}
	}
}

// Big keys are kept without any samples, and forgotten as the others are.
func TestBigKeys(t *testing.T) {
	s, ask := one(t, "config big=2048")
	ask(0, redis("GET", "small"), "$2\r\nxx\r\n")
	ask(0, redis("HGETALL", "hash"), "*1\r\n$3000\r\n"+strings.Repeat("x", 3000)+"\r\n")
	ask(0, redis("SET", "value", strings.Repeat("x", 5000)), "+OK\r\n")
	h := s.e.Hot(s.now, 0)
	if len(h.Big) != 2 || h.Big[0].Key != "value" || h.Big[0].Peak != uint64(len(redis("SET", "value", strings.Repeat("x", 5000)))) ||
		h.Big[1].Key != "hash" || h.Big[1].Peak != 3013 || h.Every != 0 || len(h.ByRequests) != 0 {
		t.Errorf("%+v", h)
	}
	s.advance(24 * time.Hour)
	if h := s.e.Hot(s.now, 0); len(h.Big) != 0 {
		t.Errorf("after a day: %+v", h.Big)
	}
}

// The access log has every request that was picked, with all that is known of it.
func TestAccessLog(t *testing.T) {
	s, ask := one(t, "config access=1 timeout=50ms")
	s.events = nil
	ask(3*time.Millisecond, redis("GET", "a")+redis("PING"), "$1\r\nx\r\n")
	ask(60*time.Millisecond, redis("SET", "b", "v"), "+OK\r\n")
	got := slices.DeleteFunc(s.events, func(e string) bool { return !strings.HasPrefix(e, "access") })
	want := []string{
		`access pool s0 GET "a" waiting=0s serving=3ms 20/7 `,
		`access pool s0 SET "b" waiting=0s serving=50ms 27/0 Connection timed out`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
