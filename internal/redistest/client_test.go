package redistest

import (
	"bufio"
	"strings"
	"testing"
)

// TestReadReply: a reply of either protocol is read to its end and no further.
func TestReadReply(t *testing.T) {
	for _, reply := range []string{
		"+OK\r\n", "-ERR x\r\n", ":1\r\n", "$-1\r\n", "$2\r\n\r\n\r\n", "*-1\r\n", "*0\r\n", "*2\r\n$1\r\na\r\n*1\r\n:1\r\n",
		"_\r\n", ",1.5\r\n", "#t\r\n", "(12345678901234567890\r\n", "=5\r\ntxt:a\r\n", "!5\r\nERR x\r\n",
		"%2\r\n+a\r\n:1\r\n+b\r\n*1\r\n_\r\n", "~2\r\n:1\r\n:2\r\n", ">2\r\n+pubsub\r\n+x\r\n", "|1\r\n+ttl\r\n:1\r\n*1\r\n:2\r\n",
	} {
		var b strings.Builder
		err := readReply(bufio.NewReader(strings.NewReader(reply+"+next\r\n")), &b)
		if err != nil || b.String() != reply {
			t.Errorf("of %q it read %q, %v", reply, b.String(), err)
		}
	}
	for _, reply := range []string{"", "x\r\n", "+OK\n", "%1\r\n+a\r\n", "$3\r\na\r\n"} {
		var b strings.Builder
		if err := readReply(bufio.NewReader(strings.NewReader(reply)), &b); err == nil {
			t.Errorf("%q is taken for a whole reply", reply)
		}
	}
}
