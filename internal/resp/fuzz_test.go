package resp

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/cashew-proxy/cashew/internal/sim/splits"
)

func FuzzRequest(f *testing.F) {
	for _, s := range []string{
		"*2\r\n$3\r\nGET\r\n$1\r\na\r\n*1\r\n$4\r\nPING\r\n", "*0\r\n*-1\r\nPING\r\n", "*1\r\n$4\r\nPINGxx", "*11\r\n$16385\r\n", "*1\r\n$5",
	} {
		f.Add([]byte(s), uint16(3), uint16(7), false)
	}
	f.Fuzz(func(t *testing.T, stream []byte, a, b uint16, guest bool) {
		lim := Limits{Bytes: 4096, Arguments: 64, Inline: 256, Unauthenticated: guest}
		whole := parse(t, stream, &lim)
		if cut := parse(t, stream, &lim, splits.Two(a, b, len(stream))...); fmt.Sprint(cut) != fmt.Sprint(whole) {
			t.Fatalf("cut: %+v\nwhole: %+v", cut, whole)
		}
		if int64(whole.left) > lim.Bytes+32 {
			t.Fatalf("%d bytes are kept of a request of at most %d", whole.left, lim.Bytes)
		}
		identity(t, stream, &lim)
	})
}

// identity encodes each request again from its arguments: the result must be what was parsed.
func identity(t *testing.T, stream []byte, lim *Limits) {
	var p RequestParser
	for len(stream) > 0 {
		n, err := p.Next(stream, lim)
		if n == 0 || err != nil {
			return
		}
		if !p.Inline && len(p.Args) > 0 {
			again := AppendArray(nil, len(p.Args))
			for _, a := range p.Args {
				again = AppendBulk(again, stream[a.Off:a.Off+a.Len])
			}
			if !bytes.Equal(again, stream[:n]) {
				t.Fatalf("%q was parsed, %q is what it means", stream[:n], again)
			}
		}
		stream = stream[n:]
	}
}

func FuzzReply(f *testing.F) {
	for _, s := range []string{
		"$5\r\nhello\r\n+OK\r\n", "*2\r\n$1\r\na\r\n*1\r\n:1\r\n", "*-1\r\n$-1\r\n", "-ERR x\r\n", "*1\r\n*1\r\n*1\r\n*1\r\n+x\r\n", "%1\r\n", "$-01\r\n",
		"%1\r\n+a\r\n_\r\n#t\r\n", "|1\r\n+a\r\n,1.5\r\n~1\r\n(12\r\n", "=5\r\ntxt:a\r\n!3\r\nERR\r\n",
	} {
		f.Add([]byte(s), uint16(3), uint16(7))
	}
	f.Fuzz(func(t *testing.T, stream []byte, a, b uint16) {
		for _, version := range []int{2, 3} {
			whole := ends(t, version, stream)
			if cut := ends(t, version, stream, splits.Two(a, b, len(stream))...); !slices.Equal(cut, whole) {
				t.Fatalf("RESP%d: cut: %v\nwhole: %v", version, cut, whole)
			}
		}
	})
}

func FuzzInline(f *testing.F) {
	for _, s := range []string{"get a\r\n", `set "a\x41\n" 'it\'s'`, `"`, `'a'b`, "a\x00b\n", `\"`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		out, err := AppendInline([]byte("x"), line)
		if err != nil {
			if string(out) != "x" {
				t.Fatalf("an error and %q", out)
			}
			return
		}
		out = out[1:]
		if len(out) == 0 {
			return
		}
		// What comes out is one request, of which no word is longer than the line, and its words written
		// as plain arguments come out again.
		lim := Limits{Bytes: 1 << 30, Arguments: 1 << 20}
		var p RequestParser
		n, err := p.Next(out, &lim)
		if err != nil || n != len(out) || len(p.Args) == 0 {
			t.Fatalf("%q became %q: %d, %v", line, out, n, err)
		}
		total := 0
		var quoted []byte
		for _, a := range p.Args {
			total += a.Len
			quoted = append(quoted, '"')
			for _, c := range out[a.Off : a.Off+a.Len] {
				quoted = fmt.Appendf(quoted, `\x%02x`, c)
			}
			quoted = append(quoted, "\" "...)
		}
		if total > len(line) {
			t.Fatalf("%d bytes of line became %d bytes of words", len(line), total)
		}
		again, err := AppendInline(nil, quoted)
		if err != nil || !bytes.Equal(again, out) {
			t.Fatalf("%q, written %q, became %q, %v", out, quoted, again, err)
		}
	})
}
