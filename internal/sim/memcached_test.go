package sim

import (
	"errors"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/cashew-proxy/cashew/internal/memcachedtest"
)

// lonely is a client and a memcached with no proxy between them.
func lonely(seed uint64) (*client, *server) {
	c := small(seed)
	c.Memcached, c.Servers, c.Clients = true, 1, 1
	w := newWorld(c)
	return w.clients[0], w.servers[0]
}

// answer has a fake server answer all requests in raw.
func answer(t *testing.T, s *server, raw string) string {
	var replies []byte
	for b := []byte(raw); len(b) > 0; {
		args, end, v := memcached{}.scanRequest(b)
		if v != whole {
			t.Fatalf("no request: %q", b)
		}
		replies = append(replies, memcached{}.execute(s, nil, args)...)
		b = b[end:]
	}
	return string(replies)
}

var (
	// Unique numbers are the server's own, and time passes on the real one. How the real one writes a key
	// that is in base64 depends on what it remembers of the item.
	uniques   = regexp.MustCompile(`(?m)^(VALUE \S+ \d+ \d+) \d+\r$`)
	metaLine  = regexp.MustCompile(`(?m)^(?:HD|VA|EN|NF|NS|EX) .*\r$`)
	unlike    = regexp.MustCompile(` (?:c\d+|k\S+(?: b)?)`)
	remaining = regexp.MustCompile(` t\d+`)
)

// comparable leaves out of replies in what the servers may differ.
func comparable(replies string) string {
	replies = uniques.ReplaceAllString(replies, "$1\r")
	return metaLine.ReplaceAllStringFunc(replies, func(line string) string {
		return remaining.ReplaceAllString(unlike.ReplaceAllString(line, ""), " t")
	})
}

// TestFakeServerIsLikeMemcached: what the fake servers answer, and what the oracle therefore wants, is
// what a real one answers, to thousands of requests one by one.
func TestFakeServerIsLikeMemcached(t *testing.T) {
	t.Parallel()
	real := memcachedtest.Dial(t, memcachedtest.StartServer(t))
	kinds := map[string]int{}
	for seed := uint64(1); seed <= 3; seed++ {
		real.Do("flush_all\r\n")
		c, fake := lonely(seed)
		for range 1500 {
			clear(c.wrote) // what is unique there is not here
			c.send.clear()
			c.waiting = nil
			c.made++
			switch c.rng.IntN(3) {
			case 0:
				memcached{}.retrieve(c)
			case 1:
				memcached{}.text(c)
			case 2:
				memcached{}.meta(c, "")
			}
			raw := string(c.send.bytes())
			if len(raw) > 1800 {
				continue // more than a server takes of a gat
			}
			real.Send(raw + "mn\r\n")
			want := ""
			for !strings.HasSuffix(want, "MN\r\n") {
				want += real.Read()
			}
			got := answer(t, fake, raw+"mn\r\n")
			if comparable(got) != comparable(want) {
				t.Fatalf("seed %d: to %s\n%s, but the real one\n%s", seed, short(raw), short(got), short(want))
			}
			kinds[c.waiting[0].name+" "+got[:2]]++
			for i := range c.w.cfg.Keys {
				for _, k := range []string{c.prefix + "n" + itoa(i), c.prefix + "t" + itoa(i)} {
					if whimsical(fake.keys[0][k].text) {
						delete(fake.keys[0], k)
						real.Do("delete " + k + "\r\n")
					}
				}
			}
		}
	}
	if len(kinds) < 40 {
		t.Errorf("only %d kinds of answers: %v", len(kinds), kinds)
	}
}

// whimsical says that what a real server does to a counter depends on more than its value: one that
// gets shorter keeps its length unless somebody else looks at the item, and from 2⁶³ on it is a number
// unless there is a minus anywhere behind it in memory.
func whimsical(counter string) bool {
	_, err := strconv.ParseInt(strings.TrimRight(counter, " "), 10, 64)
	return strings.HasSuffix(counter, " ") || len(counter) == 20 || errors.Is(err, strconv.ErrRange)
}

// TestFakeServerKeepsSilence: were noreply or q to reach a server it would not answer, which is how the
// oracle notices; and what it takes for data is what was announced.
func TestFakeServerKeepsSilence(t *testing.T) {
	t.Parallel()
	real := memcachedtest.Dial(t, memcachedtest.StartServer(t))
	_, fake := lonely(1)
	for _, raw := range []string{
		"set a 0 0 1 noreply\r\nx\r\nget a\r\n",
		"add a 0 0 1 noreply\r\ny\r\nincr a 1 noreply\r\ntouch b 0 noreply\r\ndelete b noreply\r\n",
		"mg b v q\r\nmg a v q\r\nms a 2 q\r\n12\r\nms a 2 q ME\r\n13\r\n",
		"ma a q\r\nma b q\r\nma a q v\r\nmd b q\r\nmd a q\r\nget a\r\n",
		"set c 0 0 3\r\n100\r\ndecr c 1\r\nget c\r\n", "incr c 1\r\nget c\r\n",
		"flush_all noreply\r\nverbosity 1 noreply\r\nversion\r\n",
		"set a 0 0 2\r\nabcd\r\nget a\r\n", "set a 0 0 5\r\nget b\r\n", "ms a 2\r\nabcd\r\n", "ms a 2 q\r\nabcd\r\n",
		"nonsense\r\n\r\nget\r\n", "set a 0 0 -1\r\nset a 0 0 x noreply\r\nget b\r\n",
	} {
		real.Send(raw + "mn\r\n")
		want := ""
		for !strings.HasSuffix(want, "MN\r\n") {
			want += real.Read()
		}
		if got := answer(t, fake, raw+"mn\r\n"); got != want {
			t.Errorf("to %q: %q, but the real one %q", raw, got, want)
		}
	}
}
