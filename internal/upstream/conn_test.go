package upstream

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cashew-proxy/cashew/internal/bytebuf"
	"github.com/cashew-proxy/cashew/internal/clock"
	"github.com/cashew-proxy/cashew/internal/message"
	"github.com/cashew-proxy/cashew/internal/stats"
	"github.com/cashew-proxy/cashew/internal/topology"
)

// log is an owner that writes down what it is told.
type log struct {
	lines   []string
	ids     message.ConnID
	wake    clock.Instant
	onFail  func(t message.Ticket)
	dropped int
	runs    bool // takes replies several at a time
}

func (l *log) say(format string, args ...any) {
	l.lines = append(l.lines, fmt.Sprintf(format, args...))
}

func (l *log) Reply(t message.Ticket, b []byte, last bool) {
	l.say("%d: %q %v", t.Sequence, b, last)
}

func (l *log) Replies(t message.Ticket, b []byte, count uint32) bool {
	if l.runs {
		l.say("%d and %d more: %q", t.Sequence, count-1, b)
	}
	return l.runs
}
func (l *log) Room(message.Ticket, int) []byte        { return nil }
func (l *log) Filled(t message.Ticket, n int, _ bool) { l.say("%d: %d bytes", t.Sequence, n) }
func (l *log) Fail(t message.Ticket, err error) {
	l.say("%d: %v", t.Sequence, err)
	if l.onFail != nil {
		l.onFail(t)
	}
}
func (l *log) Late(t message.Ticket)           { l.Fail(t, message.ErrTimeout) }
func (l *log) Over(message.Ticket)             {}
func (l *log) MayDial(*Conn) error             { return nil }
func (l *log) Dial(*Conn) message.ConnID       { l.ids++; return l.ids }
func (l *log) Hangup(*Conn)                    { l.dropped++ }
func (l *log) Writable(*Conn)                  {}
func (l *log) Wake(_ *Conn, at clock.Instant)  { l.wake = at }
func (l *log) ServerEvent(*Conn, Event, error) {}
func (l *log) Failed(_ *Conn, f Failure)       { l.say("failed: %v", f.Err) }
func (l *log) Recovered(*Conn)                 { l.say("recovered") }
func (l *log) Slow(_ *Conn, r *Record) {
	l.say("slow %d: %q waiting %v, serving %v, %v", r.Ticket.Sequence, r.Head, r.Waiting(), r.Serving(), r.Err)
}

func (l *log) Sampled(_ *Conn, r *Record, why Sample) {
	l.say("sample %d for %d: %q waiting %v, serving %v, %d and %d bytes, %v", r.Ticket.Sequence, why, r.Head, r.Waiting(),
		r.Serving(), r.Request, r.Reply, r.Err)
}

func (l *log) Big(_ *Conn, r *Record) {
	l.say("big %d: %q%q %d and %d bytes", r.Ticket.Sequence, r.Head, r.Key, r.Request, r.Reply)
}
func (l *log) Peek(_ *Conn, b []byte) (name, key []byte) { return b[:1], b[1:] }
func (l *log) LacksRESP3(*Conn) bool                     { l.say("lacks RESP3"); return false }
func (l *log) HungUp(*Conn) bool                         { l.say("hung up"); return true }
func (l *log) Settled(*Conn)                             { l.say("settled") }

// take returns what was said since the last call.
func (l *log) take() []string {
	lines := l.lines
	l.lines = nil
	return lines
}

func newConn(set topology.Settings) (*Conn, *log, *bytebuf.Pool) {
	set.Nesting = 4
	if set.ServerQueue == 0 {
		set.ServerQueue = 1 << 20
	}
	l, pool := &log{}, &bytebuf.Pool{Mangle: true}
	c := New(l, pool, &topology.Server{Name: "s"}, &set, message.Lane{Database: set.Database}, stats.NewServer())
	c.Lasting = true
	return c, l, pool
}

func ticket(n uint32) message.Ticket { return message.Ticket{Client: 1, Sequence: n} }

// sent returns the output and sends it.
func sent(c *Conn) string {
	b := bytes.Join(c.Output(make([][]byte, 0, 64), 1<<30), nil)
	c.Sent(0, len(b))
	return string(b)
}

func check(t *testing.T, l *log, want ...string) {
	t.Helper()
	if got := l.take(); !slices.Equal(got, want) {
		t.Fatalf("the owner was told %q, want %q", got, want)
	}
}

// Short values for consecutive requests of one client travel together; a gap, a long value, another
// client, bytes that have not all come or an answer ahead of its request end the run.
func TestRunsOfReplies(t *testing.T) {
	c, l, _ := newConn(topology.Settings{})
	l.runs = true
	send := func(n uint32) {
		t.Helper()
		if err := c.Send(1, ticket(n), stats.Other, []byte("x"), false, message.Key{}); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range []uint32{7, 8, 9, 11, 12, 20, 21} {
		send(n)
	}
	c.Connected(1, nil)
	sent(c)
	c.Received(1, []byte("$1\r\na\r\n$2\r\nbb\r\n$0\r\n\r\n$1\r\nd\r\n*0\r\n$1\r\ne\r\n$1\r\nf"))
	check(
		t, l,
		`7 and 2 more: "$1\r\na\r\n$2\r\nbb\r\n$0\r\n\r\n"`,
		`11: "$1\r\nd\r\n" true`, `12: "*0\r\n" true`,
		`20: "$1\r\ne\r\n" true`, `21: "$1\r\nf" false`,
	)
	c.Received(1, []byte("\r\n"))
	check(t, l, `21: "\r\n" true`)

	send(30)
	send(31)
	c.Sent(0, 1) // of two
	c.Received(1, []byte("$1\r\na\r\n$1\r\nb\r\n"))
	check(t, l, `30: "$1\r\na\r\n" true`, `31: Invalid argument`)
}

// Whoever hears of a failure may send again, to the same connection: the new request waits for the new
// socket and is not failed with the old ones.
func TestSendingFromFail(t *testing.T) {
	c, l, pool := newConn(topology.Settings{})
	for round := range 3 { // with the rings in all their places
		for i := range uint32(2000) {
			if err := c.Send(1, ticket(i), stats.Other, []byte("x"), false, message.Key{}); err != nil {
				t.Fatal(err)
			}
		}
		c.Connected(1, nil)
		sent(c)
		n := uint32(5000)
		l.onFail = func(message.Ticket) {
			if err := c.Send(2, ticket(n), stats.Other, []byte("again"), false, message.Key{}); err != nil {
				t.Fatal(err)
			}
			n++
		}
		c.Lost(2, nil)
		l.onFail = nil
		want := make([]string, 2000)
		for i := range want {
			want[i] = fmt.Sprintf("%d: unknown", i)
		}
		check(t, l, want...)
		if c.Waiting() != 2000 {
			t.Fatalf("round %d: %d requests wait", round, c.Waiting())
		}
		c.Connected(2, nil)
		if got := sent(c); got != strings.Repeat("again", 2000) {
			t.Fatalf("round %d: %d bytes are sent", round, len(got))
		}
		for i := range uint32(2000) {
			c.Received(3, []byte("+OK\r\n"))
			check(t, l, fmt.Sprintf(`%d: "+OK\r\n" true`, 5000+i))
		}
		c.Lost(3, nil)
	}
	if pool.InUse() != 0 {
		t.Errorf("%d bytes were not given back", pool.InUse())
	}
}

// A large request on its way is no reason to refuse the small ones behind it; they count for
// themselves.
func TestLargeRequestsDoNotFillTheQueue(t *testing.T) {
	c, _, pool := newConn(topology.Settings{Limits: topology.Limits{ServerQueue: 100}})
	large := func() []byte { return append(pool.Get(1<<20), make([]byte, 1<<20)...) }
	send := func(b []byte, owned bool) error { return c.Send(1, ticket(1), stats.Other, b, owned, message.Key{}) }
	if err := send(large(), true); err != nil {
		t.Fatal(err)
	}
	small := []byte(strings.Repeat("s", 60))
	for i, want := range []error{nil, nil, message.ErrQueueFull} {
		if err := send(small, false); err != want {
			t.Fatalf("small request %d: %v, want %v", i, err, want)
		}
	}
	if err := send(large(), true); err != message.ErrQueueFull { // and its buffer goes back
		t.Fatal(err)
	}
	c.Connected(1, nil)
	c.Sent(0, 1<<20-1)
	if err := send(small, false); err != message.ErrQueueFull {
		t.Fatal(err)
	}
	c.Sent(0, 1+60)
	if err := send(small, false); err != nil {
		t.Fatal(err)
	}
	if err := send(small, false); err != message.ErrQueueFull {
		t.Fatal("the large request counts after it has left: ", err)
	}
	c.Close(1, message.ErrShutdown)
	if pool.InUse() != 0 {
		t.Errorf("%d bytes were not given back", pool.InUse())
	}
}

// The pause after a failed attempt doubles up to its bound, however often it fails.
func TestBackOff(t *testing.T) {
	c, _, _ := newConn(topology.Settings{})
	refused := errors.New("Connection refused")
	now := clock.Instant(time.Second)
	for i := range 100 {
		want := retryMax
		if i < 6 {
			want = min(retryMin<<i, retryMax)
		}
		if err := c.Open(now); err != nil {
			t.Fatalf("attempt %d: %v", i, err)
		}
		c.Connected(now, refused)
		if err := c.Send(now.Add(want-1), ticket(1), stats.Other, []byte("x"), false, message.Key{}); err != refused {
			t.Fatalf("after attempt %d, just before the end of the pause: %v", i, err)
		}
		now = now.Add(want)
	}
	if err := c.Open(now); err != nil {
		t.Fatal(err)
	}
	c.Connected(now, nil)
	c.Lost(now, nil)
	if err := c.Open(now); err != nil {
		t.Errorf("after a success there is still a pause: %v", err)
	}
}

// Expire says when it has something to do next, and never the past.
func TestExpire(t *testing.T) {
	c, l, _ := newConn(topology.Settings{Timeout: 100 * time.Millisecond, ConnectTimeout: 30 * time.Millisecond})
	at := func(now, want clock.Instant) {
		t.Helper()
		if got := c.Expire(now); got != want {
			t.Fatalf("at %d it wants to be called at %d, want %d", now/ms, got/ms, want/ms)
		}
	}
	at(1*ms, clock.Never)
	_ = c.Send(10*ms, ticket(1), stats.Other, []byte("a"), false, message.Key{}) // it dials
	at(20*ms, 40*ms)
	c.Connected(30*ms, nil)
	sent(c)
	at(40*ms, 110*ms)
	_ = c.Send(50*ms, ticket(2), stats.Other, []byte("b"), false, message.Key{})
	sent(c)
	c.Received(60*ms, []byte("$2\r\n"))
	check(t, l, `1: "$2\r\n" false`)
	at(110*ms, 150*ms)
	check(t, l, "1: Connection timed out")
	at(149*ms, 150*ms)
	at(150*ms, 160*ms) // 2 has had its time; the server is silent since 60
	check(t, l, "2: Connection timed out")
	c.Received(155*ms, []byte("hi\r\n+late\r\n"))
	check(t, l)
	if c.Waiting() != 0 {
		t.Fatalf("%d requests wait", c.Waiting())
	}
	at(160*ms, clock.Never)
	_ = c.Send(1000*ms, ticket(3), stats.Other, []byte("c"), false, message.Key{})
	at(1000*ms, 1100*ms)
	at(1100*ms, clock.Never)
	check(t, l, "3: Connection timed out")
	if l.dropped != 1 {
		t.Errorf("%d sockets were closed, want the silent one", l.dropped)
	}
	if got := c.counters.Local(stats.LateReplies); got != 2 {
		t.Errorf("%d late replies, want 2", got)
	}
}

// A connection that was closed for good is not dialed again, by whomever.
func TestClosedForGood(t *testing.T) {
	for _, connected := range []bool{false, true} {
		c, l, _ := newConn(topology.Settings{Preconnect: true, ConnectTimeout: time.Second})
		_ = c.Open(1)
		if connected {
			c.Connected(1, nil)
		}
		c.Close(2, message.ErrShutdown)
		if got := c.Expire(clock.Instant(time.Hour)); got != clock.Never || l.ids != 1 {
			t.Errorf("it wants to be called at %d, and was dialed %d times", got, l.ids)
		}
		if err := c.Send(clock.Instant(time.Hour), ticket(1), stats.Other, []byte("x"), false, message.Key{}); err != message.ErrShutdown {
			t.Errorf("a request is refused with %v", err)
		}
	}
}

// Why a connection ended decides where it is counted. The system's own timeout is one like ours; an end
// that the proxy wants is none of the server's.
func TestEndsAreCounted(t *testing.T) {
	for _, c := range []struct {
		err  error
		want stats.Counter
	}{
		{nil, stats.ServerEOFs},
		{message.ErrTimeout, stats.ServerTimeouts},
		{&message.Failure{Text: "Connection timed out"}, stats.ServerTimeouts},
		{&message.Failure{Text: "Connection reset by peer"}, stats.ServerErrors},
		{message.ErrShutdown, stats.LateReplies}, // which stays 0
	} {
		conn, _, _ := newConn(topology.Settings{})
		if err := conn.Open(1); err != nil {
			t.Fatal(err)
		}
		conn.Connected(1, nil)
		conn.Lost(2, c.err)
		for _, n := range []stats.Counter{stats.ServerEOFs, stats.ServerTimeouts, stats.ServerErrors} {
			if got := conn.counters.Local(n); (got == 1) != (n == c.want) || got > 1 {
				t.Errorf("%v: %s is %d", c.err, stats.ServerTable[n].Name, got)
			}
		}
	}
}

// What a refusal of HELLO says of a server: its wording depends on what it is, and on what is in between.
func TestRefusedHello(t *testing.T) {
	for reply, lacks := range map[string]bool{
		"-ERR unknown command `HELLO`, with args beginning with: `3` `AUTH` `default` `secret`": true,
		"-ERR Unknown command 'HELLO'":                                    true,
		"-ERR unsupported command 'HELLO'":                                true,
		"-unknown command 'HELLO'":                                        true,
		"-ERR handle request, command 'HELLO' is not allowed":             true,
		"-NOPROTO unsupported protocol version":                           true,
		"-NOPROTO sorry, this protocol version is not supported.":         true,
		"-ERR Protocol version is not an integer or out of range":         true,
		"-WRONGPASS invalid username-password pair or user is disabled.":  false,
		"-NOAUTH Authentication required.":                                false,
		"-NOPERM this user has no permissions to run the 'hello' command": false,
		"-ERR invalid password":                                           false,
		"-ERR Client sent AUTH, but no password is set":                   false,
		"-LOADING Redis is loading the dataset in memory":                 false,
		"-BUSY Redis is busy running a script.":                           false,
		"-MASTERDOWN Link with MASTER is down":                            false,
		"-ERR max number of clients reached":                              false,
		"-DENIED Redis is running in protected mode":                      false,
	} {
		c, l, _ := newConn(topology.Settings{Auth: "secret", Database: 2})
		c.lane.RESP3 = true
		_ = c.Open(1)
		c.Connected(1, nil)
		sent(c)
		c.Received(1, []byte(reply+"\r\n"))
		if got := slices.Contains(l.take(), "lacks RESP3"); got != lacks {
			t.Errorf("%s: it lacks RESP3: %v", reply, got)
		}
	}
	// Of SELECT it says nothing.
	c, l, _ := newConn(topology.Settings{Database: 2})
	c.lane.RESP3 = true
	_ = c.Open(1)
	c.Connected(1, nil)
	sent(c)
	c.Received(1, []byte("%0\r\n-ERR unknown command `SELECT`\r\n"))
	check(t, l)
}
