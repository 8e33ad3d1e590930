package upstream

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cashew-proxy/cashew/internal/clock"
	"github.com/cashew-proxy/cashew/internal/message"
	"github.com/cashew-proxy/cashew/internal/stats"
	"github.com/cashew-proxy/cashew/internal/topology"
)

// watched is a connected connection.
func watched(t *testing.T, set topology.Settings) (*Conn, *log) {
	t.Helper()
	c, l, _ := newConn(set)
	l.runs = true
	if err := c.Open(1 * ms); err != nil {
		t.Fatal(err)
	}
	c.Connected(1*ms, nil)
	return c, l
}

// ask sends requests, all of which are handed over in the same turn.
func ask(t *testing.T, c *Conn, now clock.Instant, requests ...string) {
	t.Helper()
	size := 0
	for _, r := range requests {
		if err := c.Send(now, ticket(c.fifo.head+c.fifo.n), stats.Read, []byte(r), false, message.Key{End: 1}); err != nil {
			t.Fatal(err)
		}
		size += len(r)
	}
	c.Sent(now, size)
}

// told are the lines about slow requests and samples.
func (l *log) told() []string {
	return slices.DeleteFunc(l.take(), func(line string) bool {
		return !strings.HasPrefix(line, "slow") && !strings.HasPrefix(line, "big") && !strings.HasPrefix(line, "sample")
	})
}

func expect(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("told:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// A request and a reply are big from the threshold on, whichever way the reply comes, and each is counted.
func TestBigRequests(t *testing.T) {
	c, l := watched(t, topology.Settings{BigThreshold: 2048})
	value := strings.Repeat("v", 3000)
	ask(t, c, 100*ms, "a", "b", "B"+value[:2047], "C"+value[:2046])
	c.Received(101*ms, []byte(":1\r\n$2039\r\n"+value[:2039]+"\r\n")) // 2048 bytes
	c.Received(101*ms, []byte("$2038\r\n"+value[:2038]+"\r\n"+"$3000\r\n"+value[:1500]))
	expect(t, l.told(), fmt.Sprintf(`big 2: ""%q 2048 and 0 bytes`, value[:2047]), `big 1: "b""" 0 and 2048 bytes`)
	c.Received(102*ms, []byte(value[1500:]+"\r\n"))
	expect(t, l.told(), fmt.Sprintf(`big 3: %q"" 0 and 3009 bytes`, "C"+value[:94]))
	// What a connection that fails has received counts for nothing that comes later.
	ask(t, c, 103*ms, "d")
	c.Received(104*ms, []byte("$9999\r\n"+value))
	c.Lost(105*ms, nil)
	if c.watch.reply != 0 {
		t.Errorf("%d bytes are left", c.watch.reply)
	}
	if n, m := c.counters.Local(stats.BigRequests), c.counters.Local(stats.BigReplies); n != 1 || m != 2 {
		t.Errorf("%d requests and %d replies are counted", n, m)
	}
	expect(t, l.told())
}

// A request is slow from the threshold on, be it answered, timed out or failed; and each is told once.
func TestSlowRequests(t *testing.T) {
	c, l := watched(t, topology.Settings{SlowThreshold: 10 * time.Millisecond, Timeout: 30 * time.Millisecond})
	ask(t, c, 100*ms, "fast")
	c.Received(109*ms, []byte(":1\r\n"))
	expect(t, l.told())
	ask(t, c, 200*ms, "first", "second", strings.Repeat("third", 100))
	c.Received(210*ms, []byte(":1\r\n:2\r\n:3\r\n"))
	expect(t, l.told(),
		`slow 1: "first" waiting 0s, serving 10ms, <nil>`,
		`slow 2: "second" waiting 0s, serving 10ms, <nil>`,
		fmt.Sprintf("slow 3: %q waiting 0s, serving 10ms, <nil>", strings.Repeat("third", 19)))

	ask(t, c, 300*ms, "late")
	ask(t, c, 320*ms, "in time")
	c.Received(325*ms, []byte("$1")) // it is not silent
	c.Expire(331 * ms)
	expect(t, l.told(), `slow 4: "late" waiting 0s, serving 31ms, Connection timed out`)
	c.Received(335*ms, []byte("\r\nx\r\n:2\r\n"))
	expect(t, l.told(), `slow 5: "in time" waiting 0s, serving 15ms, <nil>`)

	ask(t, c, 400*ms, "lost")
	_ = c.Send(405*ms, ticket(7), stats.Write, []byte("unsent"), false, message.Key{})
	c.Lost(420*ms, nil)
	expect(t, l.told(),
		`slow 6: "lost" waiting 0s, serving 20ms, unknown`,
		`slow 7: "unsent" waiting 15ms, serving 0s, unknown`)
	if n := c.counters.Local(stats.SlowRequests); n != 7 {
		t.Errorf("%d slow requests are counted", n)
	}
}

// Of many that are slow at once the first are told, with how they begin; the others are counted. The next turn tells
// again.
func TestSlowRequestsAreBounded(t *testing.T) {
	c, l := watched(t, topology.Settings{SlowThreshold: time.Millisecond})
	for round := range 2 {
		at := clock.Instant(100*(round+1)) * ms
		ask(t, c, at, slices.Repeat([]string{"x"}, 500)...)
		c.Received(at+5*ms, []byte(strings.Repeat(":1\r\n", 500)))
		got := l.told()
		if len(got) != slowAtOnce || !strings.Contains(got[slowAtOnce-1], `"x"`) {
			t.Errorf("round %d: %d are told: %q", round, len(got), got)
		}
	}
	if n := c.counters.Local(stats.SlowRequests); n != 1000 {
		t.Errorf("%d slow requests are counted", n)
	}
}

// With every request picked each is told with its sizes, whether its reply comes alone, in a pipeline, in pieces, or not
// at all.
func TestSamples(t *testing.T) {
	c, l := watched(t, topology.Settings{AccessLogSample: 1, Timeout: 10 * time.Millisecond})
	ask(t, c, 100*ms, "one")
	c.Received(102*ms, []byte("$1\r\n"))
	c.Received(103*ms, []byte("x\r\n"))
	ask(t, c, 200*ms, "two", "three")
	c.Received(201*ms, []byte(":1\r\n:22\r\n"))
	ask(t, c, 300*ms, "late", "lost")
	c.Received(305*ms, []byte("$"))
	c.Expire(310 * ms)
	c.Lost(311*ms, message.ErrReply)
	expect(t, l.told(),
		`sample 0 for 2: "one" waiting 0s, serving 3ms, 3 and 7 bytes, <nil>`,
		`sample 1 for 2: "two" waiting 0s, serving 1ms, 3 and 4 bytes, <nil>`,
		`sample 2 for 2: "three" waiting 0s, serving 1ms, 5 and 5 bytes, <nil>`,
		`sample 3 for 2: "late" waiting 0s, serving 10ms, 4 and 1 bytes, Connection timed out`,
		`sample 4 for 2: "lost" waiting 0s, serving 10ms, 4 and 0 bytes, Connection timed out`)
	if len(c.watch.samples) != 0 {
		t.Errorf("%d are still picked", len(c.watch.samples))
	}
}

// One of so many is picked, for either purpose, also in deep pipelines and beyond the place where numbers wrap; and not
// always the same of requests that come in turns.
func TestSamplesAreOneOfSoMany(t *testing.T) {
	c, l := watched(t, topology.Settings{HotKeysSample: 50, AccessLogSample: 7})
	c.fifo.head = 1<<32 - 50_000
	c.watch.every = [2]uint32{} // as if they had begun here
	c.Apply(c.Server, c.set)
	const rounds, pipeline = 2000, 50
	picked, even := map[string]int{}, 0
	for round := range clock.Instant(rounds) {
		ask(t, c, (100+round)*ms, slices.Repeat([]string{"even", "odd"}, pipeline/2)...)
		c.Received((100+round)*ms, []byte(strings.Repeat(":1\r\n", pipeline)))
		for _, line := range l.told() {
			_, why, _ := strings.Cut(line, " for ")
			why, rest, _ := strings.Cut(why, ":")
			picked[why]++
			if strings.Contains(rest, "even") {
				even++
			}
		}
	}
	hot, access := picked["1"]+picked["3"], picked["2"]+picked["3"]
	if all := rounds * pipeline; hot < all/50*9/10 || hot > all/50*11/10 || access < all/7*9/10 || access > all/7*11/10 {
		t.Errorf("of %d requests %d are picked for hot keys, one of 50; %d for the access log, one of 7", all, hot, access)
	}
	if share := float64(even) / float64(hot+access-picked["3"]); share < 0.45 || share > 0.55 {
		t.Errorf("%v of those picked are of the one kind", share)
	}
	c.set.HotKeysSample, c.set.AccessLogSample = 0, 0
	c.Apply(c.Server, c.set)
	for round := range clock.Instant(100) {
		ask(t, c, (9000+round)*ms, "x")
		c.Received((9000+round)*ms, []byte(":1\r\n"))
	}
	expect(t, l.told())
}
