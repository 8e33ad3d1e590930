package resp

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// Of every beginning of a request Peek finds what is there, and never more.
func TestPeek(t *testing.T) {
	words := []string{"SET", "key", "", strings.Repeat("v", 30)}
	b := AppendArray(nil, len(words))
	for _, w := range words {
		b = AppendBulkString(b, w)
	}
	if got := Peek(nil, b); fmt.Sprintf("%q", got) != fmt.Sprintf("%q", words) {
		t.Errorf("the whole request is %q", got)
	}
	for n := range b {
		got := Peek(nil, b[:n])
		for i, w := range got {
			if i >= len(words) || !bytes.HasPrefix([]byte(words[i]), w) {
				t.Fatalf("of %q it finds %q", b[:n], got)
			}
		}
		if n > bytes.Index(b, []byte("key")) && len(got) < 2 {
			t.Errorf("of %q it finds %q", b[:n], got)
		}
	}
	for _, bad := range []string{"", "*", "PING\r\n", "*1\r\n:1\r\n", "*1\r\n$x\r\nab", "*1\r\n$99999999999999\r\nab", "*2\r\n$3\r\n"} {
		for _, w := range Peek(nil, []byte(bad)) {
			if len(w) > 0 {
				t.Errorf("of %q it finds %q", bad, w)
			}
		}
	}
}
