package integration

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cashew-proxy/cashew/internal/redistest"
	"github.com/cashew-proxy/cashew/internal/servertest"
	"github.com/cashew-proxy/cashew/test/harness"
)

// Nothing of this may be read in a log. Keys and values are secrets, too: only at the levels of debugging
// (7 up) might they be there, and today they are not.
var secrets = []string{
	"pa55word", "wr0ngword", "s3cretkey", "s3cretvalue", "inl1nekey", "n0command", "spl1tkey", "g4rbage",
}

// refuser is a server that answers each request with an error that repeats it.
func refuser(t *testing.T) string {
	t.Helper()
	return servertest.Fake(t, func(c *net.TCPConn) {
		b := make([]byte, 1<<10)
		if n, err := c.Read(b); err == nil {
			text := strings.NewReplacer("\r\n", " ").Replace(string(b[:n]))
			_, _ = io.WriteString(c, "-ERR unknown command 'AUTH', said "+text+", with args beginning with: 'pa55word'\r\n")
			_, _ = c.Read(b) // until the proxy has closed
		}
	})
}

// provoke sends secrets in every way that is worth a line in the log.
func provoke(t *testing.T, addr, refusing string) {
	t.Helper()
	for _, say := range []string{
		redistest.Request("AUTH", "wr0ngword") + redistest.Request("AUTH", "pa55word") +
			redistest.Request("SET", "s3cretkey", "s3cretvalue") + redistest.Request("GET", "s3cretkey") +
			redistest.Request("MGET", "spl1tkey1", "spl1tkey2", "spl1tkey3", "spl1tkey4") +
			redistest.Request("n0command", "s3cretvalue") + "GET inl1nekey\r\n" + redistest.Request("PING") +
			redistest.Request("LPUSH", "s3cretkey", "s3cretvalue"),
		redistest.Request("AUTH", "pa55word") + "*2\r\n$3\r\nGET\r\ng4rbage\r\n",
		redistest.Request("AUTH", "pa55word") + "*2\r\n$3\r\nGET\r\n$3\r\ng4rbage\r\n",
		redistest.Request("AUTH", "pa55word") + "GET \"inl1nekey\r\n",
		"POST /s3cretkey HTTP/1.1\r\nHost: s3cretvalue\r\n\r\n",
		redistest.Request("AUTH", "wr0ngword", "pa55word", "s3cretvalue"),
	} {
		conversation(t, addr, say)
	}
	if got := conversation(t, refusing, redistest.Request("AUTH", "pa55word")+redistest.Request("GET", "s3cretkey")); !strings.Contains(got, "refused") ||
		strings.Contains(got, "pa55word") {
		t.Errorf("the server that refuses AUTH: %q", got)
	}
}

// conversation says something, then reads all that is answered.
func conversation(t *testing.T, addr, say string) string {
	t.Helper()
	c := redistest.Dial(t, addr)
	defer c.Close()
	c.Write(say)
	if err := c.Conn().(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for {
		reply, err := c.TryRead()
		all.WriteString(reply)
		if err != nil {
			return all.String() // the end, or a reset where not all was read
		}
	}
}

func TestNoSecretsInLogs(t *testing.T) {
	path, err := cashew()
	if err != nil {
		t.Fatal(err)
	}
	server := redistest.StartServer(t, "--requirepass", "pa55word")
	silent := refuser(t)
	for verbosity := range 12 {
		format := []string{"text", "json"}[verbosity%2]
		var p *harness.Process
		var addr, refusing string
		const attempts = 5 // somebody else may take a port first
		for try := 0; ; try++ {
			addr, refusing = harness.FreeAddr(t), harness.FreeAddr(t)
			dir := t.TempDir()
			file := filepath.Join(dir, "cashew.yml")
			text := fmt.Sprintf("cashew: {admin: none, log_format: %s}\n", format) +
				fmt.Sprintf("alpha:\n  listen: %s\n  redis: true\n  redis_auth: pa55word\n  servers: [%s:1 a, %s:1 b]\n", addr, server, server) +
				fmt.Sprintf("beta:\n  listen: %s\n  redis: true\n  redis_auth: pa55word\n  servers: [%s:1]\n", refusing, silent)
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			p = harness.Run(t, path, "-c", file, "-a", "", "-v", fmt.Sprint(verbosity))
			harness.Eventually(t, harness.Limit, "cashew listens or has ended", func() bool {
				c, err := redistest.TryDial(t, addr) // of the longer name, which listens last
				if err == nil {
					c.Close()
				}
				return err == nil || p.Ended()
			})
			if !p.Ended() {
				break
			}
			if try == attempts {
				t.Fatalf("cashew did not start: %s", p.Err)
			}
		}
		provoke(t, addr, refusing)
		p.Signal(t, os.Interrupt)
		if code := p.ExitCode(t); code != 0 {
			t.Errorf("level %d: exit code %d", verbosity, code)
		}
		checkLog(t, verbosity, format, p.Err.String())
	}
}

func checkLog(t *testing.T, verbosity int, format, log string) {
	t.Helper()
	for _, s := range secrets {
		if strings.Contains(log, s) {
			t.Errorf("level %d: %q is in the log:\n%s", verbosity, s, log)
		}
	}
	if (log != "") != (verbosity >= 4) {
		t.Errorf("level %d: the log is:\n%s", verbosity, log)
	}
	for line := range strings.Lines(log) {
		if json.Valid([]byte(line)) != (format == "json") {
			t.Errorf("level %d: not in the format %s: %s", verbosity, format, line)
		}
	}
	if verbosity < 4 {
		return
	}
	// What happened is told, with names and reasons.
	for _, want := range []string{"alpha", "beta", "protocol error", "expected '$'", "cannot connect to server", "127.0.0.1:", "HTTP"} {
		if !strings.Contains(log, want) {
			t.Errorf("level %d: no %q in:\n%s", verbosity, want, log)
		}
	}
}
