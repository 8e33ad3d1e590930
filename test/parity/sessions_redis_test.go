package parity

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cashew-proxy/cashew/internal/config"
	"github.com/cashew-proxy/cashew/internal/redistest"
	"github.com/cashew-proxy/cashew/internal/sim"
	"github.com/cashew-proxy/cashew/test/harness"
)

var redisSessions = sessionKind{
	name: "redis", start: startRedisSessions(""), make: makeRedisSession(""), normal: normalRedis, excused: excusedRedis, leaves: true,
}

// lockedSessions are with a password, which most clients give late.
var lockedSessions = sessionKind{
	name: "locked", start: startRedisSessions("secret"), make: makeRedisSession("secret"), excused: excusedRedis, leaves: true,
	normal: func(b []byte) []byte { // that a value lacks is found by the proxy before it asks who is there
		return bytes.ReplaceAll(normalRedis(b), []byte("-ERR wrong number of arguments for 'mset' command\r\n"), []byte("-NOAUTH Authentication required\r\n"))
	},
}

func startRedisSessions(password string) func(t *testing.T) (string, string, func(bool) error) {
	return func(t *testing.T) (string, string, func(bool) error) {
		text := "alpha:\n  listen: " + harness.AnyPort + "\n  redis: true\n"
		if password != "" {
			text += "  redis_auth: " + password + "\n"
		}
		var clients []*redistest.Client
		servers := startServers(t, 2)
		for _, addr := range servers {
			c := redistest.Dial(t, addr)
			if password != "" {
				c.Do("CONFIG", "SET", "requirepass", password)
				c.Do("AUTH", password)
			}
			clients = append(clients, c)
		}
		after := func(same bool) error {
			// What a client wanted no answer to may still be under way when its connection is closed.
			a, b := contentsOf(t, clients[0]), contentsOf(t, clients[1])
			for deadline := time.Now().Add(harness.Limit / 4); same && a != b && time.Now().Before(deadline); {
				a = contentsOf(t, clients[0])
			}
			for _, c := range clients {
				c.Do("FLUSHALL")
			}
			if same && a != b {
				return fmt.Errorf("the servers have\nproxied  %q\ndirectly %q", a, b)
			}
			return nil
		}
		return harness.Start(t, text+"  servers:\n    - "+servers[0]+":1\n", config.Options{}).Addr, servers[1], after
	}
}

var keyspaceTimes = regexp.MustCompile(`,avg_ttl=\d+|\$\d+\r\n`)

func contentsOf(t *testing.T, c *redistest.Client) string {
	digest := c.Do("DEBUG", "DIGEST")
	if strings.HasPrefix(digest, "-") {
		t.Fatal(digest)
	}
	return digest + keyspaceTimes.ReplaceAllString(c.Do("INFO", "keyspace"), "")
}

// unordered are commands whose reply has an order of the server's own, a matter of its hash seed, or the time.
var unordered = []string{
	"HGETALL", "HKEYS", "HVALS", "HSCAN", "SMEMBERS", "SSCAN", "SDIFF", "SINTER", "SUNION", "SPOP", "SRANDMEMBER", "ZRANDMEMBER", "ZSCAN",
	"TTL", "PTTL", "LPOS",
}

// talks are what a client says about itself. What is about the proxy has its own words: see INFO and CLIENT LIST.
var talks = strings.Split("SELECT 0|SELECT 1|SELECT 15|SELECT 16|SELECT -1|SELECT 01|SELECT x|SELECT|HELLO 3|HELLO 2|HELLO|HELLO 4|HELLO x|HELLO 3 SETNAME n|HELLO 3 SETNAME|HELLO 3 AUTH a|"+
	"CLIENT SETNAME n|CLIENT SETNAME|CLIENT GETNAME|CLIENT REPLY SKIP|CLIENT REPLY OFF|CLIENT REPLY ON|CLIENT REPLY x|CLIENT NONSENSE a|CLIENT|RESET|RESET x|"+
	"PING|PING a|PING a b|ECHO a|ECHO|QUIT|ECHO a b|CLIENT NO-EVICT on|CLIENT NO-EVICT x|CLIENT UNPAUSE|CLIENT KILL ID 999999|CLIENT KILL x y|"+
	"CONFIG|OBJECT ENCODING sK|OBJECT HELP x|OBJECT|XINFO STREAM|ROLE x|READONLY x|WHAT\r\nEVER x|NONSENSE 'a' b|COMMAND COUNT", "|")

// only are requests that the proxy does not serve, and what it says.
var only = [][2]string{
	{"MULTI", "ERR MULTI is not supported by the proxy"},
	{"WATCH a", "ERR WATCH is not supported by the proxy"},
	{"BLPOP a 0", "ERR BLPOP is not supported by the proxy"},
	{"FLUSHALL", "ERR FLUSHALL is not allowed through the proxy"},
	{"SUBSCRIBE a", "ERR SUBSCRIBE is not supported by the proxy"},
	{"MONITOR", "ERR unknown command 'MONITOR', with args beginning with: "},
}

func makeRedisSession(password string) func(*rand.Rand, uint64) session {
	return func(r *rand.Rand, seed uint64) session {
		proxied, direct := &strings.Builder{}, &strings.Builder{}
		// Redis does not close a client that is not to hear of its mistake, so quiet ones make none of that kind. And
		// once the length of a value is wrong, what follows may be part of it: it must be the same for both. And a value may
		// be taken for a line, of which a server looks for the end up to a NUL only.
		quiet, out := r.IntN(2) == 0, false
		both := func(raw string) {
			if out {
				raw = strings.ReplaceAll(raw, "\x00", "0")
			}
			proxied.WriteString(raw)
			direct.WriteString(raw)
		}
		simulated := sim.Stream(seed, false, 30)
		if password != "" && r.IntN(3) > 0 {
			both(redistest.Request("AUTH", password))
		}
		for i := range 10 + r.IntN(60) {
			switch n := r.IntN(100); {
			case n < 20 && i < len(simulated):
				if !notTheSame.MatchString(simulated[i]) {
					both(simulated[i])
				}
			case n < 70:
				both(encode(r, sessionRequest(r)))
			case n < 85:
				both(encode(r, spoil(r, sessionRequest(r), edges)))
			case n < 92:
				if talk := oneOf(r, talks...); password != "" && strings.HasPrefix(talk, "HELLO 3 SETNAME") {
					continue // Redis gives the name before it asks for the password
				} else if quiet || !strings.HasPrefix(talk, "CLIENT REPLY") {
					both(encode(r, fill(r, talk)))
				}
			case n < 94 && password == "" && !out:
				one := oneOf(r, only...)
				proxied.WriteString(redistest.Request(strings.Fields(one[0])...))
				direct.WriteString(redistest.Request("EVAL", "return redis.error_reply(ARGV[1])", "0", one[1]))
			case n < 97 && password != "":
				both(encode(r, fill(r, oneOf(r, "AUTH secret", "AUTH wrong", "AUTH default secret", "AUTH default x", "AUTH nobody x", "AUTH", "AUTH a b c"))))
			case n < 99:
				both(oneOf(r, "\r\n", "*0\r\n", "\n", "*-1\r\n", " \t \r\n", "*-7\r\n"))
			case r.IntN(2) == 0 && !quiet:
				both(malformed(r, sessionRequest(r)))
				out = true
			}
		}
		farewell := fmt.Sprintf("the end of session %d", seed)
		both(strings.Repeat("\r\n", 1500)) // what is still awaited, as part of a value perhaps
		if password != "" {
			both(redistest.Request("AUTH", password))
		}
		both(redistest.Request("CLIENT", "REPLY", "ON") + redistest.Request("ECHO", farewell))
		return session{proxied.String(), direct.String(), fmt.Sprintf("$%d\r\n%s\r\n", len(farewell), farewell)}
	}
}

// notTheSame are simulated requests that the proxy does not serve, or to which servers answer in an order of their own.
var notTheSame = regexp.MustCompile(`(?i)^(\*1\r\n\$\d+\r\n)?["']?(MULTI|COMMAND)["']?\r?\n`)

// sessionRequest is a random request with one right answer.
func sessionRequest(r *rand.Rand) []string {
	for {
		if args := randomRequest(r); !slices.Contains(unordered, strings.ToUpper(args[0])) {
			return args
		}
	}
}

// fill puts keys in a form.
func fill(r *rand.Rand, form string) []string {
	args := strings.Split(form, " ")
	for i, a := range args {
		if a == "sK" {
			args[i] = "s" + randomKey(r)
		}
	}
	return args
}

// encode writes a request as an array, or as a line if that can be.
func encode(r *rand.Rand, args []string) string {
	if r.IntN(6) > 0 || args[0] == "" {
		return redistest.Request(args...)
	}
	var b strings.Builder
	for i, a := range args {
		if i > 0 {
			b.WriteString(oneOf(r, " ", " ", "  ", "\t"))
		}
		b.WriteString(word(r, a))
	}
	return b.String() + oneOf(r, "\r\n", "\r\n", "\n", " \r\n")
}

// word writes a word of a line, in quotes if it has to be.
func word(r *rand.Rand, a string) string {
	bare := a != "" && !strings.ContainsFunc(a, func(c rune) bool { return c <= ' ' || c >= 127 || c == '"' || c == '\'' || c == '*' })
	single := !strings.ContainsFunc(a, func(c rune) bool { return c < ' ' || c >= 127 || c == '\'' || c == '\\' })
	switch n := r.IntN(4); {
	case bare && n < 2:
		return a
	case single && n == 2:
		return "'" + a + "'"
	}
	var b strings.Builder
	b.WriteByte('"')
	for _, c := range []byte(a) {
		switch {
		case c == '\n' && r.IntN(2) == 0:
			b.WriteString(`\n`)
		case c == '"' || c == '\\':
			b.WriteString(`\` + string(rune(c)))
		case c < ' ' || c >= 127 || r.IntN(20) == 0:
			fmt.Fprintf(&b, `\x%02x`, c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String() + `"`
}

// malformed is nearly a request: a length is not that of what follows, or is none, a line end lacks a half, quotes
// stay open. There is no NUL in it, at which a server stops to look for the end of a line.
func malformed(r *rand.Rand, args []string) string {
	for i, a := range args {
		args[i] = strings.ReplaceAll(a, "\x00", "0")
	}
	whole := redistest.Request(args...)
	header := "*" + strconv.Itoa(len(args)) + "\r\n"
	rest := whole[len(header):]
	switch r.IntN(10) {
	case 0:
		return "*" + strconv.Itoa(len(args)+oneOf(r, -1, 1)) + "\r\n" + rest
	case 4:
		return "*" + oneOf(r, edges...) + "\r\n"
	case 5:
		return header[:len(header)-2] + "\n" + rest
	case 2, 3: // a length of a value
		at := strings.LastIndex(whole, "$")
		line, data, _ := strings.Cut(whole[at:], "\r\n")
		n, _ := strconv.Atoi(line[1:]) // a dollar of the value's own: it then has no number, or another
		return whole[:at] + "$" + oneOf(r, strconv.Itoa(n+1), strconv.Itoa(max(0, n-1)), strconv.Itoa(n+100), oneOf(r, edges...)) + "\r\n" + data
	case 6:
		return header + oneOf(r, ":", "+", "*", "!", "a", "(") + rest[1:]
	case 7:
		return oneOf(r, `get "a`, `get 'a`, `get "a"b`, `get 'a'b`, `get a"b`, `set a \"`, `"`, `get "\x4`) + "\r\n"
	case 1:
		return strings.Replace(whole, "\r\n", "\n", 1+r.IntN(3))
	default:
		return oneOf(r, "$3\r\nGET\r\n", "+OK\r\n", ":1\r\n", "GET / HTTP/1.1\r\nAccept: */*\r\n\r\n", "*1\r\n*1\r\n$4\r\nPING\r\n", "*1\r\n$-1\r\n", "%1\r\n", "_\r\n")
	}
}

var (
	got      = regexp.MustCompile(`(?s)expected '\$', got '.'`)
	identity = regexp.MustCompile(`\$2\r\nid\r\n:\d+\r\n`)
	noPass   = regexp.MustCompile(`-ERR AUTH <password> called without any password configured [^\r]*\r\n`)
)

// normalRedis makes equal what differs on purpose: docs/security.md lists it.
func normalRedis(b []byte) []byte {
	b = got.ReplaceAll(b, []byte("expected '$$', got 'x'"))
	b = identity.ReplaceAll(b, []byte("$$2\r\nid\r\n:1\r\n"))
	b = noPass.ReplaceAll(b, []byte("-ERR Client sent AUTH, but no password is set\r\n"))
	b = bytes.ReplaceAll(b, []byte("-NOAUTH Authentication required.\r\n"), []byte("-NOAUTH Authentication required\r\n"))
	b = bytes.ReplaceAll(b, []byte("the HELLO <proto> AUTH <user>"), []byte("the HELLO AUTH <user>")) // newer servers say so
	return bytes.ReplaceAll(b, []byte("-WRONGPASS invalid username-password pair or user is disabled.\r\n"), []byte("-ERR invalid password\r\n"))
}

// excusedRedis: a value that does not end where its length says ends the session, where Redis skips two bytes of any kind.
func excusedRedis(proxied, direct []byte) bool {
	before, ok := bytes.CutSuffix(proxied, []byte("-ERR Protocol error: expected CRLF after a bulk string\r\n"))
	return ok && bytes.HasPrefix(direct, before)
}
