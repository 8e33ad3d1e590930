package resp

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/cashew-proxy/cashew/internal/sim/splits"
)

var wide = Limits{Bytes: 1 << 20, Arguments: 1 << 10, Inline: 1 << 10}

// outcome is all that a parser says of a stream: the requests' arguments, in the words of %q, and the
// error that ended it, if any.
type outcome struct {
	requests []string
	err      string
	left     int // bytes of a request that is not whole
}

// parse feeds a stream in pieces that end at the cuts, as a session would: what is not whole is kept
// and given again with more.
func parse(t testing.TB, stream []byte, lim *Limits, cuts ...int) (o outcome) {
	t.Helper()
	var p RequestParser
	var kept []byte
	start := 0
	for _, cut := range append(cuts, len(stream)) {
		kept = append(kept, stream[start:cut]...)
		start = cut
		for len(kept) > 0 {
			n, err := p.Next(kept, lim)
			if err != nil {
				var pe *ProtocolError
				if !errors.As(err, &pe) {
					t.Fatalf("the error is a %T", err)
				}
				o.err = err.Error()
				return o
			}
			if n < 0 || n > len(kept) {
				t.Fatalf("%d of %d bytes were consumed", n, len(kept))
			}
			if n == 0 {
				if m := p.Missing(len(kept)); m < 1 {
					t.Fatalf("%d bytes are missing", m)
				}
				break
			}
			o.requests = append(o.requests, describe(t, &p, kept[:n]))
			kept = kept[n:]
		}
	}
	o.left = len(kept)
	return o
}

func describe(t testing.TB, p *RequestParser, request []byte) string {
	if !p.Inline {
		var words []string
		for _, a := range p.Args {
			words = append(words, string(request[a.Off:a.Off+a.Len]))
		}
		return fmt.Sprintf("%q", words)
	}
	if len(p.Args) != 0 {
		t.Fatalf("an inline command has arguments %v", p.Args)
	}
	b, err := AppendInline(nil, request)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("inline %q", b)
}

// everySplit checks that a stream means the same whole, cut at every byte, at every pair of bytes, and
// byte by byte.
func everySplit(t *testing.T, stream []byte, lim *Limits, want outcome) {
	t.Helper()
	check := func(cuts ...int) {
		t.Helper()
		if got := parse(t, stream, lim, cuts...); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("%q cut at %v:\n got %+v\nwant %+v", stream, cuts, got, want)
		}
	}
	splits.Every(len(stream), 1000, check)
}

func TestRequests(t *testing.T) {
	strict := Limits{Bytes: 40, Arguments: 12, Inline: 20}
	few := Limits{Bytes: 40, Arguments: 2, Inline: 20}
	guest := wide
	guest.Unauthenticated = true
	for _, c := range []struct {
		stream   string
		lim      *Limits
		requests []string
		err      string
		left     int
	}{
		{stream: "*1\r\n$4\r\nPING\r\n", requests: []string{`["PING"]`}},
		{stream: "*2\r\n$3\r\nGET\r\n$1\r\na\r\n*2\r\n$3\r\nGET\r\n$0\r\n\r\n", requests: []string{`["GET" "a"]`, `["GET" ""]`}},
		{stream: "*3\r\n$3\r\nSET\r\n$11\r\na\r\nb\x00*1\r\n$1\r\n$3\r\nxyz\r\n", requests: []string{`["SET" "a\r\nb\x00*1\r\n$1" "xyz"]`}},
		{stream: "*11\r\n" + strings.Repeat("$1\r\nx\r\n", 11), requests: []string{`["x" "x" "x" "x" "x" "x" "x" "x" "x" "x" "x"]`}},
		{stream: "*1\r\n$105\r\n" + strings.Repeat("y", 105) + "\r\n", requests: []string{`["` + strings.Repeat("y", 105) + `"]`}},
		{stream: "*0\r\n*-1\r\n*-9\r\n*1\r\n$1\r\nx\r\n", requests: []string{"[]", "[]", "[]", `["x"]`}},
		{stream: "*-9223372036854775808\r\n*-9223372036854775807\r\n*1\r\n$1\r\nx\r\n", requests: []string{"[]", "[]", `["x"]`}},
		{stream: "*2\r\n$3\r\nGET\r\n$5\r\nab", left: 19},
		{stream: "*", left: 1},
		{stream: "*1\r", left: 3},
		{stream: "*1\r\n$12", left: 7},

		{stream: "PING\r\nget a\n\r\n\nx", requests: []string{`inline "*1\r\n$4\r\nPING\r\n"`, `inline "*2\r\n$3\r\nget\r\n$1\r\na\r\n"`, "[]", "[]"}, left: 1},
		{stream: "  \r\n", requests: []string{`inline ""`}},
		{stream: "a *1\r\n*1\r\n$1\r\nx\r\n", requests: []string{`inline "*2\r\n$1\r\na\r\n$2\r\n*1\r\n"`, `["x"]`}},
		{stream: "get \"a\r\n", requests: []string{"Protocol error: unbalanced quotes in request"}},

		{stream: "*x\r\n", err: "invalid multibulk length"},
		{stream: "*\r\n", err: "invalid multibulk length"},
		{stream: "*+1\r\n", err: "invalid multibulk length"},
		{stream: "*01\r\n", err: "invalid multibulk length"},
		{stream: "*-0\r\n", err: "invalid multibulk length"},
		{stream: "*--1\r\n", err: "invalid multibulk length"},
		{stream: "*1\n", err: "invalid multibulk length"},
		{stream: "*1\rx", err: "invalid multibulk length"},
		{stream: "*99999999999999999999\r\n", err: "invalid multibulk length"},
		{stream: "*9223372036854775807\r\n", err: "invalid multibulk length"},
		{stream: "*9223372036854775808\r\n", err: "invalid multibulk length"},
		{stream: "*-9223372036854775809\r\n", err: "invalid multibulk length"},
		{stream: "*4294967297\r\n", err: "invalid multibulk length"},
		{stream: "*1\r\n:1\r\n", err: "expected '$', got ':'"},
		{stream: "*1\r\n\x00", err: "expected '$', got '?'"},
		{stream: "*2\r\n$1\r\nx\r\n*", err: "expected '$', got '*'"},
		{stream: "*1\r\n$-1\r\n", err: "invalid bulk length"},
		{stream: "*1\r\n$\r\n", err: "invalid bulk length"},
		{stream: "*1\r\n$05\r\nhello\r\n", err: "invalid bulk length"},
		{stream: "*1\r\n$4294967297\r\n", err: "invalid bulk length"},
		{stream: "*1\r\n$1\r\nxy\r\n", err: "expected CRLF after a bulk string"},
		{stream: "*1\r\n$1\r\nx\ry", err: "expected CRLF after a bulk string"},
		{stream: "*1\r\n$1\r\nx\r\n*1\r\n!", requests: []string{`["x"]`}, err: "expected '$', got '!'"},

		// Bounds are inclusive: 40 bytes, 12 arguments, a line of 20.
		{stream: "*1\r\n$28\r\n" + strings.Repeat("z", 28) + "\r\n", lim: &strict, requests: []string{`["` + strings.Repeat("z", 28) + `"]`}},
		{stream: "*1\r\n$30\r\n" + strings.Repeat("z", 30) + "\r\n", lim: &strict, err: "invalid bulk length"},
		{stream: "*1\r\n$100\r\n", lim: &strict, err: "invalid bulk length"},
		{stream: "*9\r\n" + strings.Repeat("$1\r\nx\r\n", 9), lim: &strict, err: "invalid bulk length"},
		{stream: "*13\r\n", lim: &strict, err: "invalid multibulk length"},
		{stream: strings.Repeat("i", 20) + "\n", lim: &strict, requests: []string{`inline "*1\r\n$20\r\n` + strings.Repeat("i", 20) + `\r\n"`}},
		{stream: strings.Repeat("i", 21) + "\n", lim: &strict, err: "too big inline request"},
		{stream: strings.Repeat("i", 30), lim: &strict, err: "too big inline request"},

		{stream: "*2\r\n$1\r\nx\r\n$1\r\ny\r\n", lim: &few, requests: []string{`["x" "y"]`}},
		{stream: "*3\r\n", lim: &few, err: "invalid multibulk length"},

		{stream: "*10\r\n", lim: &guest, left: 5},
		{stream: "*11\r\n", lim: &guest, err: "unauthenticated multibulk length"},
		{stream: "*1\r\n$16384\r\n", lim: &guest, left: 12},
		{stream: "*1\r\n$16385\r\n", lim: &guest, err: "unauthenticated bulk length"},
	} {
		want := outcome{requests: c.requests, left: c.left}
		if c.err != "" {
			want.err = "Protocol error: " + c.err
		}
		lim := c.lim
		if lim == nil {
			lim = &wide
		}
		everySplit(t, []byte(c.stream), lim, want)
	}
}

// Missing tells a reader how much to have room for: never more than the request still has.
func TestMissingIsALowerBound(t *testing.T) {
	stream := []byte("*3\r\n$3\r\nSET\r\n$1\r\na\r\n$200\r\n" + strings.Repeat("v", 200) + "\r\n")
	var p RequestParser
	for n := 1; n < len(stream); n++ {
		if got, err := p.Next(stream[:n], &wide); got != 0 || err != nil {
			t.Fatalf("after %d bytes: %d, %v", n, got, err)
		}
		if m := p.Missing(n); m < 1 || m > len(stream)-n {
			t.Fatalf("after %d of %d bytes %d are said to be missing", n, len(stream), m)
		}
		if whole := len(stream) - 202; n >= whole && (!p.Last() || p.Missing(n) != len(stream)-n) {
			t.Fatalf("after %d bytes of %d: last %v, missing %d", n, len(stream), p.Last(), p.Missing(n))
		}
	}
}

func TestResetForgets(t *testing.T) {
	var p RequestParser
	if _, err := p.Next([]byte("*3\r\n$3\r\nSET\r\n$100\r\nabc"), &wide); err != nil {
		t.Fatal(err)
	}
	p.Reset()
	n, err := p.Next([]byte("*1\r\n$4\r\nPING\r\n"), &wide)
	if n != 14 || err != nil || len(p.Args) != 1 {
		t.Fatalf("%d, %v, %v", n, err, p.Args)
	}
}

func TestInlineWords(t *testing.T) {
	for line, want := range map[string]string{
		"a b\r\n":                       `["a" "b"]`,
		"\ta\v b\f\n":                   `["a" "b"]`,
		`"a b" 'c d'`:                   `["a b" "c d"]`,
		`"\x41\x7a\n\r\t\b\a\"\\\q\x4"`: `["Az\n\r\t\b\a\"\\qx4"]`,
		`'it\'s' 'a\n'`:                 `["it's" "a\\n"]`,
		`a"b"`:                          `["ab"]`,
		`a"b`:                           "error",
		`"a"b`:                          "error",
		`'a'b`:                          "error",
		`"a\"`:                          "error",
		`'`:                             "error",
		`"" ''`:                         `["" ""]`,
		"a\x00b":                        `["a" "b"]`,
	} {
		b, err := AppendInline([]byte("before"), []byte(line))
		if err != nil {
			if want != "error" || err != errInlineQuotes {
				t.Errorf("%q: %v", line, err)
			}
			continue
		}
		rest, ok := bytes.CutPrefix(b, []byte("before"))
		if got := parse(t, rest, &wide); !ok || len(got.requests) != 1 || got.requests[0] != want {
			t.Errorf("%q is %+v, want %s", line, got, want)
		}
	}
}

func TestParsersDoNotAllocate(t *testing.T) {
	request := []byte("*3\r\n$3\r\nSET\r\n$16\r\nkey:000000000001\r\n$105\r\n" + strings.Repeat("v", 105) + "\r\n")
	reply := []byte("*3\r\n$105\r\n" + strings.Repeat("v", 105) + "\r\n:5\r\n*1\r\n+OK\r\n")
	var p RequestParser
	r := ReplyParser{Nesting: 4}
	out := make([]byte, 0, 256)
	if n := testing.AllocsPerRun(100, func() {
		if n, err := p.Next(request, &wide); n != len(request) || err != nil {
			t.Fatal(n, err)
		}
		if n, done, err := r.Next(reply); n != len(reply) || !done || err != nil {
			t.Fatal(n, done, err)
		}
		out = AppendInt(AppendBulk(AppendArray(AppendError(out[:0], "ERR no"), 2), reply[:20]), -5)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
