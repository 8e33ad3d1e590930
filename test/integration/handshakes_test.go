package integration

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/cashew-proxy/cashew/internal/config"
	"github.com/cashew-proxy/cashew/internal/memcachedtest"
	"github.com/cashew-proxy/cashew/internal/redistest"
	"github.com/cashew-proxy/cashew/test/harness"
)

// A recorded handshake is a text file in testdata/handshakes: what a library sends that is not run here, and
// what it needs in return. The first line names it and its protocol. Lines with > are sent, those that
// follow one another in one write. Lines with < are regular expressions, one for each whole reply of Redis,
// in which line ends and the sizes of strings are left out, or for each line of memcached. Then the
// connection must still serve.

func TestHandshakes(t *testing.T) {
	files, err := filepath.Glob("testdata/handshakes/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no handshakes: ", err)
	}
	var addrs [2]string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(filepath.Base(file), ".txt")
		title, rest, _ := strings.Cut(string(text), "\n")
		title = strings.TrimPrefix(title, "# ")
		switch {
		case strings.HasSuffix(title, ", Redis"):
			if addrs[0] == "" {
				addrs[0] = harness.Start(t, pool(startServers(t, 3)), config.Options{}).Addr
			}
			t.Run(name, func(t *testing.T) {
				c := redistest.Dial(t, addrs[0])
				replay(t, rest, func(line string) string { return redistest.Request(strings.Fields(line)...) },
					func() string { return plain(c.Read()) }, c.Write)
				if got := c.Do("PING"); got != "+PONG\r\n" {
					t.Errorf("then PING is answered with %q", got)
				}
			})
		case strings.HasSuffix(title, ", memcached"):
			if addrs[1] == "" {
				addrs[1] = harness.Start(t, memcachedPool(startMemcached(t, 3)), config.Options{}).Addr
			}
			t.Run(name, func(t *testing.T) {
				c := memcachedtest.Dial(t, addrs[1])
				replay(t, rest, func(line string) string { return strings.ReplaceAll(line, `\r\n`, "\r\n") + "\r\n" },
					func() string { return strings.TrimSuffix(c.Line(), "\r\n") }, c.Send)
				if got := c.Do("version\r\n"); !strings.HasPrefix(got, "VERSION ") {
					t.Errorf("then version is answered with %q", got)
				}
			})
		default:
			t.Errorf("%s: the first line does not end with a protocol", file)
		}
	}
}

// replay sends what a recording has, and compares what comes back.
func replay(t *testing.T, text string, encode func(string) string, read func() string, write func(string)) {
	t.Helper()
	var out strings.Builder
	n := 0
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		kind, line, _ := strings.Cut(line, " ")
		switch kind {
		case "#":
		case ">":
			out.WriteString(encode(line))
		case "<":
			if out.Len() > 0 {
				write(out.String())
				out.Reset()
			}
			n++
			if got := read(); !regexp.MustCompile("(?s)^(" + line + ")$").MatchString(got) {
				t.Errorf("reply %d is %q, want %s", n, got, line)
			}
		default:
			t.Fatalf("a line begins with %q", kind)
		}
	}
	if n == 0 || out.Len() > 0 {
		t.Error("the recording ends with a request, or has no replies")
	}
}

var stringSize = regexp.MustCompile(`\$\d+\r\n`)

// plain is a reply on one line, without the sizes of strings.
func plain(reply string) string {
	reply = stringSize.ReplaceAllString(reply, "")
	return strings.TrimSpace(strings.ReplaceAll(reply, "\r\n", " "))
}
