package integration

import (
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/cashew-proxy/cashew/internal/config"
	"github.com/cashew-proxy/cashew/internal/redistest"
	"github.com/cashew-proxy/cashew/test/harness"
)

// everyByte has all 256 bytes, line ends included.
func everyByte() string {
	b := make([]byte, 256)
	for i := range b {
		b[i] = byte(i)
	}
	return string(b)
}

func TestAnyBytesAreKeysAndValues(t *testing.T) {
	p := harness.Start(t, pool(startServers(t, 3)), config.Options{})
	direct, proxied := redistest.Dial(t, redistest.StartServer(t)), redistest.Dial(t, p.Addr)
	mebibyte := strings.Repeat(everyByte(), 4096)
	texts := []string{
		"", "\r\n", "\x00", "$-1\r\n", "*1\r\n$4\r\nPING\r\n", "{}", "{", "}{", "\xff\xfe", everyByte(),
		strings.Repeat("k", 64<<10), mebibyte,
	}
	for _, text := range texts {
		for _, args := range [][]string{
			{"SET", text, text},
			{"GET", text},
			{"MSET", text, text, "other", "v"},
			{"MGET", text, "other", "none", text},
			{"APPEND", text, text},
			{"STRLEN", text},
			{"HSET", "h" + text, text, text},
			{"HGETALL", "h" + text},
			{"ECHO", text},
			{"PING", text},
			{"EVAL", "return ARGV", "1", text, text},
			{"DEL", text, "h" + text, "other"},
		} {
			if want, got := direct.Do(args...), proxied.Do(args...); got != want {
				t.Errorf("%s with %d bytes %.20q: directly %.80q, proxied %.80q", args[0], len(text), text, want, got)
			}
		}
	}
}

// TestPipelineStaysInOrder sends a thousand requests of all kinds at once; every reply must be the one
// that a single server gives.
func TestPipelineStaysInOrder(t *testing.T) {
	p := harness.Start(t, pool(startServers(t, 3)), config.Options{})
	direct, proxied := redistest.Dial(t, redistest.StartServer(t)), redistest.Dial(t, p.Addr)
	for seed := range uint64(3) {
		r := rand.New(rand.NewPCG(seed, 1))
		var requests []string
		for range 1000 {
			requests = append(requests, mixed(r))
		}
		all := strings.Join(requests, "")
		done := make(chan error, 2)
		for _, c := range []*redistest.Client{direct, proxied} {
			go func() { done <- c.TryWrite(all) }() // beside the reading: neither side may wait for the other
		}
		for i, request := range requests {
			want, got := direct.Read(), proxied.Read()
			if got != want {
				t.Fatalf("seed %d, request %d %.200q: directly %.200q, proxied %.200q", seed, i, request, want, got)
			}
		}
		for range 2 {
			if err := <-done; err != nil {
				t.Fatal(err)
			}
		}
	}
}

// mixed makes a request: to one server, split, local, inline, wrong, large.
func mixed(r *rand.Rand) string {
	key := func() string { return fmt.Sprintf("k%d", r.IntN(40)) }
	value := func() string { return fmt.Sprintf("v%d", r.IntN(1000)) }
	switch r.IntN(16) {
	case 0:
		return redistest.Request("SET", key(), value())
	case 1:
		return redistest.Request("SET", key(), strings.Repeat(value(), 1+r.IntN(5000)))
	case 2, 3:
		return redistest.Request("GET", key())
	case 4:
		return redistest.Request("MSET", key(), value(), key(), value(), key(), value())
	case 5, 6:
		return redistest.Request("MGET", key(), key(), key(), key())
	case 7:
		return redistest.Request("DEL", key(), key())
	case 8:
		return redistest.Request("EXISTS", key(), key(), key())
	case 9:
		return redistest.Request("PING")
	case 10:
		return redistest.Request("ECHO", value())
	case 11:
		return "GET " + key() + "\r\n" // inline
	case 12:
		return "set " + key() + " \"a \\x41\\n\"\n"
	case 13:
		return redistest.Request("LPUSH", key(), value()) // WRONGTYPE
	case 14:
		return redistest.Request("UNKNOWN", key())
	default:
		return redistest.Request("APPEND", key(), value())
	}
}

// TestRawInput: what is sent as bytes, and all that comes back until the end, directly and proxied.
func TestRawInput(t *testing.T) {
	p := harness.Start(t, pool(startServers(t, 3)), config.Options{})
	server := redistest.StartServer(t)
	for _, input := range []string{
		"PING\r\n", "ping\n", "  PING  \r\n", "\r\nPING\r\n", "\n\nPING\r\n", "PING hello\r\n", "SET a 'b c'\r\nGET a\r\n",
		"SET a \"\\x00\\r\"\r\nGET a\r\n", "PING \"unbalanced\r\n", "PING 'a'b\r\n", "nonsense words\r\n", "GET\r\n",
		"*0\r\nPING\r\n", "*-1\r\nPING\r\n", "*00\r\n", "*x\r\n", "*1\r\nPING\r\n", "*1\r\n:4\r\n", "*2\r\n$3\r\nGET\r\n$-1\r\n",
		"*2\r\n$3\r\nGET\r\n$x\r\n", "*2\r\n$3\r\nGET\r\n$\r\n", "*2\r\n$3\r\nGET\r\n$99999999999\r\n", "*99999999999\r\n",
		"*4294967297\r\n$4\r\nPING\r\n", "*1\r\n$4\r\nPING\r\n*x\r\n", "PING\r\n*1\r\n?\r\n", "*1\r\n$0\r\n\r\n", "PING",
		strings.Repeat("x", 70<<10), "*" + strings.Repeat("1", 30) + "\r\n",
	} {
		want, got := until(t, server, input), until(t, p.Addr, input)
		if got != want {
			t.Errorf("%.60q: directly %.200q, proxied %.200q", input, want, got)
		}
	}
}

// until returns all that is answered to input once the client has said that nothing more comes.
func until(t *testing.T, addr, input string) string {
	t.Helper()
	c := redistest.Dial(t, addr)
	defer c.Close()
	c.Write(input)
	if err := c.Conn().(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for {
		reply, err := c.TryRead()
		all.WriteString(reply)
		if err == io.EOF {
			return all.String()
		}
		if err != nil {
			return all.String() + " and " + err.Error()
		}
	}
}

// TestCrossServer: keys on several servers where one is needed.
func TestCrossServer(t *testing.T) {
	const refused = "-CROSSSLOT Keys in request don't hash to the same slot\r\n"
	servers := startServers(t, 3)
	p := harness.Start(t, pool(servers), config.Options{})
	c := redistest.Dial(t, p.Addr)
	keys := keyOnEach(t, p.Addr, servers)
	a, b, third := keys[0], keys[1], keys[2]
	c.Do("SADD", a, "1")
	c.Do("SADD", b, "2")
	for _, args := range [][]string{
		{"SUNION", a, b},
		{"SUNIONSTORE", a, a + "x", third},
		{"RENAME", a, b},
		{"ZUNION", "2", a + "z", b + "z"},
		{"EVAL", "return 1", "2", a, b},
		{"MSETNX", a + "1", "v", b + "1", "v"},
		{"XREAD", "STREAMS", a + "s", b + "s", "0", "0"},
	} {
		if got := c.Do(args...); got != refused {
			t.Errorf("%v: %q", args, got)
		}
	}
	first := harness.Start(t, pool(servers, "cross_server: first_key"), config.Options{})
	if got := redistest.Dial(t, first.Addr).Do("SUNION", a, b); got != "*1\r\n$1\r\n1\r\n" {
		t.Errorf("cross_server: first_key: %q", got)
	}
}

// keyOnEach returns a key of the form "{n}" for each server, in their order, that lives there.
func keyOnEach(t *testing.T, proxied string, servers []string) []string {
	t.Helper()
	c := redistest.Dial(t, proxied)
	keys, found := make([]string, len(servers)), 0
	for n := 0; found < len(servers) && n < 1000; n++ {
		key := fmt.Sprintf("{%d}", n)
		c.Do("SET", key, "")
		for i, s := range servers {
			if keys[i] == "" && redistest.Dial(t, s).Do("EXISTS", key) == ":1\r\n" {
				keys[i] = key
				found++
			}
		}
		c.Do("DEL", key)
	}
	if found < len(servers) {
		t.Fatal("some server has no key of a thousand")
	}
	return keys
}
