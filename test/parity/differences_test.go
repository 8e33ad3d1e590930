package parity

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/cashew-proxy/cashew/internal/redistest"
	"github.com/cashew-proxy/cashew/test/harness"
)

// difference is an input that the two answer differently on purpose.
type difference struct {
	row        string // the first column of its line in docs/from-twemproxy.md
	input      string
	twemproxy  string // all that it sends until it closes the connection
	cashew     string
	onlyPrefix bool // cashew's answer is longer: it is the server's
}

const pong = "+PONG\r\n"

func request(line string) string { return redistest.Request(strings.Split(line, " ")...) }

// after is a request that is answered only if the connection has survived.
var after = request("PING")

func unknown(name, arguments string) string {
	return "-ERR unknown command '" + name + "', with args beginning with: " + arguments + "\r\n"
}

func arity(name string) string {
	return "-ERR wrong number of arguments for '" + name + "' command\r\n"
}

const invalidLength = "-ERR Protocol error: invalid multibulk length\r\n"

var differences = []difference{
	{"unknown command", request("NONSENSE a") + after, "", unknown("NONSENSE", "'a' ") + pong, false},
	{"unknown command", after + request("NONSENSE") + after, "", pong + unknown("NONSENSE", "") + pong, false},
	{"`INFO`", request("INFO server") + after, "", "$", true},
	{"`HELLO`", request("HELLO 2") + after, "", "*14\r\n$6\r\nserver\r\n$5\r\nredis\r\n", true},
	{"`HELLO`", request("HELLO 4") + after, "", "-NOPROTO unsupported protocol version\r\n" + pong, false},
	{"`CLIENT`", request("CLIENT GETNAME") + after, "", "$-1\r\n" + pong, false},
	{"`MULTI`, `WATCH`, blocking commands, subscriptions", request("MULTI") + after, "", "-ERR MULTI is not supported by the proxy\r\n" + pong, false},
	{"`MULTI`, `WATCH`, blocking commands, subscriptions", request("SUBSCRIBE c") + after, "", "-ERR SUBSCRIBE is not supported by the proxy\r\n" + pong, false},
	{"wrong number of arguments", request("GET") + after, "", arity("get") + pong, false},
	{"wrong number of arguments", request("GET a b") + after, "", arity("get") + pong, false},
	{"wrong number of arguments", request("MSET a b c") + after, "", arity("mset") + pong, false},
	{"wrong number of arguments", request("EVAL x") + after, "", arity("eval") + pong, false},
	{"a request that is no RESP", "*x\r\n" + after, "", invalidLength, false},
	{"a request that is no RESP", after + "*1\r\n:1\r\n", "", pong + "-ERR Protocol error: expected '$', got ':'\r\n", false},
	{"inline commands", "PING\r\n" + after, "", pong + pong, false},
	{"`*0`", "*0\r\n" + after, "", pong, false},
	{"lengths that wrap or have no digits", "*4294967297\r\n$4\r\nPING\r\n", pong, invalidLength, false},
	{"lengths with leading zeros", "*01\r\n$4\r\nPING\r\n", pong, invalidLength, false},
	{"length of keys", request("GET " + strings.Repeat("k", 20000)), "", "$-1\r\n", false},
	{"commands of Redis 7 beyond its table", request("EXPIRETIME none") + after, "", ":-2\r\n" + pong, false},
	{"commands of Redis 7 beyond its table", request("EXPIRE none 10 NX") + after, "", ":0\r\n" + pong, false},
	{"`QUIT`", request("QUIT") + after, "", "+OK\r\n", false},
	{"`PING message`, `ECHO`", request("PING hello") + after, "", "$5\r\nhello\r\n" + pong, false},
	{"`PING message`, `ECHO`", request("ECHO hello") + after, "", "$5\r\nhello\r\n" + pong, false},
	{"`AUTH user password`", request("AUTH u p") + after, "", "-WRONGPASS invalid username-password pair or user is disabled.\r\n" + pong, false},
	{"`SELECT`", request("SELECT 0") + after, "", "+OK\r\n" + pong, false},
	{"`SELECT`", request("SELECT 1") + after, "", "+OK\r\n" + pong, false},
	{"`SELECT`", request("SELECT 16") + after, "", "-ERR DB index is out of range\r\n" + pong, false},
	{"`COMMAND` with arguments", request("COMMAND COUNT") + after, "", ":", true},
	{"`EVAL` without keys", redistest.Request("EVAL", "return 7", "0") + after, "", ":7\r\n" + pong, false},
	{"`MOVE`", request("MOVE none 1") + after, "", ":0\r\n" + pong, false},
}

func TestDifferences(t *testing.T) {
	text, err := os.ReadFile("../../docs/from-twemproxy.md")
	if err != nil {
		t.Fatal(err)
	}
	servers := startServers(t, 3)
	old, ours := startTwemproxy(t, plain, servers), startCashew(t, plain, servers)
	for _, d := range differences {
		if !strings.Contains(string(text), "\n| "+d.row+" |") {
			t.Errorf("the document has no line %q", d.row)
		}
		if got := until(t, old, d.input); got != d.twemproxy {
			t.Errorf("%s: %.80q: twemproxy %.200q, want %q", d.row, d.input, got, d.twemproxy)
		}
		if got := until(t, ours, d.input); got != d.cashew && !(d.onlyPrefix && strings.HasPrefix(got, d.cashew) && strings.HasSuffix(got, pong)) {
			t.Errorf("%s: %.80q: cashew %.200q, want %q", d.row, d.input, got, d.cashew)
		}
	}
}

// TestSame: odd inputs that both answer alike. A client's end of stream follows each.
func TestSame(t *testing.T) {
	servers := startServers(t, 3)
	old, ours := startTwemproxy(t, plain, servers), startCashew(t, plain, servers)
	for _, input := range []string{
		after, after + after + after, "", request("AUTH x") + after, request("GET none") + after, request("pInG"),
		redistest.Request("SET", "", "") + redistest.Request("GET", "") + redistest.Request("DEL", "", ""),
		redistest.Request("MGET", "", "", "a"), request("EVAL x 1 a") + after, request("EVALSHA 00 1 a") + after,
		request("SET a b") + request("LPUSH a b") + after, request("SET a 1 XX GET BAD") + after,
		request("EVAL return(1) 5 a") + after, request("HSET h a") + after, request("SORT none BY x GET y") + after,
		request("DEL a b c d e f g"), request("SINTERSTORE {a}1 {a}2"), request("LOLWUT") + after,
	} {
		want := until(t, old, input)
		flush(t, servers)
		got := until(t, ours, input)
		flush(t, servers)
		if want != got {
			t.Errorf("%.80q: twemproxy %.200q, cashew %.200q", input, want, got)
		}
	}
}

func TestAuthentication(t *testing.T) {
	servers := []string{}
	for range 3 {
		servers = append(servers, redistest.StartServer(t, "--requirepass", "secret"))
	}
	old, ours := startTwemproxy(t, plain, servers, "redis_auth: secret"), startCashew(t, plain, servers, "redis_auth: secret")
	for _, input := range []string{
		request("PING"), request("GET a"), request("MGET a b c"), request("AUTH wrong") + request("GET a"), request("AUTH secret") + request("PING"),
		request("AUTH secret") + request("SET a v") + request("GET a") + request("MGET a b c d"),
		request("AUTH secret") + request("AUTH wrong") + request("AUTH secret") + request("GET a"), request("LOLWUT"),
	} {
		want, got := until(t, old, input), until(t, ours, input)
		if want != got || want == "" {
			t.Errorf("%.80q: twemproxy %.200q, cashew %.200q", input, want, got)
		}
	}
	again, refused := request("AUTH secret")+request("AUTH wrong")+request("PING"), "+OK\r\n-ERR invalid password\r\n"
	if got := until(t, old, again); got != refused+"-NOAUTH Authentication required\r\n" {
		t.Errorf("a wrong password after the right one: twemproxy %q: the document says that it takes the right away", got)
	}
	if got := until(t, ours, again); got != refused+pong {
		t.Errorf("a wrong password after the right one: cashew %q", got)
	}
}

// TestWrongResultsOfTwemproxy: commands that it sends to a server that has not all of the keys.
func TestWrongResultsOfTwemproxy(t *testing.T) {
	servers := startServers(t, 3)
	old, ours := startTwemproxy(t, plain, servers), startCashew(t, plain, servers)
	// Thirty keys are not all on one server, and {tag} is not where "2" is for every tag.
	exists := []string{"EXISTS"}
	c := redistest.Dial(t, old)
	zunion := 0
	for i := range 30 {
		key := fmt.Sprintf("k%d", i)
		exists = append(exists, key)
		c.Do("SET", key, "v")
		tagged := fmt.Sprintf("{tag%d}", i)
		c.Do("ZADD", tagged, "1", "m")
		union := redistest.Request("ZUNION", "2", tagged, tagged+"none")
		if got := until(t, ours, union); got != "*1\r\n$1\r\nm\r\n" {
			t.Errorf("ZUNION: %q", got)
		}
		if until(t, old, union) == "*0\r\n" {
			zunion++
		}
	}
	if zunion == 0 {
		t.Error("twemproxy found every ZUNION: the document says that it does not")
	}
	all := redistest.Request(exists...)
	if got := until(t, ours, all); got != ":30\r\n" {
		t.Errorf("EXISTS: %q", got)
	}
	if got := until(t, old, all); got == ":30\r\n" {
		t.Error("twemproxy counts EXISTS right: the document says that it does not")
	}
}

// TestServersThatFail: the texts for servers that are not there, and what becomes of the client.
func TestServersThatFail(t *testing.T) {
	live := startServers(t, 1)[0]
	dead := []string{redistest.StartServer(t), redistest.StartServer(t)}
	servers := append([]string{live}, dead...)
	for _, s := range dead {
		redistest.Dial(t, s).Send("SHUTDOWN", "NOSAVE")
		harness.Eventually(t, harness.Limit, "the server is down", func() bool {
			_, err := redistest.TryDial(t, s)
			return err != nil
		})
	}
	old, ours := startTwemproxy(t, plain, servers), startCashew(t, plain, servers)
	refused := 0
	for i := range 30 {
		input := request(fmt.Sprintf("SET k%d v", i)) + after + request(fmt.Sprintf("GET k%d", i))
		want, got := until(t, old, input), until(t, ours, input)
		if want != got {
			t.Errorf("%q: twemproxy %q, cashew %q", input, want, got)
		}
		if strings.HasPrefix(got, "-ERR Connection refused\r\n") {
			refused++
		}
	}
	if refused == 0 || refused == 30 {
		t.Errorf("%d of 30 keys live on servers that are down", refused)
	}
	for range len(servers) {
		if got := until(t, ours, request("LOLWUT")); !strings.HasPrefix(got, "$") {
			t.Errorf("LOLWUT: cashew %q, although a server is connected", got)
		}
	}
	many := " k0 k1 k2 k3 k4 k5 k6 k7 k8 k9"
	for _, line := range []string{"DEL" + many, "TOUCH" + many, "MSET" + many} {
		if want, got := until(t, old, request(line)), until(t, ours, request(line)); want != got {
			t.Errorf("%s: twemproxy %q, cashew %q", line, want, got)
		}
	}
	// MGET: cashew keeps the client.
	if got := until(t, ours, request("MGET"+many)+after); got != "-ERR Connection refused\r\n"+pong {
		t.Errorf("MGET: cashew %q", got)
	}
	c := redistest.Dial(t, old)
	c.Write(request("MGET" + many))
	for {
		reply, err := c.TryRead()
		if err == io.EOF || errors.Is(err, syscall.ECONNRESET) {
			break // as the document says
		}
		if err != nil || reply != "-ERR Connection refused\r\n" {
			t.Fatalf("MGET: twemproxy %q, %v: the document says that it closes the client", reply, err)
		}
	}
}

// until returns all that is answered to input, which the end of the stream follows.
func until(t *testing.T, addr, input string) string {
	t.Helper()
	c := redistest.Dial(t, addr)
	defer c.Close()
	if err := c.TryWrite(input); err != nil {
		return "" // closed while it was sent
	}
	var all strings.Builder
	for half := input == ""; ; half = true {
		if half {
			// An error means that the other side has closed already. It comes after the first answer,
			// because twemproxy may never notice an end of stream that arrives together with data.
			_ = c.Conn().(interface{ CloseWrite() error }).CloseWrite()
		}
		reply, err := c.TryRead()
		all.WriteString(reply)
		switch {
		case err == io.EOF, errors.Is(err, syscall.ECONNRESET):
			return all.String()
		case err != nil:
			t.Fatalf("%.80q: %v after %q", input, err, all.String())
		}
	}
}
