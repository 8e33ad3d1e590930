package engine_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
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
