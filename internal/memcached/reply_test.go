package memcached

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cashew-proxy/cashew/internal/sim/splits"
)

// ends is splits.Ends of a new parser.
func ends(t testing.TB, stream []byte, cuts ...int) (at []int) {
	t.Helper()
	return splits.Ends(t, new(ReplyParser), stream, cuts...)
}

func TestReplies(t *testing.T) {
	long := strings.Repeat("v", 120)
	for _, c := range []struct {
		stream []string // whole replies
		rest   string   // what follows them
		end    int      // 0, or as ends says
	}{
		{stream: []string{"STORED\r\n", "NOT_STORED\r\n", "EXISTS\r\n", "NOT_FOUND\r\n", "DELETED\r\n", "TOUCHED\r\n", "OK\r\n", "RESET\r\n", "MN\r\n", "END\r\n"}},
		{stream: []string{"0\r\n", "18446744073709551615\r\n", "VERSION 1.6.18\r\n", "ERROR\r\n", "ERROR Too many open connections\r\n", "CLIENT_ERROR x\r\n", "SERVER_ERROR out of memory\r\n"}},
		{stream: []string{"VALUE k 0 1\r\na\r\nEND\r\n", "VALUE k 4294967295 0 18446744073709551615\r\n\r\nVALUE l 0 7\r\nEND\r\nab\r\nEND\r\n"}},
		{stream: []string{"VALUE k 0 1\r\na\r\nSERVER_ERROR out of memory writing get response\r\n", "VALUE k 0 120\r\n" + long + "\r\nCLIENT_ERROR x\r\n"}},
		{stream: []string{"STAT pid 1\r\nSTAT version x y\r\nEND\r\n", "ITEM k [1 b; 0 s]\r\nEND\r\n", "PREFIX a get 1\r\nEND\r\n", "STAT a b\r\nERROR\r\n"}},
		{stream: []string{"HD\r\n", "HD c1 Oabc W\r\n", "NS\r\n", "EX\r\n", "NF kx\r\n", "EN\r\n", "ME k exp=-1 la=0\r\n", "HD ka\rb\r\n"}},
		{stream: []string{"VA 2\r\nhi\r\n", "VA 0 f0 t-1\r\n\r\n", "VA 120 k" + long + "\r\n" + long + "\r\n", "VA 4\r\n\r\nHD\r\n"}},
		{rest: "VALUE k 0 1\r\na\r\n", end: -2},
		{rest: "VALUE k 0 1\r\na\r\nEN", end: -2},
		{rest: "VALUE k 0 5\r\nabc", end: -2},
		{rest: "VA 1\r\na\r", end: -2},
		{rest: "STORED\r", end: -2},
		{rest: "STAT a b\r\n", end: -2},
		{stream: []string{"STORED\r\n"}, rest: "FOO\r\n", end: -1},
		{rest: "\r\n", end: -1},
		{rest: " OK\r\n", end: -1},
		{rest: "stored\r\n", end: -1},
		{rest: "STORED x\r\n", end: -1},
		{rest: "STORED\n", end: -1},
		{rest: "STORED\rx\n", end: -1},
		{rest: "END \r\n", end: -1},
		{rest: "HD x\n", end: -1},
		{rest: "HD\n", end: -1},
		{rest: "1x\r\n", end: -1},
		{rest: "-1\r\n", end: -1},
		{rest: "123456789012345678901\r\n", end: -1},
		{rest: "VALUE\r\n", end: -1},
		{rest: "VALUE k\r\n", end: -1},
		{rest: "VALUE k 0\r\n", end: -1},
		{rest: "VALUE  0 1\r\na\r\n", end: -1},
		{rest: "VALUE k x 1\r\na\r\n", end: -1},
		{rest: "VALUE k 0 1x\r\na\r\n", end: -1},
		{rest: "VALUE k 0 -1\r\n", end: -1},
		{rest: "VALUE k 0 1 \r\na\r\n", end: -1},
		{rest: "VALUE k 0 1 2 3\r\na\r\n", end: -1},
		{rest: "VALUE k 0 1\rx\na\r\n", end: -1},
		{rest: "VALUE k 0 1\r\nab\r\n", end: -1},
		{rest: "VALUE k 0 1\r\na\n\n", end: -1},
		{rest: "VALUE k 0 1\r\na\r\nSTORED\r\n", end: -1},
		{rest: "VALUE k 0 18446744073709551617\r\na\r\nEND\r\n", end: -1},
		{rest: "VALUE k 0 9999999999999\r\n", end: -1},
		{rest: "VALUE " + strings.Repeat("k", 251) + " 0 1\r\na\r\nEND\r\n", end: -1},
		{rest: "VA\r\n", end: -1},
		{rest: "VA \r\n", end: -1},
		{rest: "VA x\r\n", end: -1},
		{rest: "VA 1\r\nab\r\n", end: -1},
		{rest: "STAT a b\r\nVALUE k 0 1\r\n", end: -1},
		{rest: "STAT a b\r\nHD\r\n", end: -1},
		{rest: "ME " + strings.Repeat("x", maxLine) + "\r\n", end: -1},
		{rest: "ME " + strings.Repeat("x", maxLine), end: -1},
	} {
		stream := strings.Join(c.stream, "")
		var want []int
		n := 0
		for _, s := range c.stream {
			n += len(s)
			want = append(want, n)
			if short := Short([]byte(s + "END\r\n")); short != 0 && short != len(s) {
				t.Errorf("%q: Short says %d", s, short)
			}
		}
		if c.end != 0 {
			want = append(want, c.end)
		}
		stream += c.rest
		check := func(cuts ...int) {
			if got := ends(t, []byte(stream), cuts...); !slices.Equal(got, want) {
				t.Fatalf("%.300q cut at %v: %v, want %v", stream, cuts, got, want)
			}
		}
		splits.Every(len(stream), 200, check)
	}
}

func TestBulkTellsWhatIsMissing(t *testing.T) {
	var p ReplyParser
	for _, step := range []struct {
		b    string
		bulk int
	}{
		{"VALUE k 0 200\r", 0},
		{"\nabc", 199},
		{strings.Repeat("x", 197), 2},
		{"\r", 1},
		{"\n", 0},
		{"VALUE l 0 0\r\n", 2},
		{"\r\nEND\r\n", 0},
		{"VA 10 f0\r\nabc", 9},
	} {
		if _, _, err := p.Next([]byte(step.b)); err != nil {
			t.Fatal(err)
		}
		if p.Bulk() != step.bulk {
			t.Errorf("after %q %d bytes of data are missing, want %d", step.b, p.Bulk(), step.bulk)
		}
	}
}

func TestShort(t *testing.T) {
	text, data := strings.Repeat("x", 27), strings.Repeat("d", 1500)
	block := func(n int) string { return fmt.Sprintf("VALUE key 0 %d\r\n%s\r\nEND\r\n", n, data[:n]) }
	va := func(n int) string { return fmt.Sprintf("VA %d\r\n%s\r\n", n, data[:n]) }
	for reply, want := range map[string]bool{
		"STORED\r\n": true, "NOT_FOUND\r\n": true, "END\r\n": true, "HD c1\r\n": true, "EN\r\n": true, "42\r\n": true, "1\r\n": true,
		"SERVER_ERROR " + text + "\r\n": true, "SERVER_ERROR " + text + "x\r\n": false,
		"VALUE k 0 1\r\na\r\nEND\r\n": true, block(999): true, block(1400): false, "VALUE k 0 1\r\na\r\nVALUE l 0 1\r\na\r\nEND\r\n": false,
		"VA 2 f0\r\nhi\r\n": true, va(999): true, va(1000): false, "VA 0002\r\nhi\r\n": false,
		"STAT a b\r\nEND\r\n": false, "FOO\r\n": false, "END x\r\n": false, "STORED x\r\n": false, "\r\n\r\n": false, "HD a\tb\r\n": false,
	} {
		got := Short([]byte(reply + "x"))
		if want && got != len(reply) || !want && got != 0 {
			t.Errorf("%.60q: %d", reply, got)
		}
		for i := range len(reply) {
			if n := Short([]byte(reply[:i])); n != 0 {
				t.Errorf("%.60q, a beginning: %d", reply[:i], n)
			}
		}
	}
}

func TestValue(t *testing.T) {
	for b, want := range map[string]string{
		"VALUE k 0 1\r\na\r\nEND\r\n": "k 16", "VALUE key 7 1000 99\r\n": "key 1023", "VALUE k 0 0\r\n\r\nVALUE": "k 15",
		"END\r\n": " 0", "VALUE k 0 1\r": " 0", "VALUE k 0 1": " 0", "VALUE k 0": " 0", "VALUE k": " 0", "VALUE ": " 0", "VA 1\r\n": " 0", "": " 0",
		"VALUE  0 1\r\n": " 0", "VALUE k 0 x\r\n": " 0", "VALUE k 0 1 x\r\n": " 0", "VALUE k 0 18446744073709551617\r\n": " 0", "VALUE k 0 1 2 3\r\n": " 0",
	} {
		key, n := Value([]byte(b))
		if got := fmt.Sprintf("%s %d", key, n); got != want {
			t.Errorf("%q: %q, want %q", b, got, want)
		}
	}
}

// A value is taken only if it is the key's, short and whole; then it is what Short takes with END behind it.
func TestShortValue(t *testing.T) {
	data := strings.Repeat("d", 1500)
	for b, want := range map[string]bool{
		"VALUE key 0 1\r\na\r\n": true, "VALUE key 7 0 99\r\n\r\n": true, "VALUE key 0 999\r\n" + data[:999] + "\r\n": true,
		"VALUE key 0 1500\r\n" + data + "\r\n": false, "VALUE ke 0 1\r\na\r\n": false, "VALUE keys 0 1\r\na\r\n": false, "VALUE kex 0 1\r\na\r\n": false,
		"VALUE key 0 1\r\nab\r\n": false, "VALUE key\r\n": false, "VALUEskey 0 1\r\na\r\n": false, "END\r\n": false,
	} {
		got := ShortValue([]byte(b+"END\r\n"), []byte("key"))
		if want && got != len(b) || !want && got != 0 {
			t.Errorf("%.60q: %d", b, got)
		}
		if want && Short([]byte(b+"END\r\n")) != len(b)+len("END\r\n") {
			t.Errorf("%.60q is not short", b)
		}
		for i := range len(b) {
			if n := ShortValue([]byte(b[:i]), []byte("key")); n != 0 {
				t.Errorf("%.60q, a beginning: %d", b[:i], n)
			}
		}
	}
}

func TestIsError(t *testing.T) {
	for reply, want := range map[string]bool{
		"ERROR\r\n": true, "ERROR Too many open connections\r\n": true, "SERVER_ERROR busy\r\n": true, "CLIENT_ERROR bad\r\n": true,
		"END\r\n": false, "ERRORS\r\n": false, "VALUE ERROR 0 0\r\n\r\nEND\r\n": false, "": false,
	} {
		if got := IsError([]byte(reply)); got != want {
			t.Errorf("%q: %v", reply, got)
		}
	}
}

func TestRepliesDoNotAllocate(t *testing.T) {
	stream := []byte("STORED\r\nVALUE k 0 2000\r\n" + strings.Repeat("v", 2000) + "\r\nVALUE l 0 1\r\na\r\nEND\r\nVA 1 f0\r\nx\r\nSTAT a b\r\nEND\r\nCLIENT_ERROR bad command line format.  Usage: delete <key> [noreply]\r\n")
	var p ReplyParser
	if n := testing.AllocsPerRun(100, func() {
		for rest := stream; len(rest) > 0; {
			n, _, err := p.Next(rest[:min(len(rest), 700)])
			if err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
