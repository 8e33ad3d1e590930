package integration

import (
	"bytes"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/bradfitz/gomemcache/memcache"
	"github.com/cashew-proxy/cashew/internal/config"
	"github.com/cashew-proxy/cashew/internal/memcachedtest"
	"github.com/cashew-proxy/cashew/test/harness"
)

// memcachedPool is pool for memcached.
func memcachedPool(servers []string, more ...string) string {
	text := pool(servers, more...)
	return strings.Replace(text, "redis: true", "redis: false", 1)
}

func startMemcached(t testing.TB, n int, args ...string) (addrs []string) {
	t.Helper()
	for range n {
		addrs = append(addrs, memcachedtest.StartServer(t, args...))
	}
	return addrs
}

// memcachedSamples has every command that is served at least once, and every way of getting it wrong.
// They run in this order, each seeing what those before it left. ~ stands for a line end; a reply may be
// nothing. Behind "#" is how the reply through the proxy is compared if not byte by byte, and why.
const memcachedSamples = `
set a 5 0 3~abc~
get a
gets a # numbers: each server numbers its changes
set b 0 0 0~~
set c 4294967295 -1 1~x~
get c
get a b c missing a
gets missing
get missing
set a 0 0 2 noreply~xy~
get a
add a 0 0 1~z~
add d 0 0 1~z~
add d 0 0 1 noreply~y~
replace d 0 0 2~zz~
replace missing 0 0 1~z~
replace missing 0 0 1 noreply~z~
append d 0 0 1~1~
prepend d 0 0 1~0~
append missing 0 0 1~1~
prepend missing 0 0 1 noreply~1~
get d
cas missing 0 0 1 1~x~
cas d 0 0 1 99999999~x~
cas d 0 0 1 99999999 noreply~x~
set n 0 0 2~10~
incr n 5
decr n 100
incr n 18446744073709551615
incr n 2 noreply
get n
incr missing 1
incr d 1
decr d 1 noreply
touch d 1000
touch missing 1000
touch d 1000 noreply
gat 100 d
gat 100 a b c d missing
gats 100 a # numbers: each server numbers its changes
delete d
delete d
delete a noreply
delete a 0
delete b 0 noreply
verbosity 1
verbosity 1 noreply
version # numbers: the level of the protocol, whatever server is installed
mg missing v
ms m 2~hi~
mg m v
mg m s v k f t # numbers: the time left
mg m k Oabc
mg m
mg m v q
mg missing v q
mg missing v q k
ms m 2 q F5 T100~ho~
ms m 2 I MA~!!~
mg m v f
ms bTE= 2 b~b1~
mg bTE= b k v
get bTE=
get m1
mg m1 v
ma n
ma n N60 J5 D2 v
ma newcounter N60 J5 v
ma missing
ma missing q
ma n q
ma n v q D3
md m q
md m q
md m
md n I T30
me missing
me c # shape: times and numbers
ms e 3 ME~abc~
ms e 3 ME~abc~
ms e 3 MR C1~abc~
ms missing 3 MR~abc~
ms e 3 ME q~abc~
set a
set a 0 0
set a b 0 1~x~ # swallowed: the server takes the data for a command
set a 0 b 1~x~ # swallowed: the server takes the data for a command
set a 0 0 b
set a 0 0 -1
set a 0 0 1 2 3 4
set a 0 0 3~abcdefg
set a 0 0 2~abcdef~
get
gets
gat
gat 10
gat x a
delete
delete a 5
delete a b c
incr
incr a
incr a x
incr a -1
incr a noreply
incr noreply 1
decr a 1 2 3
touch
touch a
touch a x
touch a noreply
cas a 0 0 1
cas a 0 0 1 x~y~ # swallowed: the server takes the data for a command
mg
ms
ms a
ms a x
ms a -1
md
ma
ms a 1 Mx~x~
ma n Mx
mg a v v
ms a 1 qq q~x~
nonsense
GET a
 ~
get  c  missing
   get c
get LONGKEY
set LONGKEY 0 0 1~x~ # swallowed: the server takes the data for a command
set LONGKEY 0 0 1 noreply~x~ # silent: the server takes the data for a command
delete LONGKEY
mg LONGKEY v
ms LONGKEY 1~x~ # swallowed: the server takes the data for a command
get LONGESTKEY
set LONGESTKEY 0 0 1~x~
get LONGESTKEY a
mg LONGESTKEY v
get a LONGKEY
incr LONGKEY 1
touch LONGKEY 1
gat 1 LONGKEY
flush_all # ours: refused unless the pool allows it
stats foo
`

// answer sends a sample and returns all that comes before the answer to a barrier.
func answer(c *memcachedtest.Client, sample string) string {
	raw := strings.NewReplacer("~", "\r\n", "LONGKEY", strings.Repeat("k", 251), "LONGESTKEY", strings.Repeat("k", 250)).Replace(sample)
	if !strings.HasSuffix(raw, "\r\n") {
		raw += "\r\n"
	}
	c.Send(raw + "mn\r\n")
	var all strings.Builder
	for {
		line := c.Line()
		if line == "MN\r\n" {
			return all.String()
		}
		all.WriteString(line)
	}
}

var figures = regexp.MustCompile(`[0-9]+`)

// memcachedComparisons hold the direct reply against the one through the proxy.
var memcachedComparisons = map[string]func(direct, proxied string) bool{
	"": func(direct, proxied string) bool { return direct == proxied },
	"numbers": func(direct, proxied string) bool {
		return figures.ReplaceAllString(direct, "0") == figures.ReplaceAllString(proxied, "0")
	},
	"shape": func(direct, proxied string) bool { return strings.Fields(direct)[0] == strings.Fields(proxied)[0] },
	"swallowed": func(direct, proxied string) bool {
		first, rest, _ := strings.Cut(direct, "\r\n")
		return rest != "" && first+"\r\n" == proxied
	},
	"silent": func(_, proxied string) bool { return proxied == "" },
	"ours":   func(_, proxied string) bool { return strings.HasPrefix(proxied, "CLIENT_ERROR flush_all not allowed") },
}

// Every command, directly and through one and three servers: the replies are the same.
func TestMemcachedCommands(t *testing.T) {
	for _, servers := range []int{1, 3} {
		t.Run(fmt.Sprint(servers), func(t *testing.T) {
			direct := memcachedtest.Dial(t, memcachedtest.StartServer(t))
			addr := harness.Start(t, memcachedPool(startMemcached(t, servers)), config.Options{}).Addr
			proxied := memcachedtest.Dial(t, addr)
			for line := range strings.Lines(memcachedSamples) {
				sample, how, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " # ")
				if sample == "" {
					continue
				}
				how, _, _ = strings.Cut(how, ":")
				compare, known := memcachedComparisons[how]
				if !known {
					t.Fatalf("%q: there is no comparison %q", line, how)
				}
				if want, got := answer(direct, sample), answer(proxied, sample); !compare(want, got) {
					t.Errorf("%.100q:\ndirectly %.200q\nproxied  %.200q", sample, want, got)
				}
			}
		})
	}
}

// cas with a number that gets has told is done once.
func TestMemcachedCAS(t *testing.T) {
	c := memcachedtest.Dial(t, harness.Start(t, memcachedPool(startMemcached(t, 2)), config.Options{}).Addr)
	for i := range 20 {
		key := fmt.Sprintf("k%d", i)
		if got := c.Do("set " + key + " 0 0 1\r\n1\r\n"); got != "STORED\r\n" {
			t.Fatal(got)
		}
		words := strings.Fields(c.Do("gets " + key + "\r\n"))
		request := fmt.Sprintf("cas %s 0 0 1 %s\r\n2\r\n", key, words[4])
		if first, second := c.Do(request), c.Do(request); first != "STORED\r\n" || second != "EXISTS\r\n" {
			t.Fatalf("%q: %q, then %q", request, first, second)
		}
	}
}

// The tests of libmemcached's authors pass through the proxy as they do directly, all of them.
func TestMemccapable(t *testing.T) {
	path, err := exec.LookPath("memccapable")
	if err != nil {
		t.Fatalf("memccapable (package libmemcached-tools) must be installed for this test: %v", err)
	}
	passes := func(addr string) (n int, out string) {
		host, port, _ := strings.Cut(addr, ":")
		b, _ := exec.Command(path, "-h", host, "-p", port, "-a").CombinedOutput() // the lines have the outcome
		return bytes.Count(b, []byte("[pass]")), string(b)
	}
	n, out := passes(memcachedtest.StartServer(t))
	if n != 27 {
		t.Fatalf("%d passes directly:\n%s", n, out)
	}
	addr := harness.Start(t, memcachedPool(startMemcached(t, 3), "allow_commands: flush_all"), config.Options{}).Addr
	if n, out = passes(addr); n != 27 {
		t.Errorf("%d passes through the proxy:\n%s", n, out)
	}
}

// A client library with its defaults does all that it can.
func TestGomemcache(t *testing.T) {
	addr := harness.Start(t, memcachedPool(startMemcached(t, 3, "-I", "8m"), "allow_commands: flush_all"), config.Options{}).Addr
	c := memcache.New(addr)
	c.Timeout = 10 * time.Second
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(c.Ping())
	var keys []string
	for i := range 100 {
		keys = append(keys, "key"+strconv.Itoa(i))
		must(c.Set(&memcache.Item{Key: keys[i], Value: []byte(strconv.Itoa(i)), Flags: uint32(i)}))
	}
	items, err := c.GetMulti(append(keys, "missing"))
	must(err)
	if len(items) != 100 || string(items["key42"].Value) != "42" || items["key42"].Flags != 42 {
		t.Fatalf("%d items, %+v", len(items), items["key42"])
	}
	large := bytes.Repeat([]byte("large\r\nEND\r\n"), 300_000)
	must(c.Set(&memcache.Item{Key: "large", Value: large}))
	item, err := c.Get("large")
	must(err)
	if !bytes.Equal(item.Value, large) {
		t.Error("a large value came back changed")
	}
	if err := c.Set(&memcache.Item{Key: "large", Value: make([]byte, 9<<20)}); err == nil {
		t.Error("a value that no server takes was stored")
	}
	if err := c.Add(&memcache.Item{Key: "key1", Value: nil}); err != memcache.ErrNotStored {
		t.Error(err)
	}
	n, err := c.Increment("key7", 10)
	must(err)
	if n != 17 {
		t.Errorf("7 and 10 are %d", n)
	}
	if item, err = c.Get("key7"); err != nil {
		t.Fatal(err)
	}
	item.Value = []byte("x")
	must(c.CompareAndSwap(item))
	if err := c.CompareAndSwap(item); err != memcache.ErrCASConflict {
		t.Error(err)
	}
	must(c.Touch("key1", 100))
	must(c.Append(&memcache.Item{Key: "key1", Value: []byte("!")}))
	must(c.Delete("key1"))
	if err := c.Delete("key1"); err != memcache.ErrCacheMiss {
		t.Error(err)
	}
	if _, err := c.GetAndTouch("key2", 60); err != nil {
		t.Error(err)
	}
	must(c.FlushAll())
	if _, err := c.Get("key2"); err != memcache.ErrCacheMiss {
		t.Error(err)
	}
}

// Keys of a server that is gone are an error or missing, as the pool says; the others are served.
func TestMemcachedServerDies(t *testing.T) {
	for _, how := range []string{"error", "miss"} {
		t.Run(how, func(t *testing.T) {
			gone := harness.FreeAddr(t)
			addr := harness.Start(t, memcachedPool([]string{memcachedtest.StartServer(t), gone}, "on_server_error: "+how), config.Options{}).Addr
			c := memcachedtest.Dial(t, addr)
			stored, failed := 0, 0
			for i := range 50 {
				switch got := c.Do(fmt.Sprintf("set k%d 0 0 1\r\nx\r\n", i)); got {
				case "STORED\r\n":
					stored++
				case "SERVER_ERROR Connection refused\r\n":
					failed++
				default:
					t.Fatalf("%q", got)
				}
			}
			if stored == 0 || failed == 0 {
				t.Fatalf("%d stored, %d failed", stored, failed)
			}
			request := "get"
			for i := range 50 {
				request += fmt.Sprintf(" k%d", i)
			}
			got := c.Do(request + "\r\n")
			if how == "error" && got != "SERVER_ERROR Connection refused\r\n" {
				t.Errorf("%.100q", got)
			}
			if how == "miss" && (strings.Count(got, "VALUE") != stored || !strings.HasSuffix(got, "END\r\n")) {
				t.Errorf("%d values of %d: %.100q", strings.Count(got, "VALUE"), stored, got)
			}
			if got := answer(c, "verbosity 1"); got != "OK\r\n" {
				t.Errorf("%q", got)
			}
		})
	}
}

// stats has the proxy's numbers, and on demand those of every server.
func TestMemcachedStats(t *testing.T) {
	c := memcachedtest.Dial(t, harness.Start(t, memcachedPool(startMemcached(t, 2)), config.Options{}).Addr)
	own := c.Do("stats\r\n")
	for _, want := range []string{"STAT uptime ", "STAT curr_connections 1\r\n", "STAT total_connections 1\r\n", "STAT requests 1\r\n"} {
		if !strings.Contains(own, want) {
			t.Errorf("no %q in %q", want, own)
		}
	}
	all := c.Do("stats servers\r\n")
	for _, want := range []string{"STAT s0 pid ", "STAT s1 pid ", "STAT s0 curr_items 0\r\n"} {
		if !strings.Contains(all, want) {
			t.Errorf("no %q in %.300q", want, all)
		}
	}
	if got := c.Do("stats servers settings\r\n"); !strings.Contains(got, "STAT s1 maxbytes ") {
		t.Errorf("%.300q", got)
	}
}
