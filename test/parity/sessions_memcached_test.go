package parity

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/cashew-proxy/cashew/internal/config"
	"github.com/cashew-proxy/cashew/internal/memcached"
	"github.com/cashew-proxy/cashew/internal/memcachedtest"
	"github.com/cashew-proxy/cashew/internal/sim"
	"github.com/cashew-proxy/cashew/test/harness"
)

var memcachedSessions = sessionKind{
	name: "memcached", start: startMemcachedSessions, make: makeMemcachedSession, normal: normalMemcached,
	excused: func(proxied, direct []byte) bool { // at quit a server forgets replies that it has not sent
		return bytes.HasPrefix(proxied, direct) && !bytes.HasSuffix(proxied, []byte("bye\r\nEND\r\n"))
	},
}

func startMemcachedSessions(t *testing.T) (string, string, func(bool) error) {
	server, direct := memcachedtest.StartServer(t), memcachedtest.StartServer(t)
	text := "alpha:\n  listen: " + harness.AnyPort + "\n  allow_commands: flush_all\n  servers:\n    - " + server + ":1\n"
	a, b := memcachedtest.Dial(t, server), memcachedtest.Dial(t, direct)
	after := func(bool) error {
		for _, c := range []*memcachedtest.Client{a, b} {
			if got := c.Do("flush_all\r\n"); got != "OK\r\n" {
				t.Fatal(got)
			}
		}
		return nil
	}
	return harness.Start(t, text, config.Options{}).Addr, direct, after
}

// memcachedEdges are numbers that a server does not cut off: what does not fit in a field is refused by the proxy
// alone.
var memcachedEdges = []string{"-1", "0", "00", "-0", "+5", "05", "x", "1e3", "0x10", "5x", "99999999999999999999"}

// stricter are requests that the proxy refuses and a server does not; see TestStricterThanTheServer.
var stricter = regexp.MustCompile(`(?i)\x00|shutdown|[^\r\n]\r[^\r\n]`)

// makeMemcachedSession draws again if nothing would come of the end, because data is awaited.
func makeMemcachedSession(r *rand.Rand, seed uint64) session {
	for {
		stream, farewell := memcachedStream(r, seed)
		if direct, ok := withoutRefusedData(stream); ok {
			return session{stream, direct, farewell}
		}
	}
}

func memcachedStream(r *rand.Rand, seed uint64) (stream, farewell string) {
	var b strings.Builder
	for _, raw := range sim.Stream(seed, true, 10+r.IntN(60)) {
		switch n := r.IntN(100); {
		case n < 30:
			raw, _ = memcachedRequest(r)
			if n < 10 {
				raw = spoilLine(r, raw)
			}
		case n < 40 && strings.Count(raw, "\n") <= 2:
			raw = spoilLine(r, raw)
		case n == 99 && r.IntN(8) == 0:
			raw = oneOf(r, "quit\r\n", "quit noreply\r\n", "QUIT\r\n", "quit x\r\n")
		}
		line, _, _ := strings.Cut(raw, "\n")
		raw = arithmetic.ReplaceAllStringFunc(raw, sure)
		if strings.HasPrefix(raw, "\x80") {
			continue // a server takes the binary protocol from the first byte of a connection only
		}
		if !stricter.MatchString(line) && !cutOff(line) {
			b.WriteString(raw)
		}
	}
	b.WriteString(strings.Repeat("\r\n", 300)) // data that is still awaited, perhaps
	for n := range 4 {
		fmt.Fprintf(&b, "get c0:t%d c0:n%d\r\n", n, n)
	}
	end := fmt.Sprintf("end%d", seed)
	fmt.Fprintf(&b, "set %s 0 0 3\r\nbye\r\nget %s\r\n", end, end)
	return b.String(), "VALUE " + end + " 0 3\r\nbye\r\nEND\r\n"
}

var arithmetic = regexp.MustCompile(`(?m)^ *(ma|decr) [^\r\n]*`)

// sure makes arithmetic have one outcome. Of a quiet ma a server hides HD, but not if it has made the item; the proxy does not
// see the difference and hides both. And when a number gets shorter, whether the server shortens the item is a matter
// of who else looks at it.
func sure(line string) string {
	line = strings.Replace(strings.Replace(line, "decr ", "incr ", 1), " MD", " MI", 1)
	if strings.Contains(line, " N") {
		return strings.ReplaceAll(line, " q", " ")
	}
	return line
}

// cutOff says whether a line has a number that is greater than a server's field: but for flags and what is added, they
// have 31 bits. Or the line is so long that a server may hang up,
// where the proxy splits it or says what is wrong: together with what is wrong before it, or in pieces.
func cutOff(line string) bool {
	words := strings.Fields(line)
	for i, w := range words {
		if n, err := strconv.ParseUint(w, 10, 64); err == nil && n > math.MaxInt32 && i != 2 && i != 5 {
			return true
		}
	}
	return len(line) > 1500
}

// spoilLine gets the line of a request wrong, or the length of its data, or their end.
func spoilLine(r *rand.Rand, raw string) string {
	line, data, found := strings.Cut(raw, "\n")
	words := strings.Fields(line)
	if !found || len(words) == 0 {
		return raw
	}
	kind := r.IntN(8)
	if words[0] == "ms" {
		kind = r.IntN(2) // of two mistakes a server may name the other one
	}
	switch kind {
	case 0:
		return strings.ToUpper(words[0]) + " " + strings.Join(words[1:], " ") + "\r\n" + data
	case 1:
		return strings.Join(words, "  ") + oneOf(r, "\n", " \r\n", "   \n") + data
	case 2:
		return line + "\n" + strings.TrimSuffix(data, "\r\n") + oneOf(r, "\n", "x\r\n", "", "xy\r\n", "\r")
	case 3:
		return strings.Join(append(words, oneOf(r, "noreply", "0", "x", "q", "v", "1 2")), " ") + "\r\n" + data
	case 4:
		if len(words) > 1 {
			words[1] = oneOf(r, strings.Repeat("k", 250), strings.Repeat("k", 251), "\xff", "noreply", words[0])
		}
		return strings.Join(words, " ") + "\r\n" + data
	}
	return strings.Join(spoil(r, words, memcachedEdges), " ") + "\r\n" + data
}

// withoutRefusedData leaves out what the proxy drops with a request that it refuses: the data that the client has
// announced. A server would take them for requests. And a server that refuses a get for its second key or a later one takes back
// replies to requests before it, if they came at once; so it gets another request that is refused in the same words.
func withoutRefusedData(stream string) (direct string, ok bool) {
	var p memcached.RequestParser
	var kept strings.Builder
	var last memcached.Op
	lim := memcached.Limits{Bytes: 512 << 20, Arguments: 1 << 20, Line: 64 << 10}
	for b := []byte(stream); len(b) > 0; {
		n, err := p.Next(b, &lim)
		if err != nil || n == 0 || p.Skip > int64(len(b)-n) {
			return "", false
		}
		ok = n == len(b) && last == memcached.Set
		last = p.Op
		if p.Op <= memcached.Gats && p.Op >= memcached.Get && p.Problem == "CLIENT_ERROR bad command line format" {
			kept.WriteString("touch " + strings.Repeat("k", 251) + " 0\r\n")
		} else {
			kept.Write(b[:n])
		}
		b = b[n:]
		if p.Op == memcached.MetaSet && p.Problem != "CLIENT_ERROR bad command line format" {
			kept.Write(b[:p.Skip]) // the server drops it, too
		}
		b = b[p.Skip:]
	}
	return kept.String(), ok
}

var (
	times    = regexp.MustCompile(`(?m)^(ME \S+ )exp=\S+ la=\d+ cas=\d+`)
	mistakes = regexp.MustCompile(`CLIENT_ERROR (invalid flag|duplicate flag|bad data chunk|error decoding key)`)
	changed  = regexp.MustCompile(`(?m)^((?:VA|HD)[^\r]* )c\d+`)
	left     = regexp.MustCompile(`(?m)^((?:VA|HD)[^\r]* )t\d+`)
)

// normalMemcached makes equal what differs between any two servers: seconds, and the numbers of changes.
func normalMemcached(b []byte) []byte {
	b = change.ReplaceAll(b, []byte("$1 N\r"))
	b = changed.ReplaceAll(b, []byte("${1}c"))
	b = mistakes.ReplaceAll(b, []byte("CLIENT_ERROR this or that")) // of two mistakes another may be named
	b = times.ReplaceAll(b, []byte("$1"))
	b = left.ReplaceAll(b, []byte("${1}t"))
	return b
}
