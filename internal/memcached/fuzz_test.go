package memcached

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cashew-proxy/cashew/internal/sim/splits"
)

func FuzzRequest(f *testing.F) {
	for _, s := range []string{
		"get a b\r\nset k 0 0 1 noreply\r\nx\r\n", "mg Zm9v b q k O1\r\nms k 1 q\r\na\r\nmn\r\n", "set k x 0 5\r\nhello\r\n", "cas k 0 0 1 2 noreply\nx\r\n",
		"delete noreply noreply\r\n", "incr k noreply\r\n", "set k 0 0 5000\r\n", "\x80\x01\x00\x03\x08\x00\x00\x00\x00\x00\x00\x0cOPAQ12345678", "gat 0 a\r\nget \x00\r\n",
		strings.Repeat(" ", 120) + "get a\r\n", "flush_all noreply\r\nverbosity 1 noreply\r\nstats\r\nquit\r\n", "set k 0 0 3\r\nabcdef\r\n",
	} {
		f.Add([]byte(s), uint16(3), uint16(7))
	}
	f.Fuzz(func(t *testing.T, stream []byte, a, b uint16) {
		lim := Limits{Bytes: 2048, Arguments: 64, Line: 128}
		whole := session(t, stream, &lim)
		if cut := session(t, stream, &lim, splits.Two(a, b, len(stream))...); fmt.Sprint(cut) != fmt.Sprint(whole) {
			t.Fatalf("cut: %+v\nwhole: %+v", cut, whole)
		}
		if int64(whole.left) > lim.Bytes {
			t.Fatalf("%d bytes are kept of a request of at most %d", whole.left, lim.Bytes)
		}
		stripped(t, stream, &lim)
	})
}

// stripped checks that what Strip leaves of each request is the same request, not silent.
func stripped(t *testing.T, stream []byte, lim *Limits) {
	var p, again RequestParser
	for len(stream) > 0 {
		n, err := p.Next(stream, lim)
		if n == 0 || err != nil {
			return
		}
		if p.Silent && p.Problem == "" {
			before := keyOf(&p.Request, stream)
			rest := p.Strip(slices.Clone(stream[:n]))
			m, err := again.Next(rest, lim)
			if err != nil || m != len(rest) || again.Problem != "" || again.Silent || again.Op != p.Op || again.Base64 != p.Base64 ||
				again.Data != p.Data || keyOf(&again.Request, rest) != before || len(again.Tokens) != len(p.Tokens)-1 {
				t.Fatalf("%q became %q: %d, %v, %+v", stream[:n], rest, m, err, again.Request)
			}
		}
		stream = stream[min(int64(n)+p.Skip, int64(len(stream))):]
	}
}

func keyOf(r *Request, b []byte) string {
	if r.FirstKey == r.LastKey {
		return ""
	}
	return string(r.word(b, r.FirstKey))
}

func FuzzReply(f *testing.F) {
	for _, s := range []string{
		"STORED\r\n42\r\nEND\r\n", "VALUE k 0 1\r\na\r\nVALUE l 1 2 3\r\nbc\r\nEND\r\n", "VA 2 f0\r\nhi\r\nHD W\r\n", "STAT a b\r\nEND\r\n",
		"VALUE k 0 1\r\na\r\nSERVER_ERROR x\r\n", "VALUE k 0 99999999999999999999\r\n", "ME k a=b\r\nEN\r\nMN\r\n", "ERROR\r\nOK x\r\n", "HD a\rb\r\n",
	} {
		f.Add([]byte(s), uint16(3), uint16(7))
	}
	f.Fuzz(func(t *testing.T, stream []byte, a, b uint16) {
		whole := ends(t, stream)
		if cut := ends(t, stream, splits.Two(a, b, len(stream))...); !slices.Equal(cut, whole) {
			t.Fatalf("cut: %v\nwhole: %v", cut, whole)
		}
		// Byte by byte nothing of the fast paths is used.
		all := make([]int, len(stream))
		for i := range all {
			all[i] = i
		}
		if single := ends(t, stream, all...); !slices.Equal(single, whole) {
			t.Fatalf("byte by byte: %v\nwhole: %v", single, whole)
		}
		if n := Short(stream); n > 0 && (len(whole) == 0 || whole[0] != n) {
			t.Fatalf("%q: Short says %d, the parser %v", stream, n, whole)
		}
		if key, n := Value(stream); n > 0 && (len(key) == 0 || len(whole) > 0 && whole[0] > 0 && whole[0] <= n) {
			t.Fatalf("%q: a block of %q with %d bytes, the parser says %v", stream, key, n, whole)
		}
	})
}
