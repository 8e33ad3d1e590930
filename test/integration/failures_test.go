package integration

import (
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cashew-proxy/cashew/internal/config"
	"github.com/cashew-proxy/cashew/internal/redistest"
	"github.com/cashew-proxy/cashew/test/harness"
)

const (
	timedOut = "Connection timed out"
	ended    = "unknown"
	wasReset = "Connection reset by peer"
	brokePip = "Broken pipe"
	nonsense = "Invalid argument"
	closed   = "closed" // the client
	own      = "own"    // the right reply
)

// complaint is a reply that a Redis gives instead of what was asked for.
func complaint(text string, counts bool) *trouble {
	return &trouble{
		name: text[1:8], request: saying(text, text, true), want: []string{text}, counts: counts, keeps: true,
	}
}

// A server that closes a connection before it has read what was sent causes a reset, which may overtake
// its last words.
var ends = []string{ended, wasReset, brokePip}

var troubles = []*trouble{
	{
		// A server that drops a single reply could not be told from one that answers another request.
		name: "silent", request: func(c *net.TCPConn, _ *dialect, _ []string) bool {
			_, _ = io.Copy(io.Discard, c)
			return false
		},
		settings: []string{"timeout: 500"}, want: []string{timedOut}, counts: true,
	},
	{name: "closes at once", accept: func(*net.TCPConn) bool { return false }, want: ends, counts: true},
	{name: "resets at once", accept: reset, want: ends, counts: true},
	{name: "closes when asked", request: saying("", "", false), want: []string{ended}, counts: true},
	{name: "garbage", request: saying("?what\r\n", "WHAT now\r\n", true), want: []string{nonsense}, counts: true},
	{name: "garbage on connecting", accept: func(c *net.TCPConn) bool { return say(c, "?what\r\n") == nil }, want: []string{nonsense}, counts: true},
	// Once a part of the reply may have left, nothing but the end is honest.
	{name: "half an answer", request: saying("$10\r\nhalf", "VALUE k 0 10\r\nhalf", false), want: []string{closed}, counts: true},
	{
		name: "an answer too many", request: func(c *net.TCPConn, d *dialect, words []string) bool {
			reply := d.value(words[1], words[1])
			return say(c, reply+reply) == nil
		}, want: []string{own},
	},
	{name: "reset in 10 MB", request: halfValue, want: []string{closed}, counts: true},
}

var redisTroubles = []*trouble{
	complaint("-LOADING Redis is loading the dataset in memory\r\n", true),
	complaint("-MASTERDOWN Link with MASTER is down\r\n", true),
	complaint("-OOM command not allowed\r\n", false),
	complaint("-BUSY Redis is busy running a script\r\n", false),
	complaint("-READONLY You can't write against a read only replica.\r\n", false),
	{
		name: "wrong password", request: func(c *net.TCPConn, d *dialect, words []string) bool {
			if words[0] == "AUTH" {
				return say(c, "-WRONGPASS invalid username-password pair or user is disabled.\r\n") == nil
			}
			return say(c, d.reply(words)) == nil
		},
		settings: []string{"redis_auth: secret"}, counts: true,
		want: []string{"server refused the connection: WRONGPASS invalid username-password pair or user is disabled."},
	},
	{
		name: "maxclients", accept: saysAndEnds("-ERR max number of clients reached\r\n"), counts: true,
		want: append([]string{"max number of clients reached", nonsense}, ends...),
	},
}

var memcachedTroubles = []*trouble{
	{
		name: "maxconns", accept: saysAndEnds("ERROR Too many open connections\r\n"), counts: true,
		want: append([]string{"ERROR Too many open connections\r\n", nonsense}, ends...),
	},
}

func saysAndEnds(text string) func(*net.TCPConn) bool {
	return func(c *net.TCPConn) bool {
		_ = say(c, text)
		return false
	}
}

// asker is a client that connects again after it was closed.
type asker struct {
	t    *testing.T
	d    *dialect
	addr string
	auth bool
	c    rawClient
}

// ask gets a key and returns the reply, or "closed".
func (a *asker) ask(key string) string {
	a.t.Helper()
	if a.c == nil {
		a.c = a.d.dial(a.t, a.addr)
		if a.auth {
			_ = say(a.c.Conn(), redistest.Request("AUTH", "secret")) // a reply follows, or an error
			if got, err := a.c.TryRead(); got != "+OK\r\n" {
				a.t.Errorf("AUTH: %q, %v", got, err)
			}
		}
	}
	err := say(a.c.Conn(), a.d.get(key))
	got := ""
	if err == nil {
		got, err = a.c.TryRead()
	}
	if err == nil {
		return got
	}
	if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
		a.t.Errorf("%s: neither a reply nor the end: %v", key, err)
	}
	a.c.Close()
	a.c = nil
	return closed
}

// allowed says whether a client may get a reply to a request that the trouble has met.
func (x *trouble) allowed(d *dialect, key, got string) bool {
	return slices.ContainsFunc(x.want, func(w string) bool {
		switch {
		case w == closed:
			return got == closed
		case w == own:
			return got == d.value(key, key)
		case strings.HasSuffix(w, "\n"):
			return got == w
		}
		return got == fmt.Sprintf(d.errorf, w)
	})
}

// failing is a proxy before a bad server and a good one, with a second pool that has the good one alone.
type failing struct {
	*testing.T
	x    *trouble
	d    *dialect
	bad  *badServer
	p    *harness.Proxy
	keys []string // of the bad server
	good string   // a key of the good one
}

func startFailing(t *testing.T, d *dialect, x *trouble, more ...string) *failing {
	t.Helper()
	f := &failing{T: t, x: x, d: d, bad: startBad(t, d)}
	var args []string
	if f.auth() {
		args = []string{"--requirepass", "secret"}
	}
	good := d.start(t, args...)
	text := d.pool([]string{f.bad.Addr, good}, append(slices.Clone(more), x.settings...)...)
	other := d.pool([]string{good}, x.settings...)
	other = "b:" + strings.TrimPrefix(strings.Replace(other, harness.AnyPort, harness.OtherPort, 1), "a:")
	f.p = harness.Start(t, text+other, config.Options{})
	whole := topologyOf(t, f.p)
	f.keys, f.good = keysOf(whole, 0), keysOf(whole, 1)[0]
	return f
}

func (f *failing) auth() bool {
	return slices.Contains(f.x.settings, "redis_auth: secret")
}

func (f *failing) client(pool int) *asker {
	return &asker{t: f.T, d: f.d, addr: f.p.Addresses()[pool], auth: f.auth()}
}

// others are clients of another server and of another pool. They find nothing there, and nothing else.
func (f *failing) others() func() {
	server, pool := f.client(0), f.client(1)
	return func() {
		f.Helper()
		for range 3 {
			if got := server.ask(f.good); got != f.d.miss {
				f.Errorf("another server: %q", got)
			}
			if got := pool.ask(f.keys[0]); got != f.d.miss {
				f.Errorf("another pool: %q", got)
			}
		}
	}
}

// TestFailuresThatAreNotDeaths: what clients get, that nobody else is concerned, that the connection to the
// client goes on, and that the server is used again when it is well.
func TestFailuresThatAreNotDeaths(t *testing.T) {
	eachTrouble(t, func(t *testing.T, d *dialect, x *trouble) {
		f := startFailing(t, d, x)
		c, others := f.client(0), f.others()
		f.bad.set(x, 1)
		for i := range 4 {
			if got := c.ask(f.keys[i]); !x.allowed(d, f.keys[i], got) {
				t.Errorf("request %d: %.200q", i, got)
			}
			if c.c != nil && slices.Contains(x.want, closed) {
				t.Errorf("request %d did not close the client", i)
			}
			others()
		}
		if got := f.bad.connections(); x.keeps && got != 1 {
			t.Errorf("%d connections to the server", got)
		}
		f.bad.set(nil, 1)
		harness.Eventually(t, harness.Limit, "the server is used again", func() bool {
			got := c.ask(f.keys[0])
			if got != d.value(f.keys[0], f.keys[0]) && !x.allowed(d, f.keys[0], got) {
				t.Fatalf("while it recovers: %.200q", got)
			}
			return got == d.value(f.keys[0], f.keys[0])
		})
	})
}

// TestFailuresAreCounted: with auto_eject_hosts and a limit of two, the third request goes elsewhere if it
// was a failure of the server, and does not if not.
func TestFailuresAreCounted(t *testing.T) {
	eachTrouble(t, func(t *testing.T, d *dialect, x *trouble) {
		f := startFailing(t, d, x, "auto_eject_hosts: true", "server_failure_limit: 2", "server_retry_timeout: 100000")
		c, others := f.client(0), f.others()
		f.bad.set(x, 1)
		for i := range 6 {
			got := c.ask(f.keys[i])
			if x.counts && i >= 2 {
				if got != d.miss {
					t.Errorf("after the ejection: %.200q", got)
				}
			} else if !x.allowed(d, f.keys[i], got) {
				t.Errorf("request %d: %.200q", i, got)
			}
			others()
		}
		want := uint64(0)
		if x.counts {
			want = 1
		}
		if got := f.p.Report().Pools[0].Servers[0].Ejections; got != want {
			t.Errorf("%d ejections; the log:\n%s", got, f.p.Log)
		}
	})
}

// TestFailuresNowAndThen: of many requests of several clients some meet a failure. Each client gets its
// own replies, or what the failure allows.
func TestFailuresNowAndThen(t *testing.T) {
	eachTrouble(t, func(t *testing.T, d *dialect, x *trouble) {
		if x.name == "an answer too many" {
			return // while others wait it is taken for the next one's: nothing in the protocols tells them apart
		}
		f := startFailing(t, d, x)
		warm := f.client(0)
		if x.accept == nil && !f.auth() && warm.ask(f.keys[0]) != d.value(f.keys[0], f.keys[0]) {
			t.Fatal("the server is not well at first")
		}
		f.bad.set(x, 5)
		if x.accept != nil || f.auth() {
			f.bad.set(x, 2) // it is met on connecting, which is rare
		}
		rounds := 12
		if x.name == "silent" {
			rounds = 4 // each takes its time
		}
		// What is behind a failure on the same connection fails with it.
		allowed := *x
		allowed.want = append(slices.Clone(x.want), own, ended, wasReset, brokePip, nonsense)
		if x.name == "half an answer" || x.name == "reset in 10 MB" {
			allowed.want = append(allowed.want, closed)
		}
		var all sync.WaitGroup
		for id := range 6 {
			c := f.client(0)
			all.Go(func() {
				for i := range rounds {
					key := f.keys[(id*rounds+i)%len(f.keys)]
					if got := c.ask(key); !allowed.allowed(d, key, got) {
						t.Errorf("client %d, %s: %.200q", id, key, got)
					}
				}
			})
		}
		all.Wait()
		f.others()()
		f.bad.set(nil, 1)
		harness.Eventually(t, harness.Limit, "the server is used again", func() bool {
			return warm.ask(f.keys[0]) == d.value(f.keys[0], f.keys[0])
		})
	})
}

func eachTrouble(t *testing.T, test func(t *testing.T, d *dialect, x *trouble)) {
	for _, d := range []*dialect{&redisDialect, &memcachedDialect} {
		special := redisTroubles
		if d.name == "memcached" {
			special = memcachedTroubles
		}
		for _, x := range slices.Concat(troubles, special) {
			t.Run(d.name+"/"+x.name, func(t *testing.T) { test(t, d, x) })
		}
	}
}
