package upstream

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cashew-proxy/cashew/internal/message"
	"github.com/cashew-proxy/cashew/internal/stats"
	"github.com/cashew-proxy/cashew/internal/topology"
)

// read sends a read whose key is all but its first letter.
func read(t *testing.T, c *Conn, n uint32, request string) {
	t.Helper()
	key := message.Key{At: 1, End: len(request), Joinable: request[0] == 'g'}
	if err := c.Send(1, ticket(n), stats.Read, []byte(request), false, key); err != nil {
		t.Fatal(err)
	}
}

func connected(t *testing.T, set topology.Settings) (*Conn, *log) {
	t.Helper()
	set.Protocol, set.JoinReads = topology.Memcached, true
	c, l, _ := newConn(set)
	if err := c.Open(1); err != nil {
		t.Fatal(err)
	}
	c.Connected(1, nil)
	return c, l
}

// A read of which one byte has gone is joined by nobody, one that has not begun behind it is.
func TestJoiningWhatIsPartlySent(t *testing.T) {
	c, l := connected(t, topology.Settings{})
	read(t, c, 1, "ga")
	read(t, c, 2, "gb")
	c.Sent(1, 1)
	read(t, c, 3, "ga")
	read(t, c, 4, "gb")
	read(t, c, 5, "ga")
	if got := sent(c); got != "agbga" {
		t.Fatalf("%q was sent", got)
	}
	c.Received(2, []byte("END\r\nSTORED\r\nHD\r\n"))
	check(t, l, `1: "END\r\n" true`, `2: "STORED\r\n" true`, `4: "STORED\r\n" true`, `3: "HD\r\n" true`, `5: "HD\r\n" true`)
}

// Whoever hears of a failure may ask again at once: what is asked then joins what is asked then.
func TestJoiningFromFail(t *testing.T) {
	c, l := connected(t, topology.Settings{})
	n := uint32(10)
	l.onFail = func(message.Ticket) {
		read(t, c, n, "ga")
		n++
	}
	for i := range uint32(3) {
		read(t, c, i, "ga")
	}
	c.Lost(2, message.ErrEOF)
	l.take()
	c.Connected(3, nil)
	l.onFail = nil
	if got := sent(c); got != "ga" {
		t.Fatalf("%q was sent", got)
	}
	c.Received(4, []byte("END\r\n"))
	check(t, l, `10: "END\r\n" true`, `11: "END\r\n" true`, `12: "END\r\n" true`)
	if c.joins.used != 0 || len(c.joins.chain) != 7 {
		t.Errorf("%d of %d places of the chain are in use", c.joins.used, len(c.joins.chain))
	}
}

// Keys that share a place cost each other only the joining, and a long chain is given back.
func TestManyJoins(t *testing.T) {
	c, l := connected(t, topology.Settings{})
	for range 3 {
		for i := range uint32(2000) {
			read(t, c, 2*i, fmt.Sprint("g", i))
			read(t, c, 2*i+1, fmt.Sprint("g", i))
		}
		if c.Waiting() != 2000 {
			t.Fatalf("%d requests wait", c.Waiting())
		}
		sent(c)
		for i := range uint32(2000) {
			c.Received(2, []byte("HD\r\n"))
			if got := l.take(); len(got) != 2 {
				t.Fatalf("request %d: %q", i, got)
			}
		}
		if len(c.joins.chain) > 4001 {
			t.Fatalf("the chain has %d places", len(c.joins.chain))
		}
	}
	c.Trim()
	if c.joins.chain != nil {
		t.Error("the chain was not given back")
	}
}

// Slow ones and samples are told of by the request that was sent.
func TestJoinedIsWatched(t *testing.T) {
	c, l := connected(t, topology.Settings{SlowThreshold: 1, HotKeysSample: 1})
	for i := range uint32(3) {
		read(t, c, i, "ga")
	}
	sent(c)
	c.Received(5, []byte("END\r\n"))
	got := l.take()
	if len(got) != 5 || !strings.HasPrefix(got[0], `slow 0: "ga"`) || !strings.HasPrefix(got[1], `sample 0 for 1: "ga"`) {
		t.Errorf("the owner was told %q", got)
	}
	if c.counters.Local(stats.SlowRequests) != 1 || c.counters.Local(stats.JoinedReads) != 2 {
		t.Error("wrongly counted")
	}
}
