package memcached

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cashew-proxy/cashew/internal/memcachedtest"
)

// big is wide for requests greater than what a server stores.
var big = Limits{Bytes: 4 << 20, Arguments: 1 << 16, Line: 2048}

// talk sends bytes and "mn" on a connection of their own and returns all that is answered before MN, the
// end of which is a protocol of its own: a stream that was swallowed or closed has none.
func talk(t *testing.T, addr, raw string) (answer string, ok bool) {
	t.Helper()
	c := memcachedtest.Dial(t, addr)
	defer c.Close()
	conn := c.Conn()
	c.Send(raw + "mn\r\n")
	if err := conn.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	buf := make([]byte, 64<<10)
	for {
		n, err := conn.Read(buf)
		got.Write(buf[:n])
		if s, ended := strings.CutSuffix(got.String(), "MN\r\n"); ended {
			return s, true
		}
		if err != nil {
			if !errors.Is(err, io.EOF) {
				t.Logf("after %.200q: %v", raw, err)
			}
			return got.String(), false
		}
	}
}

// oneReply says whether an answer is exactly one reply.
func oneReply(answer string) bool {
	var p ReplyParser
	n, done, err := p.Next([]byte(answer))
	return err == nil && done && n == len(answer)
}

// first parses the request at the beginning of a sample, which gets a data block if it lacks one.
func first(t *testing.T, sample string) (r *Request, request []byte) {
	t.Helper()
	var p RequestParser
	b := []byte(sample)
	n, err := p.Next(b, &big)
	if n == 0 && err == nil {
		b = append(b, strings.Repeat("x", p.Missing(len(b))-2)+"\r\n"...)
		n, err = p.Next(b, &big)
	}
	if n == 0 || err != nil {
		t.Fatalf("%.200q: %d, %v", sample, n, err)
	}
	return &p.Request, b[:n]
}

// forwarded checks the law of the package: one request, one reply.
func forwarded(t *testing.T, addr, sample string, r *Request, request []byte) {
	t.Helper()
	rest := string(r.Strip(slices.Clone(request)))
	answer, ok := talk(t, addr, rest)
	if r.Op == MetaNoop && answer == "" {
		answer = "MN\r\n" // talk stopped at the first
	}
	if !ok || !oneReply(answer) {
		t.Errorf("%.300q, forwarded as %.300q, was answered %.300q, connection kept: %v", sample, rest, answer, ok)
	}
}

// withData adds the data that a refused request announces: the server may wait for it.
func withData(sample string, r *Request) string {
	if len(sample) > r.Line || r.Skip == 0 || r.Skip > big.Bytes {
		return sample
	}
	return sample + strings.Repeat("x", int(r.Skip)-2) + "\r\n"
}

// refused checks that the server would say the same.
func refused(t *testing.T, addr, sample string, r *Request) {
	t.Helper()
	answer, _ := talk(t, addr, withData(sample, r))
	line, _, _ := strings.Cut(answer, "\r\n")
	if r.Silent && r.Op.Hushes([]byte(r.Problem)) {
		if line != "" && line != "ERROR" { // the server takes the data for a command
			t.Errorf("%.300q has the problem %q, which is hushed; the server says %q", sample, r.Problem, answer)
		}
		return
	}
	if line != r.Problem {
		t.Errorf("%.300q has the problem %q; the server says %q", sample, r.Problem, answer)
	}
}

// prepared are the items that samples find.
const prepared = "set k 5 0 1\r\n5\r\nset text 0 0 1\r\nx\r\nset noreply 0 0 1\r\n1\r\nms YQli 1 b\r\n7\r\n"

func prepare(t *testing.T, addr string) {
	t.Helper()
	if answer, ok := talk(t, addr, prepared); !ok || answer != "STORED\r\nSTORED\r\nSTORED\r\nHD\r\n" {
		t.Fatalf("the items were answered %q", answer)
	}
}

func TestServerAnswersOnce(t *testing.T) {
	addr := memcachedtest.StartServer(t)
	long, tooLong := strings.Repeat("k", 250), strings.Repeat("k", 251)
	samples := []string{
		"get k\r\n", "get k\n", "gets k noreply k\r\n", "get  " + repeated(30, "k") + "   \r\n", "get " + long + "\r\n", "get " + tooLong + "\r\n", "get k " + tooLong + " k\r\n",
		"get " + repeated(22, "k") + "\r\n", "get " + repeated(22, "k") + " \r\n", "get " + repeated(22, "k") + "  \r\n", "get " + repeated(23, "k") + " \r\n", "get\r\n", "gets \r\n",
		"gat 0 k\r\n", "gats 0 " + repeated(40, "k") + "\r\n", "gat -1 z\r\n", "gat x k\r\n", "gat 0\r\n", "gat\r\n", "gat noreply k\r\n", "gat 0 " + tooLong + "\r\n",
		"set k 0 0 noreply\r\n", "set " + tooLong + " 0 0 1 noreply\r\na\r\n", "set k 0 0 -1\r\n", "set k 0 0 2147483646\r\n", "set k 0 0 1\r\nabc\r\n", "set k 0 0 3\r\nab\r\nmn\r\n", "set k 0 0 1\r\na\n\n",
		"set k 0 0 1 junk\r\n", "set k 0 0 1 noreply junk\r\n", "set k 0 0\r\n", "set k 0 0 2000000\r\n", "set k 0 0 2000000 noreply\r\n", "append k 0 0 2\r\n", "prepend z 0 0 2 noreply\r\n",
		"cas k 0 0 1\r\n", "cas k 0 0 1 noreply\r\n", "cas k 0 0 1 x\r\na\r\n", "cas k 0 0 1 -1\r\na\r\n", "cas z 0 0 1 0\r\n", "cas k 0 0 1 18446744073709551616\r\n", "cas k 0 0 1 7 noreply\r\n", "cas k 0 0 1 7 junk\r\n",
		"delete k\r\n", "delete noreply\r\n", "delete k 0\r\n", "delete k 0 noreply\r\n", "delete k 1\r\n", "delete k 1 noreply\r\n", "delete k noreply 0\r\n", "delete k 0 x\r\n", "delete " + tooLong + "\r\n", "delete k 0 0 0\r\n", "delete noreply noreply\r\n", "delete 0 0\r\n", "delete k noreply noreply\r\n",
		"incr k 1\r\n", "incr k noreply\r\n", "incr noreply 5\r\n", "decr text 1\r\n", "incr k -1\r\n", "incr k 18446744073709551616\r\n", "incr k 1 junk\r\n", "decr k 99 noreply\r\n", "incr k\r\n", "incr k 1 2 3\r\n", "incr " + tooLong + " x\r\n",
		"touch k 0\r\n", "touch k noreply\r\n", "touch k x noreply\r\n", "touch k -1\r\n", "touch z 0 noreply\r\n", "touch k\r\n",
		"verbosity 0\r\n", "verbosity\r\n", "verbosity noreply\r\n", "verbosity noreply noreply\r\n", "verbosity x\r\n", "verbosity 0 noreply\r\n", "verbosity 0 junk\r\n",
		"flush_all 1000\r\n", "flush_all noreply\r\n", "flush_all noreply noreply\r\n", "flush_all x\r\n", "flush_all 0 noreply\r\n", "flush_all 1000 junk\r\n", "flush_all -1 noreply\r\n", "flush_all 1 2 3\r\n",
		"version\r\n", "version noreply\r\n", "stats\r\n", "stats noreply\r\n", "stats settings\r\n", "stats items\r\n", "stats slabs\r\n", "stats sizes\r\n", "stats conns\r\n", "stats reset\r\n",
		"stats detail on\r\n", "stats detail dump\r\n", "stats detail off\r\n", "stats detail\r\n", "stats proxy\r\n", "stats extstore\r\n", "stats malloc\r\n",
		"mn\r\n", "mn q\r\n", "me k\r\n", "me z q\r\n", "me\r\n", "me " + tooLong + "\r\n", "me k b\r\n", "me YQli b\r\n",
		"mg k\r\n", "mg\r\n", "mg k v q\r\n", "mg z v q\r\n", "mg z qq\r\n", "mg k q q\r\n", "mg k q qq\r\n", "mg k x q\r\n", "mg k \xff\r\n", "mg " + tooLong + " v\r\n", "mg k O" + strings.Repeat("o", 31) + "\r\n", "mg k O" + strings.Repeat("o", 32) + " q\r\n",
		"mg k c f h k l s t u v q O P L I C1 F1 J1\r\n", "mg k c f h k l s t u v q O P L I C1 F1 J1 D1\r\n", "mg !!! b\r\n", "mg YQli b k v\r\n", "mg z1 N30 v t q\r\n", "mg k T q\r\n", "mg k R30 T30 v\r\n",
		"ms k\r\n", "ms k 2\r\n", "ms k 2 q\r\n", "ms k 2 q q\r\n", "ms k S2\r\n", "ms k 2q\r\n", "ms k noreply\r\n", "ms k -2\r\n", "ms k 1 x q\r\n", "ms k 1 M q\r\n", "ms k 1 MZ q\r\n", "ms k 1 q ME\r\n", "ms z2 1 q MA N0 T0\r\n", "ms k 1 C1 q\r\n", "ms k 1 F-1\r\n", "ms k 2 q\r\nabcd\r\n",
		"ms !!! 1 b\r\n", "ms YQli 1 b k c O1 q\r\n", "ms k 2000000 q\r\n", "ms k 1 c f h k l s t u v q O P L I C1 F1\r\n", "ms " + tooLong + " 1 q\r\n", "ms k 1 O" + strings.Repeat("o", 32) + "\r\n", "ms k 1 c f h k l s t u v q O P L I C1 F1 T0\r\n",
		"md k q\r\n", "md\r\n", "md k q q\r\n", "md z q\r\n", "md k C1 q\r\n", "md k I T30 q k O1\r\n", "md k x q\r\n", "md !!! b\r\n", "md " + tooLong + "\r\n", "md k O" + strings.Repeat("o", 32) + "\r\n", "md k " + repeated(18, "x") + "\r\n",
		"ma k q\r\n", "ma\r\n", "ma k v q\r\n", "ma z q\r\n", "ma z3 N0 J5 q v\r\n", "ma text q\r\n", "ma k q q\r\n", "ma k MZ\r\n", "ma k Dx\r\n", "ma k D99 MD v t c k O1\r\n", "ma YQli b k v\r\n", "ma k O" + strings.Repeat("o", 32) + "\r\n",
		"\r\n", "\n", "  \r\n", "GET k\r\n", "nonsense\r\n", "m\r\n", "mx k\r\n", "mgg k\r\n", "getk\r\n", "noreply\r\n", "set\r\n", "a b c d e noreply\r\n", "quiet\r\n",
		// Lines of any length are for get and gets; 2048 bytes for others.
		"get " + repeated(12000, "key000") + "\r\n", strings.Repeat(" ", 100) + "gets " + repeated(1000, "k") + "\r\n", "delete k" + strings.Repeat(" ", 2038) + "\r\n",
	}
	for _, sample := range samples {
		prepare(t, addr)
		if r, request := first(t, sample); r.Problem == "" {
			forwarded(t, addr, sample, r, request)
		} else {
			refused(t, addr, sample, r)
		}
	}
}

// What the server accepts, or answers in other words, and this package does not forward. Each is a
// difference on purpose.
func TestStricterThanTheServer(t *testing.T) {
	addr := memcachedtest.StartServer(t)
	for _, c := range []struct{ sample, problem, server, why string }{
		{"get a\x00b\r\n", badFormat, "END\r\n", "a NUL hides the rest of the line"},
		{"get a\rb\r\n", badFormat, "END\r\n", "control characters are no part of a key"},
		{"get a\tb\r\n", badFormat, "END\r\n", "control characters are no part of a key"},
		{"delete a\x7f\r\n", badFormat, "NOT_FOUND\r\n", "control characters are no part of a key"},
		{"set k 4294967296 0 1\r\na\r\n", badFormat, "STORED\r\n", "flags are cut off at 32 bits"},
		{"set k 0 4294967296 1\r\na\r\n", badFormat, "STORED\r\n", "times are cut off at 32 bits"},
		{"set k 0 0 4294967297\r\na\r\n", badFormat, "STORED\r\n", "lengths are cut off at 32 bits"},
		{"ms k 4294967297\r\na\r\n", badFormat, "HD\r\n", "lengths are cut off at 32 bits"},
		{"touch k 4294967296\r\n", badExptime, "TOUCHED\r\n", "times are cut off at 32 bits"},
		{"bget k\r\n", plainError, "VALUE k 0 1\r\na\r\nEND\r\n", "was never described"},
		{"shutdown\r\n", "CLIENT_ERROR shutdown not allowed", "ERROR: shutdown not enabled\r\n", "administration"},
		{"refresh_certs\r\n", "CLIENT_ERROR refresh_certs not allowed", "Error TLS not enabled\r\n", "administration, and no line of a reply"},
		{"stats sizes_enable\r\n", "CLIENT_ERROR stats sizes_enable not allowed", "STAT sizes_status enabled\r\n", "administration, and a reply whose end nobody can tell"},
		{"stats sizes_disable\r\n", "CLIENT_ERROR stats sizes_disable not allowed", "STAT sizes_status disabled\r\n", "administration, and a reply whose end nobody can tell"},
		{"slabs automove 0\r\n", "CLIENT_ERROR slabs not allowed", "OK\r\n", "administration"},
		{"mg k x q q\r\n", duplicateFlag, "CLIENT_ERROR invalid flag\r\n", "of several mistakes another is named"},
		{"set k x 0 1\r\na\r\n", badFormat, "CLIENT_ERROR bad command line format\r\nERROR\r\n", "the data is not taken for a command"},
		{"set k 0 0 2147483646\r\n", badFormat, "CLIENT_ERROR bad command line format\r\n", "the data is not taken for commands"},
	} {
		if _, ok := talk(t, addr, "set k 0 0 1\r\na\r\n"); !ok {
			t.Fatal("no item")
		}
		if r, _ := first(t, c.sample); r.Problem != c.problem {
			t.Errorf("%q has the problem %q, want %q (%s)", c.sample, r.Problem, c.problem, c.why)
		}
		if answer, ok := talk(t, addr, c.sample); !ok || answer != c.server {
			t.Errorf("%q: the server now says %q (%s)", c.sample, answer, c.why)
		}
	}
}

// A server that was given a key in base64 forgets that it was binary when it makes the item itself, and
// then returns its bytes raw: here a whole reply.
func TestServerReturnsRawKeys(t *testing.T) {
	const key = "YQ0KRU4NCmI=" // a CRLF EN CRLF b
	addr := memcachedtest.StartServer(t)
	for _, create := range []string{"mg KEY b N30\r\n", "ma KEY b N30\r\n", "ms KEY 1 b\r\n1\r\nms KEY 1 b MA\r\n1\r\n"} {
		if answer, _ := talk(t, addr, "flush_all\r\n"+strings.ReplaceAll(create, "KEY", key)); !strings.HasPrefix(answer, "OK\r\nHD") {
			t.Fatalf("%q was answered %q", create, answer)
		}
		for _, read := range []string{"mg " + key + " b k\r\n", "me " + key + " b\r\n"} {
			if r, _ := first(t, read); r.Problem != rawKey {
				t.Errorf("%q has the problem %q", read, r.Problem)
			}
			if answer, _ := talk(t, addr, read); oneReply(answer) {
				t.Errorf("after %q %q is answered %q: it need not be refused", create, read, answer)
			}
		}
		for _, read := range []string{"mg " + key + " b v\r\n", "ma " + key + " b k\r\n", "md " + key + " b k I\r\n", "ms " + key + " 1 b k\r\n"} {
			r, request := first(t, read)
			if r.Problem != "" {
				t.Errorf("%q has the problem %q", read, r.Problem)
			}
			forwarded(t, addr, read, r, request)
		}
	}
}

// Which replies a quiet client does not see, compared with what the server sends to one.
func TestServerHushes(t *testing.T) {
	addr := memcachedtest.StartServer(t)
	for _, sample := range []string{
		"mg k q v\r\n", "mg k q\r\n", "mg z q v O1 k\r\n", "mg k q x\r\n", "ms k 1 q\r\n", "ms k 1 q ME\r\n", "ms k 1 q C1\r\n", "ms z 1 q C1\r\n", "ms k 1 q MZ\r\n",
		"md k q\r\n", "md k q I\r\n", "md z q\r\n", "md k q C1\r\n", "ma k q\r\n", "ma k q v\r\n", "ma z q\r\n", "ma text q\r\n", "ma k q C1\r\n",
		"set k 0 0 1 noreply\r\n", "add k 0 0 1 noreply\r\n", "cas z 0 0 1 1 noreply\r\n", "set k 0 0 2000000 noreply\r\n", "ms k 2000000 q\r\n", "delete k noreply\r\n", "delete z 0 noreply\r\n", "incr text 1 noreply\r\n",
		"incr k 1 noreply\r\n", "touch z 0 noreply\r\n", "verbosity 0 noreply\r\n", "flush_all 1000 noreply\r\n",
	} {
		r, request := first(t, sample)
		if !r.Silent || r.Problem != "" {
			t.Fatalf("%q: %+v", sample, r)
		}
		prepare(t, addr)
		quiet, _ := talk(t, addr, string(request))
		prepare(t, addr)
		reply, _ := talk(t, addr, string(r.Strip(request)))
		if hushed := quiet == ""; r.Op.Hushes([]byte(reply)) != hushed || !hushed && quiet != reply {
			t.Errorf("%q: the reply is %q, a quiet client sees %q", sample, reply, quiet)
		}
	}
}

// Lines in pieces: the server waits for the end of 2048 bytes, and of any get.
func TestServerWaitsForLines(t *testing.T) {
	addr := memcachedtest.StartServer(t)
	for _, line := range []string{"delete k" + strings.Repeat(" ", 2038) + "\r\n", "get " + repeated(3000, "k") + "\r\n", strings.Repeat(" ", 100) + "gets " + repeated(3000, "k") + "\r\n"} {
		r, request := first(t, line)
		if r.Problem != "" || len(request) != len(line) {
			t.Fatalf("%.30q: %q", line, r.Problem)
		}
		c := memcachedtest.Dial(t, addr)
		for _, piece := range []string{line[:len(line)-1], line[len(line)-1:]} {
			c.Send(piece)
			time.Sleep(20 * time.Millisecond)
		}
		if reply := c.Read(); !oneReply(reply) {
			t.Errorf("%.30q: %q", line, reply)
		}
	}
}

// Random lines of words that mean something somewhere.
func TestServerAnswersRandomRequestsOnce(t *testing.T) {
	addr := memcachedtest.StartServer(t)
	prepare(t, addr)
	rnd := rand.New(rand.NewPCG(7, 1))
	names := []string{"get", "gets", "gat", "gats", "set", "add", "replace", "append", "prepend", "cas", "delete", "incr", "decr", "touch", "mg", "ms", "md", "ma", "me", "mn", "version", "verbosity", "flush_all", "stats", "foo"}
	pool := []string{"k", "text", "z", "noreply", "0", "1", "2", "-1", "+1", "x", "q", "qq", "b", "v", "k", "c", "t", "O1", "T0", "N5", "Zm9v", "YQli", "ME", "MA", "MD", "I", "C5", "D2", "J3", "2147483648", "4294967295", "18446744073709551615", "18446744073709551616", "5", "s", "f", strings.Repeat("l", 250), strings.Repeat("m", 251)}
	cut := []string{"2147483648", "4294967295", "18446744073709551615"} // numbers that the server cuts off somewhere
	count := map[bool]int{}
	for range 4000 {
		words := []string{names[rnd.IntN(len(names))]}
		for range rnd.IntN(7) {
			words = append(words, pool[rnd.IntN(len(pool))])
		}
		sample := strings.Join(words, []string{" ", "  "}[rnd.IntN(2)]) + []string{"\r\n", "\n", " \r\n"}[rnd.IntN(3)]
		r, request := first(t, sample)
		count[r.Problem == ""]++
		switch {
		case r.Problem == "":
			forwarded(t, addr, sample, r, request)
		case slices.ContainsFunc(words, func(w string) bool { return slices.Contains(cut, w) }):
			// TestStricterThanTheServer has these.
		case r.Op >= MetaGet && r.Op <= MetaDebug:
			// Of several mistakes another may be named.
			answer, ok := talk(t, addr, withData(sample, r))
			if class, _, _ := strings.Cut(r.Problem, " "); !ok || !strings.HasPrefix(answer, class) {
				t.Errorf("%q has the problem %q; the server says %q", sample, r.Problem, answer)
			}
		default:
			refused(t, addr, sample, r)
		}
	}
	if count[true] < 500 || count[false] < 500 {
		t.Error(fmt.Sprint("the samples are one-sided: ", count))
	}
}
