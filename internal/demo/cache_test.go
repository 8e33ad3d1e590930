package demo

import (
	"bufio"
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/cashew-proxy/cashew/internal/memcachedtest"
)

// startTestCache starts a server that is closed with the test.
func startTestCache(t *testing.T) *cache {
	t.Helper()
	c, err := startCache()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.close)
	return c
}

// converse sends a request and returns all that it is answered: mn makes the end known.
func converse(c *memcachedtest.Client, request string) string {
	var all strings.Builder
	for reply := c.Do(request + "mn\r\n"); reply != "MN\r\n"; reply = c.Read() {
		all.WriteString(reply)
	}
	return all.String()
}

// TestCacheAnswersAsMemcached: a conversation has the same replies from a real server.
func TestCacheAnswersAsMemcached(t *testing.T) {
	mine, real := memcachedtest.Dial(t, startTestCache(t).addr()), memcachedtest.Dial(t, memcachedtest.StartServer(t))
	unique := regexp.MustCompile(`(?m)^(VALUE \S+ \d+ \d+) \d+\r$| c\d+`)
	for _, request := range []string{
		"get a\r\n", "set a 7 0 3\r\nabc\r\n", "get a\r\n", "gets a b\r\n", "gat 0 a\r\n", "gats 100 a\r\n", "touch a 100\r\n", "touch b 0\r\n",
		"add a 0 0 1\r\nx\r\n", "add b 0 0 1\r\nx\r\n", "replace b 1 0 1\r\ny\r\n", "replace c 0 0 1\r\ny\r\n", "get a b c\r\n",
		"append a 0 0 1\r\nd\r\n", "prepend a 9 0 1\r\n_\r\n", "append c 0 0 1\r\nd\r\n", "prepend c 0 0 1\r\n_\r\n", "get a\r\n",
		"cas a 0 0 1 1234567\r\nx\r\n", "cas c 0 0 1 1\r\nx\r\n", "delete a\r\n", "delete a\r\n", "get a\r\n",
		"set n 0 0 2\r\n10\r\n", "incr n 5\r\n", "decr n 6\r\n", "get n\r\n", "decr n 60\r\n", "get n\r\n", "incr n 18446744073709551615\r\n",
		"incr n 1\r\n", "incr c 1\r\n", "incr b 1\r\n", "incr n x\r\n", "set gone 0 -1 1\r\nx\r\n", "get gone\r\n",
		"nonsense\r\n", "get\r\n", "set a 0 0 x\r\n", "set a 0 0 1\r\nabc\r\n", "\r\n", "set big 0 0 2000000\r\n" + strings.Repeat("x", 2000000) + "\r\n",
		"set a 0 0 2 noreply\r\nhi\r\n", "get a\r\n", "delete a noreply\r\n", "get a\r\n", "verbosity 0\r\n",
		"mg m v\r\n", "ms m 2 F5 T0\r\nhi\r\n", "mg m v f s t k Oabc\r\n", "mg m\r\n", "mg m T100 t f\r\n", "mg m q k\r\n", "mg none q v\r\n",
		"ms m 1 ME\r\nx\r\n", "ms m 1 MA k O1\r\nx\r\n", "ms m 1 MZ\r\nx\r\n", "ms m 1 MP\r\n-\r\n", "ms none 1 MA\r\nx\r\n", "ms none 1 MR\r\nx\r\n", "mg m v\r\n",
		"ms m 1 C99999999\r\nx\r\n", "ms none 1 C1\r\nx\r\n", "ms m 1 q\r\nx\r\n", "ms bTE= 1 b\r\nx\r\n", "mg bTE= b k v\r\n", "mg bTE= k b s\r\n", "get m1\r\n",
		"md m C99999999\r\n", "md m q\r\n", "md m k O2\r\n",
		"flush_all\r\n", "get b n\r\n", "set k 0 0 1\r\nx\r\n", "flush_all 100\r\n", "get k\r\n", "flush_all noreply\r\n", "get k\r\n",
	} {
		got, want := converse(mine, request), converse(real, request)
		if g, w := unique.ReplaceAllString(got, "$1"), unique.ReplaceAllString(want, "$1"); g != w {
			t.Errorf("%.60q was answered %q, by memcached %q", request, g, w)
		}
	}
}

// TestCacheUniques: who has seen the newest may replace it.
func TestCacheUniques(t *testing.T) {
	c := memcachedtest.Dial(t, startTestCache(t).addr())
	c.Do("set a 0 0 1\r\nx\r\n")
	words := strings.Fields(c.Do("gets a\r\n"))
	unique := words[4]
	for _, step := range [][2]string{
		{"cas a 0 0 1 " + unique + "\r\ny\r\n", "STORED\r\n"},
		{"cas a 0 0 1 " + unique + "\r\nz\r\n", "EXISTS\r\n"},
		{"md a C" + unique + "\r\n", "EX\r\n"},
		{"get a\r\n", "VALUE a 0 1\r\ny\r\nEND\r\n"},
	} {
		if got := c.Do(step[0]); got != step[1] {
			t.Errorf("%q was answered %q, want %q", step[0], got, step[1])
		}
	}
}

// TestCacheExpires: by the clock, in every form in which a time can be given.
func TestCacheExpires(t *testing.T) {
	begin := time.Unix(1_800_000_000, 0)
	now := begin
	s := &items{now: func() time.Time { return now }}
	s.clear()
	for key, ttl := range map[string]string{"never": "0", "soon": "10", "date": "1800000020", "past": "-1"} {
		s.put(key, &item{value: key, expires: deadline(ttl, now)})
	}
	for _, step := range []struct {
		after time.Duration
		want  string
		count int
	}{
		{0, "never soon date", 3}, {9 * time.Second, "never soon date", 3}, {10 * time.Second, "never date", 2}, {20 * time.Second, "never", 1},
	} {
		now = begin.Add(step.after)
		var have []string
		for _, key := range []string{"never", "soon", "date", "past"} {
			if s.find(key) != nil {
				have = append(have, key)
			}
		}
		if got := strings.Join(have, " "); got != step.want || s.count() != step.count {
			t.Errorf("after %v: %s, %d keys; want %s", step.after, got, s.count(), step.want)
		}
	}
}

// TestCacheRefuses what it does not know in words of its own, and stays in step.
func TestCacheRefuses(t *testing.T) {
	c := memcachedtest.Dial(t, startTestCache(t).addr())
	for _, step := range [][2]string{
		{"ma n\r\n", "SERVER_ERROR ma is not part of this demonstration\r\n"},
		{"mg n h\r\n", "CLIENT_ERROR the flag h is not part of this demonstration\r\n"},
		{"stats\r\n", "STAT curr_items 0\r\nEND\r\n"},
		{"version\r\n", "VERSION 1.6.18\r\n"},
	} {
		if got := c.Do(step[0]); got != step[1] {
			t.Errorf("%q was answered %q, want %q", step[0], got, step[1])
		}
	}
	c.Send(strings.Repeat("x", 10_000))
	if got, err := c.TryRead(); got != "CLIENT_ERROR line too long\r\n" || err != nil {
		t.Errorf("an endless line was answered %q, %v", got, err)
	}
	if got, err := c.TryRead(); !errors.Is(err, io.EOF) {
		t.Errorf("after it came %q, %v", got, err)
	}
}

// TestCacheCloses: whoever is connected.
func TestCacheCloses(t *testing.T) {
	s, err := startCache()
	if err != nil {
		t.Fatal(err)
	}
	c := memcachedtest.Dial(t, s.addr())
	c.Do("mn\r\n")
	c.Send("set a 0 0 100\r\nnot all of it")
	s.close()
	if _, err := bufio.NewReader(c.Conn()).ReadByte(); err == nil {
		t.Error("the connection is still open")
	}
}
